// A command that runs, with all that it has started: asks them to end, waits, kills. Knows nothing of what the command is for.
import type { ChildProcess } from "node:child_process";
import { setInterval as ticks, setImmediate as turn, setTimeout as wait } from "node:timers/promises";
import { findMarked, groupLives, killMarked, send, stopMarked } from "../system/orphans.js";

/** How long a command, and what it has started, may take to end by itself after SIGTERM. */
const graceMs = 10_000;
/** How long what a command has left running may take to end after SIGTERM. */
const leftoverGraceMs = 200;
/** A killed process that is still there after so long hangs in the kernel. */
const deathMs = 1_000;
const pollMs = 10;
/** Once the command has ended, silence for so long means that all it printed is read. */
const quietMs = 100;
/** Whoever prints on and on after the command has ended is listened to no longer than this. */
const drainMs = 1_000;

export interface Ended {
  readonly code: number | null;
  readonly killedBy: NodeJS.Signals | null;
  /** Why it could not be started. */
  readonly error?: Error;
}

const live = new Set<Running>();

/** Kills every command that is still running, and all they started. */
export function endAll(): void {
  for (const running of live) running.kill();
}

/** How a command is held. */
export interface Hold {
  /** What it and all that it starts carry in their environment. */
  readonly mark: string;
  /** Whether it leads a process group of its own; otherwise it is in ours, and only those that carry the mark are its. */
  readonly grouped: boolean;
}

//  running ──abort──► asked to end ──10 s──► killed       (any) ──its shell ends──► what is left is ended ──► over
/** Lives from the start of a command to the end of all that it has started. */
class Running {
  readonly #pid: number;
  readonly #hold: Hold;
  /** Who has been asked to end, other than by the group. */
  #asked: readonly number[] = [];
  #last: NodeJS.Timeout | undefined;
  readonly #killed = new AbortController();

  constructor(pid: number, hold: Hold) {
    this.#pid = pid;
    this.#hold = hold;
  }

  /** Each process is asked once: to a dmake in a recipe a second signal means "at once". */
  ask(): void {
    const { mark, grouped } = this.#hold;
    this.#last = setTimeout(() => this.kill(), graceMs);
    if (grouped) return void send(-this.#pid, "SIGTERM");
    const started = findMarked([mark]).get(mark) ?? [];
    this.#asked = [...new Set([this.#pid, ...started])];
    for (const pid of this.#asked) send(pid, "SIGTERM");
  }

  kill(): void {
    const { mark, grouped } = this.#hold;
    this.#killed.abort();
    send(grouped ? -this.#pid : this.#pid, "SIGKILL");
    killMarked([mark]);
  }

  /** The shell has ended because it was asked to: what it has started has the rest of the ten seconds, wherever it is. */
  async gone(): Promise<void> {
    const { mark, grouped } = this.#hold;
    if (grouped) await this.#groupGone();
    const asked = this.#asked;
    await stopMarked([mark], { graceMs: Number.POSITIVE_INFINITY, signal: this.#killed.signal, asked });
  }

  async #groupGone(): Promise<void> {
    if (!send(-this.#pid, 0)) return;
    let killedAt: number | undefined;
    let look = 0;
    for await (const _ of ticks(pollMs)) {
      if (this.#killed.signal.aborted) killedAt ??= performance.now();
      if (killedAt !== undefined && performance.now() > killedAt + deathMs) return;
      // Whether all of them are dead and nobody collects them is asked less often: it takes a look at each process.
      if (!send(-this.#pid, 0) || (look++ % 25 === 10 && !groupLives(this.#pid))) return;
    }
  }

  /**
   * The shell has ended by itself. In most cases it has left nobody, and this takes no time. Who has left the group is
   * looked for after a failure only: that is a look at all processes of the machine.
   */
  async endLeftovers(hasFailed: boolean): Promise<void> {
    const { mark, grouped } = this.#hold;
    if (grouped) await this.#endGroup();
    if (!grouped || hasFailed) await stopMarked([mark], { graceMs: leftoverGraceMs });
  }

  async #endGroup(): Promise<void> {
    if (!send(-this.#pid, "SIGTERM")) return;
    const until = performance.now() + leftoverGraceMs;
    while (performance.now() < until) {
      await wait(pollMs);
      if (!send(-this.#pid, 0)) return;
    }
    send(-this.#pid, "SIGKILL");
  }

  over(): void {
    clearTimeout(this.#last);
  }
}

/** Waits for the end of a command, and sees to that of everything it started. The signal asks all of them to end. */
export async function endOf(child: ChildProcess, hold: Hold, signal: AbortSignal): Promise<Ended> {
  const closed = new Promise<true>((resolve) => child.once("close", () => resolve(true)));
  const exited = new Promise<Ended>((resolve) => {
    child.once("error", (error) => resolve({ code: null, killedBy: null, error }));
    child.once("exit", (code, killedBy) => resolve({ code, killedBy }));
  });
  if (child.pid === undefined) return exited;
  const running = new Running(child.pid, hold);
  live.add(running);
  const ask = () => running.ask();
  signal.addEventListener("abort", ask, { once: true });
  try {
    const ended = await exited;
    if (signal.aborted) await running.gone();
    await drained(child, closed);
    if (!signal.aborted) await running.endLeftovers(ended.code !== 0);
    return ended;
  } finally {
    signal.removeEventListener("abort", ask);
    running.over();
    live.delete(running);
  }
}

/** Reads what a command that has ended has printed. Somebody it left behind may hold its pipes open for ever. */
async function drained(child: ChildProcess, closed: Promise<true>): Promise<void> {
  const until = performance.now() + drainMs;
  let heard = true;
  const onData = () => {
    heard = true;
  };
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", onData);
  while (heard && performance.now() < until) {
    heard = false;
    if (await Promise.race([closed, silence()])) break;
  }
  for (const stream of child.stdio) stream?.destroy();
}

async function silence(): Promise<false> {
  await wait(quietMs, undefined, { ref: false });
  // Of a process that was busy all the while, the timers come before what is waiting in its pipes.
  await turn();
  return false;
}
