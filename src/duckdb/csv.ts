// A CSV file as a Source: DuckDB reads every field as text, in strict mode and without guessing, and SQL checks each value. Knows nothing of where rows go.
import { join } from "node:path";
import { badCsvOption } from "../core/csv-options.js";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { magicOf } from "../core/magic.js";
import type { ColumnTypes, CsvOptions } from "../core/rule.js";
import { explainCsv } from "./csv-diagnose.js";
import { type CsvHead, readCsvHead, rowShape } from "./csv-head.js";
import { mendFile, originalLine } from "./csv-mend.js";
import { readCsv, readersOf } from "./csv-reader.js";
import { Spellings } from "./csv-spelling.js";
import { longestRow, sampling, windowFor } from "./csv-window.js";
import { resolveTypes } from "./declared.js";
import { checked, type TypedColumn, type ValuePlace } from "./find-value.js";
import { lineLongerThan } from "./line-ends.js";
import { firstText, isUtf8, type Prepared, prepareText, type Unpacked } from "./prepare.js";
import { type SampledColumn, sampleTypes, type Wish } from "./sample.js";
import type { Session } from "./session.js";
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
  const spellings = spellingsOf(dialect.value, csv);
  const [prepared, early] = await Promise.all([
    prepareText(session, packed, head, csv.encoding, {
      signal,
      quote: quoteToWatch(dialect.value),
      spellings,
    }),
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
  const looked = sifted.value.path === plain ? spellings : undefined;
  const spelled = columns.value.map((column, at) => asSpelled(column, looked?.isPlain(at, column.reading)));
  return ok({
    file,
    format: "csv",
    columns: columns.value.map(({ name, reading, unseen }) => ({
      name,
      type: reading.type,
      ...(unseen && { unseen }),
    })),
    select: `SELECT ${spelled.map(checked).join(", ")} FROM ${looked ? readCsv(reader, "none", window, spelled) : from}`,
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

/** Nothing where lines may be no rows, or fields be no columns. */
function spellingsOf(head: CsvHead, { skip = 0, comment }: CsvOptions): Spellings | undefined {
  const shape = rowShape(head, 0);
  const isWhole = skip === 0 && comment === undefined && head.blankLines === 0 && head.extras === 0;
  return isWhole && canSift(shape) ? new Spellings(shape) : undefined;
}

/** DuckDB reads a column as what it is where all its values are plainly spelled: it takes half the time that text and its checks do. */
const asSpelled = (column: TypedColumn, isPlain = false): TypedColumn =>
  isPlain ? { ...column, stored: column.reading.type } : column;

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
