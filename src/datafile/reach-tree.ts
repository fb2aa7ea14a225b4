// Walks the syntax of a module as far as it does something when it runs, which types do not. Knows nothing of modules or of what a name stands for.
import type { NodePath } from "@babel/traverse";
import type { Identifier, Node } from "@babel/types";

/** Syntax of TypeScript that is more than a type. Everything else whose name begins with `TS` is erased. */
const alive = new Set([
  "TSAsExpression",
  "TSEnumBody",
  "TSEnumDeclaration",
  "TSEnumMember",
  "TSExportAssignment",
  "TSExternalModuleReference",
  "TSImportEqualsDeclaration",
  "TSInstantiationExpression",
  "TSModuleBlock",
  "TSModuleDeclaration",
  "TSNonNullExpression",
  "TSParameterProperty",
  "TSQualifiedName",
  "TSSatisfiesExpression",
  "TSTypeAssertion",
]);

const wrappers = new Set([
  "ParenthesizedExpression",
  "TSAsExpression",
  "TSInstantiationExpression",
  "TSNonNullExpression",
  "TSSatisfiesExpression",
  "TSTypeAssertion",
]);

/** Whether the compiler erases it. */
export const isErased = (node: Node): boolean =>
  (node.type.startsWith("TS") && !alive.has(node.type)) || ("declare" in node && node.declare === true);

/** Visits `root` and all below that is not erased. `skip` leaves out what is below, `stop` ends the walk. */
export function walk(root: NodePath, visit: (path: NodePath) => "skip" | "stop" | undefined): void {
  // Where nothing stands, as after `let n`, there is nothing to visit.
  if (!root.node || isErased(root.node) || visit(root) !== undefined) return;
  root.traverse({
    enter(path) {
      const answer = isErased(path.node) ? "skip" : visit(path);
      if (answer === "stop") path.stop();
      else if (answer === "skip") path.skip();
    },
  });
}

/** Whether a visit of `root` and what is below finds what `test` looks for. `skip` leaves out what is below. */
export function finds(root: NodePath, test: (path: NodePath) => boolean | "skip"): boolean {
  let found = false;
  walk(root, (path) => {
    const answer = test(path);
    if (answer === true) found = true;
    return answer === true ? "stop" : answer === "skip" ? "skip" : undefined;
  });
  return found;
}

/** Whether it stands for a value, and not for the name of a property, a label or an export. */
export function isMention(path: NodePath): path is NodePath<Identifier> {
  if (!path.isIdentifier()) return false;
  const { parent, key } = path;
  switch (parent.type) {
    case "MemberExpression":
    case "OptionalMemberExpression":
      return key === "object" || parent.computed;
    case "ObjectProperty":
    case "ObjectMethod":
    case "ClassMethod":
    case "ClassProperty":
    case "ClassAccessorProperty":
      return key !== "key" || parent.computed === true;
    case "TSEnumMember":
      return key === "initializer";
    case "TSImportEqualsDeclaration":
      return key === "moduleReference";
    case "TSQualifiedName":
      return key === "left";
    case "PrivateName":
    case "LabeledStatement":
    case "BreakStatement":
    case "ContinueStatement":
    case "MetaProperty":
    case "ImportSpecifier":
    case "ImportDefaultSpecifier":
    case "ImportNamespaceSpecifier":
    case "ExportSpecifier":
    case "ImportAttribute":
      return false;
    default:
      return true;
  }
}

/** The expression without the brackets and casts around it. */
export function bare(path: NodePath): NodePath {
  let inner = path;
  while (wrappers.has(inner.node?.type)) inner = inner.get("expression") as NodePath;
  return inner;
}

/** The expression with the brackets and casts around it. */
export function wrapped(path: NodePath): NodePath {
  let outer = path;
  while (outer.parentPath && wrappers.has(outer.parent.type)) outer = outer.parentPath;
  return outer;
}

export const isCall = (path: NodePath): boolean =>
  path.isCallExpression() || path.isOptionalCallExpression() || path.isNewExpression();

export const isMember = (path: NodePath): boolean =>
  path.isMemberExpression() || path.isOptionalMemberExpression();

/** The name of the property of `a.name` and `a["name"]`. */
export function propertyOf(path: NodePath): string | undefined {
  const property = path.get("property") as NodePath;
  if (!(path.node as { computed?: boolean }).computed)
    return property.isIdentifier() ? property.node.name : undefined;
  return textOf(property);
}

/** The value of a literal text. */
export function textOf(path: NodePath | undefined): string | undefined {
  if (path?.isStringLiteral()) return path.node.value;
  if (!path?.isTemplateLiteral() || path.node.expressions.length > 0) return undefined;
  return path.node.quasis[0]?.value.cooked ?? undefined;
}

/** What `a.b.c` begins with, and the properties that follow: `a`, `["b", "c"]`. A computed one is `undefined`. */
export function chainOf(path: NodePath): {
  readonly root: NodePath;
  readonly members: readonly (string | undefined)[];
} {
  const members: (string | undefined)[] = [];
  let root = bare(path);
  while (isMember(root)) {
    members.unshift(propertyOf(root));
    root = bare(root.get("object") as NodePath);
  }
  return { root, members };
}

export const argumentsOf = (call: NodePath): readonly NodePath[] =>
  [call.get("arguments")].flat() as NodePath[];

export const calleeOf = (call: NodePath): NodePath => bare(call.get("callee") as NodePath);

/** The call that `path`, or what wraps it, is an argument of. */
export function callWith(path: NodePath): NodePath | undefined {
  const outer = wrapped(path);
  const call = outer.parentPath;
  return call && outer.listKey === "arguments" && isCall(call) ? call : undefined;
}

/** What a literal `import("…")` or `require("…")` names. Nothing for any other call; `null` where it is no literal. */
export function importedBy(path: NodePath): string | null | undefined {
  if (path.isImportExpression()) return textOf(path.get("source")) ?? null;
  if (!path.isCallExpression()) return undefined;
  const callee = calleeOf(path);
  const isRequire = callee.isIdentifier({ name: "require" }) && !callee.scope.hasBinding("require", true);
  return callee.isImport() || isRequire ? (textOf(argumentsOf(path)[0]) ?? null) : undefined;
}

/** Where its text begins: decorators stand before a class. */
export function startOf(node: Node): number {
  const decorators = "decorators" in node ? (node.decorators ?? []) : [];
  return Math.min(...[node, ...decorators].map(({ start }) => start ?? 0));
}

export const isInside = (path: NodePath, outer: NodePath): boolean =>
  path.find(({ node }) => node === outer.node) !== null;
