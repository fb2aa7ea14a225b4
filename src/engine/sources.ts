// Checks that every name that no rule makes is there, before anything runs. Knows nothing of freshness.
import { fail, ok, type Result } from "../core/failure.js";
import { type Graph, noRule, type RuleSet } from "../core/graph.js";
import { Facts, type Stores } from "./facts.js";

/** The first missing source as a failure with what could have been meant; `nearby` lists the files beside a name. */
export async function checkSources(
  graph: Graph,
  rules: RuleSet,
  world: { readonly stores: Stores; readonly nearby: (name: string) => Iterable<string> },
): Promise<Result<void>> {
  const facts = new Facts(world.stores);
  const seen = await facts.observe(graph.sources.keys());
  if (!seen.ok) return seen;
  for (const [name, user] of graph.sources)
    if (facts.of(name).kind === "absent")
      return fail(noRule(rules, name, { user, nearby: world.nearby(name) }));
  return ok(undefined);
}
