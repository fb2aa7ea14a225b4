// The URL of a download for the values of its wildcards: no value may make it another URL than the one that was written. Knows nothing of asking for it.
import { type Failure, fail, ok, type Place, type Result } from "../core/failure.js";
import { fill, type Pattern, parsePattern } from "../core/pattern.js";
import { redactUrl } from "../core/redact.js";
import type { Binding } from "../core/rule.js";
import { refuse, take } from "./session.js";

/** The failure of a text whose wildcards the target does not all bind. */
export function unboundIn(text: unknown, target: Pattern | undefined, at: Place): Failure | undefined {
  if (typeof text !== "string" || !target) return undefined;
  const pattern = urlPattern(text, at);
  if (!pattern.ok) return pattern.error;
  const wildcard = pattern.value.wildcards.find((name) => !target.wildcards.includes(name));
  return wildcard === undefined
    ? undefined
    : { reason: "unbound-wildcard", wildcard, where: `\`${redactUrl(text)}\``, target: target.text, at };
}

/** A URL may hold passwords, and what is wrong with it is shown. */
function urlPattern(text: string, at: Place): Result<Pattern> {
  const pattern = parsePattern(text, at);
  if (pattern.ok || pattern.error.reason !== "bad-pattern") return pattern;
  return fail({ ...pattern.error, pattern: redactUrl(text) });
}

/** A URL that may be given as a pattern or as a function of the wildcards' values. */
export function urlOf(given: string | ((values: Binding) => string), binding: Binding, at: Place): string {
  const text: unknown =
    typeof given === "function" ? given(binding) : take(filled(take(urlPattern(given, at)), binding, at));
  return typeof text === "string"
    ? text
    : refuse({ reason: "bad-rule", problem: `a text is needed, and not \`${text}\``, at });
}

/**
 * Fills in values that stay where they stand: `a#b` would ask for `a`, and `evil.org#` before the first `/` would send
 * the headers, with their passwords, to another host.
 */
function filled(pattern: Pattern, binding: Binding, at: Place): Result<string> {
  let before = "";
  for (const [i, name] of pattern.wildcards.entries()) {
    before += pattern.literals[i] ?? "";
    const value = binding[name] ?? "";
    const problem = isInHost(before) ? hostProblem(value) : pathProblem(value);
    if (problem !== undefined) return fail(unfit(pattern, { name, value, problem, at }));
    before += value;
  }
  return ok(fill(pattern, binding));
}

/** Whether what follows is still a part of the host: also where the scheme is one of them, as nobody has said which. */
const isInHost = (before: string): boolean => !/^file:|^[^:/]*:\/\/[^/?#]*[/?#]/i.test(before);

const hostProblem = (value: string): string | undefined =>
  /^[\p{L}\p{N}._-]+$/u.test(value) ? undefined : "could change the host that is asked";

const pathProblem = (value: string): string | undefined =>
  /[?#\\]/.test(value) ? "would end the path" : undefined;

function unfit(
  { text }: Pattern,
  found: { readonly name: string; readonly value: string; readonly problem: string; readonly at: Place },
): Failure {
  const { name, value, problem, at } = found;
  return {
    reason: "bad-rule",
    problem: `with the value \`${value}\` of \`{${name}}\`, \`${redactUrl(text)}\` would be another URL: it ${problem}`,
    at,
    help: `say what is meant: url: ({ ${name} }) => \`…\${encodeURIComponent(${name})}…\``,
  };
}
