// Checks that every name that no rule makes is there, before anything runs. Knows nothing of freshness.
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import { noRule } from "../core/no-rule.js";
import type { Step } from "../core/rule.js";
import type { RuleSet } from "../core/rule-set.js";
import { Facts, type Stores } from "./facts.js";

/**
 * The first missing source as a failure with what could have been meant; `nearby` lists the files beside a name. With
 * `keepGoing` only what nobody reads has to be there: whoever reads another fails by itself.
 */
export async function checkSources(
  graph: Graph,
  rules: RuleSet,
  world: {
    readonly stores: Stores;
    readonly nearby: (name: string) => Iterable<string>;
    readonly keepGoing?: boolean;
    /** Steps whose inputs are known to be there. */
    readonly untouched?: ReadonlySet<Step>;
  },
): Promise<Result<void>> {
  const facts = new Facts(world.stores);
  const { untouched } = world;
  const sources = untouched
    ? [...graph.sources].filter(([, user]) => !(user && untouched.has(user)))
    : [...graph.sources];
  const seen = await facts.observe(sources.map(([name]) => name));
  if (!seen.ok) return seen;
  for (const [name, user] of sources)
    if (facts.of(name).kind === "absent" && !(world.keepGoing && user))
      return fail(globAsSource(name, user) ?? noRule(rules, name, { user, nearby: world.nearby(name) }));
  return ok(undefined);
}

/** A file whose name has a star is a file; where there is none, the star was meant for many. */
function globAsSource(name: string, user: Step | undefined): Failure | undefined {
  if (!name.includes("*")) return undefined;
  if (user) {
    const problem = `there is no file \`${name}\`: a text with a star is one name, and no glob`;
    return { reason: "bad-rule", problem, at: user.rule.at, help: `glob("${name}")` };
  }
  const message = `no target that can be listed fits \`${name}\``;
  return { reason: "usage", message, help: "name a goal, or use a list or range as `{1..12}`" };
}
