// Finds the project that a command line means: its Datafile, its folder, its files. Knows nothing of what a Datafile says.
import { accessSync, constants, existsSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Where } from "./options.js";
import type { Screen } from "./render.js";

/** How a command ended; `main` turns it into an exit code. */
export type Ending = "good" | "failed" | "refused" | "stale" | "busy";

/** What a command is given of the process it runs in. */
export interface Surroundings {
  readonly screen: Screen;
  readonly env: NodeJS.ProcessEnv;
  /** From now on an interrupt aborts this signal and ends nothing by itself. */
  readonly interruptible: () => AbortSignal;
  /** From now on an interrupt ends the process again, as it does while a Datafile is evaluated, which could loop for ever. */
  readonly mortal: () => void;
  readonly cores: number;
  readonly changeDirectory: (path: string) => void;
  /** Called right before this process ends, however it does, unless it is killed. */
  readonly onExit: (work: () => void) => void;
}

const datafileNames = ["Datafile.ts", "Datafile.mts", "Datafile.js", "Datafile.mjs"];

/** Goes to the project's root, the folder of the Datafile, and answers the Datafile's path. */
export function enterProject(
  { directory, datafile }: Where,
  changeDirectory: (path: string) => void,
): Result<string> {
  const start = resolve(directory ?? ".");
  if (directory !== undefined && !existsSync(start))
    return fail({ reason: "usage", message: `\`${directory}\` is not there` });
  const names = datafile === undefined ? datafileNames : [datafile];
  const found = names.map((name) => resolve(start, name)).find((path) => existsSync(path));
  if (found === undefined) {
    const above = datafile === undefined ? datafileAbove(start) : undefined;
    return fail({ reason: "no-datafile", directory: start, looked: names, ...(above && { above }) });
  }
  changeDirectory(dirname(found));
  return ok(found);
}

function datafileAbove(start: string): string | undefined {
  for (
    let folder = dirname(start), relative = "..";
    ;
    folder = dirname(folder), relative = `../${relative}`
  ) {
    if (datafileNames.some((name) => existsSync(join(folder, name)))) return relative;
    if (folder === dirname(folder)) return undefined;
  }
}

/** What keeps dmake from writing to its own folder in the current one, if anything does: then nothing can be made. */
export function whyUnwritable(folder: string): Failure | undefined {
  const path = existsSync(folder) ? folder : ".";
  try {
    // With the dot, a file of that name is none.
    accessSync(join(path, "/."), constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    return { reason: "io", doing: "write to", path: folder, code };
  }
}

/** An absolute path of the project, also by the root's real path, as the file that it is. */
export function insideRoot(word: string, root: string): string {
  if (!isAbsolute(word)) return word;
  const above = [root, realpathSync(root)].find((folder) => word.startsWith(`${folder}/`));
  return above === undefined ? word : `./${word.slice(above.length + 1)}`;
}
