// Records what is there as if it had been made now, for a person who vouches for it. Knows nothing of how a record is kept.
import { fail, ok, type Result } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import type { Step } from "../core/rule.js";
import { Schedule } from "../core/schedule.js";
import { attemptOf } from "./execute.js";
import { Facts, type Stores, storeOf } from "./facts.js";
import { gather, judgeStep } from "./judge.js";

/**
 * Adopts the steps that make these names; what they are made from is taken as it is, fresh or not. Stops at the first
 * failure; answers the steps in order, each once. A name that no rule makes is a source, and nothing to adopt.
 */
export async function adopt(
  graph: Graph,
  names: readonly string[],
  { stores, signal }: { readonly stores: Stores; readonly signal: AbortSignal },
): Promise<Result<readonly Step[]>> {
  const steps = [...new Set(names.flatMap((name) => graph.makers.get(name) ?? []))];
  const facts = new Facts(stores);
  const progress = { graph, schedule: new Schedule(graph), joined: () => undefined };
  for (const step of steps) {
    if (signal.aborted) return fail({ reason: "interrupted" });
    const gathered = await gather([step], facts);
    if (!gathered.ok) return gathered;
    const missing = [...step.inputs, ...step.uses].find(
      (name) => !step.optional.has(name) && facts.of(name).kind === "absent",
    );
    if (missing !== undefined) {
      const message = `\`${step.id}\` is made from \`${missing}\`, which is not there`;
      return fail({ reason: "usage", message, help: `dmake ${step.id}` });
    }
    const output = step.outputs.find((name) => facts.of(name).kind === "absent");
    if (output !== undefined) {
      const message = `\`${output}\` is not there, so there is nothing to record`;
      return fail({ reason: "usage", message, help: `dmake ${step.id}` });
    }
    // Forced, so that what was discovered is left as it is recorded.
    const judged = await judgeStep(step, facts, { forced: true, nowMs: Date.now(), progress });
    if (!judged.ok) return judged;
    if (judged.value === "waiting") throw new Error(`bug: ${step.id} waits although it is forced`);
    const adopted = await storeOf(stores, step.id).adopt(attemptOf(judged.value, true));
    if (!adopted.ok) return adopted;
  }
  return ok(steps);
}
