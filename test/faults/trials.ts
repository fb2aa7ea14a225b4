// Counts trials, runs those that are asked for, keeps their differences with what replays them. Knows nothing of what is tried.
import { AssertionError } from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import pLimit from "p-limit";

export interface Wanted {
  readonly quick: boolean;
  readonly seed: number;
  /** The one trial to run, by its name, or a part of it; all without. */
  readonly point?: string | undefined;
  /** So many points of each story that is killed, drawn by the seed; all without. */
  readonly points?: number | undefined;
  /** Go on after a difference. */
  readonly all: boolean;
  readonly binary: string;
  /** An empty folder, gone afterwards. */
  readonly scratch: string;
  /** How many run at once. */
  readonly jobs: number;
}

export interface Difference {
  readonly trial: string;
  readonly message: string;
}

let isInterrupted = false;

/** What has begun is brought to its end, nothing else is tried. */
export function interrupt(): void {
  isInterrupted = true;
}

/** What one harness tried, in parts. Lives for one harness. */
export class Trials {
  readonly harness: string;
  readonly wanted: Wanted;
  readonly differences: Difference[] = [];
  /** Part → points tried. */
  readonly points = new Map<string, number>();
  readonly skipped: string[] = [];

  constructor(harness: string, wanted: Wanted) {
    this.harness = harness;
    this.wanted = wanted;
  }

  get isOver(): boolean {
    return isInterrupted || (this.differences.length > 0 && !this.wanted.all);
  }

  /** Whether any trial of this part may be asked for: if not, it need not be prepared. */
  isWanted(part: string): boolean {
    const { point = "" } = this.wanted;
    return point.includes(":") ? point.startsWith(`${part}:`) : part.includes(point);
  }

  /** Runs one trial: whatever it throws is a difference. One that has not come to what was to be tried is not counted. */
  async try(part: string, name: string, work: () => Promise<unknown>): Promise<void> {
    const trial = `${part}:${name}`;
    if (this.isOver || !trial.includes(this.wanted.point ?? "")) return;
    await this.guard(trial, async () => {
      let outcome: unknown = "reached";
      try {
        outcome = await work();
      } finally {
        if (outcome !== "missed") this.points.set(part, (this.points.get(part) ?? 0) + 1);
      }
    });
  }

  /** The same for what prepares trials, and is none. */
  async guard(trial: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // The interrupt may have been sent to the programs as well.
      if (isInterrupted) return;
      const message = messageOf(error);
      this.differences.push({ trial, message });
      process.stderr.write(`\n${this.harness} ${trial}\n${message}\n${this.replayOf(trial)}\n`);
    }
  }

  /** Says that a part cannot be tried here. */
  skip(part: string, why: string): void {
    this.skipped.push(`${part}: ${why}`);
  }

  replayOf(trial: string): string {
    const { seed, quick } = this.wanted;
    const flags = quick ? " --quick" : "";
    return `replay: npm run test:faults -- --only ${this.harness} --seed ${seed}${flags} --point '${trial}'`;
  }

  /** Numbers from 0 to 1 that are the same for the same seed and name. */
  random(name: string): () => number {
    let state = [...`${this.wanted.seed}:${name}`].reduce(
      (hash, c) => Math.imul(hash ^ c.charCodeAt(0), 0x01000193),
      0x811c9dc5,
    );
    // mulberry32
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
    };
  }

  /** So many of a list as were asked for, or `quick` in the short form; drawn by the seed, in their order. A replay draws from all of them. */
  sample<T>(name: string, list: readonly T[], quick: number): readonly T[] {
    const count = this.wanted.points ?? (this.wanted.quick ? quick : list.length);
    if (this.wanted.point?.includes(":") || list.length <= count) return list;
    const next = this.random(name);
    const drawn = list.map((one, i) => ({ one, i, at: next() })).sort((a, b) => a.at - b.at);
    return drawn
      .slice(0, count)
      .sort((a, b) => a.i - b.i)
      .map(({ one }) => one);
  }

  /** Works through a list, several at once, each in a folder that stays the same: what is cached by path is found again. */
  async each<T>(
    part: string,
    list: readonly T[],
    work: (one: T, slot: string) => Promise<void>,
  ): Promise<void> {
    const { jobs, scratch } = this.wanted;
    const slots = Array.from({ length: jobs }, (_, i) => join(scratch, `${this.harness}-${part}-${i}`));
    for (const slot of slots) mkdirSync(slot, { recursive: true });
    const limit = pLimit(jobs);
    await Promise.all(
      list.map((one) =>
        limit(async () => {
          const slot = slots.pop();
          if (slot === undefined) throw new Error("bug: more at once than there are folders");
          try {
            await work(one, slot);
          } finally {
            slots.push(slot);
          }
        }),
      ),
    );
    for (const slot of slots) rmSync(slot, { recursive: true, force: true });
  }
}

/** A difference says itself what is wrong; of anything else the place helps. */
function messageOf(error: unknown): string {
  if (error instanceof AssertionError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
