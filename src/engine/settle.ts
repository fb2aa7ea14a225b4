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

/** What a recipe has asked for by `need`. */
export interface Asked {
  /** What was brought up to date and looked at, there or not. */
  readonly seen: Set<string>;
  /** What could not be had: a recipe that goes on without it may have it the next time. */
  readonly lost: Set<string>;
}

interface SettleOptions {
  readonly facts: Facts;
  readonly graph: Graph;
  readonly emit: Emit;
  readonly asked: Asked;
  readonly outcome: Outcome;
}

/**
 * The digests of everything that the recipe could have read, as they were before it ran. Something that was touched
 * meanwhile is `unsettled`, whatever it contains now: nobody knows what the recipe has seen of it.
 */
export async function settle(judged: Judged, options: SettleOptions): Promise<Result<Settled>> {
  const { facts, asked, outcome, emit } = options;
  const { step, inputs } = judged;
  const declared = inputs.map(({ name }) => name);
  const told = outcome.kind === "made" ? readBesides(outcome, step) : [];
  const problem = undeclared(told, step, options);
  if (problem) return fail(problem);
  const seen = await facts.observe(told);
  if (!seen.ok) return seen;
  const discovered = [...new Set([...asked.seen, ...told])].filter((name) => !declared.includes(name)).sort();
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
    discovered: [
      ...discovered.map((name) => recorded(named(name, facts.of(name)))),
      ...[...asked.lost].sort().map((name) => ({ name, digest: unsettled })),
    ],
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
  { graph, asked }: Pick<SettleOptions, "graph" | "asked">,
): Failure | undefined {
  let upstream: ReadonlySet<Step> | undefined;
  for (const name of names) {
    const place = graph.placeOf(name);
    if (!place) continue;
    upstream ??= above(step, { graph, asked });
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
function above(step: Step, { graph, asked }: Pick<SettleOptions, "graph" | "asked">): ReadonlySet<Step> {
  const found = new Set<Step>();
  const open: string[] = [...step.inputs, ...step.uses, ...step.after, ...asked.seen];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const maker = graph.makers.get(name);
    if (!maker || found.has(maker)) continue;
    found.add(maker);
    open.push(...maker.inputs, ...maker.uses, ...maker.after);
  }
  return found;
}
