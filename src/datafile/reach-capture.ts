// Judges names that a function takes from the functions and blocks around it: whether their value can be told from the text. Knows nothing of imports.
import type { Binding, NodePath } from "@babel/traverse";
import { changesOf } from "./reach-change.js";
import type { Links } from "./reach-link.js";
import type { LoadTime, Piece } from "./reach-load.js";
import { dmakeCall, mentionsOf } from "./reach-names.js";
import { argumentsOf, calleeOf, callWith, isCall, isInside, isMember, walk, wrapped } from "./reach-tree.js";

export interface Captured {
  /** Whether it takes anything from around it. */
  readonly any: boolean;
  /** The names whose value comes to be at run time. */
  readonly unseen: readonly string[];
  /** Of those that are made of nothing else, the variables of the environment. */
  readonly variables: ReadonlyMap<string, readonly string[]>;
  /** Whether one of those is called, so that what the function does is not in its text. */
  readonly isCode: boolean;
}

/** What `root` takes from around it, and what that is made from in turn. */
export function capturedBy({ path: root, module }: Piece, links: Links, loadTime: LoadTime): Captured {
  const outside = (path: NodePath) =>
    mentionsOf(path, module, links).inner.filter(
      (one) => !isInside(one.path, path) && !isInside(one.path, root),
    );
  const queue = outside(root);
  const seen = new Set<Binding>();
  const unseen = new Set(takesThis(root) ? ["this"] : []);
  const variables = new Map<string, readonly string[]>();
  const any = queue.length > 0 || unseen.size > 0;
  let isCode = false;
  for (let binding = queue.pop(); binding; binding = queue.pop()) {
    if (seen.has(binding)) continue;
    seen.add(binding);
    const sources = sourcesOf(binding, { path: root, module }, links);
    // A function asks the world when the recipe calls it, if at all.
    const asking =
      sources?.filter((path) => !path.isFunction() && loadTime.asksWorld({ path, module })) ?? [];
    if (!sources || asking.length > 0) {
      const found = asking.map((path) => loadTime.variablesOf({ path, module }));
      if (asking.length > 0 && found.every((names) => names !== undefined))
        variables.set(binding.identifier.name, found.flat());
      unseen.add(binding.identifier.name);
      isCode ||= binding.referencePaths.some((path) => wrapped(path).key === "callee");
    } else for (const path of sources) queue.push(...outside(path));
  }
  return { any, unseen: [...unseen], variables, isCode };
}

/** What a value is made from; nothing where that cannot be told. */
function sourcesOf(
  binding: Binding,
  { path: root, module }: Piece,
  links: Links,
): readonly NodePath[] | undefined {
  const changed = [...changesOf(binding, module, { links, seen: new Set() })].flatMap((change) => {
    if (isInside(change, root)) return [];
    return [change.parentPath?.isAssignmentExpression() ? change.parentPath : change];
  });
  const { path } = binding;
  if (binding.kind === "param")
    return parameterSources(binding, (call) => dmakeCall(call, module, links) !== undefined);
  if (!path.isVariableDeclarator()) return path.isCatchClause() ? undefined : [path, ...changed];
  const loop = path.parentPath.parentPath;
  if (loop?.isForXStatement() && path.parentPath.key === "left")
    return loop.isForOfStatement() && loop.node.await ? undefined : [loop.get("right"), ...changed];
  return [path, ...changed];
}

/** A parameter of a function that is written right where it is used has what the call around it gives it. */
function parameterSources(
  binding: Binding,
  isOurs: (call: NodePath) => boolean,
): readonly NodePath[] | undefined {
  const written = binding.scope.path;
  if (!written.isFunction()) return undefined;
  const outer = wrapped(written);
  const called =
    outer.key === "callee" && outer.parentPath && isCall(outer.parentPath) ? outer.parentPath : undefined;
  if (called) return argumentsOf(called);
  const call = callWith(written);
  if (!call || isOurs(call)) return undefined;
  const callee = calleeOf(call);
  const others = argumentsOf(call).filter(({ node }) => node !== outer.node);
  return [isMember(callee) ? (callee.get("object") as NodePath) : callee, ...others];
}

/** Whether `this` in it is that of a function around it. */
function takesThis(root: NodePath): boolean {
  if (root.isFunction() && !root.isArrowFunctionExpression()) return false;
  const around = root.findParent(
    (path) =>
      (path.isFunction() && !path.isArrowFunctionExpression()) ||
      path.isClassProperty() ||
      path.isStaticBlock(),
  );
  if (!around) return false;
  let found = false;
  walk(root, (path) => {
    if ((path.isFunction() && !path.isArrowFunctionExpression()) || path.isClass()) return "skip";
    if (!path.isThisExpression()) return undefined;
    found = true;
    return "stop";
  });
  return found;
}
