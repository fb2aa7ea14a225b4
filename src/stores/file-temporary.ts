// Temporary files beside their outputs: how they are called, and how those of dead runs go. Knows nothing of what they hold.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** What a recipe makes, what it says that it read, and what makes way for what it made. */
type Use = "tmp" | "dep" | "old";

const temporary = /^\..*\.dmake-([0-9a-f]{16})\.(?:tmp|dep|old)$/s;

/** In the folder of the final file, so that the rename stays on one file system; the attempt's id keeps late writers of dead runs apart. */
export const temporaryPath = (output: string, attempt: string, use: Use): string =>
  join(dirname(output), `${prefixOf(output)}${attempt}.${use}`);

/** All that an attempt can leave. */
export const temporariesOf = (outputs: readonly string[], attempt: string): readonly string[] => [
  ...outputs.flatMap((output) => [
    temporaryPath(output, attempt, "tmp"),
    temporaryPath(output, attempt, "old"),
  ]),
  temporaryPath(outputs[0] ?? "", attempt, "dep"),
];

/** Whether this can be the id of an attempt: a record is a text that anybody may have written, and paths are made of it. */
export const isAttempt = (text: string): boolean => /^[0-9a-f]{16}$/.test(text);

/** Of a file of this name, without its folder: the attempt that has left it, or is at it. Nothing for any other file. */
export const attemptOf = (name: string): string | undefined => temporary.exec(name)?.[1];

export const isTemporary = (name: string): boolean => attemptOf(name) !== undefined;

function prefixOf(output: string): string {
  const name = basename(output);
  // A name has 255 bytes at most, which 40 characters of any script leave room in. The hash tells cut names apart.
  const cut = () =>
    `${[...name].slice(0, 40).join("")}-${createHash("sha256").update(name).digest("hex").slice(0, 16)}`;
  return `.${Buffer.byteLength(name) <= 200 ? name : cut()}.dmake-`;
}

/**
 * Removes what killed runs have left beside an output. Lives for one process: each folder is read once, because a
 * folder of 10 000 outputs read for each of them takes a minute.
 */
export class Sweeper {
  readonly #left = new Map<string, readonly string[]>();

  /** Only for outputs whose step is locked by this process: nobody else can then be writing beside them. */
  sweep(outputs: readonly string[]): void {
    for (const output of outputs) {
      const prefix = prefixOf(output);
      for (const name of this.#leftIn(dirname(output)))
        if (name.startsWith(prefix)) rmSync(join(dirname(output), name), { recursive: true, force: true });
    }
  }

  #leftIn(folder: string): readonly string[] {
    const known = this.#left.get(folder);
    if (known) return known;
    const left = existsSync(folder) ? readdirSync(folder).filter(isTemporary) : [];
    this.#left.set(folder, left);
    return left;
  }
}
