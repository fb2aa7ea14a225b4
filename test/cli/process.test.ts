// The program as a process: how it ends, what it leaves, and what it does when others misbehave.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { isAlive } from "../../src/system/process.js";
import { binary, type Project, projectIn } from "../rig/binary.js";

function project(t: TestContext, datafile: string, files: Record<string, string> = {}): Project {
  return projectIn(t, { "Datafile.ts": datafile, ...files });
}

const touches = 'export default [sh("out.txt", {}, ({ $, output }) => $`touch ${output}`)];\n';

test("ends although the Datafile keeps a timer", async (t) => {
  const here = project(t, `import { sh } from "dmake";\nsetInterval(() => {}, 1000);\n${touches}`);
  const { code, stdout } = await here.run();
  assert.equal(code, 0);
  assert.match(stdout, /^built 1 /m);
});

test("a promise that nobody waits for fails the run with its message, and leaves nothing", async (t) => {
  const here = project(
    t,
    `import { sh, script } from "dmake";
export default [script("out.txt", {}, async ({ signal }) => {
  void Promise.reject(new Error("forgotten"));
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
})];\n`,
  );
  const { code, stderr } = await here.run();
  assert.equal(code, 1);
  assert.match(stderr, /^error: thrown where nobody waits for it: Error: forgotten\n {4}at .*Datafile\.ts:3/);
  assert.deepEqual(readdirSync(here.root).sort(), [".dmake", "Datafile.ts"]);
});

test("an endless loop in the Datafile ends with a signal, as any program does", async (t) => {
  const here = project(t, 'process.stdout.write("looping\\n");\nfor (;;);\n');
  const running = here.start();
  await running.line((line) => line === "looping");
  running.child.kill("SIGTERM");
  assert.equal((await running.ended).signal, "SIGTERM");
});

test("a second signal ends at once what does not listen", { timeout: 9_000 }, async (t) => {
  const deaf = '$`trap "echo told > told" TERM; echo $$ > pid; while :; do sleep 0.05; done`';
  const here = project(
    t,
    `import { sh } from "dmake";\nexport default [sh("out.txt", {}, ({ $ }) => ${deaf})];\n`,
  );
  const running = here.start();
  const pid = Number(await here.written("pid"));
  running.child.kill("SIGINT");
  await here.written("told");
  running.child.kill("SIGINT");
  assert.equal((await running.ended).code, 130);
  // A killed process may still be on its way out, or wait for pid 1 to take note of its end.
  while (isAlive(pid)) await new Promise((resolve) => setImmediate(resolve));
});

test("a plain rerun sweeps what a killed run has left", async (t) => {
  const here = project(t, `import { sh } from "dmake";\n${touches}`, {
    ".out.txt.dmake-0123456789abcdef.tmp": "half",
    ".other.txt.dmake-0123456789abcdef.tmp": "somebody else's",
  });
  assert.equal((await here.run()).code, 0);
  assert.deepEqual(readdirSync(here.root).sort(), [
    ".dmake",
    ".other.txt.dmake-0123456789abcdef.tmp",
    "Datafile.ts",
    "out.txt",
  ]);
});

test("sql prints rows, nulls, several statements and many rows", async (t) => {
  const here = project(t, "");
  const two = await here.run(
    "sql",
    "create table t (a int, b text); insert into t values (1, null), (20, E'x\\ny')",
  );
  assert.deepEqual([two.code, two.stdout], [0, "CREATE\nINSERT 2\n"]);
  const rows = await here.run("sql", "select * from t order by a");
  assert.equal(rows.stdout, " a | b\n---+-----\n 1 | NULL\n20 | x\\ny\n(2 rows)\n");
  assert.equal(
    (await here.run("sql", "--json", "select a, b, a / 3.0 as c from t where a = 1")).stdout,
    '{"a":1,"b":null,"c":0.33333333333333333333}\n',
  );
  const many = await here.run("sql", "select generate_series(1, 300000)");
  assert.equal(many.stdout.split("\n").length, 300_004);
  const wrong = await here.run("sql", "select * from nowhere");
  assert.equal(wrong.code, 1);
  assert.match(
    wrong.stderr,
    /^error: Postgres refused to run the statement: relation "nowhere" does not exist \(42P01\)\n/,
  );
  const unquoted = await here.run("sql", "select", "1");
  assert.equal(unquoted.code, 2);
  assert.match(unquoted.stderr, /^error: `dmake sql` does not take `1`\nhelp: quote the statement/);
});

test("a statement ends with a signal", async (t) => {
  const here = project(t, "");
  const running = here.start("sql", "select pg_sleep(60)");
  const sleeping =
    "select count(*) from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active'";
  while ((await here.run("sql", "--json", sleeping)).stdout !== '{"count":1}\n');
  running.child.kill("SIGINT");
  assert.equal((await running.ended).code, 130);
});

test("the embedded database is that of the Datafile, and a folder without one gets none", async (t) => {
  const here = project(t, "", { "sub/other.ts": "", "empty/notes.txt": "" });
  const nowhere = await here.run("-C", "empty", "sql", "select 1");
  assert.equal(nowhere.code, 2);
  assert.match(nowhere.stderr, /^error: no Datafile in /);
  assert.equal(existsSync(here.path("empty/.dmake")), false);
  assert.equal((await here.run("-f", "sub/other.ts", "sql", "select 1")).code, 0);
  assert.deepEqual([existsSync(here.path("sub/.dmake")), existsSync(here.path(".dmake"))], [true, false]);
});

test("a function that ends the process does not look like a build that went well", async (t) => {
  const here = project(
    t,
    `import { script } from "dmake";\nexport default [script("out.txt", {}, () => process.exit(0))];\n`,
  );
  const { code, stderr } = await here.run();
  assert.deepEqual(
    [code, stderr],
    [1, "error: something in the Datafile ended dmake (`process.exit`): what was left is not built\n"],
  );
});

test("a function cannot change the folder under all others", async (t) => {
  const here = project(
    t,
    `import { script, sh } from "dmake";
export const moves = script("moves.txt", {}, () => process.chdir("/"));
export const stays = sh("stays.txt", { after: [] }, ({ $, output }) => $\`echo here > \${output}\`);\n`,
  );
  const { code, stderr } = await here.run("-k", "-j1", "moves", "stays");
  assert.equal(code, 1);
  assert.match(stderr, /a recipe cannot change the folder of dmake itself/);
  assert.equal(here.read("stays.txt"), "here\n");
});

const spawning = `import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { script } from "dmake";
export const out = script("out.txt", {}, async ({ signal }) => {
  const { pid } = spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
  writeFileSync("pid", String(pid));
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
});
export const other = script("other.txt", {}, ({ output }) => writeFileSync(output, ""));
`;

test("what a function has started ends with an interrupted build", async (t) => {
  const here = project(t, spawning);
  const running = here.start("out");
  const pid = Number(await here.written("pid"));
  running.child.kill("SIGINT");
  assert.equal((await running.ended).code, 130);
  while (isAlive(pid)) await new Promise((resolve) => setImmediate(resolve));
});

test("what a function of a killed build has started is ended by the next", async (t) => {
  const here = project(t, spawning);
  const running = here.start("out");
  const pid = Number(await here.written("pid"));
  running.child.kill("SIGKILL");
  await running.ended;
  assert.equal(isAlive(pid), true);
  const { code, stderr } = await here.run("other");
  assert.equal(code, 0, stderr);
  assert.equal(isAlive(pid), false);
  assert.match(stderr, new RegExp(`${pid}`));
});

test("a recipe that has dmake build its own target is told so, instead of waiting for itself", async (t) => {
  const command = `${process.execPath} ${binary} out.txt`;
  const here = project(
    t,
    `import { sh } from "dmake";\nexport default [sh("out.txt", {}, ({ $ }) => $\`sh -c \${${JSON.stringify(command)}}\`)];\n`,
  );
  const { code, stderr } = await here.run();
  assert.equal(code, 1);
  assert.match(stderr, /the recipe that makes `out\.txt` has started this dmake, which is to make the same/);
});
