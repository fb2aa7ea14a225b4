// A CSV file as a Source: DuckDB reads every field as text, in strict mode and without guessing, and SQL checks each value. Knows nothing of where rows go.
import { join } from "node:path";
import { fail, ok, type Result } from "../core/failure.js";
import { magicOf } from "../core/magic.js";
import type { ColumnTypes, CsvOptions } from "../core/rule.js";
import { explainCsv } from "./csv-diagnose.js";
import { type CsvHead, readCsvHead } from "./csv-head.js";
import { resolveTypes } from "./declared.js";
import { checked, type TypedColumn } from "./find-value.js";
import { unifyLineEnds } from "./line-ends.js";
import { firstText, isUtf8, type Prepared, prepareText } from "./prepare.js";
import { sampleTypes, type Wish } from "./sample.js";
import { quotePath, quoteText, type Session } from "./session.js";
import type { Source, SourceOptions } from "./source.js";
import { isNested } from "./text-checks.js";

/** How much of a file DuckDB looks at at once: `line` bounds the longest row. */
interface Window {
  readonly line: number;
  readonly buffer: number;
}

/**
 * DuckDB's default of 2 MB a line is too short for some geometries. Its buffer would be 16 lines of the longest kind:
 * so large that one thread gets all of a small file (20 % slower).
 */
const reading: Window = { line: 8_000_000, buffer: 32_000_000 };
/** A large buffer is unpacked whole for a few rows of it: 150 ms instead of 50. */
const sampling: Window = { line: 2_000_000, buffer: 4_000_000 };

/**
 * Opens a CSV file. Its columns are named by the header, blanks around names trimmed. Types come from the first
 * 20,480 rows unless `columns` gives them; where a later value does not fit, reading fails with its line. A column
 * without any value in the sample is VARCHAR. An unquoted empty field is null, `""` is the empty text.
 *
 * Refused are rows with too many or too few fields. One thing passes: an empty field too many at the very end of a
 * row beyond the first 200, which DuckDB takes for a stray delimiter.
 */
export async function openCsv(
  session: Session,
  file: string,
  head: Buffer,
  options: SourceOptions,
): Promise<Result<Source>> {
  const { csv, signal } = options;
  const beginning = await firstText(file, head, csv.encoding);
  if (!beginning.ok) return beginning;
  const dialect = readCsvHead(beginning.value, file, csv);
  if (!dialect.ok) return dialect;
  const wishes = await wishesFor(session, file, dialect.value.names, options.columns);
  if (!wishes.ok) return wishes;
  const [prepared, early] = await Promise.all([
    prepareText(session, file, head, csv.encoding, signal),
    sampleEarly(session, file, head, dialect.value, csv, wishes.value),
  ]);
  if (!prepared.ok) return prepared;
  const path = await withOneLineEnd(session, prepared.value, dialect.value, signal);
  const from = readCsv(path, "none", dialect.value, csv, reading);
  const explain = (columns: readonly TypedColumn[]) => (error: unknown) =>
    explainCsv(session, { file, path, head: dialect.value, from, columns }, error);
  const columns = early?.ok ? early : await sampleTypes(session, from, wishes.value, csv, explain([]));
  if (!columns.ok) return columns;
  return ok({
    file,
    format: "csv",
    columns: columns.value.map(({ name, reading }) => ({ name, type: reading.type })),
    select: `SELECT ${columns.value.map(checked).join(", ")} FROM ${from}`,
    rows: undefined,
    explain: explain(columns.value),
  });
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
 * what DuckDB unpacks itself. Nothing where the text has to be decoded; a failure counts for nothing either, since line
 * ends may still be made one.
 */
async function sampleEarly(
  session: Session,
  file: string,
  head: Buffer,
  dialect: CsvHead,
  csv: CsvOptions,
  wishes: readonly Wish[],
): Promise<Result<readonly TypedColumn[]> | undefined> {
  if (!isUtf8(head, csv.encoding)) return undefined;
  const magic = magicOf(head);
  const from = readCsv(file, magic === "gzip" || magic === "zstd" ? magic : "none", dialect, csv, sampling);
  return sampleTypes(session, from, wishes, csv, async (message) => ({
    reason: "data-engine",
    file,
    message,
  }));
}

async function withOneLineEnd(
  session: Session,
  { path, lineEnds }: Prepared,
  head: CsvHead,
  signal?: AbortSignal,
): Promise<string> {
  if (!lineEnds.mixed) return path;
  const copy = join(session.folder, `${crypto.randomUUID()}.txt`);
  await unifyLineEnds(path, copy, head, signal);
  return copy;
}

type Packing = "none" | "gzip" | "zstd";

/**
 * All fields as VARCHAR. `new_line` is never given: with one that the file does not have, DuckDB 1.5.6 reads no rows
 * at all, without a word. `strict_mode = false` is never given either: it drops fields.
 */
function readCsv(path: string, compression: Packing, head: CsvHead, csv: CsvOptions, window: Window): string {
  const options = {
    auto_detect: "false",
    header: String(head.hasHeader),
    skip: String(head.blankLines),
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
    columns: `{${head.names.map((name) => `${quoteText(name)}: 'VARCHAR'`).join(", ")}}`,
  };
  const list = Object.entries(options).map(([name, value]) => `${name} = ${value}`);
  return `read_csv(${quotePath(path)}, ${list.join(", ")})`;
}
