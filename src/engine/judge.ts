// Gathers what a verdict needs and has a step judged. Knows nothing of scheduling or running.
import { ok, type Result } from "../core/failure.js";
import { type Parts, recipeParts } from "../core/fingerprint.js";
import type { Step } from "../core/rule.js";
import type { NamedDigest, Trace } from "../core/trace.js";
import { judge, type Verdict } from "../core/verdict.js";
import type { Facts } from "./facts.js";

/** A step, what was found of it, and what follows. */
export interface Judged {
  readonly step: Step;
  readonly parts: Parts;
  /** As read before the recipe runs: what is recorded, so that a change meanwhile makes the next run stale. */
  readonly inputs: readonly NamedDigest[];
  readonly trace: Trace | undefined;
  readonly verdict: Verdict;
}

export interface JudgeOptions {
  readonly forced: boolean;
  /** The clock, for a declared `maxAge` only. */
  readonly nowMs: number;
}

/** Looks at all that the verdicts on these steps depend on, in as few questions as the stores allow. */
export async function gather(steps: readonly Step[], facts: Facts): Promise<Result<void>> {
  const seen = await facts.observe(steps.flatMap((step) => [...step.inputs, ...step.outputs]));
  return seen.ok ? facts.recall(steps) : seen;
}

/** Judges one step that was gathered. Fails only where a function of the Datafile does. */
export function judgeStep(step: Step, facts: Facts, options: JudgeOptions): Result<Judged> {
  const parts = recipeParts(step);
  if (!parts.ok) return parts;
  const inputs = step.inputs.flatMap((name) => {
    const fact = facts.of(name);
    return fact.kind === "present" ? [{ name, digest: fact.digest }] : [];
  });
  const outputs = step.outputs.map((name) => facts.of(name));
  const trace = facts.traceOf(step);
  const verdict = judge({ step, recipe: parts.value, inputs, outputs, trace, ...options });
  return ok({ step, parts: parts.value, inputs, trace, verdict });
}
