// The house keeps its laws: arrows between rooms, no world outside cli/, no clock in core/, honest openings, short files.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { problemsOf, problemsOfBench } from "./rig/house.js";

const root = fileURLToPath(new URL("../", import.meta.url));
const opening = "// Does one thing. Knows nothing of all others.\n";

const house = new Map(
  readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .sort()
    .map((path) => [`src/${path}`, readFileSync(join(root, "src", path), "utf8")]),
);

/** What the laws say against one file with this code. */
const against = (path: string, code: string): readonly string[] =>
  problemsOf(new Map([[path, opening + code]]));

test("every file of the house keeps every law", () => {
  assert.ok(house.size > 50, `only ${house.size} files were found`);
  assert.deepEqual(problemsOf(house), []);
});

test("benchmarks say what they do, and have the program run like anybody else", () => {
  const files = readdirSync(join(root, "bench"))
    .filter((name) => /\.m?[jt]s$/.test(name))
    .map((name) => [`bench/${name}`, readFileSync(join(root, "bench", name), "utf8")] as const);
  assert.ok(files.length > 10, `only ${files.length} files were found`);
  assert.deepEqual(problemsOfBench(new Map(files)), []);
  assert.deepEqual(
    problemsOfBench(new Map([["bench/a.ts", `${opening}import { x } from "../src/engine/build.js";`]])),
    ["bench/a.ts:2: a benchmark may not import src/engine/build.ts: it has the program run"],
  );
  assert.deepEqual(problemsOfBench(new Map([["bench/a.mjs", "const a = 1;"]])), [
    "bench/a.mjs:1: opens with no comment that says what it does",
  ]);
});

test("arrows between rooms go one way, for types and lazy imports too", () => {
  assert.deepEqual(against("src/core/a.ts", 'import type { Job } from "../engine/ports.js";'), [
    "src/core/a.ts:2: core may not import engine/ports.ts: it may import no other room",
  ]);
  assert.deepEqual(against("src/stores/a.ts", '\nconst later = () => import("../recipes/load.js");'), [
    "src/stores/a.ts:3: stores may not import recipes/load.ts: it may import core, engine/ports.ts, postgres, system",
  ]);
  for (const [path, from] of [
    ["src/engine/a.ts", "../stores/files.js"],
    ["src/engine/a.ts", "../postgres/connect.js"],
    ["src/stores/a.ts", "../engine/build.js"],
    ["src/stores/a.ts", "../duckdb/query.js"],
    ["src/recipes/a.ts", "../stores/files.js"],
    ["src/recipes/a.ts", "../engine/execute.js"],
    ["src/postgres/a.ts", "../engine/ports.js"],
    ["src/duckdb/a.ts", "../postgres/types.js"],
    ["src/datafile/a.ts", "../cli/words.js"],
    ["src/cli/a.ts", "../index.js"],
    ["src/core/a.ts", "../index.js"],
    ["src/index.ts", "./engine/build.js"],
  ] as const)
    assert.match(
      against(path, `export { x } from "${from}";`).join(),
      / may not import /,
      `${path} → ${from}`,
    );
});

test("what a room may import, it may", () => {
  for (const [path, from] of [
    ["src/cli/a.ts", "../stores/files.js"],
    ["src/engine/a.ts", "../core/rule.js"],
    ["src/stores/a.ts", "../engine/ports.js"],
    ["src/stores/a.ts", "./ledger.js"],
    ["src/recipes/load.ts", "./load-rows.js"],
    ["src/recipes/load-rows.ts", "../postgres/copy-binary.js"],
    ["src/recipes/load.ts", "undici"],
    ["src/index.ts", "./datafile/declare.js"],
  ] as const)
    assert.deepEqual(against(path, `import { x } from "${from}";`), [], `${path} → ${from}`);
});

test("a room that nobody planned is no room, and there is nothing above the house", () => {
  assert.deepEqual(against("src/utils/a.ts", ""), ["src/utils/a.ts:1: the house has no room `utils`"]);
  assert.match(
    against("src/cli/a.ts", 'import { x } from "../../test/rig/web.js";').join(),
    /test\/rig\/web.ts/,
  );
});

test("recipes are strangers to one another", () => {
  assert.deepEqual(against("src/recipes/load.ts", 'import { x } from "./download-http.js";'), [
    "src/recipes/load.ts:2: one recipe may not import another: download-http.ts",
  ]);
});

test("core and engine do no input or output", () => {
  for (const code of [
    'import { readFileSync } from "node:fs";',
    'import * as fs from "node:fs";',
    'import { request } from "node:http";',
    'import { randomBytes } from "node:crypto";',
    'import { setTimeout } from "node:timers/promises";',
    'import pg from "pg";',
  ])
    assert.match(against("src/core/a.ts", code).join(), /core does no input or output/, code);
  assert.match(against("src/engine/a.ts", 'import { spawn } from "node:child_process";').join(), /`spawn`/);
  assert.deepEqual(against("src/core/a.ts", 'import { createHash } from "node:crypto";'), []);
});

test("only cli/ prints, exits, reads the environment or hears signals", () => {
  for (const [code, name] of [
    ["console.log(1);", "console"],
    ["process.exit(1);", "process.exit"],
    ["const { PGHOST } = process.env;", "process.env"],
    ['process.on("SIGINT", stop);', "process.on"],
    ["const all = { ...process };", "process"],
    ['process["exit"]();', "process.*"],
    ["globalThis.process.exit();", "globalThis"],
    ['import { env } from "node:process";', "process.env"],
    ['import process from "node:process";', "process"],
  ] as const) {
    assert.deepEqual(against("src/postgres/a.ts", code), [
      `src/postgres/a.ts:2: only cli/ may use \`${name}\``,
    ]);
    assert.deepEqual(against("src/cli/a.ts", code), [], code);
  }
});

test("a process may be named in a comment, a text, a type or a property, and its pid and platform be asked", () => {
  for (const code of [
    "// The process ends; console and all.",
    'const text = "process.exit()";',
    "interface Child { process: number }",
    "const child = { process: 1 };",
    "child.process.exit();",
    "process.kill(-process.pid);",
    'import { platform } from "node:process";',
  ])
    assert.deepEqual(against("src/postgres/a.ts", code), [], code);
});

test("core has no clock and no dice", () => {
  for (const code of [
    "Date.now();",
    "new Date();",
    "new Date;",
    "performance.now();",
    "setTimeout(f, 1);",
    "Math.random();",
    "crypto.randomUUID();",
  ])
    assert.match(against("src/core/a.ts", code).join(), /core\/a\.ts:2: core has no clock and no dice/, code);
  assert.deepEqual(against("src/core/a.ts", "new Date(0).toISOString(); Math.max(1, 2);"), []);
  assert.deepEqual(against("src/engine/a.ts", "performance.now();"), []);
});

test("a file opens with what it does and what it knows nothing of", () => {
  const said = (text: string) => problemsOf(new Map([["src/cli/a.ts", text]]));
  assert.deepEqual(said("export const a = 1;\n"), [
    "src/cli/a.ts:1: opens with no comment that says what it does",
  ]);
  assert.deepEqual(said("const a = 1; // Knows nothing of b."), [
    "src/cli/a.ts:1: opens with no comment that says what it does",
  ]);
  assert.deepEqual(said("#!/usr/bin/env node\n// Does it.\n"), [
    "src/cli/a.ts:2: its opening does not say what it knows nothing of",
  ]);
  assert.deepEqual(said("// Does it.\n\n// Knows nothing of b.\n"), [
    "src/cli/a.ts:1: its opening does not say what it knows nothing of",
  ]);
  assert.deepEqual(said("// Does it, in\n// two lines. Knows nothing of b.\n"), []);
});

test("the linter refuses long files and functions, default exports, barrels, circles and printing", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dmake-tidy-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "src/core"), { recursive: true });
  copyFileSync(join(root, "biome.json"), join(folder, "biome.json"));
  const steps = (count: number) => "step();\n".repeat(count);
  const bad: Readonly<Record<string, readonly [rule: string, code: string]>> = {
    "long-file": ["noExcessiveLinesPerFile", `import { step } from "./step.js";\n${steps(300)}`],
    "long-function": ["noExcessiveLinesPerFunction", `export function long() {\n${steps(71)}}\n`],
    default: ["noDefaultExport", "export default 1;\n"],
    barrel: ["noBarrelFile", 'export { step } from "./step.js";\nexport { a } from "./circle-one.js";\n'],
    "circle-one": ["noImportCycles", 'import { b } from "./circle-two.js";\nexport const a = () => b;\n'],
    "circle-two": ["noImportCycles", 'import { a } from "./circle-one.js";\nexport const b = () => a;\n'],
    printing: ["noConsole", "console.log(1);\n"],
  };
  writeFileSync(join(folder, "src/core/step.ts"), "export const step = () => 1;\n");
  for (const [name, [, code]] of Object.entries(bad))
    writeFileSync(join(folder, `src/core/${name}.ts`), code);
  const biome = join(root, "node_modules/.bin/biome");
  const { stdout, stderr } = spawnSync(biome, ["lint", "--max-diagnostics=none"], {
    cwd: folder,
    encoding: "utf8",
  });
  const said = stdout + stderr;
  for (const [name, [rule]] of Object.entries(bad))
    assert.match(
      said,
      new RegExp(`src/core/${name}\\.ts.* lint/\\w+/${rule} `),
      `${rule} is not in\n${said}`,
    );
  assert.doesNotMatch(said, /src\/core\/step\.ts/);
});
