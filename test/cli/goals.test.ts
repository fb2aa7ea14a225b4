// What the words of a command line name, and what is no target: told with the real program.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Project, projectIn } from "../rig/binary.js";

const datafile = (text: string) => ({
  "Datafile.ts": `import { download, glob, parquet, sh, table } from "dmake";\n${text}\n`,
});
const touch = "({ $, output }) => $`touch ${output}`";

async function refused(here: Project, words: readonly string[], message: RegExp): Promise<void> {
  const { code, stdout, stderr } = await here.run(...words);
  assert.match(stderr, message);
  assert.deepEqual([code, stdout], [2, ""]);
}

test("a table that only its partitions' rule makes stands for them; any other table is refused", async (t) => {
  const files = datafile('table("table:t/{m}", { from: "{m}.csv", where: { m: ["1", "2"] } });');
  const here = projectIn(t, { ...files, "1.csv": "a\n1\n", "2.csv": "a\n2\n" });
  const { code, stdout } = await here.run("-n", "table:t");
  assert.equal(code, 0);
  assert.match(stdout, /table:t\/1\b[\s\S]*table:t\/2\b/);
  await refused(here, ["-n", "table:u"], /^error: nothing makes `table:u`/);
});

test("a name that dmake does not have is not something to install", async (t) => {
  const here = projectIn(t, { "Datafile.ts": 'import { shh } from "dmake";\nshh("a");\n' });
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
  const here = projectIn(t, datafile(`export const n = sh("n_{i}", {}, ${touch});\nexport default [n];`));
  assert.equal((await here.run("n_5")).code, 0);
  await refused(here, [], /^error: `n` has no end/);
});

test("an absolute path of the project is the file that it is", async (t) => {
  const here = projectIn(t, datafile(`sh("out/a", {}, ${touch});`));
  assert.equal((await here.run(here.path("out/a"))).code, 0);
  assert.equal(here.read("out/a"), "");
  await refused(here, ["/etc/passwd"], /is outside the project/);
});

test("a glob on the command line names targets that can be listed", async (t) => {
  const where = '{ n: ["a", "b"], k: ["x", "y"] }';
  const here = projectIn(t, datafile(`sh("out/{n}.{k}", { where: ${where} }, ${touch});`));
  const { code, stdout } = await here.run("-n", "out/*.y");
  assert.equal(code, 0);
  assert.match(stdout, /^would run {2}out\/a\.y .*\nwould run {2}out\/b\.y .*\n2 would run/);
  here.write("out/c.y", "no rule makes it");
  const asked = await here.run("why", "out/*.y");
  assert.deepEqual(asked.stdout.match(/^\S.*/gm), ["stale: out/a.y", "stale: out/b.y"], asked.stderr);
  await refused(here, ["-n", "out/*.z"], /^error: no target that can be listed fits `out\/\*\.z`\n/);
});

test("a star in an input is a name, and `glob` is many: of none there is nothing to make", async (t) => {
  const rules = [
    `sh("a", { from: "in/*.txt" }, ${touch});`,
    `sh("b", { from: glob("in/*.csv") }, ${touch});`,
    'sh("c", { from: glob("in/*.txt") }, ({ $, inputs, output }) => $`cat ${inputs} > ${output}`);',
  ];
  const here = projectIn(t, { ...datafile(rules.join("\n")), "in/1.txt": "one\n" });
  await refused(
    here,
    ["a"],
    /^error: there is no file `in\/\*\.txt`: .*\n {2}--> Datafile\.ts:2:1\nhelp: glob\("in\/\*\.txt"\)\n$/,
  );
  await refused(
    here,
    ["b"],
    /^error: `b` needs `in\/\*\.csv`, which no file and no target fits\n {2}--> Datafile\.ts:3:1\nhelp: .*`optional\(…\)`\n$/,
  );
  assert.equal((await here.run("c")).code, 0);
  here.write("in/0.txt", "zero\n");
  assert.match((await here.run("why", "c")).stdout, /^stale: c\n[\s\S]*^ {2}input +in\/0\.txt +is new$/m);
  assert.equal((await here.run("c")).code, 0);
  assert.equal(here.read("c"), "zero\none\n");
  here.write("in/*.txt", "a file whose name has a star");
  assert.equal((await here.run("a")).code, 0);
});

test("a folder is an input as a whole, and no target of its own", async (t) => {
  const here = projectIn(t, {
    ...datafile('sh("a", { from: "in/" }, ({ $, input, output }) => $`ls ${input} > ${output}`);'),
    "in/1.txt": "one\n",
  });
  assert.equal((await here.run("a")).code, 0);
  here.write("in/sub/2.txt", "two\n");
  assert.match((await here.run("why", "a")).stdout, /^ {2}input +in +[0-9a-f]{8}… → [0-9a-f]{8}…$/m);
  assert.equal((await here.run("a")).code, 0);
  assert.equal(here.read("a"), "1.txt\nsub\n");
  assert.equal((await here.run("-q", "a")).code, 0);
  assert.match((await here.run("in/")).stdout, /^nothing to do /);
  assert.match((await here.run("why", "in/")).stdout, /^source: in\n {2}no rule makes it\n/);
});

test("what the Datafile threw reads well with backticks of its own", async (t) => {
  const here = projectIn(
    t,
    datafile('sh("a", {}, ({ $ }) => $`echo ${undefined as never}`);\nexport default ["a"];'),
  );
  const { stdout, stderr } = await here.run();
  assert.match(stdout + stderr, /error: the Datafile threw: `undefined` stands in a command/);
});

test("another spelling of a local file is no reason to copy it again", async (t) => {
  const download = (url: string) => datafile(`export default [download("b.csv", { url: "${url}" })];`);
  const here = projectIn(t, { ...download("file:data/a.csv"), "data/a.csv": "a\n1\n" });
  assert.equal((await here.run()).code, 0);
  for (const url of ["file:./data/a.csv", `file://${here.path("data/a.csv")}`]) {
    here.write("Datafile.ts", download(url)["Datafile.ts"]);
    assert.equal((await here.run("-q")).code, 0, url);
  }
});

test("a goal of millions is refused at once", async (t) => {
  const many = "Array.from({ length: 3000 }, (_, i) => String(i))";
  const where = `{ a: ${many}, b: ${many} }`;
  const here = projectIn(t, datafile(`export const big = sh("{a}/{b}", { where: ${where} }, ${touch});`));
  await refused(here, ["big"], /^error: `big` stands for 9000000 targets/);
  await refused(here, ["bigg"], /^error: nothing makes `bigg`.*\nhelp: did you mean `big`\?\n$/);
});
