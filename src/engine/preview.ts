// The dry run: what would run, and what may, without running or writing anything. Knows nothing of recipes.
import type { Summary } from "../core/event.js";
import { ok, type Result } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import type { Step } from "../core/rule.js";
import { Schedule } from "../core/schedule.js";
import { certainReasons, type Reason } from "../core/verdict.js";
import { Facts, type Stores } from "./facts.js";
import { gather, type Judged, judgeStep } from "./judge.js";

export interface PreviewOptions {
  readonly forced: boolean;
  /** Stop at the first step that would run. */
  readonly question: boolean;
}

/** Where a step stands as things are. */
export type Standing =
  | { readonly kind: "fresh" }
  | { readonly kind: "would-run"; readonly reasons: readonly Reason[] }
  /** Its inputs are not known yet: `dependsOn` would run, or may, and may make the same as before. */
  | { readonly kind: "may-run"; readonly dependsOn: Step };

export interface Previewed {
  readonly step: Step;
  readonly standing: Standing;
  readonly judged: Judged;
}

interface PreviewWorld {
  /** Steps that are known to be fresh, and are counted without being told of. */
  readonly untouched?: ReadonlySet<Step>;
  readonly stores: Stores;
  readonly signal: AbortSignal;
  /** Told of every other step, inputs before users. */
  readonly tell: (one: Previewed) => void;
}

/**
 * Judges the graph as it is now, by the same functions as a build. A step below one that would run may run: its inputs
 * are not known yet, and may turn out the same.
 */
export async function preview(
  graph: Graph,
  options: PreviewOptions,
  { stores, signal, tell, untouched = new Set() }: PreviewWorld,
): Promise<Result<Summary>> {
  const started = performance.now();
  const facts = new Facts(stores);
  const schedule = new Schedule(graph, undefined, untouched);
  const progress = { graph, schedule, joined: () => undefined };
  const counts = { fresh: untouched.size, "would-run": 0, "may-run": 0 };
  // Names that would be made anew, or may be.
  const uncertain = new Map<string, Step>();
  const { forced, question } = options;
  let together = await gather(
    graph.steps.filter((step) => !untouched.has(step)),
    facts,
  );
  for (let ready = schedule.takeReady(); ready.length > 0; ready = schedule.takeReady()) {
    if (together.ok) together = await gather(ready, facts);
    if (!together.ok) return together;
    for (const step of ready) {
      if (signal.aborted || (question && counts["would-run"] > 0)) break;
      const judged = await judgeStep(step, facts, { forced, nowMs: Date.now(), progress });
      if (!judged.ok) return judged;
      if (judged.value === "waiting") continue;
      const standing = standingOf(judged.value, uncertain, graph);
      counts[standing.kind] += 1;
      tell({ step, standing, judged: judged.value });
      if (standing.kind !== "fresh") for (const output of step.outputs) uncertain.set(output, step);
      schedule.move(step, "done");
    }
  }
  const durationMs = Math.round(performance.now() - started);
  const none = { made: 0, already: 0, failed: 0, locked: 0, blocked: 0, notStarted: 0 };
  const { fresh, "would-run": wouldRun, "may-run": mayRun } = counts;
  return ok({ ...none, fresh, wouldRun, mayRun, interrupted: signal.aborted, durationMs });
}

function standingOf(
  { step, discovered, verdict }: Judged,
  uncertain: ReadonlyMap<string, Step>,
  graph: Graph,
): Standing {
  const names = [...step.inputs, ...step.uses, ...discovered.map(({ name }) => name)];
  // A file in a directory that would be made anew is as uncertain as the directory.
  const open = new Map<string, Step>();
  for (const name of names) {
    const maker = graph.makers.get(name);
    if (maker?.outputs.some((output) => uncertain.has(output))) open.set(name, maker);
  }
  const reasons = certainReasons(verdict, new Set(open.keys()));
  if (reasons.length > 0) return { kind: "would-run", reasons };
  const [dependsOn] = open.values();
  return dependsOn ? { kind: "may-run", dependsOn } : { kind: "fresh" };
}
