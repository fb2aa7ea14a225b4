// A value that comes to be at run time cannot be seen in a text, and a person is told its name. Ordinary code raises no alarm.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inSources, reachesIn, recipe, type Sources, unseenIn } from "../rig/reach.js";

/** The names that are unseen in a Datafile whose function uses `value`. */
const alarms = (head: string, files: Sources = {}) =>
  unseenIn({ ...files, "Datafile.ts": recipe("log(String(value));", head) });

const world = [
  "process.env.HOME",
  'process.env["HOME"] ?? "x"',
  "process.argv[2]",
  "Date.now()",
  "new Date()",
  "new Date().toISOString().slice(0, 10)",
  "Date()",
  "Math.random()",
  "performance.now()",
  "crypto.randomUUID()",
  'await fetch("https://example.org")',
  "await Promise.resolve(1)",
  'fs.readFileSync("x", "utf8")',
  'readFileSync("x", "utf8")',
  'JSON.parse(readFileSync("x", "utf8")).list',
  "os.hostname()",
  'execSync("date")',
  "env.HOME",
  "randomBytes(4)",
  "`${process.env.HOME}/x`",
  "[1, 2].map(() => Math.random())",
  "(() => Date.now())()",
  "Array.from({ length: 2 }, Math.random)",
  '["a"].map((name) => readFileSync(name, "utf8"))',
  "names.map(read)",
  "now()",
  "indirect()",
  "clock.now()",
  "new Stamp()",
  "make.stamp.call()",
  "run('date')",
  "twice(() => Date.now())",
  'load("x", "utf8")',
  'files.readFileSync("x", "utf8")',
  '"a".replace(/a/, () => readFileSync("x", "utf8"))',
  'months("2023-01", new Date().toISOString().slice(0, 7))',
];
const given = `import * as fs from "node:fs";
import { readFileSync } from "fs";
import os from "node:os";
import { execSync, exec } from "node:child_process";
import { env } from "node:process";
import { randomBytes, createHash } from "node:crypto";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
const which = "./x.js";
const names = ["a"];
const read = (name: string) => readFileSync(name, "utf8");
function now() { return Date.now(); }
const indirect = () => now();
const clock = { now() { return Date.now(); }, zone: () => "UTC" };
const make = { stamp: () => new Date() };
class Stamp { at = Date.now(); }
class Quiet { async load() { await fetch("x"); } name() { return "x"; } }
const run = promisify(exec);
const twice = <T>(what: () => T) => [what(), what()];
const lazily = <T>(what: () => T) => () => what();
const load = readFileSync;
const files = fs;
function pure(n: number) { return n + 1; }
`;

for (const value of world)
  test(`seen by nobody: ${value}`, async () => {
    assert.deepEqual(await alarms(`${given}const value = ${value};`), ["value"]);
  });

const seen = [
  '"x"',
  "`x${1 + 2}`",
  'new Set(["a", "b"])',
  'new Map([["a", 1]])',
  'new RegExp("a+")',
  "/a/g",
  'join("a", "b")',
  "z.object({ n: z.number().transform((n) => n + 1) })",
  'new Date("2023-01-01")',
  "Date.UTC(2023, 1)",
  "Math.max(1, 2)",
  "pure(3)",
  "clock.zone()",
  '"a".replace(/a/, (one) => one.toUpperCase())',
  "load.name",
  "new Quiet()",
  "new Quiet().name()",
  "() => process.env.HOME",
  "async () => { await fetch('x'); return Date.now(); }",
  "{ run: () => readFileSync('x') }",
  "lazily(() => readFileSync('x'))",
  "promisify(exec)",
  'createHash("sha256").update("x").digest("hex")',
  'months("2023-01", "2023-03")',
  'param("at", new Date().toISOString())',
  "Object.freeze({ a: [1, 2] })",
  "JSON.parse('{}')",
  "names.map((name) => name.toUpperCase())",
  "Object.fromEntries(names.map((name, i) => [name, i]))",
  "structuredClone({ a: 1 })",
  'new URL("https://example.org/x?y=1")',
  "import.meta.dirname",
  "Intl.DateTimeFormat.name",
  "class { now() { return Date.now(); } }",
];

for (const value of seen)
  test(`no alarm: ${value}`, async () => {
    assert.deepEqual(await alarms(`${given}const value = ${value};`), []);
  });

test("the name is that of the value that comes from the world, however far from the function", async () => {
  const files = {
    "lib/now.ts": "export const started = Date.now();\nexport const rounded = Math.floor(started / 1000);",
  };
  assert.deepEqual(
    await alarms('import { rounded } from "./lib/now.js";\nconst value = rounded + 1;', files),
    ["started"],
  );
  assert.deepEqual(await alarms("const { HOME: value, other } = process.env;\nother;"), ["value"]);
  assert.deepEqual(await alarms("let value = 1;\nvalue = Date.now();"), ["value"]);
  assert.deepEqual(
    await alarms(
      'import { readdirSync } from "node:fs";\nconst value: string[] = [];\nfor (const name of readdirSync(".")) value.push(name);',
    ),
    ["value"],
  );
  assert.deepEqual(await alarms("class Value { static at = Date.now(); }\nconst value = Value;"), ["Value"]);
});

test("a default export is called what its importer calls it", async () => {
  const files = { "config.ts": "export default { token: process.env.TOKEN };" };
  assert.deepEqual(await alarms('import value from "./config.js";', files), ["value"]);
});

test("in a circle of calls each function is judged, whoever is asked first", async () => {
  const head = `function one(n: number): unknown { return n > 0 ? two(n - 1) : Date.now(); }
function two(n: number): unknown { return one(n); }
const first = one(1);
const second = two(1);
let never: (() => string) | undefined;
const third = never?.();
const value = [first, second, third];`;
  assert.deepEqual(await alarms(head), ["first", "second"]);
});

test("values that are made from one another, and a `require` that is passed on, come to an end", async () => {
  const head = `const one = wrap(() => two()), two = wrap(() => three.go()), three = two;
function wrap<T>(what: T): T { return what; }
declare const require: (name: string) => unknown;
const all = ["x"].map(require);
const value = [one(), three.go(), all];`;
  assert.deepEqual(await alarms(head), []);
});

test("what the recipe itself asks the world is its work, and an unreached value is nobody's", async () => {
  const body = 'log(String(await fetch("x")) + Date.now() + process.env.HOME + helper());';
  const head = "const unreached = Date.now();\nunreached;\nfunction helper() { return Math.random(); }";
  assert.deepEqual(await unseenIn({ "Datafile.ts": recipe(body, head) }), []);
});

test("code that is named at run time is unseen", async () => {
  assert.deepEqual(await unseenIn({ "Datafile.ts": recipe("await import(output);") }), ["import()"]);
  assert.deepEqual(await alarms('const which = "./x.js";\nconst value = await import(which);'), [
    "import()",
    "value",
  ]);
  assert.deepEqual(await unseenIn({ "Datafile.ts": recipe("eval(output);") }), ["eval"]);
});

/** The unseen names of each function of a Datafile. */
const unseenEach = (text: string) =>
  inSources(
    { "Datafile.ts": `import { script, sh } from "dmake";\nimport { readdirSync } from "node:fs";\n${text}` },
    async (folder) => (await reachesIn(folder)).map((reach) => reach?.unseen.map(({ name }) => name)),
  );
const use = (name: string) => `() => { console.log(${name}); }`;

test("a loop over values in the text is seen, a loop over files that are there is not", async () => {
  assert.deepEqual(await unseenEach(`for (const city of ["a"]) script(city, {}, ${use("city")});`), [[]]);
  assert.deepEqual(
    await unseenEach(`const all = ["a"];\nfor (const city of all) script(city, {}, ${use("city")});`),
    [[]],
  );
  assert.deepEqual(await unseenEach(`["a"].map((city) => script(city, {}, ${use("city")}));`), [[]]);
  assert.deepEqual(
    await unseenEach(
      `for (const [city, n] of Object.entries({ a: 1 })) script(city, {}, ${use("city + n")});`,
    ),
    [[]],
  );
  assert.deepEqual(await unseenEach(`for (let i = 0; i < 3; i++) script("a" + i, {}, ${use("i")});`), [[]]);
  assert.deepEqual(
    await unseenEach(`for (const name of readdirSync(".")) script(name, {}, ${use("name")});`),
    [["name"]],
  );
  assert.deepEqual(await unseenEach(`readdirSync(".").map((name) => script(name, {}, ${use("name")}));`), [
    ["name"],
  ]);
  assert.deepEqual(
    await unseenEach(`const all = readdirSync(".");\nfor (const one of all) script(one, {}, ${use("one")});`),
    [["all"]],
  );
});

test("a parameter of a function around it is unseen, and what is made from it, but nothing else there", async () => {
  const make = (inside: string, used: string) =>
    unseenEach(
      `const make = (name: string) => {\n${inside}\nreturn script(name, {}, ${use(used)});\n};\nmake("a");`,
    );
  assert.deepEqual(await make("", "name"), [["name"]]);
  assert.deepEqual(await make("const path = `data/${name}`;", "path"), [["name"]]);
  assert.deepEqual(await make("const at = Date.now();", "at"), [["at"]]);
  assert.deepEqual(await make("const n = 3;", "n"), [[]]);
  assert.deepEqual(await make("const path = name; path;", "1"), [[]]);
  assert.deepEqual(await make("const greet = (word: string) => word + name;", "greet('x')"), [["name"]]);
  assert.deepEqual(await make("const greet = async (word: string) => fetch(word);", "greet('x')"), [[]]);
  assert.deepEqual(await make("async function greet(word: string) { return fetch(word); }", "greet('x')"), [
    [],
  ]);
  assert.deepEqual(await make("const list: string[] = []; list.push(name);", "list"), [["name"]]);
  assert.deepEqual(
    await make("try { name; } catch (problem) { script('x', {}, () => { console.log(problem); }); }", "1"),
    [["problem"], []],
  );
});

test("a secret that only other rules of the loop use raises no alarm", async () => {
  const text = `const token = process.env.TOKEN;\nfor (const city of ["a"]) {\n  sh(city, {}, ({ $ }) => $\`\${token}\`);\n  script(city + 1, {}, ${use("city")});\n}`;
  assert.deepEqual(await unseenEach(text), [[]]);
});

test("an unseen name has the place of the function that uses it", async () => {
  const text = recipe("log(now);", "const now = String(Date.now());");
  await inSources({ "Datafile.ts": text }, async (folder) => {
    const [reach] = await reachesIn(folder);
    assert.deepEqual(reach?.unseen, [
      { name: "now", at: { file: folder.path("Datafile.ts"), line: 3, column: 40 } },
    ]);
  });
});

test("values that a target lists come to be when it is built, those that the Datafile lists do not", async () => {
  const own = (value: string) => alarms(`import * as dmake from "dmake";\nconst value = ${value};\n`);
  assert.deepEqual(await own('dmake.valuesIn("index.txt")'), ["value"]);
  assert.deepEqual(await own('dmake.months("2021-01", "2021-03")'), []);
});
