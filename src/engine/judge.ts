// Gathers what a verdict needs and has a step judged. Knows nothing of scheduling or running.
import { ok, type Result } from "../core/failure.js";
import { recipeParts } from "../core/fingerprint.js";
import type { Graph } from "../core/graph.js";
import type { Step } from "../core/rule.js";
import { isLost, type Schedule } from "../core/schedule.js";
import { absent, type Fact, type NamedDigest, type Parts, type Trace } from "../core/trace.js";
import { type Evidence, judge, named, type Verdict } from "../core/verdict.js";
import type { Facts } from "./facts.js";

/** A step, what was found of it, and what follows. */
export interface Judged {
  readonly step: Step;
  readonly parts: Parts;
  /** Inputs and what it uses, as read before the recipe runs: what is recorded, so that a change meanwhile makes the next run stale. */
  readonly inputs: readonly NamedDigest[];
  /** What its last run had discovered, as it is now. */
  readonly discovered: readonly NamedDigest[];
  readonly outputs: readonly Fact[];
  readonly trace: Trace | undefined;
  readonly verdict: Verdict;
}

export interface JudgeOptions {
  readonly forced: boolean;
  /** The clock, for a declared `maxAge` only. */
  readonly nowMs: number;
}

/** What judging may set in motion: what a recipe has discovered may have to be made before it can be compared. */
export interface Progress {
  readonly graph: Graph;
  readonly schedule: Schedule;
  /** Told of steps that have joined. */
  readonly joined: (steps: readonly Step[]) => void;
}

/** Looks at all that the verdicts on these steps depend on, in as few questions as the stores allow. */
export async function gather(steps: readonly Step[], facts: Facts): Promise<Result<void>> {
  const names = steps.flatMap((step) => [...step.inputs, ...step.uses, ...step.outputs]);
  const seen = await facts.observe(names);
  return seen.ok ? facts.recall(steps) : seen;
}

/**
 * Judges one step that was gathered, or answers `waiting`: nothing that is declared is a reason to run it, and something
 * that its last run had discovered has to be brought up to date before it can be compared. Of a step that is stale anyway
 * this is left to the recipe, which may not need it any more.
 */
export async function judgeStep(
  step: Step,
  facts: Facts,
  { progress, ...options }: JudgeOptions & { readonly progress: Progress },
): Promise<Result<Judged | "waiting">> {
  const inputs = [...step.inputs, ...step.uses].map((name) => named(name, facts.of(name)));
  const parts = recipeParts(step, inputs);
  if (!parts.ok) return parts;
  const outputs = step.outputs.map((name) => facts.of(name));
  const trace = facts.traceOf(step);
  const recorded = trace?.discovered ?? [];
  const evidence: Evidence = {
    step,
    recipe: parts.value,
    inputs,
    discovered: recorded,
    outputs,
    trace,
    ...options,
  };
  const answer = (discovered: readonly NamedDigest[], verdict: Verdict) =>
    ok({ step, parts: parts.value, inputs, discovered, outputs, trace, verdict });
  const declared = judge(evidence);
  if (declared.kind === "stale" || recorded.length === 0) return answer(recorded, declared);
  const gone = makeDiscovered(step, recorded, progress);
  if (gone === "waiting") return ok("waiting");
  const seen = await facts.observe(recorded.map(({ name }) => name).filter((name) => !gone.has(name)));
  if (!seen.ok) return seen;
  const discovered = recorded.map(({ name }) =>
    gone.has(name) ? { name, digest: absent } : named(name, facts.of(name)),
  );
  return answer(discovered, judge({ ...evidence, discovered }));
}

/**
 * Has what was discovered made first. Answers the names that cannot be had any more, or not this time: a reason to run,
 * and no error. The recipe finds out, as it did the first time.
 */
function makeDiscovered(
  step: Step,
  recorded: readonly NamedDigest[],
  { graph, schedule, joined }: Progress,
): ReadonlySet<string> | "waiting" {
  const gone = new Set<string>();
  for (const { name } of recorded) {
    const grown = graph.grow([name], step);
    if (!grown.ok) {
      gone.add(name);
      continue;
    }
    schedule.add(grown.value);
    joined(grown.value);
    const maker = graph.makers.get(name);
    if (!maker) continue;
    if (maker === step || isLost(schedule.stateOf(maker)) || schedule.waitFor(step, [maker])) gone.add(name);
  }
  return schedule.stateOf(step) === "ready" ? gone : "waiting";
}
