// SQL that turns a text into a typed value, or into null where the text is not exactly a value of that type. Knows nothing of files or columns.
import { type Digits, plainNumber } from "./number-text.js";
import { quoteText } from "./session.js";

/** How a text may spell a value. */
export interface Reading {
  /** As DuckDB spells it. */
  readonly type: string;
  /**
   * `sampled`: the type was guessed from the first rows, so a text whose spelling would be lost (`007`, digits beyond
   * what a double keeps) is refused. `declared`: a person chose the type, so any spelling of a value of it will do.
   */
  readonly chosen: "sampled" | "declared";
  /** As strptime, for dates and timestamps not written as in ISO 8601. */
  readonly format?: string;
  /** For numbers not written as `1234.5`. */
  readonly digits?: Digits;
}

const integers =
  /^(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|UTINYINT|USMALLINT|UINTEGER|UBIGINT|UHUGEINT|BIGNUM)$/;
const secondDigits: Readonly<Record<string, number>> = {
  TIMESTAMP: 6,
  TIMESTAMP_S: 0,
  TIMESTAMP_MS: 3,
  TIMESTAMP_NS: 9,
};

export const isNested = (type: string): boolean => /\]$|^(STRUCT|MAP|UNION)\(|^VARIANT$/.test(type);

/**
 * SQL for `written` (itself SQL of a VARCHAR) read as `reading` says; null where the text is no value of the type, or where
 * the value would be rounded, cut or overflow. DuckDB's own casts are no check: they take `0.5`, `1_000` and `0x10` for
 * integers, drop the time in `'2021-01-05 10:00'::DATE` and the offset in `'… 10:00+02'::TIMESTAMP`, and cut the
 * seventh digit of a second.
 *
 * Each is a CASE whose first branch is cheap and holds for canonical spellings; only what fails it meets a regular
 * expression (1.3M rows of 18 columns: 3.0 s of CPU in all, 2.0 s unchecked).
 */
export function valueSql(written: string, reading: Reading): string {
  const { type, chosen, format, digits } = reading;
  if (type === "VARCHAR") return written;
  const text = digits ? plainNumber(written, digits) : written;
  if (integers.test(type)) return integer(text, type, chosen);
  if (type === "DOUBLE" || type === "FLOAT") return double(text, type, chosen);
  const decimal = /^DECIMAL\(\d+,\s*(\d+)\)$/.exec(type);
  if (decimal)
    return matching(text, `[+-]?(\\d+(\\.\\d{0,${decimal[1]}}0*)?|\\.\\d{1,${decimal[1]}}0*)`, type);
  if (format !== undefined && type === "DATE") return dateByFormat(text, format);
  if (format !== undefined && type.startsWith("TIMESTAMP"))
    return cast(`try_strptime(${text}, ${quoteText(format)})`, type);
  if (type === "DATE") return canonical(text, type, chosen === "sampled" ? undefined : day("[-/]"));
  if (secondDigits[type] !== undefined) return canonical(text, type, instant(chosen, secondDigits[type], ""));
  if (type === "TIMESTAMP WITH TIME ZONE") return matching(text, instant(chosen, 6, offset(chosen)), type);
  if (type === "TIME") return canonical(text, type, clock(6));
  if (type === "BOOLEAN" && chosen === "sampled")
    return `CASE WHEN lower(${text}) IN ('true', 'false') THEN ${cast(text, type)} END`;
  return cast(text, type);
}

const cast = (text: string, type: string): string => `TRY_CAST(${text} AS ${type})`;

/** RE2. Blanks around a value are no part of it. */
const fits = (text: string, pattern: string): string =>
  `regexp_full_match(${text}, ${quoteText(`\\s*(${pattern})\\s*`)})`;

const matching = (text: string, pattern: string, type: string): string =>
  `CASE WHEN ${fits(text, pattern)} THEN ${cast(`trim(${text})`, type)} END`;

/** A text that comes back the same from its value has lost nothing; another must fit `pattern`. */
function canonical(text: string, type: string, pattern: string | undefined): string {
  const same = `CAST(${cast(text, type)} AS VARCHAR) = ${text}`;
  const other =
    pattern === undefined ? "" : ` WHEN ${fits(text, pattern)} THEN ${cast(`trim(${text})`, type)}`;
  return `CASE WHEN ${same} THEN ${cast(text, type)}${other} END`;
}

function integer(text: string, type: string, chosen: Reading["chosen"]): string {
  return canonical(text, type, chosen === "sampled" ? "-?(0|[1-9]\\d*)" : "[+-]?\\d+(\\.0*)?");
}

/** Integers up to here are all doubles; beyond, the last digit may be another. */
const exactBelow = "9007199254740992";

function double(text: string, type: string, chosen: Reading["chosen"]): string {
  const value = cast(text, type);
  const plain = chosen === "sampled" ? sampledDouble : "[+-]?(\\d+(\\.\\d*)?|\\.\\d+)([eE][+-]?\\d+)?";
  const spelled = "[+-]?(?i:nan|inf|infinity)";
  return (
    `CASE WHEN abs(${value}) < ${type === "FLOAT" ? "1e38" : exactBelow} AND ${text} >= '-' AND NOT contains(${text}, '_')` +
    `${chosen === "sampled" ? ` AND NOT ${text} BETWEEN '00' AND '0:'` : ""}` +
    ` THEN ${value} WHEN ${fits(text, plain)} THEN CASE WHEN isfinite(${value}) THEN ${value} END` +
    ` WHEN ${fits(text, spelled)} THEN ${value} END`
  );
}

/** No zero in front that would be lost, and no more than 15 digits before the point unless there is an exponent. */
const sampledDouble =
  "[+-]?((0|[1-9]\\d{0,14})(\\.\\d*)?|\\.\\d+|((0|[1-9]\\d*)(\\.\\d*)?|\\.\\d+)[eE][+-]?\\d+)";

const day = (separator: string): string => `\\d{4,6}${separator}\\d{1,2}${separator}\\d{1,2}`;

const clock = (digits: number): string => `\\d{1,2}:\\d{2}(:\\d{2}(\\.\\d{0,${digits}}0*)?)?`;

const instant = (chosen: Reading["chosen"], digits: number, zone: string): string =>
  `${day(chosen === "sampled" ? "-" : "[-/]")}([ T]${clock(digits)}${zone})${chosen === "sampled" && zone ? "" : "?"}`;

const offset = (chosen: Reading["chosen"]): string =>
  `( ?(Z|UTC|[+-]\\d{2}(:?\\d{2})?))${chosen === "sampled" ? "" : "?"}`;

/** Nothing where the format brings a time of day that a date would lose. */
function dateByFormat(text: string, format: string): string {
  const instant = `try_strptime(${text}, ${quoteText(format)})`;
  return `CASE WHEN CAST(CAST(${instant} AS DATE) AS TIMESTAMP) = ${instant} THEN CAST(${instant} AS DATE) END`;
}

/**
 * SQL for `value`, which is of type `from`, as `to`; null where it would not come back the same: `0.5` as BIGINT, a
 * nanosecond as TIMESTAMP, 2^53 + 1 as DOUBLE. Bytes become text only where they are UTF-8.
 */
export function recastSql(value: string, from: string, to: string): string {
  if (from === "BLOB" && to === "VARCHAR") return `TRY(decode(${value}))`;
  const there = cast(value, to);
  return `CASE WHEN ${cast(there, from)} IS NOT DISTINCT FROM ${value} THEN ${there} END`;
}

/** What is wrong with a text that `valueSql` refuses, where it can be told. */
export function problemOf(text: string, { type, chosen, format }: Reading): string | undefined {
  if (format !== undefined) return `it does not fit the format ${format}`;
  if (integers.test(type)) {
    if (chosen === "sampled" && /^\s*[+-]?0\d+\s*$/.test(text)) return "the zero in front would be lost";
    if (chosen === "sampled" && /^\s*\+\d+\s*$/.test(text)) return "the plus in front would be lost";
    if (/^\s*[+-]?\d+\s*$/.test(text)) return "it is out of range";
    if (/^\s*[+-]?\d*\.\d*\s*$/.test(text)) return "it is not a whole number";
  }
  if (/^(DOUBLE|FLOAT)$/.test(type)) {
    if (/^\s*[+-]?0\d/.test(text)) return "the zero in front would be lost";
    if (/^\s*[+-]?\d{16,}(\.\d*)?\s*$/.test(text)) return "it has more digits than a DOUBLE keeps";
    if (/^\s*[+-]?[\d.]+[eE]\+?\d+\s*$/.test(text)) return "it is out of range";
  }
  if (type.startsWith("DECIMAL") && /^\s*[+-]?\d*\.?\d*\s*$/.test(text))
    return "it would be rounded or is out of range";
  if (type.startsWith("TIME") && /\.\d{7,}/.test(text)) return "its fraction of a second would be cut";
  if (type === "TIMESTAMP" && /:\d\d.*(Z|[+-]\d\d(:?\d\d)?)\s*$/.test(text))
    return "its offset from UTC would be lost";
  if (type === "DATE" && /\d[ T]\d/.test(text)) return "its time of day would be lost";
  if (/^(DATE|TIMESTAMP)/.test(type) && /^\s*\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}/.test(text))
    return "day and month cannot be told apart without `csv.dateFormat` or `csv.timestampFormat`";
  return undefined;
}
