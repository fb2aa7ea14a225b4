// Brings one stale step to its end: waits for those who make it now, tries again what may pass. Knows nothing of the order of steps.
import type { Emit } from "../core/event.js";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { fingerprintOf } from "../core/fingerprint.js";
import type { Graph } from "../core/graph.js";
import { mayPass, pauseAfter } from "../core/retry.js";
import type { Step } from "../core/rule.js";
import { type Executed, execute } from "./execute.js";
import { type Facts, type Stores, storeOf } from "./facts.js";
import type { Judged } from "./judge.js";
import type { Needs } from "./needs.js";
import { originsOf } from "./origins.js";
import type { Paused } from "./paused.js";
import type { Child, History, Job, Lineage, Runners } from "./ports.js";
import { type Asked, settle } from "./settle.js";

export interface TriesOptions {
  readonly stores: Stores;
  readonly runners: Runners;
  readonly emit: Emit;
  /** Aborts when what runs is to end. */
  readonly signal: AbortSignal;
  /** Aborts when nothing new is to begin. */
  readonly stopping: AbortSignal;
  readonly forced: boolean;
  readonly noWait: boolean;
  readonly lineage?: Lineage;
  readonly graph: Graph;
  readonly facts: Facts;
  readonly needs: Needs;
  readonly paused: Paused;
  /** Judges a step as things are now. */
  readonly judgeAgain: (step: Step) => Promise<Result<Judged | "waiting">>;
  /** Called when the recipe of a step is over and what it made is only on its way to the disk. Answers whether nobody waits for that. */
  readonly atRest?: (step: Step) => boolean;
  readonly child?: () => Child;
  readonly run?: string;
  readonly history?: History;
}

/** What differs from one start of a step to the next. */
export interface Start {
  readonly threads: number;
  readonly terminal?: "stdout" | "stderr";
}

/** Answers how the step ended; `given-up` if it never began, because nothing new is to begin. */
export async function tryOut(first: Judged, start: Start, options: TriesOptions): Promise<Result<Executed>> {
  let judged = first;
  // To wait for its lock would be for ever.
  if (options.lineage?.has(first.step.id)) return fail({ reason: "recursion", target: first.step.id });
  for (let tries = 1; ; ) {
    const once = await tryOnce(judged, { ...start, tries }, options);
    if (once.kind === "again") judged = once.judged;
    else if (once.ended.ok) return once.ended;
    else if (await mayTryAgain(judged.step, once.ended.error, tries, options)) tries += 1;
    else return once.ended;
  }
}

type Once =
  | { readonly kind: "ended"; readonly ended: Result<Executed> }
  /** While it waited, things have changed: this is what there is to do now. */
  | { readonly kind: "again"; readonly judged: Judged };

async function tryOnce(
  judged: Judged,
  start: Start & { readonly tries: number },
  options: TriesOptions,
): Promise<Once> {
  const { step } = judged;
  const { stores, emit, facts, graph, paused, stopping } = options;
  const asked: Asked = { seen: new Set(), lost: new Set() };
  let changed: Result<Judged> | undefined;
  const ended = await execute(judged, {
    ...options,
    ...start,
    atRest: () => options.atRest?.(step) ?? false,
    store: storeOf(stores, step.id),
    waiting: {
      signal: stopping,
      noWait: options.noWait,
      onWait: (holder) => {
        emit({ event: "waiting", step: step.id, holder });
        paused.pause(step);
      },
    },
    afterWait: async () => {
      if (!(await paused.goOn(step)) || stopping.aborted) return false;
      facts.forget(step);
      const now = await options.judgeAgain(step);
      // What its last run had discovered is being made meanwhile: left to the recipe, or to the next run.
      if (now.ok && now.value === "waiting") return true;
      if (now.ok && now.value !== "waiting" && isSame(now.value, judged)) return true;
      changed = now as Result<Judged>;
      return false;
    },
    need: needOf(step, asked, options),
    origins: (inputs) => originsOf(inputs, { graph, facts }),
    settle: (known, outcome) => settle(known, { facts, graph, emit, asked, outcome }),
  });
  const isAmended = ended.ok && ended.value.how === "amended";
  if (!changed || isAmended) return { kind: "ended", ended };
  if (!changed.ok) return { kind: "ended", ended: changed };
  const { verdict, trace } = changed.value;
  if (verdict.kind === "stale") return { kind: "again", judged: changed.value };
  if (!trace) throw new Error(`bug: ${step.id} is fresh without a record`);
  return { kind: "ended", ended: ok({ how: "already", trace, durationMs: 0 }) };
}

const isSame = (now: Judged, before: Judged): boolean =>
  now.verdict.kind === "stale" &&
  fingerprintOf(now.parts, now.inputs) === fingerprintOf(before.parts, before.inputs);

/** One after the other, if a recipe asks for several things at once: it is paused once. */
function needOf(step: Step, asked: Asked, options: TriesOptions): Job["need"] {
  let last: Promise<unknown> = Promise.resolve();
  return (names) => {
    const answer = last.then(() => need(step, names, { ...options, asked }));
    last = answer;
    return answer;
  };
}

/** What is not there is noted too: a recipe that goes on without it depends on there being nothing. */
async function need(
  step: Step,
  names: readonly string[],
  { needs, facts, asked }: TriesOptions & { readonly asked: Asked },
): ReturnType<Job["need"]> {
  const made = await needs.need(step, names);
  const seen = made.ok ? await facts.observe(names) : made;
  for (const name of names) (seen.ok ? asked.seen : asked.lost).add(name);
  if (!seen.ok) return seen;
  const missing = names.find((name) => facts.of(name).kind === "absent");
  if (missing === undefined) return ok(undefined);
  return fail({ reason: "no-rule", target: missing, neededBy: step.id, at: step.rule.at, suggestions: [] });
}

/** Waits for the time of the next try, without places, if there is to be one. */
async function mayTryAgain(
  step: Step,
  failure: Failure,
  tries: number,
  { emit, paused, stopping }: TriesOptions,
): Promise<boolean> {
  const { retries } = step.rule;
  if (!retries || tries > retries.times || !mayPass(failure) || stopping.aborted) return false;
  // A function that does not listen to its signal goes on, and would write where its next try does.
  const mayGoOn = step.recipe.kind === "script" && step.rule.inPlace && failure.reason === "timed-out";
  if (mayGoOn) return false;
  const inMs = pauseAfter(tries, retries);
  emit({ event: "retrying", step: step.id, failure, tries: tries + 1, of: retries.times + 1, inMs });
  paused.pause(step);
  await paused.sleep(inMs);
  return (await paused.goOn(step)) && !stopping.aborted;
}
