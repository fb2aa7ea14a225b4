// The SQL by which DuckDB reads a CSV: in strict mode and without guessing, fields as text unless they are known to be plain. Knows nothing of what is in the file.
import type { CsvOptions } from "../core/rule.js";
import { fieldTooMany } from "./csv-diagnose.js";
import type { CsvHead } from "./csv-head.js";
import type { Window } from "./csv-window.js";
import type { TypedColumn } from "./find-value.js";
import { quoteIdentifier, quotePath, quoteText } from "./session.js";

/** A CSV's plain text, and how it is to be read. */
export interface CsvReader {
  readonly path: string;
  /** Physical lines before the first that is a row, or the header. */
  readonly skippedLines: number;
  readonly head: CsvHead;
  readonly csv: CsvOptions;
}

/** `bare` yields also what has no name, `from` only what has, and fails where the rest is not empty. */
export function readersOf(
  reader: CsvReader,
  window: Window,
): { readonly bare: string; readonly from: string } {
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
 * All fields as VARCHAR, but for those of `columns` that are stored as something else. `new_line` is never given: with one that the file does not have, DuckDB 1.5.6 reads no rows
 * at all, without a word. `strict_mode = false` is never given either: it drops fields. Nor is `comment`: it drops what
 * follows the character in any line.
 */
export function readCsv(
  { path, skippedLines, head, csv }: CsvReader,
  compression: "none" | "gzip",
  window: Window,
  columns: readonly TypedColumn[] = [],
): string {
  const typeOf = new Map(columns.map(({ name, stored = "VARCHAR" }) => [name, stored]));
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
    columns: `{${[...head.names, ...extraNames(head)].map((name) => `${quoteText(name)}: ${quoteText(typeOf.get(name) ?? "VARCHAR")}`).join(", ")}}`,
  };
  const list = Object.entries(options).map(([name, value]) => `${name} = ${value}`);
  return `read_csv(${quotePath(path)}, ${list.join(", ")})`;
}
