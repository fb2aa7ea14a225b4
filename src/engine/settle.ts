// Says what is to be recorded of a recipe that has ended: what it read, as it was before. Knows nothing of scheduling or publishing.
import type { Emit } from "../core/event.js";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import type { Step } from "../core/rule.js";
import { type NamedDigest, unsettled } from "../core/trace.js";
import { named } from "../core/verdict.js";
import type { Settled } from "./execute.js";
import type { Facts } from "./facts.js";
import type { Judged } from "./judge.js";
import type { Outcome } from "./ports.js";

interface SettleOptions {
  readonly facts: Facts;
  readonly graph: Graph;
  readonly emit: Emit;
  /** What the recipe has asked for by `need`. */
  readonly needed: ReadonlySet<string>;
  readonly outcome: Outcome;
}

/**
 * The digests of everything that the recipe could have read, as they were before it ran. Something that was touched
 * meanwhile is `unsettled`, whatever it contains now: nobody knows what the recipe has seen of it.
 */
export async function settle(judged: Judged, options: SettleOptions): Promise<Result<Settled>> {
  const { facts, needed, outcome, emit } = options;
  const { step, inputs } = judged;
  const declared = inputs.map(({ name }) => name);
  const told = outcome.kind === "made" ? readBesides(outcome, step) : [];
  const problem = undeclared(told, step, options);
  if (problem) return fail(problem);
  const seen = await facts.observe(told);
  if (!seen.ok) return seen;
  const discovered = [...new Set([...needed, ...told])].filter((name) => !declared.includes(name)).sort();
  const moved = await facts.moved([...declared, ...discovered]);
  if (!moved.ok) return moved;
  const written = new Set(outcome.kind === "made" ? outcome.writtenMeanwhile : []);
  const recorded = (one: NamedDigest): NamedDigest => {
    if (!moved.value.has(one.name) && !written.has(one.name)) return one;
    emit({ event: "warning", warning: "input-unsettled", step: step.id, input: one.name });
    return { name: one.name, digest: unsettled };
  };
  return ok({
    inputs: inputs.map(recorded),
    discovered: discovered.map((name) => recorded(named(name, facts.of(name)))),
  });
}

const readBesides = ({ read = [] }: Extract<Outcome, { kind: "made" }>, step: Step): readonly string[] =>
  read.filter(
    (name) => !step.inputs.includes(name) && !step.uses.includes(name) && !step.outputs.includes(name),
  );

/** What a rule makes has to be built before it is read, or else what was read may have been stale. */
function undeclared(
  names: readonly string[],
  step: Step,
  { graph, needed }: Pick<SettleOptions, "graph" | "needed">,
): Failure | undefined {
  let upstream: ReadonlySet<Step> | undefined;
  for (const name of names) {
    const place = graph.placeOf(name);
    if (!place) continue;
    upstream ??= above(step, { graph, needed });
    const maker = graph.makers.get(name) ?? containing(name, upstream);
    if (!maker || !upstream.has(maker)) return { reason: "undeclared-input", input: name, maker: place };
  }
  return undefined;
}

/** The step, of some, that makes the directory that a name lies in. */
const containing = (name: string, steps: ReadonlySet<Step>): Step | undefined =>
  [...steps].find(({ directories }) =>
    [...directories].some((directory) => name.startsWith(`${directory}/`)),
  );

/** All steps that were done before this one could run. */
function above(step: Step, { graph, needed }: Pick<SettleOptions, "graph" | "needed">): ReadonlySet<Step> {
  const found = new Set<Step>();
  const open: string[] = [...step.inputs, ...step.uses, ...step.after, ...needed];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const maker = graph.makers.get(name);
    if (!maker || found.has(maker)) continue;
    found.add(maker);
    open.push(...maker.inputs, ...maker.uses, ...maker.after);
  }
  return found;
}
