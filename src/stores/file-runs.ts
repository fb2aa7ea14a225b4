// What each run of dmake is making, written down so that another can clear up after it. Knows nothing of how files are made or cleared.
import { closeSync, constants, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Attempt } from "../engine/ports.js";
import { type Identity, identityOf, isRunId, unknownIdentity } from "../system/identity.js";
import { takeLock } from "../system/lock.js";
import type { Presence } from "../system/presence.js";
import { codeOf } from "../system/process.js";
import { textOf } from "../system/sign.js";

/** An attempt as its run has written it down. */
export interface StagedAttempt {
  readonly attempt: string;
  readonly step: string;
  readonly outputs: readonly string[];
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** It wrote to its outputs themselves. */
  readonly inPlace: boolean;
}

/** A run that ended without clearing up, as far as it is known. */
export interface DeadRun {
  /** Only `run` is sure: the rest is empty where its file is damaged. */
  readonly identity: Identity;
  /** All that it began to make, also what it finished: that is recorded, and has nothing left to clear. */
  readonly attempts: readonly StagedAttempt[];
}

/**
 * The files of runs, in `.dmake/runs`. Lives for one process.
 *
 * The journal of a run is the file by which it shows that it lives: its identity, then a line for each attempt. It is
 * removed by `Presence.leave` at a good end. Nobody syncs it to the disk: a power cut may take lines, and then what
 * they told of is found by its name when its step is made again.
 */
export class Runs {
  readonly #presence: Presence;
  #journal: number | undefined;
  #isTorn = false;
  /** Dead run → lets go of it. */
  readonly #held = new Map<string, () => void>();

  constructor(presence: Presence) {
    this.#presence = presence;
  }

  /** To be called before anything of an attempt is made, when its step is locked. Throws what the disk does. */
  staged({ id, step, startedAt }: Pick<Attempt, "id" | "step" | "startedAt">): void {
    // Not made here: a journal without its identity would be of nobody.
    this.#journal ??= openJournal(this.#presence.file);
    const inPlace = step.rule.inPlace === true;
    const line = `${JSON.stringify(["stage", id, step.id, step.outputs, startedAt, inPlace])}\n`;
    const bytes = Buffer.from(this.#isTorn ? `\n${line}` : line);
    this.#isTorn = true;
    if (writeSync(this.#journal, bytes) < bytes.length)
      throw Object.assign(new Error("the disk is full"), { code: "ENOSPC" });
    this.#isTorn = false;
  }

  /**
   * The runs that are over and left something, each for this process alone until `forget` or `close`: another that asks
   * meanwhile is not told of them. What a disk that refuses keeps to itself is left for the next start: a build that
   * has nothing to do goes well there too.
   */
  async dead(): Promise<readonly DeadRun[]> {
    const others = await attempted(async () => {
      const found = this.#others();
      // Before any is judged: how long one of another machine has been silent is told by our own file's time.
      if (found.length > 0) await this.#presence.enter();
      return found;
    });
    const dead: DeadRun[] = [];
    for (const run of others ?? []) {
      const found = await attempted(() => this.#claim(run));
      if (found) dead.push(found);
    }
    return dead;
  }

  /** Removes the files of a dead run, when all that it left is cleared. */
  forget({ identity: { run } }: DeadRun): void {
    rmSync(this.#pathOf(run, "sock"), { force: true });
    rmSync(this.#pathOf(run, "ndjson"), { force: true });
    this.#letGo(run);
  }

  close(): void {
    for (const run of [...this.#held.keys()]) this.#letGo(run);
    if (this.#journal !== undefined) closeSync(this.#journal);
    this.#journal = undefined;
  }

  #others(): readonly string[] {
    const runs = namesIn(this.#presence.folder).map((name) => name.split(".")[0] ?? "");
    return [...new Set(runs)].filter((run) => isRunId(run) && run !== this.#presence.self.run).sort();
  }

  async #claim(run: string): Promise<DeadRun | undefined> {
    const seen = this.#read(run);
    if (seen && !(await this.#presence.isGone(seen.identity))) return undefined;
    const lock = await takeLock(this.#pathOf(run, "lock"), 0, this.#presence);
    if (lock.kind === "busy") return undefined;
    // Another may have cleared it right before, and it may have come to life after we had looked.
    const found = this.#read(run);
    if (found && (await this.#presence.isGone(found.identity))) {
      this.#held.set(run, lock.release);
      return found;
    }
    // Of a run that died while it came or left.
    if (!found)
      for (const use of ["sock", "ndjson.next"] as const) rmSync(this.#pathOf(run, use), { force: true });
    lock.release();
    return undefined;
  }

  #read(run: string): DeadRun | undefined {
    const text = textAt(this.#pathOf(run, "ndjson"));
    if (text === undefined) return undefined;
    const [first = "", ...lines] = text.split("\n");
    return {
      identity: identityOf(first) ?? unknownIdentity(run),
      attempts: lines.flatMap((line) => stagedIn(line) ?? []),
    };
  }

  #letGo(run: string): void {
    this.#held.get(run)?.();
    this.#held.delete(run);
  }

  readonly #pathOf = (run: string, use: "ndjson" | "ndjson.next" | "sock" | "lock"): string =>
    join(this.#presence.folder, `${run}.${use}`);
}

/** Nothing where the file system refuses. */
async function attempted<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

function stagedIn(line: string): StagedAttempt | undefined {
  let said: unknown;
  try {
    said = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!Array.isArray(said)) return undefined;
  const [kind, attempt, step, outputs, startedAt, inPlace] = said as readonly unknown[];
  if (kind !== "stage" || typeof attempt !== "string" || !isRunId(attempt)) return undefined;
  if (typeof step !== "string" || typeof startedAt !== "string") return undefined;
  if (!Array.isArray(outputs) || !outputs.every((name) => typeof name === "string")) return undefined;
  return { attempt, step, outputs, startedAt, inPlace: inPlace === true };
}

/** Neither made nor emptied: it is there, with the identity in it. */
const openJournal = (path: string): number => openSync(path, constants.O_WRONLY | constants.O_APPEND);

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

function textAt(path: string): string | undefined {
  try {
    return textOf(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
