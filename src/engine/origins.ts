// Says where what a step reads comes from, however far up: downloads, and files that no rule makes. Knows nothing of how that is kept.
import { ok, type Result } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import type { Step } from "../core/rule.js";
import { isRelationName } from "../core/target.js";
import { absent, type NamedDigest, type Origin } from "../core/trace.js";
import { named } from "../core/verdict.js";
import type { Facts } from "./facts.js";
import { gather } from "./judge.js";

/**
 * The origins of `inputs` (those of a step, with the digests that were read), each once, in the order in which they are
 * met. What lies in a table comes from there: the table has a record of its own.
 */
export async function originsOf(
  inputs: readonly NamedDigest[],
  { graph, facts }: { readonly graph: Graph; readonly facts: Facts },
): Promise<Result<readonly Origin[]>> {
  const origins = new Map<string, Origin>();
  const seen = new Set<Step>();
  const open = [...inputs].reverse();
  for (let input = open.pop(); input; input = open.pop()) {
    const maker = graph.makers.get(input.name);
    if (maker && seen.has(maker)) continue;
    if (maker) seen.add(maker);
    // Of one that was untouched nobody has had to know anything so far.
    const known = maker ? await gather([maker], facts) : ok(undefined);
    if (!known.ok) return known;
    const above = maker && !isOrigin(maker) ? inputsOf(maker, facts) : [];
    if (above.length === 0 && input.digest !== absent)
      origins.set(input.name, { ...input, ...(maker && sourceOf(maker, facts)) });
    open.push(...above.reverse());
  }
  return ok([...origins.values()]);
}

/** A download of a file of this machine has it as its input, and says no less of where it comes from. */
const isOrigin = ({ id, recipe }: Step): boolean => recipe.kind === "download" || isRelationName(id);

const inputsOf = (maker: Step, facts: Facts): NamedDigest[] => {
  const names = [...maker.inputs, ...maker.uses].map((name) => named(name, facts.of(name)));
  return [...names, ...(facts.traceOf(maker)?.discovered ?? [])];
};

/** What its record says of where it was brought from; nothing of what a command made from nothing. */
function sourceOf(maker: Step, facts: Facts): Partial<Origin> {
  const trace = facts.traceOf(maker);
  if (!trace || maker.recipe.kind !== "download") return {};
  const { url, etag, lastModified } = trace.facts;
  return {
    ...(url !== undefined && { url }),
    ...(etag !== undefined && { etag }),
    ...(lastModified !== undefined && { lastModified }),
    checkedAt: trace.checkedAt,
  };
}
