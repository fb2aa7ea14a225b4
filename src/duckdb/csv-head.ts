// Reads the beginning of a CSV file: delimiter, names and whether the first rows hold together. Knows nothing of types or of DuckDB.
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { CsvOptions, Renames } from "../core/rule.js";
import { mendText, originalLine } from "./csv-mend.js";
import {
  type CsvRecord,
  type Dialect,
  headRecords,
  isOdd,
  textAfterLines,
  type Width,
  wrongLength,
} from "./csv-records.js";
import { renamedColumns } from "./declared.js";
import { shown } from "./find-value.js";
import type { Beginning } from "./prepare.js";
import { canSift } from "./sift-csv.js";
import { RowScanner, type RowShape, type RowSpan } from "./sift-scan.js";

export interface CsvHead extends Dialect {
  readonly hasHeader: boolean;
  /** Blanks around them trimmed; all different, also when upper and lower case are taken for the same. */
  readonly names: readonly string[];
  /** How many empty fields every row has beyond those that have names. */
  readonly extras: number;
  /** How many lines before the first that is not blank, of those that are neither skipped nor comments. */
  readonly blankLines: number;
  /** How many rows of data were looked at. */
  readonly rowsSeen: number;
}

/** What tells the rows apart of a text whose first `skippedLines` are none. */
export const rowShape = (head: CsvHead, skippedLines: number): RowShape => ({
  delimiter: head.delimiter,
  quote: head.quote,
  skippedLines,
  hasHeader: head.hasHeader,
  columns: head.names.length + head.extras,
  strictRows: head.rowsSeen,
});

const recordsRead = 200;

/** How much of a head is looked at. */
export interface HeadCheck {
  /** Rows of other lengths than the first are somebody else's to judge. */
  readonly rowsMayDiffer: boolean;
}

export interface HeadOptions extends HeadCheck {
  readonly csv: CsvOptions;
  readonly rename?: Renames | undefined;
}

/** Looks at 200 records at most. `file` gives a hint by its name, and is named in failures. */
export function readCsvHead(
  { text: all, whole }: Beginning,
  file: string,
  { csv, rename = {}, rowsMayDiffer }: HeadOptions,
): Result<CsvHead> {
  const text = textAfterLines(all, csv.skip ?? 0);
  if (text.trim() === "") return fail(withoutLines(file, whole, csv));
  const candidates = csv.delimiter === undefined ? delimitersFor(file) : [csv.delimiter];
  const attempts = candidates.map((delimiter) => attempt(text, whole, delimiter, csv, rowsMayDiffer));
  const best = attempts.reduce((left, right) => (score(right) > score(left) ? right : left));
  if (best.records.length > 0) return describe(best, file, { csv, rename, rowsMayDiffer });
  if (best.text.trim() === "") return fail(withoutLines(file, whole, csv));
  return fail({
    reason: "bad-row",
    file,
    line: originalLine(1 + best.blankLines, best.removed) + (csv.comment === undefined ? (csv.skip ?? 0) : 0),
    text: shown(best.text.trim().split(/\r|\n/)[0]!),
    problem: whole || best.problem ? "a quote is opened and not closed" : "it is longer than 256 kB",
  });
}

function withoutLines(file: string, whole: boolean, { skip = 0, comment }: CsvOptions): Failure {
  if (!whole) {
    const problem = "the first 256 kB hold no row: are `csv.skip` and `csv.comment` right?";
    return { reason: "bad-row", file, problem };
  }
  const left = [...(skip > 0 ? [`the ${skip} skipped lines`] : []), ...(comment ? ["comments"] : [])];
  const besides = left.length > 0 ? ` besides ${left.join(" and ")}` : "";
  return { reason: "empty-file", file, expected: `a header and rows${besides}` };
}

/** The first of two that fit equally well is taken. */
const delimitersFor = (file: string): readonly string[] =>
  /\.(tsv|tab)(\.\w+)?$/i.test(file) ? ["\t", ",", ";", "|"] : [",", ";", "\t", "|"];

const blankLinesBefore = (text: string): number =>
  /^\uFEFF?((?:\r\n|\n|\r)*)/.exec(text)![1]!.match(/\r\n|\n|\r/g)?.length ?? 0;

interface Attempt extends Dialect {
  readonly records: readonly CsvRecord[];
  /** Without skipped lines and comments. */
  readonly text: string;
  readonly removed: readonly number[];
  readonly blankLines: number;
  readonly problem?: string;
}

function attempt(
  text: string,
  whole: boolean,
  delimiter: string,
  csv: CsvOptions,
  rowsMayDiffer: boolean,
): Attempt {
  const { quote = '"', comment, skip = 0 } = csv;
  const dialect = { delimiter, quote };
  const mended =
    comment === undefined ? { text, removed: [] } : mendText(text, { ...dialect, comment, skip: 0 });
  const removed = mended.removed.map((line) => line + skip);
  const right = rowsMayDiffer ? withoutBroken(mended.text, dialect, csv) : { text: mended.text, lines: [] };
  const layout = {
    skippedLines: skip,
    removed: [...removed, ...right.lines.map((line) => originalLine(line + skip, removed))].sort(
      (a, b) => a - b,
    ),
  };
  const { records, problem } = headRecords(right.text, dialect, layout, recordsRead);
  // The last record of a head that is cut is cut too. Its quote may close behind the end, so that is no problem either.
  const cut = !whole && records.length < recordsRead && problem === undefined;
  return {
    ...dialect,
    ...mended,
    removed,
    blankLines: blankLinesBefore(mended.text),
    records: cut ? records.slice(0, -1) : records,
    ...(problem && { problem }),
  };
}

interface Shortened {
  readonly text: string;
  /** Those that went, counted from 1. */
  readonly lines: readonly number[];
}

/** Without the rows in which text follows a closing quote: they will be set aside, and how many fields they have nobody can tell. */
function withoutBroken(text: string, dialect: Dialect, { header = true }: CsvOptions): Shortened {
  const shape = { ...dialect, skippedLines: 0, hasHeader: header, columns: 2 };
  if (dialect.quote === "" || !canSift(shape)) return { text, lines: [] };
  const broken: RowSpan[] = [];
  const scanner = new RowScanner(shape, {
    every: (row) => {
      if (row.broken) broken.push(row);
    },
  });
  const bytes = Buffer.from(text);
  scanner.scan(bytes);
  scanner.end();
  if (broken.length === 0 || broken.length === scanner.rows) return { text, lines: [] };
  const starts = [0, ...broken.map(({ end }) => end)];
  const pieces = starts.map((start, at) => bytes.subarray(start, broken[at]?.start));
  const lines = broken.flatMap((row) => Array.from({ length: row.lines }, (_, at) => row.line + at));
  return { text: Buffer.concat(pieces).toString(), lines };
}

/** More than one column beats one; then the share of rows as long as the first, or all longer alike; then the number of columns. */
function score({ records }: Attempt): number {
  const columns = records[0]?.fields.length;
  if (columns === undefined) return -1;
  if (columns === 1) return records.some(({ fields }) => fields.length > 1) ? 0.5 : 0;
  const usual = Math.max(columns, records[1]?.fields.length ?? 0);
  const alike = records.filter(({ fields }) => fields.length === columns || fields.length === usual).length;
  return 1 + alike / records.length + columns / 1e6;
}

function describe(
  best: Attempt,
  file: string,
  { csv, rename = {}, rowsMayDiffer }: HeadOptions,
): Result<CsvHead> {
  const first = best.records[0]!;
  const hasHeader = csv.header ?? true;
  const found = first.fields.map((name, index) => (hasHeader ? name.trim() : `column${index}`));
  const problem = csv.header === undefined ? looksLikeData(found) : undefined;
  if (problem) return fail({ reason: "bad-row", file, line: first.line, text: shown(first.text), problem });
  const names = csv.names?.map((name) => name.trim()) ?? found;
  const rows = hasHeader ? best.records.slice(1) : best.records;
  const extras = extrasOf(rows, names.length);
  const odd = rowsMayDiffer ? undefined : oddRow(file, rows, { columns: names.length, extras }, hasHeader);
  if (odd) return fail(odd);
  const wrong = wrongName(names, file, first);
  if (wrong) return fail(wrong);
  // `Object.hasOwn`: a column may be called `constructor`.
  const renamed = renamedColumns(names, rename);
  const twice = wrongName(renamed, file, first);
  if (twice) return fail(twice);
  const { delimiter, quote, blankLines } = best;
  return ok({ delimiter, quote, hasHeader, names: renamed, extras, blankLines, rowsSeen: rows.length });
}

/** The TLC's months of 2013 to 2016 have two empty fields too many in every row. Here in most: the last row may be cut. */
function extrasOf(rows: readonly CsvRecord[], columns: number): number {
  const usual = usualLength(rows);
  const alike = rows.filter(({ fields }) => fields.length === usual);
  const empty = alike.filter(({ fields }) => fields.slice(columns).every((field) => field === ""));
  return usual > columns && empty.length * 2 > alike.length ? usual - columns : 0;
}

/** Of most rows; of several as frequent lengths the one that comes first. */
function usualLength(rows: readonly CsvRecord[]): number {
  const counts = new Map<number, number>();
  for (const { fields } of rows) counts.set(fields.length, (counts.get(fields.length) ?? 0) + 1);
  return [...counts].reduce((best, one) => (one[1] > best[1] ? one : best), [0, 0])[0];
}

function oddRow(
  file: string,
  rows: readonly CsvRecord[],
  width: Width,
  hasHeader: boolean,
): Failure | undefined {
  const odd = rows.find((row) => isOdd(row, width));
  if (!odd) return undefined;
  const { length } = odd.fields;
  const { columns, extras } = width;
  // Not a stray row but a header that does not name all there is.
  if (
    length <= columns ||
    extras > 0 ||
    rows.length === 1 ||
    rows.some(({ fields }) => fields.length !== length)
  )
    return wrongLength(file, odd, width);
  const problem = `it has ${length} fields, as all rows have, where there are ${columns} names: give all names with \`csv: { header: ${hasHeader}, names: […] }\``;
  return { reason: "bad-row", file, line: odd.line, text: shown(odd.text), problem };
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
      const problem = `the name of column ${index + 1} ${name === "" ? "is empty" : "holds a NUL"}: give all names with \`csv: { header: true, names: ${namesToPaste(names)} }\``;
      return { reason: "bad-row", file, line, text: shown(text), problem };
    }
    // DuckDB takes `A` and `a` for one name, and would call the second `A_1` without a word.
    if (seen.has(name.toLowerCase()))
      return {
        reason: "duplicate-column",
        file,
        column: name,
        help: `give all names with \`csv: { header: true, names: ${namesToPaste(names)} }\``,
      };
    seen.add(name.toLowerCase());
  }
  return undefined;
}

const mostPasted = 30;

/** All names in order, those that are missing or come twice made up. */
function namesToPaste(names: readonly string[]): string {
  const taken = new Set(names.map((name) => name.toLowerCase()));
  const seen = new Set<string>();
  const whole = names.map((name, index) => {
    let unique = name === "" ? `column${index + 1}` : name.replaceAll("\0", "");
    for (
      let count = 2;
      seen.has(unique.toLowerCase()) || (name === "" && taken.has(unique.toLowerCase()));
      count++
    )
      unique = `${name || `column${index + 1}`}_${count}`;
    seen.add(unique.toLowerCase());
    return unique;
  });
  const shownNames = whole.slice(0, mostPasted).map((name) => JSON.stringify(name));
  return `[${shownNames.join(", ")}${whole.length > mostPasted ? ", …" : ""}]`;
}
