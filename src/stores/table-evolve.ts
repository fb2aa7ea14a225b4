// Makes a side table and the table it is meant for fit one another, by ALTER of both. Knows nothing of how rows are published.
import { ok, type Result } from "../core/failure.js";
import { type ExistingColumn, type ExistingTable, readTable } from "./table-catalog.js";
import type { Side } from "./table-loading.js";
import { lockSchema } from "./table-locks.js";
import { type Address, quoted, relation } from "./table-name.js";
import type { Session } from "./table-session.js";
import { type Fit, fit, misfit, typeHelp } from "./table-shape.js";
import { holds, sameType } from "./table-types.js";

/**
 * Compares a side table with the table that its rows are meant for, as both are now. The table is read anew, under the lock
 * of its publishers: another load may have made or changed it since the side table was opened.
 */
export async function refit(
  session: Session,
  address: Address,
  side: Side,
  table: ExistingTable,
): Promise<Result<Fit>> {
  const source = await columnsOf(session, side);
  return fit(
    address,
    table,
    source.filter(({ name }) => name !== table.key),
  );
}

const columnsOf = async (session: Session, { schema, name }: Side): Promise<readonly ExistingColumn[]> =>
  (await readTable(session, schema, name))?.columns ?? [];

/** What the table has to become first, as clauses of an ALTER TABLE. */
export const growth = ({ added, grown }: Fit): readonly string[] => [
  ...added.map(({ name, type }) => `ADD COLUMN ${quoted(name)} ${type}`),
  ...grown.map(({ name, type }) => `ALTER COLUMN ${quoted(name)} TYPE ${type}`),
];

/**
 * Gives the side table all that ATTACH wants a partition to have (columns, types, NOT NULL, CHECKs), and the indexes that it
 * would otherwise build while readers wait.
 */
export async function conform(
  session: Session,
  address: Address,
  side: Side,
  parent: ExistingTable,
  { placed, grown }: Fit,
): Promise<Result<void>> {
  const table = relation(side.schema, side.name);
  for (const { source, name } of placed)
    if (source !== name)
      await session.query(`ALTER TABLE ${table} RENAME COLUMN ${quoted(source)} TO ${quoted(name)}`);
  const have = await columnsOf(session, side);
  const clauses: string[] = [];
  for (const column of parent.columns) {
    const into = have.find(({ name }) => name === column.name);
    const wanted = { ...column, type: grown.find(({ name }) => name === column.name)?.type ?? column.type };
    if (into === undefined) clauses.push(addition(wanted));
    else {
      const lossy = await firstLoss(session, side, into, wanted.type);
      if (lossy !== undefined) return misfit(address, [lossy], typeHelp);
      if (!sameType(into.type, wanted.type))
        clauses.push(`ALTER COLUMN ${quoted(into.name)} TYPE ${wanted.type}`);
      if (wanted.notNull && !into.notNull) clauses.push(`ALTER COLUMN ${quoted(into.name)} SET NOT NULL`);
    }
  }
  clauses.push(
    ...parent.checks.map(({ name, definition }) => `ADD CONSTRAINT ${quoted(name)} ${definition}`),
  );
  clauses.push(...parent.keys.map(({ definition }) => `ADD ${definition}`));
  if (clauses.length > 0) await session.query(`ALTER TABLE ${table} ${clauses.join(", ")}`);
  for (const { definition } of parent.indexes) await session.query(`CREATE INDEX ON ${table}${definition}`);
  return ok(undefined);
}

const addition = ({ name, type, notNull, default: value }: ExistingColumn): string =>
  `ADD COLUMN ${quoted(name)} ${type}${value === undefined ? "" : ` DEFAULT ${value}`}${notNull ? " NOT NULL" : ""}`;

/**
 * Says which value would not survive a change of type. Only where a type could not be foreseen when the rows were sent:
 * two loads made the table at once, one of them saying `bigint` and the other `double precision`.
 */
export async function firstLoss(
  session: Session,
  side: Side,
  { name, type }: ExistingColumn,
  into: string,
): Promise<string | undefined> {
  if (holds(into, type)) return undefined;
  const column = quoted(name);
  const [lossy] = await session.query<{ value: string }>(
    `SELECT ${column}::text AS value FROM ${relation(side.schema, side.name)}
      WHERE ${column}::${into}::${type} IS DISTINCT FROM ${column} LIMIT 1`,
  );
  return lossy && `\`${name}\` is \`${into}\` in the table, which cannot hold \`${lossy.value}\``;
}

/** Makes the table's schema if there is none yet, and moves the side table from the ledger's schema into it. */
export async function ensureSchema(session: Session, { schema }: Address, side: Side): Promise<void> {
  if (side.schema === schema) return;
  await lockSchema(session, schema);
  const there = await session.query("SELECT FROM pg_namespace WHERE nspname = $1", [schema]);
  if (there.length === 0) await session.query(`CREATE SCHEMA ${quoted(schema)}`);
  await session.query(`ALTER TABLE ${relation(side.schema, side.name)} SET SCHEMA ${quoted(schema)}`);
}
