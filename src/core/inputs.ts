// From declared inputs to names: wildcards filled in, selections listed, globs looked up. Knows nothing of who makes a name.
import { type Failure, fail, ok, type Result } from "./failure.js";
import { bindings, fill } from "./pattern.js";
import type { Binding, InputSpec, Rule } from "./rule.js";
import { pendingOf } from "./rule-set.js";

/** Finds names by globs in the syntax of fast-glob. */
export interface Globs {
  /** The files that are there and fit, sorted; dmake's own are never among them. */
  readonly files: (glob: string) => readonly string[];
  /** Those of some names that fit, in their order. */
  readonly among: (glob: string, names: readonly string[]) => readonly string[];
}

export interface Expanding {
  readonly binding: Binding;
  readonly globs: Globs;
  /** All targets that can be listed. */
  readonly declared: () => readonly string[];
  /** The failure of whoever needs all targets that can be listed below a folder, while one rule's list is not read yet. */
  readonly pending: (folder: string) => Failure | undefined;
  /** The directory that is made whole and that a name is, or lies in. */
  readonly directory: (name: string) => string | undefined;
}

export interface Expanded {
  /** Each once, in order. */
  readonly names: readonly string[];
  /** Those that need not be there. */
  readonly optional: ReadonlySet<string>;
}

/** The names that some declared inputs of a rule stand for. `own` are the outputs of the taker, which no glob gives it. */
export function expandInputs(
  specs: readonly InputSpec[],
  expanding: Expanding,
  taker: { readonly rule: Rule; readonly outputs: readonly string[] },
): Result<Expanded> {
  const only = onlyName(specs, expanding);
  if (only) return ok(only);
  const names = new Set<string>();
  const optional = new Set<string>();
  const required = new Set<string>();
  for (const spec of specs) {
    const found = expandInput(spec, expanding);
    if (!found.ok) return found;
    const given =
      spec.kind === "glob" ? found.value.filter((name) => !taker.outputs.includes(name)) : found.value;
    const problem = spec.kind === "glob" ? globProblem(spec, { expanding, taker, given }) : undefined;
    if (problem) return fail(problem);
    for (const name of given) {
      names.add(name);
      // What a glob has found may be gone when it is looked at: that is for whoever looks.
      (spec.optional ? optional : required).add(name);
    }
  }
  for (const name of required) optional.delete(name);
  return ok({ names: [...names], optional });
}

const none: ReadonlySet<string> = new Set();
const nothing: Expanded = { names: [], optional: none };

/** What most rules of most projects have: nothing, or one name. */
function onlyName(specs: readonly InputSpec[], { binding }: Expanding): Expanded | undefined {
  const [spec, another] = specs;
  if (!spec) return nothing;
  if (another || spec.optional) return undefined;
  if (spec.kind === "pattern") return { names: [fill(spec.pattern, binding)], optional: none };
  if (spec.kind !== "rule") return undefined;
  const [output, other] = spec.rule.outputs;
  return output && !other ? { names: [fill(output, binding)], optional: none } : undefined;
}

function globProblem(
  spec: Extract<InputSpec, { kind: "glob" }>,
  found: {
    readonly expanding: Expanding;
    readonly taker: { readonly rule: Rule; readonly outputs: readonly string[] };
    readonly given: readonly string[];
  },
): Failure | undefined {
  const { expanding, taker, given } = found;
  const glob = globOf(spec, expanding.binding);
  const directory = looksInto(glob, expanding);
  if (directory !== undefined) return intoDirectory(glob, directory, taker.rule);
  return given.length === 0 && !spec.optional ? emptyGlob(glob, taker) : undefined;
}

/** The directory, made whole by a rule, that a glob names a place in. */
function looksInto(glob: string, { directory }: Expanding): string | undefined {
  const base = baseOf(glob);
  return base === "" ? undefined : directory(base);
}

/** The folder that all names lie in that a glob can fit; nothing for the root. */
function baseOf(glob: string): string {
  const folders = glob.split("/").slice(0, -1);
  const magic = folders.findIndex((folder) => /[\\*?[\]{}()!+@|]/.test(folder));
  return folders.slice(0, magic < 0 ? folders.length : magic).join("/");
}

const intoDirectory = (glob: string, directory: string, { at }: Rule): Failure => ({
  reason: "bad-rule",
  problem: `\`${glob}\` looks into \`${directory}\`, which a rule makes whole: what is in it is known only then`,
  at,
  help: `take the directory, as \`"${directory}/"\`, and list what is in it in the recipe`,
});

const emptyGlob = (
  glob: string,
  { rule, outputs }: { readonly rule: Rule; readonly outputs: readonly string[] },
): Failure => ({ reason: "glob-empty", glob, neededBy: outputs[0] ?? "", at: rule.at });

/** The names that one declared input stands for. */
export function expandInput(spec: InputSpec, expanding: Expanding): Result<readonly string[]> {
  const { binding, globs, declared, directory, pending } = expanding;
  switch (spec.kind) {
    case "pattern":
      return ok([fill(spec.pattern, binding)]);
    case "glob": {
      const glob = globOf(spec, binding);
      const unread = pending(baseOf(glob));
      if (unread) return fail(unread);
      // What lies in a directory that a rule makes is there after the first build only: it must not count after the second.
      const files = globs.files(glob).filter((name) => directory(name) === undefined);
      return ok([...new Set([...files, ...globs.among(glob, declared())])].sort());
    }
    case "rule":
      return ok(spec.rule.outputs.map((pattern) => fill(pattern, binding)));
    case "selection":
      return selected(spec, binding);
  }
}

/** A value stands for itself in a glob, whatever it contains. */
const globOf = ({ pattern }: Extract<InputSpec, { kind: "glob" }>, binding: Binding): string =>
  fill(pattern, Object.fromEntries(Object.entries(binding).map(([name, value]) => [name, literally(value)])));

/** fast-glob takes a backslash off a folder's name before only some characters; around the others it needs brackets. */
const literally = (value: string): string =>
  value.replace(/[*?[\]{}()!|]|([+@"\\])/g, (found, other) =>
    other === undefined ? `\\${found}` : other === "\\" ? "[\\\\]" : `[${other}]`,
  );

function selected(
  { rule, picks }: Extract<InputSpec, { kind: "selection" }>,
  binding: Binding,
): Result<readonly string[]> {
  const wildcards = rule.outputs[0]?.wildcards ?? [];
  const pending = pendingOf(
    rule,
    wildcards.filter((name) => !Object.hasOwn(picks, name)),
  );
  if (pending) return fail(pending);
  const narrowed = { ...rule.domains };
  for (const [name, patterns] of Object.entries(picks))
    narrowed[name] = { values: patterns.map((pattern) => fill(pattern, binding)) };
  const all = [...bindings(wildcards, narrowed)];
  return ok(all.flatMap((values) => rule.outputs.map((pattern) => fill(pattern, values))));
}
