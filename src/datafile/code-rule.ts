// Rules whose recipe is code of the Datafile: shell commands and functions. Knows nothing of running them.
import type { Place } from "../core/failure.js";
import { digestOf } from "../core/fingerprint.js";
import type { Binding, Command, RecipePaths } from "../core/rule.js";
import type { Parts } from "../core/trace.js";
import { type CommonOptions, declare, guard, onlyFiles } from "./declare.js";
import { needing } from "./need.js";
import type { RecipeContext, ScriptGiven, ShellGiven } from "./options.js";
import type { Unseen } from "./reach.js";
import { type Said, saidParts } from "./said.js";
import { callerPlace, DeclarationError, refuse, type Session, session } from "./session.js";
import { dollar, isCommand, quotePath } from "./shell.js";
import type { RuleHandle, Values } from "./wild.js";

type CodeOptions = CommonOptions & Said & { readonly inPlace?: boolean };
type ShellOptions = CodeOptions & { readonly depfile?: boolean };

/** Declares files that a shell command makes. */
export function shellRule<W extends string, D extends boolean>(
  targets: readonly string[],
  options: ShellOptions,
  command: (context: ShellGiven<W, D>) => Command,
): RuleHandle<W> {
  const at = callerPlace();
  const { version, depfile = false } = options;
  if (typeof depfile !== "boolean")
    refuse({ reason: "bad-rule", problem: "`depfile` is `true` or nothing", at, help: "depfile: true" });
  const inPlace = isInPlace(options, at);
  const said = saidParts(options, at);
  let parts: Parts | undefined;
  const given = (paths: RecipePaths, binding: Binding) => {
    const context = contextOf<W>(paths, binding);
    // A path that nobody reads back would look as if it did something.
    const read = depfile ? { depfile: quotePath(paths.depfile) } : {};
    return Object.assign(context, { $: dollar }, read) as ShellGiven<W, D>;
  };
  return declare({
    kind: "sh",
    at,
    targets,
    options,
    inPlace,
    check: onlyFiles,
    recipe: (binding) => {
      parts ??= { ...said(), ...inPlaceParts(inPlace) };
      return {
        kind: "sh",
        render: (paths) => guard(() => commandOf(command(given(paths, binding)), at), at),
        depfile,
        ...(version !== undefined && { version }),
        parts,
      };
    },
  });
}

/** Nothing is left of what was there before, so that no values can be compared with it. */
function isInPlace({ inPlace = false, sameness }: CodeOptions, at: Place): boolean {
  if (typeof inPlace !== "boolean")
    refuse({ reason: "bad-rule", problem: "`inPlace` is `true` or nothing", at, help: "inPlace: true" });
  if (inPlace && sameness === "values") {
    const problem =
      "with `inPlace` the old file is written over, so that its values cannot be compared with those of the new one";
    refuse({ reason: "bad-rule", problem, at, help: "leave out `sameness`" });
  }
  return inPlace;
}

/**
 * A recipe that works in place starts from what was there, and one that does not starts from nothing: what either has
 * made need not be what the other would make.
 */
const inPlaceParts = (inPlace: boolean): Parts => (inPlace ? { inPlace: "true" } : {});

/** A text that was put together by hand has no quotes around its values, so only what `$` made is run. */
function commandOf(made: unknown, at: Place): Command {
  if (isCommand(made)) return made;
  const problem = "its function answers no command, which is what `$` makes of a template";
  throw new DeclarationError({
    reason: "bad-rule",
    problem,
    at,
    help: "({ $, output }) => $`date > ${output}`",
  });
}

/** Declares files that a function makes. */
export function scriptRule<W extends string>(
  targets: readonly string[],
  options: CodeOptions,
  run: (context: ScriptGiven<W>) => Promise<void> | void,
): RuleHandle<W> {
  const at = callerPlace();
  const inPlace = isInPlace(options, at);
  const said = saidParts(options, at);
  const code =
    options.version === undefined ? codeParts(options, at) : () => ({ version: options.version ?? "" });
  let parts: Parts | undefined;
  return declare({
    kind: "script",
    at,
    targets,
    options,
    inPlace,
    check: onlyFiles,
    recipe: (binding) => {
      parts ??= { ...code(), ...said(), ...inPlaceParts(inPlace) };
      return {
        kind: "script",
        parts,
        run: async ({ log, signal, need, ...paths }) =>
          run({
            ...contextOf<W>(paths, binding),
            log,
            signal,
            need: needing(need) as ScriptGiven<W>["need"],
          }),
      };
    },
  });
}

/** What the function depends on besides what it says. Parameters are read later: some may be declared only after it. */
function codeParts({ values = {}, env = [] }: Said, at: Place): () => Parts {
  const { reach, code, packages = () => ({}), parameters, world = [], warnings = [] } = session();
  const reached = reach?.(at);
  for (const one of reached?.unseen ?? world.map((found) => ({ ...found, at }))) {
    const isSaid = Object.hasOwn(values, one.name) || one.env?.every((name) => env.includes(name));
    if (!isSaid) warnUnseen(warnings, one);
  }
  if (!reached) return () => ({ source: code, ...packages(), ...parameterParts(parameters, "all") });
  return () => ({ ...reached.parts, ...parameterParts(parameters, reached.parameters) });
}

/** Once for each name and place, however many rules a loop declares. */
function warnUnseen(warnings: NonNullable<Session["warnings"]>, unseen: Unseen): void {
  const { name, at } = unseen;
  const known = warnings.some(
    (other) =>
      other.warning === "capture-unseen" &&
      other.name === name &&
      other.at.file === at.file &&
      other.at.line === at.line &&
      other.at.column === at.column,
  );
  if (!known) warnings.push({ warning: "capture-unseen", ...unseen });
}

const parameterParts = (parameters: Session["parameters"], names: readonly string[] | "all"): Parts =>
  Object.fromEntries(
    parameters
      .filter(({ name }) => names === "all" || names.includes(name))
      .map(({ name, value }) => [`parameter.${name}`, digestOf(value)]),
  );

/** A list of its own: a recipe may sort it. */
const quoted = (paths: readonly string[]): string[] => {
  const [only = ""] = paths;
  return paths.length === 1 ? [quotePath(only)] : paths.map(quotePath);
};

function contextOf<W extends string>(
  paths: { readonly inputs: readonly string[]; readonly outputs: readonly string[] },
  binding: Binding,
): RecipeContext<W> {
  const inputs = quoted(paths.inputs);
  const outputs = quoted(paths.outputs);
  return { inputs, input: inputs[0] ?? "", outputs, output: outputs[0] ?? "", params: binding as Values<W> };
}
