// A command that was started: its number, what it prints, how it ends. Knows nothing of who starts it or what it is for.
import type { ChildProcess } from "node:child_process";
import { setImmediate as turn, setTimeout as wait } from "node:timers/promises";

/** Once the command has ended, silence for so long means that all it printed is read. */
const quietMs = 100;
/** Whoever prints on and on after the command has ended is listened to no longer than this. */
const drainMs = 1_000;

export interface Ended {
  readonly code: number | null;
  readonly killedBy: NodeJS.Signals | null;
  /** Why it could not be started. */
  readonly error?: Error;
  /** Whoever saw to it is gone: nobody will tell how it ends. */
  readonly lost?: true;
}

export interface Command {
  /** The number of its shell; nothing as long as that is not known, and for ever where it could not be started. */
  readonly pid: number | undefined;
  /** Resolves when there is nothing more to know of `pid`. */
  readonly begun: Promise<void>;
  readonly exited: Promise<Ended>;
  /** Resolves once all is read that it had printed. To be asked when it has ended. */
  heard(): Promise<void>;
}

/** A command that is our own child. `log` is given what it prints. */
export function commandOf(child: ChildProcess, log: (text: string) => void): Command {
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", log);
  const closed = new Promise<true>((resolve) => child.once("close", () => resolve(true)));
  const exited = new Promise<Ended>((resolve) => {
    child.once("error", (error) => resolve({ code: null, killedBy: null, error }));
    child.once("exit", (code, killedBy) => resolve({ code, killedBy }));
  });
  return { pid: child.pid, begun: Promise.resolve(), exited, heard: () => drained(child, closed) };
}

/** One that could not be started. */
export const failedCommand = (error: Error): Command => ({
  pid: undefined,
  begun: Promise.resolve(),
  exited: Promise.resolve({ code: null, killedBy: null, error }),
  heard: () => Promise.resolve(),
});

/** Reads what a command that has ended has printed. Somebody it left behind may hold its pipes open for ever. */
async function drained(child: ChildProcess, closed: Promise<true>): Promise<void> {
  let until = performance.now() + drainMs;
  let heard = true;
  const onData = () => {
    heard = true;
  };
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", onData);
  while (heard && performance.now() < until) {
    heard = false;
    if (await Promise.race([closed, silence()])) break;
    // What is held up is no silence: whoever it is for has to read other things first.
    if (!child.stdout?.isPaused() && !child.stderr?.isPaused()) continue;
    heard = true;
    until = performance.now() + drainMs;
  }
  for (const stream of child.stdio) stream?.destroy();
}

async function silence(): Promise<false> {
  await wait(quietMs, undefined, { ref: false });
  // Of a process that was busy all the while, the timers come before what is waiting in its pipes.
  await turn();
  return false;
}
