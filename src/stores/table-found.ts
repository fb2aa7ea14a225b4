// Says what is there of tables, partitions and views, by catalogue and ledger, however many there are. Changes nothing, and knows nothing of loads.
import { digestOf } from "../core/fingerprint.js";
import type { Digest, Fact } from "../core/trace.js";
import { boundNeedle, definitionSql, listValues } from "./table-catalog.js";
import { type Mark, mayBeMarked, readMark } from "./table-mark.js";
import { type Address, quoted, relation } from "./table-name.js";
import { type Row, type Session, sqlState } from "./table-session.js";

/** A table or partition as it is found. */
export interface Found {
  readonly fact: Fact;
  /** Nothing where dmake has not loaded it, or where what was loaded is not there any more. */
  readonly mark?: Mark;
  /** A partition whose rows lie among others in one table: only the ledger can tell of them. */
  readonly among?: true;
}

/** Stands for the content of a table that is there but that dmake has not loaded: differs from every other digest. */
const unrecorded: Digest = digestOf("a table that dmake has not loaded");

interface RelationRow extends Row {
  readonly schema: string;
  readonly table: string;
  readonly kind: string;
  readonly part: boolean;
  readonly bound: string | null;
  readonly comment: string | null;
  readonly bytes: string | null;
  readonly definition: string | null;
}

// One query for any number of tables and partitions: a round trip each would cost more than all of it.
// The size is asked for only where the comment may be ours: it looks at the file, and waits for whoever has the table locked.
const relationsSql = `
  SELECT n.nspname AS schema, c.relname AS table, c.relkind AS kind, p.oid IS NOT NULL AS part, pg_get_expr(p.relpartbound, p.oid) AS bound, d.comment,
         CASE WHEN coalesce(p.relkind, c.relkind) = 'r' AND ${mayBeMarked("d.comment")}
              THEN pg_relation_size(coalesce(p.oid, c.oid)) END AS bytes,
         CASE WHEN c.relkind = 'v' AND ${mayBeMarked("d.comment")} THEN (${definitionSql("c.oid")}) END AS definition
    FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
    JOIN pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    LEFT JOIN pg_inherits i ON i.inhparent = c.oid AND c.relkind = 'p'
    LEFT JOIN pg_class p ON p.oid = i.inhrelid
   CROSS JOIN LATERAL (SELECT obj_description(coalesce(p.oid, c.oid), 'pg_class')) AS d (comment)
   WHERE $3::text IS NULL OR c.relkind <> 'p' OR strpos(pg_get_expr(p.relpartbound, p.oid), $3) > 0
      OR pg_get_expr(p.relpartbound, p.oid) IS NULL`;

/**
 * What is there of the addresses, in order: by one query, and where rows lie in a table that carries no mark by one more of
 * the ledger, and one of each such table.
 *
 * Rows that are `delete`d and inserted, or merged, are there as they were recorded if their table still has any of them.
 */
export async function readFound(session: Session, addresses: readonly Address[]): Promise<readonly Found[]> {
  if (addresses.length === 0) return [];
  const tables = new Map(
    addresses.map((address) => [JSON.stringify([address.schema, address.table]), address]),
  );
  const [only] = addresses;
  const needle = addresses.length === 1 && only?.partition !== undefined ? boundNeedle(only.partition) : null;
  const wanted = [...tables.values()];
  const rows = await readRelations(session, [
    wanted.map(({ schema }) => schema),
    wanted.map(({ table }) => table),
    needle,
  ]);
  const found = new Map<string, Found>();
  const plain = new Set<string>();
  for (const row of rows) {
    const whole = placeOf(row.schema, row.table, undefined);
    if (row.kind === "r") plain.add(whole);
    if (!row.part) found.set(whole, foundIn(row));
    // A partitioned table, asked for as a whole: it is there, and not as we would have made it.
    else if (!found.has(whole)) found.set(whole, strange);
    for (const value of listValues(row.bound ?? ""))
      found.set(placeOf(row.schema, row.table, value), foundIn(row));
  }
  const marked = ({ schema, table, partition }: Address): Found =>
    found.get(placeOf(schema, table, partition)) ?? nothing;
  const isUnmarked = (address: Address): boolean =>
    plain.has(placeOf(address.schema, address.table, undefined)) && marked(address).mark === undefined;
  const kept = await readKept(session, addresses.filter(isUnmarked));
  return addresses.map((address) => {
    const one = kept.get(placeOf(address.schema, address.table, address.partition)) ?? marked(address);
    return isUnmarked(address) && address.partition !== undefined ? { ...one, among: true } : one;
  });
}

/**
 * What the catalogue's rows say is as of the query's snapshot, but a bound is printed only while its table is there: of a
 * partition that is being replaced right now there is neither the old one nor the new one. Then once more.
 */
async function readRelations(session: Session, wanted: readonly unknown[]): Promise<readonly RelationRow[]> {
  for (let looks = 1; ; looks++) {
    const rows = await session.query<RelationRow>(relationsSql, wanted);
    // In a transaction with one snapshot for all of it, it stays so.
    if (looks === 9 || !rows.some(({ part, bound }) => part && bound === null)) return rows;
  }
}

const placeOf = (schema: string, table: string, partition: string | undefined): string =>
  JSON.stringify([schema, table, partition]);

const nothing: Found = { fact: { kind: "absent" } };
const strange: Found = { fact: { kind: "present", digest: unrecorded } };

/** A table of ours that lost its file's content was truncated behind our back: what was loaded is not there. */
function foundIn({ comment, bytes, kind, definition }: RelationRow): Found {
  const mark = readMark(comment);
  if (mark === undefined) return strange;
  if (mark.rows > 0 && bytes === "0") return nothing;
  // A view that was replaced keeps its comment.
  if (kind === "v" && mark.definition !== definition) return strange;
  return { fact: { kind: "present", digest: mark.content ?? mark.fingerprint }, mark };
}

interface KeptRow extends Row {
  readonly schema: string;
  readonly table: string;
  readonly partition: string;
  readonly digest: Digest;
  readonly rows: string;
  readonly strategy: "delete" | "merge";
  readonly column: string | null;
  /** Nothing where the table has no such column any more. */
  readonly type: string | null;
}

const keptSql = `
  SELECT l.schema_name AS schema, l.table_name AS table, l.partition, coalesce(l.content, l.fingerprint) AS digest, l.rows,
         l.strategy, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type
    FROM dmake.loads l
    JOIN unnest($1::text[], $2::text[], $3::text[]) AS wanted (s, t, p)
      ON l.schema_name = wanted.s AND l.table_name = wanted.t AND l.partition = wanted.p
    JOIN pg_namespace n ON n.nspname = l.schema_name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = l.table_name
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = l.partition_column AND NOT a.attisdropped
   WHERE l.strategy IN ('delete', 'merge')`;

/** No ledger, or one from before version 3, which had no such loads. */
const unknown = new Set(["42P01", "3F000", "42703"]);

/** Those of the addresses that the ledger keeps and whose rows are there. */
async function readKept(
  session: Session,
  addresses: readonly Address[],
): Promise<ReadonlyMap<string, Found>> {
  const found = new Map<string, Found>();
  if (addresses.length === 0) return found;
  let rows: readonly KeptRow[];
  try {
    rows = await session.query<KeptRow>(keptSql, [
      addresses.map(({ schema }) => schema),
      addresses.map(({ table }) => table),
      addresses.map(({ partition }) => partition ?? ""),
    ]);
  } catch (error) {
    if (unknown.has(sqlState(error) ?? "")) return found;
    throw error;
  }
  const tables = new Map<string, KeptRow[]>();
  for (const row of rows) {
    // A table's loads have one key, unless the Datafile has changed its mind since.
    const place = JSON.stringify([row.schema, row.table, row.column]);
    const loads = tables.get(place);
    if (loads) loads.push(row);
    else tables.set(place, [row]);
  }
  for (const loads of tables.values()) {
    const there = await readThere(session, loads);
    for (const load of loads) {
      const { schema, table, partition, digest } = load;
      const place = placeOf(schema, table, partition === "" ? undefined : partition);
      found.set(place, there(load) ? { fact: { kind: "present", digest } } : nothing);
    }
  }
  return found;
}

async function readThere(session: Session, loads: readonly KeptRow[]): Promise<(load: KeptRow) => boolean> {
  const { schema, table, type } = loads[0]!;
  const merged = loads.some(({ strategy, rows }) => strategy === "merge" && rows !== "0");
  const [row] = merged ? await session.query(`SELECT FROM ${relation(schema, table)} LIMIT 1`) : [];
  const keyed =
    type === null ? [] : loads.filter(({ strategy, rows }) => strategy === "delete" && rows !== "0");
  const keys = await readKeys(session, keyed);
  return ({ rows, strategy, partition }) =>
    rows === "0" || (strategy === "merge" ? row !== undefined : keys.has(partition));
}

/**
 * Those of the partitions that have rows. Looks no further than the first row of each: by the index on its key a matter of
 * microseconds. Where somebody has changed the key's type since, what is no value of it has none: it is found by halves.
 */
async function readKeys(session: Session, loads: readonly KeptRow[]): Promise<ReadonlySet<string>> {
  const [first] = loads;
  if (first === undefined) return new Set();
  const { schema, table, column, type } = first;
  const asked = () =>
    session.query<{ v: string }>(
      // Both sides by their names: the table may have a column that is called as anything of ours.
      `SELECT wanted.v FROM unnest($1::text[]) AS wanted (v)
        WHERE EXISTS (SELECT FROM ${relation(schema, table)} AS held WHERE held.${quoted(column ?? "")} = wanted.v::${type})`,
      [loads.map(({ partition }) => partition)],
    );
  const found = type === "text" ? await asked() : await unlessNoValue(session, asked);
  if (found) return new Set(found.map(({ v }) => v));
  if (loads.length === 1) return new Set();
  const half = loads.length >> 1;
  return new Set([
    ...(await readKeys(session, loads.slice(0, half))),
    ...(await readKeys(session, loads.slice(half))),
  ]);
}

/** Nothing if a value is none of its type, or of its domain, or the type knows no `=`. A transaction that is open goes on. */
async function unlessNoValue<T>(session: Session, ask: () => Promise<T>): Promise<T | undefined> {
  const open = session.client.getTransactionStatus() === "T";
  if (open) await session.query("SAVEPOINT dmake_keys");
  let found: T | undefined;
  try {
    found = await ask();
  } catch (error) {
    if (!/^(22...|23514|42883)$/.test(sqlState(error) ?? "")) throw error;
    if (open) await session.query("ROLLBACK TO SAVEPOINT dmake_keys");
  }
  if (open) await session.query("RELEASE SAVEPOINT dmake_keys");
  return found;
}
