// Finds the calls of `script` in a module, with the place that a stack names for each. Knows nothing of what they reach.
import type { NodePath } from "@babel/traverse";
import type { Links } from "./reach-link.js";
import type { SourceModule } from "./reach-module.js";
import { mentionsOf } from "./reach-names.js";
import { argumentsOf, bare, calleeOf, chainOf, isMember, isMention, walk } from "./reach-tree.js";

export interface ScriptCall {
  readonly module: SourceModule;
  /** The argument that is the function. */
  readonly run: NodePath;
  /** The offset in the module's text that V8 says such a call is at. */
  readonly offset: number;
}

/** All calls of what is, or may be, dmake's `script`. */
export function scriptCalls(module: SourceModule, links: Links): readonly ScriptCall[] {
  const calls: ScriptCall[] = [];
  walk(module.program, (path) => {
    if (!path.isCallExpression() && !path.isOptionalCallExpression()) return undefined;
    const given = argumentsOf(path).slice(0, 3);
    const [, , run] = given;
    if (!run || given.some((one) => one.isSpreadElement()) || run.isLiteral()) return undefined;
    const callee = calleeOf(path);
    if (!mayBeScript(callee, module, links)) return undefined;
    // V8 names the place of the last property: `script` in `dmake.script(…)`.
    const named = isMember(callee) ? (callee.get("property") as NodePath) : callee;
    calls.push({ module, run: bare(run), offset: named.node.start ?? 0 });
    return undefined;
  });
  return calls;
}

function mayBeScript(callee: NodePath, module: SourceModule, links: Links): boolean {
  const { root, members } = chainOf(callee);
  if (!isMention(root)) return members.at(-1) === "script";
  const reference = links.referenceOf(root, module);
  const last = members.at(-1);
  switch (reference.kind) {
    case "global":
      return false;
    case "inner":
      return last === "script" || (members.length === 0 && mayHold(reference.binding.path, module, links));
    case "top":
      return reference.targets.some((target) => {
        // The arguments of `script.call(…)` are others.
        if (target.kind === "dmake") return (last ?? target.name) === "script";
        if (target.kind !== "unit") return false;
        return (
          last === "script" || (members.length === 0 && mayHold(target.unit.path, target.unit.module, links))
        );
      });
  }
}

/** Whether a variable could hold `script`: a parameter could hold anything. */
function mayHold(path: NodePath, module: SourceModule, links: Links): boolean {
  if (path.isFunctionDeclaration() || path.isClassDeclaration()) return false;
  if (!path.isVariableDeclarator()) return true;
  const value = path.get("init") as NodePath;
  if (!value.node || value.isFunction()) return false;
  return mentionsOf(value, module, links).targets.some(
    (target) => target.kind === "dmake" && (target.name === "script" || target.name === "*"),
  );
}
