// What can be said of a name without reading anything: what its stamps stand for, if it was not touched since. Knows nothing of how stamps come to be.
import type { Digest } from "../core/trace.js";
import type { Seen } from "./file-contents.js";
import { isUntouched, statOf, textOf } from "./file-look.js";
import { digestOfTree, stampOfTree, type Tree, type TreeFile, walk } from "./file-tree.js";
import type { State } from "./state.js";

export type Stamps = State["stamps"];

const nothing: Seen = { kind: "absent" };

export const filesOf = (tree: Tree): TreeFile[] =>
  tree.entries.filter((entry): entry is TreeFile => entry.kind === "file" || entry.kind === "executable");

/** Nothing where it has to be read. Throws what the file system does. */
export function untouched(name: string, stamps: Stamps): Seen | undefined {
  const stats = statOf(name);
  if (!stats) return nothing;
  const stamp = stamps.get(name);
  if (stamp && isUntouched(stats, stamp))
    return { kind: "present", digest: stamp.digest, stamp: textOf(stamp) };
  return stats.isDirectory() ? untouchedTree(name, stamps) : undefined;
}

function untouchedTree(name: string, stamps: Stamps): Seen | undefined {
  const tree = walk(name);
  if (!tree.ok || tree.value.isMoving) return undefined;
  const digests = new Map<string, Digest>();
  for (const { name, stats } of filesOf(tree.value)) {
    const stamp = stamps.get(name);
    if (!stamp || !isUntouched(stats, stamp)) return undefined;
    digests.set(name, stamp.digest);
  }
  return { kind: "present", digest: digestOfTree(tree.value, digests), stamp: stampOfTree(tree.value) };
}
