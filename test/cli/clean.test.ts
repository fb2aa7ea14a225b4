// `dmake clean --orphans`: what dmake made and no rule makes any more. Told with the real program.
import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { type Project, projectIn } from "../rig/binary.js";

const datafile = (names: readonly string[]) => `import { sh } from "dmake";
export default [sh("out/{name}.txt", { where: { name: ${JSON.stringify(names)} } },
  ({ $, output, params }) => $\`echo \${params.name} > \${output}\`)];
`;

function project(t: TestContext, text: string, files: Record<string, string> = {}): Project {
  return projectIn(t, { "Datafile.ts": text, ...files });
}

const lines = (text: string): string[] => text.trimEnd().split("\n");

test("orphans are listed and stay; with --yes those go that nobody has changed", async (t) => {
  const here = project(t, datafile(["a", "b", "c", "d"]));
  await here.run();
  here.write("Datafile.ts", datafile(["a"]));
  here.write("out/b.txt", "by hand\n");
  here.write("out/mine.txt", "never made by dmake\n");
  const list = await here.run("clean", "--orphans");
  assert.deepEqual([list.code, list.stderr], [0, ""]);
  assert.deepEqual(lines(list.stdout), [
    "orphan   out/b.txt  edited      8 B",
    "orphan   out/c.txt  unmodified  2 B",
    "orphan   out/d.txt  unmodified  2 B",
    "3 orphans (12 B); `dmake clean --orphans --yes` removes 2 as dmake made them",
  ]);
  assert.deepEqual(readdirSync(here.path("out")).length, 5);
  const removed = await here.run("clean", "--orphans", "--yes");
  assert.deepEqual(lines(removed.stdout), [
    "kept     out/b.txt  edited      8 B",
    "removed  out/c.txt  unmodified  2 B",
    "removed  out/d.txt  unmodified  2 B",
    "removed 2 (4 B), kept 1 that somebody has changed",
  ]);
  assert.deepEqual(readdirSync(here.path("out")).sort(), ["a.txt", "b.txt", "mine.txt"]);
  assert.equal((await here.run("-q")).code, 0);
});

test("where a rule makes everything there is nothing to remove", async (t) => {
  const here = project(t, datafile(["a"]));
  await here.run();
  const { code, stdout } = await here.run("clean", "--orphans", "--yes");
  assert.deepEqual([code, stdout], [0, "no orphans: a rule makes everything that dmake has made\n"]);
  assert.equal(here.read("out/a.txt"), "a\n");
});

test("--json gives one object an orphan", async (t) => {
  const here = project(t, datafile(["a", "b"]));
  await here.run();
  here.write("Datafile.ts", datafile(["a"]));
  const { stdout } = await here.run("clean", "--orphans", "--json");
  assert.deepEqual(
    lines(stdout).map((line) => JSON.parse(line)),
    [{ name: "out/b.txt", state: "unmodified", bytes: 2, removed: false }],
  );
});

test("targets whose list is not there are no orphans", async (t) => {
  const listed = `import { sh, valuesIn } from "dmake";
const name = valuesIn("list.txt");
export default [sh("out/{name}.txt", { where: { name } }, ({ $, output, params }) => $\`echo \${params.name} > \${output}\`)];
`;
  const here = project(t, listed, { "list.txt": "a\nb\n" });
  assert.equal((await here.run()).code, 0);
  here.write("list.txt", "a\n");
  assert.match((await here.run("clean", "--orphans")).stdout, /^orphan {3}out\/b\.txt /);
  rmSync(here.path("list.txt"));
  assert.match((await here.run("clean", "--orphans", "--yes")).stdout, /^no orphans/);
  assert.equal(existsSync(here.path("out/b.txt")), true);
});

test("what lies in a directory that a rule makes now is no orphan", async (t) => {
  const rule = (target: string, command: string) =>
    `import { sh } from "dmake";\nexport default [sh("${target}", {}, ({ $, output }) => $\`${command}\`)];\n`;
  const here = project(t, rule("parts/a.csv", "echo a > ${output}"));
  assert.equal((await here.run()).code, 0);
  here.write("Datafile.ts", rule("parts/", "echo a > ${output}/a.csv"));
  assert.equal((await here.run()).code, 0);
  assert.match((await here.run("clean", "--orphans", "--yes")).stdout, /^no orphans/);
  assert.equal((await here.run("-q")).code, 0);
});

test("it removes nothing by itself, and takes no targets", async (t) => {
  const here = project(t, datafile(["a"]));
  const expected: [string[], RegExp][] = [
    [["clean"], /^error: `dmake clean` removes nothing by itself\nhelp: `dmake clean --orphans`\n$/],
    [["clean", "--yes"], /^error: `dmake clean` removes nothing by itself\n/],
    [["clean", "--orphans", "out/a.txt"], /^error: `dmake clean` does not take `out\/a\.txt`\n/],
  ];
  for (const [words, message] of expected) {
    const { code, stdout, stderr } = await here.run(...words);
    assert.match(stderr, message);
    assert.deepEqual([code, stdout], [2, ""]);
  }
});

test("what nobody makes any more and a rule still reads has become a source, and is no orphan", async (t) => {
  const rule = (target: string, from: string) =>
    `sh("${target}", { from: ${from} }, ({ $, inputs, output }) => $\`cat \${inputs} > \${output}\`)`;
  const text = (...rules: string[]) =>
    `import { glob, sh } from "dmake";\nexport default [${rules.join(",\n")}];\n`;
  const rest = [rule("c.txt", '"b.txt"'), rule("all.txt", 'glob("in/*.txt")')];
  const made = [rule("b.txt", '"a.txt"'), rule("in/d.txt", '"a.txt"'), rule("gone.txt", '"a.txt"')];
  const here = project(t, text(...made, ...rest), { "a.txt": "a\n" });
  await here.run();
  here.write("Datafile.ts", text(...rest));
  const { stdout } = await here.run("clean", "--orphans", "--yes");
  assert.deepEqual(lines(stdout)[0]?.split(/\s+/).slice(0, 2), ["removed", "gone.txt"]);
  assert.deepEqual([existsSync(here.path("b.txt")), existsSync(here.path("in/d.txt"))], [true, true]);
  assert.equal((await here.run("-q")).code, 0);
});
