// A parquet file as a Source: columns and row count from the footer, declared types by checked casts. Knows nothing of CSV or JSON.
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { ColumnTypes } from "../core/rule.js";
import { resolveTypes } from "./declared.js";
import { badValue, badValueAt, checked, findValue, type TypedColumn } from "./find-value.js";
import { plainMessage, query } from "./query.js";
import { quotePath, type Session } from "./session.js";
import type { Source } from "./source.js";
import { isNested } from "./text-checks.js";

/**
 * Opens a parquet file. `declared` changes the types of columns where every value stays the same: DOUBLE to BIGINT
 * where there are no fractions. Page checksums are not looked at: DuckDB has no way to.
 */
export async function openParquet(
  session: Session,
  file: string,
  declared: ColumnTypes,
): Promise<Result<Source>> {
  const path = quotePath(file);
  const from = `read_parquet(${path}, hive_partitioning = false, filename = false, union_by_name = false)`;
  const engine = (message: string) => fail({ reason: "data-engine", file, message } as const);
  const found = await query<{ column_name: string; column_type: string }>(
    session,
    `DESCRIBE SELECT * FROM ${from}`,
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
  const columns = await retyped(session, file, stored, declared);
  if (!columns.ok) return columns;
  return ok({
    file,
    format: "parquet",
    columns: columns.value.map(({ name, reading }) => ({ name, type: reading.type })),
    select: `SELECT ${columns.value.map(checked).join(", ")} FROM ${from}`,
    rows: Number(counted.rows[0]!.num_rows),
    explain: (error) => explainParquet(session, file, from, columns.value, error),
  });
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
