// The file of records: what is damaged is dropped, never believed. Told on a real folder.
import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { Warning } from "../../src/core/event.js";
import type { Trace } from "../../src/core/trace.js";
import { State } from "../../src/stores/state.js";
import { type Line, written } from "../../src/stores/state-line.js";
import { takeLock } from "../../src/system/lock.js";
import { Folder } from "../rig/project.js";

const trace = (attempt: string): Trace => ({
  recipe: { kind: "sh", command: "true" },
  inputs: [{ name: "a\nb", digest: "sha256:1" }],
  outputs: [{ name: "out", digest: "sha256:2" }],
  attempt,
  startedAt: "2024-05-01T12:00:00.000Z",
  checkedAt: "2024-05-01T12:00:00.000Z",
  durationMs: 1,
  facts: { rows: 3 },
});
const stamp = { size: "1", mtimeNs: "2", ctimeNs: "3", inode: "4", device: "5", digest: "sha256:6" };

const story = (name: string, work: (path: string, folder: Folder) => void | Promise<void>) =>
  test(name, async () => {
    const folder = new Folder();
    try {
      await work(folder.path(".dmake/state.ndjson"), folder);
    } finally {
      folder.remove();
    }
  });

/** A file with one record and one stamp. */
function filled(path: string): State {
  const state = new State(path);
  state.setTrace("out", trace("1"));
  state.setStamp("raw", stamp);
  return state;
}

story("what one process records the next one reads", (path) => {
  filled(path);
  const next = new State(path);
  assert.deepEqual(next.traces.get("out"), trace("1"));
  assert.deepEqual(next.stamps.get("raw"), stamp);
});

story("reading alone writes nothing", (path, folder) => {
  new State(path);
  assert.deepEqual(folder.list(), []);
});

story("of two records of one step the later holds", (path) => {
  filled(path).setTrace("out", trace("2"));
  assert.equal(new State(path).traces.get("out")?.attempt, "2");
});

story("a line that was torn by a kill is dropped, and what follows it is kept", (path) => {
  filled(path);
  const whole = readFileSync(path, "utf8");
  for (let cut = whole.indexOf("\n") + 2; cut < whole.length; cut += 7) {
    writeFileSync(path, whole.slice(0, cut));
    const torn = new State(path);
    torn.setTrace("next", trace("3"));
    const next = new State(path);
    assert.equal(next.traces.get("next")?.attempt, "3", `cut at ${cut}`);
    assert.equal(next.traces.get("out")?.attempt, torn.traces.get("out")?.attempt);
    if (next.stamps.get("raw")) assert.deepEqual(next.stamps.get("raw"), stamp);
  }
});

story("a header that was torn by a kill costs the records and nothing else", (path) => {
  filled(path);
  const whole = readFileSync(path, "utf8");
  for (let cut = 0; cut <= whole.indexOf("\n"); cut += 1) {
    writeFileSync(path, whole.slice(0, cut));
    const torn = new State(path);
    assert.equal(torn.traces.size, 0);
    torn.setTrace("next", trace("3"));
    assert.equal(new State(path).traces.get("next")?.attempt, "3", `cut at ${cut}`);
  }
});

story("lines that are no records are dropped, whatever they hold, and counted", (path) => {
  filled(path);
  const garbage = [
    "null",
    "[]",
    "{}",
    "42",
    '"x"',
    "\0\0\0",
    '["trace"]',
    '["12345678","trace"]',
    '["12345678","trace","x",{}]',
    JSON.stringify(["trace", "x", trace("1")]),
    "<<<<<<< HEAD",
    "[[[[",
  ];
  appendFileSync(path, `${garbage.join("\n")}\n\n${written(["trace", "last", trace("9")])}`);
  const warnings: Warning[] = [];
  const state = new State(path, { warn: (warning) => warnings.push(warning) });
  assert.deepEqual([...state.traces.keys()], ["out", "last"]);
  assert.deepEqual([...state.stamps.keys()], ["raw"]);
  assert.deepEqual(warnings, [{ warning: "state-damaged", path, lines: garbage.length }]);
});

const meaningless: unknown[] = [
  ["trace", "x"],
  ["trace", "x", null],
  ["trace", "x", {}],
  ["trace", "x", { ...trace("1"), recipe: null }],
  ["trace", "x", { ...trace("1"), recipe: { kind: 1 } }],
  ["trace", "x", { ...trace("1"), recipe: { kind: ["a text that is not there"] } }],
  ["trace", "x", { ...trace("1"), recipe: { kind: { parts: "a block that is not there" } } }],
  ["trace", "x", { ...trace("1"), inputs: [null] }],
  ["trace", "x", { ...trace("1"), discovered: [{ name: "a" }] }],
  ["trace", "x", { ...trace("1"), outputs: [{ name: 1 }] }],
  ["trace", "x", { ...trace("1"), outputs: [{ name: "x", digest: "sha256:1", bytes: 2 }] }],
  ["trace", "x", { ...trace("1"), because: "nothing" }],
  ["trace", "x", { ...trace("1"), facts: null }],
  ["trace", "x", { ...trace("1"), attempt: undefined }],
  ["stamp", "x"],
  ["stamp", "x", 1, 2, 3, 4, 5, 6],
  ["left", "x", {}],
  ["left", "x", { name: "x", digest: "sha256:1" }],
  ["intent", "x", "x"],
  ["text", "x"],
  ["lease", "x"],
];

for (const line of meaningless)
  story(
    `a line that is whole and means nothing is as if it were not there: ${JSON.stringify(line)}`,
    (path) => {
      filled(path);
      appendFileSync(path, written(line as Line));
      const state = new State(path);
      assert.deepEqual(
        [state.traces.get("x"), state.stamps.get("x"), state.made.of("x")],
        [undefined, undefined, []],
      );
      assert.deepEqual([state.traces.get("out"), state.stamps.get("raw")], [trace("1"), stamp]);
    },
  );

story("no bit that flips makes a record say anything else than it did, or nothing", (path) => {
  const state = new State(path);
  const long = {
    kind: "script",
    function: "f".repeat(300),
    "reaches lib/a.ts a": "a".repeat(180),
    "reaches lib/a.ts b": "b".repeat(180),
  };
  state.setTrace("out", { ...trace("1"), recipe: long });
  state.setTrace("out", {
    ...trace("2"),
    recipe: long,
    outputs: [{ name: "out", digest: "sha256:3", bytes: "sha256:4" }],
  });
  state.setStamp("raw", stamp);
  const attempts: Record<string, Trace | undefined> = {
    "1": new State(path).traces.get("out") && { ...trace("1"), recipe: long },
    "2": new State(path).traces.get("out"),
  };
  assert.equal(attempts["2"]?.attempt, "2");
  const bytes = readFileSync(path);
  // One bit of each byte: each seal is checked the same way for all eight.
  for (let byte = 0; byte < bytes.length; byte += 1) {
    const flipped = Buffer.from(bytes);
    flipped[byte]! ^= 1 << (byte % 8);
    writeFileSync(path, flipped);
    const found = new State(path, { writable: false });
    for (const step of found.traces.keys()) {
      const one = found.traces.get(step);
      // An older record may hold again: it is as true as it was.
      if (one) assert.deepEqual([step, one], ["out", attempts[one.attempt]], `byte ${byte}`);
    }
    for (const name of found.stamps.keys()) assert.deepEqual([name, found.stamps.get(name)], ["raw", stamp]);
  }
});

story("a header that is damaged costs nothing: each line says itself that it is ours", (path) => {
  filled(path);
  const [head = "", ...body] = readFileSync(path, "utf8").split("\n");
  for (const first of ["something else", "", "\0".repeat(head.length), head.replace('"2"', '"3"')]) {
    writeFileSync(path, [first, ...body].join("\n"));
    assert.deepEqual([...new State(path).traces.keys()], ["out"]);
  }
});

const foreign: Readonly<Record<string, string | Buffer>> = {
  "the state of another version": `${written(["dmake-state", "99"] as never)}`,
  "the state of the first version": '["dmake-state",1]\n["trace","out",{}]\n',
  text: "dear diary\n",
  "text without an end": "dear diary",
  zeros: Buffer.alloc(5_000),
  "an archive": Buffer.from([0x1f, 0x8b, 8, 0, 10, 0xff, 0xfe, 10]),
};

for (const [what, content] of Object.entries(foreign))
  story(`where the file should be is ${what}: kept aside, and everything is stale`, (path, folder) => {
    folder.write(".dmake/state.ndjson", content);
    folder.write(".dmake/state.ndjson.old", "somebody's");
    const warnings: Warning[] = [];
    const state = new State(path, { warn: (warning) => warnings.push(warning) });
    assert.equal(state.traces.size, 0);
    assert.deepEqual(readFileSync(path), Buffer.from(content));
    state.setTrace("new", trace("1"));
    state.setTrace("newer", trace("1"));
    const kept = `${path}.old.2`;
    assert.deepEqual(readFileSync(kept), Buffer.from(content));
    assert.equal(folder.read(".dmake/state.ndjson.old"), "somebody's");
    assert.deepEqual([...new State(path).traces.keys()], ["new", "newer"]);
    assert.deepEqual(warnings, [{ warning: "state-foreign", path, kept }]);
  });

story("a directory in its place is kept aside like any other stranger", (path, folder) => {
  folder.write(".dmake/state.ndjson/inside", "x");
  const warnings: Warning[] = [];
  const state = new State(path, { warn: (warning) => warnings.push(warning) });
  state.setTrace("new", trace("1"));
  assert.equal(folder.read(".dmake/state.ndjson.old/inside"), "x");
  assert.deepEqual([...new State(path).traces.keys()], ["new"]);
  assert.deepEqual(
    warnings.map(({ warning }) => warning),
    ["state-foreign"],
  );
});

for (const content of ["dear diary\n", "", '["torn'])
  story(`a query mends and moves nothing: ${JSON.stringify(content)}`, async (path, folder) => {
    folder.write(".dmake/state.ndjson", content);
    const warnings: Warning[] = [];
    const state = new State(path, { writable: false, warn: (warning) => warnings.push(warning) });
    await state.compact();
    assert.deepEqual([folder.list(), readFileSync(path, "utf8")], [[".dmake/state.ndjson"], content]);
    assert.equal(warnings.length, content === "" ? 0 : 1);
  });

story("nor does a query mend lines that are damaged", async (path) => {
  filled(path);
  appendFileSync(path, "garbage\n");
  const before = readFileSync(path, "utf8");
  await new State(path, { writable: false }).compact();
  assert.equal(readFileSync(path, "utf8"), before);
});

story("while another process rewrites the file, this one does not", async (path) => {
  filled(path);
  appendFileSync(path, "garbage\n");
  const before = readFileSync(path, "utf8");
  const lock = await takeLock(`${path}.lock`, 0);
  await new State(path).compact();
  assert.equal(readFileSync(path, "utf8"), before);
  if (lock.kind === "held") lock.release();
  await new State(path).compact();
  assert.notEqual(readFileSync(path, "utf8"), before);
});

story(
  "what a step was about to publish is dmake's until it has a record, however often it was killed",
  async (path) => {
    const state = filled(path);
    state.intend("out", [{ name: "out", digest: "sha256:7" }]);
    state.intend("out", [{ name: "out", digest: "sha256:8", bytes: "sha256:9" }]);
    appendFileSync(path, "garbage\n");
    const said = (one: State) => one.made.of("out").map(({ digest }) => digest);
    const next = new State(path);
    assert.deepEqual(said(next), ["sha256:2", "sha256:7", "sha256:8"]);
    await next.compact();
    assert.deepEqual(said(new State(path)), ["sha256:2", "sha256:7", "sha256:8"]);
    next.setTrace("out", trace("2"));
    assert.deepEqual(said(new State(path)), ["sha256:2"]);
  },
);

story("damage is told once: the file is mended when it is closed", async (path) => {
  filled(path);
  writeFileSync(path, readFileSync(path, "utf8").replace("sha256:1", "sha256:0"));
  const warnings: Warning[] = [];
  const warn = (warning: Warning) => warnings.push(warning);
  const state = new State(path, { warn });
  assert.deepEqual([...state.traces.keys(), ...state.stamps.keys()], ["raw"]);
  await state.compact();
  assert.deepEqual(new State(path, { warn }).stamps.get("raw"), stamp);
  assert.equal(warnings.length, 1);
});

story("a last line that lacks only its end is a record", (path) => {
  filled(path).setTrace("last", trace("2"));
  writeFileSync(path, readFileSync(path, "utf8").slice(0, -1));
  const warnings: Warning[] = [];
  const state = new State(path, { warn: (warning) => warnings.push(warning) });
  assert.equal(state.traces.get("last")?.attempt, "2");
  state.setTrace("next", trace("3"));
  assert.deepEqual([...new State(path).traces.keys()], ["out", "last", "next"]);
  assert.deepEqual(warnings, []);
});

story("a long text is written once, however many records have it", async (path) => {
  const state = new State(path);
  const text = "x".repeat(5_000);
  for (let i = 0; i < 400; i += 1)
    state.setTrace(`part${i}`, { ...trace(String(i)), recipe: { kind: "script", text } });
  const size = () => readFileSync(path).length;
  assert(size() < 400 * 500 + 5_000, `${size()} bytes`);
  const other = new State(path);
  other.setTrace("more", { ...trace("1"), recipe: { kind: "script", text } });
  for (let i = 0; i < 3_000; i += 1) other.setStamp("raw", stamp);
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
    for (let i = 0; i < 3_000; i += 1) other.setStamp("raw", stamp);
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
    for (let i = 0; i < 3_000; i += 1) state.setStamp("raw", stamp);
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

story("a file that is mostly superseded is rewritten, once, with what holds", async (path) => {
  const state = filled(path);
  for (let i = 0; i < 2_500; i += 1) state.setTrace("busy", trace(String(i)));
  assert(readFileSync(path, "utf8").split("\n").length > 2_500);
  await state.compact();
  assert.equal(readFileSync(path, "utf8").split("\n").length, 5);
  const next = new State(path);
  assert.deepEqual([next.traces.get("busy")?.attempt, next.traces.get("out")?.attempt], ["2499", "1"]);
  assert.deepEqual(next.stamps.get("raw"), stamp);
  assert.equal(existsSync(`${path}.next`), false);
});

story("a file with little to gain, and one that this process did not write, are left alone", async (path) => {
  const state = filled(path);
  state.setTrace("out", trace("2"));
  await state.compact();
  assert.equal(readFileSync(path, "utf8").split("\n").length, 5);
  for (let i = 0; i < 2_500; i += 1) state.setTrace("busy", trace(String(i)));
  const before = readFileSync(path, "utf8");
  await new State(path).compact();
  assert.equal(readFileSync(path, "utf8"), before);
});

story("two processes that record at once lose nothing", (path) => {
  const [one, other] = [new State(path), new State(path)];
  for (let i = 0; i < 50; i += 1) {
    one.setTrace(`one${i}`, trace("1"));
    other.setTrace(`other${i}`, trace("2"));
  }
  assert.equal(new State(path).traces.size, 100);
});

story("what another process has recorded since is taken in when asked for, each line once", (path) => {
  const one = new State(path);
  one.setTrace("mine", trace("1"));
  assert.equal(new State(path).refresh(), false);
  one.refresh();
  new State(path).setTrace("theirs", trace("2"));
  appendFileSync(path, written(["trace", "half", trace("3")]).slice(0, -20));
  assert.equal(one.refresh(), true);
  assert.deepEqual([...one.traces.keys()], ["mine", "theirs"]);
});

story("a file that was cut short or removed behind our back is read anew", (path) => {
  const state = filled(path);
  state.refresh();
  truncateSync(path, 20);
  state.refresh();
  rmSync(path);
  assert.equal(state.refresh(), false);
});

story("a rewrite keeps what another process has recorded", async (path) => {
  const one = new State(path);
  for (let i = 0; i < 2_500; i += 1) one.setTrace("busy", trace(String(i)));
  new State(path).setTrace("theirs", trace("2"));
  await one.compact();
  assert.deepEqual([...new State(path).traces.keys()].sort(), ["busy", "theirs"]);
  one.setTrace("after", trace("3"));
  assert.equal(one.refresh(), true);
  assert.deepEqual([...new State(path).traces.keys()].sort(), ["after", "busy", "theirs"]);
});

story("ten thousand records that are each followed by a look at the news take no time", (path) => {
  const state = new State(path);
  for (let i = 0; i < 10_000; i += 1) {
    state.setTrace(`step${i}`, trace("1"));
    state.refresh();
  }
  assert.equal(new State(path).traces.size, 10_000);
});

story("names of any kind come back as they went in", (path) => {
  const names = ["a\nb", 'q"u', "ü\u2028", "__proto__", "constructor", "\ud800 alone"];
  const state = new State(path);
  for (const name of names) state.setTrace(name, trace(name));
  assert.deepEqual([...new State(path).traces.keys()], names);
});
