// Clears up after runs that died: their processes, what they were publishing, their temporary files. Knows nothing of how a step is published or locked.
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fail, ok, type Result } from "../core/failure.js";
import { marks, type Waiting } from "../engine/ports.js";
import type { Identity } from "../system/identity.js";
import { ownUp } from "./file-in-place.js";
import { isInProject } from "./file-inside.js";
import { holderOf, type StepLock } from "./file-lock.js";
import type { Bench } from "./file-replace.js";
import type { DeadRun, Runs, StagedAttempt } from "./file-runs.js";
import { attemptOf } from "./file-temporary.js";
import { guarded, guardedSync } from "./io-failure.js";
import { readLines, withFile } from "./state-file.js";

/** What processes of a dead run are given to end by themselves, as recipes of a living one are. */
const graceMs = 10_000;

export interface Recovery {
  readonly bench: Bench;
  readonly runs: Runs;
  /** Whether it is known without reading the records that nothing was being published when they were written. */
  readonly hasNoIntents: () => boolean;
  /** Locks a step, which completes or undoes what was being published of it. */
  readonly lock: (step: string, waiting: Waiting) => Promise<Result<StepLock>>;
  /** Removes the locks that these runs hold. */
  readonly sweepLocks: (runs: ReadonlySet<string>) => Promise<void>;
}

/**
 * Processes first: one that still writes to what is staged must not go on when that has its name. What cannot be done
 * now, for a disk that refuses or because somebody else is at it, stays for the next start, or for whoever makes those
 * steps again and is told then. Costs a look into one folder where no run has died.
 */
export async function recoverAll(
  { bench, runs, lock, sweepLocks, hasNoIntents }: Recovery,
  signal: AbortSignal,
): Promise<Result<void>> {
  const dead = await guarded("read", join(bench.directory, "runs"), () => runs.dead());
  if (!dead.ok) return dead;
  if (dead.value.length > 0) {
    const runs = dead.value.map(({ identity }) => identity);
    await stopOrphans(runs, bench, signal);
  }
  if (dead.value.length === 0 && hasNoIntents())
    return signal.aborted ? fail({ reason: "interrupted" }) : ok(undefined);
  const pending = bench.records.read((state) => {
    if (dead.value.length > 0) state.refresh();
    return state.intents.steps();
  });
  if (!pending.ok) return pending;
  for (const step of pending.value) {
    if (signal.aborted) return fail({ reason: "interrupted" });
    const locked = await lock(step, { signal, noWait: true, onWait: () => {} });
    if (locked.ok) locked.value.release();
  }
  if (signal.aborted) return fail({ reason: "interrupted" });
  if (dead.value.length > 0) {
    const ids = new Set(dead.value.map(({ identity }) => identity.run));
    await guarded("remove", join(bench.directory, "locks"), () => sweepLocks(ids));
  }
  for (const run of dead.value) {
    const cleared = await clearAfter(run, bench);
    if (cleared.ok && cleared.value) guardedSync("remove", bench.directory, () => runs.forget(run));
  }
  return ok(undefined);
}

/**
 * Ends the processes that dead runs have left. Also right after a lock was taken over from one: another dmake may be at
 * this already, and what still writes must be gone before anything is written to the same place.
 */
export async function stopOrphans(
  dead: readonly Identity[],
  { warn }: Pick<Bench, "warn">,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { markOf, stopMarked } = await import("../system/orphans.js");
  const named = dead.filter(({ run }) => run !== "");
  const byMark = new Map(named.map((identity) => [markOf(marks.run, identity.run), identity]));
  const stopped = await stopMarked([...byMark.keys()], { graceMs, ...(signal && { signal }) });
  for (const [mark, pids] of stopped) {
    const identity = byMark.get(mark);
    if (identity) warn({ warning: "orphans-stopped", holder: holderOf(identity), pids });
  }
}

/** Answers whether nothing is left to do. */
async function clearAfter({ identity: { run }, attempts }: DeadRun, bench: Bench): Promise<Result<boolean>> {
  const known = bench.records.read((state) => ({
    // Somebody else completes these right now, or a disk has refused.
    pending: new Set(state.intents.steps().map((step) => state.intents.get(step)?.attempt)),
    isRecorded: ({ step, attempt }: StagedAttempt) => state.traces.get(step)?.attempt === attempt,
  }));
  if (!known.ok) return known;
  const { pending, isRecorded } = known.value;
  const over = attempts.filter(({ attempt }) => !pending.has(attempt));
  const removed = guardedSync("clear", bench.directory, () => removeLeft(over, bench.directory));
  if (!removed.ok) return removed;
  const unrecorded = over.filter((one) => !isRecorded(one));
  for (const { step: id, outputs, inPlace } of unrecorded) if (inPlace) await ownUp({ id, outputs }, bench);
  const told = unrecorded.length > 0 ? toldOf(run, bench.directory) : new Set();
  for (const { step, attempt, startedAt } of unrecorded)
    if (!told.has(attempt))
      bench.history.note({
        run,
        step,
        attempt,
        tries: 1,
        startedAt,
        outcome: "killed",
        because: [],
      });
  return ok(over.length === attempts.length);
}

/** Each folder is read once: a run may have made 10 000 files before it died, and left something of two. */
function removeLeft(attempts: readonly StagedAttempt[], directory: string): void {
  const ids = new Set(attempts.map(({ attempt }) => attempt));
  const outputs = attempts.flatMap((one) => one.outputs).filter((name) => isInProject(name, directory));
  for (const folder of new Set(outputs.map((output) => dirname(output))))
    for (const name of namesIn(folder))
      if (ids.has(attemptOf(name) ?? "")) rmSync(join(folder, name), { recursive: true, force: true });
}

function namesIn(folder: string): readonly string[] {
  const names = guardedSync("read", folder, () => readdirSync(folder));
  // Gone, or closed to us: then it is for whoever makes something there.
  return names.ok ? names.value : [];
}

/** The attempts of a run whose end is in the history. */
function toldOf(run: string, directory: string): ReadonlySet<string> {
  const told = new Set<string>();
  for (const name of ["history.old.ndjson", "history.ndjson"])
    guardedSync("read", name, () =>
      withFile(join(directory, name), "r", (descriptor) =>
        readLines(descriptor, 0, (line) => {
          if (!line.startsWith(`{"run":"${run}"`)) return;
          const attempt = /"attempt":"([0-9a-f]{16})"/.exec(line)?.[1];
          if (attempt !== undefined) told.add(attempt);
        }),
      ),
    );
  return told;
}
