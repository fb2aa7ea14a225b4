// Reads the beginning of a CSV file: delimiter, header and whether the first rows hold together. Knows nothing of types or of DuckDB.
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { CsvOptions } from "../core/rule.js";
import { type CsvRecord, type Dialect, headRecords, wrongLength } from "./csv-records.js";
import { shown } from "./find-value.js";
import type { Beginning } from "./prepare.js";

export interface CsvHead extends Dialect {
  readonly hasHeader: boolean;
  /** Blanks around them trimmed; all different, also when upper and lower case are taken for the same. */
  readonly names: readonly string[];
  /** How many lines before the first that is not blank. */
  readonly blankLines: number;
}

const recordsRead = 200;

/** Looks at 200 records at most. `file` gives a hint by its name, and is named in failures. */
export function readCsvHead({ text, whole }: Beginning, file: string, csv: CsvOptions): Result<CsvHead> {
  if (text.trim() === "") return fail({ reason: "empty-file", file, expected: "a header and rows" });
  const quote = csv.quote ?? '"';
  const candidates = csv.delimiter === undefined ? delimitersFor(file) : [csv.delimiter];
  const attempts = candidates.map((delimiter) => attempt(text, whole, { delimiter, quote }));
  const best = attempts.reduce((left, right) => (score(right) > score(left) ? right : left));
  if (best.records.length === 0)
    return fail({
      reason: "bad-row",
      file,
      line: 1,
      text: shown(text.split(/\r|\n/)[0]!),
      problem: "a quote is opened and not closed",
    });
  return describe(best, file, csv, blankLinesBefore(text));
}

/** The first of two that fit equally well is taken. */
const delimitersFor = (file: string): readonly string[] =>
  /\.(tsv|tab)(\.\w+)?$/i.test(file) ? ["\t", ",", ";", "|"] : [",", ";", "\t", "|"];

const blankLinesBefore = (text: string): number =>
  /^\uFEFF?((?:\r\n|\n|\r)*)/.exec(text)![1]!.match(/\r\n|\n|\r/g)?.length ?? 0;

interface Attempt extends Dialect {
  readonly records: readonly CsvRecord[];
  readonly problem?: string;
}

function attempt(text: string, whole: boolean, dialect: Dialect): Attempt {
  const { records, problem } = headRecords(text, dialect, recordsRead);
  // The last record of a head that is cut is cut too. Its quote may close behind the end, so that is no problem either.
  const cut = !whole && records.length < recordsRead && problem === undefined;
  return { ...dialect, records: cut ? records.slice(0, -1) : records, ...(problem && { problem }) };
}

/** More than one column beats one; then the share of rows as long as the first; then the number of columns. */
function score({ records }: Attempt): number {
  const columns = records[0]?.fields.length;
  if (columns === undefined) return -1;
  if (columns === 1) return records.some(({ fields }) => fields.length > 1) ? 0.5 : 0;
  const alike = records.filter(({ fields }) => fields.length === columns).length / records.length;
  return 1 + alike + columns / 1e6;
}

function describe(best: Attempt, file: string, csv: CsvOptions, blankLines: number): Result<CsvHead> {
  const [first, ...rows] = best.records;
  const { fields, line, text } = first!;
  const odd = rows.find((row) => row.fields.length !== fields.length);
  if (odd) return fail(wrongLength(file, odd, fields.length));
  const hasHeader = csv.header ?? true;
  const names = fields.map((name, index) => (hasHeader ? name.trim() : `column${index}`));
  const problem = csv.header === undefined ? looksLikeData(names) : undefined;
  if (problem) return fail({ reason: "bad-row", file, line, text: shown(text), problem });
  const wrong = wrongName(names, file, first!);
  if (wrong) return fail(wrong);
  return ok({ delimiter: best.delimiter, quote: best.quote, hasHeader, names, blankLines });
}

/** A first row that holds values would be lost as a header, without a word. */
function looksLikeData(names: readonly string[]): string | undefined {
  const isValue = /^[+-]?[\d.,]*\d[\d.,]*(e[+-]?\d+)?$|^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?$/i;
  const value = names.find((name) => isValue.test(name));
  if (value === undefined) return undefined;
  return `the first row holds \`${value}\`, which looks like data: say \`csv: { header: true }\` or \`csv: { header: false }\``;
}

function wrongName(names: readonly string[], file: string, { line, text }: CsvRecord): Failure | undefined {
  const seen = new Set<string>();
  for (const [index, name] of names.entries()) {
    if (name === "" || name.includes("\0")) {
      const problem = `the name of column ${index + 1} ${name === "" ? "is empty" : "holds a NUL"}`;
      return { reason: "bad-row", file, line, text: shown(text), problem };
    }
    // DuckDB takes `A` and `a` for one name, and would call the second `A_1` without a word.
    if (seen.has(name.toLowerCase())) return { reason: "duplicate-column", file, column: name };
    seen.add(name.toLowerCase());
  }
  return undefined;
}
