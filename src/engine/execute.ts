// Runs one recipe and publishes its outputs. Knows nothing of the graph, of freshness, or of other steps.
import { randomBytes } from "node:crypto";
import type { Emit } from "../core/event.js";
import { fail, ok, type Result } from "../core/failure.js";
import { given } from "../core/fingerprint.js";
import type { Recipe } from "../core/rule.js";
import { isTableName } from "../core/target.js";
import type { NamedDigest, Trace } from "../core/trace.js";
import { inShort } from "../core/verdict.js";
import type { Judged } from "./judge.js";
import type { Attempt, Job, Outcome, Runner, Runners, Stage, Store } from "./ports.js";

export interface ExecuteOptions {
  readonly store: Store;
  readonly runners: Runners;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  readonly threads: number;
  readonly forced: boolean;
  /** What the recipe finds out that it needs. */
  readonly need: Job["need"];
  /** What is to be recorded of inputs, and of what was discovered, once the recipe has ended. */
  readonly settle: (outcome: Outcome) => Promise<Result<Settled>>;
}

export interface Settled {
  readonly inputs: readonly NamedDigest[];
  readonly discovered: readonly NamedDigest[];
}

export interface Executed {
  readonly trace: Trace;
  readonly how: "made" | "unchanged" | "already";
  readonly durationMs: number;
}

/** What is known of an attempt before it begins. */
export function attemptOf(
  { step, parts, inputs, verdict }: Pick<Judged, "step" | "parts" | "inputs" | "verdict">,
  forced: boolean,
): Attempt {
  return {
    id: randomBytes(8).toString("hex"),
    step,
    recipe: parts,
    inputs,
    because: verdict.kind === "stale" ? verdict.reasons.map(inShort) : [],
    startedAt: new Date().toISOString(),
    forced,
  };
}

/** Stages, runs, publishes. On any failure nothing of the attempt is left and what was published before stays. */
export async function execute(judged: Judged, options: ExecuteOptions): Promise<Result<Executed>> {
  const { step, verdict } = judged;
  const { store, emit, signal } = options;
  const started = performance.now();
  const attempt = attemptOf(judged, options.forced);
  const reasons = verdict.kind === "stale" ? verdict.reasons : [];
  emit({ event: "running", step: step.id, attempt: attempt.id, reasons });
  const stage = await store.stage(attempt, signal);
  const elapsed = () => Math.round(performance.now() - started);
  if (!stage.ok) return stage;
  if (stage.value.kind === "already")
    return ok({ trace: stage.value.trace, how: "already", durationMs: elapsed() });

  let published = false;
  try {
    const outcome = await run(judged, stage.value, options);
    if (!outcome.ok) return outcome;
    if (signal.aborted) return fail({ reason: "interrupted" });
    const settled = await options.settle(outcome.value);
    if (!settled.ok) return settled;
    const finished = { outcome: outcome.value, durationMs: elapsed(), ...settled.value };
    const made = await store.publish(attempt, stage.value, finished);
    if (!made.ok) return made;
    published = true;
    for (const { output, path } of made.value.saved)
      emit({ event: "warning", warning: "output-saved", output, path });
    return ok({ trace: made.value.trace, how: outcome.value.kind, durationMs: elapsed() });
  } finally {
    if (!published) await store.discard(attempt, stage.value);
  }
}

async function run(judged: Judged, stage: Stage, options: ExecuteOptions): Promise<Result<Outcome>> {
  const { step, trace, verdict, inputs } = judged;
  const { emit, signal, threads, need } = options;
  // Conditional requests only make sense while the output is what the record says.
  const intact =
    verdict.kind === "stale" &&
    !verdict.reasons.some(({ why }) => why === "output-missing" || why === "output-edited");
  const job: Job = {
    step,
    inputs: given(step, inputs).filter((name) => !isTableName(name)),
    stage,
    previous: intact && !options.forced ? trace : undefined,
    threads,
    signal,
    log: (text) => emit({ event: "output", step: step.id, text }),
    progress: (progress) => emit({ event: "progress", step: step.id, ...progress }),
    need,
  };
  return dispatch(step.recipe, job, options.runners);
}

/** Hands a recipe to the runner of its kind; the table of runners is typed so that they cannot be mixed up. */
async function dispatch<K extends Recipe["kind"]>(
  recipe: Extract<Recipe, { kind: K }>,
  job: Job,
  runners: Runners,
): Promise<Result<Outcome>> {
  const load = runners[recipe.kind] as () => Promise<Runner<Extract<Recipe, { kind: K }>>>;
  return (await load())(recipe, job);
}
