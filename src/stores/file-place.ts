// Brings the outputs of one attempt from their stage to their names: judged, on the disk, others' work saved. Knows nothing of locks or of the record that follows.
import { fail, ok, type Result } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import type { Digest, MadeDigest, Trace } from "../core/trace.js";
import type { Attempt, Outcome, Published } from "../engine/ports.js";
import type { Contents } from "./file-contents.js";
import { type Before, checkWritten, type FileStage, rename, settle } from "./file-publish.js";
import { type Bench, type Judged, judgeOutputs, keptBy } from "./file-replace.js";
import { save } from "./file-saved.js";

/** What is at the final paths now. */
export interface InPlace {
  readonly outputs: readonly MadeDigest[];
  readonly saved: Published["saved"];
  /** What had to make way, and is to be removed once the record is written. */
  readonly aside: readonly string[];
}

interface Making {
  readonly stage: FileStage;
  readonly outcome: Extract<Outcome, { kind: "made" }>;
  readonly before: readonly Before[];
}

/**
 * The final paths are looked at last, when all that takes time is done: what somebody writes there in between is
 * noticed. What a kill can leave is in order: intended, saved, renamed one by one; and then recorded.
 */
export async function putInPlace(
  { step, id }: Attempt,
  { stage, outcome, before }: Making,
  bench: Bench,
): Promise<Result<InPlace>> {
  const check = () => checkNow(step, stage, before, bench.contents);
  const written = check();
  if (!written.ok) return written;
  const digests = await digestsOf(stage, outcome, bench.contents);
  if (!digests.ok) return digests;
  const settled = await settle(step, stage);
  if (!settled.ok) return settled;
  const judged = await judgeOutputs(step, { paths: stage.paths, digests: digests.value }, bench);
  const still = judged.ok ? check() : judged;
  if (!judged.ok) return judged;
  if (!still.ok) return still;
  const outputs = judged.value.map(({ made }) => made);
  const intended = bench.records.write((state) => state.intend(step.id, outputs));
  if (!intended.ok) return intended;
  const saved = await saveForeign(judged.value, bench);
  if (!saved.ok) return saved;
  const aside = await rename(step, stage, id);
  return aside.ok ? ok({ outputs, saved: saved.value, aside: aside.value }) : aside;
}

/** Of a recipe that found nothing new: what is there has to be what it was asked about. */
export function leaveInPlace(
  step: Step,
  previous: Trace | undefined,
  { before, contents }: { readonly before: readonly Before[]; readonly contents: Contents },
): Result<InPlace> {
  const now = contents.stampsOf(step.outputs);
  if (!now.ok) return now;
  const edited = step.outputs.find((_, i) => before[i] !== now.value[i]);
  if (edited !== undefined) return fail({ reason: "wrote-final-path", output: edited });
  const outputs = keptBy(step, previous?.outputs);
  return outputs.ok ? ok({ outputs: outputs.value, saved: [], aside: [] }) : outputs;
}

function checkNow(step: Step, stage: FileStage, before: readonly Before[], contents: Contents): Result<void> {
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

async function saveForeign(judged: readonly Judged[], bench: Bench): Promise<Result<Published["saved"]>> {
  const saved: { readonly output: string; readonly path: string }[] = [];
  for (const { made, foreign } of judged) {
    if (foreign === undefined) continue;
    const path = await save(made.name, foreign, bench);
    if (!path.ok) return path;
    saved.push({ output: made.name, path: path.value });
  }
  return ok(saved);
}
