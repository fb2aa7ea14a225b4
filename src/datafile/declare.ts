// Turns what the functions of a Datafile are given into a rule, checked. Knows nothing of loading, running or freshness.
import { type Failure, fail, ok, type Place, type Result } from "../core/failure.js";
import { type Pattern, parseNamePattern } from "../core/pattern.js";
import type { Binding, Recipe, Rule } from "../core/rule.js";
import { isRelationName } from "../core/target.js";
import { nameCheck } from "./bound-name.js";
import type { RuleKind } from "./call.js";
import { inputSpec, listed } from "./input.js";
import { patienceOf } from "./patience.js";
import { poolsOf } from "./pool.js";
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
  readonly pool?: unknown;
  readonly timeout?: unknown;
  readonly retries?: unknown;
}

export interface Declaration {
  readonly kind: RuleKind;
  /** Where the call stands, if the caller has looked already. */
  readonly at?: Place;
  readonly targets: readonly string[];
  readonly options: CommonOptions;
  /** Makes the recipe for bound wildcards; what it throws is the user's. */
  readonly recipe: (binding: Binding, at: Place) => Recipe;
  /** Checks what only this kind of rule demands. Left out, it makes single files. */
  readonly check?: (outputs: readonly Pattern[], at: Place) => Failure | undefined;
  /** The recipe writes to the final paths. */
  readonly inPlace?: boolean;
}

/** Declares a rule with the Datafile that is being loaded, and answers its handle. */
export function declare<W extends string>(declaration: Declaration): RuleHandle<W> {
  const { kind, options, targets, inPlace = false, at = callerPlace() } = declaration;
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
  const domains = domainsOf(first, inputs, { where: options.where ?? {}, at });
  const check = nameCheck({ outputs, inputs: [...inputs, ...uses], domains, at });
  const pools = poolsOf(options.pool, { kind, at });
  // What was there before is gone: it cannot be compared by its values.
  const sameness = inPlace ? "bytes" : options.sameness;
  const { rules, secrets } = session();
  const rule: Rule = {
    name: undefined,
    at,
    outputs,
    inputs,
    ...(uses.length > 0 && { uses }),
    after: specs("after"),
    ...(sameness && { sameness }),
    domains,
    bind: (binding) =>
      guard(() => {
        check(binding);
        return declaration.recipe(binding, at);
      }, at),
    ...(pools && { pools }),
    // By the same words a download means something else, and sees to it itself.
    ...(kind !== "download" && patienceOf(options, at)),
    ...(inPlace && { inPlace }),
    ...(secrets && { secrets }),
  };
  rules.push(rule);
  return handleOf(rule);
}

/** Refuses tables as targets: only `table` can make them. */
export function onlyFiles(outputs: readonly Pattern[], at: Place): Failure | undefined {
  const wrong = outputs.find(({ text }) => isRelationName(text));
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

const compressions = ["zstd", "snappy", "gzip", "uncompressed"];

export function compressionProblem(compression: string, at: Place): Failure | undefined {
  if (compressions.includes(compression)) return undefined;
  const problem = `\`compression\` is one of ${compressions.map((one) => `\`"${one}"\``).join(", ")}`;
  return { reason: "bad-rule", problem, at, help: 'compression: "zstd"' };
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
