// What a person is warned of while the work goes on: told with the real program.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Project, projectIn } from "../rig/binary.js";

function project(t: TestContext, files: Record<string, string>): Project {
  return projectIn(t, files);
}

const saving = {
  "Datafile.ts": `import { sh } from "dmake";
export default [sh("out.txt", { from: "in.txt" }, ({ $, input, output }) => $\`cp \${input} \${output}\`)];
`,
  "in.txt": "one\n",
};

test("work that somebody did on an output is kept, and where it is kept is said", async (t) => {
  const here = project(t, saving);
  await here.run();
  here.write("out.txt", "by hand\n");
  assert.equal((await here.run("-q")).stderr, "");
  const { code, stdout, stderr } = await here.run();
  const [, path = ""] =
    /^warning: `out\.txt` was changed by somebody else; it was made anew, and what it held is kept at `(.*)`\nhelp: /.exec(
      stderr,
    ) ?? [];
  assert.deepEqual([code, here.read(path), here.read("out.txt")], [0, "by hand\n", "one\n"], stderr);
  assert.match(stdout, /^1\/1 {2}out\.txt .*\nbuilt 1 /);

  here.write("out.txt", "by hand again\n");
  const events = (await here.run("--json")).stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    events.filter(({ event }) => event === "warning").map(({ warning, output }) => [warning, output]),
    [["output-saved", "out.txt"]],
  );
});

const unseen = `import { writeFile } from "node:fs/promises";
import { script, valuesIn } from "dmake";
const counting = (target: string, limit: number) =>
  script(target, { where: { name: valuesIn("names.txt") } }, async ({ output }) => writeFile(output, String(limit)));
export default [counting("out/{name}", Number("3"))];
`;

test("a value that no code shows is warned of once, with what to do", async (t) => {
  const here = project(t, { "Datafile.ts": unseen, "names.txt": "a\nb\n" });
  const { code, stderr } = await here.run();
  assert.equal(code, 0);
  assert.match(
    stderr,
    /^warning: the recipe uses `limit`, whose value comes to be at run time: nothing will notice when it changes\n {2}--> Datafile\.ts:4(:\d+)?\nhelp: list it in `values: \{ limit \}`, or say with `uses` or `version` what the recipe depends on\n$/,
  );
  assert.equal((await here.run("-q")).stderr, "");
  assert.match((await here.run("-n")).stderr, /^warning: the recipe uses `limit`/);
  assert.equal((await here.run("why")).stderr, "");
  const { stdout } = await here.run("--json");
  assert.match(stdout, /^\{"event":"warning","warning":"capture-unseen","name":"limit","at":\{.*\}\}$/m);
});
