// What others install: the packed tool in an empty prefix, on a machine that has nothing else of this repository.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "dmake-package-"));
const prefix = join(folder, "prefix");
const installed = join(prefix, "lib/node_modules/dmake");
const dmake = join(prefix, "bin/dmake");

let packed: readonly string[] = [];

before(() => {
  assert.ok(
    existsSync(join(root, "dist/cli/main.js")),
    "there is no dist/: run `npm run build`, as `npm test` does",
  );
  // Without scripts: `prepare` would build into the dist/ that other tests run at this moment.
  const report = npm(["pack", "--json", "--ignore-scripts", "--pack-destination", folder], root);
  const [{ filename, files }] = JSON.parse(report) as [{ filename: string; files: { path: string }[] }];
  packed = files.map(({ path }) => path);
  const quiet = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
  npm(["install", "--global", "--prefix", prefix, ...quiet, join(folder, filename)], folder);
});

after(() => rmSync(folder, { recursive: true, force: true }));

function npm(args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd, encoding: "utf8" });
  assert.equal(status, 0, `npm ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}

/** A folder with these files and nothing else. */
function project(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(folder, "project-"));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return directory;
}

test("the tarball holds what runs and what is read, and nothing else", () => {
  const known = /^(dist\/.+\.(js|d\.ts|sql)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/;
  assert.deepEqual(
    packed.filter((path) => !known.test(path)),
    [],
  );
  for (const path of [
    "dist/index.js",
    "dist/index.d.ts",
    "dist/cli/main.js",
    "dist/stores/schema.sql",
    "README.md",
    "LICENSE",
  ])
    assert.ok(packed.includes(path), `${path} is not in the tarball`);
});

test("the program is executable and says what runs it", () => {
  const main = join(installed, "dist/cli/main.js");
  assert.equal(readFileSync(main, "utf8").split("\n")[0], "#!/usr/bin/env node");
  accessSync(main, constants.X_OK);
  accessSync(dmake, constants.X_OK);
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  assert.equal(spawnSync(dmake, ["--version"], { encoding: "utf8" }).stdout, `${version}\n`);
});

const greeting = `import { sh } from "dmake";
export const greeting = sh("greeting.txt", {}, ({ $, output }) => $\`printf hello > \${output}\`);
export default [greeting];
`;

test("in a folder that holds only a Datafile, the installed dmake builds it, and the second time nothing", () => {
  const directory = project({ "Datafile.ts": greeting });
  const env = { PATH: process.env.PATH, HOME: folder };
  const run = (...words: string[]) => spawnSync(dmake, words, { cwd: directory, env, encoding: "utf8" });
  const first = run();
  assert.equal(first.status, 0, first.stdout + first.stderr);
  assert.equal(readFileSync(join(directory, "greeting.txt"), "utf8"), "hello");
  assert.equal(run("-q").status, 0);
});

/** What the compiler says of a Datafile whose project has installed dmake. */
function compile(datafile: string): { readonly status: number | null; readonly stdout: string } {
  const directory = project({ "Datafile.ts": datafile, "package.json": '{ "type": "module" }' });
  mkdirSync(join(directory, "node_modules"));
  symlinkSync(installed, join(directory, "node_modules/dmake"));
  const strict = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023", "--types", ""];
  return spawnSync(join(root, "node_modules/.bin/tsc"), [...strict, "Datafile.ts"], {
    cwd: directory,
    encoding: "utf8",
  });
}

const monthly = `import { download, months, parquet } from "dmake";
const raw = download("raw/{color}_{month}.csv", { where: { month: months("2021-01", "2021-06") }, url: ({ color, month }) => \`file:\${color}/\${month}.csv\` });
export const trips = parquet("{color}_{month}.parquet", { from: raw });
`;

test("the types come with it, and need no others", () => {
  const { status, stdout } = compile(monthly + greeting);
  assert.equal(stdout, "");
  assert.equal(status, 0);
});

test("a wildcard that the target does not bind is a compile error", () => {
  const { status, stdout } = compile(monthly.replace("{color}_{month}.parquet", "{month}.parquet"));
  assert.match(stdout, /^Datafile\.ts[(:]3\b.*error.*TS\d+/m);
  assert.notEqual(status, 0);
  assert.match(
    compile(monthly.replace("({ color, month })", "({ colour, month })")).stdout,
    /^Datafile\.ts[(:]2\b/m,
  );
});
