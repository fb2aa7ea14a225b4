// Loads a Datafile: compiled, evaluated, its exports made into goals. Knows nothing of building them.
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Failure, fail, ok, type Place, type Result } from "../core/failure.js";
import { namesOfGoal } from "../core/goals.js";
import { expandInput, type RuleSet, ruleSet } from "../core/graph.js";
import type { InputSpec, Rule } from "../core/rule.js";
import { parseTarget } from "../core/target.js";
import { bundle, toolEntry } from "./bundle.js";
import { specOf } from "./declare.js";
import { collect, type Parameter, placeOf, ruleOf, type Session } from "./session.js";

export interface Datafile {
  readonly path: string;
  readonly rules: RuleSet;
  /** Exported name → rule. */
  readonly goals: ReadonlyMap<string, Rule>;
  /** The names that a bare `dmake` builds. */
  readonly defaults: readonly string[];
  readonly parameters: readonly Parameter[];
}

export interface LoadOptions {
  /** Absolute. */
  readonly path: string;
  /** The folder of dmake's own files, absolute. */
  readonly directory: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Whether the compiled Datafile may be kept; a query keeps nothing. */
  readonly writable: boolean;
}

/** Evaluates the Datafile once. Needs source maps to be on, for the places of rules. */
export async function loadDatafile(options: LoadOptions): Promise<Result<Datafile>> {
  const { path, directory, parameters: given, writable } = options;
  const bundled = await bundle(path, { cache: join(directory, "cache"), writable });
  if (!bundled.ok) return bundled;
  const { code, path: compiled, dispose } = bundled.value;
  const session: Session = { given, code, rules: [], parameters: [] };
  try {
    const evaluated = await collect(session, () => evaluate(compiled));
    if (!evaluated.ok) return evaluated;
    return assemble(path, evaluated.value, session);
  } catch (error) {
    return fail(thrown(error, dirname(path)));
  } finally {
    dispose();
  }
}

let evaluations = 0;

/** The query part keeps two evaluations in one process apart: Node would answer the second from its module cache. */
function evaluate(compiled: string): Promise<Record<string, unknown>> {
  evaluations += 1;
  return import(`${pathToFileURL(compiled).href}?evaluation=${evaluations}`);
}

function assemble(path: string, exported: Record<string, unknown>, session: Session): Result<Datafile> {
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
  const rules = ruleSet(session.rules);
  if (!rules.ok) return rules;
  const defaults: string[] = [];
  for (const value of [exported.default ?? []].flat()) {
    const names = defaultNames(value, path);
    if (!names.ok) return names;
    defaults.push(...names.value);
  }
  return ok({ path, rules: rules.value, goals, defaults, parameters: session.parameters });
}

function defaultNames(value: unknown, path: string): Result<readonly string[]> {
  const spec = specOf(value);
  if (spec?.kind === "rule") return namesOfGoal(spec.rule.name ?? "the default export", spec.rule);
  if (spec && !hasWildcards(spec)) return ok(expandInput(spec, {}));
  const target = typeof value === "string" ? parseTarget(value) : undefined;
  if (target) return target.ok ? ok([target.value.name]) : target;
  const problem =
    "the default export names what a bare `dmake` builds: rules, selections of rules, or names of targets";
  return fail({ reason: "bad-rule", problem, at: { file: path, line: 1 }, help: "export default [loaded];" });
}

/** Whether a selection needs values that only a rule that takes it could give. */
const hasWildcards = (spec: InputSpec): boolean =>
  spec.kind === "selection" &&
  Object.values(spec.picks)
    .flat()
    .some(({ wildcards }) => wildcards.length > 0);

/** What the Datafile threw while it was evaluated, with the first place on its stack that is the user's. */
function thrown(error: unknown, root: string): Failure {
  const text = error instanceof Error ? error.message : "";
  const missing = /Cannot find (?:package|module) '([^']+)'/.exec(text);
  if (missing) return { reason: "datafile-import", specifier: missing[1] ?? "", message: text };
  const name = /requested module '([^']+)' does not provide an export named '([^']+)'/.exec(text);
  if (name) {
    const specifier = name[1] === toolEntry() ? "dmake" : (name[1] ?? "");
    return { reason: "datafile-import", specifier, message: `\`${specifier}\` has no \`${name[2]}\`` };
  }
  const at = error instanceof Error ? userPlace(error, root) : undefined;
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { reason: "datafile-threw", message, ...(at && { at }) };
}

/** The first frame of a stack that lies in the project and not in its packages. */
function userPlace(error: Error, root: string): Place | undefined {
  for (const frame of error.stack?.split("\n").slice(1) ?? []) {
    const place = placeOf(frame);
    if (!place?.file.startsWith(`${root}/`) || place.file.includes("/node_modules/")) continue;
    if (basename(place.file) !== "datafile.mjs") return place;
  }
  return undefined;
}
