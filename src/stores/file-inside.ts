// Sees to it that no link leads an output out of the project. Knows nothing of what is written there.
import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, resolve, sep } from "node:path";
import { fail, ok, type Result } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import { guardedSync } from "./io-failure.js";

/** As many as Linux follows. */
const mostLinks = 40;

/**
 * Whether the folders of all outputs lie in the project, all links followed. What the Datafile writes out, before the
 * first wildcard, may lead elsewhere: a folder that is a link to a larger disk is its owner's will, and a wildcard whose
 * value is the name of some link is not.
 *
 * To be asked before anything is made there, and again right before outputs get their names: links can be made
 * meanwhile. Never from memory: 10 µs for a folder with a wildcard in it, and nothing for any other.
 */
export function checkInside({ rule, outputs }: Pick<Step, "rule" | "outputs">): Result<void> {
  for (const [i, output] of outputs.entries()) {
    const [folder, literal] = [folderOf(output), folderOf(rule.outputs[i]?.literals[0] ?? "")];
    if (folder === literal) continue;
    const inside = guardedSync("look at", output, () => isIn(realOf(folder), [".", literal]));
    if (!inside.ok) return inside;
    if (!inside.value) return fail({ reason: "outside-root", path: output, at: rule.at });
  }
  return ok(undefined);
}

/** The same of what will be written through: an output that is itself a link may not leave the project at all. */
export function checkThrough({ rule, outputs }: Pick<Step, "rule" | "outputs">): Result<void> {
  for (const output of outputs) {
    const inside = guardedSync("look at", output, () => {
      const end = endOf(output);
      return end === output || isIn(realOf(end), ["."]);
    });
    if (!inside.ok) return inside;
    if (!inside.value) return fail({ reason: "outside-root", path: output, at: rule.at });
  }
  return checkInside({ rule, outputs });
}

/** A record is a text that anybody may have written: what it names outside the project is not dmake's to touch. */
export const isInProject = (name: string, directory: string): boolean =>
  name !== "" &&
  !isAbsolute(name) &&
  !name.split("/").includes("..") &&
  !`${name}/`.startsWith(`${directory}/`);

const folderOf = (name: string): string => name.slice(0, Math.max(0, name.lastIndexOf("/")));

function isIn(real: string, folders: readonly string[]): boolean {
  return folders.some((folder) => {
    const root = realOf(folder);
    return real === root || real.startsWith(root.endsWith(sep) ? root : root + sep);
  });
}

/** Where a path is in truth; of one that is not there yet, where the nearest folder above it is. */
function realOf(path: string): string {
  for (let at = path === "" ? "." : path; ; at = dirname(at)) {
    try {
      return realpathSync.native(at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || dirname(at) === at) throw error;
    }
  }
}

/** What a name stands for in the end, be it there or not. */
function endOf(name: string): string {
  let at = name;
  for (let links = 0; lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink(); links += 1) {
    if (links === mostLinks) throw Object.assign(new Error("links in a circle"), { code: "ELOOP" });
    at = resolve(realOf(dirname(at)), readlinkSync(at));
  }
  return at;
}
