// From the words of a command line to names of targets: goals, ranges, lists. Knows nothing of what makes them.
import { fail, ok, type Result } from "./failure.js";
import type { Globs } from "./inputs.js";
import { noRule } from "./no-rule.js";
import { matcher, type Pattern, parsePattern } from "./pattern.js";
import type { Rule } from "./rule.js";
import { countOf, isFiniteRule, mostTargets, pendingOf, type RuleSet, targetsOf } from "./rule-set.js";
import { isRelationName, parseTarget } from "./target.js";

export interface Goals {
  readonly rules: RuleSet;
  /** Exported name → rule. */
  readonly goals: ReadonlyMap<string, Rule>;
  /** Names that stand for no words at all. */
  readonly defaults: readonly string[];
  readonly globs: Pick<Globs, "among">;
}

/** More names than this from the braces of one word is a slip of the pen. */
const mostNames = 100_000;

/** The names that are wanted, each once, in order. A goal wins over a file of the same name, which is then `./name`. */
export function wantedNames(
  words: readonly string[],
  { defaults, ...known }: Goals,
): Result<readonly string[]> {
  const { rules, goals } = known;
  const names = new Set<string>();
  for (const name of words.length === 0 ? defaults : []) {
    const found = namesOfTarget(name, rules);
    if (!found.ok) return found;
    for (const one of found.value) names.add(one);
  }
  for (const word of words) {
    const found = goals.has(word) || word !== "all" ? namesOf(word, known) : listed(word, rules.rules);
    if (!found.ok) return found;
    for (const name of found.value) names.add(name);
  }
  return ok([...names]);
}

/** All targets of some rules, as far as they can be listed, unless they are absurdly many. */
function listed(word: string, rules: readonly Rule[]): Result<readonly string[]> {
  for (const rule of rules) {
    const pending = pendingOf(rule);
    if (pending) return fail(pending);
  }
  const count = rules.reduce((sum, rule) => sum + countOf(rule), 0);
  if (count <= mostTargets) return ok(rules.flatMap((rule) => [...targetsOf(rule)]));
  const message = `\`${word}\` stands for ${count} targets, and a goal has at most ${mostTargets}`;
  return fail({ reason: "usage", message, help: "name some of them, or make the domains smaller" });
}

function namesOf(word: string, { goals, rules, globs }: Omit<Goals, "defaults">): Result<readonly string[]> {
  const goal = goals.get(word);
  if (goal) return namesOfGoal(word, goal);
  const expanded = expandBraces(word);
  if (!expanded.ok) return expanded;
  const names: string[] = [];
  for (const text of expanded.value) {
    const target = parseTarget(text);
    if (!target.ok) return target;
    const found = isGlob(text)
      ? namesThatFit(target.value.name, { rules, globs })
      : namesOfTarget(target.value.name, rules);
    if (!found.ok) return found;
    for (const name of found.value) names.push(name);
  }
  return ok(names);
}

const isGlob = (text: string): boolean => /[*?[]/.test(text);

/** The targets that a glob fits. A target may be called so itself: then it is that one. */
function namesThatFit(
  glob: string,
  { rules, globs }: Pick<Goals, "rules" | "globs">,
): Result<readonly string[]> {
  const maker = rules.find(glob);
  if (!maker.ok || maker.value) return maker.ok ? ok([glob]) : maker;
  const all = listed(glob, rules.rules);
  if (!all.ok) return all;
  const names = globs.among(glob, all.value);
  // A file may be called so; whoever looks for it says what else could have been meant.
  return ok(names.length > 0 ? names : [glob]);
}

/**
 * A table that only its partitions' rules make stands for all of them that can be listed. No other table is a target
 * without a rule, also if it is there: nobody would know whether its rows are the right ones.
 */
function namesOfTarget(name: string, rules: RuleSet): Result<readonly string[]> {
  const target = parseTarget(name);
  if (!target.ok) return target;
  if (target.value.kind === "file") return ok([name]);
  const maker = rules.find(name);
  if (!maker.ok) return maker;
  if (maker.value) return ok([name]);
  const partitions = target.value.partition === undefined ? partitionsOf(name, rules) : ok([]);
  if (!partitions.ok || partitions.value.length > 0) return partitions;
  return fail(noRule(rules, name, { user: undefined, nearby: [] }));
}

function partitionsOf(table: string, rules: RuleSet): Result<readonly string[]> {
  const prefix = `${table}/`;
  const tables = rules.rules.filter((rule) => rule.outputs.some((output) => isPartOf(table, output, rule)));
  const names = listed(table, tables);
  return names.ok ? ok(names.value.filter((name) => name.startsWith(prefix))) : names;
}

function isPartOf(table: string, { text }: Pattern, rule: Rule): boolean {
  const slash = text.indexOf("/");
  if (!isRelationName(text) || slash < 0) return false;
  const whole = parsePattern(text.slice(0, slash), rule.at);
  return whole.ok && matcher(whole.value, rule.domains)(table) !== undefined;
}

/** All targets of a rule that can be listed; of another, a failure that names what has no domain. */
export function namesOfGoal(goal: string, rule: Rule): Result<readonly string[]> {
  if (pendingOf(rule) || isFiniteRule(rule)) return listed(goal, [rule]);
  const open = rule.outputs[0]?.wildcards.find((name) => rule.domains[name] === undefined);
  const message = `\`${goal}\` has no end: \`{${open}}\` of \`${rule.outputs[0]?.text}\` has no domain`;
  return fail({
    reason: "usage",
    message,
    help: `name a target, or give the rule \`where: { ${open}: […] }\``,
  });
}

/** `a{1..3}` is `a1 a2 a3`, `{x,y}` is `x y`; several braces multiply. Ranges run over months, days and whole numbers, up or down. */
export function expandBraces(word: string): Result<readonly string[]> {
  let texts: readonly string[] = [word];
  // Innermost first, one in each text at a time: what a list inside a list leaves behind differs from text to text.
  while (texts.some((text) => innermost.test(text))) {
    const longer: string[] = [];
    for (const text of texts) {
      const brace = innermost.exec(text);
      const values = brace ? valuesOf(brace[1] ?? "") : [""];
      if (!values) {
        const message = `\`${brace?.[0]}\` in \`${word}\` is no list and no range`;
        const help = "give a value, `{a,b}`, `{1..12}` or `{2021-01..2021-12}`";
        return fail({ reason: "usage", message, help });
      }
      if (longer.length + values.length > mostNames)
        return fail({ reason: "usage", message: `\`${word}\` stands for more than ${mostNames} names` });
      for (const value of values) longer.push(brace ? text.replace(brace[0], () => value) : text);
    }
    texts = longer;
  }
  return ok(texts);
}

const innermost = /\{([^{}]*)\}/;

function valuesOf(body: string): readonly string[] | undefined {
  if (body.includes(",")) return body.split(",");
  const [first = "", last = "", ...rest] = body.split("..");
  if (first === "" || last === "" || rest.length > 0) return undefined;
  const range = kinds.find(({ form }) => form.test(first) && form.test(last));
  if (!range) return undefined;
  const [from, to] = [range.index(first), range.index(last)];
  if (Number.isNaN(from - to)) return undefined;
  // 30 February would be read as 2 March.
  if (range.text(from, first) !== first || range.text(to, last) !== last) return undefined;
  const length = Math.min(Math.abs(to - from), mostNames) + 1;
  // Downwards too: `{2023-12..2019-01}` is the newest first.
  const [step, least] = from <= to ? [1, first] : [-1, last];
  return Array.from({ length }, (_, i) => range.text(from + i * step, least));
}

const dayMs = 86_400_000;

const kinds = [
  {
    form: /^\d{4}-(0[1-9]|1[0-2])$/,
    index: (text: string) => Number(text.slice(0, 4)) * 12 + Number(text.slice(5)) - 1,
    text: (index: number) =>
      `${String(Math.floor(index / 12)).padStart(4, "0")}-${String((index % 12) + 1).padStart(2, "0")}`,
  },
  {
    form: /^\d{4}-\d{2}-\d{2}$/,
    index: (text: string) => Date.parse(`${text}T00:00:00Z`) / dayMs,
    text: (index: number) => new Date(index * dayMs).toISOString().slice(0, 10),
  },
  {
    form: /^\d{1,9}$/,
    index: Number,
    // As wide as the least: `01..12` and `12..01` keep their zeros, `10..1` has none.
    text: (index: number, least: string) => String(index).padStart(least.length, "0"),
  },
] as const;
