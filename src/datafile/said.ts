// What a recipe says that it depends on, besides its inputs and its code, as named parts. Knows nothing of recipes.
import type { Place } from "../core/failure.js";
import { digestOf } from "../core/fingerprint.js";
import type { Parts } from "../core/trace.js";
import { canonicalJson, jsonProblem } from "./json.js";
import { pendingName } from "./manifest.js";
import { refuse, session } from "./session.js";

export interface Said {
  readonly env?: readonly string[];
  readonly values?: Readonly<Record<string, unknown>>;
  readonly version?: string;
}

/** Recorded of a variable that the environment does not have. No digest looks like it. */
const notSet = "(not set)";

/**
 * Checks what is said now, and answers how to make parts of it. That is done once, when the first recipe of the rule is
 * bound: by then the Datafile has been evaluated, and has put into its values what it puts there.
 */
export function saidParts({ env = [], values = {}, version }: Said, at: Place): () => Parts {
  if (version !== undefined && typeof version !== "string")
    refuse({ reason: "bad-rule", problem: "`version` is a text", at, help: 'version: "2"' });
  const variables = envParts(env, at);
  checkValues(values, at);
  let parts: Parts | undefined;
  return () => {
    parts ??= { ...variables, ...valueParts(values, at) };
    return parts;
  };
}

function envParts(names: readonly string[], at: Place): Parts {
  const { env = {} } = session();
  if (!Array.isArray(names) || !names.every(isVariable))
    return refuse({
      reason: "bad-rule",
      problem: "`env` is a list of names of variables",
      at,
      help: 'env: ["MODE"]',
    });
  return Object.fromEntries(
    names.map((name) => {
      const value = Object.hasOwn(env, name) ? env[name] : undefined;
      return [`env.${name}`, value === undefined ? notSet : digestOf(value)];
    }),
  );
}

const isVariable = (name: unknown): name is string => typeof name === "string" && /^[^=\0]+$/.test(name);

/** A list that is not read yet has to be: whoever plans is told which target has it. */
function valueParts(values: Readonly<Record<string, unknown>>, at: Place): Parts {
  for (const [wildcard, value] of Object.entries(values)) {
    const manifest = pendingName(value);
    if (manifest !== undefined) refuse({ reason: "needs-manifest", manifest, wildcard, at });
  }
  checkValues(values, at);
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`values.${name}`, digestOf(canonicalJson(value))]),
  );
}

function checkValues(values: unknown, at: Place): void {
  const problem =
    typeof values === "object" && values !== null && !Array.isArray(values)
      ? jsonProblem(Object.fromEntries(Object.entries(values).filter(isRead)), "values")
      : "`values` is no object: each of its values has a name";
  if (problem !== undefined) refuse({ reason: "bad-rule", problem, at, help: "values: { limit, config }" });
}

const isRead = ([, value]: readonly [string, unknown]): boolean => pendingName(value) === undefined;
