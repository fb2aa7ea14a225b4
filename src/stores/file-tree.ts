// A directory as one content: what is in it, in an order that all machines share, and the texts that stand for it. Knows nothing of what is remembered.
import { strict as assert } from "node:assert";
import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { type BigIntStats, constants, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Digest } from "../core/trace.js";
import { onDisk, shown, textOfStats } from "./file-look.js";
import { isTemporary } from "./file-temporary.js";
import { guardedSync } from "./io-failure.js";

/** Relative paths are written with one character a byte, so that they sort as bytes, and names of any encoding stay apart. */
interface Entry {
  readonly path: string;
  /** From the current directory, as a name. */
  readonly name: string;
  readonly stats: BigIntStats;
}

export interface TreeFile extends Entry {
  readonly kind: "file" | "executable";
}

type TreeEntry =
  | TreeFile
  | (Entry & { readonly kind: "directory" })
  | (Entry & { readonly kind: "link"; readonly target: string });

export interface Tree {
  /** Sorted by path. */
  readonly entries: readonly TreeEntry[];
  /** Something was listed and then gone: whoever wants to know what is there looks again. */
  readonly isMoving: boolean;
}

/**
 * What is in a directory, at any depth, without reading it. Symbolic links are entries of their own and not followed,
 * though `name` may be one. Temporary files of dmake belong to recipes that run and are left out. What has no content,
 * as a fifo, is a failure.
 */
export function walk(name: string): Result<Tree> {
  const entries: TreeEntry[] = [];
  const folders: { readonly name: string; readonly path: string }[] = [{ name, path: "" }];
  let isMoving = false;
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    const { name: parent, path } = folder;
    const listed = guardedSync("look into", shown(parent), () => listOf(parent));
    if (!listed.ok) return listed;
    if (!listed.value) isMoving = true;
    for (const one of listed.value ?? []) {
      if (isTemporary(one)) continue;
      const child = { name: nameWithin(parent, one), path: path === "" ? one : `${path}/${one}` };
      const entry = guardedSync("look at", shown(child.name), () => entryAt(child));
      if (!entry.ok) return entry;
      if (!entry.value) isMoving = true;
      else if ("reason" in entry.value) return fail(entry.value);
      else {
        entries.push(entry.value);
        if (entry.value.kind === "directory") folders.push(child);
      }
    }
  }
  return ok({ entries: entries.sort((a, b) => (a.path < b.path ? -1 : 1)), isMoving });
}

/** One character a byte. Nothing where there is no directory any more. */
function listOf(name: string): string[] | undefined {
  try {
    return readdirSync(onDisk(name), "latin1");
  } catch (error) {
    return goneOrThrow(error);
  }
}

function entryAt({ name, path }: Omit<Entry, "stats">): TreeEntry | Failure | undefined {
  try {
    const stats = lstatSync(onDisk(name), { bigint: true });
    const mode = Number(stats.mode);
    switch (mode & constants.S_IFMT) {
      case constants.S_IFREG:
        return { kind: mode & constants.S_IXUSR ? "executable" : "file", name, path, stats };
      case constants.S_IFDIR:
        return { kind: "directory", name, path, stats };
      case constants.S_IFLNK:
        return { kind: "link", name, path, stats, target: readlinkSync(onDisk(name), "latin1") };
      default:
        return noContent(name, mode);
    }
  } catch (error) {
    return goneOrThrow(error);
  }
}

/** `EINVAL`: what was a link when it was looked at is none when it is read. */
function goneOrThrow(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "EINVAL") throw error;
}

/** What is said of something that is neither a file nor a directory. */
export function noContent(name: string, mode: number): Failure {
  const kinds: Readonly<Record<number, string>> = {
    [constants.S_IFIFO]: "named pipe",
    [constants.S_IFSOCK]: "socket",
    [constants.S_IFCHR]: "device",
    [constants.S_IFBLK]: "device",
  };
  const kind = kinds[mode & constants.S_IFMT] ?? "special file";
  return { reason: "io", doing: `take for data the ${kind}`, path: shown(name), code: "ENOTSUP" };
}

/** `entry` has one character a byte. */
function nameWithin(parent: string, entry: string): string {
  if (parent.startsWith("\0")) return `${parent}/${entry}`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  if (/^[\x00-\x7f]*$/.test(entry)) return `${parent}/${entry}`;
  const bytes = Buffer.from(entry, "latin1");
  return isUtf8(bytes)
    ? `${parent}/${bytes.toString()}`
    : `\0${Buffer.from(parent).toString("latin1")}/${entry}`;
}

/**
 * What a directory says. `digests` has one for each of its files.
 *
 * Each field ends with NUL, which no path, kind or target of a link can hold, so that no two directories have one text.
 */
export function digestOfTree({ entries }: Tree, digests: ReadonlyMap<string, Digest>): Digest {
  const text = entries.map((entry) => `${entry.kind}\0${entry.path}\0${contentOf(entry, digests)}\0`);
  return sha256(`directory\0${text.join("")}`);
}

function contentOf(entry: TreeEntry, digests: ReadonlyMap<string, Digest>): string {
  switch (entry.kind) {
    case "file":
    case "executable": {
      const digest = digests.get(entry.name);
      assert(digest !== undefined, `bug: nobody has read ${entry.name}`);
      return digest;
    }
    case "directory":
      return "";
    case "link":
      return entry.target;
  }
}

/**
 * Differs if anything in it was touched. Of directories only the names count: their times move with each temporary
 * file that a recipe writes there.
 */
export const stampOfTree = ({ entries }: Tree): string =>
  sha256(
    entries
      .map((entry) => {
        const look = entry.kind === "directory" ? "" : textOfStats(entry.stats);
        return `${entry.kind}\0${entry.path}\0${look}\0`;
      })
      .join(""),
  );

const sha256 = (text: string): Digest =>
  `sha256:${createHash("sha256").update(text, "latin1").digest("hex")}`;
