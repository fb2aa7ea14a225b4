// The dry run: what would run, and what may, without running or writing anything. Knows nothing of recipes.
import type { Emit, Summary } from "../core/event.js";
import { ok, type Result } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import { certainReasons } from "../core/verdict.js";
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
  const uncertain = new Set<string>();
  const counts = { fresh: 0, wouldRun: 0, mayRun: 0 };
  for (const step of graph.steps) {
    if (world.signal.aborted || (options.question && counts.wouldRun > 0)) break;
    const judged = judgeStep(step, facts, { forced: options.forced, nowMs: Date.now() });
    if (!judged.ok) return judged;
    const open = step.inputs.filter((name) => uncertain.has(name));
    const dependsOn = open[0] === undefined ? undefined : graph.makers.get(open[0]);
    const reasons = certainReasons(judged.value.verdict, new Set(open));
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
    for (const output of step.outputs) uncertain.add(output);
  }
  const durationMs = Math.round(performance.now() - started);
  const none = { made: 0, failed: 0, blocked: 0, notStarted: 0 };
  return ok({ ...none, ...counts, interrupted: world.signal.aborted, durationMs });
}
