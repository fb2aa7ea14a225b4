// From rules and wanted names to the steps that make them, in order. Knows nothing of what exists, of freshness or of running.
import { type Failure, fail, ok, type Result } from "./failure.js";
import { bindings, fill, literalLength, type Matcher, matcher, type Pattern } from "./pattern.js";
import type { Binding, InputSpec, Recipe, Rule, Step } from "./rule.js";

/** All rules of a Datafile, checked against one another, ready to be asked who makes what. */
export interface RuleSet {
  readonly rules: readonly Rule[];
  /** The rule and binding that make a name, or nothing. A tie between patterns is a failure. */
  find(name: string): Result<{ readonly rule: Rule; readonly binding: Binding } | undefined>;
  /** Why no rule may make a file, or nothing. */
  readonly forbidden: Forbidden;
}

/** Why no rule may make a file of this name, as a clause that follows the name; or nothing. */
export type Forbidden = (name: string) => string | undefined;

/** Steps with inputs before users, and the names that no rule makes. */
export interface Graph {
  readonly steps: readonly Step[];
  /** Output name → the step that makes it. */
  readonly makers: ReadonlyMap<string, Step>;
  /** Name → the first step that reads it, or nothing if the command line asked for it. */
  readonly sources: ReadonlyMap<string, Step | undefined>;
}

interface Candidate {
  readonly rule: Rule;
  readonly pattern: Pattern;
  readonly match: Matcher;
  readonly literal: number;
}

/** Refuses two explicit producers of one name, and patterns that tie on a name that both declare. */
export function ruleSet(rules: readonly Rule[], forbidden: Forbidden = () => undefined): Result<RuleSet> {
  const explicit = new Map<string, Rule>();
  const candidates: Candidate[] = [];
  for (const rule of rules) {
    for (const pattern of rule.outputs) {
      if (rule.outputs.filter(({ text }) => text === pattern.text).length > 1)
        return fail({ reason: "two-producers", output: pattern.text, first: rule.at, second: rule.at });
      if (pattern.wildcards.length > 0) {
        candidates.push({
          rule,
          pattern,
          match: matcher(pattern, rule.domains),
          literal: literalLength(pattern),
        });
        continue;
      }
      const first = explicit.get(pattern.text);
      if (first)
        return fail({ reason: "two-producers", output: pattern.text, first: first.at, second: rule.at });
      explicit.set(pattern.text, rule);
      const problem = forbiddenOutput([pattern.text], { rule, forbidden });
      if (problem) return fail(problem);
    }
  }
  candidates.sort((a, b) => b.literal - a.literal);
  const find: RuleSet["find"] = (name) => {
    const rule = explicit.get(name);
    return rule ? ok({ rule, binding: {} }) : findPattern(candidates, name);
  };
  const tie = findTie(candidates, find);
  return tie ? fail(tie) : ok({ rules, find, forbidden });
}

function forbiddenOutput(
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

function findPattern(candidates: readonly Candidate[], name: string): ReturnType<RuleSet["find"]> {
  let best: { candidate: Candidate; binding: Binding } | undefined;
  for (const candidate of candidates) {
    if (best && candidate.literal < best.candidate.literal) break;
    const binding = candidate.match(name);
    if (!binding) continue;
    if (best && best.candidate.rule !== candidate.rule)
      return fail(ambiguity(name, [best.candidate, candidate]));
    best ??= { candidate, binding };
  }
  return ok(best && { rule: best.candidate.rule, binding: best.binding });
}

const ambiguity = (target: string, candidates: readonly Candidate[]) =>
  ({
    reason: "ambiguous",
    target,
    rules: candidates.map(({ pattern, rule }) => ({ pattern: pattern.text, at: rule.at })),
  }) as const;

/**
 * Only patterns with equally much literal text can tie; of such a pair the one with finite domains is listed against
 * the other. A name that an explicit rule or a more literal pattern makes is no tie.
 */
function findTie(candidates: readonly Candidate[], find: RuleSet["find"]): Failure | undefined {
  for (const [i, one] of candidates.entries()) {
    for (const other of candidates.slice(i + 1)) {
      if (other.literal !== one.literal) break;
      if (other.rule === one.rule) continue;
      if (one.pattern.text === other.pattern.text && !isFiniteRule(one.rule) && !isFiniteRule(other.rule))
        return ambiguity(one.pattern.text, [one, other]);
      const [listed, against] = isFiniteRule(one.rule) ? [one, other] : [other, one];
      for (const binding of bindings(listed.pattern.wildcards, listed.rule.domains)) {
        const name = fill(listed.pattern, binding);
        const found = against.match(name) ? find(name) : undefined;
        if (found?.ok === false) return found.error;
      }
    }
  }
  return undefined;
}

/** Whether all targets of a rule can be listed. */
export const isFiniteRule = (rule: Rule): boolean =>
  rule.outputs.every((pattern) => pattern.wildcards.every((name) => rule.domains[name] !== undefined));

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

/** Binds a rule: its names filled in, its recipe made. `localSource` names the file that a recipe reads besides its inputs. */
function instantiate(rule: Rule, binding: Binding, localSource: LocalSource): Result<Step> {
  const recipe = rule.bind(binding);
  if (!recipe.ok) return recipe;
  const inputs = expandInputs(rule.inputs, binding);
  const source = localSource(recipe.value);
  if (source !== undefined) inputs.push(source);
  const outputs = rule.outputs.map((pattern) => fill(pattern, binding));
  return ok({
    id: outputs[0] ?? "",
    rule,
    binding,
    inputs: [...new Set(inputs)],
    after: expandInputs(rule.after, binding),
    outputs,
    recipe: recipe.value,
  });
}

/** The name of a file of this machine that a recipe reads without it being declared, as the file of a `file:` URL. */
export type LocalSource = (recipe: Recipe) => string | undefined;

function expandInputs(specs: readonly InputSpec[], binding: Binding): string[] {
  return specs.flatMap((spec) => expandInput(spec, binding));
}

/** The names that one declared input stands for. */
export function expandInput(spec: InputSpec, binding: Binding): string[] {
  switch (spec.kind) {
    case "pattern":
      return [fill(spec.pattern, binding)];
    case "rule":
      return spec.rule.outputs.map((pattern) => fill(pattern, binding));
    case "selection":
      return selected(spec, binding);
  }
}

function selected({ rule, picks }: Extract<InputSpec, { kind: "selection" }>, binding: Binding): string[] {
  const narrowed = { ...rule.domains };
  for (const [name, patterns] of Object.entries(picks))
    narrowed[name] = { values: patterns.map((pattern) => fill(pattern, binding)) };
  const all = [...bindings(rule.outputs[0]?.wildcards ?? [], narrowed)];
  return all.flatMap((values) => rule.outputs.map((pattern) => fill(pattern, values)));
}

type Visit = { readonly step: Step; readonly needs: readonly string[]; next: number };

/**
 * Collects the steps that the wanted names need. Depth first with a stack of its own: a chain of 10 000 steps
 * overflows the call stack of Node.
 */
export function graphOf(rules: RuleSet, wanted: readonly string[], localSource: LocalSource): Result<Graph> {
  const steps: Step[] = [];
  const makers = new Map<string, Step>();
  const sources = new Map<string, Step | undefined>();
  const open = new Set<Step>();
  const stack: Visit[] = [];

  const enter = (name: string, user: Step | undefined): Result<void> => {
    const known = makers.get(name);
    if (known) return open.has(known) ? fail(cycle(stack, known)) : ok(undefined);
    if (sources.has(name)) return ok(undefined);
    const found = rules.find(name);
    if (!found.ok) return found;
    if (!found.value) {
      sources.set(name, user);
      return ok(undefined);
    }
    if (user && name.length > longestName) return fail(endless(name, user));
    const step = instantiate(found.value.rule, found.value.binding, localSource);
    if (!step.ok) return step;
    const problem = forbiddenOutput(step.value.outputs, {
      rule: step.value.rule,
      forbidden: rules.forbidden,
    });
    if (problem) return fail(problem);
    const other = otherMaker(step.value, rules);
    if (!other.ok) return other;
    for (const output of step.value.outputs) makers.set(output, step.value);
    open.add(step.value);
    stack.push({ step: step.value, needs: [...step.value.inputs, ...step.value.after], next: 0 });
    return ok(undefined);
  };

  for (const name of wanted) {
    const entered = enter(name, undefined);
    if (!entered.ok) return entered;
    for (let visit = stack.at(-1); visit; visit = stack.at(-1)) {
      const need = visit.needs[visit.next];
      visit.next += 1;
      if (need === undefined) {
        stack.pop();
        open.delete(visit.step);
        steps.push(visit.step);
        continue;
      }
      const deeper = enter(need, visit.step);
      if (!deeper.ok) return deeper;
    }
  }
  return ok({ steps, makers, sources });
}

/** No file system takes a longer path. A pattern rule that feeds itself (`{x}` from `{x}.gz`) gets here in a moment. */
const longestName = 4096;

const endless = (name: string, user: Step) =>
  ({
    reason: "bad-rule",
    problem: `its input fits a pattern that needs ever longer names, as \`${name.slice(0, 60)}…\``,
    at: user.rule.at,
    help: "give the target literal text, a folder for instance, that its input does not have",
  }) as const;

/** Of outputs that are made together, each must be this step's alone, whichever of them was asked for first. */
function otherMaker({ rule, binding, outputs }: Step, rules: RuleSet): Result<void> {
  if (outputs.length === 1) return ok(undefined);
  for (const output of outputs) {
    const found = rules.find(output);
    if (!found.ok) return found;
    const maker = found.value;
    const mine =
      maker?.rule === rule &&
      rule.outputs.every((pattern) => fill(pattern, maker.binding) === fill(pattern, binding));
    if (!mine)
      return fail({ reason: "two-producers", output, first: rule.at, second: maker?.rule.at ?? rule.at });
  }
  return ok(undefined);
}

function cycle(stack: readonly Visit[], again: Step) {
  const from = stack.findIndex(({ step }) => step === again);
  const path = [...stack.slice(from).map(({ step }) => step.id), again.id];
  return { reason: "cycle", path, at: again.rule.at } as const;
}
