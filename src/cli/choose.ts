// Settles what of a plan is built: the names that stand as `--only` says, and what is left of a list that is gone on with. Knows nothing of building.
import { ok, type Result } from "../core/failure.js";
import type { BuildCommand, Only } from "./options.js";
import type { Plan } from "./plan.js";
import { leftOf } from "./resume.js";
import type { Run } from "./run.js";
import { type Known, type Stated, statesOf } from "./state.js";
import { attemptsOf } from "./world.js";

type Looking = Pick<Known, "stores" | "signal">;

/** The plan for those of its names that are asked for: all, or with `--only` those that stand so. */
export async function chosen(
  { command, around, wired }: Run<BuildCommand>,
  plan: Plan,
): Promise<Result<Plan>> {
  const { only } = command;
  return only ? narrowed(plan, only, { stores: wired.stores, signal: around.interruptible() }) : ok(plan);
}

/** What they need is built with them. Sources are made by nobody and left out. */
async function narrowed(plan: Plan, only: readonly Only[], known: Looking): Promise<Result<Plan>> {
  const stated = await statesOf(plan.graph, { ...known, attempts: attemptsOf() });
  if (!stated.ok) return stated;
  const names = plan.wanted.filter((name) => {
    const maker = plan.graph.makers.get(name);
    const one = maker && stated.value.get(maker);
    return one !== undefined && only.some((state) => stands(one, state));
  });
  return names.length === plan.wanted.length ? ok(plan) : plan.narrowed(names);
}

/** What could not be made for a failure further up has failed too: who tries again means both. */
const stands = ({ is, because }: Stated, only: Only): boolean =>
  is.has(only) || (only === "failed" && because.kind === "needs" && because.problem === "failed");

/** Says of a list that is gone on with how much of it is done, and answers the rest. `forced` is for all steps of it. */
export async function goneOnWith(
  { command, around, renderer, wired, selection }: Run<BuildCommand>,
  plan: Plan,
): Promise<Result<{ readonly plan: Plan; readonly forced: boolean }>> {
  const { forced } = command;
  if (!selection) return ok({ plan, forced });
  const known = { stores: wired.stores, signal: around.interruptible() };
  const left = forced ? ok({ plan, forced, fresh: 0 }) : await leftOf(plan, selection, known);
  if (!left.ok) return left;
  const { runs, startedAt } = selection;
  const { fresh } = left.value;
  const run = runs[0] ?? wired.run;
  renderer.event({ event: "resuming", run, startedAt, targets: plan.wanted.length, fresh });
  return left;
}
