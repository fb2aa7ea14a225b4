// A text is the same however it is laid out. Told with layouts that no person would choose.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "@babel/parser";
import { asyncProperty, constantFrom, infiniteStream } from "fast-check";
import { holds } from "../rig/property.js";
import { changed, partsOf, recipe } from "../rig/reach.js";

const lib = `
export enum Color { Red = "red", Blue = "blue" }
const wide = { one: [1, 2, 3], two: { three: "a long text that makes this literal too wide for a line", four: /[a-z]+/gi } };
export const settings: Readonly<Record<string, unknown>> = { wide, list: ["a", "b"] as const, n: 2 ** 3 };
export abstract class Shape<T extends object = {}> {
  static #count = 0;
  protected abstract area(): number;
  constructor(private readonly name: string, readonly more?: T) { Shape.#count++; }
  get label(): string { return \`\${this.name} of \${typeof this.more} \${Shape.#count}\`; }
}
export function* walk<T>(list: Iterable<T>, depth = 0): Generator<T | undefined> {
  if (depth > 3) return;
  else for (const one of list) yield one satisfies T;
  outer: while (true) { if (depth) break outer; else continue outer; }
  switch (depth) { case 1: { break; } default: yield undefined; }
  try { throw new Error(\`\${depth}\`); } catch { } finally { yield* walk<T>(list, depth! + 1); }
}
`;
const before = 'import { Color, Shape, settings, walk } from "./lib.js";';
const body = `const { a = 1, ...rest } = JSON.parse(await Promise.resolve(output)) as Record<string, number>;
  if (a) log(String(Color.Red)); else { log(settings.n + \`x\${a ? "y" : 'z'}\`); }
  for await (const one of walk([1, 2])) log((() => ({ one, rest, Shape }))?.().one as unknown as string);`;
const project = { "lib.ts": lib, "Datafile.ts": recipe(body, before) };

/** The text with something after each token of it, from `from` on, where that is no part of a template. */
function laidOut(text: string, between: Iterator<string>, from = 0): string {
  const tree = parse(text, { sourceType: "module", plugins: ["typescript"], tokens: true });
  const tokens = (tree.tokens ?? []) as { start: number; end: number; type: { label: string } | string }[];
  const label = (i: number) => {
    const type = tokens[i]?.type;
    return typeof type === "object" ? type.label : "";
  };
  let result = "";
  let at = 0;
  for (const [i, { start, end }] of tokens.entries()) {
    result += text.slice(at, end);
    at = end;
    const isTemplate = [label(i), label(i + 1)].some((one) => /template|`/.test(one));
    // `#` and the name after it are one.
    if (start >= from && !isTemplate && text[start] !== "#" && label(i) !== "#")
      result += layoutAfter(label(i), between.next().value);
  }
  return result + text.slice(at);
}

/** A line may end after these, whatever follows. */
const layoutAfter = (label: string, layout: string): string =>
  /^[({[,;=]$/.test(label) ? layout : layout.replaceAll("\n", " ").replace(/\/\/.*/, "");

const layouts = constantFrom(
  "",
  "",
  " ",
  "\n",
  "\t\n ",
  "/* one */",
  " // two\n",
  "/* three\n*/",
  "/* @__PURE__ */",
  "/** @type {x} */\n\n",
);

test("comments and white space between any two tokens change nothing", async () => {
  const expected = await partsOf(project);
  assert.equal(Object.keys(expected).length, 6);
  await holds(
    asyncProperty(infiniteStream(layouts), async (stream) => {
      const datafile = project["Datafile.ts"];
      const laid = {
        "lib.ts": laidOut(lib, stream),
        "Datafile.ts": laidOut(datafile, stream, datafile.indexOf("async")),
      };
      assert.deepEqual(await partsOf(laid), expected);
    }),
    30,
  );
});

test("a text is written over lines, a wide literal one entry a line", async () => {
  const cities = Array.from({ length: 9 }, (_, i) => `"a town of some length ${i}"`);
  const text = recipe(
    "log(cities.join() + few);",
    `const cities = [${cities.join(",")}];\nconst few = [\n1,\n2];`,
  );
  const parts = await partsOf({ "Datafile.ts": text });
  assert.equal(
    parts["reaches Datafile.ts cities"],
    `const cities = [\n${cities.map((city) => `  ${city}`).join(",\n")}\n];`,
  );
  assert.equal(parts["reaches Datafile.ts few"], "const few = [1, 2];");
});

for (const [name, from, to] of [
  ["a text", '"Größe"', '"Grösse"'],
  ["a template", "`a  b`", "`a b`"],
  ["a pattern", "/a b/", "/a  b/"],
  ["an operator", "1 + 2", "1 - 2"],
  ["where a statement ends", "() => { return\n1 }", "() => { return 1 }"],
  ["a comment that ends a statement", "() => { return /*\n*/ 1 }", "() => { return 1 }"],
  ["brackets that matter", "(1 + 2) * 3", "1 + 2 * 3"],
  ["a directive", '() => { "use strict"; }', "() => {}"],
  ["async", "async () => 1", "() => 1"],
  ["a default", "(a = 1) => a", "(a = 2) => a"],
] as const)
  test(`another text is another part: ${name}`, async () => {
    const of = (value: string) => ({
      "Datafile.ts": recipe("log(String(value));", `const value = ${value};`),
    });
    assert.deepEqual(await changed(of(from), of(to)), ["reaches Datafile.ts value"]);
  });
