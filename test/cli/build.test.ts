// The command line from end to end on small projects: flags, goals, output, exit codes.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { type Project, plain, projectIn } from "../rig/binary.js";

const copies = `import { sh } from "dmake";
export const first = sh("mid/{name}.txt", { from: "in/{name}.txt", where: { name: ["a", "b"] } },
  ({ $, input, output }) => $\`tr a-z A-Z < \${input} > \${output}\`);
export const second = sh("out/{name}.txt", { from: first }, ({ $, input, output }) => $\`cat \${input} \${input} > \${output}\`);
export default [second];
`;

function project(t: TestContext, datafile = copies): Project {
  return projectIn(t, { "Datafile.ts": datafile, "in/a.txt": "apple\n", "in/b.txt": "banana\n" });
}

test("builds the default goals, then nothing, then what an edit makes stale", async (t) => {
  const here = project(t);
  assert.deepEqual(plain((await here.run("-j1")).stdout), [
    "1/4  mid/a.txt",
    "2/4  out/a.txt",
    "3/4  mid/b.txt",
    "4/4  out/b.txt",
    "built 4",
  ]);
  assert.equal(here.read("out/a.txt"), "APPLE\nAPPLE\n");
  assert.deepEqual(plain((await here.run()).stdout), ["4 up to date"]);
  here.write("in/b.txt", "cherry\n");
  assert.deepEqual(plain((await here.run("-j1")).stdout), [
    "3/4  mid/b.txt",
    "4/4  out/b.txt",
    "built 2, 2 up to date",
  ]);
});

test("an edit that changes no output stops there", async (t) => {
  const here = project(t);
  await here.run();
  here.write("in/b.txt", "Banana\n");
  assert.deepEqual(plain((await here.run("-j1")).stdout), ["3/4  mid/b.txt", "built 1, 3 up to date"]);
});

test("a name, a goal, a list, `all`", async (t) => {
  const here = project(t);
  assert.deepEqual(plain((await here.run("mid/a.txt")).stdout), ["1/1  mid/a.txt", "built 1"]);
  assert.deepEqual(plain((await here.run("first")).stdout), ["2/2  mid/b.txt", "built 1, 1 up to date"]);
  assert.deepEqual(plain((await here.run("./out//{a,b}.txt", "-j1")).stdout).at(-1), "built 2, 2 up to date");
  assert.deepEqual(plain((await here.run("all")).stdout), ["4 up to date"]);
});

test("-n says what would run and what may, and writes nothing", async (t) => {
  const here = project(t);
  const fresh = await here.run("-n", "out/a.txt");
  assert.deepEqual(plain(fresh.stdout), [
    "would run  mid/a.txt  no record of it",
    "would run  out/a.txt  no record of it",
    "2 would run, 0 may run",
  ]);
  assert.equal(existsSync(here.path(".dmake")), false);
  await here.run();
  here.write("in/a.txt", "avocado\n");
  assert.deepEqual(plain((await here.run("-n")).stdout), [
    "would run  mid/a.txt  `in/a.txt` changed",
    "may run    out/a.txt  depends on `mid/a.txt`",
    "1 would run, 1 may run, 2 up to date",
  ]);
});

test("-q answers with its exit code", async (t) => {
  const here = project(t);
  assert.deepEqual(await here.run("-q"), { code: 3, signal: null, stdout: "", stderr: "" });
  await here.run();
  assert.deepEqual(await here.run("-q"), { code: 0, signal: null, stdout: "", stderr: "" });
});

test("-B runs everything again", async (t) => {
  const here = project(t);
  await here.run();
  assert.deepEqual(plain((await here.run("-B")).stdout).at(-1), "built 4");
});

test("-C and -f choose the project", async (t) => {
  const here = project(t);
  here.write("sub/other.ts", copies);
  here.write("sub/in/a.txt", "x\n");
  assert.equal((await here.run("-C", "sub", "-f", "other.ts", "mid/a.txt")).code, 0);
  assert.equal(here.read("sub/mid/a.txt"), "X\n");
  assert.equal((await here.run("-f", "sub/other.ts", "mid/a.txt")).code, 0);
});

const failing = copies.replace(
  /\(\{ \$, input, output \}\) => \$`tr/,
  () => "({ $, input, output, params }) => $`echo working on ${params.name}; test ${params.name} != a; tr",
);

test("a failure shows the recipe's output, keeps the old file and stops", async (t) => {
  const here = project(t);
  await here.run();
  here.write("Datafile.ts", failing);
  const { code, stdout, stderr } = await here.run("-j1");
  assert.equal(code, 1);
  assert.deepEqual(stderr.split("\n").slice(0, 4), [
    "failed: mid/a.txt",
    "  | working on a",
    "error: the command exited with 1",
    "  --> Datafile.ts:2",
  ]);
  assert.match(stdout, /^1 failed, 1 not built because of that, 2 not finished \(/m);
  assert.equal(here.read("mid/a.txt"), "APPLE\n");
});

test("-k builds what does not need what failed", async (t) => {
  const here = project(t, failing);
  const { code, stdout } = await here.run("-k", "-j1");
  assert.equal(code, 1);
  assert.match(stdout, /^built 2, 1 failed, 1 not built because of that \(/m);
  assert.equal(here.read("out/b.txt"), "BANANA\nBANANA\n");
  assert.equal(existsSync(here.path("out/a.txt")), false);
});

test("name=value sets a parameter, and a value that changes the recipe makes it stale", async (t) => {
  const here = project(
    t,
    `import { param, sh } from "dmake";
const word = param("word", "hello");
export default [sh("out.txt", {}, ({ $, output }) => $\`echo \${word} > \${output}\`)];\n`,
  );
  await here.run();
  assert.equal(here.read("out.txt"), "hello\n");
  const again = await here.run("word=it's; rm -rf $HOME");
  assert.equal(again.code, 0, again.stderr);
  assert.equal(here.read("out.txt"), "it's; rm -rf $HOME\n");
  assert.match((await here.run("-n")).stdout, /^would run {2}out\.txt {2}recipe: command changed$/m);
  assert.match(
    (await here.run("why")).stdout,
    /recipe {2}command {2}echo 'it'\\''s; rm -rf \$HOME' > out\.txt → echo hello > out\.txt/,
  );
});

test("a function makes a file, and its edit makes it stale", async (t) => {
  const datafile = `import { script } from "dmake";
import { readFile, writeFile } from "node:fs/promises";
import { shout } from "./shout.ts";
export default [script("out/{name}.json", { from: "in/{name}.txt", where: { name: ["a", "b"] } }, async ({ input, output, params, log }) => {
  log("working");
  await writeFile(output, JSON.stringify({ [params.name]: shout(await readFile(input, "utf8")) }));
})];\n`;
  const here = project(t, datafile);
  here.write("shout.ts", "export const shout = (text: string): string => text.trim().toUpperCase();\n");
  assert.equal((await here.run()).code, 0);
  assert.equal(here.read("out/a.json"), '{"a":"APPLE"}');
  here.write("shout.ts", "// louder\nexport const shout = (text: string) => text.trim().toUpperCase();\n");
  assert.deepEqual(plain((await here.run()).stdout), ["2 up to date"]);
  here.write("shout.ts", "export const shout = (text: string) => `${text.trim().toUpperCase()}!`;\n");
  assert.deepEqual(plain((await here.run()).stdout).at(-1), "built 2");
  assert.equal(here.read("out/b.json"), '{"b":"BANANA!"}');
});

test("--json gives one event a line", async (t) => {
  const here = project(t);
  const { stdout } = await here.run("--json", "mid/a.txt");
  const events = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map(({ event, step }) => [event, step]),
    [
      ["started", undefined],
      ["running", "mid/a.txt"],
      ["done", "mid/a.txt"],
      ["finished", undefined],
    ],
  );
});

test("Ctrl-C stops in order: the recipe is ended, nothing is half written, the exit code says so", async (t) => {
  const here = project(
    t,
    `import { sh } from "dmake";
export default [sh("out.txt", {}, ({ $, output }) => $\`echo half > \${output}; echo yes > started; while :; do sleep 0.05; done\`)];\n`,
  );
  const running = here.start("--json");
  await running.line((line) => line.includes('"running"'));
  await here.written("started");
  running.child.kill("SIGINT");
  const { code, stdout } = await running.ended;
  assert.equal(code, 130);
  assert.match(stdout, /"event":"finished".*"interrupted":true/);
  assert.equal(existsSync(here.path("out.txt")), false);
});

test("help and version", async (t) => {
  const here = project(t);
  const help = await here.run("--help");
  assert.equal(help.code, 0);
  for (const flag of [
    "-j",
    "-n",
    "-q",
    "-k",
    "-B",
    "-C",
    "-f",
    "--json",
    "--profile",
    "dmake db",
    "dmake sql",
    "dmake why",
  ])
    assert.ok(help.stdout.includes(flag), flag);
  for (const verb of ["why", "adopt", "clean"]) {
    const { stdout } = await here.run(verb, "--help");
    assert.match(stdout, new RegExp(`^Examples:\\n {2}dmake ${verb} `, "m"));
  }
  assert.match((await here.run("--version")).stdout, /^\d+\.\d+\.\d+\n$/);
});

test("a file that a depfile names and that is not there is awaited: nothing runs until it comes", async (t) => {
  const here = project(
    t,
    `import { sh } from "dmake";
export default [sh("out.txt", { depfile: true }, ({ $, output, depfile }) =>
  $\`cat nosuch.h > \${output} || echo none > \${output}; echo x: nosuch.h no/such.h > \${depfile}\`)];
`,
  );
  const first = await here.run();
  assert.deepEqual([first.code, first.stderr], [0, ""]);
  assert.match((await here.run()).stdout, /^1 up to date/);
  here.write("nosuch.h", "there\n");
  const { stdout, stderr } = await here.run();
  assert.match(stdout, /^1\/1 {2}out\.txt/);
  assert.deepEqual([here.read("out.txt"), stderr], ["there\n", ""]);
  assert.match((await here.run()).stdout, /^1 up to date/);
});
