// Finds what a piece of syntax mentions: names of the project, parameters, imports at run time. Knows nothing of what follows from it.
import type { Binding, NodePath } from "@babel/traverse";
import { type Links, memberOf, type Target } from "./reach-link.js";
import type { SourceModule } from "./reach-module.js";
import { argumentsOf, calleeOf, chainOf, importedBy, isCall, isMention, textOf, walk } from "./reach-tree.js";

export interface Mentions {
  readonly targets: readonly Target[];
  /** What it takes from elsewhere: the module and its name there, as `lib/clean.ts last`, → what that stands for. */
  readonly imports: ReadonlyMap<string, readonly Target[]>;
  /** Names of functions and blocks, its own among them. */
  readonly inner: readonly Binding[];
  /** Parameters of the Datafile that it asks for. */
  readonly parameters: readonly string[] | "all";
  /** Code that comes to be at run time: `import(…)` and `eval`. */
  readonly unseen: readonly string[];
}

/** Functions of dmake whose arguments make a rule, and nothing that anybody could look at while a recipe runs. */
const declaring = new Set(["download", "parquet", "table", "sql", "sh", "script"]);

/** Which of dmake's functions is called. */
export function dmakeCall(call: NodePath, module: SourceModule, links: Links): string | undefined {
  if (!isCall(call)) return undefined;
  const { root, members } = chainOf(calleeOf(call));
  if (!isMention(root) || members.length > 1) return undefined;
  const reference = links.referenceOf(root, module);
  if (reference.kind !== "top") return undefined;
  const target = reference.targets.find(({ kind }) => kind === "dmake") as
    | { readonly name: string }
    | undefined;
  return target && (members.length === 0 || members[0] === target.name) ? target.name : undefined;
}

export const declaresRule = (call: NodePath, module: SourceModule, links: Links): boolean =>
  declaring.has(dmakeCall(call, module, links) ?? "");

/** All that `root` mentions, but for the arguments of rules that it declares. */
export function mentionsOf(root: NodePath, module: SourceModule, links: Links): Mentions {
  const targets = new Map<string, Target>();
  const imports = new Map<string, readonly Target[]>();
  const inner = new Set<Binding>();
  const unseen = new Set<string>();
  const parameters = new Set<string>();
  let isAll = false;
  const add = (found: readonly Target[]) => {
    for (const target of found) {
      targets.set(keyOf(target), target);
      if (target.kind === "dmake" && (target.name === "param" || target.name === "*")) isAll = true;
    }
  };
  walk(root, (path) => {
    const imported = importedBy(path);
    if (imported === null) unseen.add("import()");
    else if (imported !== undefined) add(links.through(module, imported, "*"));
    const called = dmakeCall(path, module, links);
    if (called !== undefined && declaring.has(called)) return "skip";
    if (called === "param") {
      const name = textOf(argumentsOf(path)[0]);
      if (name === undefined) isAll = true;
      else parameters.add(name);
      return "skip";
    }
    if (!isMention(path) || path.scope.getBinding(path.node.name)?.identifier === path.node) return undefined;
    const reference = links.referenceOf(path, module);
    if (reference.kind === "top") {
      add(reference.targets);
      const imported = module.imports.get(path.node.name);
      const member = imported?.name === "*" ? memberOf(path) : undefined;
      const local = member === undefined ? path.node.name : `${path.node.name}.${member}`;
      if (imported) imports.set(`${module.file.name} ${local}`, reference.targets);
    }
    if (reference.kind === "inner") inner.add(reference.binding);
    if (reference.kind === "global" && reference.name === "eval") {
      unseen.add("eval");
      add([{ kind: "file", file: module.file }]);
    }
    return undefined;
  });
  return {
    targets: [...targets.values()],
    imports,
    inner: [...inner],
    parameters: isAll ? "all" : [...parameters],
    unseen: [...unseen],
  };
}

function keyOf(target: Target): string {
  switch (target.kind) {
    case "unit":
      return `unit ${target.shown} ${target.name} ${target.unit.path.node.start} ${target.unit.module.file.path}`;
    case "file":
      return `file ${target.file.path}`;
    case "passed":
      return `passed ${target.module.file.path}`;
    case "tool":
      return `tool ${target.name} ${target.module.file.path}`;
    case "package":
      return `package ${target.specifier} ${target.imported}`;
    case "builtin":
      return `builtin ${target.module} ${target.name}`;
    case "dmake":
      return `dmake ${target.name}`;
  }
}
