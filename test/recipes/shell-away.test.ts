// What commands start and send away, what they are given, and commands that hold the terminal. Told with a real shell.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { mock, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { killAll } from "../../src/recipes/shell.js";
import { whyNot } from "../../src/recipes/shell-start.js";
import { type Folder, inFolder } from "../rig/project.js";
import { failureOf, must } from "../rig/world.js";
import { gone, isAlive, pidIn, run, story } from "./shells.js";

/** Only Linux shows by whom a process was started that has left its group. */
const skip = existsSync("/proc/self/environ") ? false : "processes show their environment only on Linux";
const onLinux = (name: string, work: (folder: Folder) => Promise<void>) =>
  test(name, { timeout: 20_000, skip }, () => inFolder(work));

/** Where a process that keeps none of our pipes has written its number. */
async function pidFrom(folder: Folder, name: string): Promise<number> {
  while (!existsSync(folder.path(name)) || !folder.read(name).endsWith("\n")) await setImmediate();
  return pidIn(folder.read(name));
}

const away = (what: string, name = "pid") =>
  `setsid sh -c '${what.replaceAll("'", "'\\''")}' >/dev/null 2>&1 </dev/null & while [ ! -s ${name} ]; do sleep 0.01; done`;

onLinux("an interrupt also ends what has gone to a session of its own", async (folder) => {
  const stop = new AbortController();
  const there = away('echo "pid=$$" > pid; exec sleep 1000');
  const { says, ended } = await run(
    ({ $ }) => $`sh -c ${`${there}; echo ready; sleep 1000`}`,
    [],
    stop.signal,
  );
  await says("ready");
  const pid = await pidFrom(folder, "pid");
  stop.abort();
  failureOf(await ended, "interrupted");
  assert.equal(isAlive(pid), false);
});

onLinux("there, too, a process has what is left of the ten seconds, and no more", async (folder) => {
  const there = away(
    'trap "echo heard > heard" TERM; echo "pid=$$" > pid; while :; do sleep 0.01 || :; done',
  );
  const stop = new AbortController();
  const { says, ended } = await run(
    ({ $ }) => $`sh -c ${`${there}; echo ready; sleep 1000`}`,
    [],
    stop.signal,
  );
  await says("ready");
  const pid = await pidFrom(folder, "pid");
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    stop.abort();
    while (!existsSync("heard")) await setImmediate();
    mock.timers.tick(9_999);
    assert.equal(isAlive(pid), true);
    mock.timers.tick(1);
  } finally {
    mock.timers.reset();
  }
  failureOf(await ended, "interrupted");
  assert.equal(isAlive(pid), false);
});

onLinux("in need it is killed at once as well", async (folder) => {
  const there = away('trap "" TERM; echo "pid=$$" > pid; while :; do sleep 0.01 || :; done');
  const { says, ended } = await run(({ $ }) => $`sh -c ${`${there}; echo ready; sleep 1000`}`);
  await says("ready");
  const pid = await pidFrom(folder, "pid");
  killAll();
  failureOf(await ended, "exit");
  await gone(pid);
});

onLinux("what has left the group of a recipe that failed is ended as well", async (folder) => {
  const there = away('echo "pid=$$" > pid; exec sleep 1000');
  const { ended } = await run(({ $ }) => $`sh -c ${`${there}; exit 3`}`);
  failureOf(await ended, "exit");
  await gone(await pidFrom(folder, "pid"));
});

onLinux("a recipe that a recipe's dmake runs is known as its own and as that one's", async () => {
  process.env.DMAKE_ATTEMPT = "outer";
  try {
    const child = { env: { DMAKE_ATTEMPT: "inner", DMAKE_RUN: "here" }, descriptors: [] };
    const { ended, logged } = await run(({ $ }) => $`echo $DMAKE_ATTEMPT $DMAKE_RUN`, [], undefined, {
      child,
    });
    must(await ended);
    assert.equal(logged(), "outer/inner here\n");
  } finally {
    delete process.env.DMAKE_ATTEMPT;
  }
});

story("what outlives its shell is asked once, and has its ten seconds too", async (folder) => {
  const stop = new AbortController();
  // Longer than what a command that ended by itself has left is given.
  const busy = `trap "echo asked >> log; n=1" TERM; echo ready; while [ -z "$n" ]; do sleep 0.01 || :; done; sleep 0.5; echo bye >> log`;
  const { says, ended } = await run(({ $ }) => $`sh -c ${busy} & sleep 1000`, [], stop.signal);
  await says("ready");
  stop.abort();
  failureOf(await ended, "interrupted");
  assert.equal(folder.read("log"), "asked\nbye\n");
});

onLinux("who has gone away and holds the pipes is not waited for", async (folder) => {
  const holder = `setsid sh -c 'echo "pid=$$" > pid; exec sleep 1000' & while [ ! -s pid ]; do sleep 0.01; done; echo end`;
  const { ended, logged } = await run(({ $ }) => $`sh -c ${holder}`);
  const started = performance.now();
  must(await ended);
  assert.ok(performance.now() - started < 5_000);
  assert.equal(logged(), "end\n");
  process.kill(await pidFrom(folder, "pid"), "SIGKILL");
});

story("a command has what its job gives it: variables, and descriptors from 4 on", async (folder) => {
  const files = ["one", "two"].map((text) => openSync(folder.write(text, text), "r"));
  const given = { child: { env: { GIVEN: "a b" }, descriptors: files } };
  const asked = `echo "[$GIVEN]"; cat <&4; cat <&5; (: <&3) 2>/dev/null || echo no 3; echo "$PATH"`;
  const short = await run(({ $ }) => $`sh -c ${asked}`, [], undefined, given);
  must(await short.ended);
  const said = `[a b]\nonetwono 3\n${process.env.PATH}\n`;
  assert.equal(short.logged(), said);
  for (const file of files) closeSync(file);
  const again = ["one", "two"].map((text) => openSync(folder.path(text), "r"));
  const more = { child: { env: { GIVEN: "a b" }, descriptors: again } };
  const long = await run(({ $ }) => $`sh -c ${asked}; : ${"x".repeat(200_000)}`, [], undefined, more);
  must(await long.ended);
  assert.equal(long.logged(), said);
  for (const file of again) closeSync(file);
});

/** Runs one recipe in a process of its own, in the current folder. */
function apart(how: string, command: string, before: readonly string[] = [], input = "") {
  const child = join(import.meta.dirname, "shell-child.ts");
  const words = [process.execPath, "--import", import.meta.resolve("tsx"), child, how, command];
  const [program = "", ...rest] = [...before, ...words];
  const { stdout, stderr } = spawnSync(program, rest, { encoding: "utf8", input });
  const lines = stderr.trimEnd().split("\n");
  return { stdout, stderr, ...JSON.parse(lines.at(-1) ?? "") };
}

const group = "read -r a < /proc/$$/stat; echo $a";

story("a command that holds the console has our stdin and stdout, and nothing is logged", async () => {
  const { stdout, logged, result } = apart("stdout", "read x; echo got $x; echo err >&2", [], "hello\n");
  assert.deepEqual([stdout, logged, result.ok], ["got hello\n", "", true]);
  const other = apart("stderr", "read x; echo got $x", [], "hello\n");
  assert.equal(other.stdout, "");
  assert.match(other.stderr, /^got hello\n/);
  const none = apart("log", "read x || echo got nothing", [], "hello\n");
  assert.deepEqual([none.stdout, none.logged], ["", "got nothing\n"]);
});

const noTerminal = skip || (spawnSync("script", ["--version"]).error ? "there is no `script`" : false);
test("it can read the terminal", { timeout: 20_000, skip: noTerminal }, () => {
  const child = join(import.meta.dirname, "shell-child.ts");
  const inner = `"${process.execPath}" --import "${import.meta.resolve("tsx")}" "${child}" stdout 'read x < /dev/tty; echo got $x'`;
  const { stdout } = spawnSync("script", ["-qec", inner, "/dev/null"], {
    encoding: "utf8",
    input: "hello\n",
    timeout: 15_000,
  });
  assert.match(stdout, /got hello\r?\n/);
  assert.match(stdout, /"ok":true/);
});

onLinux("an interrupt ends it and all it has started, though they are in our group", async (folder) => {
  const stop = new AbortController();
  const busy = `trap "echo asked >> log; exit" TERM; ${group} > group; sleep 1000 & echo "pid=$!" > one; setsid sh -c 'echo "pid=$$" > two; exec sleep 1000' & wait`;
  const { ended } = await run(({ $ }) => $`sh -c ${busy}`, [], stop.signal, { terminal: "stderr" });
  const pids = [await pidFrom(folder, "one"), await pidFrom(folder, "two")];
  const groupOf = (stat: string) => stat.split(") ")[1]!.split(" ")[2];
  assert.equal(groupOf(folder.read("group")), groupOf(readFileSync("/proc/self/stat", "utf8")));
  stop.abort();
  failureOf(await ended, "interrupted");
  assert.deepEqual(pids.map(isAlive), [false, false]);
  assert.equal(folder.read("log"), "asked\n");
});

onLinux("what it has left running when it ends is ended", async (folder) => {
  const left = `sleep 1000 >/dev/null 2>&1 & echo "pid=$!" > one`;
  must(await (await run(({ $ }) => $`sh -c ${left}`, [], undefined, { terminal: "stderr" })).ended);
  assert.equal(isAlive(await pidFrom(folder, "one")), false);
});

story("without a descriptor to spare no command is run, which is said, and the next one runs", async () => {
  const limited = ["sh", "-c", 'ulimit -n 100; exec "$@"', "sh"];
  const { result, again } = apart("no-files", "true", limited);
  assert.equal(result.ok, false);
  assert.equal(result.error.reason, "cannot-run");
  assert.match(result.error.message, /^too many files are open \(EMFILE\)/);
  assert.equal(again, true);
});

story("why a command could not be started is said in words", async () => {
  const error = (code: string) => Object.assign(new Error(`spawn /bin/sh ${code}`), { code });
  for (const [code, words] of [
    ["EAGAIN", /too many processes/],
    ["ENOMEM", /not enough memory/],
    ["E2BIG", /environment is too large/],
    ["ENOENT", /^spawn \/bin\/sh ENOENT$/],
  ] as const)
    assert.match(whyNot(error(code)), words);
  const child = { env: { HUGE: "x".repeat(3_000_000) }, descriptors: [] };
  const { ended } = await run(({ $ }) => $`true`, [], undefined, { child });
  assert.match(failureOf(await ended, "cannot-run").message, /E2BIG/);
});
