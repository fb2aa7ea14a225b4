// All rules of a Datafile together: who makes a name, which names can be listed, what contradicts what. Knows nothing of what exists or of order.
import { type Failure, fail, ok, type Place, type Result } from "./failure.js";
import { bindings, fill, literalLength, type Matcher, matcher, type Pattern } from "./pattern.js";
import { twoReadings } from "./reading.js";
import type { Binding, Rule } from "./rule.js";
import { folderOf } from "./target.js";

/** Who makes a name. */
export interface Maker {
  readonly rule: Rule;
  /** The output of the rule that fits. */
  readonly pattern: Pattern;
  readonly binding: Binding;
}

/** All rules of a Datafile, checked against one another, ready to be asked who makes what. */
export interface RuleSet {
  readonly rules: readonly Rule[];
  /**
   * Who makes a name, or nothing. The answer is the Datafile's alone and never depends on what is on disk. Fails on a
   * tie between patterns, and where it hangs on a list that is not read yet.
   */
  find(name: string): Result<Maker | undefined>;
  /** All names that can be listed, in order. */
  declared(): readonly string[];
  /** The failure of whoever needs all that can be listed below a folder, while the list of one rule is not read yet. */
  pendingBelow(folder: string): Failure | undefined;
  /** Why no rule may make a file, or nothing. */
  readonly forbidden: Forbidden;
}

/** Why no rule may make a file of this name, as a clause that follows the name; or nothing. */
export type Forbidden = (name: string) => string | undefined;

interface Candidate {
  readonly rule: Rule;
  readonly pattern: Pattern;
  readonly match: Matcher;
  readonly literal: number;
}

/** Refuses two explicit producers of one name, patterns that tie on a name that both declare, and targets inside a directory that is made whole. */
export function ruleSet(rules: readonly Rule[], forbidden: Forbidden = () => undefined): Result<RuleSet> {
  const explicit = new Map<string, Maker>();
  const candidates: Candidate[] = [];
  for (const rule of rules) {
    for (const pattern of rule.outputs) {
      if (rule.outputs.filter(({ text }) => text === pattern.text).length > 1)
        return fail({ reason: "two-producers", output: pattern.text, first: rule.at, second: rule.at });
      if (pattern.wildcards.length > 0) {
        const literal = literalLength(pattern);
        candidates.push({ rule, pattern, match: matcher(pattern, rule.domains), literal });
        continue;
      }
      const first = explicit.get(pattern.text)?.rule;
      if (first)
        return fail({ reason: "two-producers", output: pattern.text, first: first.at, second: rule.at });
      explicit.set(pattern.text, { rule, pattern, binding: {} });
      const problem = forbiddenOutput([pattern.text], { rule, forbidden });
      if (problem) return fail(problem);
    }
  }
  candidates.sort((a, b) => b.literal - a.literal);
  const among = byBeginning(candidates);
  const find: RuleSet["find"] = (name) => {
    const maker = explicit.get(name);
    return maker ? ok(maker) : findPattern(among(name), name);
  };
  const problem = findTwice(rules) ?? findTie(candidates, find) ?? findOverlap(rules, find);
  if (problem) return fail(problem);
  let names: readonly string[] | undefined;
  const declared = () => {
    names ??= rules.flatMap((rule) => [...targetsOf(rule)]);
    return names;
  };
  const pending = rules.filter((rule) => pendingOf(rule));
  const pendingBelow = (folder: string) => {
    const base = folder === "" ? "" : `${folder}/`;
    const rule = pending.find(({ outputs }) =>
      outputs.some(({ literals: [prefix = ""] }) => prefix.startsWith(base) || base.startsWith(prefix)),
    );
    return rule && pendingOf(rule);
  };
  return ok({ rules, find, declared, pendingBelow, forbidden });
}

export function forbiddenOutput(
  names: readonly string[],
  { rule, forbidden }: { readonly rule: Rule; readonly forbidden: Forbidden },
): Failure | undefined {
  for (const name of names) {
    const why = forbidden(name);
    if (why !== undefined)
      return { reason: "bad-rule", problem: `it would overwrite \`${name}\`, ${why}`, at: rule.at };
  }
  return undefined;
}

/** Those whose literal beginning a name has, the most literal first: of a thousand patterns a name is held against few. */
function byBeginning(candidates: readonly Candidate[]): (name: string) => readonly Candidate[] {
  const groups = new Map<string, Candidate[]>();
  for (const one of candidates) {
    const [beginning = ""] = one.pattern.literals;
    const group = groups.get(beginning);
    if (group) group.push(one);
    else groups.set(beginning, [one]);
  }
  const lengths = [...new Set([...groups.keys()].map(({ length }) => length))];
  const turns = new Map(candidates.map((one, i) => [one, i]));
  const turnOf = (one: Candidate) => turns.get(one) ?? 0;
  return (name) => {
    const found: (readonly Candidate[])[] = [];
    for (const length of lengths) {
      const group = length <= name.length ? groups.get(name.slice(0, length)) : undefined;
      if (group) found.push(group);
    }
    const [only = [], ...others] = found;
    return others.length === 0 ? only : found.flat().sort((a, b) => turnOf(a) - turnOf(b));
  };
}

function findPattern(candidates: readonly Candidate[], name: string): ReturnType<RuleSet["find"]> {
  let best: { candidate: Candidate; binding: Binding } | undefined;
  for (const candidate of candidates) {
    if (best && candidate.literal < best.candidate.literal) break;
    const binding = candidate.match(name);
    if (!binding) continue;
    const pending = pendingOf(candidate.rule, candidate.pattern.wildcards);
    if (pending) return fail(pending);
    if (best && best.candidate.rule !== candidate.rule)
      return fail(ambiguity(name, [best.candidate, candidate]));
    best ??= { candidate, binding };
  }
  return ok(best && { rule: best.candidate.rule, pattern: best.candidate.pattern, binding: best.binding });
}

const ambiguity = (target: string, candidates: readonly Candidate[]) =>
  ({
    reason: "ambiguous",
    target,
    rules: candidates.map(({ pattern, rule }) => ({ pattern: pattern.text, at: rule.at })),
  }) as const;

function findTwice(rules: readonly Rule[]): Failure | undefined {
  for (const rule of rules.filter(isFiniteRule))
    for (const pattern of rule.outputs) {
      const found = twoReadings(pattern, rule.domains);
      if (!found) continue;
      const [one, other] = [found.first, found.second].map((values) =>
        Object.entries(values)
          .map(([name, value]) => `${name}=${value}`)
          .join(" "),
      );
      const problem = `\`${pattern.text}\` makes \`${found.name}\` twice, of ${one} and of ${other}`;
      return {
        reason: "bad-rule",
        problem,
        at: rule.at,
        help: "part the values by a sign that is in none of them",
      };
    }
  return undefined;
}

/**
 * Only patterns with equally much literal text can tie; of such a pair the one with finite domains is listed against
 * the other. A name that an explicit rule or a more literal pattern makes is no tie.
 */
function findTie(candidates: readonly Candidate[], find: RuleSet["find"]): Failure | undefined {
  for (const [i, one] of candidates.entries()) {
    for (const other of candidates.slice(i + 1)) {
      if (other.literal !== one.literal) break;
      if (other.rule === one.rule || areApart(one.pattern, other.pattern)) continue;
      if (one.pattern.text === other.pattern.text && !isFiniteRule(one.rule) && !isFiniteRule(other.rule))
        return ambiguity(one.pattern.text, [one, other]);
      const [listed, against] = isFiniteRule(one.rule) ? [one, other] : [other, one];
      for (const binding of bindings(listed.pattern.wildcards, listed.rule.domains)) {
        const name = fill(listed.pattern, binding);
        const found = against.match(name) ? find(name) : undefined;
        if (found?.ok === false && found.error.reason === "ambiguous") return found.error;
      }
    }
  }
  return undefined;
}

/** Whether their literal beginnings or ends keep two patterns from ever fitting one name. */
function areApart({ literals: one }: Pattern, { literals: other }: Pattern): boolean {
  const [start = "", otherStart = ""] = [one[0], other[0]];
  const [end = "", otherEnd = ""] = [one.at(-1), other.at(-1)];
  const begin = start.startsWith(otherStart) || otherStart.startsWith(start);
  return !begin || !(end.endsWith(otherEnd) || otherEnd.endsWith(end));
}

/** A target that lies inside a directory that another rule makes whole would be lost with the next build of it. */
function findOverlap(rules: readonly Rule[], find: RuleSet["find"]): Failure | undefined {
  if (!rules.some(({ outputs }) => outputs.some(({ directory }) => directory))) return undefined;
  const around = containers(find);
  for (const rule of rules) {
    // Of targets without end the literal beginning is known.
    const names = isFiniteRule(rule)
      ? targetsOf(rule)
      : rule.outputs.map(({ literals }) => `${literals[0]}*`);
    for (const name of names) {
      const outer = around(name);
      if (outer?.pattern.directory) return overlap(name, { outer, at: rule.at });
    }
  }
  return undefined;
}

const overlap = (
  output: string,
  { outer, at }: { readonly outer: Container; readonly at: Place },
): Failure => ({
  reason: "overlap",
  output: output.replace(/\*$/, "…"),
  inside: outer.name,
  first: outer.rule.at,
  second: at,
});

/** A target, and so a file or a directory, above a name. */
export type Container = Maker & { readonly name: string };

/** Who makes the nearest folder above a name that is a target itself; remembers every folder that was asked for. */
export function containers(find: RuleSet["find"]): (name: string) => Container | undefined {
  const known = new Map<string, Container | undefined>();
  const around = (name: string): Container | undefined => {
    const folder = folderOf(name);
    if (folder === undefined) return undefined;
    if (!known.has(folder)) {
      const found = find(folder);
      const itself = found.ok && found.value ? { ...found.value, name: folder } : undefined;
      known.set(folder, itself ?? around(folder));
    }
    return known.get(folder);
  };
  return around;
}

/** The failure of whoever needs all values of these wildcards, if one of them is listed in a target that is not read yet. */
export function pendingOf(
  rule: Rule,
  wildcards: readonly string[] = rule.outputs[0]?.wildcards ?? [],
): Extract<Failure, { reason: "needs-manifest" }> | undefined {
  for (const wildcard of wildcards) {
    const manifest = rule.domains[wildcard]?.pending;
    if (manifest !== undefined) return { reason: "needs-manifest", manifest, wildcard, at: rule.at };
  }
  return undefined;
}

/** Whether all targets of a rule can be listed now. */
export const isFiniteRule = (rule: Rule): boolean =>
  rule.outputs.every((pattern) =>
    pattern.wildcards.every((name) => {
      const domain = rule.domains[name];
      return domain !== undefined && domain.pending === undefined;
    }),
  );

/** More targets than this of one goal or selection is a slip of the pen: ten times what a build is made for. */
export const mostTargets = 1_000_000;

/** How many names `targetsOf` lists, without listing them. */
export const countOf = (rule: Rule): number =>
  isFiniteRule(rule)
    ? [...new Set(rule.outputs[0]?.wildcards)].reduce(
        (product, name) => product * (rule.domains[name]?.values.length ?? 0),
        rule.outputs.length,
      )
    : 0;

/** All names that a rule with domains makes, in the order of its domains; of a rule without, nothing. */
export function* targetsOf(rule: Rule): Generator<string> {
  if (!isFiniteRule(rule)) return;
  for (const binding of bindings(rule.outputs[0]?.wildcards ?? [], rule.domains))
    for (const pattern of rule.outputs) yield fill(pattern, binding);
}
