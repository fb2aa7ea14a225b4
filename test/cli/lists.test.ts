// Targets that list what there is to build: made first, read, and planned with. Told with the real program.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { type Project, plain, projectIn } from "../rig/binary.js";

const datafile = `import { sh, valuesIn } from "dmake";
export const index = sh("index.txt", { from: "src/months.txt" }, ({ $, input, output }) => $\`sort \${input} > \${output}\`);
const month = valuesIn(index);
export const part = sh("out/{month}.txt", { where: { month } }, ({ $, output, params }) => $\`echo \${params.month} > \${output}\`);
export const alone = sh("alone.txt", {}, ({ $, output }) => $\`touch \${output}\`);
export default [part];
`;

function project(t: TestContext, text = datafile, files: Record<string, string> = {}): Project {
  return projectIn(t, { "Datafile.ts": text, "src/months.txt": "2021-02\n2021-01\n", ...files });
}

test("a list is made first, and then what it lists", async (t) => {
  const here = project(t);
  const first = await here.run("-j1");
  assert.deepEqual(plain(first.stdout), [
    "1/1  index.txt",
    "2/3  out/2021-01.txt",
    "3/3  out/2021-02.txt",
    "built 3",
  ]);
  assert.deepEqual([first.code, first.stderr], [0, ""]);
  assert.deepEqual(plain((await here.run()).stdout), ["3 up to date"]);
  here.write("src/months.txt", "2021-02\n2021-01\n2021-03\n");
  assert.deepEqual(plain((await here.run("-j1")).stdout), [
    "1/1  index.txt",
    "4/4  out/2021-03.txt",
    "built 2, 2 up to date",
  ]);
  here.write("src/months.txt", "2021-03\n2021-02\n2021-01\n");
  assert.deepEqual(plain((await here.run()).stdout), ["1/1  index.txt", "built 1, 3 up to date"]);
});

test("--json tells both builds and one end", async (t) => {
  const here = project(t);
  const { stdout } = await here.run("--json", "-j1", "part");
  const events = plain(stdout).map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map(({ event, step, steps, made }) => [event, step ?? steps ?? made]),
    [
      ["started", 1],
      ["running", "index.txt"],
      ["done", "index.txt"],
      ["grown", 3],
      ["running", "out/2021-01.txt"],
      ["done", "out/2021-01.txt"],
      ["running", "out/2021-02.txt"],
      ["done", "out/2021-02.txt"],
      ["finished", 3],
    ],
  );
});

test("what needs no list waits for none", async (t) => {
  const here = project(t);
  assert.deepEqual(plain((await here.run("alone")).stdout), ["1/1  alone.txt", "built 1"]);
  assert.equal(existsSync(here.path("index.txt")), false);
});

test("a list that is a step of the plan too counts once", async (t) => {
  const here = project(t, datafile.replace("{ where: { month } }", "{ from: index, where: { month } }"));
  assert.deepEqual(plain((await here.run("-j1")).stdout), [
    "1/1  index.txt",
    "2/3  out/2021-01.txt",
    "3/3  out/2021-02.txt",
    "built 3",
  ]);
  assert.match((await here.run("-B", "-j1")).stdout, /^4\/4 {2}out\/2021-02\.txt/m);
  here.write("src/months.txt", "2021-02\n");
  assert.deepEqual(plain((await here.run("-n")).stdout), [
    "would run  index.txt        `src/months.txt` changed",
    "may run    out/2021-01.txt  depends on `index.txt`",
    "may run    out/2021-02.txt  depends on `index.txt`",
    "1 would run, 2 may run",
  ]);
  assert.deepEqual(plain((await here.run()).stdout).at(-1), "built 2");
  assert.deepEqual(plain((await here.run()).stdout).at(-1), "2 up to date");
});

test("a list may be a source, and a list may need a list", async (t) => {
  const here = project(
    t,
    `import { sh, valuesIn } from "dmake";
const year = valuesIn("src/years.txt");
sh("y/{year}.txt", { where: { year } }, ({ $, output, params }) => $\`printf '%s-01\\\\n%s-02\\\\n' \${params.year} \${params.year} > \${output}\`);
const month = valuesIn("y/2021.txt");
export default [sh("m/{month}", { where: { month } }, ({ $, output }) => $\`touch \${output}\`)];
`,
    { "src/years.txt": "2020\n2021\n" },
  );
  const { stdout, stderr } = await here.run("-j1");
  assert.equal(stderr, "");
  assert.deepEqual(plain(stdout), ["1/1  y/2021.txt", "2/3  m/2021-01", "3/3  m/2021-02", "built 3"]);
});

test("-n, -q and why take a list as it is, say that it may change, and make nothing", async (t) => {
  const here = project(t);
  const missing =
    "warning: the values of `{month}` are listed in `index.txt`, which is not there yet: what they lead to is not known\n";
  const none = await here.run("-n");
  assert.deepEqual(plain(none.stdout), ["would run  index.txt  no record of it", "1 would run, 0 may run"]);
  assert.deepEqual([none.code, none.stderr], [0, missing]);
  assert.deepEqual(await here.run("-q"), { code: 3, signal: null, stdout: "", stderr: "" });
  const open = await here.run("why", "part");
  assert.match(open.stdout, /^stale: index\.txt\n/);
  assert.deepEqual([open.code, open.stderr], [0, missing]);
  assert.equal(existsSync(here.path(".dmake")), false);
  assert.equal(existsSync(here.path("index.txt")), false);

  await here.run();
  assert.equal((await here.run("-q")).code, 0);
  here.write("src/months.txt", "2021-03\n");
  const stale = await here.run("-n");
  assert.deepEqual(plain(stale.stdout), [
    "would run  index.txt  `src/months.txt` changed",
    "1 would run, 0 may run, 2 up to date",
  ]);
  assert.equal(
    stale.stderr,
    "warning: the values of `{month}` are listed in `index.txt`, which would run: the list may change\n",
  );
  assert.equal((await here.run("-q")).code, 3);
  assert.match((await here.run("why", "part")).stdout, /^fresh: out\/2021-01\.txt {2}made /);
  assert.equal(here.read("index.txt"), "2021-01\n2021-02\n");
});

test("a list that cannot be made ends the build, and one that needs itself is a cycle", async (t) => {
  const here = project(t, datafile.replace("sort ${input}", "false ${input}"));
  const failed = await here.run();
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /^failed: index\.txt\nerror: the command exited with 1\n/);
  assert.deepEqual(plain(failed.stdout), ["1 failed"]);
  here.write(
    "Datafile.ts",
    datafile
      .replace("valuesIn(index)", 'valuesIn("all.txt")')
      .concat('sh("all.txt", { from: [part.all()] }, ({ $, output }) => $`touch ${output}`);\n'),
  );
  const circle = await here.run();
  assert.deepEqual([circle.code, circle.stdout], [2, ""]);
  assert.match(circle.stderr, /^error: a cycle: `all\.txt` needs `all\.txt`\n {2}--> Datafile\.ts:4:/);
});

test("adopt builds no list, and says which it waits for", async (t) => {
  const here = project(t, datafile, { "out/2021-01.txt": "there\n" });
  const waits = await here.run("adopt", "out/2021-01.txt");
  assert.equal(waits.code, 2);
  assert.match(
    waits.stderr,
    /^error: the values of `\{month\}` are listed in `index\.txt`, which is not built yet\n {2}--> Datafile\.ts:4:.*\nhelp: `dmake index\.txt`\n$/,
  );
  assert.equal((await here.run("index.txt")).code, 0);
  assert.equal((await here.run("adopt", "out/2021-01.txt")).code, 0);
});

test("an interrupt while a list is made ends everything", async (t) => {
  const here = project(
    t,
    datafile.replace("sort ${input} > ${output}", "echo yes > started; while :; do sleep 0.05; done"),
  );
  const running = here.start("--json");
  await running.line((line) => line.includes('"running"'));
  await here.written("started");
  running.child.kill("SIGINT");
  const { code, stdout } = await running.ended;
  assert.equal(code, 130);
  assert.match(stdout, /"event":"finished".*"interrupted":true/);
  assert.equal(existsSync(here.path("out")), false);
});

test("a signal ends what loops once a list is read, as it does in any Datafile", async (t) => {
  const endless = 'valuesIn(index, () => { process.stdout.write("looping\\n"); for (;;); })';
  const here = project(t, datafile.replace("valuesIn(index)", endless));
  const running = here.start();
  await running.line((line) => line === "looping");
  running.child.kill("SIGTERM");
  assert.equal((await running.ended).signal, "SIGTERM");
  assert.equal(here.read("index.txt"), "2021-01\n2021-02\n");
});
