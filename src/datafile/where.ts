// Which values the wildcards of a rule have: those declared, and those that its inputs have in common. Knows nothing of recipes.
import type { Place } from "../core/failure.js";
import type { Domain, Pattern } from "../core/pattern.js";
import type { InputSpec } from "../core/rule.js";
import { domainValues, openValues } from "./domain.js";
import { pendingName } from "./manifest.js";
import { refuse } from "./session.js";

export interface Declared {
  readonly where: Readonly<Record<string, readonly string[] | undefined>>;
  readonly at: Place;
}

/** Declared domains, and for the other wildcards what the inputs' domains have in common. */
export function domainsOf(
  target: Pattern,
  inputs: readonly InputSpec[],
  { where, at }: Declared,
): Record<string, Domain> {
  // Without a prototype, on which `{constructor}` would find something.
  const domains: Record<string, Domain> = Object.create(null);
  for (const [name, values] of Object.entries(where)) {
    if (!target.wildcards.includes(name))
      refuse({ reason: "unbound-wildcard", wildcard: name, where: "`where`", target: target.text, at });
    if (values) domains[name] = declaredDomain(name, values, at);
  }
  for (const [name, domain] of inputs.flatMap(inherited)) {
    const declared = Object.hasOwn(where, name) && where[name] !== undefined;
    if (declared || !target.wildcards.includes(name)) continue;
    const common = inCommon(domains[name] ?? domain, domain);
    if (common.values.length === 0 && common.pending === undefined) {
      const problem = `its inputs have no value of \`{${name}}\` in common, so it would make nothing`;
      refuse({ reason: "bad-rule", problem, at, help: `where: { ${name}: […] }` });
    }
    domains[name] = common;
  }
  return domains;
}

/** What is in both. Of a list that is not read yet nobody knows what that will be. */
function inCommon(one: Domain, other: Domain): Domain {
  const pending = one.pending ?? other.pending;
  if (pending !== undefined) return { values: [], pending };
  if (one === other) return one;
  const others = new Set(other.values);
  const values = one.values.filter((value) => others.has(value));
  return withOpen(values, [...(one.open ?? []), ...(other.open ?? [])]);
}

function withOpen(values: readonly string[], open: readonly string[]): Domain {
  const left = open.length === 0 ? [] : values.filter((value) => open.includes(value));
  return left.length > 0 ? { values, open: left } : { values };
}

function inherited(spec: InputSpec): readonly (readonly [string, Domain])[] {
  switch (spec.kind) {
    case "pattern":
    case "glob":
      return [];
    case "rule":
      return Object.entries(spec.rule.domains);
    case "selection":
      return Object.entries(spec.picks).flatMap(([name, [pick, ...others]]) => {
        const domain = spec.rule.domains[name];
        const [wildcard] = pick?.wildcards ?? [];
        const whole = pick?.text === `{${wildcard}}` && others.length === 0;
        return domain && whole && wildcard ? [[wildcard, domain] as const] : [];
      });
  }
}

function declaredDomain(name: string, values: unknown, at: Place): Domain {
  const pending = pendingName(values);
  if (pending !== undefined) return { values: [], pending };
  const list = domainValues(values, { of: `the domain of \`{${name}}\``, at });
  return withOpen(list, openValues(values as object));
}
