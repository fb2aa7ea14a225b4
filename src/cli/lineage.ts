// Which steps' recipes have started this dmake, told from one to the next by the environment. Knows nothing of building.
import { digestOf } from "../core/fingerprint.js";
import { type Lineage, marks } from "../engine/ports.js";

/** Names may hold anything, and the same name in another project is another step. */
const markOf = (root: string, step: string): string => digestOf(`${root}\0${step}`).slice(7, 23);

/** `root` is the project's, absolute. */
export function lineageOf(env: NodeJS.ProcessEnv, root: string): Lineage {
  const above = (env[marks.lineage] ?? "").split("/").filter(Boolean);
  return {
    has: (step) => above.length > 0 && above.includes(markOf(root, step)),
    with: (step) => [...above, markOf(root, step)].join("/"),
  };
}
