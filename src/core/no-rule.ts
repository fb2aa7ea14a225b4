// What is said of a name that no rule makes: near names, values outside a domain. Knows nothing of what is on disk.
import type { Failure, Place } from "./failure.js";
import { matcher } from "./pattern.js";
import type { Step } from "./rule.js";
import { countOf, mostTargets, type RuleSet, targetsOf } from "./rule-set.js";
import { similar } from "./similar.js";

/** The failure for a name that no rule makes and that is not there, with what could have been meant. */
export function noRule(
  rules: RuleSet,
  target: string,
  need: { readonly user: Step | undefined; readonly nearby: Iterable<string> },
): Extract<Failure, { reason: "no-rule" }> {
  const known = new Set<string>(need.nearby);
  for (const rule of rules.rules) {
    if (rule.name) known.add(rule.name);
    if (countOf(rule) <= mostTargets) for (const name of targetsOf(rule)) known.add(name);
  }
  const outsideDomain = outside(rules, target);
  const at: Place | undefined = need.user?.rule.at;
  return {
    reason: "no-rule",
    target,
    ...(need.user && { neededBy: need.user.id }),
    ...(at && { at }),
    ...(outsideDomain && { outsideDomain }),
    suggestions: outsideDomain ? [] : similar(target, known),
  };
}

function outside(rules: RuleSet, target: string) {
  for (const rule of rules.rules) {
    for (const pattern of rule.outputs) {
      const values = pattern.wildcards.length > 0 ? matcher(pattern, {})(target) : undefined;
      for (const [wildcard, value] of Object.entries(values ?? {})) {
        const domain = rule.domains[wildcard];
        if (domain && domain.pending === undefined && !domain.values.includes(value))
          return { wildcard, value, domain: domain.values, at: rule.at };
      }
    }
  }
  return undefined;
}
