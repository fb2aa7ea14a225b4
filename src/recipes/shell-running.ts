// A command that runs, with all that it has started: asks them to end, waits, kills. Knows nothing of what the command is for.
import { setInterval as ticks, setTimeout as wait } from "node:timers/promises";
import { findMarked, groupLives, killMarked, send, stopMarked } from "../system/orphans.js";
import type { Command, Ended } from "./shell-command.js";
import { endStarter } from "./shell-elsewhere.js";

/** How long a command, and what it has started, may take to end by itself after SIGTERM. */
const graceMs = 10_000;
/** How long what a command has left running may take to end after SIGTERM. */
const leftoverGraceMs = 200;
/** A killed process that is still there after so long hangs in the kernel. */
const deathMs = 1_000;
const pollMs = 10;
const live = new Set<Running>();

/** Kills every command that is still running, and all they started. */
export function endAll(): void {
  endStarter();
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
  readonly #command: Command;
  readonly #hold: Hold;
  /** Who has been asked to end, other than by the group. */
  #asked: readonly number[] = [];
  #last: NodeJS.Timeout | undefined;
  readonly #killed = new AbortController();

  constructor(command: Command, hold: Hold) {
    this.#command = command;
    this.#hold = hold;
  }

  ask(): void {
    this.#last = setTimeout(() => this.kill(), graceMs);
    const { pid, begun } = this.#command;
    if (pid !== undefined) this.#askNow(pid);
    else void begun.then(() => this.#command.pid !== undefined && this.#askNow(this.#command.pid));
  }

  /** Each process is asked once: to a dmake in a recipe a second signal means "at once". */
  #askNow(shell: number): void {
    const { mark, grouped } = this.#hold;
    if (grouped) return void send(-shell, "SIGTERM");
    const started = findMarked([mark]).get(mark) ?? [];
    this.#asked = [...new Set([shell, ...started])];
    for (const pid of this.#asked) send(pid, "SIGTERM");
  }

  kill(): void {
    const { mark, grouped } = this.#hold;
    const { pid } = this.#command;
    this.#killed.abort();
    if (pid !== undefined) send(grouped ? -pid : pid, "SIGKILL");
    killMarked([mark]);
  }

  /** The shell has ended because it was asked to: what it has started has the rest of the ten seconds, wherever it is. */
  async gone(): Promise<void> {
    const { mark, grouped } = this.#hold;
    if (grouped) await this.#groupGone(this.#command.pid ?? 0);
    const asked = this.#asked;
    await stopMarked([mark], { graceMs: Number.POSITIVE_INFINITY, signal: this.#killed.signal, asked });
  }

  async #groupGone(leader: number): Promise<void> {
    if (!send(-leader, 0)) return;
    let killedAt: number | undefined;
    let look = 0;
    for await (const _ of ticks(pollMs)) {
      if (this.#killed.signal.aborted) killedAt ??= performance.now();
      if (killedAt !== undefined && performance.now() > killedAt + deathMs) return;
      // Whether all of them are dead and nobody collects them is asked less often: it takes a look at each process.
      if (!send(-leader, 0) || (look++ % 25 === 10 && !groupLives(leader))) return;
    }
  }

  /**
   * The shell has ended by itself. In most cases it has left nobody, and this takes no time. Who has left the group is
   * looked for after a failure only: that is a look at all processes of the machine.
   */
  async endLeftovers(hasFailed: boolean): Promise<void> {
    const { mark, grouped } = this.#hold;
    if (grouped) await this.#endGroup(this.#command.pid ?? 0);
    if (!grouped || hasFailed) await stopMarked([mark], { graceMs: leftoverGraceMs });
  }

  async #endGroup(leader: number): Promise<void> {
    if (!send(-leader, "SIGTERM")) return;
    const until = performance.now() + leftoverGraceMs;
    while (performance.now() < until) {
      await wait(pollMs);
      if (!send(-leader, 0)) return;
    }
    send(-leader, "SIGKILL");
  }

  over(): void {
    clearTimeout(this.#last);
  }
}

/** Waits for the end of a command, and sees to that of everything it started. The signal asks all of them to end. */
export async function endOf(command: Command, hold: Hold, signal: AbortSignal): Promise<Ended> {
  const running = new Running(command, hold);
  live.add(running);
  const ask = () => running.ask();
  signal.addEventListener("abort", ask, { once: true });
  try {
    const ended = await command.exited;
    if (ended.lost) running.kill();
    if (command.pid === undefined) return ended;
    if (signal.aborted) await running.gone();
    await command.heard();
    if (!signal.aborted) await running.endLeftovers(ended.code !== 0);
    return ended;
  } finally {
    signal.removeEventListener("abort", ask);
    running.over();
    live.delete(running);
  }
}
