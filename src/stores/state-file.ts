// The bytes of the state file: whole lines read from a place on, whole lines appended, the file replaced. Knows nothing of what a line means.
import {
  type BigIntStats,
  closeSync,
  copyFileSync,
  existsSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { guardedSync } from "./io-failure.js";

const chunkBytes = 1 << 22;
/** No line of ours is as long. What has none for so long is not read into memory as one. */
const longestLine = 1 << 26;
const newline = 0x0a;

/** How far a file has been read: up to the end of a whole line. */
export interface Position {
  readonly inode: bigint;
  readonly bytes: number;
}

export interface Seen {
  readonly inode: bigint;
  readonly size: number;
  readonly isFile: boolean;
  /** Whether another name stands for the same file, as after `cp -al`. */
  readonly isShared: boolean;
}

export function seen(path: string): Seen | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats && seenIn(stats);
}

const seenIn = (stats: BigIntStats): Seen => ({
  inode: stats.ino,
  size: Number(stats.size),
  isFile: stats.isFile(),
  isShared: stats.nlink > 1n,
});

/**
 * Gives each whole line from a byte on to `take`, without its end. Answers where the last of them ends, and what
 * follows it.
 */
export const readLines = (descriptor: number, start: number, take: (line: string) => void): LinesRead =>
  readBlocks(descriptor, start, (bytes) => {
    for (const line of bytes.toString("utf8").split("\n")) take(line);
  });

/** The same with the bytes of each line, which are good until `take` returns, and where they stand. */
export const readRanges = (
  descriptor: number,
  start: number,
  take: (line: Buffer, offset: number) => void,
): LinesRead =>
  readBlocks(descriptor, start, (bytes, offset) => {
    for (let from = 0; from <= bytes.length; ) {
      const end = bytes.indexOf(newline, from);
      const to = end < 0 ? bytes.length : end;
      take(bytes.subarray(from, to), offset + from);
      from = to + 1;
    }
  });

interface LinesRead {
  readonly end: number;
  readonly rest: string;
}

/** Whole lines, many at once, without the end of the last. Read in chunks: 100 000 records are longer than a string may be. */
function readBlocks(
  descriptor: number,
  start: number,
  take: (lines: Buffer, offset: number) => void,
): LinesRead {
  let chunk = Buffer.alloc(Math.min(chunkBytes, fstatSync(descriptor).size - start + 1));
  let held = 0;
  let end = start;
  for (let at = start; ; ) {
    const count = readSync(descriptor, chunk, held, chunk.length - held, at);
    if (count === 0) return { end, rest: chunk.toString("utf8", 0, held) };
    at += count;
    held += count;
    const last = chunk.lastIndexOf(newline, held - 1);
    if (last >= 0) {
      take(chunk.subarray(0, last), at - held);
      chunk.copyWithin(0, last + 1, held);
      held -= last + 1;
      end = at - held;
    } else if (held === chunk.length && held < longestLine) chunk = Buffer.concat([chunk], 2 * chunk.length);
    // One byte says as well that there is something before the next line.
    else if (held === chunk.length) held = 1;
  }
}

export function withFile<T>(path: string, flags: string, work: (descriptor: number) => T): T {
  const descriptor = openSync(path, flags);
  try {
    return work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Appends whole lines in one write, so that a kill leaves at most one torn last line. `make` is told what is there.
 * Answers what is at `path` then. Whether it is what was written to is for the caller to see: another process may have
 * replaced the file right then, and the lines are lost with the old one.
 */
export function append(path: string, make: (file: Seen) => string): Seen | undefined {
  return withFile(path, "a", (descriptor) => {
    const bytes = Buffer.from(make(seenIn(fstatSync(descriptor, { bigint: true }))));
    if (writeSync(descriptor, bytes) < bytes.length)
      throw Object.assign(new Error(`the disk of ${path} is full`), { code: "ENOSPC" });
    return seen(path);
  });
}

/**
 * Puts a file of these lines in place of the one that `before` was read from, with what others have appended to that
 * one meanwhile. It is on the disk before it takes its name: a power cut may cost the last few lines, never all.
 */
export function replace(path: string, lines: Iterable<string>, before: Position): void {
  const next = `${path}.next`;
  orRemove(next, () => withFile(next, "w", (descriptor) => writeAll(descriptor, lines)));
  withFile(path, "r", (old) => {
    renameSync(next, path);
    // What is appended from now on is to survive a power cut if its writer says so: so must the name.
    withFile(dirname(path), "r", fsyncSync);
    if (fstatSync(old, { bigint: true }).ino !== before.inode) return;
    const late: string[] = [];
    readLines(old, before.bytes, (line) => late.push(`${line}\n`));
    if (late.length > 0) append(path, () => late.join(""));
  });
}

function writeAll(descriptor: number, lines: Iterable<string>): void {
  let text = "";
  for (const line of lines) {
    text += line;
    if (text.length < chunkBytes) continue;
    writeFileSync(descriptor, text);
    text = "";
  }
  writeFileSync(descriptor, text);
  fsyncSync(descriptor);
}

/** A full disk is not to be filled further by half a file that nobody wants. */
function orRemove(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    guardedSync("remove", path, () => rmSync(path, { force: true }));
    throw error;
  }
}

/** Gives a file that has other names a copy of its own: what is appended is then not in a copied project's file as well. */
export function unshare(path: string): void {
  const own = `${path}.${process.pid}.own`;
  orRemove(own, () => copyFileSync(path, own));
  renameSync(own, path);
}

/** Moves a file out of the way, under a name that nothing has. */
export function setAside(path: string): string {
  let kept = asideOf(path);
  for (let i = 2; existsSync(kept); i += 1) kept = `${asideOf(path)}.${i}`;
  renameSync(path, kept);
  return kept;
}

const asideOf = (path: string): string => `${path}.old`;

export const makeFolderOf = (path: string): void => {
  mkdirSync(dirname(path), { recursive: true });
};
