// Turns what the functions of a Datafile are given into a rule, checked. Knows nothing of loading, running or freshness.
import { type Failure, fail, ok, type Place, type Result } from "../core/failure.js";
import { mostTargets } from "../core/graph.js";
import {
  type Domain,
  fill,
  type Pattern,
  parseNamePattern,
  parsePattern,
  valueProblem,
} from "../core/pattern.js";
import type { Binding, InputSpec, Recipe, Rule } from "../core/rule.js";
import { isTableName } from "../core/target.js";
import { callerPlace, DeclarationError, remember, ruleOf, session } from "./session.js";
import type { Input, RuleHandle, Selection } from "./wild.js";

/** What every kind of rule takes. */
export interface CommonOptions {
  readonly from?: Input | readonly Input[];
  readonly after?: Input | readonly Input[];
  readonly where?: Readonly<Record<string, readonly string[] | undefined>>;
}

export interface Declaration {
  readonly targets: readonly string[];
  readonly options: CommonOptions;
  /** Makes the recipe for bound wildcards; what it throws is the user's. */
  readonly recipe: (binding: Binding, at: Place) => Recipe;
  /** Checks what only this kind of rule demands. Left out, it makes files. */
  readonly check?: (outputs: readonly Pattern[], at: Place) => Failure | undefined;
}

const selections = new WeakMap<object, Extract<InputSpec, { kind: "selection" }>>();

const refuse = (failure: Failure): never => {
  throw new DeclarationError(failure);
};

const take = <T>(result: Result<T>): T => (result.ok ? result.value : refuse(result.error));

/** Declares a rule with the Datafile that is being loaded, and answers its handle. */
export function declare<W extends string>(declaration: Declaration): RuleHandle<W> {
  const at = callerPlace();
  const { options, targets } = declaration;
  const outputs = targets.map((target) => take(parseNamePattern(target, at)));
  const first = outputs[0] ?? refuse({ reason: "bad-rule", problem: "it has no target", at });
  for (const output of outputs) checkSameWildcards(first, output, at);
  const problem = (declaration.check ?? onlyFiles)(outputs, at);
  if (problem) refuse(problem);
  const inputs = listed(options.from).map((input) => inputSpec(input, first, at));
  const after = listed(options.after).map((input) => inputSpec(input, first, at));
  const rule: Rule = {
    name: undefined,
    at,
    outputs,
    inputs,
    after,
    domains: domainsOf(first, inputs, { where: options.where ?? {}, at }),
    bind: (binding) => guard(() => declaration.recipe(binding, at), at),
  };
  session().rules.push(rule);
  return handleOf(rule);
}

const listed = (inputs: Input | readonly Input[] | undefined): readonly Input[] =>
  inputs === undefined ? [] : Array.isArray(inputs) ? inputs : [inputs as Input];

/** Refuses tables as targets: only `table` can make them. */
export function onlyFiles(outputs: readonly Pattern[], at: Place): Failure | undefined {
  const wrong = outputs.find(({ text }) => isTableName(text));
  const problem = `\`${wrong?.text}\` is a table, and this kind of rule makes files`;
  return wrong && { reason: "bad-rule", problem, at, help: `table("${wrong.text}", …)` };
}

function checkSameWildcards(first: Pattern, other: Pattern, at: Place): void {
  const missing =
    first.wildcards.find((name) => !other.wildcards.includes(name)) ??
    other.wildcards.find((name) => !first.wildcards.includes(name));
  if (missing !== undefined) {
    const problem = `its targets are made together, so each needs \`{${missing}}\`: \`${first.text}\`, \`${other.text}\``;
    refuse({ reason: "bad-rule", problem, at });
  }
}

/** The input spec behind a value of the Datafile, if it is a rule or a selection. */
export function specOf(value: unknown): InputSpec | undefined {
  const rule = ruleOf(value);
  return rule ? { kind: "rule", rule } : selections.get(value as object);
}

function inputSpec(input: Input, target: Pattern, at: Place): InputSpec {
  if (typeof input === "string") {
    const pattern = take(parseNamePattern(input, at));
    for (const wildcard of pattern.wildcards) checkBound(wildcard, target, { where: `\`${input}\``, at });
    return { kind: "pattern", pattern };
  }
  const spec = specOf(input);
  switch (spec?.kind) {
    case "rule":
      for (const wildcard of spec.rule.outputs[0]?.wildcards ?? [])
        checkBound(wildcard, target, { where: `the rule for \`${spec.rule.outputs[0]?.text}\``, at });
      return spec;
    case "selection":
      for (const [name, patterns] of Object.entries(spec.picks))
        for (const wildcard of patterns.flatMap((pattern) => pattern.wildcards))
          checkBound(wildcard, target, { where: `the selection of \`${name}\``, at });
      return spec;
    case "pattern":
    case undefined:
      return refuse({ reason: "bad-rule", problem: "`from` takes names, rules and selections of rules", at });
  }
}

function checkBound(wildcard: string, target: Pattern, { where, at }: { where: string; at: Place }): void {
  if (!target.wildcards.includes(wildcard))
    refuse({ reason: "unbound-wildcard", wildcard, where, target: target.text, at });
}

/** Declared domains, and for the other wildcards what the inputs' domains have in common. */
function domainsOf(
  target: Pattern,
  inputs: readonly InputSpec[],
  { where, at }: { readonly where: NonNullable<CommonOptions["where"]>; readonly at: Place },
): Record<string, Domain> {
  // Without a prototype, on which `{constructor}` would find something.
  const domains: Record<string, Domain> = Object.create(null);
  for (const [name, values] of Object.entries(where)) {
    if (!target.wildcards.includes(name))
      refuse({ reason: "unbound-wildcard", wildcard: name, where: "`where`", target: target.text, at });
    if (values) domains[name] = checkedDomain(name, values, at);
  }
  for (const [name, domain] of inputs.flatMap(inherited)) {
    const declared = Object.hasOwn(where, name) && where[name] !== undefined;
    if (declared || !target.wildcards.includes(name)) continue;
    const values = domains[name]?.values.filter((value) => domain.values.includes(value)) ?? domain.values;
    if (values.length === 0) {
      const problem = `its inputs have no value of \`{${name}}\` in common, so it would make nothing`;
      refuse({ reason: "bad-rule", problem, at, help: `where: { ${name}: […] }` });
    }
    domains[name] = { values };
  }
  return domains;
}

function inherited(spec: InputSpec): readonly (readonly [string, Domain])[] {
  switch (spec.kind) {
    case "pattern":
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

function checkedDomain(name: string, values: readonly string[], at: Place): Domain {
  if (!Array.isArray(values) || values.length === 0)
    refuse({
      reason: "bad-rule",
      problem: `the domain of \`{${name}}\` is not a list of at least one text`,
      at,
    });
  for (const value of values) {
    const problem = typeof value === "string" ? valueProblem(value) : "is not a text";
    if (problem)
      refuse({ reason: "bad-rule", problem: `\`${value}\` in the domain of \`{${name}}\` ${problem}`, at });
  }
  return { values: [...new Set(values)] };
}

function handleOf<W extends string>(rule: Rule): RuleHandle<W> {
  const all = (picks: Readonly<Record<string, string | readonly string[] | undefined>> = {}) =>
    select(rule, picks);
  const one = (values: Readonly<Record<string, string>>) => select(rule, values);
  const handle = Object.assign(one, { all }) as unknown as RuleHandle<W>;
  remember(handle, rule);
  return handle;
}

function select(
  rule: Rule,
  picked: Readonly<Record<string, string | readonly string[] | undefined>>,
): Selection {
  const at = callerPlace();
  const wildcards = new Set(rule.outputs[0]?.wildcards);
  const target = rule.outputs[0]?.text ?? "";
  const picks: Record<string, readonly Pattern[]> = {};
  for (const [name, value] of Object.entries(picked)) {
    if (!wildcards.has(name))
      refuse({ reason: "unbound-wildcard", wildcard: name, where: "the selection", target, at });
    if (value === undefined) continue;
    wildcards.delete(name);
    picks[name] = pickedValues(name, [value].flat(), at);
  }
  for (const name of wildcards) {
    if (rule.domains[name]) continue;
    const help = `pick it, as \`{ ${name}: "…" }\`, or give the rule \`where: { ${name}: […] }\``;
    refuse({
      reason: "bad-rule",
      problem: `\`{${name}}\` of \`${target}\` has no domain to select from`,
      at,
      help,
    });
  }
  const count = [...new Set(rule.outputs[0]?.wildcards)].reduce(
    (product, name) => product * (picks[name]?.length ?? rule.domains[name]?.values.length ?? 0),
    rule.outputs.length,
  );
  if (count > mostTargets) {
    const problem = `the selection stands for ${count} targets of \`${target}\`, and at most ${mostTargets} can be taken`;
    refuse({ reason: "bad-rule", problem, at });
  }
  const selection: Selection = { kind: "selection" };
  selections.set(selection, { kind: "selection", rule, picks });
  return selection;
}

/** Values of a wildcard that a selection picks; the wildcards of the taking rule may stand in them. */
function pickedValues(name: string, texts: readonly unknown[], at: Place): readonly Pattern[] {
  if (texts.length === 0)
    refuse({ reason: "bad-rule", problem: `the selection picks no value of \`{${name}}\``, at });
  return texts.map((text) => {
    const problem = typeof text === "string" ? valueProblem(text) : "is not a text";
    if (problem)
      refuse({ reason: "bad-rule", problem: `\`${text}\`, picked for \`{${name}}\`, ${problem}`, at });
    return take(parsePattern(String(text), at));
  });
}

/** Runs a function of the Datafile; what it throws becomes a failure with its place. */
export function guard<T>(work: () => T, at: Place): Result<T> {
  try {
    return ok(work());
  } catch (error) {
    if (error instanceof DeclarationError) return fail(error.failure);
    const message = error instanceof Error ? error.message : String(error);
    return fail({ reason: "datafile-threw", at, message });
  }
}

/** The failure of a text whose wildcards the target does not all bind. */
export function unboundIn(text: unknown, target: Pattern | undefined, at: Place): Failure | undefined {
  if (typeof text !== "string" || !target) return undefined;
  const pattern = parsePattern(text, at);
  if (!pattern.ok) return pattern.error;
  const wildcard = pattern.value.wildcards.find((name) => !target.wildcards.includes(name));
  return wildcard === undefined
    ? undefined
    : { reason: "unbound-wildcard", wildcard, where: `\`${text}\``, target: target.text, at };
}

/** A text that may be given as a pattern or as a function of the wildcards' values. */
export function textOf(given: string | ((values: Binding) => string), binding: Binding, at: Place): string {
  const text: unknown =
    typeof given === "function" ? given(binding) : fill(take(parsePattern(given, at)), binding);
  return typeof text === "string"
    ? text
    : refuse({ reason: "bad-rule", problem: `a text is needed, and not \`${text}\``, at });
}
