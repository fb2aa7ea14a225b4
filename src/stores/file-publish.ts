// Puts what a recipe made in its place: checked, on the disk, whole. Knows nothing of records, or of whose files it replaces.
import { lstatSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import type { Stage } from "../engine/ports.js";
import { sync, syncTree } from "./file-sync.js";
import { temporaryPath } from "./file-temporary.js";
import { guarded, guardedSync } from "./io-failure.js";

export type FileStage = Extract<Stage, { kind: "files" }>;

/** The stamp of a final path before the recipe started; nothing where nothing was there. */
export type Before = string | undefined;

/** Makes room for an attempt: folders, and the directories that are outputs. */
export function makeRoom(step: Step, attempt: string): FileStage {
  const { outputs, directories } = step;
  const paths = outputs.map((output) => temporaryPath(output, attempt, "tmp"));
  for (const [i, output] of outputs.entries()) {
    mkdirSync(dirname(output), { recursive: true });
    if (directories.has(output)) mkdirSync(paths[i] ?? "");
  }
  return { kind: "files", paths, depfile: temporaryPath(outputs[0] ?? "", attempt, "dep") };
}

export function clear({ paths, depfile }: FileStage): void {
  for (const path of [...paths, depfile]) rmSync(path, { recursive: true, force: true });
}

/** Whether a recipe made what its step declares, and where it was told to. */
export function checkWritten(
  { outputs, directories }: Step,
  { paths }: FileStage,
  { before, now }: { readonly before: readonly Before[]; readonly now: readonly Before[] },
): Result<void> {
  for (const [i, output] of outputs.entries()) {
    if (before[i] !== now[i]) return fail({ reason: "wrote-final-path", output });
    const kind = guardedSync("look at", output, () => kindOf(paths[i] ?? ""));
    if (!kind.ok) return kind;
    const failure = kindFailure(output, kind.value, directories.has(output));
    if (failure) return fail(failure);
  }
  return ok(undefined);
}

type Kind = "file" | "directory" | "nothing";

export function kindOf(path: string): Kind {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return "nothing";
  return stats.isDirectory() ? "directory" : "file";
}

/** What is wrong with an output that is a `found`, if anything is. */
export function kindFailure(output: string, found: Kind, isDirectory: boolean): Failure | undefined {
  if (found === "nothing") return { reason: "output-missing", output };
  return (found === "directory") === isDirectory ? undefined : { reason: "output-kind", output, found };
}

/** Sees to it that a power cut cannot leave a name for something that was never written. */
export async function settle({ outputs }: Step, { paths }: FileStage): Promise<Result<void>> {
  for (const [i, path] of paths.entries()) {
    const synced = await guarded("sync", outputs[i] ?? "", () => syncTree(path));
    if (!synced.ok) return synced;
  }
  return ok(undefined);
}

/**
 * Gives what is staged its names. Answers what had to make way and is to be removed once the record is written: only a
 * file can take a name from another file in one step. A kill between leaves an output missing, which is then made again.
 */
export async function rename(
  { outputs }: Step,
  { paths }: FileStage,
  attempt: string,
): Promise<Result<readonly string[]>> {
  return guarded("publish", outputs[0] ?? "", async () => {
    const aside = outputs.flatMap((output, i) => {
      const made = take(output, paths[i] ?? "", temporaryPath(output, attempt, "old"));
      return made ?? [];
    });
    for (const folder of new Set(outputs.map((output) => dirname(output)))) await sync(folder);
    return aside;
  });
}

function take(output: string, path: string, aside: string): string | undefined {
  const old = lstatSync(output, { throwIfNoEntry: false });
  const isSimple = !old || (!old.isDirectory() && !lstatSync(path).isDirectory());
  if (!isSimple) renameSync(output, aside);
  renameSync(path, output);
  return isSimple ? undefined : aside;
}

export async function removeAll(paths: readonly string[]): Promise<Result<void>> {
  for (const path of paths) {
    const removed = await guarded("remove", path, () => rm(path, { recursive: true, force: true }));
    if (!removed.ok) return removed;
  }
  return ok(undefined);
}
