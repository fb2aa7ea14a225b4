// What the fingerprint of a function recipe sees: the code that it reaches, as written and nothing else. Told on real projects.
import assert from "node:assert/strict";
import { test } from "node:test";
import { changed, inSources, partsOf, reachesIn, reachOf, recipe } from "../rig/reach.js";

const clean = `
import { trim } from "./trim.js";
const spaces = /\\s+/g;
/** Takes out what is too much. */
export function tidy(text: string): string {
  return trim(text.replace(spaces, " "));
}
export const unreached = () => 1;
`;
const project = {
  "Datafile.ts": recipe(
    "log(tidy(output) + limits.max + Color.Red + greet(`x`));",
    `import { tidy } from "./lib/clean.js";
import limits from "./lib/limits.json" with { type: "json" };
enum Color { Red = 1, Blue }
const greeting = "hello";
function greet(name: string): string { return \`\${greeting}, \${name}\`; }
export const other = sh("other", {}, ({ $ }) => $\`date\`);
`,
  ),
  "lib/clean.ts": clean,
  "lib/trim.ts": "export const trim = (text: string) => text.trim();\n",
  "lib/limits.json": '{ "max": 3 }',
};

test("a function's parts are its text, and the text of each declaration that it reaches, by module and name", async () => {
  const { parts, parameters, unseen } = await reachOf(project);
  assert.deepEqual(Object.keys(parts), [
    "file lib/limits.json",
    "function",
    "reaches Datafile.ts Color",
    "reaches Datafile.ts greet",
    "reaches Datafile.ts greeting",
    "reaches lib/clean.ts spaces",
    "reaches lib/clean.ts tidy",
    "reaches lib/trim.ts trim",
  ]);
  assert.equal(
    parts.function,
    "async ({ output, log }) => {\n  log(tidy(output) + limits.max + Color.Red + greet(`x`));\n}",
  );
  assert.equal(
    parts["reaches lib/clean.ts tidy"],
    'function tidy(text) {\n  return trim(text.replace(spaces, " "));\n}',
  );
  assert.deepEqual([parameters, unseen], [[], []]);
});

const edit = (file: keyof typeof project, from: string, to: string) => {
  assert(project[file].includes(from), from);
  return changed(project, { [file]: project[file].replace(from, to) });
};

test("an edit of what is reached changes the part that it is in, and only that", async () => {
  assert.deepEqual(await edit("Datafile.ts", "log(tidy", "log(1 + tidy"), ["function"]);
  assert.deepEqual(await edit("Datafile.ts", '"hello"', '"good day"'), ["reaches Datafile.ts greeting"]);
  assert.deepEqual(await edit("Datafile.ts", "${greeting},", "${greeting}:"), ["reaches Datafile.ts greet"]);
  assert.deepEqual(await edit("Datafile.ts", "Red = 1", "Red = 2"), ["reaches Datafile.ts Color"]);
  assert.deepEqual(await edit("lib/clean.ts", '" "));', '"_"));'), ["reaches lib/clean.ts tidy"]);
  assert.deepEqual(await edit("lib/clean.ts", "/g;", "/gu;"), ["reaches lib/clean.ts spaces"]);
  assert.deepEqual(await edit("lib/trim.ts", "trim()", "trimEnd()"), ["reaches lib/trim.ts trim"]);
  assert.deepEqual(await edit("lib/limits.json", "3", "4"), ["file lib/limits.json"]);
});

test("comments, types, formatting, unrelated rules and helpers that are not reached change no part", async () => {
  assert.deepEqual(await edit("lib/clean.ts", "Takes out", "Removes"), []);
  assert.deepEqual(await edit("lib/clean.ts", "=> 1", "=> 2"), []);
  assert.deepEqual(await edit("lib/clean.ts", "text: string): string", "text: string & {})"), []);
  assert.deepEqual(await edit("lib/clean.ts", "return trim(", "// Why.\n  return   trim(\n"), []);
  assert.deepEqual(await edit("Datafile.ts", "date", "date +%s"), []);
  assert.deepEqual(await edit("Datafile.ts", "const greeting", "const unrelated = 1;\nconst greeting"), []);
  assert.deepEqual(await edit("Datafile.ts", '"hello"', "'hello'"), []);
});

test("a project that has moved has the same parts", async () => {
  const [before, after] = [await partsOf(project), await partsOf(project)];
  assert.deepEqual(before, after);
  const text = recipe("log(import.meta.dirname, import.meta.url, import.meta.filename);");
  assert.deepEqual(await partsOf({ "Datafile.ts": text }), await partsOf({ "Datafile.ts": text }));
});

test("a name means what is nearest: a local one hides that of the module", async () => {
  const head = "const tidy = (text: string) => text;\nconst n = 1;";
  const hidden = recipe("const tidy = 1; ((n: number) => n + tidy)(2); { let n = 3; log(String(n)); }", head);
  assert.deepEqual(Object.keys(await partsOf({ "Datafile.ts": hidden })), ["function"]);
  const property = recipe(
    "log(({ tidy: 1 }).tidy + output.n); label: for (;;) break label;",
    `${head}\nconst label = 1;`,
  );
  assert.deepEqual(Object.keys(await partsOf({ "Datafile.ts": property })), ["function"]);
  const used = recipe("log({ tidy }.tidy(output[n]));", head);
  assert.deepEqual(Object.keys(await partsOf({ "Datafile.ts": used })), [
    "function",
    "reaches Datafile.ts n",
    "reaches Datafile.ts tidy",
  ]);
});

test("another name in an unrelated place does not rename what is local to a function", async () => {
  const text = "const value = 1; { const value = 2; log(String(value)); }";
  const before = { "Datafile.ts": recipe(text) };
  assert.deepEqual(
    await changed(before, { "Datafile.ts": recipe(text, "const value = 0; const output = 1;") }),
    [],
  );
});

test("types are not reached, though a value has the same name", async () => {
  const head =
    "type Row = { n: typeof start };\nconst start = 1;\nconst Row = { n: 1 };\ninterface Other extends Array<typeof start> {}";
  const text = recipe(
    "const row = output as unknown as Row & Other; log((row satisfies Row).n as any as string);",
    head,
  );
  assert.deepEqual(Object.keys(await partsOf({ "Datafile.ts": text })), ["function"]);
});

test("functions that call one another, and modules that import one another, come to an end", async () => {
  const sources = {
    "Datafile.ts": recipe("even(1);", 'import { even } from "./even.js";'),
    "even.ts":
      'import { odd } from "./odd.js";\nexport const even = (n: number): boolean => n === 0 || odd(n - 1);',
    "odd.ts":
      'import { even } from "./even.js";\nexport const odd = (n: number): boolean => n !== 0 && even(n - 1);\nexport * from "./even.js";',
  };
  assert.deepEqual(Object.keys(await partsOf(sources)), [
    "function",
    "reaches even.ts even",
    "reaches odd.ts odd",
  ]);
  assert.deepEqual(await changed(sources, { "odd.ts": sources["odd.ts"].replace("!== 0", "> 0") }), [
    "reaches odd.ts odd",
  ]);
});

test("a class is reached whole: methods, fields, and what it extends", async () => {
  const head = `class Base { base() { return 1; } }
class Counter extends Base { static step = 1; #n = start; add() { this.#n += Counter.step; } }
const start = 0;`;
  const text = recipe("new Counter().add();", head);
  const before = { "Datafile.ts": text };
  assert.deepEqual(await changed(before, { "Datafile.ts": text.replace("+= C", "-= C") }), [
    "reaches Datafile.ts Counter",
  ]);
  assert.deepEqual(await changed(before, { "Datafile.ts": text.replace("return 1", "return 2") }), [
    "reaches Datafile.ts Base",
  ]);
  assert.deepEqual(await changed(before, { "Datafile.ts": text.replace("start = 0", "start = 1") }), [
    "reaches Datafile.ts start",
  ]);
});

test("what changes a value after its declaration belongs to it", async () => {
  const head = `const list: string[] = [];
list.push("a");
for (const name of ["b", "c"]) list.push(name);
let n = 1;
n += 1;
const settings = { deep: { on: false } };
settings.deep.on = true;
function register(name: string) { list.push(name); }
register("d");
const fill = (into: string[]) => { into.push("e"); };
fill(list);
list.forEach((name) => log(name));
const log = (_: string) => {};
sh("unrelated", { from: list.map((name) => name) }, ({ $ }) => $\`date\`);`;
  const text = recipe("log(list.join() + n + settings.deep.on);", head);
  const parts = await partsOf({ "Datafile.ts": text });
  assert.equal(
    parts["reaches Datafile.ts list"],
    'const list = [];\nlist.push("a");\nfor (const name of ["b", "c"]) list.push(name);\nregister("d");\nfill(list);',
  );
  assert.equal(parts["reaches Datafile.ts n"], "let n = 1;\nn += 1;");
  assert.equal(
    parts["reaches Datafile.ts settings"],
    "const settings = { deep: { on: false } };\nsettings.deep.on = true;",
  );
  assert.match(parts["reaches Datafile.ts register"] ?? "", /list\.push/);
  assert.match(parts["reaches Datafile.ts fill"] ?? "", /into\.push/);
  assert.equal(JSON.stringify(parts).includes("unrelated"), false);
});

test("a list that another module fills is reached with what fills it", async () => {
  const sources = {
    "Datafile.ts": recipe("log(list.join());", 'import { list } from "./list.js";\nimport "./more.js";'),
    "list.ts": "export const list: string[] = [];",
    "more.ts": 'import { list as all } from "./list.js";\nall.push("one");\n',
  };
  assert.equal((await partsOf(sources))["reaches list.ts list"], 'const list = [];\nall.push("one");');
  const { "Datafile.ts": text } = sources;
  const elsewhere = {
    ...sources,
    "Datafile.ts": text.replace('import "./more.js";', 'import { x } from "./more.js"; x;'),
    "more.ts": `${sources["more.ts"]}export const x = 1;`,
  };
  assert.equal((await partsOf(elsewhere))["reaches list.ts list"], 'const list = [];\nall.push("one");');
});

test("a function in a loop or in a helper reaches all of the statement that it is in", async () => {
  const loop = (cities: string, word = "hello") => ({
    "Datafile.ts": `import { script, sh } from "dmake";
const cities = [${cities}];
const unrelated = "x";
for (const city of cities) {
  const greeting = "${word}, " + city;
  sh(city, {}, ({ $ }) => $\`echo \${unrelated}\`);
  script(city, {}, ({ output }) => { console.log(greeting); });
}`,
  });
  assert.deepEqual(Object.keys(await partsOf(loop('"a"'))), [
    "function",
    "reaches Datafile.ts cities",
    "reaches Datafile.ts for (const city of cities)",
  ]);
  assert.deepEqual(await changed(loop('"a"'), loop('"a", "b"')), ["reaches Datafile.ts cities"]);
  assert.deepEqual(await changed(loop('"a"'), loop('"a"', "bye")), [
    "reaches Datafile.ts for (const city of cities)",
  ]);
});

test("a function that takes nothing from the loop that it is in does not reach the loop", async () => {
  const text = `import { script } from "dmake";
for (const city of ["a", "b"]) script(city, {}, ({ output }) => { console.log(output); });`;
  assert.deepEqual(Object.keys(await partsOf({ "Datafile.ts": text })), ["function"]);
});

test("parameters are those that are asked for on the way; a computed name may be any", async () => {
  const head =
    'const source = param("source", "x");\nconst limit = param("limit", "1");\nconst which = "a";\n';
  const parametersOf = async (body: string, more = "") =>
    (await reachOf({ "Datafile.ts": recipe(body, head + more) })).parameters;
  assert.deepEqual(await parametersOf("log(output);"), []);
  assert.deepEqual(await parametersOf("log(source);"), ["source"]);
  assert.deepEqual(await parametersOf("log(both);", "const both = [limit, source].join();"), [
    "limit",
    "source",
  ]);
  assert.equal(await parametersOf("log(any);", "const any = param(which, '1');"), "all");
  assert.equal(
    await parametersOf("log(any());", "const ask = param; const any = () => ask('q', '');"),
    "all",
  );
  const spaces = `import * as dmake from "dmake";\nconst source = dmake.param("source", "1");
dmake.script("a", {}, () => { console.log(source); });`;
  await inSources({ "Datafile.ts": spaces }, async (folder) => {
    assert.deepEqual((await reachesIn(folder))[0]?.parameters, ["source"]);
  });
});

test("a URL's password is in no part, and another password is another part", async () => {
  const text = (password: string) => ({
    "Datafile.ts": recipe("log(server);", `const server = "postgres://me:${password}@example.org/db";`),
  });
  assert.equal(JSON.stringify(await partsOf(text("s3cr3t"))).includes("s3cr3t"), false);
  assert.deepEqual(await changed(text("s3cr3t"), text("0ther")), ["reaches Datafile.ts server"]);
});

test("a function that is given to a helper is not judged, however the helper passes it on", async () => {
  const text = `import { script } from "dmake";
const make = (run: () => void) => script("a", {}, run);
const given: [string, {}, () => void] = ["c", {}, () => {}];
make(() => {});
script("b", {}, () => {});
script(...given);
const logged = (run: () => void) => script("d", {}, () => { console.log(1); run(); });
logged(() => {});`;
  await inSources({ "Datafile.ts": text }, async (folder) => {
    const [first, second, third, fourth] = await reachesIn(folder);
    assert.deepEqual([first, third, fourth], [undefined, undefined, undefined]);
    assert.equal(second?.parts.function, "() => {\n}");
  });
});

test("a decorator belongs to its class", async () => {
  const text = recipe(
    "log(String(Row));",
    'const column = (name: string) => (_: unknown) => name;\n@column("a") class Row {}',
  );
  const names = ["reaches Datafile.ts Row"];
  assert.deepEqual(
    await changed({ "Datafile.ts": text }, { "Datafile.ts": text.replace('"a"', '"b"') }),
    names,
  );
});

test("names that are declared without a value, in patterns, in blocks and more than once are found", async () => {
  const head = `let later: (() => string) | undefined;
later = () => inner;
const { first: [taken = fallback], ...others } = { first: ["x"] as string[], n: 1 };
const fallback = "f";
if (taken) { var inner = "deep"; }
function twice(n: number): string; function twice(n: string): string;
function twice(n: unknown) { return String(n); }
namespace Space { export const one = 1; }
namespace Space { export const two = one + 1; }`;
  const text = recipe("log(later() + taken + String(others) + twice(1) + Space.two);", head);
  assert.deepEqual(Object.keys(await partsOf({ "Datafile.ts": text })), [
    "function",
    "reaches Datafile.ts Space",
    "reaches Datafile.ts fallback",
    "reaches Datafile.ts if (taken)",
    "reaches Datafile.ts later",
    "reaches Datafile.ts taken, others",
    "reaches Datafile.ts twice",
  ]);
  const edited = (from: string, to: string) =>
    changed({ "Datafile.ts": text }, { "Datafile.ts": text.replace(from, to) });
  assert.deepEqual(await edited('"deep"', '"deeper"'), ["reaches Datafile.ts if (taken)"]);
  assert.deepEqual(await edited("one = 1", "one = 2"), ["reaches Datafile.ts Space"]);
  assert.deepEqual(await edited("() => inner", "() => inner + 1"), ["reaches Datafile.ts later"]);
});
