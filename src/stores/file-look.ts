// What a file looks like without being read: stamps compared for equality, and when one can be trusted. Knows nothing of content.
import { type BigIntStats, mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Stamp } from "./state.js";

/** A file changed this shortly before it was read may change again without its time moving (git's rule for its index). */
const racyNs = 2_000_000_000n;

export type Look = Omit<Stamp, "digest">;

const statOptions = { bigint: true, throwIfNoEntry: false } as const;

/**
 * The path of a name. A name that is not UTF-8, which only a directory's listing can bring, is written as NUL and one
 * character a byte: two such names never become one.
 */
export const onDisk = (name: string): string | Buffer =>
  name.startsWith("\0") ? Buffer.from(name.slice(1), "latin1") : name;

/** A name as a person can read it. */
export const shown = (name: string): string => onDisk(name).toString();

/** Nothing where nothing is, nor can be: `a/b` where `a` is a file. Symbolic links are followed. */
export function statOf(name: string): BigIntStats | undefined {
  try {
    return statSync(onDisk(name), statOptions);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return undefined;
    throw error;
  }
}

export const lookOf = (stats: BigIntStats): Look => ({
  size: String(stats.size),
  mtimeNs: String(stats.mtimeNs),
  ctimeNs: String(stats.ctimeNs),
  inode: String(stats.ino),
  device: String(stats.dev),
});

/** Whether a file looks as it did. The times come first: what has been touched differs there. */
export const isUntouched = (stats: BigIntStats, look: Look): boolean =>
  String(stats.ctimeNs) === look.ctimeNs &&
  String(stats.mtimeNs) === look.mtimeNs &&
  String(stats.size) === look.size &&
  String(stats.ino) === look.inode &&
  String(stats.dev) === look.device;

/**
 * Whether a file looks as columns of five numbers a file say: ctime, mtime, size, inode, device. Then it is the same one,
 * and no folder by now. What cannot be looked at is for whoever judges it.
 */
export function isAsIn(looks: BigInt64Array, file: number, name: string): boolean {
  const at = file * 5;
  try {
    const stats = statOf(name);
    return (
      stats !== undefined &&
      stats.ctimeNs === looks[at] &&
      stats.mtimeNs === looks[at + 1] &&
      stats.size === looks[at + 2] &&
      stats.ino === looks[at + 3] &&
      stats.dev === looks[at + 4]
    );
  } catch {
    return false;
  }
}

/**
 * One text of all that writing changes. Not the time of the last change of status: a recipe that links its input, or a
 * backup, writes nothing.
 */
export const textOf = ({ size, mtimeNs, inode, device }: Look): string =>
  `${size} ${mtimeNs} ${inode} ${device}`;

/** The same without a look in between. */
export const textOfStats = ({ size, mtimeNs, ino, dev }: BigIntStats): string =>
  `${size} ${mtimeNs} ${ino} ${dev}`;

/**
 * The disk's own clock, which alone can be compared with a file's time: the time of a file that was just written.
 * Read when first needed and kept: an older answer only makes more files racy. Writes into `directory`.
 */
export class DiskClock {
  readonly #directory: string;
  #ns: bigint | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whether a file has been left alone long enough for its stamp to stand for its content. */
  isSettled({
    mtimeNs,
    ctimeNs,
  }: {
    readonly mtimeNs: string | bigint;
    readonly ctimeNs: string | bigint;
  }): boolean {
    this.#ns ??= this.#now();
    const latest = this.#ns - racyNs;
    return BigInt(mtimeNs) < latest && BigInt(ctimeNs) < latest;
  }

  /** Whether a file bears a time that has not come. An old answer would call each new file so: the clock is read again. */
  isFuture({ mtimeNs }: Look): boolean {
    const isLater = () => this.#ns === undefined || BigInt(mtimeNs) > this.#ns + racyNs;
    if (!isLater()) return false;
    this.#ns = this.#now();
    return isLater();
  }

  #now(): bigint {
    const path = join(this.#directory, "clock");
    mkdirSync(this.#directory, { recursive: true });
    writeFileSync(path, "");
    utimesSync(path, 0, 0);
    return statSync(path, { bigint: true }).ctimeNs;
  }
}

/** What is larger is left to whoever wants to know: to read most files of this size takes no longer than to find them. */
const smallBytes = 1 << 16;

/** Whether a file is small, has been left alone for long enough, and looks other than when it was last read. */
export function isWorthReading(name: string, stamp: Stamp | undefined, clock: DiskClock): boolean {
  const stats = statOf(name);
  if (!stats?.isFile() || stats.size > smallBytes || !clock.isSettled(stats)) return false;
  return !stamp || !isUntouched(stats, stamp);
}
