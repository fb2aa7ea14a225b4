// What was not touched when a build began may be another moment later: by its own recipes, by a list of it that failed, by a person. Told with the real binary.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { type Project, projectIn } from "../rig/binary.js";

/** Builds, lets everything rest for so long that stamps count, and builds again: all is noted as untouched. */
async function settled(t: TestContext, files: Readonly<Record<string, string>>): Promise<Project> {
  const project = projectIn(t, files);
  for (let i = 0; i < 2; i += 1) {
    const { code, stderr } = await project.run();
    assert.equal(code, 0, stderr);
    await setTimeout(2_200);
  }
  assert.match((await project.run()).stdout, /up to date/);
  return project;
}

test("a step whose record was dropped, and that failed, is made again, though what it left is as it was", async (t) => {
  const project = await settled(t, {
    i: "x\n",
    "Datafile.ts": `import { sh } from "dmake";
export const s = sh("o/s", { from: "i", inPlace: true }, ({ $, input, output }) => $\`test ! -e FAIL && cp \${input} \${output}\`);
export const other = sh("o/other", { from: "i" }, ({ $, input, output }) => $\`cp \${input} \${output}\`);
export const slow = sh("o/slow", { from: "i" }, ({ $, input, output }) => $\`if test -e FAIL; then sleep 2.5; fi; cp \${input} \${output}\`);
export default [s, other, slow];
`,
  });
  project.write("FAIL", "");
  assert.equal((await project.run("-B", "-k", "-j2")).code, 1);
  rmSync(project.path("FAIL"));
  assert.match((await project.run()).stdout, /^built 1, 2 up to date/m);
});

test("what was made for a list that failed is seen by what can be planned without it", async (t) => {
  const project = await settled(t, {
    ...{ "a.in": "one\n", "t.in": "one\n", "list.in": "x\n" },
    "Datafile.ts": `import { sh, valuesIn } from "dmake";
const copy = ({ $, inputs, output }) => $\`cat \${inputs} > \${output}\`;
export const a = sh("o/a", { from: "a.in" }, copy);
const list = sh("o/list", { from: ["o/a", "list.in"] }, ({ $, output }) => $\`test ! -e FAIL; cp list.in \${output}\`);
export const b = sh("o/b", { from: "o/a" }, copy);
export const t = sh("o/t", { from: ["o/b", "t.in"] }, copy);
export const p = sh("o/p_{x}", { where: { x: valuesIn(list) } }, ({ $, output }) => $\`touch \${output}\`);
export default [t, p];
`,
  });
  project.write("a.in", "two\n");
  project.write("t.in", "two\n");
  project.write("FAIL", "");
  assert.equal((await project.run("-k")).code, 1);
  assert.deepEqual([project.read("o/b"), project.read("o/t")], ["two\n", "two\ntwo\n"]);
});

test("what a person edits while a recipe runs is seen by what is judged after that", async (t) => {
  const project = await settled(t, {
    ...{ f: "f1\n", "m.in": "m\n", "r.in": "1\n" },
    "Datafile.ts": `import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { script, sh } from "dmake";
const copy = ({ $, inputs, output }) => $\`cat \${inputs} > \${output}\`;
export const m = sh("o/m", { from: "m.in" }, copy);
export const x = sh("o/x", { from: ["o/m", "f"] }, copy);
export const y = sh("o/y", { from: "f" }, copy);
export const r = script("o/r", { from: "r.in", version: "1" }, async ({ need, output }) => {
  writeFileSync("started", "yes");
  while (existsSync("wait")) await setTimeout(5);
  await need("o/x");
  copyFileSync("o/x", output);
});
export default [x, y, r];
`,
  });
  project.write("r.in", "2\n");
  project.write("wait", "");
  rmSync(project.path("started"));
  const running = project.start("o/y", "o/r");
  await project.written("started");
  project.write("f", "f2\n");
  rmSync(project.path("wait"));
  assert.equal((await running.ended).code, 0);
  assert.equal(project.read("o/r"), "m\nf2\n");
});
