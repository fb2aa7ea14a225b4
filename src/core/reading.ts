// Whether a name says which values it was made of: two sets of values must not make one name. Knows nothing of rules.
import { bindings, type Domain, fill, type Pattern } from "./pattern.js";

/** One name and two sets of values that make it. */
export interface TwoReadings {
  readonly name: string;
  readonly first: Readonly<Record<string, string>>;
  readonly second: Readonly<Record<string, string>>;
}

type Domains = Readonly<Record<string, Domain>>;

/** Finds a name that a pattern with domains makes twice. Lists its names only where that is possible at all. */
export function twoReadings(pattern: Pattern, domains: Domains): TwoReadings | undefined {
  if (isReadOneWay(pattern, domains)) return undefined;
  const known = new Map<string, Readonly<Record<string, string>>>();
  for (const second of bindings(pattern.wildcards, domains)) {
    const name = fill(pattern, second);
    const first = known.get(name);
    if (first) return { name, first, second };
    known.set(name, second);
  }
  return undefined;
}

/** From the left, each value ends where the literal text after it begins, or has one length. */
function isReadOneWay({ wildcards, literals }: Pattern, domains: Domains): boolean {
  return wildcards.slice(0, -1).every((name, i) => {
    const values = domains[name]?.values ?? [];
    const [end] = literals[i + 1] ?? "";
    if (end !== undefined && !values.some((value) => value.includes(end))) return true;
    return values.every(({ length }) => length === values[0]?.length);
  });
}
