// Runs one attempt of one recipe and publishes its outputs. Knows nothing of the graph, of freshness, or of other steps.
import { randomBytes } from "node:crypto";
import type { Emit } from "../core/event.js";
import { fail, type Holder, ok, type Result } from "../core/failure.js";
import { given } from "../core/fingerprint.js";
import { redactAll, redactText } from "../core/redact.js";
import type { Recipe } from "../core/rule.js";
import { isRelationName, isViewName } from "../core/target.js";
import type { NamedDigest, Origin, Trace } from "../core/trace.js";
import { inShort, isAmendable } from "../core/verdict.js";
import { Deadline } from "./deadline.js";
import type { Judged } from "./judge.js";
import {
  type Attempt,
  type Child,
  type History,
  type Job,
  type Lineage,
  marks,
  type Outcome,
  type Published,
  type Runner,
  type Runners,
  type Stage,
  type Store,
  type Waiting,
} from "./ports.js";

export interface ExecuteOptions {
  readonly store: Store;
  readonly runners: Runners;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  readonly threads: number;
  readonly forced: boolean;
  /** Counts from 1. */
  readonly tries: number;
  readonly waiting: Waiting;
  /** Called once a wait for the place to write is over. Answers whether to go on with what was judged before. */
  readonly afterWait: () => Promise<boolean>;
  /** What the recipe finds out that it needs. */
  readonly need: Job["need"];
  /** What is to be recorded of inputs, and of what was discovered, once the recipe has ended. */
  readonly settle: (judged: Judged, outcome: Outcome) => Promise<Result<Settled>>;
  /** Called when the recipe is over and what it made is only on its way to the disk. Answers whether nobody waits for that. */
  readonly atRest?: () => boolean;
  /** Where what was read comes from, for records that say so. */
  readonly origins: (inputs: readonly NamedDigest[]) => Promise<Result<readonly Origin[]>>;
  /** What a process that the recipe starts is given, besides marks. */
  readonly child?: () => Child;
  /** Set where the recipe holds the terminal. */
  readonly terminal?: "stdout" | "stderr";
  /** By which its processes are found. */
  readonly run?: string;
  readonly lineage?: Lineage;
  readonly history?: History;
}

export interface Settled {
  readonly inputs: readonly NamedDigest[];
  readonly discovered: readonly NamedDigest[];
}

export type Executed =
  | {
      readonly how: "made" | "unchanged" | "already" | "amended";
      readonly trace: Trace;
      readonly durationMs: number;
    }
  /** It had to wait, and was told not to go on after that. */
  | { readonly how: "given-up" };

/** What is known of an attempt before it begins. */
export function attemptOf(
  {
    step,
    parts,
    inputs,
    verdict,
    trace,
  }: Pick<Judged, "step" | "parts" | "inputs" | "verdict"> & Partial<Pick<Judged, "trace">>,
  forced: boolean,
): Attempt {
  // Of a file that has inputs, or a view, these tell.
  const holdsRows = isRelationName(step.id) && !isViewName(step.id);
  const isProvisional = step.open && (step.inputs.length === 0 || holdsRows);
  return {
    id: randomBytes(8).toString("hex"),
    step,
    recipe: parts,
    inputs,
    because: verdict.kind === "stale" ? verdict.reasons.map(inShort) : [],
    startedAt: new Date().toISOString(),
    forced,
    ...(trace && { previous: trace }),
    ...(isProvisional && { provisional: true }),
  };
}

/** Stages, runs, publishes. On any failure nothing of the attempt is left and what was published before stays. */
export async function execute(judged: Judged, options: ExecuteOptions): Promise<Result<Executed>> {
  const { store, emit, forced, tries } = options;
  const { step, verdict } = judged;
  const attempt = attemptOf(judged, forced);
  let hasWaited = false;
  const onWait = (holder: Holder) => {
    hasWaited = true;
    options.waiting.onWait(holder);
  };
  const waiting = { ...options.waiting, onWait };
  const resume = async () => {
    const goesOn = !hasWaited || (await options.afterWait());
    hasWaited = false;
    return goesOn;
  };
  if (store.amend && !forced && isAmendable(verdict, step)) {
    const amended = await store.amend(attempt, waiting);
    const goesOn = await resume();
    if (amended.ok && amended.value)
      return noted(attempt, options, {
        how: "amended",
        trace: amended.value,
        durationMs: sinceStart(attempt),
      });
    if (!goesOn || isCut(amended)) return ok({ how: "given-up" });
    if (!amended.ok) return amended;
  }
  const staged = await store.stage(attempt, waiting);
  const goesOn = await resume();
  if (!staged.ok) return goesOn && !isCut(staged) ? staged : ok({ how: "given-up" });
  if (staged.value.kind === "already")
    return ok({ trace: staged.value.trace, how: "already", durationMs: sinceStart(attempt) });
  if (!goesOn) {
    await store.discard(attempt, staged.value);
    return ok({ how: "given-up" });
  }
  emit({
    ...{ event: "running", step: step.id, attempt: attempt.id },
    reasons: verdict.kind === "stale" ? verdict.reasons : [],
    ...(tries > 1 && { tries }),
    ...(options.terminal && { terminal: true }),
  });
  const executed = await work({ judged, attempt, stage: staged.value }, options);
  note({ attempt, executed }, options);
  return executed;
}

/** Interrupted before its recipe began: nothing of it has failed. */
const isCut = (begun: Result<unknown>): boolean => !begun.ok && begun.error.reason === "interrupted";

function noted(attempt: Attempt, options: ExecuteOptions, executed: Executed): Result<Executed> {
  note({ attempt, executed: ok(executed) }, options);
  return ok(executed);
}

const sinceStart = ({ startedAt }: Attempt): number => Date.now() - Date.parse(startedAt);

interface Working {
  readonly judged: Judged;
  readonly attempt: Attempt;
  readonly stage: Stage;
}

async function work(working: Working, options: ExecuteOptions): Promise<Result<Executed>> {
  const { judged, attempt, stage } = working;
  const { store, emit, signal } = options;
  const started = performance.now();
  const elapsed = () => Math.round(performance.now() - started);
  let published = false;
  try {
    const outcome = await runInTime(working, options);
    if (!outcome.ok) return outcome;
    if (signal.aborted) return fail({ reason: "interrupted" });
    const settled = await options.settle(judged, outcome.value);
    if (!settled.ok) return settled;
    const facts = redactAll(outcome.value.facts, judged.step.rule.secrets ?? new Set());
    const origins = isRelationName(judged.step.id) ? await options.origins(settled.value.inputs) : ok([]);
    if (!origins.ok) return origins;
    const finished = {
      outcome: { ...outcome.value, facts },
      durationMs: elapsed(),
      ...settled.value,
      ...(origins.value.length > 0 && { origins: origins.value }),
      ...(options.atRest && { atRest: options.atRest }),
    };
    const made = await store.publish(attempt, stage, finished, signal);
    if (!made.ok) return made;
    published = true;
    tell(judged, { outcome: outcome.value, published: made.value }, emit);
    return ok({ trace: made.value.trace, how: outcome.value.kind, durationMs: elapsed() });
  } finally {
    if (!published) await store.discard(attempt, stage);
  }
}

/** What a person should know of a success. */
function tell(
  { step }: Judged,
  { outcome, published }: { readonly outcome: Outcome; readonly published: Published },
  emit: Emit,
): void {
  for (const { output, path } of published.saved)
    emit({ event: "warning", warning: "output-saved", output, path });
  const { changes = [] } = published;
  if (changes.length > 0) emit({ event: "warning", warning: "table-changed", step: step.id, changes });
  if (outcome.kind !== "made" || !outcome.rejected) return;
  const rows = outcome.facts.rejects ?? 0;
  emit({ event: "warning", warning: "rows-rejected", step: step.id, rows, ...outcome.rejected });
}

function note(
  { attempt, executed }: { readonly attempt: Attempt; readonly executed: Result<Executed> },
  { history, tries }: ExecuteOptions,
): void {
  const { id, step, startedAt, because } = attempt;
  const known = { step: step.id, attempt: id, tries, startedAt, because };
  if (!executed.ok) {
    const failure = executed.error;
    const outcome = failure.reason === "interrupted" ? "interrupted" : "failed";
    history?.note({ ...known, durationMs: sinceStart(attempt), outcome, failure });
  } else if (executed.value.how !== "already" && executed.value.how !== "given-up") {
    const { how, durationMs, trace } = executed.value;
    history?.note({ ...known, durationMs, outcome: how, facts: trace.facts });
  }
}

/** As long as its rule allows; what it waits for meanwhile does not count. */
async function runInTime(working: Working, options: ExecuteOptions): Promise<Result<Outcome>> {
  const { timeoutMs } = working.judged.step.rule;
  if (timeoutMs === undefined) return run(working, options);
  const deadline = new Deadline(timeoutMs, options.signal);
  const need: Job["need"] = async (names) => {
    deadline.pause();
    const answer = await options.need(names);
    deadline.resume();
    return answer;
  };
  const outcome = await run(working, { ...options, need, signal: deadline.signal });
  deadline.end();
  const isCut = !outcome.ok && outcome.error.reason === "interrupted" && deadline.isOver;
  return isCut && !options.signal.aborted ? fail({ reason: "timed-out", afterMs: timeoutMs }) : outcome;
}

async function run({ judged, attempt, stage }: Working, options: ExecuteOptions): Promise<Result<Outcome>> {
  const { step, trace, verdict, inputs } = judged;
  const { emit, signal, threads, need, terminal, run: runId, lineage } = options;
  // Conditional requests only make sense while the output is what the record says.
  const intact =
    verdict.kind === "stale" &&
    !verdict.reasons.some(({ why }) => why === "output-missing" || why === "output-edited");
  const { secrets = [] } = step.rule;
  const child = step.recipe.kind === "sh" ? options.child?.() : undefined;
  const job: Job = {
    step,
    inputs: given(step, inputs).filter((name) => !isRelationName(name)),
    ...(step.recipe.kind === "sql" && { tables: given(step, inputs).filter(isRelationName) }),
    stage,
    previous: intact && !options.forced ? trace : undefined,
    threads,
    signal,
    log: (text) => emit({ event: "output", step: step.id, text: redactText(text, [...secrets]) }),
    progress: (progress) => emit({ event: "progress", step: step.id, ...progress }),
    need,
    child: {
      env: {
        ...child?.env,
        ...(runId && { [marks.run]: runId }),
        ...(lineage && { [marks.lineage]: lineage.with(step.id) }),
        [marks.attempt]: attempt.id,
      },
      descriptors: child?.descriptors ?? [],
    },
    ...(terminal && { terminal }),
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
