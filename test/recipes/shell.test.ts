// Shell commands: every value one word, the first failure the end, nothing left running. Told with a real shell.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mock, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { type Dollar, sh } from "../../src/index.js";
import { runShell } from "../../src/recipes/shell.js";
import { type Folder, inFolder } from "../rig/project.js";
import { failureOf, must } from "../rig/world.js";
import { declared, jobFor, stepFor } from "./jobs.js";

const story = (name: string, work: (folder: Folder) => Promise<void>) =>
  test(name, { timeout: 20_000 }, () => inFolder(work));

interface Paths {
  readonly $: Dollar;
  readonly inputs: readonly string[];
  readonly output: string;
}

/** Runs a command whose output is `out`. */
async function run(
  command: (paths: Paths) => ReturnType<Dollar>,
  inputs: readonly string[] = [],
  signal?: AbortSignal,
) {
  const { step, recipe } = stepFor(await declared(() => sh("out", {}, command)), "sh", inputs);
  const running = jobFor(step, signal);
  return { ...running, ended: runShell(recipe, running.job) };
}

/** What a shell takes these values for, word by word. */
async function words(values: readonly (string | number)[]): Promise<string[]> {
  const { ended } = await run(({ $, output }) => $`printf '%s\\0' ${values} > ${output}`);
  must(await ended);
  return readFileSync("out.tmp", "utf8").split("\0").slice(0, -1);
}

const nasty = [
  "",
  " ",
  "a b",
  "'",
  '"',
  "''",
  "it's",
  "$HOME",
  "$(date)",
  "`date`",
  "\\",
  "\\n",
  "a\\'b",
  "\n",
  "a\nb\n",
  "\t",
  "-rf",
  "--",
  "*",
  "?",
  "[a-z]",
  "{a,b}",
  "~",
  "~root",
  "!",
  "#",
  "a#b",
  ";",
  "&",
  "|",
  "<",
  ">",
  "(",
  ")",
  "a=b",
  "A=1",
  "%s",
  "ü",
  "日本語",
  "😀",
  "\u2028",
  "\r",
  "\u0001",
  "\u007f",
  "$'x'",
  "$$",
  "${x}",
  "if",
  "x".repeat(5_000),
];

story("every value is one word, whatever it holds", async () => {
  assert.deepEqual(await words(nasty), nasty);
  assert.deepEqual(await words([42, -1, 1.5, 1e21]), ["42", "-1", "1.5", "1e+21"]);
});

story("values that nobody thought of are words as well", async () => {
  const value = fc.string({ unit: "binary", maxLength: 12 }).filter((text) => !text.includes("\0"));
  await fc.assert(
    fc.asyncProperty(fc.array(value, { minLength: 1, maxLength: 200 }), async (values) => {
      assert.deepEqual(await words(values), values);
    }),
    { numRuns: 25 },
  );
});

story("a value in the place of a command is a word and no assignment", async () => {
  const { ended, logged } = await run(({ $ }) => $`${"A=1"} || echo is no command; echo "[$A]"`);
  must(await ended);
  assert.match(logged(), /is no command\n\[\]/);
});

story("names of files are words too, and none is taken for an option", async (folder) => {
  const names = ["a b", "-n", "q'u\"o", "$x", "new\nline", "*"];
  for (const name of names) folder.write(name, `${name};`);
  const { ended } = await run(({ $, inputs, output }) => $`cat ${inputs} > ${output}`, names);
  must(await ended);
  assert.equal(folder.read("out.tmp"), names.map((name) => `${name};`).join(""));
});

story("commands are put together from commands, and from nothing else that has a text", async () => {
  const { ended, logged } = await run(({ $ }) => $`${$`echo one`} && ${$`echo ${"two three"}`}`);
  must(await ended);
  assert.equal(logged(), "one\ntwo three\n");
  for (const value of [
    { text: "echo injected" },
    undefined,
    null,
    true,
    ["a", undefined],
    [{ text: "x" }],
    () => 1,
  ]) {
    const { ended } = await run(({ $ }) => $`echo ${value as unknown as string}`);
    assert.match(failureOf(await ended, "datafile-threw").message, /stands in a command/);
  }
});

story("a value that no program can be given is refused", async () => {
  const { ended } = await run(({ $ }) => $`echo ${"a\0b"}`);
  assert.match(failureOf(await ended, "datafile-threw").message, /NUL/);
});

story("a backslash that JavaScript drops is refused, and not run as `undefined`", async () => {
  const { ended } = await run(({ $ }) => $`echo ab | sed 's/\(a\)/\1/'`);
  assert.match(failureOf(await ended, "datafile-threw").message, /backslash/);
});

story("what a command prints is logged, both streams of it, and its input is empty", async () => {
  const { ended, logged } = await run(({ $ }) => $`echo out; echo err >&2; cat; echo end`);
  must(await ended);
  assert.deepEqual(logged().split("\n").sort(), ["", "end", "err", "out"]);
});

story("the first line that fails ends the command", async () => {
  const { ended } = await run(
    ({ $, output }) => $`
    false
    echo late > ${output}
  `,
  );
  const failure = failureOf(await ended, "exit");
  assert.deepEqual([failure.code, failure.signal], [1, null]);
  assert.equal(existsSync("out.tmp"), false);
});

story("a failure tells the exit code, or the signal, and the command with its final names", async () => {
  const exit = failureOf(await (await run(({ $, output }) => $`exit 3 > ${output}`)).ended, "exit");
  assert.deepEqual(exit, { reason: "exit", command: "exit 3 > out", code: 3, signal: null });
  const killed = failureOf(await (await run(({ $ }) => $`kill -KILL $$`)).ended, "exit");
  assert.deepEqual([killed.code, killed.signal], [null, "SIGKILL"]);
  const unknown = failureOf(await (await run(({ $ }) => $`${"no-such-program-here"}`)).ended, "exit");
  assert.equal(unknown.code, 127);
});

story("a failure shows neither a password nor more of a command than can be read", async () => {
  const { ended } = await run(({ $ }) => $`false postgres://me:hunter2@db/taxi ${"x".repeat(1_000)}`);
  const { command } = failureOf(await ended, "exit");
  assert.equal(command.includes("hunter2"), false);
  assert(command.length <= 401);
});

story("a command may begin with a dash, and be a comment", async () => {
  assert.equal(failureOf(await (await run(({ $ }) => $`-no-such-program`)).ended, "exit").code, 127);
  must(await (await run(({ $ }) => $`# nothing`)).ended);
});

story(
  "a command with the names of ten thousand inputs runs, with -e and its input empty as any other",
  async () => {
    const inputs = Array.from({ length: 10_000 }, (_, i) => `data/raw/green_tripdata_${i}.csv.gz`);
    const long = await run(
      ({ $, inputs, output }) => $`cat; printf '%s\\n' ${inputs} | wc -l > ${output}`,
      inputs,
    );
    must(await long.ended);
    assert.equal(readFileSync("out.tmp", "utf8").trim(), "10000");
    const failing = await run(
      ({ $, inputs }) => $`${$`false`}
echo ${inputs}`,
      inputs,
    );
    assert.equal(failureOf(await failing.ended, "exit").code, 1);
    assert.equal(failing.logged(), "");
  },
);

/** Whether a process does anything: one that nobody has collected yet does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync("/proc/self/stat") || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

const gone = async (pid: number) => {
  while (isAlive(pid)) await setImmediate();
};
const pidIn = (text: string) => Number(/pid=(\d+)\n/.exec(text)?.[1]);

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

story("also what keeps nothing open and will not hear", async () => {
  const stop = new AbortController();
  const deaf = `trap "" TERM; echo "pid=$$" >&3; exec >/dev/null 2>&1 3>&-; while :; do sleep 1000; done`;
  const { says, ended } = await run(
    ({ $ }) => $`sh -c ${deaf} 3>&1 >/dev/null 2>&1 & sleep 1000`,
    [],
    stop.signal,
  );
  const pid = pidIn(await says("\n"));
  stop.abort();
  failureOf(await ended, "interrupted");
  await gone(pid);
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
