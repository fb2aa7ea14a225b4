// Judges one step: fresh, or stale and why. Knows nothing of how facts and records were obtained.
import type { Recipe, Step } from "./rule.js";
import type { Digest, Fact, NamedDigest, Trace } from "./trace.js";

/** Why a step must run. */
export type Reason =
  | { readonly why: "forced" }
  | { readonly why: "no-record" }
  | { readonly why: "output-missing"; readonly output: string }
  | {
      readonly why: "output-edited";
      readonly output: string;
      readonly recorded: Digest;
      readonly found: Digest;
    }
  | {
      readonly why: "recipe-changed";
      readonly part: string;
      /** Absent where the part is new. */
      readonly recorded?: string;
      /** Absent where the part is gone. */
      readonly found?: string;
    }
  | { readonly why: "input-added"; readonly input: string }
  | { readonly why: "input-removed"; readonly input: string }
  | {
      readonly why: "input-changed";
      readonly input: string;
      readonly recorded: Digest;
      readonly found: Digest;
    }
  | { readonly why: "expired"; readonly checkedAt: string; readonly maxAgeMs: number };

export type Verdict =
  | { readonly kind: "fresh" }
  | { readonly kind: "stale"; readonly reasons: readonly Reason[] };

/** Everything that a verdict depends on. */
export interface Evidence {
  readonly step: Step;
  /** The named parts of its recipe now. */
  readonly recipe: Readonly<Record<string, string>>;
  /** Every input that is there. Only a dry run may leave one out, because it has still to be made. */
  readonly inputs: readonly NamedDigest[];
  /** What is seen of every output, in the step's order. */
  readonly outputs: readonly Fact[];
  readonly trace: Trace | undefined;
  readonly forced: boolean;
  /** Milliseconds since the epoch; used for a declared `maxAge` only. */
  readonly nowMs: number;
}

/** Judges one step whose inputs are all built. Reasons come in the order in which a person would check them. */
export function judge(evidence: Evidence): Verdict {
  const reasons = [...collect(evidence)];
  return reasons.length === 0 ? { kind: "fresh" } : { kind: "stale", reasons };
}

function* collect({ step, recipe, inputs, outputs, trace, forced, nowMs }: Evidence): Generator<Reason> {
  if (forced) yield { why: "forced" };
  for (const [i, output] of step.outputs.entries())
    if (outputs[i]?.kind !== "present") yield { why: "output-missing", output };
  if (!trace) {
    yield { why: "no-record" };
    return;
  }
  yield* outputReasons(step, outputs, trace);
  yield* recipeReasons(recipe, trace.recipe);
  yield* inputReasons(step, inputs, trace);
  yield* expiry(step.recipe, trace, nowMs);
}

function* outputReasons(step: Step, outputs: readonly Fact[], trace: Trace): Generator<Reason> {
  const recorded = new Map(trace.outputs.map(({ name, digest }) => [name, digest]));
  for (const [i, output] of step.outputs.entries()) {
    const fact = outputs[i];
    const before = recorded.get(output);
    if (fact?.kind !== "present") continue;
    if (before === undefined) yield { why: "no-record" };
    else if (before !== fact.digest)
      yield { why: "output-edited", output, recorded: before, found: fact.digest };
  }
}

function* recipeReasons(found: Trace["recipe"], recorded: Trace["recipe"]): Generator<Reason> {
  for (const part of [...new Set([...Object.keys(recorded), ...Object.keys(found)])].sort()) {
    const [before, now] = [recorded[part], found[part]];
    if (before === now) continue;
    yield {
      why: "recipe-changed",
      part,
      ...(before !== undefined && { recorded: before }),
      ...(now !== undefined && { found: now }),
    };
  }
}

function* inputReasons(step: Step, inputs: readonly NamedDigest[], trace: Trace): Generator<Reason> {
  const recorded = new Map(trace.inputs.map(({ name, digest }) => [name, digest]));
  const seen = new Map(inputs.map(({ name, digest }) => [name, digest]));
  for (const input of step.inputs) {
    const [before, found] = [recorded.get(input), seen.get(input)];
    recorded.delete(input);
    if (before === undefined) yield { why: "input-added", input };
    else if (found !== undefined && before !== found)
      yield { why: "input-changed", input, recorded: before, found };
  }
  for (const input of recorded.keys()) yield { why: "input-removed", input };
  // A recipe is given its inputs by position. Names that came or went are reasons of their own.
  const [before, now] = [trace.inputs.map(({ name }) => name), step.inputs];
  const reordered =
    before.length === now.length && recorded.size === 0 && now.some((name, i) => name !== before[i]);
  if (reordered)
    yield {
      why: "recipe-changed",
      part: "order of inputs",
      recorded: before.join(" "),
      found: now.join(" "),
    };
}

function* expiry(recipe: Recipe, trace: Trace, nowMs: number): Generator<Reason> {
  if (recipe.kind !== "download" || recipe.maxAgeMs === undefined) return;
  const age = nowMs - Date.parse(trace.checkedAt);
  if (!(age >= 0 && age < recipe.maxAgeMs))
    yield { why: "expired", checkedAt: trace.checkedAt, maxAgeMs: recipe.maxAgeMs };
}

/** The reasons that hold whatever becomes of the `uncertain` inputs, for a dry run that cannot know them yet. */
export const certainReasons = (verdict: Verdict, uncertain: ReadonlySet<string>): readonly Reason[] =>
  verdict.kind === "fresh"
    ? []
    : verdict.reasons.filter((reason) => reason.why !== "input-changed" || !uncertain.has(reason.input));
