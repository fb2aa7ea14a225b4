// Finds where the text asks for variables of the environment by name. Knows nothing of when that is evaluated.
import type { NodePath } from "@babel/traverse";
import type { Links } from "./reach-link.js";
import type { Piece } from "./reach-load.js";
import { bare, chainOf, isMember, isMention, propertyOf } from "./reach-tree.js";

/** The names in `process.env.TOKEN` and in `{ TOKEN } = process.env`; nothing for any other syntax. */
export function variablesIn({ path, module }: Piece, links: Links): readonly string[] | undefined {
  if (isMember(path)) {
    const name = propertyOf(path);
    const object = bare(path.get("object") as NodePath);
    return name !== undefined && isEnv({ path: object, module }, links) ? [name] : undefined;
  }
  if (!path.isVariableDeclarator()) return undefined;
  const [id, init] = [path.get("id"), path.get("init") as NodePath];
  if (!id.isObjectPattern() || !init.node || !isEnv({ path: init, module }, links)) return undefined;
  const names = id.node.properties.map((one) =>
    one.type === "ObjectProperty" &&
    !one.computed &&
    one.key.type === "Identifier" &&
    one.value.type === "Identifier"
      ? one.key.name
      : undefined,
  );
  return names.every((name) => name !== undefined) ? names : undefined;
}

/** Whether it is `process.env`, however that is imported. */
function isEnv({ path, module }: Piece, links: Links): boolean {
  const { root, members } = chainOf(path);
  if (!isMention(root)) return false;
  const reference = links.referenceOf(root, module);
  if (reference.kind === "global") return reference.name === "process" && members.join(".") === "env";
  if (reference.kind !== "top") return false;
  return reference.targets.some(
    (target) =>
      target.kind === "builtin" &&
      target.module === "process" &&
      (target.name === "env" ? ["", "env"] : ["env"]).includes(members.join(".")),
  );
}
