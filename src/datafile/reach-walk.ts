// Collects all that one function of the project reaches, from name to name. Knows nothing of how it is written down.
import type { ScriptCall } from "./reach-call.js";
import { capturedBy } from "./reach-capture.js";
import { changersIn, changersOf } from "./reach-change.js";
import { type Effect, Effects, isMutable } from "./reach-effect.js";
import type { Links, Target } from "./reach-link.js";
import { LoadTime } from "./reach-load.js";
import { type ProjectFile, type SourceModule, type Unit, unitAt } from "./reach-module.js";
import { type Mentions, mentionsOf } from "./reach-names.js";

/** What one function reaches. */
export interface Reached {
  /** Each with the statements that change what it declares. */
  readonly units: ReadonlyMap<Unit, ReadonlySet<Unit>>;
  /** Files that are no code, and modules that could not be read as such. */
  readonly files: ReadonlySet<ProjectFile>;
  readonly packages: ReadonlySet<string>;
  /** What names of modules stand for that are from elsewhere, as `lib/clean.ts last`. */
  readonly imports: ReadonlyMap<string, readonly Target[]>;
  readonly parameters: ReadonlySet<string> | "all";
  readonly unseen: ReadonlySet<string>;
  /** Of those that are made of nothing else, the variables of the environment. */
  readonly variables: ReadonlyMap<string, readonly string[]>;
}

/** What is known of units, whoever reaches them. Lives for one compilation. */
export class Surroundings {
  readonly links: Links;
  readonly loadTime: LoadTime;
  readonly #mentions = new Map<Unit, Mentions>();
  readonly #setters = new Map<SourceModule, Map<string, ReadonlySet<Unit>>>();
  readonly #changers = new Map<Unit, Map<string, ReadonlySet<Unit>>>();
  #acting: readonly (readonly [Unit, Effect])[] | undefined;

  constructor(links: Links) {
    this.links = links;
    this.loadTime = new LoadTime(links);
  }

  mentions(unit: Unit): Mentions {
    const known = this.#mentions.get(unit) ?? mentionsOf(unit.path, unit.module, this.links);
    this.#mentions.set(unit, known);
    return known;
  }

  changers(unit: Unit, name: string): ReadonlySet<Unit> {
    const byName = this.#changers.get(unit) ?? new Map<string, ReadonlySet<Unit>>();
    this.#changers.set(unit, byName);
    const known = byName.get(name) ?? changersOf(unit, name, this.links);
    byName.set(name, known);
    return known;
  }

  /** What acts on something while the Datafile is evaluated, wherever in the project. */
  get acting(): readonly (readonly [Unit, Effect])[] {
    this.#acting ??= this.#allActing();
    return this.#acting;
  }

  #allActing(): readonly (readonly [Unit, Effect])[] {
    const effects = new Effects(this.links, (unit) => this.mentions(unit));
    const units = this.links.modules().flatMap((module) => module.units);
    return units.flatMap((unit) => {
      const effect = effects.of(unit);
      return effect ? [[unit, effect] as const] : [];
    });
  }

  /** The units that set up what a module calls something of a package. */
  setters(module: SourceModule, name: string): ReadonlySet<Unit> {
    const setters = this.#setters.get(module) ?? new Map<string, ReadonlySet<Unit>>();
    this.#setters.set(module, setters);
    const known = setters.get(name) ?? changersIn({ module, name }, this.links);
    setters.set(name, known);
    return known;
  }

  /** The variables of the environment that these are made of, where nothing else of the world is in them. */
  variablesOf(units: readonly Unit[]): readonly string[] | undefined {
    const found = units.filter((unit) => this.asksWorld(unit)).map((unit) => this.loadTime.variablesOf(unit));
    return found.every((names) => names !== undefined) ? found.flat() : undefined;
  }

  /** Whether what a unit declares gets its value from the world while the Datafile is evaluated. A function only may, when it runs. */
  asksWorld(unit: Unit): boolean {
    return !unit.path.isFunction() && this.loadTime.asksWorld(unit);
  }
}

/** What the function of a call reaches; nothing where which function that is comes to be at run time. */
export function reachedBy({ module, run }: ScriptCall, around: Surroundings): Reached | undefined {
  const walk = new Walk(around);
  const captured = capturedBy({ path: run, module }, around.links, around.loadTime);
  if (captured.isCode || (!run.isFunction() && captured.unseen.length > 0)) return undefined;
  walk.enter(module);
  walk.follow(mentionsOf(run, module, around.links));
  for (const name of captured.unseen) {
    const variables = captured.variables.get(name);
    const isNew = !walk.unseen.has(name);
    walk.unseen.add(name);
    if (variables && isNew) walk.variables.set(name, variables);
    else walk.variables.delete(name);
  }
  const enclosing = captured.any ? unitAt(module.units, run.node.start ?? -1) : undefined;
  if (enclosing) walk.addUnit(enclosing);
  walk.settle();
  return walk;
}

/** Lives for the walk from one function. Depth is kept on a list, so that no chain of names is too long. */
class Walk implements Reached {
  readonly units = new Map<Unit, Set<Unit>>();
  readonly files = new Set<ProjectFile>();
  readonly packages = new Set<string>();
  readonly imports = new Map<string, readonly Target[]>();
  readonly unseen = new Set<string>();
  readonly variables = new Map<string, readonly string[]>();
  parameters: Set<string> | "all" = new Set();
  readonly #around: Surroundings;
  readonly #entered = new Set<SourceModule>();
  readonly #wholly = new Set<ProjectFile>();
  readonly #named = new Map<Unit, Set<string>>();
  readonly #waiting: Target[] = [];
  #isWorking = false;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  follow({ targets, imports, parameters, unseen }: Mentions): void {
    for (const [name, meant] of imports) this.imports.set(name, meant);
    if (parameters === "all") this.parameters = "all";
    else if (this.parameters !== "all") for (const name of parameters) this.parameters.add(name);
    for (const name of unseen) this.unseen.add(name);
    this.#add(targets);
  }

  /** A module that is reached does what it imports for its effect alone. */
  enter(module: SourceModule): void {
    if (this.#entered.has(module)) return;
    this.#entered.add(module);
    for (const specifier of module.effects) this.#add(this.#around.links.through(module, specifier, "*"));
  }

  /** `used` is what of it, where that is known. */
  addUnit(unit: Unit, used?: { readonly name: string; readonly shown: string }): void {
    if (!this.units.has(unit)) {
      this.units.set(unit, new Set());
      this.enter(unit.module);
      this.follow(this.#around.mentions(unit));
    }
    const named = this.#named.get(unit) ?? new Set();
    if (used === undefined || named.has(used.name)) return;
    this.#named.set(unit, named.add(used.name));
    const changers = this.#around.changers(unit, used.name);
    for (const changer of changers) {
      this.units.get(unit)?.add(changer);
      this.addUnit(changer);
    }
    const makers = [unit, ...changers];
    if (!makers.some((one) => this.#around.asksWorld(one))) return;
    const variables = this.#around.variablesOf(makers);
    // One name may stand for values of several modules, and has one warning.
    const known = this.unseen.has(used.shown) ? this.variables.get(used.shown) : [];
    if (variables && known) this.variables.set(used.shown, [...known, ...variables]);
    else this.variables.delete(used.shown);
    this.unseen.add(used.shown);
  }

  /** What acts on anything that is reached belongs to it, and may reach more. */
  settle(): void {
    let before = -1;
    while (before < this.units.size) {
      before = this.units.size;
      for (const [unit, effect] of this.#around.acting)
        if (!this.units.has(unit) && this.#isMeantBy(effect, unit)) this.addUnit(unit);
    }
  }

  #isMeantBy(effect: Effect, { module }: Unit): boolean {
    if (effect.writesGlobal || (effect.callsWorld && this.#entered.has(module))) return true;
    for (const name of effect.packages) if (this.packages.has(name)) return true;
    for (const one of effect.direct) if (this.units.has(one)) return true;
    for (const one of effect.touched) if (this.units.has(one) && isMutable(one)) return true;
    return false;
  }

  #add(targets: readonly Target[]): void {
    this.#waiting.push(...targets);
    if (this.#isWorking) return;
    this.#isWorking = true;
    for (let target = this.#waiting.pop(); target; target = this.#waiting.pop()) this.#addOne(target);
    this.#isWorking = false;
  }

  #addOne(target: Target): void {
    switch (target.kind) {
      case "unit":
        this.addUnit(target.unit, target);
        break;
      case "file":
        this.#addFile(target.file);
        break;
      case "passed":
        this.enter(target.module);
        break;
      case "tool":
        for (const unit of this.#around.setters(target.module, target.name)) this.addUnit(unit);
        break;
      case "package":
        this.packages.add(target.name);
        break;
      case "dmake":
      case "builtin":
        break;
    }
  }

  #addFile(file: ProjectFile): void {
    if (this.#wholly.has(file)) return;
    this.#wholly.add(file);
    const { links } = this.#around;
    const module = links.moduleOf(file);
    if (module) {
      this.enter(module);
      for (const unit of module.units) {
        this.addUnit(unit);
        for (const name of unit.names) this.addUnit(unit, { name, shown: name });
      }
      for (const found of module.exports.values()) {
        const imported = typeof found === "string" ? module.imports.get(found) : found;
        if (imported) this.#add(links.through(module, imported.specifier, imported.name));
      }
      for (const specifier of module.stars) this.#add(links.through(module, specifier, "*"));
      return;
    }
    this.files.add(file);
    for (const specifier of file.imports.keys()) this.#add(links.from(file, specifier));
  }
}
