// Finds values of the world that a function may take whose code nobody can tell. Knows nothing of which function that is.
import type { NodePath } from "@babel/traverse";
import { iterating } from "./reach-change.js";
import type { Kept } from "./reach-kept.js";
import type { SourceModule, Unit } from "./reach-module.js";
import { calleeOf, callWith, chainOf, walk } from "./reach-tree.js";
import type { Surroundings } from "./reach-walk.js";

/** The names of values that come from the world while the Datafile is evaluated, wherever in the project. */
export function worldIn(modules: readonly SourceModule[], around: Surroundings): Kept["world"] {
  const found = modules.flatMap((module) => [
    ...module.units.filter((unit) => around.asksWorld(unit)).flatMap((unit) => namesOf(unit, around)),
    ...handedOn(module, around).map((name) => ({ name, elsewhere: true as const })),
  ]);
  return found.sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** A statement without a name, as `make(process.env.MODE)`, is called by its first line. */
function namesOf(unit: Unit, around: Surroundings): Kept["world"] {
  const { names, path, module } = unit;
  const variables = around.variablesOf([unit]);
  const env = variables && { env: variables };
  if (names.length > 0) return names.map((name) => ({ name, ...env }));
  if (path.isExpressionStatement()) {
    const expression = path.get("expression");
    const callee = expression.isCallExpression() ? chainOf(calleeOf(expression)).root : undefined;
    if (callee?.isIdentifier({ name: "console" })) return [];
  }
  const text = module.text.slice(path.node.start ?? 0, path.node.end ?? 0);
  const [line = ""] = text.split("\n");
  return [{ name: line.length > 60 ? `${line.slice(0, 59)}…` : line, ...env, elsewhere: true }];
}

/** Values made in functions that are handed on in a closure: `const make = () => { const mode = process.env.MODE; task("a", () => mode); }`. */
function handedOn(module: SourceModule, { loadTime }: Surroundings): readonly string[] {
  const found: string[] = [];
  walk(module.program, (path) => {
    if (!path.isVariableDeclarator() || path.scope === module.scope) return undefined;
    const around = path.getFunctionParent();
    // A function that declares rules seldom waits, and one that waits is mostly a part of a recipe.
    if (around?.node.async || !loadTime.asksWorld({ path, module })) return undefined;
    for (const name of Object.keys(path.getBindingIdentifiers()))
      if (path.scope.getBinding(name)?.referencePaths.some((one) => isHandedOn(one, around)))
        found.push(name);
    return undefined;
  });
  return found;
}

function isHandedOn(mention: NodePath, around: NodePath | null): boolean {
  const closure = mention.getFunctionParent();
  const call = closure && closure.node !== around?.node ? callWith(closure) : undefined;
  return call !== undefined && !iterating.has(chainOf(calleeOf(call)).members.at(-1) ?? "");
}
