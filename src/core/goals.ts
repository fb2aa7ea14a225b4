// From the words of a command line to names of targets: goals, ranges, lists. Knows nothing of what makes them.
import { fail, ok, type Result } from "./failure.js";
import { isFiniteRule, type RuleSet, targetsOf } from "./graph.js";
import type { Rule } from "./rule.js";
import { parseTarget } from "./target.js";

export interface Goals {
  readonly rules: RuleSet;
  /** Exported name → rule. */
  readonly goals: ReadonlyMap<string, Rule>;
  /** Names that stand for no words at all. */
  readonly defaults: readonly string[];
}

/** More names than this from one word is a slip of the pen. */
const mostNames = 100_000;

/** The names that are wanted, each once, in order. A goal wins over a file of the same name, which is then `./name`. */
export function wantedNames(
  words: readonly string[],
  { rules, goals, defaults }: Goals,
): Result<readonly string[]> {
  const names = new Set<string>(words.length === 0 ? defaults : []);
  for (const word of words) {
    const found = goals.has(word) || word !== "all" ? namesOf(word, goals) : namesOfAll(rules);
    if (!found.ok) return found;
    for (const name of found.value) names.add(name);
  }
  return ok([...names]);
}

const namesOfAll = (rules: RuleSet): Result<readonly string[]> =>
  ok(rules.rules.flatMap((rule) => [...targetsOf(rule)]));

function namesOf(word: string, goals: ReadonlyMap<string, Rule>): Result<readonly string[]> {
  const goal = goals.get(word);
  if (goal) return namesOfGoal(word, goal);
  const expanded = expandBraces(word);
  if (!expanded.ok) return expanded;
  const names: string[] = [];
  for (const text of expanded.value) {
    const target = parseTarget(text);
    if (!target.ok) return target;
    names.push(target.value.name);
  }
  return ok(names);
}

/** All targets of a rule that can be listed; of another, a failure that names what has no domain. */
export function namesOfGoal(goal: string, rule: Rule): Result<readonly string[]> {
  if (isFiniteRule(rule)) return ok([...targetsOf(rule)]);
  const open = rule.outputs[0]?.wildcards.find((name) => rule.domains[name] === undefined);
  const message = `\`${goal}\` has no end: \`{${open}}\` of \`${rule.outputs[0]?.text}\` has no domain`;
  return fail({
    reason: "usage",
    message,
    help: `name a target, or give the rule \`where: { ${open}: […] }\``,
  });
}

/** `a{1..3}` is `a1 a2 a3`, `{x,y}` is `x y`; several braces multiply. Ranges run over months, days and whole numbers. */
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
  // 30 February would be read as 2 March.
  if (!(from <= to) || range.text(from, first) !== first || range.text(to, last) !== last) return undefined;
  const length = Math.min(to - from, mostNames) + 1;
  return Array.from({ length }, (_, i) => range.text(from + i, first));
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
    // As wide as the first: `01..12` keeps its zeros.
    text: (index: number, first: string) => String(index).padStart(first.length, "0"),
  },
] as const;
