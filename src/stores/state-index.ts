// Where the lines of a state file stand, kept beside it in `.dmake/cache/records`, so that it need not be read from its first byte. Knows nothing of what the lines say.
import { readSync } from "node:fs";
import { version as nodeVersion } from "node:process";
import { crc32 } from "node:zlib";
import { readSealed, writeSealed } from "./sealed-file.js";
import { type Position, seen, withFile } from "./state-file.js";
import type { Kept, SavedKept } from "./state-kept.js";

/** Of other formats, of other versions of Node and of damaged files nothing is believed: then the state file is read. */
const format = `1 ${nodeVersion}`;

export interface StateIndex extends Position {
  readonly lines: number;
  readonly kept: SavedKept;
}

interface Written extends StateIndex {
  readonly format: string;
  /** Of the last bytes before `bytes`: another file may have been written over this one. */
  readonly ending: number;
}

const endingBytes = 1 << 16;

/** What is known of the file that is at `path`: up to a byte of it, or nothing. Each line that it leads to is checked when it is read. */
function readIndex(index: string, path: string): StateIndex | undefined {
  const found = readSealed(index)?.value as Written | undefined;
  if (found?.format !== format) return undefined;
  const file = seen(path);
  if (!file?.isFile || file.inode !== found.inode || file.size < found.bytes) return undefined;
  return endingOf(path, found.bytes) === found.ending ? found : undefined;
}

/** Has it taken over, so that only what follows has to be read. */
export function takeIndex(index: string, path: string, kept: Kept): StateIndex | undefined {
  const known = readIndex(index, path);
  if (!known) return undefined;
  if (kept.source.open(path).inode !== known.inode) {
    kept.source.close();
    return undefined;
  }
  kept.load(known.kept);
  return known;
}

export function writeIndex(index: string, path: string, known: StateIndex): void {
  const { inode, bytes, lines, kept } = known;
  const written: Written = { format, inode, bytes, lines, kept, ending: endingOf(path, bytes) };
  writeSealed(index, written);
}

function endingOf(path: string, bytes: number): number {
  const from = Math.max(0, bytes - endingBytes);
  const ending = Buffer.alloc(bytes - from);
  return withFile(path, "r", (descriptor) =>
    crc32(ending.subarray(0, readSync(descriptor, ending, 0, ending.length, from))),
  );
}
