// The README tells the truth: its commands run, its Datafile loads, its code map and its exit codes are complete.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { demoProject, repository } from "./rig/binary.js";

const readme = readFileSync(join(repository, "README.md"), "utf8");

/** The contents of all fenced blocks of one language. */
const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map((found) => found[1] ?? "");

/** A command line as a shell would split it; the README uses quotes, but nothing else of the shell. */
const wordsOf = (line: string): string[] =>
  [...line.replace(/\s+#.*$/, "").matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? "",
  );

const commands = blocks("sh")
  .flatMap((block) => block.trimEnd().split("\n"))
  .map(wordsOf);

test("every dmake command of the README runs, in the order in which it stands there", async (t) => {
  const project = demoProject();
  t.after(() => project.remove());
  const ran = commands.filter(([program, name]) => program === "npx" && name === "dmake");
  assert.ok(ran.length >= 10, "the README shows how to use it");
  for (const [, , ...args] of ran) {
    const { code, stdout, stderr } = await project.run(...args);
    assert.equal(code, 0, `dmake ${args.join(" ")}\n${stdout}${stderr}`);
  }
});

test("all other commands of the README are the two that the continuous integration runs", () => {
  const others = commands
    .filter(([program, name]) => program !== "npx" || name !== "dmake")
    .map((words) => words.join(" "));
  assert.deepEqual(others, ["npm ci && npx dmake", "npm ci && npm test"]);
  const run = readFileSync(join(repository, ".ci/run"), "utf8");
  for (const line of ["npm ci", "npx dmake", "npm test"]) assert.ok(run.includes(line), line);
});

test("the Datafile of the README makes what the demo makes", async (t) => {
  const project = demoProject();
  t.after(() => project.remove());
  const [datafile = ""] = blocks("ts");
  const demo = await project.run("-n", "loaded");
  project.write("Datafile.ts", datafile);
  const shown = await project.run("-n", "loaded");
  assert.equal(shown.code, 0, shown.stderr);
  const steps = (text: string) => text.split("\n").map((line) => line.split(/\s{2,}/).slice(0, 2));
  assert.deepEqual(steps(shown.stdout).slice(0, -2), steps(demo.stdout).slice(0, -2));
});

test("the other Datafiles of the README are what the compiler takes, and what dmake loads", async (t) => {
  const project = demoProject();
  t.after(() => project.remove());
  const [, ...others] = blocks("ts");
  assert.ok(others.length > 0);
  const head = `import { download, months, sql, table } from "dmake";
    const raw = download("raw/{month}.csv", { where: { month: months("2023-01", "now") }, url: "file:{month}.csv" });`;
  project.write("Datafile.ts", [head, ...others].join("\n"));
  project.write("sql/top.sql", "select * from :input limit :limit");
  const { code, stdout, stderr } = await project.run("status", "top");
  assert.equal(code, 0, stdout + stderr);
  const options = { module: "nodenext", strict: true, noEmit: true, skipLibCheck: true, types: [] };
  mkdirSync(project.path("node_modules"));
  symlinkSync(repository, project.path("node_modules/dmake"));
  project.write("tsconfig.json", JSON.stringify({ compilerOptions: options, files: ["Datafile.ts"] }));
  const tsc = join(repository, "node_modules/.bin/tsc");
  const said = spawnSync(tsc, ["-p", project.path("tsconfig.json")], { encoding: "utf8" });
  assert.equal(said.stdout, "");
  assert.equal(said.status, 0);
});

test("the code map names every file of src", () => {
  const map = readFileSync(join(repository, "src/README.md"), "utf8");
  const files = readdirSync(join(repository, "src"), { recursive: true, encoding: "utf8" });
  const missing = files.filter((path) => /\.(ts|sql)$/.test(path) && !map.includes(`\`${basename(path)}\``));
  assert.deepEqual(missing, []);
});
