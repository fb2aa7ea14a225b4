// The ledger, schema `dmake` in the database that holds the data: makes it, reads and writes its rows. Knows nothing of partitions or of COPY.
import { readFileSync } from "node:fs";
import { fail, ok, type Result } from "../core/failure.js";
import { lackOfRights, missingRights } from "./ledger-rights.js";
import { keyAt, keyOf, type Load, type LoadRow, type Recorded, recordedOf, valuesOf } from "./ledger-rows.js";
import type { Checksum } from "./table-checksum.js";
import { lockLoad, lockMigration } from "./table-locks.js";
import type { Address } from "./table-name.js";
import { type Row, type Session, sqlState } from "./table-session.js";

/** Version that `schema.sql` makes, or makes of an older one. */
const ledgerVersion = 3;

/** Not ours to look at, or to change. */
const forbidden = "42501";
const noSuchColumn = "42703";

/**
 * Makes sure that there is a ledger of the version known here, in a transaction of its own. Processes that come at once
 * wait for the first (an advisory lock; `CREATE SCHEMA IF NOT EXISTS` alone can fail under a race). Refuses a newer one,
 * and one that this user may not write to, before any rows are sent.
 * An older one is brought up to date once no load of an older dmake is under way: ALTER TABLE waits for them.
 */
export async function ensureLedger(session: Session): Promise<Result<void>> {
  try {
    const found = await versionOf(session);
    if (found !== undefined && found.version >= ledgerVersion) return usable(session, found);
  } catch (error) {
    if (sqlState(error) !== forbidden) throw error;
    return fail(await lackOfRights(session, "use"));
  }
  return migrate(session);
}

async function migrate(session: Session): Promise<Result<void>> {
  await session.query("BEGIN ISOLATION LEVEL READ COMMITTED");
  let now: Found | undefined;
  try {
    // Somebody's load may have to end first, which no limit for people's queries foresees.
    await session.query("SET LOCAL statement_timeout = 0");
    await lockMigration(session);
    now = await versionOf(session);
    if (now === undefined || now.version < ledgerVersion) await session.query(schemaSql());
    await session.query("COMMIT");
  } catch (error) {
    await session.query("ROLLBACK").catch(() => undefined);
    if (sqlState(error) !== forbidden) throw error;
    return fail(await lackOfRights(session, now === undefined ? "make" : "change"));
  }
  return now === undefined ? ok(undefined) : usable(session, now);
}

const schemaSql = (): string => readFileSync(new URL("../stores/schema.sql", import.meta.url), "utf8");

const acceptable = (found: number): Result<void> =>
  found > ledgerVersion ? fail({ reason: "ledger-newer", found, known: ledgerVersion }) : ok(undefined);

interface Found extends Row {
  readonly version: number;
  /** This user may write loads down. */
  readonly writable: boolean;
}

async function usable(session: Session, { version, writable }: Found): Promise<Result<void>> {
  const accepted = acceptable(version);
  return accepted.ok && !writable ? fail(await lackOfRights(session, "use")) : accepted;
}

/**
 * Asks the catalogue first: naming a table that is not there would end the transaction. And asks it by a query: what
 * `to_regclass` knows is cached, and after a wait for somebody who has just made the ledger it still says that there is none.
 */
async function versionOf(session: Session): Promise<Found | undefined> {
  const there = await session.query(
    `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'dmake' AND c.relname = 'meta'`,
  );
  if (there.length === 0) return undefined;
  const [meta] = await session.query<Found>(
    `SELECT version, NOT EXISTS (${missingRights}) AS writable FROM dmake.meta`,
  );
  return meta;
}

const loadsSql = (load: string): string => `
  SELECT m.version, ${load} AS load
    FROM dmake.meta m
    LEFT JOIN (dmake.loads l JOIN unnest($1::text[], $2::text[], $3::text[]) AS wanted (s, t, p)
                 ON l.schema_name = wanted.s AND l.table_name = wanted.t AND l.partition = wanted.p) ON true`;

// What only people and `verify` read is left where it is: whole rows took 2 to 3 times as long for 10 000 (measured).
const judgedSql = loadsSql(`
    CASE WHEN l.target IS NOT NULL THEN (SELECT to_jsonb(r) FROM (
      SELECT l.schema_name, l.table_name, l.partition, l.fingerprint, l.content, l.recipe, l.inputs, l.because, l.facts, l.rows,
             l.attempt, l.started_at, l.finished_at, l.duration_ms, l.strategy, l.partition_column, l.provisional) AS r) END`);

/** Of a ledger of another version: a column that it lacks is merely absent. */
const anySql = loadsSql("to_jsonb(l)");

type Judged = { readonly version: number; readonly load: LoadRow | null };

async function queryLoads(session: Session, places: readonly unknown[]): Promise<readonly Judged[]> {
  try {
    return await session.query<Judged>(judgedSql, places);
  } catch (error) {
    if (sqlState(error) !== noSuchColumn) throw error;
    return session.query<Judged>(anySql, places);
  }
}

/** No schema, no table: nothing has been loaded yet. */
const missing = new Set(["42P01", "3F000"]);

/** Whether a query of the ledger failed because there is none. */
export const isMissing = (error: unknown): boolean => missing.has(sqlState(error) ?? "");

/** The records of the addresses, in order, by one query. Without a ledger there are none; nothing is created. */
export async function readLedger(
  session: Session,
  addresses: readonly Address[],
): Promise<Result<readonly (Recorded | undefined)[]>> {
  const none = addresses.map(() => undefined);
  if (addresses.length === 0) return ok(none);
  const parameters = [
    addresses.map(({ schema }) => schema),
    addresses.map(({ table }) => table),
    addresses.map(({ partition }) => partition ?? ""),
  ];
  let rows: readonly Judged[];
  try {
    rows = await queryLoads(session, parameters);
  } catch (error) {
    if (isMissing(error)) return ok(none);
    if (sqlState(error) === forbidden) return fail(await lackOfRights(session, "use"));
    throw error;
  }
  const version = acceptable(rows[0]?.version ?? ledgerVersion);
  if (!version.ok) return version;
  const found = new Map(rows.flatMap(({ load }) => (load ? [[keyOf(load), load]] : [])));
  return ok(
    addresses.map((address) => {
      const load = found.get(keyAt(address));
      return load && recordedOf(load, address.target);
    }),
  );
}

/** What `verify` compares a table or partition with. */
export interface Comparable extends Recorded {
  readonly checksum?: Pick<Checksum, "text" | "columns">;
  /** No load into the same table came after this one. */
  readonly newest: boolean;
}

const comparableSql = `
  SELECT m.version, to_jsonb(l) AS load, l.partition = (
           SELECT h.partition FROM dmake.history h
            WHERE h.schema_name = $1 AND h.table_name = $2 AND h.outcome = 'loaded' ORDER BY h.id DESC LIMIT 1) AS newest
    FROM dmake.meta m
    LEFT JOIN dmake.loads l ON l.schema_name = $1 AND l.table_name = $2 AND l.partition = $3`;

/** The record of one address, with its checksum if it has one. Throws if there is no ledger. */
export async function readComparable(
  session: Session,
  { target, schema, table, partition = "" }: Address,
): Promise<Result<Comparable | undefined>> {
  const [row] = await session.query<{ version: number; load: LoadRow | null; newest: boolean | null }>(
    comparableSql,
    [schema, table, partition],
  );
  const version = acceptable(row?.version ?? ledgerVersion);
  if (!version.ok || !row?.load) return version.ok ? ok(undefined) : version;
  const { checksum: text, checksum_columns: columns } = row.load;
  return ok({
    ...recordedOf(row.load, target),
    ...(text && columns && { checksum: { text, columns } }),
    newest: row.newest === true,
  });
}

const key = ["schema_name", "table_name", "partition"];

/** Of the rows themselves: where a load changes none, what is not told anew stays. */
const ofRows = new Set([
  "strategy",
  "partition_column",
  "checksum",
  "checksum_columns",
  "origins",
  "changes",
  "source_url",
  "source_etag",
]);

/** All in one statement: 1 round trip while the table is locked. What was set aside before goes with the rows of then. */
function recordSql(names: readonly string[], outcome: Load["outcome"]): string {
  const columns = names.join(", ");
  const placeholders = names.map((_, index) => `$${index + 1}`).join(", ");
  const replacement = names
    .filter((name) => !key.includes(name))
    .map((name) =>
      outcome === "amended" && ofRows.has(name)
        ? `${name} = coalesce(excluded.${name}, l.${name})`
        : `${name} = excluded.${name}`,
    );
  const forgotten = `forgotten AS (DELETE FROM dmake.rejects WHERE (${key.join(", ")}) = (SELECT ${key.join(", ")} FROM loaded))`;
  return `
  WITH loaded AS (
    INSERT INTO dmake.loads AS l (${columns}) VALUES (${placeholders})
        ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${replacement.join(", ")}, recorded_at = DEFAULT
    RETURNING ${columns}
  )${outcome === "loaded" ? `, ${forgotten}` : ""}
  INSERT INTO dmake.history (outcome, ${columns}) SELECT $${names.length + 1}, * FROM loaded`;
}

/** Writes ledger, history and the rows that were set aside, in the caller's transaction. */
export async function recordLoad(session: Session, load: Load): Promise<void> {
  const values = valuesOf(load);
  const names = Object.keys(values);
  await session.query(recordSql(names, load.outcome), [...names.map((name) => values[name]), load.outcome]);
  if (load.outcome === "loaded") await recordRejects(session, load);
}

async function recordRejects(session: Session, { address, trace, rejected }: Load): Promise<void> {
  const { schema, table, partition = "" } = address;
  if (rejected === undefined || rejected.rows.length === 0) return;
  await session.query(
    `INSERT INTO dmake.rejects (schema_name, table_name, partition, attempt, file, line, row, column_name, value, reason)
     SELECT $1, $2, $3, $4, $5, r.line, r."row", r."column", r.value, r.reason
       FROM jsonb_to_recordset($6::jsonb) AS r (line bigint, "row" bigint, "column" text, value text, reason text)`,
    [schema, table, partition, trace.attempt, rejected.file, JSON.stringify(rejected.rows.map(storable))],
  );
}

/** Postgres keeps no NUL in a text; in somebody's binary file there may be one. */
const storable = <T extends object>(row: T): T =>
  JSON.parse(JSON.stringify(row).replaceAll(/(?<!\\)((?:\\\\)*)\\u0000/g, "$1\\ufffd")) as T;

/**
 * Whether the attempt's transaction was committed. Waits for it to end first, by taking the lock that it holds, so that a
 * transaction whose client is gone cannot commit after the question was answered.
 */
export async function wasLoaded(session: Session, address: Address, attempt: string): Promise<boolean> {
  await session.query("BEGIN ISOLATION LEVEL READ COMMITTED");
  await lockLoad(session, address);
  const rows = await session.query<Row>(
    "SELECT FROM dmake.history WHERE attempt = $1 AND target = $2 LIMIT 1",
    [attempt, address.target],
  );
  await session.query("ROLLBACK");
  return rows.length > 0;
}

/**
 * Takes back, in the caller's transaction, what is recorded of the other partitions of a table in which rows were merged
 * and that is empty now: as soon as it has rows again, theirs would be taken for there.
 */
export async function forgetOthers(
  session: Session,
  { schema, table, partition = "" }: Address,
): Promise<void> {
  await session.query(
    "DELETE FROM dmake.loads WHERE schema_name = $1 AND table_name = $2 AND partition <> $3 AND rows > 0",
    [schema, table, partition],
  );
}
