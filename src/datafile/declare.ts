// Turns what the functions of a Datafile are given into a rule, checked. Knows nothing of loading, running or freshness.
import { type Failure, fail, ok, type Place, type Result } from "../core/failure.js";
import { fill, type Pattern, parseNamePattern, parsePattern } from "../core/pattern.js";
import type { Binding, Recipe, Rule } from "../core/rule.js";
import { isTableName } from "../core/target.js";
import { inputSpec, listed } from "./input.js";
import { handleOf } from "./select.js";
import { callerPlace, DeclarationError, refuse, session, take } from "./session.js";
import { domainsOf } from "./where.js";
import type { Input, RuleHandle } from "./wild.js";

/** What every kind of rule takes. */
export interface CommonOptions {
  readonly from?: Input | readonly Input[];
  readonly uses?: Input | readonly Input[];
  readonly after?: Input | readonly Input[];
  readonly where?: Readonly<Record<string, readonly string[] | undefined>>;
  readonly sameness?: "values" | "bytes";
}

export interface Declaration {
  /** Where the call stands, if the caller has looked already. */
  readonly at?: Place;
  readonly targets: readonly string[];
  readonly options: CommonOptions;
  /** Makes the recipe for bound wildcards; what it throws is the user's. */
  readonly recipe: (binding: Binding, at: Place) => Recipe;
  /** Checks what only this kind of rule demands. Left out, it makes single files. */
  readonly check?: (outputs: readonly Pattern[], at: Place) => Failure | undefined;
}

/** Declares a rule with the Datafile that is being loaded, and answers its handle. */
export function declare<W extends string>(declaration: Declaration): RuleHandle<W> {
  const { options, targets, at = callerPlace() } = declaration;
  const outputs = targets.map((target) => take(parseNamePattern(target, at)));
  const first = outputs[0] ?? refuse({ reason: "bad-rule", problem: "it has no target", at });
  for (const output of outputs) checkSameWildcards(first, output, at);
  const problem =
    (declaration.check ?? onlySingleFiles)(outputs, at) ?? samenessProblem(options.sameness, at);
  if (problem) refuse(problem);
  const specs = (option: "from" | "uses" | "after") =>
    listed(options[option]).map((input) => inputSpec(input, { option, target: first, at }));
  const inputs = specs("from");
  const uses = specs("uses");
  const rule: Rule = {
    name: undefined,
    at,
    outputs,
    inputs,
    ...(uses.length > 0 && { uses }),
    after: specs("after"),
    ...(options.sameness && { sameness: options.sameness }),
    domains: domainsOf(first, inputs, { where: options.where ?? {}, at }),
    bind: (binding) => guard(() => declaration.recipe(binding, at), at),
  };
  session().rules.push(rule);
  return handleOf(rule);
}

/** Refuses tables as targets: only `table` can make them. */
export function onlyFiles(outputs: readonly Pattern[], at: Place): Failure | undefined {
  const wrong = outputs.find(({ text }) => isTableName(text));
  const problem = `\`${wrong?.text}\` is a table, and this kind of rule makes files`;
  return wrong && { reason: "bad-rule", problem, at, help: `table("${wrong.text}", …)` };
}

/** Refuses directories too: only commands and functions make them. */
export const onlySingleFiles = (outputs: readonly Pattern[], at: Place): Failure | undefined =>
  onlyFiles(outputs, at) ?? directoryProblem(outputs, at);

export function directoryProblem(outputs: readonly Pattern[], at: Place): Failure | undefined {
  const wrong = outputs.find(({ directory }) => directory);
  const problem = `\`${wrong?.text}/\` is a directory, which only \`sh\` and \`script\` make`;
  return wrong && { reason: "bad-rule", problem, at, help: "leave out the `/` at its end" };
}

function samenessProblem(sameness: unknown, at: Place): Failure | undefined {
  if (sameness === undefined || sameness === "values" || sameness === "bytes") return undefined;
  const problem = '`sameness` is `"values"` or `"bytes"`';
  return { reason: "bad-rule", problem, at, help: 'sameness: "bytes"' };
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
