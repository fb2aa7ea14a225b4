// Sessions and records for tests that speak to the ledger itself, with tables made by hand. Knows nothing of stores or loads.
import pg from "pg";
import { ok } from "../../src/core/failure.js";
import type { Trace } from "../../src/core/trace.js";
import { openDatabase } from "../../src/postgres/connect.js";
import { ensureLedger, recordLoad } from "../../src/stores/ledger.js";
import type { Load } from "../../src/stores/ledger-rows.js";
import { readColumns } from "../../src/stores/table-catalog.js";
import { type ChecksumRange, checksumOf } from "../../src/stores/table-checksum.js";
import { type Address, addressOf } from "../../src/stores/table-name.js";
import { Session } from "../../src/stores/table-session.js";
import { value } from "./table-loads.js";

/** A connection as the store has them. */
export async function sessionOn(url: string): Promise<Session> {
  const database = value(await openDatabase({ root: "/nowhere", env: { DATABASE_URL: url } }));
  return value(await Session.open(async () => ok(database)));
}

/** As `psql` would: not dmake's. */
export async function clientOn(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  await client.connect();
  return client;
}

export const address = (target: string): Address => value(addressOf(target, "public"));

export const traceFor = (target: string, more: Partial<Trace> = {}): Trace => ({
  recipe: { kind: "table" },
  inputs: [{ name: "data/rows.parquet", digest: "sha256:in" }],
  outputs: [{ name: target, digest: `sha256:${target}` }],
  because: [{ why: "no-record" }],
  attempt: `attempt of ${target}`,
  startedAt: "2026-11-21T12:00:00.000Z",
  checkedAt: "2026-11-21T12:00:01.500Z",
  durationMs: 1500,
  facts: {},
  ...more,
});

export const loadOf = (target: string, more: Partial<Load> = {}): Load => ({
  address: address(target),
  outcome: "loaded",
  fingerprint: "sha256:fingerprint",
  trace: traceFor(target),
  rows: 2,
  run: { id: "run-1", pid: 17, host: "here" },
  strategy: target.includes("/") ? "swap" : "replace",
  partitionColumn: target.includes("/") ? "month" : undefined,
  ...more,
});

/** Writes down what lies there now, as a load would that has just put it there. */
export async function recordAsIs(
  session: Session,
  target: string,
  from: ChecksumRange,
  more: Partial<Load> = {},
): Promise<void> {
  value(await ensureLedger(session));
  await session.query("BEGIN");
  const checksum = await checksumOf(session, from, await readColumns(session, from.schema, from.name));
  await recordLoad(session, loadOf(target, { rows: checksum.rows, checksum, ...more }));
  await session.query("COMMIT");
}
