// Collects all that one function of the project reaches, from name to name. Knows nothing of how it is written down.
import type { ScriptCall } from "./reach-call.js";
import { capturedBy } from "./reach-capture.js";
import { changersIn, changersOf } from "./reach-change.js";
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
  readonly parameters: ReadonlySet<string> | "all";
  readonly unseen: ReadonlySet<string>;
}

/** What is known of units, whoever reaches them. Lives for one compilation. */
export class Surroundings {
  readonly links: Links;
  readonly loadTime: LoadTime;
  readonly #mentions = new Map<Unit, Mentions>();
  readonly #setters = new Map<SourceModule, Map<string, ReadonlySet<Unit>>>();
  readonly #changers = new Map<Unit, Map<string, ReadonlySet<Unit>>>();

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

  /** The units that set up what a module calls something of a package. */
  setters(module: SourceModule, name: string): ReadonlySet<Unit> {
    const setters = this.#setters.get(module) ?? new Map<string, ReadonlySet<Unit>>();
    this.#setters.set(module, setters);
    const known = setters.get(name) ?? changersIn({ module, name }, this.links);
    setters.set(name, known);
    return known;
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
  for (const name of captured.unseen) walk.unseen.add(name);
  const enclosing = captured.any ? unitAt(module.units, run.node.start ?? -1) : undefined;
  if (enclosing) walk.addUnit(enclosing);
  return walk;
}

/** Lives for the walk from one function. Depth is kept on a list, so that no chain of names is too long. */
class Walk implements Reached {
  readonly units = new Map<Unit, Set<Unit>>();
  readonly files = new Set<ProjectFile>();
  readonly packages = new Set<string>();
  readonly unseen = new Set<string>();
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

  follow({ targets, parameters, unseen }: Mentions): void {
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
    if ([unit, ...changers].some((one) => this.#around.asksWorld(one))) this.unseen.add(used.shown);
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
