// Puts names in the reverse of their natural order: the newest month first. Knows nothing of what the names stand for.
import type { RuleSet } from "../core/rule-set.js";

/**
 * The names by the value of their last wildcard, the highest first: months and days downwards, `10` before `9`. Those of
 * one value stay in their order; those that have no wildcard come last, for they are made of many of the others.
 */
export function newestFirst(names: readonly string[], rules: RuleSet): readonly string[] {
  const order = new Intl.Collator("en", { numeric: true });
  const valued = names.map((name) => ({ name, value: lastValue(name, rules) }));
  const sorted = valued.sort((a, b) => {
    if (a.value === undefined || b.value === undefined)
      return Number(a.value === undefined) - Number(b.value === undefined);
    return order.compare(b.value, a.value);
  });
  return sorted.map(({ name }) => name);
}

function lastValue(name: string, rules: RuleSet): string | undefined {
  const maker = rules.find(name);
  if (!maker.ok || !maker.value) return undefined;
  const { pattern, binding } = maker.value;
  const last = pattern.wildcards.at(-1);
  return last === undefined ? undefined : binding[last];
}
