// A CSV's records one by one, each with the physical line it begins on, by csv-parse. Knows nothing of types or of DuckDB. For heads and post-mortems: 12 times slower than DuckDB.
import { createReadStream } from "node:fs";
import { CsvError, type Options, parse } from "csv-parse";
import { parse as parseSync } from "csv-parse/sync";
import type { DataFailure } from "../core/failure-data.js";
import { mendStream, mendText, originalLine } from "./csv-mend.js";
import { shown } from "./find-value.js";

export interface Dialect {
  readonly delimiter: string;
  /** Empty where no character quotes. */
  readonly quote: string;
}

export interface CsvRecord {
  readonly fields: readonly string[];
  /** Perhaps without blanks around its quoted fields. */
  readonly text: string;
  /** Counts from 1: the physical line on which it begins. */
  readonly line: number;
  /** As it is; empty at the end of a file. */
  readonly lineEnd: string;
}

/** Where the records of a text are. */
export interface Layout {
  /** So many physical lines before the first record are none, whatever is in them. */
  readonly skippedLines: number;
  /** Lines of the file, counted from 1, that the text has no more. */
  readonly removed: readonly number[];
}

/**
 * How csv-parse has to be told to see the records that DuckDB sees. In a single column a blank line is a value. It would
 * trim any number of blanks before a quote, where DuckDB lets one pass, so they have to be gone already.
 */
function optionsFor(dialect: Dialect, columns: number): Options {
  const quote = dialect.quote === "" ? null : dialect.quote;
  return {
    bom: true,
    delimiter: dialect.delimiter,
    quote,
    escape: quote,
    record_delimiter: ["\r\n", "\n", "\r"],
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: columns > 1,
    raw: true,
  };
}

interface RawRecord {
  readonly record: readonly string[];
  readonly raw: string;
}

/** Counts lines itself: csv-parse takes a CRLF inside quotes for two. */
class Numbering {
  #lines: number;
  readonly #removed: readonly number[];

  constructor({ skippedLines, removed }: Layout) {
    this.#lines = skippedLines;
    this.#removed = removed;
  }

  number({ record, raw }: RawRecord): CsvRecord {
    const blank = /^([\r\n]*)[^\r\n]/.exec(raw)?.[1] ?? "";
    const line = originalLine(this.#lines + countLineEnds(blank) + 1, this.#removed);
    this.#lines += countLineEnds(raw);
    return {
      fields: record,
      text: raw.replace(/^[\r\n]+|[\r\n]+$/g, ""),
      line,
      lineEnd: /\r?\n$|\r$/.exec(raw)?.[0] ?? "",
    };
  }
}

const countLineEnds = (text: string): number => text.match(/\r\n|\n|\r/g)?.length ?? 0;

/** The records that begin `text`, which lacks the skipped lines, at most `limit`; an unclosed quote ends them, and says so in `problem`. */
export function headRecords(
  text: string,
  dialect: Dialect,
  layout: Layout,
  limit: number,
): { readonly records: readonly CsvRecord[]; readonly problem?: string } {
  const records: CsvRecord[] = [];
  const numbering = new Numbering(layout);
  const take = (record: unknown) => {
    records.push(numbering.number(record as RawRecord));
    return null;
  };
  const { delimiter, quote } = dialect;
  const hasBlanks = quote !== "" && (text.includes(` ${quote}`) || text.includes(`${quote} `));
  const tight = hasBlanks
    ? mendText(text, { delimiter, quote, skip: 0, comment: undefined, tight: true }).text
    : text;
  try {
    parseSync(tight, { ...optionsFor(dialect, 2), to: limit, on_record: take });
    return { records };
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return { records, problem: error.message.slice(0, 1).toLowerCase() + error.message.slice(1) };
  }
}

/** All records of a file, header included; an unclosed quote ends them. */
export async function* fileRecords(
  path: string,
  dialect: Dialect,
  layout: Layout,
  columns: number,
): AsyncGenerator<CsvRecord> {
  const numbering = new Numbering(layout);
  const { delimiter, quote } = dialect;
  const skip = layout.skippedLines;
  const parser = createReadStream(path)
    .pipe(mendStream({ delimiter, quote, skip, comment: undefined, tight: true }))
    .pipe(parse(optionsFor(dialect, columns)));
  try {
    for await (const record of parser) yield numbering.number(record as RawRecord);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
  }
}

/** The first `count` lines of `text` left out. Nothing where there are no more. */
export function textAfterLines(text: string, count: number): string {
  const lines = /\r\n|\n|\r/g;
  for (let left = count; left > 0; left--) if (lines.exec(text) === null) return "";
  return text.slice(lines.lastIndex);
}

/** How many fields a row has: those with names, and then some that must be empty. */
export interface Width {
  readonly columns: number;
  readonly extras: number;
}

export const isOdd = ({ fields }: CsvRecord, { columns, extras }: Width): boolean =>
  fields.length !== columns + extras || fields.slice(columns).some((field) => field !== "");

export function wrongLength(file: string, row: CsvRecord, { columns, extras }: Width): DataFailure {
  const { fields, text, line } = row;
  const found = `it has ${fields.length} ${fields.length === 1 ? "field" : "fields"}`;
  const wanted = extras > 0 ? `the others have ${columns + extras}` : `the first row has ${columns}`;
  const problem =
    fields.length === columns + extras
      ? `${found}, and those beyond the ${columns} names are not empty`
      : `${found} where ${wanted}`;
  return { reason: "bad-row", file, line, text: shown(text), problem };
}
