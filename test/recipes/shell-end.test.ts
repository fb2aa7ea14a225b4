// How shell commands end: by themselves, by an interrupt or in need, and nothing of them is left running. Told with a real shell.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { nextTick } from "node:process";
import { mock } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import { killAll } from "../../src/recipes/shell.js";
import { commandOf } from "../../src/recipes/shell-command.js";
import { failureOf, must } from "../rig/world.js";
import { gone, isAlive, pidIn, run, story } from "./shells.js";

story("an interrupt ends the command and what it has started", async () => {
  const stop = new AbortController();
  const { says, ended } = await run(
    ({ $ }) => $`sh -c ${'sleep 1000 & echo "pid=$!"; wait'}`,
    [],
    stop.signal,
  );
  const pid = pidIn(await says("\n"));
  assert.equal(isAlive(pid), true);
  stop.abort();
  failureOf(await ended, "interrupted");
  await gone(pid);
});

story("also what keeps nothing open and will not hear, after ten seconds", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const stop = new AbortController();
  const deaf = `trap "" TERM; echo "pid=$$" >&3; exec >/dev/null 2>&1 3>&-; while :; do sleep 1000; done`;
  const { says, ended } = await run(
    ({ $ }) => $`sh -c ${deaf} 3>&1 >/dev/null 2>&1 & sleep 1000`,
    [],
    stop.signal,
  );
  const pid = pidIn(await says("\n"));
  stop.abort();
  mock.timers.tick(9_999);
  assert.equal(isAlive(pid), true);
  mock.timers.tick(1);
  mock.timers.reset();
  failureOf(await ended, "interrupted");
  assert.equal(isAlive(pid), false);
});

story("a command has ten seconds to end well, and no more", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const stop = new AbortController();
    const deaf = await run(
      ({ $ }) => $`trap "echo heard" TERM; echo "pid=$$"; while :; do sleep 0.01 || :; done`,
      [],
      stop.signal,
    );
    const pid = pidIn(await deaf.says("\n"));
    stop.abort();
    await deaf.says("heard");
    mock.timers.tick(9_999);
    assert.equal(isAlive(pid), true);
    mock.timers.tick(1);
    failureOf(await deaf.ended, "interrupted");
    assert.equal(isAlive(pid), false);
  } finally {
    mock.timers.reset();
  }
});

story("a command that cleans up when told to end is awaited", async (folder) => {
  const stop = new AbortController();
  const { says, ended } = await run(
    ({ $ }) => $`trap "echo bye > cleaned; exit 0" TERM; echo ready; while :; do sleep 0.01; done`,
    [],
    stop.signal,
  );
  await says("ready");
  stop.abort();
  failureOf(await ended, "interrupted");
  assert.equal(folder.read("cleaned"), "bye\n");
});

story("after an interrupt nothing is started any more", async () => {
  const { ended } = await run(({ $, output }) => $`date > ${output}`, [], AbortSignal.abort());
  failureOf(await ended, "interrupted");
  assert.equal(existsSync("out.tmp"), false);
});

story(
  "a command has ended when its shell has: what it left running is ended, and not awaited",
  async (folder) => {
    const { ended, logged } = await run(
      ({ $, output }) => $`(sleep 1000; :) & echo "pid=$!"; echo hi > ${output}`,
    );
    const started = performance.now();
    must(await ended);
    assert.ok(performance.now() - started < 5_000);
    await gone(pidIn(logged()));
    assert.equal(folder.read("out.tmp"), "hi\n");
  },
);

story("also what will not hear, has let go of the pipes, or prints for ever", async () => {
  const { ended, logged } = await run(
    ({ $ }) =>
      $`sh -c ${'trap "" TERM HUP; while :; do sleep 0.01 || :; done'} >/dev/null 2>&1 & echo "pid=$!"`,
  );
  must(await ended);
  await gone(pidIn(logged()));
  const babbling = await run(({ $ }) => $`(while :; do echo more; done) & echo "pid=$!"`);
  must(await babbling.ended);
  await gone(pidIn(babbling.logged()));
});

story(
  "all that was printed before the end is heard, whoever holds the pipes and however busy this process is",
  async () => {
    const { ended, logged } = await run(
      ({ $, output }) => $`sleep 1000 & head -c 60000 /dev/zero | tr '\\0' x; echo end; : > ${output}`,
    );
    while (!existsSync("out.tmp")) await setImmediate();
    // Longer than the silence that means the end.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
    must(await ended);
    assert.equal(logged().length, 60_004);
  },
);

story("in need, everything that runs is killed at once, also what will not hear", async () => {
  const deaf = () => run(({ $ }) => $`trap "" TERM; echo "pid=$$"; while :; do sleep 0.01 || :; done`);
  const both = [await deaf(), await deaf()];
  const pids = await Promise.all(both.map(async ({ says }) => pidIn(await says("\n"))));
  killAll();
  for (const { ended } of both) assert.equal(failureOf(await ended, "exit").signal, "SIGKILL");
  await Promise.all(pids.map(gone));
  // Whoever has ended is not among them any more.
  killAll();
});

story("many commands at once share a signal without a warning", async () => {
  const warned = mock.fn();
  process.on("warning", warned);
  const stop = new AbortController();
  const all = await Promise.all(
    Array.from({ length: 12 }, () => run(({ $ }) => $`sleep 1000`, [], stop.signal)),
  );
  await setImmediate();
  stop.abort();
  for (const { ended } of all) failureOf(await ended, "interrupted");
  process.off("warning", warned);
  const names = warned.mock.calls.map(({ arguments: [warning] }) => (warning as Error).name);
  assert.equal(names.includes("MaxListenersExceededWarning"), false);
});

story(
  "what a command has printed and nobody could read yet is not lost, however long that takes",
  async () => {
    let said = "";
    const child = spawn("/bin/sh", ["-c", "printf '%*s' 30000 ''"], { stdio: ["ignore", "pipe", "pipe"] });
    const command = commandOf(child, (text) => {
      said += text;
    });
    // As the process that starts commands does while dmake reads no more of what it says; Node itself resumes once, right after the end.
    child.stdout.pause();
    const paused = new Promise<void>((resolve) => {
      child.once("exit", () =>
        nextTick(() =>
          nextTick(() => {
            child.stdout.pause();
            resolve();
          }),
        ),
      );
    });
    await paused;
    const heard = command.heard();
    await setTimeout(400);
    assert.equal(said, "");
    child.stdout.resume();
    await heard;
    assert.equal(said.length, 30_000);
  },
);
