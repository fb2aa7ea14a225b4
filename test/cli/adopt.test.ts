// `dmake adopt`: somebody vouches for what is there, and nothing runs. Told with the real program.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { type Project, projectIn } from "../rig/binary.js";

const datafile = `import { sh } from "dmake";
export const up = sh("out/{name}.txt", { from: "in/{name}.txt", where: { name: ["a", "b"] } },
  ({ $, input, output }) => $\`tr a-z A-Z < \${input} > \${output}\`);
export default [up];
`;

function project(t: TestContext, files: Record<string, string> = {}): Project {
  const start = { "Datafile.ts": datafile, "in/a.txt": "apple\n", "in/b.txt": "banana\n" };
  return projectIn(t, { ...start, ...files });
}

test("what is there is recorded as it is, and is stale again when its input changes", async (t) => {
  const here = project(t, { "out/a.txt": "from elsewhere\n", "out/b.txt": "from elsewhere too\n" });
  assert.equal((await here.run("-q", "out/a.txt")).code, 3);
  const { code, stdout, stderr } = await here.run("adopt", "out/{a,b}.txt");
  assert.deepEqual([code, stdout, stderr], [0, "adopted  out/a.txt\nadopted  out/b.txt\nadopted 2\n", ""]);
  assert.equal((await here.run("-q")).code, 0);
  assert.equal(here.read("out/a.txt"), "from elsewhere\n");
  here.write("in/a.txt", "avocado\n");
  assert.equal((await here.run()).code, 0);
  assert.equal(here.read("out/a.txt"), "AVOCADO\n");
  assert.equal(here.read("out/b.txt"), "from elsewhere too\n");
});

test("an edit that was meant is vouched for by name", async (t) => {
  const here = project(t);
  await here.run();
  here.write("out/a.txt", "corrected\n");
  const { stdout } = await here.run("adopt", "--json", here.path("out/a.txt"));
  assert.deepEqual(JSON.parse(stdout), { adopted: ["out/a.txt"] });
  assert.equal((await here.run("-q")).code, 0);
  assert.equal(here.read("out/a.txt"), "corrected\n");
});

test("what is not there cannot be vouched for, and holds up no other", async (t) => {
  const here = project(t, { "out/a.txt": "there\n" });
  const { code, stdout, stderr } = await here.run("adopt", "up");
  assert.equal(code, 1);
  assert.equal(stdout, "adopted  out/a.txt\nadopted 1\n");
  const [error = "", , help = ""] = stderr.split("\n");
  assert.equal(error, "error: `out/b.txt` is not there, so there is nothing to record");
  assert.equal(help, "help: `dmake out/b.txt`");
  assert.equal((await here.run("-q", "out/a.txt")).code, 0);
  assert.equal((await here.run("-q", "out/b.txt")).code, 3);
});

test("it takes names, of what a rule makes", async (t) => {
  const here = project(t);
  const bare = await here.run("adopt");
  assert.equal(bare.code, 2);
  assert.match(bare.stderr, /^error: `dmake adopt` needs the names of what it is to vouch for\n/);
  const source = await here.run("adopt", "in/a.txt");
  assert.equal(source.code, 2);
  assert.match(source.stderr, /^error: no rule makes `in\/a\.txt`, so there is nothing to record\n/);
  assert.equal(existsSync(here.path(".dmake/state.ndjson")), false);
});
