// One process run and accounted for; and ended with all it has started, when the benchmark is.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { canAccount, runOnce } from "../../bench/process.js";

const unaccounted = canAccount ? false : "there is no /usr/bin/time";
const never = new AbortController().signal;
const cwd = tmpdir();

const node = (script: string) => ({ program: process.execPath, args: ["-e", script], cwd });
const shell = (script: string, where = cwd) => ({ program: "/bin/sh", args: ["-c", script], cwd: where });

/** One that has ended, but that nobody has asked about yet, is not. */
function isAlive(pid: number): boolean {
  const stat = `/proc/${pid}/stat`;
  if (existsSync(stat)) return !/\) Z /.test(readFileSync(stat, "utf8"));
  if (existsSync("/proc/self/stat")) return false;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dmake-process-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("what a process says and how it ends is told, and no file of that is left", async () => {
  const before = readdirSync(cwd).filter((name) => name.startsWith(`dmake-bench-${process.pid}-`));
  const ran = await runOnce(shell("echo said; echo complained >&2; exit 3"), never);
  assert.equal(ran.code, 3);
  assert.equal(ran.output, "said\ncomplained\n");
  assert.ok(ran.seconds > 0);
  const after = readdirSync(cwd).filter((name) => name.startsWith(`dmake-bench-${process.pid}-`));
  assert.deepEqual(after, before);
});

test("its processor time is counted, and not that of waiting", { skip: unaccounted }, async () => {
  const busy = "while (process.cpuUsage().user < 100_000);";
  assert.ok((await runOnce(node(busy), never)).cpuSeconds! >= 0.09);
  const { cpuSeconds, seconds } = await runOnce(shell("sleep 0.3"), never);
  assert.ok(seconds >= 0.3);
  assert.ok(cpuSeconds! < 0.2, `${cpuSeconds} s for a sleep`);
});

test("so are the children that it waits for, and the largest memory of any", {
  skip: unaccounted,
}, async () => {
  const large = `Buffer.alloc(200_000_000, 1); while (process.cpuUsage().user < 100_000);`;
  const ran = await runOnce(shell(`${process.execPath} -e '${large}'; true`), never);
  assert.ok(ran.peakBytes! > 200_000_000, String(ran.peakBytes));
  assert.ok(ran.cpuSeconds! >= 0.09, String(ran.cpuSeconds));
});

test("nothing of the caller's environment that chooses a database or sets up node gets through", async (t) => {
  for (const name of ["PGHOST", "DATABASE_URL", "NODE_OPTIONS"]) {
    const before = process.env[name];
    process.env[name] = name === "NODE_OPTIONS" ? "--no-warnings" : "odd";
    t.after(() => {
      if (before === undefined) delete process.env[name];
      else process.env[name] = before;
    });
  }
  const { output } = await runOnce({ ...shell("env"), env: { OWN: "given" } }, never);
  assert.doesNotMatch(output, /odd|NODE_OPTIONS/);
  assert.match(output, /^OWN=given$/m);
});

test("a program that is not there is no measurement", async () => {
  const ran = runOnce({ program: join(cwd, "no-such-program"), args: [], cwd }, never);
  if (canAccount) assert.equal((await ran).code, 127);
  else await assert.rejects(ran, { code: "ENOENT" });
});

test("aborted, it ends with what it has started", { timeout: 30_000 }, async (t) => {
  const folder = folderOf(t);
  const stopping = new AbortController();
  const ran = runOnce(shell("sleep 1000 & echo $! > pid; wait", folder), stopping.signal);
  const watcher = watch(folder);
  const pid = join(folder, "pid");
  const begun = () => existsSync(pid) && readFileSync(pid, "utf8").endsWith("\n");
  while (!begun()) await new Promise((resolve) => watcher.once("change", resolve));
  watcher.close();
  stopping.abort(new Error("told to stop"));
  await assert.rejects(ran, /told to stop/);
  while (isAlive(Number(readFileSync(pid, "utf8")))) await new Promise((resolve) => setTimeout(resolve, 5));
  await assert.rejects(
    runOnce(shell("true"), stopping.signal),
    /told to stop/,
    "nothing is started any more",
  );
});
