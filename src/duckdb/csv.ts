// A CSV file as a Source: DuckDB reads every field as text, in strict mode and without guessing, and SQL checks each value. Knows nothing of where rows go.
import { join } from "node:path";
import { badCsvOption } from "../core/csv-options.js";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { magicOf } from "../core/magic.js";
import type { ColumnTypes, CsvOptions } from "../core/rule.js";
import { explainCsv, fieldTooMany } from "./csv-diagnose.js";
import { type CsvHead, readCsvHead, rowShape } from "./csv-head.js";
import { mendFile, originalLine } from "./csv-mend.js";
import { longestRow, sampling, type Window, windowFor } from "./csv-window.js";
import { resolveTypes } from "./declared.js";
import { checked, type TypedColumn, type ValuePlace } from "./find-value.js";
import { lineLongerThan } from "./line-ends.js";
import { firstText, isUtf8, type Prepared, prepareText, type Unpacked } from "./prepare.js";
import { type SampledColumn, sampleTypes, type Wish } from "./sample.js";
import { quoteIdentifier, quotePath, quoteText, type Session } from "./session.js";
import { canSift, firstMisquoted, linesOfRows, type Sifted, type Sifting, siftCsv } from "./sift-csv.js";
import type { RowShape } from "./sift-scan.js";
import type { Source, SourceOptions } from "./source.js";
import { isNested } from "./text-checks.js";

/**
 * Opens a CSV file. Its columns are named by the header, blanks around names trimmed. Types come from the first
 * 20,480 rows unless `columns` gives them; where a later value does not fit, reading fails with its line. A column
 * without any value in the sample is VARCHAR, and says so. An unquoted empty field is null, `""` is the empty text.
 *
 * Refused are rows with too many or too few fields. Two things pass: empty fields too many in every row, as many in each;
 * and any at the very end of a row beyond the first 200, which DuckDB takes for stray delimiters. Refused is text behind
 * a closing quote; `"x" "y"` passes as `x y` where the delimiter is none of ASCII.
 */
export async function openCsv(
  session: Session,
  file: string,
  { path: packed, head }: Unpacked,
  options: SourceOptions,
): Promise<Result<Source>> {
  const { csv, rename, signal, maxRejects = 0 } = options;
  const bad = badCsvOption(csv);
  if (bad) return fail({ reason: "bad-option", file, ...bad });
  const beginning = await firstText(packed, head, csv.encoding);
  if (!beginning.ok) return beginning;
  const dialect = readCsvHead(beginning.value, file, { csv, rename, rowsMayDiffer: maxRejects > 0 });
  if (!dialect.ok) return dialect;
  // What a delimiter must not be, one that was found must not be either.
  const clash = badCsvOption({ ...csv, delimiter: dialect.value.delimiter });
  if (clash) return fail({ reason: "bad-option", file, ...clash });
  const wishes = await wishesFor(session, file, dialect.value.names, options.columns);
  if (!wishes.ok) return wishes;
  const [prepared, early] = await Promise.all([
    prepareText(session, packed, head, csv.encoding, signal, quoteToWatch(dialect.value)),
    sampleEarly(session, packed, head, dialect.value, csv, wishes.value),
  ]);
  if (!prepared.ok) return fail({ ...prepared.error, ...("file" in prepared.error && { file }) });
  const { path: plain, lineEnds } = prepared.value;
  if (lineEnds.longestBytes > longestRow) return fail(await tooLong(file, plain));
  const text = await mended(session, prepared.value, dialect.value, csv, signal);
  const sifting = { file, text, head: dialect.value, maxRejects, signal };
  const sifted = await withoutFaultyRows(session, sifting, lineEnds.quotesApart);
  if (!sifted.ok) return sifted;
  const reader = { ...text, path: sifted.value.path, head: dialect.value, csv };
  const window = windowFor(lineEnds, dialect.value.quote);
  const { bare, from } = readersOf(reader, window);
  const explain = (columns: readonly TypedColumn[]) => async (error: unknown) => {
    const scene = { file, ...reader, from: bare, columns, longest: window.line };
    return atLine(await explainCsv(session, scene, error), sifted.value.lineInFile);
  };
  // Of a longer row DuckDB may read nothing, without a word.
  const columns =
    early?.ok && lineEnds.longestBytes < sampling.line
      ? early
      : await sampleTypes(session, bare, wishes.value, csv, explain([]));
  if (!columns.ok) return columns;
  return ok({
    file,
    format: "csv",
    columns: columns.value.map(({ name, reading, unseen }) => ({
      name,
      type: reading.type,
      ...(unseen && { unseen }),
    })),
    select: `SELECT ${columns.value.map(checked).join(", ")} FROM ${from}`,
    rows: undefined,
    explain: explain(columns.value),
    raw: {
      from,
      columns: columns.value,
      rejects: sifted.value.rejects,
      rows: sifted.value.rows,
      linesOf: (rows) => linesIn(sifted.value, rowShape(dialect.value, text.skippedLines), rows),
    },
  });
}

async function tooLong(file: string, path: string): Promise<Failure> {
  const line = await lineLongerThan(longestRow, path);
  const problem = `it is longer than ${longestRow / 1e6} MB`;
  return { reason: "bad-row", file, ...(line !== undefined && { line }), problem };
}

/** A CSV's plain text as it is read: the file itself, or a copy of one kind of line ends and without what is no data. */
interface Text {
  readonly path: string;
  /** Physical lines before the first that is a row, or the header. */
  readonly skippedLines: number;
  /** Lines of the file that the copy does not have, counted from 1. */
  readonly removed: readonly number[];
}

async function mended(
  session: Session,
  { path, lineEnds }: Prepared,
  head: CsvHead,
  { skip = 0, comment }: CsvOptions,
  signal?: AbortSignal,
): Promise<Text> {
  // DuckDB's own `skip` counts rows, and one of its rows goes on until a quote is closed: a title with a quote takes all.
  if (!lineEnds.mixed && comment === undefined && skip === 0)
    return { path, skippedLines: head.blankLines, removed: [] };
  const copy = join(session.folder, `${crypto.randomUUID()}.txt`);
  const { delimiter, quote, blankLines } = head;
  const removed = await mendFile(path, copy, { delimiter, quote, skip, comment }, signal);
  return { path: copy, skippedLines: blankLines, removed };
}

/** Where blanks part the fields, quotes apart are two fields. */
const quoteToWatch = ({ delimiter, quote }: CsvHead): string => (delimiter === " " ? "" : quote);

/**
 * With `maxRejects` of 0 DuckDB refuses such rows, but for one kind, which it reads without its quotes: they are looked
 * for where there are `quotesApart`. To look for them in every file would take a third as long again as the reading.
 */
async function withoutFaultyRows(
  session: Session,
  {
    text,
    head,
    ...sifting
  }: Omit<Sifting, "path" | "shape"> & { readonly text: Text; readonly head: CsvHead },
  quotesApart: boolean,
): Promise<Result<Sifted>> {
  const shape = rowShape(head, text.skippedLines);
  const inFile = (line: number) => originalLine(line, text.removed);
  if (sifting.maxRejects === 0 || !canSift(shape)) {
    const looks = quotesApart && canSift(shape);
    const bad = looks ? await firstMisquoted(text.path, shape, sifting.signal) : undefined;
    if (bad) return fail(atLine({ reason: "bad-row", file: sifting.file, ...bad }, inFile));
    return ok({ path: text.path, rejects: [], lineInFile: inFile });
  }
  const sifted = await siftCsv(session, { ...sifting, path: text.path, shape });
  if (!sifted.ok) return fail(atLine(sifted.error, inFile));
  const { rejects, lineInFile } = sifted.value;
  return ok({
    ...sifted.value,
    rejects: rejects.map((reject) => atLine(reject, inFile)),
    lineInFile: (line) => inFile(lineInFile(line)),
  });
}

/** The same, its line and that of the first reject told as in the file. */
function atLine<Told extends object>(told: Told, inFile: (line: number) => number): Told {
  const { line, first } = told as { line?: number; first?: object };
  return {
    ...told,
    ...(line !== undefined && { line: inFile(line) }),
    ...(first !== undefined && { first: atLine(first, inFile) }),
  };
}

async function linesIn(
  { path, lineInFile }: Sifted,
  shape: RowShape,
  rows: readonly ValuePlace[],
): Promise<readonly (number | undefined)[]> {
  if (!canSift(shape)) return rows.map(() => undefined);
  const lines = await linesOfRows(path, shape, rows);
  return lines.map((line) => line && lineInFile(line));
}

async function wishesFor(
  session: Session,
  file: string,
  names: readonly string[],
  declared: ColumnTypes,
): Promise<Result<readonly Wish[]>> {
  const types = await resolveTypes(session, file, declared, names);
  if (!types.ok) return types;
  const nested = [...types.value].find(([, type]) => isNested(type));
  if (!nested) return ok(names.map((name) => ({ name, declared: types.value.get(name) })));
  const [column, type] = nested;
  return fail({
    reason: "unsupported-type",
    file,
    column,
    type,
    help: "in a CSV it can only be read as VARCHAR",
  });
}

/**
 * Types while the file is still being unpacked, which leaves a processor idle (0.2 of 2.2 s). Only a guess is made of
 * what DuckDB unpacks itself. Nothing where the text has to be decoded or lines go; a failure counts for nothing either,
 * since line ends may still be made one.
 */
async function sampleEarly(
  session: Session,
  file: string,
  head: Buffer,
  dialect: CsvHead,
  csv: CsvOptions,
  wishes: readonly Wish[],
): Promise<Result<readonly SampledColumn[]> | undefined> {
  const isWhole = csv.comment === undefined && (csv.skip ?? 0) === 0;
  if (!isWhole || !isUtf8(head, csv.encoding)) return undefined;
  const packing = magicOf(head) === "gzip" ? "gzip" : "none";
  const reader = { path: file, skippedLines: dialect.blankLines, head: dialect, csv };
  const from = readCsv(reader, packing, sampling);
  return sampleTypes(session, from, wishes, csv, async (message) => ({
    reason: "data-engine",
    file,
    message,
  }));
}

interface Reader extends Pick<Text, "path" | "skippedLines"> {
  readonly head: CsvHead;
  readonly csv: CsvOptions;
}

/** `bare` yields also what has no name, `from` only what has, and fails where the rest is not empty. */
function readersOf(reader: Reader, window: Window): { readonly bare: string; readonly from: string } {
  const bare = readCsv(reader, "none", window);
  const extras = extraNames(reader.head).map(quoteIdentifier);
  if (extras.length === 0) return { bare, from: bare };
  const names = reader.head.names.map(quoteIdentifier).join(", ");
  const isEmpty = extras.map((name) => `coalesce(${name}, '') = ''`).join(" AND ");
  const check = `CASE WHEN ${isEmpty} THEN true ELSE error(${quoteText(fieldTooMany)}) END`;
  return { bare, from: `(SELECT ${names} FROM ${bare} WHERE ${check})` };
}

/** Such as no column of the file has. */
function extraNames({ names, extras }: CsvHead): readonly string[] {
  const taken = new Set(names.map((name) => name.toLowerCase()));
  let prefix = "dmake_extra";
  while ([...taken].some((name) => name.startsWith(prefix))) prefix += "_";
  return Array.from({ length: extras }, (_, index) => `${prefix}${index}`);
}

/**
 * All fields as VARCHAR. `new_line` is never given: with one that the file does not have, DuckDB 1.5.6 reads no rows
 * at all, without a word. `strict_mode = false` is never given either: it drops fields. Nor is `comment`: it drops what
 * follows the character in any line.
 */
function readCsv(
  { path, skippedLines, head, csv }: Reader,
  compression: "none" | "gzip",
  window: Window,
): string {
  const options = {
    auto_detect: "false",
    header: String(head.hasHeader),
    skip: String(skippedLines),
    delim: quoteText(head.delimiter),
    quote: quoteText(head.quote),
    escape: quoteText(head.quote),
    nullstr: `[${["", ...(csv.nulls ?? [])].map(quoteText).join(", ")}]`,
    allow_quoted_nulls: "false",
    strict_mode: "true",
    null_padding: "false",
    ignore_errors: "false",
    compression: quoteText(compression),
    encoding: "'utf-8'",
    max_line_size: String(window.line),
    buffer_size: String(window.buffer),
    hive_partitioning: "false",
    filename: "false",
    union_by_name: "false",
    columns: `{${[...head.names, ...extraNames(head)].map((name) => `${quoteText(name)}: 'VARCHAR'`).join(", ")}}`,
  };
  const list = Object.entries(options).map(([name, value]) => `${name} = ${value}`);
  return `read_csv(${quotePath(path)}, ${list.join(", ")})`;
}
