// Brings the outputs of one attempt from their stage to their names: judged, on the disk, others' work saved. Knows nothing of the recipe, or of how locks are taken.
import { lstatSync, renameSync } from "node:fs";
import { fail, ok, type Result } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import type { Digest, MadeDigest, Trace } from "../core/trace.js";
import type { Attempt, Outcome, Published } from "../engine/ports.js";
import type { Contents } from "./file-contents.js";
import { checkInside } from "./file-inside.js";
import { type Before, checkWritten, type FileStage, isSmall, settle } from "./file-publish.js";
import { type Fresh, type Group, giveNames, takeBack } from "./file-rename.js";
import { type Bench, type Judged, judgeOutputs, keptBy } from "./file-replace.js";
import { save } from "./file-saved.js";
import { guardedSync } from "./io-failure.js";

/** What is at the final paths now. */
export interface InPlace {
  /** What is to be recorded. */
  readonly trace: Trace;
  readonly saved: Published["saved"];
  /** What had to make way, and is to be removed once the record is written. */
  readonly aside: readonly string[];
}

export interface Making {
  readonly stage: FileStage;
  readonly outcome: Extract<Outcome, { kind: "made" }>;
  readonly before: readonly Before[];
  /** Whether the lock of the step is still ours. */
  readonly isHeld: () => boolean;
  /** Called when all is judged, and only the disk is waited for. Answers whether that can wait a little for others. */
  readonly atRest: () => boolean;
  readonly traceOf: (outputs: readonly MadeDigest[]) => Trace;
}

/**
 * The final paths are looked at last, when all that takes time is done: what somebody writes there in between is
 * noticed. What a kill can leave is in order: intended, saved, renamed one by one; and then recorded. From the intent on
 * the next start completes it. Where it fails, all is as it was, but that what somebody else made may be saved.
 */
export async function putInPlace(attempt: Attempt, making: Making, bench: Bench): Promise<Result<InPlace>> {
  const { step, id } = attempt;
  const judged = await ready(attempt, making, bench);
  if (!judged.ok) return judged;
  const trace = making.traceOf(judged.value.map(({ made }) => made));
  const group = { outputs: step.outputs, attempt: id };
  const moved: Moved = { saved: [], fresh: new Set() };
  const intended = await intend(step, trace, bench);
  const renamed = bench.spans?.begin("rename", { target: step.id });
  const given = intended.ok
    ? await give(group, { judged: judged.value, isHeld: making.isHeld, moved }, bench)
    : intended;
  renamed?.();
  if (given.ok) return ok({ trace, saved: moved.saved, aside: given.value });
  // What went wrong first is what is told. Should this go wrong as well, the intent is pending, and the next start's affair.
  const back = await takeBack(group, moved.fresh);
  if (back.ok) {
    putBack(moved.saved);
    bench.records.write((state) => state.intents.get(step.id) && state.dropIntent(step.id, id));
  }
  return given;
}

/** What is no more where it was, as far as it has come. */
interface Moved {
  readonly saved: { readonly output: string; readonly path: string }[];
  readonly fresh: Fresh;
}

/** All that can fail or take long while the old outputs are still where they were. */
async function ready(
  { step }: Attempt,
  { stage, outcome, before, isHeld, atRest }: Making,
  bench: Bench,
): Promise<Result<readonly Judged[]>> {
  const check = () => checkNow(step, stage, before, bench.contents);
  const written = check();
  if (!written.ok) return written;
  const hashed = bench.spans?.begin("hash", { target: step.id });
  const digests = await digestsOf(stage, outcome, bench.contents);
  hashed?.();
  if (!digests.ok) return digests;
  const judged = await judgeOutputs(step, { paths: stage.paths, digests: digests.value }, bench);
  if (!judged.ok) return judged;
  const canWait = atRest();
  const synced = bench.spans?.begin("sync", { target: step.id });
  const settled = isSmall(stage)
    ? await bench.gate.pass(() => settle(step, stage), { canWait })
    : await settle(step, stage);
  synced?.();
  const still = settled.ok ? check() : settled;
  if (!still.ok) return still;
  const inside = checkInside(step);
  if (!inside.ok) return inside;
  return isHeld() ? judged : lockLost(step.id);
}

/**
 * A power cut after this may leave some outputs with their names, and the intent only if it was brought to the disk
 * before. For one file that is not worth a wait of the disk, which 10 000 small targets would each have: its rename is
 * done or not, and without its record it is made again. Of a group half would be new to whoever reads it meanwhile, and
 * a directory could be nowhere.
 */
async function intend(step: Step, trace: Trace, { records }: Bench): Promise<Result<void>> {
  const intended = await records.intend(step.id, trace);
  const isOneRename = step.outputs.length === 1 && step.directories.size === 0;
  return intended.ok && !isOneRename ? records.keep() : intended;
}

async function give(
  group: Group,
  {
    judged,
    isHeld,
    moved,
  }: Pick<Making, "isHeld"> & {
    readonly judged: readonly Judged[];
    readonly moved: Moved;
  },
  bench: Bench,
): Promise<Result<readonly string[]>> {
  const saved = await saveForeign(judged, moved.saved, bench);
  if (!saved.ok) return saved;
  if (!isHeld()) return lockLost(group.outputs[0] ?? "");
  return giveNames(group, { fresh: moved.fresh, again: false });
}

const lockLost = (target: string) => fail({ reason: "lock-lost", target });

/** A directory that is not ours leaves its place when it is saved. It returns if nothing took its place. */
function putBack(saved: Published["saved"]): void {
  for (const { output, path } of saved)
    guardedSync("take back", output, () => {
      const isFree = !lstatSync(output, { throwIfNoEntry: false });
      if (isFree && lstatSync(path).isDirectory()) renameSync(path, output);
    });
}

/** Of a recipe that found nothing new: what is there has to be what it was asked about. */
export function leaveInPlace(
  step: Step,
  previous: Trace | undefined,
  { before, contents }: { readonly before: readonly Before[]; readonly contents: Contents },
): Result<readonly MadeDigest[]> {
  const now = contents.stampsOf(step.outputs);
  if (!now.ok) return now;
  const edited = step.outputs.find((_, i) => before[i] !== now.value[i]);
  if (edited !== undefined) return fail({ reason: "wrote-final-path", output: edited });
  return keptBy(step, previous?.outputs);
}

export function checkNow(
  step: Step,
  stage: FileStage,
  before: readonly Before[],
  contents: Contents,
): Result<void> {
  const now = contents.stampsOf(step.outputs);
  return now.ok ? checkWritten(step, stage, { before, now: now.value }) : now;
}

async function digestsOf(
  { paths }: FileStage,
  outcome: Making["outcome"],
  contents: Contents,
): Promise<Result<readonly Digest[]>> {
  const digests: Digest[] = [];
  for (const [i, path] of paths.entries()) {
    const known = outcome.digests?.[i];
    const digest = known === undefined ? await contents.digestOf(path) : ok(known);
    if (!digest.ok) return digest;
    digests.push(digest.value);
  }
  return ok(digests);
}

/** Adds to `saved` what it has saved, also where it fails. */
export async function saveForeign(
  judged: readonly Pick<Judged, "made" | "foreign">[],
  saved: Moved["saved"],
  bench: Bench,
): Promise<Result<void>> {
  for (const { made, foreign } of judged) {
    if (foreign === undefined) continue;
    const path = await save(made.name, foreign, bench);
    if (!path.ok) return path;
    saved.push({ output: made.name, path: path.value });
  }
  return ok(undefined);
}
