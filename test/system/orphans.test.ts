// Processes that are known by a mark in their environment: found wherever they went, asked, ended. Told with real processes.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  chained,
  findMarked,
  groupLives,
  killMarked,
  markOf,
  send,
  stopMarked,
} from "../../src/system/orphans.js";
import { inFolder } from "../rig/project.js";

const options = {
  timeout: 20_000,
  skip: existsSync("/proc/self/environ") ? false : "processes show their environment only on Linux",
};

let count = 0;
/** An id that no other process on this machine has. */
const newId = () => `${process.pid}x${process.hrtime.bigint()}x${count++}`;

/** A shell that carries these variables and has said that it is ready, once it had done what comes `before`. */
async function carrier(
  t: TestContext,
  env: Record<string, string>,
  command = "sleep 1000",
  before = ":",
): Promise<ChildProcess> {
  const child = spawn("/bin/sh", ["-c", `${before}; echo ready; ${command}`], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  t.after(() => {
    send(-child.pid!, "SIGKILL");
    child.stdout!.destroy();
  });
  await once(child.stdout!, "data");
  return child;
}

const ended = async (child: ChildProcess) =>
  child.exitCode === null && child.signalCode === null
    ? once(child, "exit")
    : [child.exitCode, child.signalCode];

test("whoever carries a mark is found, and nobody whose variables only look like it", options, async (t) => {
  const id = newId();
  const mark = markOf("DMAKE_RUN", id);
  const one = await carrier(t, { DMAKE_RUN: id });
  const nested = await carrier(t, { DMAKE_RUN: chained(id, "inner") });
  const other = await carrier(t, { DMAKE_RUN: `${id}0`, XDMAKE_RUN: id, DMAKE_ATTEMPT: id, A: `b${mark}` });
  const found = findMarked([mark, markOf("DMAKE_RUN", newId())]);
  assert.deepEqual([...found.keys()], [mark]);
  const isFound = ({ pid }: ChildProcess) => found.get(mark)!.includes(pid!);
  assert.deepEqual([one, nested, other].map(isFound), [true, true, false]);
  killMarked([mark]);
  await Promise.all([one, nested].map(ended));
  assert.equal(findMarked([mark]).size, 0);
});

test("they are asked to end, once, and awaited, also in a session of their own", options, (t) =>
  inFolder(async (folder) => {
    const id = newId();
    const log = folder.path("log");
    const child = await carrier(
      t,
      { DMAKE_RUN: id, LOG: log },
      `setsid sh -c 'trap "echo asked >> $LOG; n=1" TERM; echo set >> $LOG; while [ -z "$n" ]; do sleep 0.01; done; sleep 0.1; echo bye >> $LOG'`,
    );
    while (!existsSync(log)) await new Promise(setImmediate);
    const found = await stopMarked([markOf("DMAKE_RUN", id)], { graceMs: 10_000 });
    assert.equal(found.get(markOf("DMAKE_RUN", id))?.includes(child.pid!), true);
    assert.equal(folder.read("log"), "set\nasked\nbye\n");
  }),
);

test(
  "who does not hear is killed after the grace, or as soon as nobody wants to wait",
  options,
  async (t) => {
    const id = newId();
    const deaf = () => carrier(t, { DMAKE_RUN: id }, "while :; do sleep 0.01 || :; done", 'trap "" TERM');
    const one = await deaf();
    const started = performance.now();
    await stopMarked([markOf("DMAKE_RUN", id)], { graceMs: 300 });
    assert.ok(performance.now() - started >= 300);
    assert.deepEqual(await ended(one), [null, "SIGKILL"]);
    const two = await deaf();
    await stopMarked([markOf("DMAKE_RUN", id)], { graceMs: 1e9, signal: AbortSignal.abort() });
    assert.deepEqual(await ended(two), [null, "SIGKILL"]);
  },
);

test("who has been asked already is not asked again", options, async (t) => {
  const id = newId();
  const child = await carrier(t, { DMAKE_RUN: id }, "exec sleep 1000");
  await stopMarked([markOf("DMAKE_RUN", id)], { graceMs: 100, asked: [child.pid!] });
  assert.deepEqual(await ended(child), [null, "SIGKILL"]);
});

test("neither we nor those that started us are ended by our own mark", options, () => {
  const id = newId();
  const child = join(import.meta.dirname, "orphans-child.ts");
  const inner = `"${process.execPath}" --import "${import.meta.resolve("tsx")}" "${child}" DMAKE_RUN=${id}`;
  const outer = `sleep 1000 & echo $!; sh -c '${inner}; echo inner lives'; echo outer lives`;
  const { stdout } = spawnSync("/bin/sh", ["-c", outer], {
    env: { ...process.env, DMAKE_RUN: id },
    encoding: "utf8",
  });
  const [pid, found, ...lives] = stdout.split("\n");
  // tsx starts a process of its own, which may be gone by now.
  assert.equal(found?.split(",").includes(pid!), true);
  assert.deepEqual(lives, ["inner lives", "outer lives", ""]);
});

test("nobody is found by no mark, or by one that nobody carries", options, async () => {
  assert.equal((await stopMarked([], { graceMs: 0 })).size, 0);
  assert.equal((await stopMarked([markOf("DMAKE_RUN", newId())], { graceMs: 1e9 })).size, 0);
});

test("a group of which only the dead are left does not live", options, async (t) => {
  // The shell that would have to collect its child has become a program that does not.
  const child = spawn("/bin/sh", ["-c", "setsid sh -c 'echo $$' & exec sleep 1000"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [said] = await once(child.stdout!, "data");
  const leader = Number(said);
  while (groupLives(leader)) await new Promise(setImmediate);
  assert.equal(process.kill(-leader, 0), true);
  const living = spawn("sleep", ["1000"], { detached: true });
  assert.equal(groupLives(living.pid!), true);
  process.kill(-living.pid!, "SIGKILL");
});
