// How much of a CSV DuckDB is to look at at once: enough for the longest row, and little enough to be shared among threads. Knows nothing of what is in it.
import type { LineEnds } from "./line-ends.js";

/** How much of a file DuckDB looks at at once: `line` bounds the longest row. */
export interface Window {
  readonly line: number;
  readonly buffer: number;
}

/** Of DuckDB's own choosing the buffer would be 16 rows of the longest kind: so large that one thread gets all of a small file (20 % slower). */
const reading: Window = { line: 32_000_000, buffer: 32_000_000 };
/**
 * For files of short lines without a quote, where a row is a line. Of large pieces two threads waste a third of their time:
 * rows have to come in order, so that one is held up until the other has sent all of its piece (3.5 s of processor time
 * against 5.2 s, measured).
 */
const readingLines: Window = { line: 2_000_000, buffer: 2_000_000 };
/** For files with physical lines so long that a row may be longer than `reading` takes. */
const readingLong: Window = { line: 128_000_000, buffer: 128_000_000 };
/** In bytes; a longer one is refused. */
export const longestRow = readingLong.line;
const longLine = 16_000_000;
/** A large buffer is unpacked whole for a few rows of it: 150 ms instead of 50. */
export const sampling: Window = { line: 2_000_000, buffer: 4_000_000 };

/** `quote` is what the file quotes with, or empty. */
export function windowFor(lineEnds: LineEnds, quote: string): Window {
  if (lineEnds.longestBytes > longLine) return readingLong;
  const rowsAreLines = quote === "" || !lineEnds.quoted;
  return rowsAreLines && lineEnds.longestBytes < readingLines.line ? readingLines : reading;
}
