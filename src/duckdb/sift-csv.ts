// Sets aside the rows of a CSV whose fields are too many or too few, and finds the lines of rows by their numbers. Knows nothing of values or types.
import { createReadStream, createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { parse } from "csv-parse/sync";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Reject } from "../core/failure-data.js";
import { mendText } from "./csv-mend.js";
import { shown, textFound, type ValuePlace } from "./find-value.js";
import type { Session } from "./session.js";
import { RowScanner, type RowShape, type RowSpan } from "./sift-scan.js";

/** A CSV of which every row has as many fields as there are columns. */
export interface Sifted {
  /** The file itself, or a copy without the rows that were set aside. */
  readonly path: string;
  readonly rejects: readonly Reject[];
  /** Rows that are left; left out where nobody has counted. */
  readonly rows?: number;
  /** The line in the file of what is on this line of `path`. */
  readonly lineInFile: (line: number) => number;
}

export interface Sifting {
  /** What failures name. */
  readonly file: string;
  /** Where its plain text is, in UTF-8. */
  readonly path: string;
  readonly shape: RowShape;
  readonly maxRejects: number;
  readonly signal?: AbortSignal | undefined;
}

const chunkBytes = 1 << 20;

/** A character of UTF-8 takes 4 bytes at most, and 200 are shown. */
const textBytes = 1024;

/** Whether the rows of such a file can be told apart here: all that structures it is one byte each. */
export const canSift = ({ delimiter, quote }: RowShape): boolean =>
  [delimiter, quote].every((text) => text.length <= 1 && text < "\x80");

/**
 * Looks at every row (130 MB in 0.5 s). A row that goes on for more lines than may be set aside is an error: a stray
 * quote may have swallowed rows that are right. So is a quote that is never closed.
 */
export async function siftCsv(session: Session, sifting: Sifting): Promise<Result<Sifted>> {
  const { file, path, shape, maxRejects, signal } = sifting;
  const faulty: RowSpan[] = [];
  let count = 0;
  let longest: RowSpan | undefined;
  const scanner = new RowScanner(shape, {
    faulty: (row) => {
      count++;
      if (count <= maxRejects) faulty.push(row);
      if (row.lines > maxRejects) longest ??= row;
    },
  });
  for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes })) {
    if (signal?.aborted) return fail({ reason: "interrupted" });
    scanner.scan(chunk as Buffer);
  }
  const open = scanner.end();
  if (open) return fail({ reason: "bad-row", file, line: open.line, problem: neverClosed });
  if (scanner.carriageReturn) return fail(carriageReturn(file, await found(path, scanner.carriageReturn)));
  if (longest) {
    const problem = `${faultOf(longest, shape)}, and goes on for ${longest.lines} lines: a quote before it may be astray`;
    return fail({ reason: "bad-row", file, line: longest.line, problem });
  }
  if (count === 0) return ok({ path, rejects: [], rows: scanner.rows, lineInFile: (line) => line });
  const isTooMany = count > maxRejects;
  const rejects = await describe(path, isTooMany ? faulty.slice(0, 1) : faulty, shape);
  if (isTooMany)
    return fail({ reason: "too-many-rejects", file, maxRejects, rows: count, first: rejects[0]! });
  const copy = join(session.folder, `${crypto.randomUUID()}.txt`);
  const failure = await written(Readable.from(without(path, faulty)), copy, sifting);
  if (failure) return fail(failure);
  return ok({ path: copy, rejects, rows: scanner.rows - count, lineInFile: lineBefore(faulty) });
}

async function written(
  left: Readable,
  copy: string,
  { file, signal }: Sifting,
): Promise<Failure | undefined> {
  try {
    await pipeline(left, createWriteStream(copy), signal ? { signal } : {});
    return undefined;
  } catch (error) {
    if (signal?.aborted) return { reason: "interrupted" };
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    // As of a disk that is full: the copy is nearly as large as the file.
    return { reason: "io", doing: "unpack", path: file, code };
  }
}

const neverClosed = "a quote is opened and never closed";

/** A row of which something is to be told. */
interface Found {
  readonly line: number;
  readonly text: string;
}

async function found(path: string, row: RowSpan): Promise<Found> {
  const handle = await open(path);
  try {
    return { line: row.line, text: shown((await textOf(handle, row, textBytes)).trim()) };
  } finally {
    await handle.close();
  }
}

/** It may end a line or be part of a value: nobody can tell. */
export const carriageReturn = (file: string, { line, text }: Found): Failure => ({
  reason: "bad-row",
  file,
  line,
  text: shown(text),
  problem: "a carriage return stands alone behind it, where other lines end in LF",
});

/** The first row whose quotes are wrong. Its first physical line is told. */
export async function firstMisquoted(
  path: string,
  shape: RowShape,
  signal?: AbortSignal,
): Promise<(Found & { readonly problem: string }) | undefined> {
  let first: RowSpan | undefined;
  const scanner = new RowScanner(shape, {
    faulty: (row) => {
      if (row.broken) first ??= row;
    },
  });
  for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes })) {
    scanner.scan(chunk as Buffer);
    if (first || signal?.aborted) break;
  }
  const open = first || signal?.aborted ? undefined : scanner.end();
  const row = first ?? open;
  if (!row) return undefined;
  return { ...(await found(path, row)), problem: open ? neverClosed : faultOf(row, shape) };
}

function faultOf({ fields, broken }: RowSpan, { columns }: RowShape): string {
  if (broken) return "text follows a closing quote";
  return `it has ${fields} ${fields === 1 ? "field" : "fields"} where the first row has ${columns}`;
}

async function describe(path: string, rows: readonly RowSpan[], shape: RowShape): Promise<readonly Reject[]> {
  const rejects: Reject[] = [];
  const handle = await open(path);
  try {
    for (const row of rows)
      rejects.push({
        line: row.line,
        value: shown((await textOf(handle, row, textBytes)).trim()),
        reason: faultOf(row, shape),
      });
    return rejects;
  } finally {
    await handle.close();
  }
}

type Handle = Awaited<ReturnType<typeof open>>;

async function textOf(handle: Handle, { start, end }: RowSpan, atMost: number): Promise<string> {
  const length = Math.min(end - start, atMost);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, start);
  return buffer.toString("utf8", 0, bytesRead);
}

/** The bytes of a file but for those of some rows, which are in order. */
async function* without(path: string, rows: readonly RowSpan[]): AsyncGenerator<Buffer> {
  let offset = 0;
  let next = 0;
  for await (const read of createReadStream(path, { highWaterMark: chunkBytes })) {
    const chunk = read as Buffer;
    const end = offset + chunk.length;
    let from = offset;
    for (; next < rows.length && rows[next]!.start < end; next++) {
      if (rows[next]!.start > from) yield chunk.subarray(from - offset, rows[next]!.start - offset);
      from = Math.max(from, rows[next]!.end);
      if (rows[next]!.end > end) break;
    }
    if (from < end) yield chunk.subarray(from - offset);
    offset = end;
  }
}

function lineBefore(faulty: readonly RowSpan[]): (line: number) => number {
  // In the copy, what followed a row that was set aside is on the line where that row was.
  let gone = 0;
  const shifts = faulty.map(({ line, lines }) => {
    const shift = { from: line - gone, gone: gone + lines };
    gone += lines;
    return shift;
  });
  return (line) => {
    let low = 0;
    for (let high = shifts.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (shifts[middle]!.from <= line) low = middle + 1;
      else high = middle;
    }
    return line + (low === 0 ? 0 : shifts[low - 1]!.gone);
  };
}

/** Of a value that was found where its text is not, the line is not known: better none than another's. */
export async function linesOfRows(
  path: string,
  shape: RowShape,
  found: readonly ValuePlace[],
): Promise<readonly (number | undefined)[]> {
  const spans = new Map<number, RowSpan>();
  const wanted = new Set(found.map(({ row }) => row));
  let row = 0;
  const scanner = new RowScanner(shape, {
    every: (span) => {
      if (wanted.has(++row)) spans.set(row, span);
    },
  });
  for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes })) {
    scanner.scan(chunk as Buffer);
    if (spans.size === wanted.size) break;
  }
  scanner.end();
  const handle = await open(path);
  try {
    const lines: (number | undefined)[] = [];
    for (const one of found) {
      const span = spans.get(one.row);
      lines.push(span && (await holds(handle, span, shape, one)) ? span.line : undefined);
    }
    return lines;
  } finally {
    await handle.close();
  }
}

/** Rows that are longer are taken at their word. */
const comparedBytes = 1 << 20;

async function holds(
  handle: Handle,
  span: RowSpan,
  { delimiter, quote }: RowShape,
  { index, text }: ValuePlace,
): Promise<boolean> {
  if (span.end - span.start > comparedBytes || text === undefined) return true;
  const mark = quote === "" ? null : quote;
  const bytes = await textOf(handle, span, comparedBytes);
  const [fields] = parse(
    mendText(bytes, { delimiter, quote, skip: 0, comment: undefined, tight: true }).text,
    {
      delimiter,
      quote: mark,
      escape: mark,
      relax_column_count: true,
      relax_quotes: true,
    },
  ) as string[][];
  const own = fields?.[index]?.trim();
  return text.length < textFound ? own === text.trim() : own?.startsWith(text.trim()) === true;
}
