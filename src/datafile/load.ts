// Loads a Datafile: compiled, evaluated, its exports made into goals. Knows nothing of building them.
import { readFileSync, realpathSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import type { Warning } from "../core/event.js";
import { type Failure, fail, ok, type Place, type Result } from "../core/failure.js";
import { namesOfGoal } from "../core/goals.js";
import type { Rule } from "../core/rule.js";
import { type Forbidden, type RuleSet, ruleSet } from "../core/rule-set.js";
import { similar } from "../core/similar.js";
import type { Spans } from "../core/spans.js";
import { parseTarget } from "../core/target.js";
import type { Parts } from "../core/trace.js";
import { bundle, toolEntry } from "./bundle.js";
import { namesOf, specOf, wildcardsOf } from "./input.js";
import { pendingName } from "./manifest.js";
import { poolSizes } from "./pool.js";
import { installed } from "./reach-package.js";
import { collect, type Parameter, ruleOf, type Session, userPlace } from "./session.js";

export interface Datafile {
  readonly path: string;
  readonly rules: RuleSet;
  /** Exported name → rule. */
  readonly goals: ReadonlyMap<string, Rule>;
  /** The names that a bare `dmake` builds. Looked up only then: a mistake in them is no reason not to build a target. Those whose failure is to be left out are. */
  readonly defaults: (leaveOut?: (failure: Failure) => boolean) => Result<readonly string[]>;
  readonly parameters: readonly Parameter[];
  /** Pool → its places; of all but `cpu`, which has as many as the command line says. */
  readonly pools: ReadonlyMap<string, number>;
  /** What a person should know of it, although it can be used. */
  readonly warnings: readonly Warning[];
}

export interface LoadOptions {
  /** Absolute. */
  readonly path: string;
  /** The folder of dmake's own files, absolute. */
  readonly directory: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Whether the compiled Datafile may be kept; a query keeps nothing. */
  readonly writable: boolean;
  /** The environment that recipes run in; a rule looks at the variables that it lists. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * Name → content of the targets that list values for others. Domains whose list is not among them are `pending`:
   * whoever plans with them is told which target to build, and then loads the Datafile again.
   */
  readonly manifests?: ReadonlyMap<string, string>;
  /** Takes in the values that the Datafile keeps secret, as soon as they are known: an error may hold one. */
  readonly secrets?: Set<string>;
  readonly spans?: Spans;
}

/** Evaluates the Datafile once. Needs source maps to be on, for the places of rules. */
export async function loadDatafile(options: LoadOptions): Promise<Result<Datafile>> {
  const { path, directory, parameters: given, writable, env, manifests = new Map() } = options;
  const { secrets = new Set(), spans } = options;
  const compiling = spans?.begin("compile");
  const bundled = await bundle(path, { cache: join(directory, "cache"), writable });
  compiling?.();
  if (!bundled.ok) return bundled;
  const { code, path: compiled, sources, reach, world, dispose } = bundled.value;
  const root = dirname(path);
  const found = { rules: [], parameters: [], warnings: [], pools: new Map() };
  const packages = versionsOf(bundled.value.packages, root);
  const session: Session = { given, root, code, packages, env, manifests, secrets, reach, world, ...found };
  try {
    const evaluating = spans?.begin("evaluate");
    const evaluated = await collect(session, () => evaluate(compiled));
    evaluating?.();
    if (!evaluated.ok) return evaluated;
    const forbidden = forbiddenIn(root, { sources: [path, ...sources], directory });
    return assemble(path, evaluated.value, { session, forbidden });
  } catch (error) {
    return fail(await thrown(error, { root, sources }));
  } finally {
    dispose();
  }
}

/** Looked up with the first function that needs them, and once. */
function versionsOf(names: readonly string[], root: string): () => Parts {
  let versions: Parts | undefined;
  return () => {
    versions ??= Object.fromEntries(names.map((name) => [`package ${name}`, installed(name, root).version]));
    return versions;
  };
}

let evaluations = 0;

/** The query part keeps two evaluations in one process apart: Node would answer the second from its module cache. */
function evaluate(compiled: string): Promise<Record<string, unknown>> {
  evaluations += 1;
  return import(`${pathToFileURL(compiled).href}?evaluation=${evaluations}`);
}

/** A rule that writes over its own Datafile would be the last that runs. */
function forbiddenIn(
  root: string,
  { sources, directory }: { readonly sources: readonly string[]; readonly directory: string },
): Forbidden {
  // The compiler follows symbolic links, the root among them.
  const roots = [root, realpathSync(root)];
  const code = new Set(roots.flatMap((folder) => sources.map((source) => relative(folder, source))));
  const own = relative(root, directory);
  return (name) => {
    if (code.has(name)) return "which is a part of the Datafile";
    return name === own || name.startsWith(`${own}/`) ? "which is for dmake's own files" : undefined;
  };
}

function assemble(
  path: string,
  exported: Record<string, unknown>,
  { session, forbidden }: { readonly session: Session; readonly forbidden: Forbidden },
): Result<Datafile> {
  const goals = new Map<string, Rule>();
  for (const [name, value] of Object.entries(exported)) {
    const rule = name === "default" ? undefined : ruleOf(value);
    if (!rule) continue;
    (rule as { name: string | undefined }).name ??= name;
    goals.set(name, rule);
  }
  for (const name of Object.keys(session.given))
    if (!session.parameters.some((parameter) => parameter.name === name)) {
      const known = session.parameters.map((parameter) => parameter.name);
      return fail({ reason: "unknown-parameter", name, known });
    }
  const pools = poolSizes(session);
  if (pools.problem) return fail(pools.problem);
  const rules = ruleSet(session.rules, forbidden);
  if (!rules.ok) return rules;
  const defaults: Datafile["defaults"] = (leaveOut) => defaultsOf(exported.default, path, leaveOut);
  const { parameters, warnings = [] } = session;
  return ok({ path, rules: rules.value, goals, defaults, parameters, pools: pools.sizes, warnings });
}

function defaultsOf(
  exported: unknown,
  path: string,
  leaveOut: (failure: Failure) => boolean = () => false,
): Result<readonly string[]> {
  const defaults: string[] = [];
  // What is not read yet can only stand in `where`, and is not looked into here.
  const values = pendingName(exported) === undefined ? [exported ?? []].flat() : [exported];
  for (const value of values) {
    const names = defaultNames(value, path);
    if (!names.ok && leaveOut(names.error)) continue;
    if (!names.ok) return names;
    for (const name of names.value) defaults.push(name);
  }
  return ok(defaults);
}

function defaultNames(value: unknown, path: string): Result<readonly string[]> {
  const spec = specOf(value);
  if (spec?.kind === "rule" && !spec.optional)
    return namesOfGoal(spec.rule.name ?? "the default export", spec.rule);
  if (spec?.kind === "selection" && !spec.optional && wildcardsOf(spec).length === 0) return namesOf(spec);
  const target = typeof value === "string" ? parseTarget(value) : undefined;
  if (target) return target.ok ? ok([target.value.name]) : target;
  const at = { file: path, line: defaultLine(path) };
  if (value instanceof Promise) {
    const problem = "the default export is a promise, which nobody awaits";
    return fail({ reason: "bad-rule", problem, at, help: "await it: `export default await …;`" });
  }
  const problem =
    "the default export names what a bare `dmake` builds: rules, selections of rules, or names of targets";
  return fail({ reason: "bad-rule", problem, at, help: "export default [loaded];" });
}

/** The line of the default export, or the first where it cannot be found. */
function defaultLine(path: string): number {
  const lines = readFileSync(path, "utf8").split("\n");
  const found = lines.findIndex((line) => /^\s*export\s+default\b|^\s*export\b.*\bas\s+default\b/.test(line));
  return Math.max(found, 0) + 1;
}

/** What the Datafile threw while it was evaluated, with the first place on its stack that is the user's. */
async function thrown(
  error: unknown,
  { root, sources }: { readonly root: string; readonly sources: readonly string[] },
): Promise<Failure> {
  const text = error instanceof Error ? error.message : "";
  const missing = /Cannot find (?:package|module) '([^']+)'/.exec(text);
  if (missing) return { reason: "datafile-import", specifier: missing[1] ?? "", message: text };
  const name = /requested module '([^']+)' does not provide an export named '([^']+)'/.exec(text);
  if (name) return missingName(name[1] ?? "", name[2] ?? "", sources);
  const at = error instanceof Error ? userPlace(error, root) : undefined;
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { reason: "datafile-threw", message, ...(at && { at }) };
}

/** The failure of an import whose module is there and does not have the name. */
async function missingName(module: string, name: string, sources: readonly string[]): Promise<Failure> {
  const own = module === toolEntry();
  const specifier = own ? "dmake" : module;
  const suggestions = own ? similar(name, Object.keys(await import(module))) : [];
  const message = `\`${specifier}\` has no \`${name}\``;
  const at = importPlace(specifier, name, sources);
  return { reason: "datafile-import", specifier, message, name, suggestions, ...(at && { at }) };
}

/** Node says which module imports a name, which is the compiled one: the person's is looked for. */
function importPlace(specifier: string, name: string, sources: readonly string[]): Place | undefined {
  for (const file of sources.filter((source) => /\.[cm]?[jt]s$/.test(source))) {
    const text = readFileSync(file, "utf8");
    for (const { 0: statement, 1: from, index } of text.matchAll(
      /\b(?:im|ex)port\b[^;"'`]*\bfrom\s*["']([^"']+)["']/g,
    )) {
      const offset = statement.search(wordOf(name));
      if (from !== specifier || offset < 0) continue;
      const before = text.slice(0, index + offset).split("\n");
      return { file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
    }
  }
  return undefined;
}

const wordOf = (name: string): RegExp => new RegExp(`(?<![\\w$])${name.replaceAll("$", "\\$")}(?![\\w$])`);
