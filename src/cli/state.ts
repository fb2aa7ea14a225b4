// Says in one word how each step of a plan stands, and why. Knows nothing of showing, and changes nothing.
import { type Failure, ok, type Result } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import type { Step } from "../core/rule.js";
import { absent, type Ended, type Trace } from "../core/trace.js";
import type { Reason } from "../core/verdict.js";
import type { Stores } from "../engine/facts.js";
import { type Previewed, preview } from "../engine/preview.js";
import type { State } from "./options.js";

/** How one step stands. */
export interface Stated {
  readonly step: Step;
  readonly state: State;
  /** All that is true of it: what has failed may be missing as well. */
  readonly is: ReadonlySet<State>;
  readonly because: Why;
  readonly trace: Trace | undefined;
}

/** What keeps it from being fresh, the first that a person would want to know. */
export type Why =
  | { readonly kind: "nothing" }
  | { readonly kind: "reasons"; readonly reasons: readonly Reason[] }
  | { readonly kind: "depends-on"; readonly step: string }
  | { readonly kind: "failure"; readonly failure: Failure | undefined }
  | { readonly kind: "needs"; readonly name: string; readonly problem: "failed" | "absent" };

/** What the states of a plan depend on besides the plan. */
export interface Known {
  readonly stores: Stores;
  readonly signal: AbortSignal;
  /** Step → its last attempt. */
  readonly attempts: ReadonlyMap<string, Pick<Ended, "outcome" | "startedAt" | "failure">>;
}

/** How every step of a graph stands as things are, inputs before users. A source that is not there is no failure here. */
export async function statesOf(
  graph: Graph,
  { stores, signal, attempts }: Known,
): Promise<Result<ReadonlyMap<Step, Stated>>> {
  const stated = new Map<Step, Stated>();
  const tell = (one: Previewed) => stated.set(one.step, state(one, { graph, attempts, stated }));
  const previewed = await preview(graph, { forced: false, question: false }, { stores, signal, tell });
  return previewed.ok ? ok(stated) : previewed;
}

interface Around {
  readonly graph: Graph;
  readonly attempts: Known["attempts"];
  /** Those that are judged already. */
  readonly stated: ReadonlyMap<Step, Stated>;
}

function state({ step, standing, judged }: Previewed, around: Around): Stated {
  const { trace } = judged;
  const isOpen = trace?.provisional === true;
  const good = isOpen ? "open" : "fresh";
  if (standing.kind === "fresh")
    return { step, trace, state: good, is: new Set([good]), because: { kind: "nothing" } };
  const isThere = trace !== undefined && judged.outputs.every(({ kind }) => kind === "present");
  const failure = failureOf(step, { trace, attempts: around.attempts });
  const need = failure ? undefined : needOf(step, judged, around);
  const reasons = standing.kind === "would-run" ? standing.reasons : [];
  const because: Why =
    standing.kind === "may-run"
      ? { kind: "depends-on", step: standing.dependsOn.id }
      : { kind: "reasons", reasons };
  const onlyOpen =
    isThere &&
    (standing.kind === "would-run"
      ? reasons.every(({ why }) => why === "provisional")
      : neededBy(step, judged, around).every(({ state }) => state === "open" || state === "fresh"));
  const is = new Set<State>([isThere ? "stale" : "missing"]);
  const told = (state: State, why: Why = because): Stated => ({
    step,
    trace,
    state,
    is: is.add(state),
    because: why,
  });
  if (failure) return told("failed", failure);
  if (need) return told("blocked", need);
  return told(onlyOpen ? "open" : isThere ? "stale" : "missing");
}

/**
 * The failure of its last attempt, if nobody has made it since. Where another machine has, the two clocks are compared:
 * nothing but a word of this report hangs on it.
 */
function failureOf(
  { id }: Step,
  { trace, attempts }: { readonly trace: Trace | undefined; readonly attempts: Known["attempts"] },
): Why | undefined {
  const last = attempts.get(id);
  if (last?.outcome !== "failed") return undefined;
  if (trace && Date.parse(trace.startedAt) > Date.parse(last.startedAt)) return undefined;
  return { kind: "failure", failure: last.failure };
}

/** What it needs and cannot have as things are. */
function needOf(step: Step, judged: Previewed["judged"], around: Around): Why | undefined {
  const { graph } = around;
  const lacks = judged.inputs.find(
    ({ name, digest }) => digest === absent && !graph.makers.has(name) && !step.optional.has(name),
  );
  if (lacks) return { kind: "needs", name: lacks.name, problem: "absent" };
  for (const found of neededBy(step, judged, around)) {
    if (found.state === "failed") return { kind: "needs", name: found.step.id, problem: "failed" };
    if (found.state === "blocked") return found.because;
  }
  return undefined;
}

/** The steps that make what it looks at or waits for. */
function neededBy(step: Step, judged: Previewed["judged"], { graph, stated }: Around): readonly Stated[] {
  const names = [...step.inputs, ...step.uses, ...step.after, ...judged.discovered.map(({ name }) => name)];
  return names.flatMap((name) => {
    const maker = graph.makers.get(name);
    return (maker && stated.get(maker)) ?? [];
  });
}
