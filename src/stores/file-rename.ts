// Gives staged outputs their names, all or none, and takes the names back. Knows nothing of records, or of whose files make way.
import { linkSync, lstatSync, renameSync, rmSync, type Stats } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { ok, type Result } from "../core/failure.js";
import { syncFolder } from "./file-sync.js";
import { temporariesOf, temporaryPath } from "./file-temporary.js";
import { guarded, guardedSync } from "./io-failure.js";

/** What one attempt publishes together. */
export interface Group {
  readonly outputs: readonly string[];
  readonly attempt: string;
}

/** Outputs that were not there before: taken back, they go. */
export type Fresh = Set<string>;

/** What a file system answers that has no links. */
const cannotLink: readonly unknown[] = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"];

/**
 * Gives what is staged its names. A file takes a name from a file in one step, so that there is no moment without it.
 * A directory cannot: the old one leaves its name right before, and between the two renames nothing is there. A kill
 * right then is made good by the next start.
 *
 * The old files of a group stay as links, `.old`, and so do old directories, so that all can be taken back should one
 * be refused; where files cannot be linked, those that have their names by then keep them. Answers what stays so, to be
 * removed once the record is written. `again`: some may have their names since before a kill.
 */
export async function giveNames(
  group: Group,
  { fresh, again }: { readonly fresh: Fresh; readonly again: boolean },
): Promise<Result<readonly string[]>> {
  const { outputs, attempt } = group;
  const asides: string[] = [];
  for (const output of outputs) {
    const [staged, aside] = [temporaryPath(output, attempt, "tmp"), temporaryPath(output, attempt, "old")];
    const given = guardedSync("publish", output, () => {
      const next = at(staged);
      if (!next && again) return;
      const old = at(output);
      if (old && makeWay({ output, aside, isLast: outputs.length === 1 }, old, next)) asides.push(aside);
      if (!old) fresh.add(output);
      renameSync(staged, output);
    });
    if (!given.ok) return given;
  }
  const synced = await syncFolders(outputs);
  return synced.ok ? ok(asides) : synced;
}

/** Answers whether the old one can be found under its other name. */
function makeWay(
  { output, aside, isLast }: { readonly output: string; readonly aside: string; readonly isLast: boolean },
  old: Stats,
  next: Stats | undefined,
): boolean {
  if (old.isDirectory() || next?.isDirectory()) {
    // Of a kill; what has the name now was put there since, by dmake or with dmake's content: all else is saved by now.
    rmSync(aside, { recursive: true, force: true });
    renameSync(output, aside);
    return true;
  }
  // One rename is done or not, and has nothing to take back.
  return !isLast && link(output, aside);
}

function link(output: string, aside: string): boolean {
  try {
    linkSync(output, aside);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Since before a kill.
    if (code === "EEXIST") return true;
    if (cannotLink.includes(code)) return false;
    throw error;
  }
}

/** Puts back what made way. What is taken back is where it was staged, or gone. Does what is left to do if it is done again. */
export async function takeBack({ outputs, attempt }: Group, fresh: Fresh): Promise<Result<void>> {
  for (const output of [...outputs].reverse()) {
    const [staged, aside] = [temporaryPath(output, attempt, "tmp"), temporaryPath(output, attempt, "old")];
    const back = guardedSync("take back", output, () => {
      const [old, now] = [at(aside), at(output)];
      if (!old) {
        if (now && fresh.has(output)) renameSync(output, staged);
        return;
      }
      if (now && (now.isDirectory() || old.isDirectory())) renameSync(output, staged);
      renameSync(aside, output);
      // Two links of one file stay two: such a rename does nothing.
      rmSync(aside, { force: true });
    });
    if (!back.ok) return back;
  }
  return syncFolders(outputs);
}

async function syncFolders(outputs: readonly string[]): Promise<Result<void>> {
  for (const folder of new Set(outputs.map((output) => dirname(output)))) {
    const synced = await guarded("sync", folder, () => syncFolder(folder));
    if (!synced.ok) return synced;
  }
  return ok(undefined);
}

const at = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false });

/** Leaves nothing of an attempt beside its outputs. What cannot be removed now is swept when they are made again. */
export async function removeTemporaries({ outputs, attempt }: Group): Promise<Result<void>> {
  return removeAll(temporariesOf(outputs, attempt));
}

export async function removeAll(paths: readonly string[]): Promise<Result<void>> {
  for (const path of paths) {
    const removed = await guarded("remove", path, () => rm(path, { recursive: true, force: true }));
    if (!removed.ok) return removed;
  }
  return ok(undefined);
}
