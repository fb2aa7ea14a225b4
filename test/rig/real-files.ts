// The data of other people that lies beside the checkout, if it does, and what a file of it is read as. Knows nothing of what is expected.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ColumnTypes, CsvOptions, Renames } from "../../src/core/rule.js";
import { quoteIdentifier, type Session } from "../../src/duckdb/session.js";
import { openSource, type Source } from "../../src/duckdb/source.js";

export type RealOptions = CsvOptions & { readonly columns?: ColumnTypes; readonly rename?: Renames };

/** What came of a file: its values as text, or why there are none. */
export type RealOutcome =
  | { readonly kind: "read"; readonly rows: number; readonly columns: number; readonly checksum: string }
  | {
      readonly kind: "refused";
      readonly reason: string;
      readonly line?: number;
      readonly column?: string;
      readonly problem?: string;
    };

export function realFolder(): string | undefined {
  const folder = process.env.DMAKE_REAL_DATA ?? resolve(import.meta.dirname, "../../../shared/data");
  return existsSync(folder) ? folder : undefined;
}

const folders = ["csv-edge", "tlc", "covid-daily", "citibike-jc", "parquet-edge"];

/** Of all files that are data, in order. */
export function realFiles(folder: string): readonly string[] {
  return folders
    .flatMap((name) =>
      readdirSync(join(folder, name), { recursive: true, encoding: "utf8" }).map((file) => join(name, file)),
    )
    .filter((file) => statSync(join(folder, file)).isFile())
    .sort();
}

/** Reads all of it twice: with the types that its values have, which must leave null what is null, and as text. */
export async function outcomeOf(session: Session, path: string, options: RealOptions): Promise<RealOutcome> {
  const { columns = {}, rename, ...csv } = options;
  const typed = await openSource(session, path, { columns, rename, csv });
  if (!typed.ok) return refused(typed.error);
  const nulls = await nullsOf(session, typed.value);
  if ("error" in nulls) return refused(await typed.value.explain(nulls.error));
  const isTyped = typed.value.format === "parquet";
  const asText = Object.fromEntries(typed.value.columns.map(({ name }) => [name, "VARCHAR"]));
  const text = isTyped ? typed : await openSource(session, path, { columns: asText, rename, csv });
  if (!text.ok) return refused(text.error);
  const found = await nullsOf(session, text.value);
  if ("error" in found) return refused(await text.value.explain(found.error));
  if (String(found.counts) !== String(nulls.counts))
    throw new Error(`${path}: nulls ${found.counts} as text, ${nulls.counts} typed`);
  const rows = await textsOf(session, text.value);
  const names = text.value.columns.map(({ name }) => name);
  return { kind: "read", rows: rows.length, columns: names.length, checksum: checksumOf(names, rows) };
}

function refused(failure: object): RealOutcome {
  const { reason, line, column, problem } = failure as Record<string, string> & { line?: number };
  return {
    kind: "refused",
    reason: reason!,
    ...(line !== undefined && { line }),
    ...(column !== undefined && { column }),
    ...(problem !== undefined && { problem }),
  };
}

async function nullsOf(session: Session, { select, columns }: Source) {
  const counts = columns.map(({ name }) => `count(*) - count(${quoteIdentifier(name)})`);
  try {
    const reader = await session.connection.runAndReadAll(`SELECT ${counts.join(", ")} FROM (${select})`);
    return { counts: reader.getRows()[0]!.map(Number) };
  } catch (error) {
    return { error };
  }
}

/** Each row as one text: its values in order, each ended by 1F, a null being 00. */
async function textsOf(session: Session, { select, columns }: Source): Promise<readonly string[]> {
  const texts = columns.map(
    ({ name }) => `coalesce(CAST(${quoteIdentifier(name)} AS VARCHAR), chr(0)), chr(31)`,
  );
  const reader = await session.connection.runAndReadAll(
    `SELECT concat(${texts.join(", ")}) FROM (${select})`,
  );
  return (reader.getColumns()[0] ?? []) as string[];
}

/** Of the names as of the rows, each ended by 1E. 16 digits of SHA-256. */
function checksumOf(names: readonly string[], rows: readonly string[]): string {
  const hash = createHash("sha256");
  hash.update(`${names.map((name) => `${name}\x1f`).join("")}\x1e`);
  for (const row of rows) hash.update(`${row}\x1e`);
  return hash.digest("hex").slice(0, 16);
}
