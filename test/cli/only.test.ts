// `--only` and `--newest-first`: which of the names are built, and in what order. Told with the real program.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { type Project, plain, projectIn } from "../rig/binary.js";

const chain = `import { sh } from "dmake";
const month = ["2019-11", "2019-12", "2020-01", "2020-02"];
export const raw = sh("raw/{month}.txt", { where: { month }, from: "in/{month}.txt" },
  ({ $, input, output }) => $\`if grep -q broken \${input}; then exit 3; fi; cp \${input} \${output}\`);
export const up = sh("up/{month}.txt", { from: raw }, ({ $, input, output }) => $\`tr a-z A-Z < \${input} > \${output}\`);
export const all = sh("all.txt", { from: up.all() }, ({ $, inputs, output }) => $\`cat \${inputs} > \${output}\`);
export default [up];
`;

function project(t: TestContext): Project {
  const months = ["2019-11", "2019-12", "2020-01", "2020-02"].map((month) => [
    `in/${month}.txt`,
    `${month}\n`,
  ]);
  return projectIn(t, { "Datafile.ts": chain, ...Object.fromEntries(months) });
}

/** The steps that were built, or would be, in order. */
const steps = (stdout: string): string[] =>
  plain(stdout).flatMap((line) => /^(?:\d+\/\d+|would run|may run) +(\S+)/.exec(line)?.[1] ?? []);

/** One that is broken, one stale, one missing, one fresh. */
async function mixed(t: TestContext): Promise<Project> {
  const here = project(t);
  assert.equal((await here.run()).code, 0);
  here.write("in/2019-12.txt", "broken\n");
  assert.equal((await here.run("-k")).code, 1);
  here.write("in/2020-01.txt", "changed\n");
  rmSync(here.path("up/2020-02.txt"));
  return here;
}

test("`--only missing` builds what is not there, with what it needs, and nothing else", async (t) => {
  const here = await mixed(t);
  rmSync(here.path("raw/2020-02.txt"));
  assert.deepEqual(steps((await here.run("-n", "--only", "missing")).stdout), [
    "raw/2020-02.txt",
    "up/2020-02.txt",
  ]);
  const { code, stdout } = await here.run("-j1", "--only", "missing");
  assert.deepEqual([code, steps(stdout)], [0, ["raw/2020-02.txt", "up/2020-02.txt"]]);
  assert.deepEqual(plain((await here.run("--only", "missing")).stdout), ["nothing to do"]);
});

test("`--only failed` tries again what failed, and what was not built because of that", async (t) => {
  const here = await mixed(t);
  here.write("in/2019-12.txt", "mended\n");
  const { code, stdout } = await here.run("-j1", "--only", "failed");
  assert.deepEqual([code, steps(stdout)], [0, ["raw/2019-12.txt", "up/2019-12.txt"]]);
  assert.equal(here.read("up/2019-12.txt"), "MENDED\n");
  assert.deepEqual(steps((await here.run("-n", "--only", "failed")).stdout), []);
});

test("`--only stale` is what is there and not as it should be; states can be listed", async (t) => {
  const here = await mixed(t);
  here.write("in/2019-12.txt", "2019-12\n");
  assert.deepEqual(steps((await here.run("-n", "--only", "stale")).stdout), [
    "raw/2020-01.txt",
    "up/2020-01.txt",
  ]);
  const both = steps((await here.run("-n", "--only", "stale, missing")).stdout);
  assert.deepEqual(both, ["raw/2020-01.txt", "up/2020-01.txt", "up/2020-02.txt"]);
  assert.equal((await here.run("-q", "--only", "failed")).code, 0);
  assert.equal((await here.run("-q", "--only", "stale")).code, 3);
  // Of names that were given, too.
  assert.deepEqual(steps((await here.run("-n", "--only", "stale", "up/{2019-11..2019-12}.txt")).stdout), []);
});

test("a broken month that is left out keeps nobody from building the others", async (t) => {
  const here = await mixed(t);
  rmSync(here.path("in/2019-11.txt"));
  assert.equal((await here.run("--only", "missing")).code, 0);
  const all = await here.run("-k");
  assert.equal(all.code, 1, "and with -k it keeps nobody either");
  assert.match(all.stderr, /in\/2019-11\.txt/);
  assert.equal((await here.run("-q", "up/2020-02.txt")).code, 0);
});

test("a state that `--only` does not know is refused", async (t) => {
  for (const given of ["fresh", "missing,old", ","]) {
    const { code, stderr } = await project(t).run("--only", given);
    assert.equal(code, 2, given);
    assert.match(stderr, /^error: `--only` takes missing, failed and stale, several with commas\n/);
  }
});

test("`--newest-first` makes the newest month with all it needs before the one before it", async (t) => {
  const here = project(t);
  const { code, stdout } = await here.run("-j1", "--newest-first", "all", "up");
  assert.equal(code, 0);
  assert.deepEqual(steps(stdout), [
    ...["2020-02", "2020-01", "2019-12", "2019-11"].flatMap((month) => [
      `raw/${month}.txt`,
      `up/${month}.txt`,
    ]),
    "all.txt",
  ]);
});

test("a range that runs downwards is that order, and numbers are no texts", async (t) => {
  const here = project(t);
  const { stdout } = await here.run("-j1", "up/{2020-02..2019-11}.txt");
  assert.deepEqual(
    steps(stdout),
    ["2020-02", "2020-01", "2019-12", "2019-11"].flatMap((month) => [`raw/${month}.txt`, `up/${month}.txt`]),
  );
  const numbers = projectIn(t, {
    "Datafile.ts": `import { sh } from "dmake";
export default [sh("{name}_{n}", { where: { name: ["a", "b"], n: ["1", "2", "9", "10", "11"] } }, ({ $, output }) => $\`touch \${output}\`)];
`,
  });
  assert.deepEqual(steps((await numbers.run("-n", "--newest-first")).stdout), [
    "a_11",
    "b_11",
    "a_10",
    "b_10",
    "a_9",
    "b_9",
    "a_2",
    "b_2",
    "a_1",
    "b_1",
  ]);
});
