#!/usr/bin/env node
// The program: arguments in, exit code out, signals in between. The only file that sees its own process; knows nothing of how a command is carried out.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { inspect } from "node:util";
import type { Ending, Surroundings } from "./commands.js";
import { diagnose } from "./diagnose.js";
import { readCommandLine } from "./options.js";
import type { Screen } from "./render.js";

const exitCodes: Readonly<Record<Ending, number>> = { good: 0, failed: 1, refused: 2, stale: 3 };
const signalCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

process.setSourceMapsEnabled(true);

let interrupted: number | undefined;
const aborting = new AbortController();

/** The first signal stops the build in order, a second one at once. */
function onSignal(signal: keyof typeof signalCodes): void {
  if (interrupted !== undefined) process.exit(signalCodes[signal]);
  interrupted = signalCodes[signal];
  aborting.abort();
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
  };
}

async function main(): Promise<number> {
  const screen = screenOf();
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const read = await readCommandLine(process.argv.slice(2), version);
  if (!read.ok) {
    screen.err(diagnose(read.error));
    return exitCodes.refused;
  }
  const command = read.value;
  const around: Surroundings = {
    screen,
    env: process.env,
    signal: aborting.signal,
    cores: availableParallelism(),
    changeDirectory: (path) => process.chdir(path),
  };
  for (const signal of Object.keys(signalCodes) as (keyof typeof signalCodes)[])
    process.on(signal, () => onSignal(signal));
  switch (command.verb) {
    case "shown":
      screen.out(command.text);
      return 0;
    case "build":
      return exitCodes[await (await import("./commands.js")).runBuild(command, around)];
    case "db":
      return exitCodes[await (await import("./database.js")).runDb(command, around)];
    case "sql":
      return exitCodes[await (await import("./database.js")).runSql(command, around)];
  }
}

// A reader that has seen enough (`dmake | head`) ends the output, not the build's honesty about it.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    aborting.abort();
  });

try {
  const code = await main();
  process.exitCode = interrupted ?? code;
} catch (error) {
  // Expected failures are values; what is thrown up to here is dmake's own fault, and its stack is what helps.
  process.stderr.write(`this is a bug in dmake, please report it:\n${inspect(error)}\n`);
  process.exit(interrupted ?? exitCodes.failed);
}
