#!/usr/bin/env node
// The program: arguments in, exit code out, signals in between. The only file that sees its own process; knows nothing of how a command is carried out.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { inspect } from "node:util";
import type { Ending, Surroundings } from "./project.js";
import type { Screen } from "./render.js";

const exitCodes: Readonly<Record<Ending, number>> = { good: 0, failed: 1, refused: 2, stale: 3, busy: 75 };
const signalCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
/** What a shell says of a program that SIGPIPE ended, as it ends those that write to a reader that has gone. */
const pipeCode = 141;

process.setSourceMapsEnabled(true);

const aborting = new AbortController();
/** The exit code of whatever ended the run before its time. */
let cut: number | undefined;

function stop(code: number): void {
  cut ??= code;
  // Also where what was thrown has left a promise that nobody will settle: Node would end with 13.
  process.exitCode = cut;
  aborting.abort();
}

/** The first signal stops the build in order; a second one at once, and whatever still runs with it. */
async function onSignal(signal: keyof typeof signalCodes): Promise<void> {
  if (cut === undefined) return stop(signalCodes[signal]);
  const { killAll } = await import("../recipes/shell.js");
  killAll();
  isLeaving = true;
  process.exit(signalCodes[signal]);
}

const signals = Object.keys(signalCodes) as (keyof typeof signalCodes)[];
const listener = (signal: NodeJS.Signals) => void onSignal(signal as keyof typeof signalCodes);

/**
 * From now on a signal stops the work in order. Before, while the Datafile is evaluated, there is nothing to put in
 * order, and an endless loop in it must die as any program does.
 */
function interruptible(): AbortSignal {
  mortal();
  for (const signal of signals) process.on(signal, listener);
  return aborting.signal;
}

/** From now on a signal ends the process again. */
function mortal(): void {
  for (const signal of signals) process.off(signal, listener);
}

/** On a terminal, a line without an end that the next line replaces. */
function screenOf(): Screen {
  const terminal = process.stderr.isTTY && process.stdout.isTTY && process.env.TERM !== "dumb";
  let shown = false;
  const clear = () => {
    if (shown) process.stderr.write("\r\x1b[K");
    shown = false;
  };
  const transient = (line: string) => {
    clear();
    if (line === "") return;
    const columns = process.stderr.columns ?? 80;
    process.stderr.write(line.length < columns ? line : `${line.slice(0, columns - 2)}…`);
    shown = true;
  };
  const writer = (stream: NodeJS.WriteStream) => (line: string) => {
    clear();
    stream.write(`${line}\n`);
  };
  return {
    out: writer(process.stdout),
    err: writer(process.stderr),
    transient: terminal ? transient : undefined,
    coloured: process.stdout.isTTY === true && process.env.TERM !== "dumb" && !process.env.NO_COLOR,
  };
}

/** A folder that was removed has no path: Node throws wherever somebody asks for it. */
function isSomewhere(): boolean {
  try {
    process.cwd();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** Node keeps the path from now on, also if the folder is removed while the build runs. */
function changeDirectory(path: string): void {
  process.chdir(path);
  process.cwd();
  // All recipes run in this one process, and their paths are relative.
  process.chdir = () => {
    throw new Error(
      "a recipe cannot change the folder of dmake itself: use absolute paths, or `cwd` of what it starts",
    );
  };
}

async function main(): Promise<number> {
  const screen = screenOf();
  if (!isSomewhere()) {
    screen.err("error: the current folder is not there any more\nhelp: `cd` to where the project is now");
    return exitCodes.refused;
  }
  // Loaded here, so that what prevents it can be told in a sentence.
  const { readCommandLine } = await import("./command-line.js");
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const read = await readCommandLine(process.argv.slice(2), version);
  if (!read.ok) {
    screen.err((await import("./diagnose.js")).diagnose(read.error));
    return exitCodes.refused;
  }
  const command = read.value;
  const around: Surroundings = {
    screen,
    env: process.env,
    interruptible,
    mortal,
    cores: availableParallelism(),
    changeDirectory,
    onExit: (work) => void process.on("exit", work),
  };
  switch (command.verb) {
    case "shown":
      screen.out(command.text);
      return 0;
    case "build":
      return exitCodes[await (await import("./commands.js")).runBuild(command, around)];
    case "status":
      return exitCodes[await (await import("./status.js")).runStatus(command, around)];
    case "verify":
      return exitCodes[await (await import("./verify.js")).runVerify(command, around)];
    case "why":
      return exitCodes[await (await import("./why.js")).runWhy(command, around)];
    case "adopt":
      return exitCodes[await (await import("./adopt.js")).runAdopt(command, around)];
    case "clean":
      return exitCodes[await (await import("./clean.js")).runClean(command, around)];
    case "db":
      return exitCodes[await (await import("./database.js")).runDb(command, around)];
    case "sql":
      return exitCodes[await (await import("./database.js")).runSql(command, around)];
  }
}

/**
 * A reader that has seen enough (`dmake | head`), or a full disk under a log: the build stops in order, for nobody would
 * learn of what it does. What is done is recorded.
 */
for (const [name, stream] of [
  ["stdout", process.stdout],
  ["stderr", process.stderr],
] as const)
  stream.on("error", ({ code, message }: NodeJS.ErrnoException) => {
    if (code === "EPIPE") return stop(pipeCode);
    const why = code === "ENOSPC" ? "the disk is full (ENOSPC)" : message;
    if (cut === undefined) process.stderr.write(`error: cannot write to ${name}: ${why}\n`);
    stop(exitCodes.failed);
  });

// A timer or a promise of the Datafile that nobody waits for: not ours to hide, and no reason to leave a mess.
for (const event of ["uncaughtException", "unhandledRejection"] as const)
  process.on(event, (error: unknown) => {
    process.stderr.write(`error: thrown where nobody waits for it: ${inspect(error)}\n`);
    stop(exitCodes.failed);
  });

let isLeaving = false;

/** A function of the Datafile that calls `process.exit(0)` must not look like a build that went well. */
process.on("exit", () => {
  if (isLeaving) return;
  process.stderr.write(
    "error: something in the Datafile ended dmake (`process.exit`): what was left is not built\n",
  );
  process.exitCode = exitCodes.failed;
});

/** Ends although something of the Datafile may still keep Node alive, but not before everything is written. */
async function leave(code: number): Promise<never> {
  const streams = [process.stdout, process.stderr];
  await Promise.all(streams.map((stream) => new Promise((resolve) => stream.write("", resolve))));
  isLeaving = true;
  process.exit(code);
}

/** Of a limit that is too low to load dmake's own modules with. Tells of it. */
function isOutOfFiles(error: unknown): boolean {
  if ((error as NodeJS.ErrnoException | undefined)?.code !== "EMFILE") return false;
  process.stderr.write("error: too many open files (EMFILE)\nhelp: allow more of them: `ulimit -n 1024`\n");
  return true;
}

try {
  const code = await main();
  await leave(cut ?? code);
} catch (error) {
  if (isOutOfFiles(error)) await leave(cut ?? exitCodes.failed);
  // Expected failures are values; what is thrown up to here is dmake's own fault, and its stack is what helps.
  process.stderr.write(`this is a bug in dmake, please report it:\n${inspect(error)}\n`);
  const { killAll } = await import("../recipes/shell.js");
  killAll();
  await leave(cut ?? exitCodes.failed);
}
