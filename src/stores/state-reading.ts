// Takes in the lines of a state file from a byte on, and says what they were. Knows nothing of what was read before.
import type { Warning } from "../core/event.js";
import { readLines, readRanges } from "./state-file.js";
import type { Kept } from "./state-kept.js";
import { header, isCurrent, type Line, versionIn } from "./state-line.js";

export interface StateOptions {
  /** Without it nothing is written, mended or moved. */
  readonly writable?: boolean;
  readonly warn?: (warning: Warning) => void;
  /** Where it is kept what lines stand where in a large file. Left out, that is found out anew. */
  readonly index?: string;
  /** From so much on what is read is not held in memory, but read again when it is asked for. */
  readonly largeBytes?: number;
}

/** A smaller file is read in 4 ms. */
export const largeBytes = 1 << 20;
/** To read this share of a file takes as long as to write where all its lines are. */
const indexedShare = 16;

/** Whether it is worth keeping anew where the lines of a file of `bytes` stand, which is known of its first `indexed`. */
export const isIndexOld = (bytes: number, indexed: number, large: number): boolean =>
  bytes - indexed >= Math.max(large, bytes / indexedShare);

/** What came of it. */
export interface Taken {
  /** Where the last whole line ends. */
  readonly end: number;
  /** What follows it. */
  readonly rest: string;
  readonly lines: number;
  readonly whole: number;
  readonly damaged: number;
  /** The versions that first lines say; there are several where files were put together. */
  readonly versions: readonly string[];
}

interface From {
  readonly descriptor: number;
  /** The byte to begin at. */
  readonly bytes: number;
  /** Lines are known by their places, counted from there. Left out, they are held themselves. */
  readonly base?: number;
}

/** `told` is told of each line that is whole. */
export function takeLines(
  kept: Kept,
  { descriptor, bytes: start, base }: From,
  told: (kind: Line[0], key: string) => void,
): Taken {
  const found = { lines: 0, whole: 0, damaged: 0, versions: [] as string[] };
  const count = (line: ReturnType<Kept["take"]>, text: () => string) => {
    found.lines += 1;
    if (line) {
      found.whole += 1;
      told(line.kind, line.key);
      return;
    }
    const version = versionIn(text());
    if (version === undefined) found.damaged += 1;
    else found.versions.push(version);
  };
  const { end, rest } =
    base === undefined
      ? readLines(descriptor, start, (text) => {
          if (text !== "") count(kept.take(text), () => text);
        })
      : readRanges(descriptor, start, (bytes, offset) => {
          const place = { offset: base + offset, length: bytes.length };
          if (bytes.length > 0) count(kept.takeAt(bytes, place), () => bytes.toString());
        });
  return { end, rest, ...found };
}

/**
 * Whether a file of these lines, from its first byte on, is none of ours. A header that is damaged says nothing: whole
 * lines then say whose they are.
 */
export function isForeign({ whole, lines, versions, rest }: Taken): boolean {
  if (versions.some((version) => !isCurrent(version))) return true;
  return whole === 0 && versions.length === 0 && (lines > 0 || !header.startsWith(rest));
}
