// Has steps run first that the end of a build waits for. Knows nothing of running them.
import type { Graph } from "../core/graph.js";
import { longPoles } from "../core/long-poles.js";
import type { Step } from "../core/rule.js";
import type { Schedule } from "../core/schedule.js";
import type { Facts } from "./facts.js";

/** Of all that is not done yet. Records that cannot be read are told of when a step is judged. */
export async function preferLongPoles(
  graph: Graph,
  jobs: number,
  { schedule }: { readonly schedule: Schedule },
  facts: Facts,
): Promise<void> {
  const open = graph.steps.filter((step) => schedule.stateOf(step) !== "done");
  if (jobs < 2 || open.length <= jobs || !(await facts.recall(open)).ok) return;
  const usersOf = (step: Step) => schedule.usersOf(step);
  const durationOf = (step: Step) => facts.traceOf(step)?.durationMs;
  schedule.prefer(longPoles(open, { jobs, usersOf, durationOf }));
}
