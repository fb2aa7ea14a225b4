// The ledger, schema `dmake` in the database that holds the data: makes it, reads and writes its rows. Knows nothing of partitions or of COPY.
import { readFileSync } from "node:fs";
import { fail, ok, type Result } from "../core/failure.js";
import type { Because, Digest, NamedDigest, Parts, RunFacts, Trace } from "../core/trace.js";
import type { Run } from "./table-holder.js";
import { lockLoad, lockMigration } from "./table-locks.js";
import type { Address } from "./table-name.js";
import { type Row, type Session, sqlState } from "./table-session.js";

/** Version that `schema.sql` makes, or makes of an older one. */
const ledgerVersion = 2;

/** One success, as it goes into `dmake.loads` and `dmake.history`. */
export interface Load {
  readonly address: Address;
  readonly outcome: "loaded" | "adopted";
  readonly fingerprint: Digest;
  /** The digest of its one output says what the load says. */
  readonly trace: Trace;
  readonly rows: number;
  readonly run: Run;
}

/** What the ledger says of a table or partition. */
interface Recorded {
  /** Of recipe and inputs: the idempotency key of the load. */
  readonly fingerprint: Digest;
  readonly trace: Trace;
}

/**
 * Makes sure that there is a ledger of the version known here, in a transaction of its own. Processes that come at once
 * wait for the first (an advisory lock; `CREATE SCHEMA IF NOT EXISTS` alone can fail under a race). Refuses a newer one.
 * An older one is brought up to date once no load of an older dmake is under way: ALTER TABLE waits for them.
 */
export async function ensureLedger(session: Session): Promise<Result<void>> {
  const found = await versionOf(session);
  if (found !== undefined && found >= ledgerVersion) return acceptable(found);
  await session.query("BEGIN");
  try {
    await lockMigration(session);
    const now = await versionOf(session);
    if (now === undefined || now < ledgerVersion) await session.query(schemaSql());
    await session.query("COMMIT");
    return acceptable(now ?? ledgerVersion);
  } catch (error) {
    await session.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

const schemaSql = (): string => readFileSync(new URL("schema.sql", import.meta.url), "utf8");

const acceptable = (found: number): Result<void> =>
  found > ledgerVersion ? fail({ reason: "ledger-newer", found, known: ledgerVersion }) : ok(undefined);

/**
 * Asks the catalogue first: naming a table that is not there would end the transaction. And asks it by a query: what
 * `to_regclass` knows is cached, and after a wait for somebody who has just made the ledger it still says that there is none.
 */
async function versionOf(session: Session): Promise<number | undefined> {
  const there = await session.query(
    `SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'dmake' AND c.relname = 'meta'`,
  );
  if (there.length === 0) return undefined;
  const [meta] = await session.query<{ version: number }>("SELECT version FROM dmake.meta");
  return meta?.version;
}

interface LoadRow {
  readonly schema_name: string;
  readonly table_name: string;
  readonly partition: string;
  readonly fingerprint: Digest;
  /** Neither this nor `because` is known of loads before version 2. */
  readonly content?: Digest | null;
  readonly recipe: Parts;
  readonly inputs: readonly NamedDigest[];
  readonly because?: readonly Because[] | null;
  readonly facts: RunFacts;
  readonly attempt: string;
  readonly started_at: string;
  readonly finished_at: string;
  readonly duration_ms: number;
}

// Whole rows as JSON, so that a column that an older ledger lacks is merely absent.
const loadsSql = `
  SELECT m.version, to_jsonb(l) AS load
    FROM dmake.meta m
    LEFT JOIN (dmake.loads l JOIN unnest($1::text[], $2::text[], $3::text[]) AS wanted (s, t, p)
                 ON l.schema_name = wanted.s AND l.table_name = wanted.t AND l.partition = wanted.p) ON true`;

/** No schema, no table: nothing has been loaded yet. */
const missing = new Set(["42P01", "3F000"]);

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
  let rows: readonly { version: number; load: LoadRow | null }[];
  try {
    rows = await session.query<{ version: number; load: LoadRow | null }>(loadsSql, parameters);
  } catch (error) {
    if (missing.has(sqlState(error) ?? "")) return ok(none);
    throw error;
  }
  const version = acceptable(rows[0]?.version ?? ledgerVersion);
  if (!version.ok) return version;
  const found = new Map(rows.flatMap(({ load }) => (load ? [[keyOf(load), load]] : [])));
  return ok(
    addresses.map((address) => {
      const load = found.get(JSON.stringify([address.schema, address.table, address.partition ?? ""]));
      return load && { fingerprint: load.fingerprint, trace: traceOf(load, address.target) };
    }),
  );
}

const keyOf = (load: LoadRow): string => JSON.stringify([load.schema_name, load.table_name, load.partition]);

/** The output goes by the name that was asked for: `table:zones` and `table:public.zones` share a row. A load discovers nothing. */
const traceOf = (load: LoadRow, target: string): Trace => ({
  recipe: load.recipe,
  inputs: load.inputs,
  outputs: [{ name: target, digest: load.content ?? load.fingerprint }],
  ...(load.because && { because: load.because }),
  attempt: load.attempt,
  startedAt: new Date(load.started_at).toISOString(),
  checkedAt: new Date(load.finished_at).toISOString(),
  durationMs: load.duration_ms,
  facts: load.facts,
});

const columns = [
  ...[
    "schema_name",
    "table_name",
    "partition",
    "target",
    "fingerprint",
    "content",
    "recipe",
    "inputs",
    "because",
    "facts",
    "rows",
    "bytes",
  ],
  ...[
    "attempt",
    "run",
    "host",
    "started_at",
    "finished_at",
    "duration_ms",
    "source_url",
    "source_etag",
    "dmake_version",
  ],
] as const;

const placeholders = columns.map((_, index) => `$${index + 1}`).join(", ");
const key = ["schema_name", "table_name", "partition"];
const replacement = columns.filter((name) => !key.includes(name)).map((name) => `${name} = excluded.${name}`);

// Both rows in one statement: 1 round trip while the table is locked.
const recordSql = `
  WITH loaded AS (
    INSERT INTO dmake.loads (${columns.join(", ")}) VALUES (${placeholders})
        ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${replacement.join(", ")}, rejects = 0, recorded_at = DEFAULT
    RETURNING ${columns.join(", ")}, rejects
  )
  INSERT INTO dmake.history (outcome, ${columns.join(", ")}, rejects) SELECT $${columns.length + 1}, * FROM loaded`;

/** Writes ledger and history in the caller's transaction. */
export async function recordLoad(
  session: Session,
  { address, outcome, fingerprint, trace, rows, run }: Load,
): Promise<void> {
  const { facts } = trace;
  const values: Record<(typeof columns)[number], unknown> = {
    schema_name: address.schema,
    table_name: address.table,
    partition: address.partition ?? "",
    target: address.target,
    fingerprint,
    content: trace.outputs[0]?.digest,
    recipe: JSON.stringify(trace.recipe),
    inputs: JSON.stringify(trace.inputs),
    because: JSON.stringify(trace.because ?? []),
    facts: JSON.stringify(facts),
    rows,
    bytes: facts.bytes ?? null,
    attempt: trace.attempt,
    run: run.id,
    host: run.host,
    started_at: trace.startedAt,
    finished_at: trace.checkedAt,
    duration_ms: trace.durationMs,
    source_url: facts.url ?? null,
    source_etag: facts.etag ?? null,
    dmake_version: ownVersion(),
  };
  await session.query(recordSql, [...columns.map((name) => values[name]), outcome]);
}

/** Two folders up, in the sources as in the package. */
function ownVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/**
 * Whether the attempt's transaction was committed. Waits for it to end first, by taking the lock that it holds, so that a
 * transaction whose client is gone cannot commit after the question was answered.
 */
export async function wasLoaded(session: Session, address: Address, attempt: string): Promise<boolean> {
  await session.query("BEGIN");
  await lockLoad(session, address);
  const rows = await session.query<Row>(
    "SELECT FROM dmake.history WHERE attempt = $1 AND target = $2 LIMIT 1",
    [attempt, address.target],
  );
  await session.query("ROLLBACK");
  return rows.length > 0;
}
