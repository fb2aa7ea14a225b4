// The room that a recipe is given, and what it has to leave there: checked, and on the disk. Knows nothing of records, or of whose files it replaces.
import { lstatSync, mkdirSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import type { Stage } from "../engine/ports.js";
import { syncTree } from "./file-sync.js";
import { temporaryPath } from "./file-temporary.js";
import { guarded, guardedSync } from "./io-failure.js";

export type FileStage = Extract<Stage, { kind: "files" }>;

/** The stamp of a final path before the recipe started; nothing where nothing was there. */
export type Before = string | undefined;

/** Makes room for an attempt: folders, and the directories that are outputs. What is left of it where that fails is for the caller to clear. */
export function makeRoom(step: Step, stage: FileStage): Result<void> {
  const { outputs, directories } = step;
  for (const [i, output] of outputs.entries()) {
    const made = guardedSync("make the folder of", output, () => {
      mkdirSync(dirname(output), { recursive: true });
      if (directories.has(output)) mkdirSync(stage.paths[i] ?? "", { recursive: stage.inPlace === true });
    });
    if (!made.ok) return made;
  }
  return ok(undefined);
}

export function stageOf({ outputs, rule }: Step, attempt: string): FileStage {
  const depfile = temporaryPath(outputs[0] ?? "", attempt, "dep");
  return rule.inPlace
    ? { kind: "files", paths: outputs, depfile, inPlace: true }
    : { kind: "files", paths: outputs.map((output) => temporaryPath(output, attempt, "tmp")), depfile };
}

/** Final paths are left as they are, for better or worse. The first failure is told; all is tried. */
export function clear({ paths, depfile, inPlace }: FileStage): Result<void> {
  const removed = [...(inPlace ? [] : paths), depfile].map((path) =>
    guardedSync("remove", path, () => {
      // In most cases nothing is there any more, and one look tells faster than an attempt to remove it.
      if (lstatSync(path, { throwIfNoEntry: false })) rmSync(path, { recursive: true, force: true });
    }),
  );
  return removed.find(({ ok }) => !ok) ?? ok(undefined);
}

/** Whether a recipe made what its step declares, and where it was told to. */
export function checkWritten(
  { outputs, directories }: Step,
  { paths, inPlace }: FileStage,
  { before, now }: { readonly before: readonly Before[]; readonly now: readonly Before[] },
): Result<void> {
  for (const [i, output] of outputs.entries()) {
    if (!inPlace && before[i] !== now[i]) return fail({ reason: "wrote-final-path", output });
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

/** Brought to the disk in no time once the disk is at it. Larger, a file would keep others waiting. */
const smallBytes = 1 << 20;

/** Whether what is staged is little, so that it can be brought to the disk with others. */
export const isSmall = ({ paths }: FileStage): boolean =>
  paths.length <= 4 &&
  paths.every((path) => {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats?.isFile() === true && stats.size <= smallBytes;
  });

/** Sees to it that a power cut cannot leave a name for something that was never written. */
export async function settle({ outputs }: Step, { paths }: FileStage): Promise<Result<void>> {
  for (const [i, path] of paths.entries()) {
    const synced = await guarded("sync", outputs[i] ?? "", () => syncTree(path));
    if (!synced.ok) return synced;
  }
  return ok(undefined);
}
