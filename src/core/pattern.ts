// Names with wildcards: parsing, matching, filling in. Knows nothing of rules or of what is on disk.
import { fail, ok, type Place, type Result } from "./failure.js";
import { isRelationName, parseTarget } from "./target.js";

/** A finite, ordered set of values for one wildcard. */
export interface Domain {
  readonly values: readonly string[];
  /** The target whose content lists the values, where that has still to be built and read: there are no `values` then. */
  readonly pending?: string;
  /** Those of `values` that are still going on, as the current month: what a source has of them may grow. */
  readonly open?: readonly string[];
}

/** A parsed name such as `data/{color}_{month}.csv`: literal texts with a wildcard between each two. */
export interface Pattern {
  readonly text: string;
  /** One more than `wildcards`. */
  readonly literals: readonly string[];
  /** In order of appearance; a name may come twice. */
  readonly wildcards: readonly string[];
  /** Written with a `/` at its end: names a directory. */
  readonly directory?: true;
}

const wildcard = /\{([^{}]*)\}/g;
const wildcardName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Reads any text with wildcards. Refuses a lone brace and a wildcard that is no identifier. */
export function parsePattern(text: string, at: Place): Result<Pattern> {
  const bad = (problem: string): Result<Pattern> =>
    fail({ reason: "bad-pattern", pattern: text, problem, at });
  const literals: string[] = [];
  const wildcards: string[] = [];
  let from = 0;
  for (const found of text.matchAll(wildcard)) {
    const name = found[1] ?? "";
    if (!wildcardName.test(name))
      return bad(`\`{${name}}\` is no wildcard: a name has letters, digits and \`_\``);
    literals.push(text.slice(from, found.index));
    wildcards.push(name);
    from = found.index + found[0].length;
  }
  literals.push(text.slice(from));
  if (literals.some((literal) => /[{}]/.test(literal))) return bad("a brace that opens or closes nothing");
  return ok({ text, literals, wildcards });
}

/**
 * As `parsePattern`, for the name of a target or an input: files are normalised and stay inside the root. A `/` at the
 * end says that it is a directory, and is no part of the name.
 */
export function parseNamePattern(text: string, at: Place): Result<Pattern> {
  const target = parseTarget(text, at);
  if (!target.ok) return target;
  const pattern = parsePattern(target.value.name, at);
  return pattern.ok && text.endsWith("/") ? ok({ ...pattern.value, directory: true }) : pattern;
}

/** How much of a pattern is literal. Among patterns that fit one name, the most literal wins. */
export const literalLength = (pattern: Pattern): number =>
  pattern.literals.reduce((sum, literal) => sum + literal.length, 0);

/** Answers the wildcards' values for a name, or nothing. Domains narrow what fits; a wildcard used twice must fit twice the same. */
export type Matcher = (name: string) => Readonly<Record<string, string>> | undefined;

/** A wildcard fits no `/` and not nothing; with a domain it fits its values only. */
export function matcher(pattern: Pattern, domains: Readonly<Record<string, Domain>>): Matcher {
  const seen = new Set<string>();
  const body = pattern.literals.map((literal, i) => {
    const name = pattern.wildcards[i];
    if (name === undefined) return literally(literal);
    // `{constructor}` is a column of many a data set, and something that every object has.
    const domain = Object.hasOwn(domains, name) ? domains[name] : undefined;
    const group = seen.has(name) ? `\\k<${name}>` : `(?<${name}>${alternatives(domain)})`;
    seen.add(name);
    return literally(literal) + group;
  });
  const expression = new RegExp(`^${body.join("")}$`);
  return (name) => {
    const groups = expression.exec(name)?.groups;
    return groups ? { ...groups } : seen.size === 0 && name === pattern.text ? {} : undefined;
  };
}

const literally = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

const alternatives = (domain: Domain | undefined): string =>
  domain && domain.pending === undefined ? domain.values.map(literally).join("|") || "(?!)" : "[^/]+";

/** The name for these values. Every wildcard of the pattern must have one: a missing one is a bug of the caller. */
export function fill(pattern: Pattern, values: Readonly<Record<string, string>>): string {
  let text = pattern.literals[0] ?? "";
  pattern.wildcards.forEach((name, i) => {
    const value = values[name];
    if (value === undefined) throw new Error(`bug: \`${pattern.text}\` filled without \`${name}\``);
    text += value + (pattern.literals[i + 1] ?? "");
  });
  return text;
}

/** Most values. Of 10 000 of them this asks in 0.5 ms what the other questions take 4 for. */
const plainValue = /^[\w-][\w.-]*$/;

/**
 * Why a text cannot be a wildcard's value, or nothing. A value with `/` or `..` would name something elsewhere; one with a
 * line break, or another character that only steers, would make a terminal show something else than the name.
 */
export function valueProblem(value: string): string | undefined {
  if (plainValue.test(value)) return undefined;
  if (value === "") return "is empty";
  if (value.includes("/")) return "contains `/`";
  if (value === "." || value === "..") return "is a way out of its folder";
  if (value.includes("\0")) return "contains a NUL character";
  if (/[\n\r\u2028\u2029]/.test(value)) return "contains a line break";
  if (/\p{Cc}/u.test(value)) return "contains a control character";
  // Written to disk, it becomes another character: two values would make one name.
  return /\p{Cs}/u.test(value) ? "contains half a character" : undefined;
}

/** A value as it can be shown: what cannot be a value may move the cursor of a terminal. */
export const shownValue = (value: string): string =>
  value.replace(
    /[\p{Cc}\p{Cs}\u2028\u2029]/gu,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** All bindings of some wildcards over their domains, the last wildcard fastest. Nothing where one has no domain. */
export function* bindings(
  wildcards: readonly string[],
  domains: Readonly<Record<string, Domain>>,
): Generator<Record<string, string>> {
  const names = [...new Set(wildcards)];
  const lists = names.map((name) => domains[name]?.values ?? []);
  if (lists.some((list) => list.length === 0)) return;
  const odometer = names.map(() => 0);
  for (;;) {
    yield Object.fromEntries(names.map((name, i) => [name, lists[i]?.[odometer[i] ?? 0] ?? ""]));
    let wheel = names.length - 1;
    while (wheel >= 0) {
      odometer[wheel] = (odometer[wheel] ?? 0) + 1;
      if ((odometer[wheel] ?? 0) < (lists[wheel]?.length ?? 0)) break;
      odometer[wheel] = 0;
      wheel -= 1;
    }
    if (wheel < 0) return;
  }
}

/** Whether a name contains wildcards at all, for a table's partition column. */
export function partitionWildcards(pattern: Pattern): readonly string[] {
  if (!isRelationName(pattern.text)) return [];
  const slash = pattern.text.indexOf("/");
  if (slash < 0) return [];
  return [...pattern.text.slice(slash).matchAll(wildcard)].map((found) => found[1] ?? "");
}
