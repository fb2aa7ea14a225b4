// Lists that cannot be made: what does not hang on them is built, or foreseen, all the same.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { type Project, plain, projectIn } from "../rig/binary.js";

/** `index.txt` cannot be made as long as there is no `good`; `report.txt` needs what it lists, and `base.txt`. */
const datafile = `import { sh, valuesIn } from "dmake";
export const index = sh("index.txt", {}, ({ $, output }) => $\`echo tried >> tries; test -e good; echo 2021-01 > \${output}\`);
export const base = sh("base.txt", {}, ({ $, output }) => $\`echo base > \${output}\`);
export const part = sh("out/{month}.txt", { where: { month: valuesIn(index) } }, ({ $, output }) => $\`touch \${output}\`);
export const report = sh("report.txt", { from: [base, part.all()] }, ({ $, inputs, output }) => $\`cat \${inputs} > \${output}\`);
export const alone = sh("alone.txt", {}, ({ $, output }) => $\`touch \${output}\`);
export default [part, report, alone];
`;

const project = (t: TestContext, text = datafile): Project => projectIn(t, { "Datafile.ts": text });

const lost = (place: string, list = "index.txt") =>
  `warning: the values of \`{month}\` are listed in \`${list}\`, which could not be made: what they lead to was not built\n  --> Datafile.ts:${place}\n`;

test("-k builds all that does not hang on the list, and says what it could not plan", async (t) => {
  const here = project(t);
  const { code, stdout, stderr } = await here.run("-k", "-j1");
  assert.equal(code, 1);
  // What `report.txt` needs besides, too.
  assert.deepEqual(plain(stdout), ["2/3  base.txt", "3/3  alone.txt", "built 2, 1 failed"]);
  assert.match(stderr, /^failed: index\.txt\n/);
  assert.ok(stderr.endsWith(lost("4:21")), stderr);
  assert.equal(here.read("tries"), "tried\n");

  const again = await here.run("-k");
  assert.deepEqual([again.code, plain(again.stdout)], [1, ["2 up to date, 1 failed"]]);
  const nothing = await here.run("-k", "part");
  assert.deepEqual([nothing.code, plain(nothing.stdout)], [1, ["1 failed"]]);
  assert.ok(nothing.stderr.endsWith(lost("4:21")), nothing.stderr);

  here.write("good", "");
  const good = await here.run("-k", "-j1");
  assert.deepEqual([good.code, good.stderr], [0, ""]);
  assert.deepEqual(plain(good.stdout).at(-1), "built 3, 2 up to date");
  assert.equal(existsSync(here.path("report.txt")), true);
});

test("without -k the first failure ends the build, as ever", async (t) => {
  const here = project(t);
  const { code, stdout, stderr } = await here.run();
  assert.deepEqual([code, plain(stdout)], [1, ["1 failed"]]);
  assert.doesNotMatch(stderr, /warning/);
  assert.equal(existsSync(here.path("alone.txt")), false);
});

test("-n foresees what does not hang on a list that is not there", async (t) => {
  const here = project(t);
  const { code, stdout, stderr } = await here.run("-n");
  assert.equal(code, 0);
  assert.deepEqual(plain(stdout), [
    "would run  index.txt  no record of it",
    "would run  base.txt   no record of it",
    "would run  alone.txt  no record of it",
    "3 would run, 0 may run",
  ]);
  assert.match(stderr, /^warning: [^\n]*which is not there yet: what they lead to is not known\n$/);
  assert.equal(existsSync(here.path(".dmake")), false);
});

test("a list that hangs on a list that cannot be made is not read as it was the day before", async (t) => {
  const here = project(
    t,
    `import { sh, valuesIn } from "dmake";
const year = valuesIn(sh("years.txt", {}, ({ $, output }) => $\`test -e good; echo 2021 > \${output}\`));
const each = sh("years/{year}.txt", { where: { year } }, ({ $, output }) => $\`echo 2021-01 > \${output}\`);
const months = sh("months.txt", { from: each.all() }, ({ $, inputs, output }) => $\`cat \${inputs} > \${output}\`);
export const part = sh("out/{month}.txt", { where: { month: valuesIn(months) } }, ({ $, output }) => $\`touch \${output}\`);
export const alone = sh("alone.txt", {}, ({ $, output }) => $\`touch \${output}\`);
export default [part, alone];
`,
  );
  here.write("months.txt", "1999-01\n");
  const { code, stdout, stderr } = await here.run("-k", "-j1");
  assert.deepEqual([code, plain(stdout)], [1, ["2/2  alone.txt", "built 1, 1 failed"]]);
  assert.equal(existsSync(here.path("out")), false);
  assert.ok(stderr.includes(lost("5:21", "months.txt")), stderr);
});

test("an interrupt while a list is made ends everything, with -k too", async (t) => {
  const here = project(t, datafile.replace("echo tried >> tries", "echo yes > started; sleep 60"));
  const running = here.start("-k");
  await here.written("started");
  running.child.kill("SIGINT");
  const { code, stdout } = await running.ended;
  assert.deepEqual([code, plain(stdout)], [130, ["interrupted: 1 not finished"]]);
  assert.equal(existsSync(here.path("alone.txt")), false);
});
