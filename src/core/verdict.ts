// Judges one step: fresh, or stale and why. Knows nothing of how facts and records were obtained.
import { amendable } from "./fingerprint.js";
import type { Step } from "./rule.js";
import {
  absent,
  type Because,
  type Digest,
  type Fact,
  type NamedDigest,
  type Parts,
  type Trace,
} from "./trace.js";

/** Why a step must run. `recorded` is what the record of its last success says, `found` what is there now. */
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
      readonly why: "inputs-reordered";
      readonly recorded: readonly string[];
      readonly found: readonly string[];
    }
  | {
      /** Either side may be `absent`, and `recorded` may be `unsettled`. */
      readonly why: "input-changed";
      readonly input: string;
      readonly recorded: Digest;
      readonly found: Digest;
    }
  | { readonly why: "expired"; readonly checkedAt: string; readonly maxAgeMs: number }
  /** `open`: what it is made of is still going on. Otherwise it was when this was made, and is over now. */
  | { readonly why: "provisional"; readonly open: boolean };

export type Verdict =
  | { readonly kind: "fresh" }
  | { readonly kind: "stale"; readonly reasons: readonly Reason[] };

/** Everything that a verdict depends on. */
export interface Evidence {
  readonly step: Step;
  /** The named parts of its recipe now. */
  readonly recipe: Parts;
  /** What is seen of every input and of everything that it uses, in the step's order. */
  readonly inputs: readonly NamedDigest[];
  /** What is seen now of what the recipe had discovered the last time, in the order of the record. */
  readonly discovered: readonly NamedDigest[];
  /** What is seen of every output, in the step's order. */
  readonly outputs: readonly Fact[];
  readonly trace: Trace | undefined;
  readonly forced: boolean;
  /** Milliseconds since the epoch; used for a declared `maxAge` only. */
  readonly nowMs: number;
}

/**
 * Judges one step whose inputs are all built: never before, so that an input that was rebuilt with the same bytes is
 * no reason. All reasons are collected, in the order in which a person would check them; with none the step is fresh.
 *
 *   asked to run anyway                                        forced
 *   an output is not there                                     output-missing
 *   nothing is recorded: what is there is not trusted          no-record          (`dmake adopt` vouches for it)
 *   an output is not what was made                             output-edited
 *   a named part of the recipe differs, came or went           recipe-changed
 *   an input came, went, moved, or says something else         input-…
 *   what the recipe had discovered says something else         input-changed
 *   the source has not been asked for longer than `maxAge`     expired
 *   its month is not over, or was not when it was made         provisional
 *
 * Everything is compared for equality; no time is compared with another but the last.
 */
export function judge(evidence: Evidence): Verdict {
  const reasons = [...collect(evidence)];
  return reasons.length === 0 ? { kind: "fresh" } : { kind: "stale", reasons };
}

function* collect(evidence: Evidence): Generator<Reason> {
  const { step, recipe, inputs, discovered, outputs, trace, forced, nowMs } = evidence;
  if (forced) yield { why: "forced" };
  for (const [i, output] of step.outputs.entries())
    if (outputs[i]?.kind !== "present") yield { why: "output-missing", output };
  if (!trace || step.outputs.some((output) => !trace.outputs.some(({ name }) => name === output)))
    yield { why: "no-record" };
  if (!trace) return;
  yield* outputReasons(step, outputs, trace);
  yield* recipeReasons(recipe, trace.recipe);
  yield* inputReasons(inputs, trace.inputs);
  yield* changedReasons(discovered, trace.discovered ?? []);
  yield* expiry(step, trace, nowMs);
  yield* provisional(step, trace);
}

function* outputReasons(step: Step, outputs: readonly Fact[], trace: Trace): Generator<Reason> {
  const recorded = digestsOf(trace.outputs);
  for (const [i, output] of step.outputs.entries()) {
    const fact = outputs[i];
    const before = recorded.get(output);
    if (fact?.kind === "present" && before !== undefined && before !== fact.digest)
      yield { why: "output-edited", output, recorded: before, found: fact.digest };
  }
}

function* recipeReasons(found: Parts, recorded: Parts): Generator<Reason> {
  // In most builds most recipes are as they were: sorting the names of all parts took 8 % of a build of 10 000 targets.
  const names = Object.keys(found);
  const isSame = names.length === Object.keys(recorded).length;
  if (isSame && names.every((part) => found[part] === recorded[part])) return;
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

function* inputReasons(inputs: readonly NamedDigest[], recorded: readonly NamedDigest[]): Generator<Reason> {
  if (areSame(inputs, recorded)) return;
  const [before, now] = [digestsOf(recorded), digestsOf(inputs)];
  for (const { name } of inputs) if (!before.has(name)) yield { why: "input-added", input: name };
  for (const { name } of recorded) if (!now.has(name)) yield { why: "input-removed", input: name };
  yield* changedReasons(inputs, recorded);
  // A recipe is given its inputs by position. Names that came or went are reasons of their own.
  const names = (list: readonly NamedDigest[], others: ReadonlyMap<string, Digest>) =>
    list.map(({ name }) => name).filter((name) => others.has(name));
  const [old, current] = [names(recorded, now), names(inputs, before)];
  if (current.some((name, i) => name !== old[i]))
    yield { why: "inputs-reordered", recorded: old, found: current };
}

/** The names on both sides that say something else now. */
function* changedReasons(found: readonly NamedDigest[], recorded: readonly NamedDigest[]): Generator<Reason> {
  if (areSame(found, recorded)) return;
  const before = digestsOf(recorded);
  for (const { name, digest } of found) {
    const old = before.get(name);
    if (old !== undefined && old !== digest)
      yield { why: "input-changed", input: name, recorded: old, found: digest };
  }
}

function* expiry({ recipe }: Step, trace: Trace, nowMs: number): Generator<Reason> {
  if (recipe.kind !== "download" || recipe.maxAgeMs === undefined) return;
  const age = nowMs - Date.parse(trace.checkedAt);
  if (!(age >= 0 && age < recipe.maxAgeMs))
    yield { why: "expired", checkedAt: trace.checkedAt, maxAgeMs: recipe.maxAgeMs };
}

/**
 * What has inputs follows them, and what was said of it as provisional is said again once that is over. A download that
 * says `maxAge` is asked again by that, and once when its month is over.
 */
function* provisional({ recipe, inputs, open }: Step, trace: Trace): Generator<Reason> {
  if (!(open || trace.provisional) || (open && inputs.length > 0)) return;
  if (open && recipe.kind === "download" && recipe.maxAgeMs !== undefined) return;
  yield { why: "provisional", open: open === true };
}

/**
 * Whether nothing that is to be done changes what is there: what is declared of a table besides its rows, or that its
 * month is over, where inputs have told that nothing else came.
 */
export const isAmendable = (verdict: Verdict, { inputs }: Step): boolean =>
  verdict.kind === "stale" &&
  verdict.reasons.every(
    (reason) =>
      (reason.why === "recipe-changed" && reason.part.startsWith(amendable)) ||
      (reason.why === "provisional" && !reason.open && inputs.length > 0),
  );

/** The same names with the same digests, in the same order. */
const areSame = (one: readonly NamedDigest[], other: readonly NamedDigest[]): boolean =>
  one.length === other.length &&
  one.every(({ name, digest }, i) => name === other[i]?.name && digest === other[i]?.digest);

const digestsOf = (list: readonly NamedDigest[]): ReadonlyMap<string, Digest> =>
  new Map(list.map(({ name, digest }) => [name, digest]));

/** A fact as it is recorded. */
export const named = (name: string, fact: Fact): NamedDigest => ({
  name,
  digest: fact.kind === "present" ? fact.digest : absent,
});

/** The reasons that hold whatever becomes of the `uncertain` inputs, for a dry run that cannot know them yet. */
export const certainReasons = (verdict: Verdict, uncertain: ReadonlySet<string>): readonly Reason[] =>
  verdict.kind === "fresh"
    ? []
    : verdict.reasons.filter((reason) => reason.why !== "input-changed" || !uncertain.has(reason.input));

/** A reason as it is recorded with what it led to. */
export function inShort(reason: Reason): Because {
  switch (reason.why) {
    case "forced":
    case "no-record":
    case "inputs-reordered":
    case "expired":
    case "provisional":
      return { why: reason.why };
    case "output-missing":
    case "output-edited":
      return { why: reason.why, about: reason.output };
    case "recipe-changed":
      return { why: reason.why, about: reason.part };
    case "input-added":
    case "input-removed":
    case "input-changed":
      return { why: reason.why, about: reason.input };
  }
}
