// The dry run: what would run, and what may, without running or writing anything. Knows nothing of recipes.
import type { Emit, Summary } from "../core/event.js";
import { ok, type Result } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import type { Step } from "../core/rule.js";
import { allReasons, certainReasons } from "../core/verdict.js";
import { Facts, type Stores } from "./facts.js";
import { gather, judgeStep } from "./judge.js";

export interface PreviewOptions {
  readonly forced: boolean;
  /** Stop at the first step that would run. */
  readonly question: boolean;
}

/**
 * Judges the graph as it is now. A step below one that would run may run: its inputs are not known yet, and may
 * turn out the same.
 */
export async function preview(
  graph: Graph,
  options: PreviewOptions,
  world: { readonly stores: Stores; readonly emit: Emit; readonly signal: AbortSignal },
): Promise<Result<Summary>> {
  const started = performance.now();
  const facts = new Facts(world.stores);
  const gathered = await gather(graph.steps, facts);
  if (!gathered.ok) return gathered;
  const uncertain = new Set<Step>();
  const counts = { fresh: 0, wouldRun: 0, mayRun: 0 };
  for (const step of graph.steps) {
    if (world.signal.aborted || (options.question && counts.wouldRun > 0)) break;
    const judged = judgeStep(step, facts, { forced: options.forced, nowMs: Date.now() });
    if (!judged.ok) return judged;
    const dependsOn = firstUncertain(step, graph, uncertain);
    const reasons = dependsOn ? certainReasons(judged.value.verdict) : allReasons(judged.value.verdict);
    if (reasons.length > 0) {
      counts.wouldRun += 1;
      world.emit({ event: "would-run", step: step.id, reasons });
    } else if (dependsOn) {
      counts.mayRun += 1;
      world.emit({ event: "may-run", step: step.id, dependsOn: dependsOn.id });
    } else {
      counts.fresh += 1;
      world.emit({ event: "fresh", step: step.id });
      continue;
    }
    uncertain.add(step);
  }
  const durationMs = Math.round(performance.now() - started);
  const none = { made: 0, failed: 0, blocked: 0, notStarted: 0 };
  return ok({ ...none, ...counts, interrupted: world.signal.aborted, durationMs });
}

function firstUncertain(step: Step, graph: Graph, uncertain: ReadonlySet<Step>): Step | undefined {
  for (const name of step.inputs) {
    const maker = graph.makers.get(name);
    if (maker && uncertain.has(maker)) return maker;
  }
  return undefined;
}
