// Follows a name through imports and exports to what it stands for in the end. Knows nothing of functions, texts or fingerprints.
import { isBuiltin } from "node:module";
import type { Binding, NodePath } from "@babel/traverse";
import type { Identifier } from "@babel/types";
import type { ProjectFile, SourceModule, Unit } from "./reach-module.js";
import { isMember, propertyOf, wrapped } from "./reach-tree.js";

/** What a name stands for. */
export type Target =
  /** `name` is that in its own module, `shown` the one that a person sees where it is used. */
  | { readonly kind: "unit"; readonly unit: Unit; readonly name: string; readonly shown: string }
  /** All of a file of the project: another use of a namespace than `lib.tidy`, or a file that is no code. */
  | { readonly kind: "file"; readonly file: ProjectFile }
  /** A module was passed on the way: what it does for its effect alone counts, and nothing else of it. */
  | { readonly kind: "passed"; readonly module: SourceModule }
  /** `specifier` is its name and what follows it in the import, `imported` what is taken of that: `*` for all. */
  | {
      readonly kind: "package";
      readonly name: string;
      readonly specifier: string;
      readonly imported: string;
    }
  /** What a module calls something of a package: its statements may set that up, as `dayjs.extend(utc)`. */
  | { readonly kind: "tool"; readonly module: SourceModule; readonly name: string }
  | { readonly kind: "builtin"; readonly module: string; readonly name: string }
  | { readonly kind: "dmake"; readonly name: string };

/** What an identifier refers to, as far as its own module says. */
export type Reference =
  | { readonly kind: "top"; readonly targets: readonly Target[] }
  | { readonly kind: "inner"; readonly binding: Binding }
  | { readonly kind: "global"; readonly name: string };

/** A module, and what it calls something of another one: `name`, or `name.member` of a namespace. */
export interface Importer {
  readonly module: SourceModule;
  readonly name: string;
  readonly member?: string;
}

/** All files of a project, and what the names in them stand for. Reads a module when first asked for it. Lives for one compilation. */
export class Links {
  readonly #files: ReadonlyMap<string, ProjectFile>;
  readonly #read: (file: ProjectFile) => SourceModule | undefined;
  readonly #modules = new Map<ProjectFile, SourceModule | undefined>();
  readonly #known = new Map<string, readonly Target[]>();
  readonly #importers = new Map<ProjectFile, ReadonlyMap<Unit, readonly Importer[]>>();
  #turns: ReadonlyMap<ProjectFile, number> | undefined;

  constructor(files: readonly ProjectFile[], read: (file: ProjectFile) => SourceModule | undefined) {
    this.#files = new Map(files.map((file) => [file.path, file]));
    this.#read = read;
  }

  moduleOf(file: ProjectFile): SourceModule | undefined {
    if (!this.#modules.has(file)) this.#modules.set(file, this.#read(file));
    return this.#modules.get(file);
  }

  /** All that could be read. */
  modules(): readonly SourceModule[] {
    return [...this.#files.values()].flatMap((file) => this.moduleOf(file) ?? []);
  }

  /** These files, and all that import them in one step or more. */
  upstream(files: Iterable<ProjectFile>): ReadonlySet<ProjectFile> {
    const found = new Set(files);
    // A set that grows while it is walked is walked to its end.
    for (const { path } of found)
      for (const file of this.#files.values()) if ([...file.imports.values()].includes(path)) found.add(file);
    return found;
  }

  /** All packages that anything of the project imports. */
  packages(): ReadonlySet<string> {
    const specifiers = [...this.#files.values()].flatMap(({ imports }) => [...imports.values()]);
    const targets = specifiers.filter((one) => one !== "dmake").flatMap((one) => externalTargets(one, "*"));
    return new Set(targets.flatMap((target) => (target.kind === "package" ? [target.name] : [])));
  }

  /** When a file is evaluated, compared with others: what it imports comes first, in the order of its imports. */
  turnOf(file: ProjectFile): number {
    this.#turns ??= turnsOf(this.#files);
    return this.#turns.get(file) ?? 0;
  }

  /** All of what a file imports that could not be read as a module. */
  from(file: ProjectFile, specifier: string): readonly Target[] {
    const found = file.imports.get(specifier) ?? specifier;
    const next = this.#files.get(found);
    return next ? [{ kind: "file", file: next }] : externalTargets(found, "*");
  }

  referenceOf(path: NodePath<Identifier>, module: SourceModule): Reference {
    const { name } = path.node;
    const binding = path.scope.getBinding(name);
    if (binding && binding.scope !== module.scope) return { kind: "inner", binding };
    if (module.imports.has(name) || module.names.has(name))
      return { kind: "top", targets: this.targetsOf(module, name, memberOf(path)) };
    return { kind: "global", name };
  }

  /** What a name of a module's top level stands for; `member` is what is taken of it, where that can be told. */
  targetsOf(module: SourceModule, name: string, member?: string): readonly Target[] {
    const imported = module.imports.get(name);
    if (!imported)
      return (module.names.get(name) ?? []).map((unit) => ({ kind: "unit", unit, name, shown: name }));
    const wanted = imported.name === "*" ? (member ?? "*") : imported.name;
    return this.through(module, imported.specifier, wanted).flatMap((target): readonly Target[] => {
      if (target.kind === "package") return [target, { kind: "tool", module, name }];
      return [target.kind === "unit" && target.name === "default" ? { ...target, shown: name } : target];
    });
  }

  /** What `name` of the module that `specifier` stands for is. */
  through(module: SourceModule, specifier: string, name: string): readonly Target[] {
    const key = JSON.stringify([module.file.path, specifier, name]);
    const known = this.#known.get(key) ?? this.#through(module, { specifier, name }, new Set()) ?? [];
    this.#known.set(key, known);
    return known;
  }

  /** Nothing where a module of the project does not have the name, or only itself in a circle. */
  #through(
    module: SourceModule,
    { specifier, name }: { readonly specifier: string; readonly name: string },
    seen: Set<string>,
  ): readonly Target[] | undefined {
    if (specifier === "dmake") return [{ kind: "dmake", name }];
    const found = module.file.imports.get(specifier) ?? specifier;
    const file = this.#files.get(found);
    if (!file) return externalTargets(found, name);
    const next = this.moduleOf(file);
    if (!next || name === "*") return [{ kind: "file", file }];
    const key = `${name} ${found}`;
    if (seen.has(key)) return undefined;
    seen.add(key);
    const exported = this.#exported(next, name, seen);
    if (exported) return [{ kind: "passed", module: next }, ...exported];
    // A CommonJS module says nowhere what it exports. What a star looks for is elsewhere.
    return seen.size === 1 ? [{ kind: "file", file }] : undefined;
  }

  #exported(module: SourceModule, name: string, seen: Set<string>): readonly Target[] | undefined {
    const found = module.exports.get(name);
    const imported = typeof found === "string" ? module.imports.get(found) : found;
    if (imported) return this.#through(module, imported, seen);
    if (found !== undefined) return this.targetsOf(module, found as string);
    if (name === "default") return undefined;
    const stars = module.stars.flatMap((specifier) => {
      const targets = this.#through(module, { specifier, name }, seen);
      return targets ? [{ targets, isOurs: this.#files.has(module.file.imports.get(specifier) ?? "") }] : [];
    });
    // A package may have any name: it is meant where no module of the project has this one.
    const meant = stars.some(({ isOurs }) => isOurs) ? stars.filter(({ isOurs }) => isOurs) : stars;
    return meant.length > 0 ? meant.flatMap(({ targets }) => targets) : undefined;
  }

  /** Under which names other modules import a unit. */
  importersOf(unit: Unit): readonly Importer[] {
    const { file } = unit.module;
    const importers = this.#importers.get(file) ?? this.#importersOfAll(file);
    this.#importers.set(file, importers);
    return importers.get(unit) ?? [];
  }

  #importersOfAll(file: ProjectFile): ReadonlyMap<Unit, readonly Importer[]> {
    const importers = new Map<Unit, readonly Importer[]>();
    const upstream = this.upstream([file]);
    for (const other of upstream) {
      const module = this.moduleOf(other);
      for (const [name, { specifier, name: wanted }] of module?.imports ?? []) {
        const from = this.#files.get(other.imports.get(specifier) ?? "");
        if (!module || !from || !upstream.has(from)) continue;
        const members = wanted === "*" ? [...(this.moduleOf(from)?.exports.keys() ?? [])] : [undefined];
        for (const member of members)
          for (const target of this.targetsOf(module, name, member))
            if (target.kind === "unit")
              importers.set(target.unit, [
                ...(importers.get(target.unit) ?? []),
                { module, name, ...(member !== undefined && { member }) },
              ]);
      }
    }
    return importers;
  }
}

function turnsOf(files: ReadonlyMap<string, ProjectFile>): ReadonlyMap<ProjectFile, number> {
  const turns = new Map<ProjectFile, number>();
  const entered = new Set<ProjectFile>();
  const enter = (file: ProjectFile): void => {
    if (entered.has(file)) return;
    entered.add(file);
    for (const path of file.imports.values()) {
      const next = files.get(path);
      if (next) enter(next);
    }
    turns.set(file, turns.size);
  };
  const imported = new Set([...files.values()].flatMap(({ imports }) => [...imports.values()]));
  for (const file of files.values()) if (!imported.has(file.path)) enter(file);
  for (const file of files.values()) enter(file);
  return turns;
}

/** `tidy` in `lib.tidy`, which is all that is then used of a namespace. */
export function memberOf(path: NodePath): string | undefined {
  const outer = wrapped(path);
  const member = outer.parentPath;
  return member && isMember(member) && outer.key === "object" ? propertyOf(member) : undefined;
}

function externalTargets(specifier: string, name: string): readonly Target[] {
  if (isBuiltin(specifier)) return [{ kind: "builtin", module: specifier.replace(/^node:/, ""), name }];
  if (/^([./]|[a-z]+:)/i.test(specifier)) return [];
  const [scope = "", second = ""] = specifier.split("/");
  const pack = specifier.startsWith("@") ? `${scope}/${second}` : scope;
  return [{ kind: "package", name: pack, specifier, imported: name }];
}
