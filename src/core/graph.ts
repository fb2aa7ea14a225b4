// From rules and wanted names to the steps that make them, in order. Knows nothing of what exists, of freshness or of running.
import { type Failure, fail, ok, type Place, type Result } from "./failure.js";
import { fill } from "./pattern.js";
import type { Step } from "./rule.js";
import { forbiddenOutput, type RuleSet } from "./rule-set.js";
import { instantiate, type Project, projectOf, type Surroundings } from "./step.js";
import { folderOf, foldersAbove } from "./target.js";

/** Steps with inputs before users, and the names that no rule makes. */
export interface Graph {
  readonly steps: readonly Step[];
  /** Output name → the step that makes it; also the name of an input that lies in a directory that a step makes. */
  readonly makers: ReadonlyMap<string, Step>;
  /** Name that must be there → the first step that reads it, or nothing if the command line asked for it. */
  readonly sources: ReadonlyMap<string, Step | undefined>;
  /** Where the rule is declared that makes a name, or the directory that it lies in; nothing for a source. */
  placeOf(name: string): Place | undefined;
  /** Adds what more names need, for `user`. Answers the new steps, inputs before users; on failure nothing is added. */
  grow(names: readonly string[], user?: Step): Result<readonly Step[]>;
}

const nothing = (): Found => ({ makers: new Map(), sources: new Map(), folders: new Map() });

/** Collects the steps that the wanted names need. */
export function graphOf(
  rules: RuleSet,
  wanted: readonly string[],
  surroundings: Surroundings,
): Result<Graph> {
  const project = projectOf(rules, surroundings);
  const first = new Growth(nothing(), project);
  for (const name of wanted) {
    const added = first.add(name, undefined);
    if (!added.ok) return added;
  }
  const { steps, found } = first;
  const grow: Graph["grow"] = (names, user) => {
    const growth = new Growth(found, project);
    for (const name of names) {
      const added = growth.add(name, user);
      if (!added.ok) return added;
    }
    for (const step of growth.steps) steps.push(step);
    growth.settle();
    return ok(growth.steps);
  };
  const placeOf: Graph["placeOf"] = (name) => {
    const maker = rules.find(name);
    if (maker.ok && maker.value) return maker.value.rule.at;
    const container = project.around(name);
    return container?.pattern.directory ? container.rule.at : undefined;
  };
  return ok({ steps, makers: found.makers, sources: found.sources, grow, placeOf });
}

interface Found {
  readonly makers: Map<string, Step>;
  readonly sources: Map<string, Step | undefined>;
  /** Folder → a step that makes something in it, at any depth. */
  readonly folders: Map<string, Step>;
}

interface Visit {
  readonly step: Step;
  readonly needs: readonly string[];
  next: number;
}

/**
 * What some names add to a graph. Depth first with a stack of its own: a chain of 10 000 steps overflows the call stack
 * of Node. Lives for one call of `grow`, and leaves the graph alone until it is settled.
 */
class Growth {
  readonly steps: Step[] = [];
  readonly #old: Found;
  readonly #new: Found = nothing();
  readonly #project: Project;
  readonly #open = new Set<Step>();
  readonly #stack: Visit[] = [];

  constructor(old: Found, project: Project) {
    this.#old = old;
    this.#project = project;
  }

  /** What was found besides what was there. */
  get found(): Found {
    return this.#new;
  }

  settle(): void {
    for (const [name, step] of this.#new.makers) this.#old.makers.set(name, step);
    for (const [name, user] of this.#new.sources) this.#old.sources.set(name, user);
    for (const [folder, step] of this.#new.folders) this.#old.folders.set(folder, step);
  }

  /** Adds a name and all that it needs. */
  add(name: string, user: Step | undefined): Result<void> {
    const entered = this.#enter(name, user);
    if (!entered.ok) return entered;
    const stack = this.#stack;
    for (let visit = stack.at(-1); visit; visit = stack.at(-1)) {
      const need = visit.needs[visit.next];
      visit.next += 1;
      if (need === undefined) {
        stack.pop();
        this.#open.delete(visit.step);
        this.steps.push(visit.step);
        continue;
      }
      const deeper = this.#enter(need, visit.step);
      if (!deeper.ok) return deeper;
    }
    return ok(undefined);
  }

  #enter(name: string, user: Step | undefined): Result<void> {
    const known = this.#old.makers.get(name) ?? this.#new.makers.get(name);
    if (known) return this.#open.has(known) ? fail(this.#cycle(known)) : ok(undefined);
    const { rules, around } = this.#project;
    const found = rules.find(name);
    if (!found.ok) return found;
    if (!found.value) {
      const container = around(name);
      return container?.pattern.directory
        ? this.#enterInside(name, container.name, user)
        : this.#source(name, user);
    }
    if (user && name.length > longestName) return fail(endless(name, user));
    const { rule, binding } = found.value;
    const step = instantiate(rule, binding, this.#project);
    if (!step.ok) return step;
    const problem = this.#problemOf(step.value);
    if (problem) return fail(problem);
    for (const output of step.value.outputs) {
      this.#new.makers.set(output, step.value);
      if (!this.#isKnown(folderOf(output)))
        for (const folder of foldersAbove(output)) this.#new.folders.set(folder, step.value);
    }
    this.#open.add(step.value);
    const { inputs, uses, after } = step.value;
    const needs = uses.length + after.length === 0 ? inputs : [...inputs, ...uses, ...after];
    this.#stack.push({ step: step.value, needs, next: 0 });
    return ok(undefined);
  }

  /** Whether something is made in a folder already: it and those above it were held against the sources then. */
  #isKnown(folder: string | undefined): boolean {
    return folder === undefined || this.#new.folders.has(folder) || this.#old.folders.has(folder);
  }

  /** A file in a directory that is made whole is there once the directory is. */
  #enterInside(name: string, directory: string, user: Step | undefined): Result<void> {
    const entered = this.#enter(directory, user);
    const maker = this.#new.makers.get(directory) ?? this.#old.makers.get(directory);
    if (entered.ok && maker) this.#new.makers.set(name, maker);
    return entered;
  }

  /** A folder that a rule makes something in is no source: what it holds would change with every build. */
  #source(name: string, user: Step | undefined): Result<void> {
    const inside = this.#new.folders.get(name) ?? this.#old.folders.get(name);
    if (inside) return fail(folderOfTargets(name, { user, inside }));
    if (!user?.optional.has(name) && !this.#old.sources.has(name) && !this.#new.sources.has(name))
      this.#new.sources.set(name, user);
    return ok(undefined);
  }

  #problemOf(step: Step): Failure | undefined {
    const { rule, outputs } = step;
    const { rules, around } = this.#project;
    const forbidden = forbiddenOutput(outputs, { rule, forbidden: rules.forbidden });
    if (forbidden) return forbidden;
    const other = otherMaker(step, rules);
    if (!other.ok) return other.error;
    for (const output of outputs) {
      const outer = around(output);
      if (outer)
        return { reason: "overlap", output, inside: outer.name, first: outer.rule.at, second: rule.at };
      if (this.#isKnown(folderOf(output))) continue;
      for (const folder of foldersAbove(output)) {
        const sources = [this.#new.sources, this.#old.sources].find((names) => names.has(folder));
        if (sources) return folderOfTargets(folder, { user: sources.get(folder), inside: step });
      }
    }
    return undefined;
  }

  #cycle(again: Step): Failure {
    const from = this.#stack.findIndex(({ step }) => step === again);
    const path = [...this.#stack.slice(from).map(({ step }) => step.id), again.id];
    return { reason: "cycle", path, at: again.rule.at };
  }
}

/** No file system takes a longer path. A pattern rule that feeds itself (`{x}` from `{x}.gz`) gets here in a moment. */
const longestName = 4096;

const endless = (name: string, user: Step) =>
  ({
    reason: "bad-rule",
    problem: `its input fits a pattern that needs ever longer names, as \`${name.slice(0, 60)}…\``,
    at: user.rule.at,
    help: "give the target literal text, a folder for instance, that its input does not have",
  }) as const;

function folderOfTargets(
  folder: string,
  { user, inside }: { readonly user: Step | undefined; readonly inside: Step },
): Failure {
  const problem = `\`${folder}\` is a folder in which rules make files, as \`${inside.id}\``;
  if (!user) return { reason: "usage", message: problem, help: "name a file in it, or a goal" };
  const help = `name them, or write glob("${folder}/*")`;
  return { reason: "bad-rule", problem: `its input ${problem}`, at: user.rule.at, help };
}

/** Of outputs that are made together, each must be this step's alone, whichever of them was asked for first. */
function otherMaker({ rule, binding, outputs }: Step, rules: RuleSet): Result<void> {
  if (outputs.length === 1) return ok(undefined);
  for (const output of outputs) {
    const found = rules.find(output);
    if (!found.ok) return found;
    const maker = found.value;
    const mine =
      maker?.rule === rule &&
      rule.outputs.every((pattern) => fill(pattern, maker.binding) === fill(pattern, binding));
    if (!mine)
      return fail({ reason: "two-producers", output, first: rule.at, second: maker?.rule.at ?? rule.at });
  }
  return ok(undefined);
}
