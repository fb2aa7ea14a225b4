// A CSV's records one by one, each with the physical line it begins on, by csv-parse. Knows nothing of types or of DuckDB. For heads and post-mortems: 12 times slower than DuckDB.
import { createReadStream } from "node:fs";
import { CsvError, type Options, parse } from "csv-parse";
import { parse as parseSync } from "csv-parse/sync";
import type { DataFailure } from "../core/failure-data.js";
import { shown } from "./find-value.js";

export interface Dialect {
  readonly delimiter: string;
  /** Empty where no character quotes. */
  readonly quote: string;
}

export interface CsvRecord {
  readonly fields: readonly string[];
  readonly text: string;
  /** Counts from 1: the physical line on which it begins. */
  readonly line: number;
}

/** How csv-parse has to be told to see the records that DuckDB sees. In a single column a blank line is a value. */
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
  #lines = 0;

  number({ record, raw }: RawRecord): CsvRecord {
    const blank = /^([\r\n]*)[^\r\n]/.exec(raw)?.[1] ?? "";
    const line = this.#lines + countLineEnds(blank) + 1;
    this.#lines += countLineEnds(raw);
    return { fields: record, text: raw.replace(/^[\r\n]+|[\r\n]+$/g, ""), line };
  }
}

const countLineEnds = (text: string): number => text.match(/\r\n|\n|\r/g)?.length ?? 0;

/** The records that begin `text`, at most `limit`; an unclosed quote ends them, and says so in `problem`. */
export function headRecords(
  text: string,
  dialect: Dialect,
  limit: number,
): { readonly records: readonly CsvRecord[]; readonly problem?: string } {
  const records: CsvRecord[] = [];
  const numbering = new Numbering();
  const take = (record: unknown) => {
    records.push(numbering.number(record as RawRecord));
    return null;
  };
  try {
    parseSync(text, { ...optionsFor(dialect, 2), to: limit, on_record: take });
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
  columns: number,
): AsyncGenerator<CsvRecord> {
  const numbering = new Numbering();
  const parser = createReadStream(path).pipe(parse(optionsFor(dialect, columns)));
  try {
    for await (const record of parser) yield numbering.number(record as RawRecord);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
  }
}

export function wrongLength(file: string, { fields, text, line }: CsvRecord, expected: number): DataFailure {
  const problem = `it has ${fields.length} ${fields.length === 1 ? "field" : "fields"} where the first row has ${expected}`;
  return { reason: "bad-row", file, line, text: shown(text), problem };
}
