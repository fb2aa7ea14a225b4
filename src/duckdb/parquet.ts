// A parquet file as a Source: columns and row count from the footer, declared types by checked casts. Knows nothing of CSV or JSON.
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { ColumnTypes, Renames } from "../core/rule.js";
import { renamedColumns, resolveTypes } from "./declared.js";
import { badValue, badValueAt, checked, findValue, type TypedColumn } from "./find-value.js";
import { plainMessage, query } from "./query.js";
import { quoteIdentifier, quotePath, type Session } from "./session.js";
import type { Source, SourceOptions } from "./source.js";
import { isNested } from "./text-checks.js";

/**
 * Opens a parquet file. `declared` changes the types of columns where every value stays the same: DOUBLE to BIGINT
 * where there are no fractions. Page checksums are not looked at: DuckDB has no way to.
 */
export async function openParquet(
  session: Session,
  file: string,
  { columns: declared, rename = {} }: Pick<SourceOptions, "columns" | "rename">,
): Promise<Result<Source>> {
  const path = quotePath(file);
  const whole = `read_parquet(${path}, hive_partitioning = false, filename = false, union_by_name = false)`;
  const engine = (message: string) => fail({ reason: "data-engine", file, message } as const);
  const found = await query<{ column_name: string; column_type: string }>(
    session,
    `DESCRIBE SELECT * FROM ${whole}`,
  );
  if (!found.ok) return engine(found.message);
  const counted = await query<{ num_rows: bigint }>(
    session,
    `SELECT num_rows FROM parquet_file_metadata(${path})`,
  );
  if (!counted.ok) return engine(counted.message);
  const stored = found.rows.map((row) => ({ name: row.column_name, type: row.column_type }));
  const doubled = await doubledName(session, path, stored);
  if (doubled) return fail({ reason: "duplicate-column", file, column: doubled });
  const names = renamed(stored, rename);
  const twice = names.find(
    ({ name }, index) => names.findIndex((other) => isOneName(other.name, name)) < index,
  );
  if (twice) return fail({ reason: "duplicate-column", file, column: twice.name });
  const columns = await retyped(session, file, names, declared);
  if (!columns.ok) return columns;
  const from = fromOf(whole, stored, names);
  const unseen = await unseenColumns(session, path, stored);
  return ok({
    file,
    format: "parquet",
    columns: columns.value.map(({ name, reading }, index) => ({
      name,
      type: reading.type,
      ...(unseen.has(stored[index]!.name) && !Object.hasOwn(declared, name) && { unseen: true }),
    })),
    select: `SELECT ${columns.value.map(checked).join(", ")} FROM ${from}`,
    rows: Number(counted.rows[0]!.num_rows),
    explain: (error) => explainParquet(session, file, from, columns.value, error),
    raw: { from, columns: columns.value, rejects: [] },
  });
}

const renamed = (stored: readonly StoredColumn[], rename: Renames): readonly StoredColumn[] =>
  renamedColumns(
    stored.map(({ name }) => name),
    rename,
  ).map((name, index) => ({ name, type: stored[index]!.type }));

/** DuckDB takes `A` and `a` for one name. */
const isOneName = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

function fromOf(whole: string, stored: readonly StoredColumn[], names: readonly StoredColumn[]): string {
  if (stored.every(({ name }, index) => name === names[index]!.name)) return whole;
  const columns = stored.map(
    ({ name }, index) => `${quoteIdentifier(name)} AS ${quoteIdentifier(names[index]!.name)}`,
  );
  return `(SELECT ${columns.join(", ")} FROM ${whole})`;
}

/**
 * Columns that hold nothing but nulls, as the footer has it: months that lack a value have a type for it all the same,
 * which is often not that of other months. Where the footer does not say, a column counts as seen.
 */
async function unseenColumns(
  session: Session,
  path: string,
  stored: readonly StoredColumn[],
): Promise<ReadonlySet<string>> {
  const answer = await query<{ name: string }>(
    session,
    `SELECT path_in_schema AS name FROM parquet_metadata(${path}) WHERE num_values > 0
     GROUP BY path_in_schema HAVING NOT bool_and(coalesce(stats_null_count = num_values, false))`,
  );
  if (!answer.ok) return new Set();
  const seen = new Set(answer.rows.map(({ name }) => name));
  return new Set(
    stored
      .filter(({ name, type }) => type === '"NULL"' || !(isNested(type) || seen.has(name)))
      .map(({ name }) => name),
  );
}

interface StoredColumn {
  readonly name: string;
  readonly type: string;
}

/** DuckDB calls the second of two columns of one name `a_1`, without a word. */
async function doubledName(
  session: Session,
  path: string,
  stored: readonly StoredColumn[],
): Promise<string | undefined> {
  const answer = await query<{ name: string }>(session, `SELECT name FROM parquet_schema(${path})`);
  const written = new Set(answer.ok ? answer.rows.map(({ name }) => name) : []);
  return stored.find(({ name }) => !written.has(name) && answer.ok)?.name.replace(/_\d+$/, "");
}

async function retyped(
  session: Session,
  file: string,
  stored: readonly StoredColumn[],
  declared: ColumnTypes,
): Promise<Result<readonly TypedColumn[]>> {
  const names = stored.map(({ name }) => name);
  const types = await resolveTypes(session, file, declared, names);
  if (!types.ok) return types;
  const columns: TypedColumn[] = [];
  for (const { name, type } of stored) {
    const wanted = types.value.get(name) ?? type;
    if (wanted !== type && (isNested(type) || isNested(wanted)))
      return fail({
        reason: "unsupported-type",
        file,
        column: name,
        type: wanted,
        help: `the file has it as ${type}`,
      });
    columns.push({ name, stored: type, reading: { type: wanted, chosen: "declared" } });
  }
  return ok(columns);
}

async function explainParquet(
  session: Session,
  file: string,
  from: string,
  columns: readonly TypedColumn[],
  error: unknown,
): Promise<Failure> {
  const message = plainMessage(error);
  if (/INTERRUPT/i.test(message)) return { reason: "interrupted" };
  const found = message.includes(badValue) ? await findValue(session, from, columns) : undefined;
  if (!found) return { reason: "data-engine", file, message };
  const column = columns[found.index]!;
  return badValueAt(file, column, found.text, {
    problem: `in row ${found.row}, ${column.stored} in the file`,
  });
}
