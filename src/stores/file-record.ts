// The record of a success, and of what somebody vouches for. Knows nothing of where records are kept.
import { fail, ok, type Result } from "../core/failure.js";
import { isRelationName } from "../core/target.js";
import type { MadeDigest, NamedDigest, Trace } from "../core/trace.js";
import { named } from "../core/verdict.js";
import type { Attempt, Finished } from "../engine/ports.js";
import { kindFailure, kindOf } from "./file-publish.js";
import { type Bench, factsOf, madeOf } from "./file-replace.js";
import { guardedSync } from "./io-failure.js";

export function traceOf(
  attempt: Attempt,
  { outcome, durationMs, inputs, discovered }: Finished,
  { outputs, previous }: { readonly outputs: readonly MadeDigest[]; readonly previous: Trace | undefined },
): Trace {
  return {
    recipe: attempt.recipe,
    inputs,
    ...(discovered.length > 0 && { discovered }),
    outputs,
    ...(attempt.because.length > 0 && { because: attempt.because }),
    attempt: attempt.id,
    startedAt: attempt.startedAt,
    checkedAt: attempt.startedAt,
    durationMs,
    facts: outcome.kind === "unchanged" ? { ...previous?.facts, ...outcome.facts } : outcome.facts,
    ...(attempt.provisional && { provisional: true }),
  };
}

/**
 * The record of what is there, as if this attempt had made it. What its recipe once discovered it is taken to depend on
 * still, as that is now; what it told of what it made holds if those bytes are still there.
 */
export async function adopted(attempt: Attempt, bench: Bench): Promise<Result<Trace>> {
  const { step, id, recipe, inputs, startedAt } = attempt;
  const old = bench.records.read((state) => state.traces.get(step.id));
  if (!old.ok) return old;
  const outputs = await outputsThere(attempt, bench);
  if (!outputs.ok) return outputs;
  const discovered = await seenNow(old.value?.discovered ?? [], bench);
  if (!discovered.ok) return discovered;
  const before = new Map(old.value?.outputs.map((made) => [made.name, made.bytes ?? made.digest]));
  const isSame = outputs.value.every((made) => before.get(made.name) === (made.bytes ?? made.digest));
  return ok({
    recipe,
    inputs,
    ...(discovered.value.length > 0 && { discovered: discovered.value }),
    outputs: outputs.value,
    because: [{ why: "adopted" }],
    attempt: id,
    startedAt,
    checkedAt: startedAt,
    durationMs: 0,
    facts: isSame && old.value ? old.value.facts : {},
    ...(attempt.provisional && { provisional: true }),
  });
}

async function outputsThere(
  { step: { outputs, directories } }: Attempt,
  { contents, records }: Bench,
): Promise<Result<readonly MadeDigest[]>> {
  for (const output of outputs) {
    const kind = guardedSync("look at", output, () => kindOf(output));
    const failure = kind.ok ? kindFailure(output, kind.value, directories.has(output)) : kind.error;
    if (failure) return fail(failure);
  }
  const seen = await contents.observe(outputs);
  const facts = seen.ok ? factsOf(outputs, seen.value, records) : seen;
  if (!seen.ok) return seen;
  if (!facts.ok) return facts;
  const made: MadeDigest[] = [];
  for (const [i, output] of outputs.entries()) {
    const [bytes, fact] = [seen.value[i], facts.value[i]];
    if (bytes?.kind !== "present" || fact?.kind !== "present")
      return fail({ reason: "output-missing", output });
    made.push(madeOf(output, fact.digest, bytes.digest));
  }
  return ok(made);
}

/** What a table says only its own store can tell; it is taken to be as it was. */
async function seenNow(
  discovered: readonly NamedDigest[],
  { contents, records }: Bench,
): Promise<Result<readonly NamedDigest[]>> {
  const names = discovered.map(({ name }) => name).filter((name) => !isRelationName(name));
  const seen = await contents.observe(names);
  const facts = seen.ok ? factsOf(names, seen.value, records) : seen;
  if (!facts.ok) return facts;
  const now = new Map(facts.value.map((fact, i) => [names[i], named(names[i] ?? "", fact)]));
  return ok(discovered.map((one) => now.get(one.name) ?? one));
}
