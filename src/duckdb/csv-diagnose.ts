// Finds the row or value of a CSV that DuckDB stumbled over, by reading the file again. Knows nothing of the query that failed but its message.
import type { Failure } from "../core/failure.js";
import { type CsvHead, rowShape } from "./csv-head.js";
import { type CsvRecord, fileRecords, isOdd, wrongLength } from "./csv-records.js";
import { badValue, badValueAt, type FoundValue, findValue, shown, type TypedColumn } from "./find-value.js";
import { plainMessage } from "./query.js";
import type { Session } from "./session.js";
import { canSift, carriageReturn, firstMisquoted } from "./sift-csv.js";

/** What DuckDB's message holds when a field that has no name is not empty. */
export const fieldTooMany = "dmake:field-too-many";

/** A CSV as it was read. */
export interface CsvScene {
  readonly file: string;
  /** Where its plain text is. Lines are told as they are there. */
  readonly path: string;
  readonly skippedLines: number;
  readonly head: CsvHead;
  /** In bytes: the longest row that was to be read. */
  readonly longest: number;
  /** SQL text yielding all fields as VARCHAR. */
  readonly from: string;
  readonly columns: readonly TypedColumn[];
}

export async function explainCsv(session: Session, scene: CsvScene, error: unknown): Promise<Failure> {
  const message = plainMessage(error);
  if (/INTERRUPT/i.test(message)) return { reason: "interrupted" };
  if (message.includes(badValue) || /^Error when converting column/m.test(message))
    return (await findBadValue(session, scene)) ?? engine(scene, message);
  if (message.includes(fieldTooMany)) return findRow(scene, message);
  if (/CSV Error on Line|CSV Parser state machine/.test(message)) return findRow(scene, message);
  return engine(scene, message);
}

const engine = ({ file }: CsvScene, message: string): Failure => ({ reason: "data-engine", file, message });

async function findBadValue(session: Session, scene: CsvScene): Promise<Failure | undefined> {
  const { file, from, columns } = scene;
  const found = await findValue(session, from, columns);
  return found && badValueAt(file, columns[found.index]!, found.text, { line: await lineOf(scene, found) });
}

/** Nothing where csv-parse, counting rows, does not find the text there. */
async function lineOf(scene: CsvScene, { row, index, text }: FoundValue): Promise<number | undefined> {
  let left = row + (scene.head.hasHeader ? 1 : 0);
  for await (const record of recordsOf(scene)) {
    if (--left === 0) return record.fields[index]?.trim() === text.trim() ? record.line : undefined;
  }
  return undefined;
}

const recordsOf = ({ path, head, skippedLines }: CsvScene) =>
  fileRecords(path, head, { skippedLines, removed: [] }, head.names.length);

/**
 * DuckDB's line is that of the file only as long as no value has held a line end, its text is not always the line's, and
 * of mixed line ends it says neither: its line is told where no better one is found.
 */
async function findRow(scene: CsvScene, message: string): Promise<Failure> {
  const { file, head, longest } = scene;
  const lines = message.split("\n");
  const line = Number(/CSV Error on Line: (\d+)/.exec(message)?.[1] ?? Number.NaN);
  const told = Number.isNaN(line) ? {} : { line };
  const original = lines
    .find((text) => text.startsWith("Original Line:"))
    ?.slice("Original Line:".length)
    .trim();
  const text = original ? { text: shown(original) } : {};
  if (/Invalid unicode/i.test(message))
    return {
      reason: "bad-row",
      file,
      ...told,
      ...text,
      problem: 'it is not UTF-8: say `csv: { encoding: "latin-1" }`, if that is what it is',
    };
  if (/Maximum line size/i.test(message))
    return { reason: "bad-row", file, ...told, problem: `it is longer than ${longest / 1e6} MB` };
  const width = { columns: head.names.length, extras: head.extras };
  const misquoted = /unterminated quote/i.test(message) ? await firstMisquotedOf(scene) : undefined;
  let isHeader = head.hasHeader;
  let alone: CsvRecord | undefined;
  let endsInLf = false;
  for await (const record of recordsOf(scene)) {
    if (misquoted && record.line >= misquoted.line) break;
    if (!isHeader && isOdd(record, width)) return wrongLength(file, record, width);
    isHeader = false;
    endsInLf ||= record.lineEnd.endsWith("\n");
    if (record.lineEnd === "\r") alone ??= record;
  }
  if (misquoted) return { reason: "bad-row", file, ...misquoted };
  if (alone && endsInLf) return carriageReturn(file, alone);
  if (/unterminated quote/i.test(message))
    return {
      reason: "bad-row",
      file,
      ...told,
      ...text,
      problem: "a quote is not closed, or text follows the closing quote",
    };
  return { reason: "bad-row", file, ...told, ...text, problem: structure(message) };
}

function firstMisquotedOf({ path, head, skippedLines }: CsvScene) {
  const shape = rowShape(head, skippedLines);
  return canSift(shape) ? firstMisquoted(path, shape) : undefined;
}

const structure = (message: string): string =>
  message.includes("state machine")
    ? "a carriage return stands alone, or quotes are not as in RFC 4180"
    : (message.split("\n").find((text) => text.startsWith("Expected Number")) ?? message.split("\n")[0]!);
