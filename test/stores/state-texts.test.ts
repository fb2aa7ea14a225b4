// What many records say alike: written once in the file of records, and whole again when it is read. Told on a real folder.
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { State } from "../../src/stores/state.js";
import { written } from "../../src/stores/state-line.js";
import { filled, stamp, story, trace } from "./state-rig.js";

story("a long text is written once, however many records have it", async (path) => {
  const state = new State(path);
  const text = "x".repeat(5_000);
  for (let i = 0; i < 400; i += 1)
    state.setTrace(`part${i}`, { ...trace(String(i)), recipe: { kind: "script", text } });
  const size = () => readFileSync(path).length;
  assert(size() < 400 * 500 + 5_000, `${size()} bytes`);
  const other = new State(path);
  other.setTrace("more", { ...trace("1"), recipe: { kind: "script", text } });
  for (let i = 0; i < 3_000; i += 1) other.setStamps([["raw", stamp]]);
  await other.compact();
  assert(size() < 401 * 500 + 5_000, `${size()} bytes`);
  assert.equal(new State(path).traces.get("part7")?.recipe.text, text);
  assert.equal(new State(path).traces.get("more")?.recipe.text, text);
});

story(
  "a long text whose records are gone goes with the next rewrite, and comes back with the next record",
  async (path) => {
    const [one, other] = [new State(path), new State(path)];
    const recipe = { kind: "script", text: "x".repeat(5_000) };
    one.setTrace("out", { ...trace("1"), recipe });
    other.refresh();
    other.setTrace("out", trace("2"));
    for (let i = 0; i < 3_000; i += 1) other.setStamps([["raw", stamp]]);
    await other.compact();
    assert.equal(readFileSync(path, "utf8").includes("xxx"), false);
    one.setTrace("out", { ...trace("3"), recipe });
    assert.deepEqual(new State(path).traces.get("out"), { ...trace("3"), recipe });
  },
);

/** A function that reaches a hundred short helpers, and one long one. */
const helpers = (change = "1"): Record<string, string> => ({
  kind: "script",
  function: "f",
  ...Object.fromEntries(
    Array.from({ length: 100 }, (_, i) => [
      `reaches lib/help.ts h${i}`,
      `const h${i} = () => ${i} + ${change};`,
    ]),
  ),
  "reaches lib/help.ts long": `/* ${"long ".repeat(100)} */`,
});

story(
  "short parts that are long together are written once, beside what each record has of its own",
  async (path) => {
    const state = new State(path);
    const recipeOf = (i: number, change?: string) => ({ ...helpers(change), command: `make ${i}` });
    for (let i = 0; i < 400; i += 1) state.setTrace(`part${i}`, { ...trace("1"), recipe: recipeOf(i) });
    const size = readFileSync(path).length;
    assert(size < 400 * 500 + 10_000, `${size} bytes`);
    state.setTrace("part7", { ...trace("2"), recipe: recipeOf(7, "2") });
    const more = readFileSync(path, "utf8").slice(size);
    assert(more.length < 10_000 && !more.includes("long long"), "a long text in a block is written once too");
    const isWhole = (one: State) => {
      assert.deepEqual(one.traces.get("part399")?.recipe, recipeOf(399));
      assert.deepEqual(one.traces.get("part7"), { ...trace("2"), recipe: recipeOf(7, "2") });
    };
    isWhole(new State(path));
    for (let i = 0; i < 3_000; i += 1) state.setStamps([["raw", stamp]]);
    await state.compact();
    assert(readFileSync(path).length < size + 10_000);
    isWhole(new State(path));
  },
);

story("with a line that is lost of what its recipe shares a record is lost, and no other", (path) => {
  const state = filled(path);
  state.setTrace("shares", { ...trace("1"), recipe: helpers() });
  const lines = readFileSync(path, "utf8").split("\n");
  const texts = lines.filter((line) => line.includes(',"text",'));
  assert.equal(texts.length, 2);
  for (const lost of texts) {
    writeFileSync(path, lines.filter((line) => line !== lost).join("\n"));
    const next = new State(path);
    assert.deepEqual([next.traces.get("shares"), next.traces.get("out")], [undefined, trace("1")]);
    next.setTrace("shares", { ...trace("2"), recipe: helpers() });
    for (const one of [next, new State(path)])
      assert.deepEqual(one.traces.get("shares"), { ...trace("2"), recipe: helpers() });
  }
});

for (const block of ["null", "[]", "{", "no JSON", '{"a":1}', '{"a":["none"]}', '{"a":{"parts":"key"}}'])
  story(`a block of parts that means nothing is as if it were not there: ${block}`, (path) => {
    filled(path);
    const shares = { ...trace("1"), recipe: { reaches: { parts: "key" } } };
    appendFileSync(path, written(["text", "key", block]) + written(["trace", "x", shares]));
    assert.deepEqual(
      [new State(path).traces.get("x"), new State(path).traces.get("out")],
      [undefined, trace("1")],
    );
  });
