// What the words of a command line name, and what is no target: told with the real program.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { createProject, type Project } from "../rig/binary.js";

function project(t: TestContext, files: Record<string, string>): Project {
  const made = createProject(files);
  t.after(() => made.remove());
  return made;
}

const datafile = (text: string) => ({
  "Datafile.ts": `import { download, parquet, sh, table } from "dmake";\n${text}\n`,
});
const touch = "({ $, output }) => $`touch ${output}`";

async function refused(here: Project, words: readonly string[], message: RegExp): Promise<void> {
  const { code, stdout, stderr } = await here.run(...words);
  assert.match(stderr, message);
  assert.deepEqual([code, stdout], [2, ""]);
}

test("a table that only its partitions' rule makes stands for them; any other table is refused", async (t) => {
  const files = datafile('table("table:t/{m}", { from: "{m}.csv", where: { m: ["1", "2"] } });');
  const here = project(t, { ...files, "1.csv": "a\n1\n", "2.csv": "a\n2\n" });
  const { code, stdout } = await here.run("-n", "table:t");
  assert.equal(code, 0);
  assert.match(stdout, /table:t\/1\b[\s\S]*table:t\/2\b/);
  await refused(here, ["-n", "table:u"], /^error: nothing makes `table:u`/);
});

test("a name that dmake does not have is not something to install", async (t) => {
  const here = project(t, { "Datafile.ts": 'import { shh } from "dmake";\nshh("a");\n' });
  await refused(
    here,
    [],
    /^error: `dmake` has no `shh`\n {2}--> Datafile\.ts:1:10\nhelp: did you mean `sh`\?\n$/,
  );
  here.write("Datafile.ts", 'import { sh } from "dmake/rules";\nsh("a");\n');
  const { stderr } = await here.run();
  assert.doesNotMatch(stderr, /npm install/);
});

test("a default export without an end hinders a bare run only", async (t) => {
  const here = project(t, datafile(`export const n = sh("n_{i}", {}, ${touch});\nexport default [n];`));
  assert.equal((await here.run("n_5")).code, 0);
  await refused(here, [], /^error: `n` has no end/);
});

test("an absolute path of the project is the file that it is", async (t) => {
  const here = project(t, datafile(`sh("out/a", {}, ${touch});`));
  assert.equal((await here.run(here.path("out/a"))).code, 0);
  assert.equal(here.read("out/a"), "");
  await refused(here, ["/etc/passwd"], /is outside the project/);
});

test("a folder and a glob are no targets, and no inputs", async (t) => {
  const here = project(t, {
    ...datafile(`sh("a", { from: "in/*.txt" }, ${touch});\nsh("b", { from: "in" }, ${touch});`),
    "in/1.txt": "",
  });
  mkdirSync(here.path("data/raw"), { recursive: true });
  await refused(here, ["data/raw"], /^error: `data\/raw` is a folder, and targets are files and tables\n/);
  await refused(here, ["data/*.txt"], /^error: globs over targets are not supported yet/);
  await refused(here, ["a"], /^error: globs as inputs are not supported yet.*\n {2}--> Datafile\.ts:2:1\n/);
  await refused(here, ["b"], /^error: its input `in` is a folder.*\n {2}--> Datafile\.ts:3:1\n/);
  here.write("in/*.txt", "a file whose name has a star");
  assert.equal((await here.run("a")).code, 0);
});

test("what the Datafile threw reads well with backticks of its own", async (t) => {
  const here = project(
    t,
    datafile('sh("a", {}, ({ $ }) => $`echo ${undefined as never}`);\nexport default ["a"];'),
  );
  const { stdout, stderr } = await here.run();
  assert.match(stdout + stderr, /error: the Datafile threw: `undefined` stands in a command/);
});

test("another spelling of a local file is no reason to copy it again", async (t) => {
  const download = (url: string) => datafile(`export default [download("b.csv", { url: "${url}" })];`);
  const here = project(t, { ...download("file:data/a.csv"), "data/a.csv": "a\n1\n" });
  assert.equal((await here.run()).code, 0);
  for (const url of ["file:./data/a.csv", `file://${here.path("data/a.csv")}`]) {
    here.write("Datafile.ts", download(url)["Datafile.ts"]);
    assert.equal((await here.run("-q")).code, 0, url);
  }
});

test("a goal of millions is refused at once", async (t) => {
  const many = "Array.from({ length: 3000 }, (_, i) => String(i))";
  const where = `{ a: ${many}, b: ${many} }`;
  const here = project(t, datafile(`export const big = sh("{a}/{b}", { where: ${where} }, ${touch});`));
  await refused(here, ["big"], /^error: `big` stands for 9000000 targets/);
  await refused(here, ["bigg"], /^error: nothing makes `bigg`.*\nhelp: did you mean `big`\?\n$/);
});
