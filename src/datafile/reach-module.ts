// Reads one module of the project: what it declares and does at its top, imports and exports. Knows nothing of other modules.
import type { parse as Parse } from "@babel/parser";
import type { NodePath, Scope, TraverseOptions } from "@babel/traverse";
import type { ImportDeclaration, Node, Program } from "@babel/types";
import { isErased } from "./reach-tree.js";

/** A file of the project as it was compiled. */
export interface ProjectFile {
  /** Relative to the project's root, as `lib/clean.ts`. */
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly digest: string;
  /** Of code only. */
  readonly text?: string;
  /** What is written in an import → the absolute path of a file of the project, or the package or built-in module that it is. */
  readonly imports: ReadonlyMap<string, string>;
}

/** One thing at the top of a module: a function, a class, one declarator of a `const`, or a statement that declares nothing. */
export interface Unit {
  readonly module: SourceModule;
  readonly path: NodePath;
  /** What it declares; `default` for a default export without a name. */
  readonly names: readonly string[];
  /** Stands before its text: `const ` for a declarator. */
  readonly head: string;
}

/** `name` of the module that `specifier` stands for; `*` for all of it. */
export interface Imported {
  readonly specifier: string;
  readonly name: string;
}

export interface SourceModule {
  readonly file: ProjectFile;
  readonly text: string;
  readonly scope: Scope;
  readonly program: NodePath<Program>;
  readonly units: readonly Unit[];
  /** Declared name → what declares it: more than one where TypeScript merges declarations. */
  readonly names: ReadonlyMap<string, readonly Unit[]>;
  /** Local name → where it is from. */
  readonly imports: ReadonlyMap<string, Imported>;
  /** Exported name → a local name, or where it is from. */
  readonly exports: ReadonlyMap<string, string | Imported>;
  /** What `export * from` names. */
  readonly stars: readonly string[];
  /** What is imported for its effect alone. */
  readonly effects: readonly string[];
  /** Begin and end of each comment, in order. */
  readonly comments: readonly (readonly [start: number, end: number])[];
}

/** Babel, loaded only when something has to be compiled. */
export interface Babel {
  readonly parse: typeof Parse;
  readonly traverse: (parent: Node, options: TraverseOptions) => void;
}

export async function loadBabel(): Promise<Babel> {
  const [{ parse }, traverse] = await Promise.all([import("@babel/parser"), import("@babel/traverse")]);
  // A CommonJS module: its function is the default export of the default export.
  const found = traverse.default as unknown as Babel["traverse"] | { readonly default: Babel["traverse"] };
  return { parse, traverse: typeof found === "function" ? found : found.default };
}

/** The module, or nothing where Babel cannot parse it: there is syntax that only the compiler knows, as JSX here. */
export function readModule(file: ProjectFile, babel: Babel): SourceModule | undefined {
  const { text } = file;
  if (text === undefined || !/\.[cm]?[jt]s$/.test(file.name)) return undefined;
  let program: NodePath<Program> | undefined;
  let comments: SourceModule["comments"];
  try {
    const tree = babel.parse(text, {
      sourceType: "module",
      // What is wrong with the meaning the compiler has judged already.
      errorRecovery: true,
      allowReturnOutsideFunction: true,
      plugins: [
        "decorators",
        "decoratorAutoAccessors",
        ...(/ts$/.test(file.name) ? ["typescript" as const] : []),
      ],
    });
    comments = (tree.comments ?? []).map(({ start, end }) => [start ?? 0, end ?? 0]);
    babel.traverse(tree, {
      Program(path) {
        program = path;
        path.stop();
      },
    });
  } catch {
    return undefined;
  }
  return program && moduleOf(program, { file, text, comments });
}

function moduleOf(
  program: NodePath<Program>,
  known: Pick<SourceModule, "file" | "text" | "comments">,
): SourceModule {
  const reading = new Reading();
  for (const statement of program.get("body")) reading.statement(statement);
  const units = reading.found.map((one) => ({
    ...one,
    get module() {
      return module;
    },
  }));
  const module: SourceModule = {
    ...known,
    program,
    scope: program.scope,
    units,
    names: namesOf(units, program.scope),
    imports: reading.imports,
    exports: reading.exports,
    stars: reading.stars,
    effects: reading.effects,
  };
  return module;
}

/** A `var` of a block belongs to the statement that it stands in. */
function namesOf(units: readonly Unit[], scope: Scope): Map<string, readonly Unit[]> {
  const names = new Map<string, readonly Unit[]>();
  for (const unit of units)
    for (const name of unit.names) names.set(name, [...(names.get(name) ?? []), unit]);
  for (const [name, { kind, identifier }] of Object.entries(scope.bindings)) {
    const unit = kind !== "module" && !names.has(name) && unitAt(units, identifier.start ?? -1);
    if (unit) names.set(name, [unit]);
  }
  return names;
}

export const unitAt = (units: readonly Unit[], offset: number): Unit | undefined =>
  units.find(({ path: { node } }) => (node.start ?? 0) <= offset && offset < (node.end ?? 0));

/** What has been read of one module so far. */
class Reading {
  readonly found: Omit<Unit, "module">[] = [];
  readonly imports = new Map<string, Imported>();
  readonly exports = new Map<string, string | Imported>();
  readonly stars: string[] = [];
  readonly effects: string[] = [];

  statement(path: NodePath): void {
    if (isErased(path.node)) return;
    if (path.isImportDeclaration()) this.#import(path.node);
    else if (path.isExportAllDeclaration()) {
      if (path.node.exportKind !== "type") this.stars.push(path.node.source.value);
    } else if (path.isExportNamedDeclaration()) this.#exportNamed(path);
    else if (path.isExportDefaultDeclaration()) this.#exportDefault(path);
    else this.#declare(path);
  }

  #import({ importKind, source, specifiers }: ImportDeclaration): void {
    if (importKind === "type") return;
    if (specifiers.length === 0) this.effects.push(source.value);
    for (const one of specifiers) {
      if (one.type === "ImportSpecifier" && one.importKind === "type") continue;
      const name =
        one.type === "ImportSpecifier"
          ? nameOf(one.imported)
          : one.type === "ImportDefaultSpecifier"
            ? "default"
            : "*";
      this.imports.set(one.local.name, { specifier: source.value, name });
    }
  }

  #exportNamed(path: NodePath): void {
    if (!path.isExportNamedDeclaration() || path.node.exportKind === "type") return;
    const { source, specifiers } = path.node;
    for (const one of specifiers) {
      if (one.type === "ExportSpecifier" && one.exportKind === "type") continue;
      const exported = nameOf(one.exported);
      if (one.type === "ExportDefaultSpecifier") continue;
      const name = one.type === "ExportNamespaceSpecifier" ? "*" : one.local.name;
      // `export { "any text" as x } from` has a literal for its local name, which Babel types as an identifier.
      const local = name ?? nameOf((one as { local: Node }).local);
      this.exports.set(exported, source ? { specifier: source.value, name: local } : local);
    }
    const declaration = path.get("declaration") as NodePath;
    if (!declaration.node || isErased(declaration.node)) return;
    const before = this.found.length;
    this.#declare(declaration);
    for (const name of this.found.slice(before).flatMap(({ names }) => names)) this.exports.set(name, name);
  }

  #exportDefault(path: NodePath): void {
    const declaration = path.get("declaration") as NodePath;
    if (isErased(declaration.node)) return;
    const id = (declaration.node as { id?: { name: string } | null }).id?.name;
    const isDeclaration = declaration.isFunctionDeclaration() || declaration.isClassDeclaration();
    if (declaration.isIdentifier()) this.exports.set("default", declaration.node.name);
    else if (isDeclaration && id) {
      this.exports.set("default", id);
      this.#declare(declaration);
    } else {
      this.exports.set("default", "default");
      this.found.push({ path: declaration, names: ["default"], head: "export default " });
    }
  }

  #declare(path: NodePath): void {
    if (path.isVariableDeclaration())
      for (const one of path.get("declarations"))
        this.found.push({
          path: one,
          names: declaredIn(one),
          head: `${path.node.kind} `,
        });
    else if (
      path.isTSImportEqualsDeclaration() &&
      path.node.moduleReference.type === "TSExternalModuleReference"
    ) {
      if (path.node.importKind !== "type")
        this.imports.set(path.node.id.name, {
          specifier: path.node.moduleReference.expression.value,
          name: "*",
        });
    } else this.found.push({ path, names: declaredBy(path.node), head: "" });
  }
}

function declaredBy(node: Node): readonly string[] {
  switch (node.type) {
    case "FunctionDeclaration":
    case "ClassDeclaration":
    case "TSEnumDeclaration":
    case "TSModuleDeclaration":
    case "TSImportEqualsDeclaration":
      return node.id?.type === "Identifier" ? [node.id.name] : [];
    default:
      return [];
  }
}

/** The names of a declarator, in the order of the text. */
const declaredIn = (path: NodePath): readonly string[] =>
  Object.values(path.getBindingIdentifiers())
    .sort((one, other) => (one.start ?? 0) - (other.start ?? 0))
    .map(({ name }) => name);

const nameOf = (node: Node): string =>
  node.type === "Identifier" ? node.name : node.type === "StringLiteral" ? node.value : "";
