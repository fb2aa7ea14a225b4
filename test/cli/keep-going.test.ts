// What `-k` builds after failures, and what the end says of the rest.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Project, plain, projectIn } from "../rig/binary.js";

const project = (t: TestContext, text: string): Project => projectIn(t, { "Datafile.ts": text });

/** `raw/a` and `raw/c` cannot be made; a chain of three hangs on each of four. */
const chains = `import { sh } from "dmake";
const name = ["a", "b", "c", "d"];
const raw = sh("raw/{name}", { where: { name } }, ({ $, output, params }) =>
  $\`test \${params.name} = b -o \${params.name} = d; echo hi > \${output}\`);
const mid = sh("mid/{name}", { from: raw }, ({ $, input, output }) => $\`cp \${input} \${output}\`);
const end = sh("end/{name}", { from: mid }, ({ $, input, output }) => $\`cp \${input} \${output}\`);
export const all = sh("all", { from: end.all() }, ({ $, inputs, output }) => $\`cat \${inputs} > \${output}\`);
export default [all];
`;

test("everything that hangs on no failure is built; what does is named with the failure far up", async (t) => {
  const here = project(t, chains);
  const { code, stdout, stderr } = await here.run("-k", "-j1");
  assert.equal(code, 1);
  assert.equal(plain(stdout).at(-1), "built 6, 2 failed, 5 not built because of that");
  assert.deepEqual(stderr.trimEnd().split("\n").slice(-2), [
    "not built because of raw/a: mid/a, end/a, all",
    "not built because of raw/c: mid/c, end/c",
  ]);
  const events = (await here.run("-k", "-j1", "--json")).stdout.trimEnd().split("\n");
  assert.deepEqual(
    events
      .map((line) => JSON.parse(line))
      .filter(({ event }) => event === "blocked")
      .map(({ step, by }) => `${step} ${by}`)
      .sort(),
    ["all raw/a", "end/a raw/a", "end/c raw/c", "mid/a raw/a", "mid/c raw/c"],
  );
});

test("without -k what was not started is named", async (t) => {
  const here = project(t, chains);
  const { code, stdout, stderr } = await here.run("-j1");
  assert.equal(code, 1);
  assert.equal(plain(stdout).at(-1), "1 failed, 3 not built because of that, 9 not finished");
  assert.deepEqual(stderr.trimEnd().split("\n").slice(-2), [
    "not built because of raw/a: mid/a, end/a, all",
    "not started: raw/b, mid/b, end/b, raw/c, mid/c and 4 more",
  ]);
});

test("a function that goes on without what it needs ends two builds in the same words", async (t) => {
  const here = project(
    t,
    `import { writeFile } from "node:fs/promises";
import { script, sh } from "dmake";
sh("wanting", {}, ({ $ }) => $\`exit 3\`);
export default [script("out", {}, async ({ output, need }) => {
  const found = await need("wanting").then(() => "with", () => "without");
  await writeFile(output, found);
})];
`,
  );
  for (const run of ["first", "second", "third"]) {
    const { code, stdout } = await here.run("-k");
    assert.deepEqual([run, code, plain(stdout).at(-1)], [run, 1, "built 1, 1 failed"]);
    assert.equal(here.read("out"), "without");
  }
});
