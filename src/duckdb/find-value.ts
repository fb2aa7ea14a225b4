// Finds the first text of a table that is no value of its column's type. Knows nothing of files or lines.
import type { DataFailure } from "../core/failure-data.js";
import { query } from "./query.js";
import { quoteIdentifier, quoteText, type Session } from "./session.js";
import { problemOf, type Reading, recastSql, valueSql } from "./text-checks.js";

export interface TypedColumn {
  readonly name: string;
  readonly reading: Reading;
  /** The type that the file has, if it has types; text otherwise. */
  readonly stored?: string;
}

/** What DuckDB's message holds when a text is no value of its column's type. */
export const badValue = "dmake:bad-value";

/** SQL for a column's value, under its name; running it is an error where what is stored is no value of the type. */
export function checked(column: TypedColumn): string {
  const name = quoteIdentifier(column.name);
  if (isPlain(column)) return name;
  return `coalesce(${valueIn(column)}, CASE WHEN ${name} IS NOT NULL THEN error(${quoteText(badValue)}) END) AS ${name}`;
}

/** Whether every value that is stored is one of the type. */
export const isPlain = ({ reading, stored = "VARCHAR" }: TypedColumn): boolean => reading.type === stored;

/** SQL for the value, null where there is none of the type. */
export function valueIn({ name, reading, stored = "VARCHAR" }: TypedColumn): string {
  return stored === "VARCHAR"
    ? valueSql(quoteIdentifier(name), reading)
    : recastSql(quoteIdentifier(name), stored, reading.type);
}

/** So much is read of a value that does not fit, in characters: there may be many, of 10 MB each. */
export const textFound = 1000;

/** Where a value is among rows. */
export interface ValuePlace {
  /** Counts from 1. */
  readonly row: number;
  /** Into the columns. */
  readonly index: number;
  /** Nothing of a null; of a long one the first `textFound` characters will do. */
  readonly text: string | undefined;
}

export interface FoundValue extends ValuePlace {
  readonly text: string;
}

/**
 * The first in the order of `from` (SQL text yielding the columns by these names). DuckDB, with several threads, may have
 * met another one first.
 */
export async function findValue(
  session: Session,
  from: string,
  columns: readonly TypedColumn[],
): Promise<FoundValue | undefined> {
  const tests = columns.flatMap((column, index) =>
    isPlain(column)
      ? []
      : [`WHEN ${quoteIdentifier(column.name)} IS NOT NULL AND ${valueIn(column)} IS NULL THEN ${index}`],
  );
  if (tests.length === 0) return undefined;
  const texts = columns.map(({ name }) => `CAST(${quoteIdentifier(name)} AS VARCHAR)`).join(", ");
  const flagged = `SELECT row_number() OVER () AS row, CASE ${tests.join(" ")} END AS bad, [${texts}] AS texts FROM ${from}`;
  const sql = `SELECT row, bad, texts[bad + 1] AS text FROM (${flagged}) WHERE bad IS NOT NULL LIMIT 1`;
  const answer = await query<{ row: bigint; bad: number; text: string }>(session, sql);
  const found = answer.ok ? answer.rows[0] : undefined;
  return found && { row: Number(found.row), index: found.bad, text: found.text };
}

const textShown = 200;

export const shown = (text: string): string =>
  text.length > textShown ? `${text.slice(0, textShown)}…` : text;

/** `where` may know the physical line, and better than this what the problem is. */
export function badValueAt(
  file: string,
  { name, reading }: TypedColumn,
  text: string,
  where: { readonly line?: number | undefined; readonly problem?: string },
): DataFailure {
  const problem = where.problem ?? problemOf(text, reading);
  return {
    reason: "bad-value",
    file,
    ...(where.line !== undefined && { line: where.line }),
    column: name,
    text: shown(text),
    type: reading.type,
    ...(problem !== undefined && { problem }),
  };
}
