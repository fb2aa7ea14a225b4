// Finds the statements that change a value after its declaration: `n += 1`, `list.push(…)`, a loop that fills an array. Knows nothing of recipes.
import type { Binding, NodePath } from "@babel/traverse";
import { type Importer, type Links, memberOf } from "./reach-link.js";
import { type SourceModule, type Unit, unitAt } from "./reach-module.js";
import { declaresRule } from "./reach-names.js";
import {
  argumentsOf,
  calleeOf,
  callWith,
  chainOf,
  isCall,
  isInside,
  isMember,
  isMention,
  propertyOf,
  wrapped,
} from "./reach-tree.js";

/** Methods that change what they are called on, whoever uses their answer. */
export const changing = new Set(
  "push pop shift unshift splice sort reverse fill copyWithin set add delete clear append".split(" "),
);

/** Methods that hand their elements to a function. */
export const iterating = new Set(
  "forEach map flatMap filter find findIndex findLast findLastIndex some every reduce reduceRight replace replaceAll sort toSorted then".split(
    " ",
  ),
);

/** Functions of the language that only look at what they are given. Whatever else is called for its effect may change it. */
export const looking = new Set(
  "console JSON Math Number String Boolean BigInt Symbol Date RegExp Set Map Array Promise Error structuredClone parseInt parseFloat isNaN isFinite encodeURIComponent encodeURI".split(
    " ",
  ),
);

const objectChanges = new Set(
  "assign defineProperty defineProperties setPrototypeOf set deleteProperty".split(" "),
);

/** The units besides its own that change what `name` of a module's top level stands for, while the Datafile is evaluated. */
export function changersOf(unit: Unit, name: string, links: Links): ReadonlySet<Unit> {
  const changers = new Set<Unit>();
  const places = [{ module: unit.module, name }, ...links.importersOf(unit)];
  for (const place of places) for (const found of changersIn(place, links)) changers.add(found);
  changers.delete(unit);
  return changers;
}

/** The units of one module that change what a local name stands for, an import's among them. */
export function changersIn(place: Importer, links: Links): ReadonlySet<Unit> {
  const changers = new Set<Unit>();
  const { module } = place;
  const search: Search<Binding> = { links, seen: new Set() };
  const changes = [
    ...(module.scope.bindings[place.name]?.constantViolations ?? []),
    ...mentionsAt(place).flatMap((path) => [...changesBy(path, module, search)]),
  ];
  for (const path of changes)
    for (const changer of runnersOf(path, module, { links, seen: new Set() })) changers.add(changer);
  return changers;
}

/** Where a module mentions it. */
const mentionsAt = ({ module, name, member }: Importer): readonly NodePath[] =>
  (module.scope.bindings[name]?.referencePaths ?? []).filter(
    (path) => member === undefined || memberOf(path) === member,
  );

interface Search<T> {
  readonly links: Links;
  readonly seen: Set<T>;
}

/** The units that reach `path` while the Datafile is evaluated: its own, or those that call the function it is in. */
function* runnersOf(path: NodePath, module: SourceModule, search: Search<Unit>): Generator<Unit> {
  const unit = unitAt(module.units, path.node.start ?? -1);
  if (!unit || isInRule(path, module, search.links)) return;
  const within = path.findParent((parent) => parent.isFunction());
  const isDeclared = within !== null && isInside(within, unit.path) && unit.names.length > 0;
  if (!isDeclared) {
    yield unit;
    return;
  }
  if (search.seen.has(unit)) return;
  search.seen.add(unit);
  // A function that runs where it is written, as `const all = list.map((x) => …)`, is the unit's own doing.
  if (!unit.path.isFunction() && !isFunctionValue(unit.path)) yield unit;
  for (const name of unit.names)
    for (const place of [{ module, name }, ...search.links.importersOf(unit)])
      for (const mention of mentionsAt(place))
        if (!isInside(mention, unit.path)) yield* runnersOf(mention, place.module, search);
}

const isFunctionValue = (path: NodePath): boolean =>
  path.isVariableDeclarator() && (path.get("init") as NodePath).isFunction();

const isInRule = (path: NodePath, module: SourceModule, links: Links): boolean =>
  path.findParent((parent) => declaresRule(parent, module, links)) !== null;

/** The places where the value of a binding, or something in it, is changed. */
export function* changesOf(
  binding: Binding,
  module: SourceModule,
  search: Search<Binding>,
): Generator<NodePath> {
  if (search.seen.has(binding)) return;
  search.seen.add(binding);
  yield* binding.constantViolations;
  for (const path of binding.referencePaths) yield* changesBy(path, module, search);
}

function* changesBy(mention: NodePath, module: SourceModule, search: Search<Binding>): Generator<NodePath> {
  let path = wrapped(mention);
  while (path.parentPath && isMember(path.parentPath) && path.key === "object")
    path = wrapped(path.parentPath);
  const { parentPath: parent } = path;
  if (!parent) return;
  if (isWritten(path)) yield path;
  else if (isCall(parent) && path.key === "callee") yield* changesByMethod(parent, module, search);
  else if (callWith(path)) yield* changesByArgument(path, module, search);
  else for (const alias of aliasesOf(path, module)) if (alias) yield* changesOf(alias, module, search);
}

/** Whether it is assigned to, counted up or deleted. */
function isWritten(path: NodePath): boolean {
  const { parentPath: parent, key } = path;
  if (!parent) return false;
  if (parent.isUpdateExpression() || parent.isUnaryExpression({ operator: "delete" })) return true;
  if (parent.isAssignmentExpression() || parent.isForXStatement()) return key === "left";
  const isPattern =
    parent.isArrayPattern() ||
    parent.isRestElement() ||
    parent.isObjectPattern() ||
    (parent.isAssignmentPattern() && key === "left") ||
    (parent.isObjectProperty() && key === "value" && parent.parentPath.isObjectPattern());
  return isPattern && isWritten(parent.isObjectProperty() ? (parent.parentPath as NodePath) : parent);
}

/** Other names for it, or for what is in it: `const same = list`, `for (const one of list)`. */
function aliasesOf(path: NodePath, module: SourceModule): readonly (Binding | undefined)[] {
  const { parentPath: parent, key } = path;
  const scopeOf = (node: NodePath) => (name: string) =>
    node.scope.getBinding(name) ?? module.scope.bindings[name];
  if (parent?.isVariableDeclarator() && key === "init")
    return Object.keys(parent.getBindingIdentifiers()).map(scopeOf(parent));
  if (!parent?.isForOfStatement() || key !== "right") return [];
  const left = parent.get("left");
  return left.isVariableDeclaration() ? Object.keys(left.getBindingIdentifiers()).map(scopeOf(left)) : [];
}

function* changesByMethod(
  call: NodePath,
  module: SourceModule,
  search: Search<Binding>,
): Generator<NodePath> {
  const callee = calleeOf(call);
  if (!isMember(callee)) return;
  const method = propertyOf(callee) ?? "";
  if (changing.has(method)) yield call;
  else if (iterating.has(method)) {
    const callback = argumentsOf(call)[0];
    if (callback?.isFunction()) yield* changesOfParameter(callback, 0, { module, search });
  } else if (isForEffect(call) && !isOnlyLookedAt(callee)) yield call;
}

const isOnlyLookedAt = (callee: NodePath): boolean => {
  const { root } = chainOf(callee);
  return root.isIdentifier() && looking.has(root.node.name);
};

function* changesByArgument(
  path: NodePath,
  module: SourceModule,
  search: Search<Binding>,
): Generator<NodePath> {
  const call = callWith(path);
  if (!call || declaresRule(call, module, search.links)) return;
  const { root, members } = chainOf(calleeOf(call));
  const index = argumentsOf(call).findIndex(({ node }) => node === path.node);
  if (root.isIdentifier() && /^(Object|Reflect)$/.test(root.node.name)) {
    if (index === 0 && objectChanges.has(members[0] ?? "")) yield call;
    return;
  }
  const callees = isMention(root) && members.length === 0 ? functionsOf(root, module, search.links) : [];
  for (const found of callees)
    for (const _ of changesOfParameter(found.path, index, { module: found.module, search })) {
      yield call;
      return;
    }
  if (callees.length === 0 && isForEffect(call) && !isOnlyLookedAt(calleeOf(call))) yield call;
}

/** The functions of the project that a name stands for. */
function functionsOf(
  path: NodePath,
  module: SourceModule,
  links: Links,
): readonly { readonly path: NodePath; readonly module: SourceModule }[] {
  if (!isMention(path)) return [];
  const reference = links.referenceOf(path, module);
  const found =
    reference.kind === "inner"
      ? [{ path: reference.binding.path, module }]
      : reference.kind === "top"
        ? reference.targets.flatMap((target) =>
            target.kind === "unit" ? [{ path: target.unit.path, module: target.unit.module }] : [],
          )
        : [];
  return found.flatMap((one) => {
    const value = one.path.isVariableDeclarator() ? (one.path.get("init") as NodePath) : one.path;
    return value.isFunction() ? [{ path: value, module: one.module }] : [];
  });
}

function* changesOfParameter(
  callee: NodePath,
  index: number,
  { module, search }: { readonly module: SourceModule; readonly search: Search<Binding> },
): Generator<NodePath> {
  const parameter = ([callee.get("params")].flat() as NodePath[])[index];
  for (const name of Object.keys(parameter?.getBindingIdentifiers() ?? {})) {
    const binding = callee.scope.getOwnBinding(name);
    if (binding) yield* changesOf(binding, module, search);
  }
}

/** Whether nobody looks at what it answers, so that it can only be there for what it does. */
function isForEffect(call: NodePath): boolean {
  let path = wrapped(call);
  while (
    path.parentPath &&
    (isMember(path.parentPath) || isCall(path.parentPath)) &&
    /^(object|callee)$/.test(String(path.key))
  )
    path = wrapped(path.parentPath);
  if (path.parentPath?.isAwaitExpression() || path.parentPath?.isUnaryExpression({ operator: "void" }))
    path = path.parentPath;
  return path.parentPath?.isExpressionStatement() ?? false;
}
