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

/**
 * A wildcard fits no `/` and not nothing; with a domain it fits its values only. Of several readings the one counts that
 * an expression with the values as alternatives in their order would find, any other wildcard taking all it can.
 */
export function matcher(
  { literals, wildcards, text }: Pattern,
  domains: Readonly<Record<string, Domain>>,
): Matcher {
  if (wildcards.length === 0) return (name) => (name === text ? {} : undefined);
  const [prefix = ""] = literals;
  const suffix = literals.at(-1) ?? "";
  // Not one expression of all values: of 33 000 of them V8 tries one after the other.
  const slots = wildcards.map((name, i): Slot => {
    const before = wildcards.indexOf(name);
    const end = literals[i + 1] ?? "";
    if (before < i) return { end, same: before };
    // `{constructor}` is a column of many a data set, and something that every object has.
    const domain = Object.hasOwn(domains, name) ? domains[name] : undefined;
    return domain && domain.pending === undefined ? { end, order: orderOf(domain.values) } : { end };
  });
  const [only = "", another] = wildcards;
  const order = slots[0]?.order;
  if (another === undefined)
    return (name) => {
      if (!name.startsWith(prefix) || !name.endsWith(suffix)) return undefined;
      const value = name.slice(prefix.length, name.length - suffix.length);
      const isFit = order ? order.has(value) : value !== "" && !value.includes("/");
      return isFit && name.length === prefix.length + value.length + suffix.length
        ? { [only]: value }
        : undefined;
    };
  return (name) => {
    if (!name.startsWith(prefix) || !name.endsWith(suffix) || name.length <= prefix.length + suffix.length)
      return undefined;
    const values = read(name, prefix.length, { slots, values: [] });
    return values && Object.fromEntries(values.map((value, i) => [wildcards[i], value]));
  };
}

/** One wildcard and what follows it. */
interface Slot {
  readonly end: string;
  /** The wildcard before it that has the same name. */
  readonly same?: number;
  /** Value → its place in the domain. Left out, it is any text without a `/`. */
  readonly order?: ReadonlyMap<string, number>;
}

const orders = new WeakMap<readonly string[], ReadonlyMap<string, number>>();

/** Rules share domains: of each the order is made once. */
function orderOf(values: readonly string[]): ReadonlyMap<string, number> {
  const known = orders.get(values);
  if (known) return known;
  const order = new Map<string, number>();
  for (const [i, value] of values.entries()) if (!order.has(value)) order.set(value, i);
  orders.set(values, order);
  return order;
}

interface Reading {
  readonly slots: readonly Slot[];
  /** Of the wildcards that are read already. */
  readonly values: readonly string[];
}

/** The values from a place in the name on, or nothing where the rest cannot be read. */
function read(name: string, from: number, { slots, values }: Reading): readonly string[] | undefined {
  const slot = slots[values.length];
  if (!slot) return from === name.length ? values : undefined;
  const isLast = values.length === slots.length - 1;
  const ends = isLast ? [name.length - slot.end.length] : endsIn(name, from, slot.end);
  for (const value of candidates(name, from, { slot, ends, values })) {
    const found = read(name, from + value.length + slot.end.length, { slots, values: [...values, value] });
    if (found) return found;
  }
  return undefined;
}

/** Where a value that begins at `from` may end, the farthest first. */
function endsIn(name: string, from: number, literal: string): readonly number[] {
  const ends: number[] = [];
  for (
    let at = name.indexOf(literal, from + 1);
    at >= 0 && at <= name.length;
    at = name.indexOf(literal, at + 1)
  ) {
    ends.unshift(at);
    if (literal === "" && at === name.length) break;
  }
  return ends;
}

/** The values that may stand there, in the order in which they are to be tried. */
function candidates(
  name: string,
  from: number,
  {
    slot,
    ends,
    values,
  }: { readonly slot: Slot; readonly ends: readonly number[]; readonly values: readonly string[] },
): readonly string[] {
  const { same, order } = slot;
  const fits = (value: string) =>
    same !== undefined ? value === values[same] : order ? order.has(value) : !value.includes("/");
  const found = ends
    .filter((end) => end > from)
    .map((end) => name.slice(from, end))
    .filter(fits);
  return order && found.length > 1 ? found.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0)) : found;
}

/** The name for these values. Every wildcard of the pattern must have one: a missing one is a bug of the caller. */
export function fill(pattern: Pattern, values: Readonly<Record<string, string>>): string {
  const { literals, wildcards } = pattern;
  let text = literals[0] ?? "";
  for (let i = 0; i < wildcards.length; i += 1) {
    const value = values[wildcards[i] ?? ""];
    if (value === undefined) throw new Error(`bug: \`${pattern.text}\` filled without \`${wildcards[i]}\``);
    text += value + (literals[i + 1] ?? "");
  }
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
