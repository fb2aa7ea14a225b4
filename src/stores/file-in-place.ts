// The stage of recipes that write where others read, for tools that cannot do otherwise. Knows nothing of other recipes, or of locks.
import { fail, ok, type Result } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import type { MadeDigest, Trace } from "../core/trace.js";
import type { Attempt, Published } from "../engine/ports.js";
import { checkThrough } from "./file-inside.js";
import { checkNow, type InPlace, type Making } from "./file-place.js";
import { settle } from "./file-publish.js";
import { type Bench, isOurs } from "./file-replace.js";
import { save } from "./file-saved.js";

/**
 * Makes the outputs fit to be written to: what is not dmake's own is copied to `.dmake/saved`, and the record goes, so
 * that however the recipe ends, what it leaves is only taken for good when it has said so. What dmake made is known to
 * be dmake's all the same.
 */
export async function giveWay({ step }: Attempt, bench: Bench): Promise<Result<Published["saved"]>> {
  const inside = checkThrough(step);
  if (!inside.ok) return inside;
  const seen = await bench.contents.observe(step.outputs);
  if (!seen.ok) return seen;
  const saved: { readonly output: string; readonly path: string }[] = [];
  for (const [i, output] of step.outputs.entries()) {
    const old = seen.value[i];
    if (old?.kind !== "present") continue;
    const ours = bench.records.read((state) => isOurs(state, { step: step.id, output, old }));
    if (!ours.ok) return ours;
    if (ours.value) continue;
    const path = await save(output, old.digest, bench, "copy");
    if (!path.ok) return path;
    saved.push({ output, path: path.value });
  }
  const forgotten = bench.records.write((state) => state.dropTrace(step.id));
  return forgotten.ok ? ok(saved) : forgotten;
}

/** What the recipe has left is what it made, if it is there, and once it is on the disk. */
export async function takeAsMade(
  { step }: Attempt,
  { stage, before, isHeld, traceOf }: Making,
  bench: Bench,
): Promise<Result<InPlace>> {
  const written = checkNow(step, stage, before, bench.contents);
  if (!written.ok) return written;
  const inside = checkThrough(step);
  if (!inside.ok) return inside;
  const settled = await settle(step, stage);
  if (!settled.ok) return settled;
  const outputs = await madeNow(step, bench);
  if (!outputs.ok) return outputs;
  if (!isHeld()) return fail({ reason: "lock-lost", target: step.id });
  const trace: Trace = traceOf(outputs.value);
  return ok({ trace, saved: [], aside: [] });
}

/** What a recipe has left that has no record, for it failed or was killed, is dmake's: whoever runs it again need not save it. */
export async function ownUp(
  step: Pick<Step, "id" | "outputs">,
  { contents, records }: Pick<Bench, "contents" | "records">,
): Promise<void> {
  const recorded = records.read((state) => state.traces.get(step.id));
  if (!recorded.ok || recorded.value) return;
  const seen = await contents.observe(step.outputs);
  if (!seen.ok) return;
  records.write((state) => {
    for (const [i, name] of step.outputs.entries()) {
      const there = seen.value[i];
      if (there?.kind === "present") state.leave({ name, digest: there.digest, step: step.id });
    }
  });
}

async function madeNow({ outputs }: Step, { contents }: Bench): Promise<Result<readonly MadeDigest[]>> {
  const seen = await contents.observe(outputs);
  if (!seen.ok) return seen;
  const made: MadeDigest[] = [];
  for (const [i, name] of outputs.entries()) {
    const there = seen.value[i];
    if (there?.kind !== "present") return fail({ reason: "output-missing", output: name });
    made.push({ name, digest: there.digest });
  }
  return ok(made);
}
