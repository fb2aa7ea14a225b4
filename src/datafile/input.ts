// What a rule can be given as input: names, rules, selections, globs, and any of these as optional. Knows nothing of domains or recipes.
import type { Place, Result } from "../core/failure.js";
import { expandInput } from "../core/inputs.js";
import { type Pattern, parseNamePattern, parsePattern } from "../core/pattern.js";
import type { InputSpec } from "../core/rule.js";
import { isRelationName, normalisePath } from "../core/target.js";
import { callerPlace, refuse, ruleOf, take } from "./session.js";
import type { Glob, Input, InputWild, Optional } from "./wild.js";

/** What selections, globs and optional inputs stand for. */
const specs = new WeakMap<object, InputSpec>();

/** Makes `handle` stand for an input. */
export function standFor<T extends object>(handle: T, spec: InputSpec): T {
  specs.set(handle, spec);
  return handle;
}

/** What a value of the Datafile stands for as an input, if it is no name. */
export function specOf(value: unknown): InputSpec | undefined {
  const rule = ruleOf(value);
  return rule ? { kind: "rule", rule } : specs.get(value as object);
}

/** One, several or none, as a list. */
export const listed = (inputs: Input | readonly Input[] | undefined): readonly Input[] =>
  inputs === undefined ? [] : Array.isArray(inputs) ? inputs : [inputs as Input];

export interface Taker {
  /** The option in which the input stands. */
  readonly option: string;
  readonly target: Pattern;
  readonly at: Place;
}

/** The input of a rule, whose target must bind all of its wildcards. */
export function inputSpec(input: Input, { option, target, at }: Taker): InputSpec {
  const spec = specAt(input, at);
  if (!spec) {
    const problem = `\`${option}\` takes names, rules and selections of rules, globs, and any of these as \`optional\``;
    return refuse({ reason: "bad-rule", problem, at });
  }
  if (option === "after" && spec.optional && spec.kind !== "glob") {
    const problem = "an order is for what is made before: of an input that need not be there, leave it out";
    return refuse({ reason: "bad-rule", problem, at });
  }
  for (const { wildcard, where } of wildcardsOf(spec))
    if (!target.wildcards.includes(wildcard))
      refuse({ reason: "unbound-wildcard", wildcard, where, target: target.text, at });
  return spec;
}

/** What a name, or another value of the Datafile, stands for as an input. */
export const specAt = (input: unknown, at: Place): InputSpec | undefined =>
  typeof input === "string" ? { kind: "pattern", pattern: take(parseNamePattern(input, at)) } : specOf(input);

/** The wildcards that have to be bound, and where each stands. */
export function wildcardsOf(
  spec: InputSpec,
): readonly { readonly wildcard: string; readonly where: string }[] {
  switch (spec.kind) {
    case "pattern":
    case "glob":
      return spec.pattern.wildcards.map((wildcard) => ({ wildcard, where: `\`${spec.pattern.text}\`` }));
    case "rule": {
      const [output] = spec.rule.outputs;
      const where = `the rule for \`${output?.text}\``;
      return output?.wildcards.map((wildcard) => ({ wildcard, where })) ?? [];
    }
    case "selection":
      return Object.entries(spec.picks).flatMap(([name, patterns]) =>
        patterns
          .flatMap(({ wildcards }) => wildcards)
          .map((wildcard) => ({ wildcard, where: `the selection of \`${name}\`` })),
      );
  }
}

/** The names that an input stands for in which no wildcard is open. What a glob finds is not known here. */
export const namesOf = (spec: InputSpec): Result<readonly string[]> =>
  expandInput(spec, {
    binding: {},
    globs: { files: () => [], among: () => [] },
    declared: () => [],
    directory: () => undefined,
    pending: () => undefined,
  });

/** The same input, which need not be there. */
export function optionalInput<I extends Input>(input: I): Optional<InputWild<I>> {
  const at = callerPlace();
  const spec = specAt(input, at);
  if (!spec) {
    const problem = "`optional` takes one name, rule, selection or glob";
    return refuse({ reason: "bad-rule", problem, at, help: 'optional("config/local.json")' });
  }
  return standFor({ kind: "optional" }, { ...spec, optional: true });
}

/** All names that fit `text`, in the syntax of fast-glob, where braces are wildcards. */
export function globInput<W extends string>(text: unknown): Glob<W> {
  const at = callerPlace();
  if (typeof text !== "string")
    return refuse({ reason: "bad-rule", problem: "`glob` takes a text", at, help: 'glob("data/raw/*.csv")' });
  const problem = globProblem(text);
  if (problem !== undefined) refuse({ reason: "bad-pattern", pattern: text, problem, at });
  const name = normalisePath(text);
  if (name === undefined || name === "" || leavesRoot(text))
    refuse({ reason: "outside-root", path: text, at });
  return standFor({ kind: "glob" }, { kind: "glob", pattern: take(parsePattern(name ?? "", at)) });
}

function globProblem(text: string): string | undefined {
  const list = /\{[^{}]*(,|\.\.)[^{}]*\}/.exec(text)?.[0];
  if (list !== undefined)
    return `\`${list}\` is no wildcard, which is what braces are here: give several globs, or write \`@(a|b)\``;
  if (/\[[^\]]*\{/.test(text))
    return "a wildcard stands for a whole text, and not for characters in brackets";
  if (isRelationName(text)) return "a glob is of files: of tables, take the rule's `.all()`";
  if (text.endsWith("/")) return "a glob finds files: leave out the `/` at its end";
  return /^!(?!\()/.test(text) ? "a glob says what to take, and not what to leave out" : undefined;
}

/** Whether a `..` stands anywhere in it: also in a list, and behind backslashes, which the search takes off. */
const leavesRoot = (text: string): boolean => /(^|[/(|])\.\.($|[/)|])/.test(text.replaceAll("\\", ""));
