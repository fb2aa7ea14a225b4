// The rows of the ledger as plain values: what a load becomes there, and what a row says of a load. Knows nothing of connections.
import { readFileSync } from "node:fs";
import type { Reject } from "../core/failure-data.js";
import type { Strategy } from "../core/rule.js";
import type { Because, Digest, NamedDigest, Origin, Parts, RunFacts, Trace } from "../core/trace.js";
import type { Checksum, ChecksumColumn } from "./table-checksum.js";
import type { Run } from "./table-holder.js";
import type { Address } from "./table-name.js";

/** One success, as it goes into `dmake.loads` and `dmake.history`. */
export interface Load {
  readonly address: Address;
  /**
   * `amended`: the rows are those of an earlier load. What is left out of the optional fields below is then as that load
   * has recorded it; otherwise it is not known.
   */
  readonly outcome: "loaded" | "adopted" | "amended";
  readonly fingerprint: Digest;
  /** The digest of its one output says what the load says. */
  readonly trace: Trace;
  readonly rows: number;
  readonly run: Run;
  readonly strategy: Strategy | "view";
  /** The column that holds the partition; nothing for a whole table or a view. */
  readonly partitionColumn: string | undefined;
  readonly checksum?: Checksum;
  /** Rows that were set aside: those of an earlier load are forgotten. */
  readonly rejected?: { readonly file: string; readonly rows: readonly Reject[] };
  readonly origins?: readonly Origin[];
  /** What was changed of the table, in words. */
  readonly changes?: readonly string[];
}

/** What the ledger says of a table or partition. */
export interface Recorded {
  /** Of recipe and inputs: the idempotency key of the load. */
  readonly fingerprint: Digest;
  readonly trace: Trace;
  readonly rows: number;
  /** Neither this nor what follows is known of loads before version 3. */
  readonly strategy?: Strategy | "view";
  readonly partitionColumn?: string;
}

/** As `to_jsonb` of a row of `dmake.loads` has it: what an older ledger lacks is absent. */
export interface LoadRow {
  readonly schema_name: string;
  readonly table_name: string;
  readonly partition: string;
  readonly fingerprint: Digest;
  readonly content?: Digest | null;
  readonly recipe: Parts;
  readonly inputs: readonly NamedDigest[];
  readonly because?: readonly Because[] | null;
  readonly facts: RunFacts;
  readonly rows: number;
  readonly attempt: string;
  readonly started_at: string;
  readonly finished_at: string;
  readonly duration_ms: number;
  readonly strategy?: Strategy | "view" | null;
  readonly partition_column?: string | null;
  readonly checksum?: string | null;
  readonly checksum_columns?: readonly ChecksumColumn[] | null;
  readonly provisional?: boolean;
}

export const keyOf = (row: LoadRow): string =>
  JSON.stringify([row.schema_name, row.table_name, row.partition]);
export const keyAt = ({ schema, table, partition = "" }: Address): string =>
  JSON.stringify([schema, table, partition]);

export const recordedOf = (row: LoadRow, target: string): Recorded => ({
  fingerprint: row.fingerprint,
  trace: traceOf(row, target),
  rows: row.rows,
  ...(row.strategy && { strategy: row.strategy }),
  ...(row.partition_column && { partitionColumn: row.partition_column }),
});

/** The output goes by the name that was asked for: `table:zones` and `table:public.zones` share a row. A load discovers nothing. */
const traceOf = (row: LoadRow, target: string): Trace => ({
  recipe: row.recipe,
  inputs: row.inputs,
  outputs: [{ name: target, digest: row.content ?? row.fingerprint }],
  ...(row.because && { because: row.because }),
  attempt: row.attempt,
  startedAt: new Date(row.started_at).toISOString(),
  checkedAt: new Date(row.finished_at).toISOString(),
  durationMs: row.duration_ms,
  facts: row.facts,
  ...(row.provisional && { provisional: true }),
});

/** What is recorded of a load, column by column; the order is that of the parameters. */
export function valuesOf(load: Load): Readonly<Record<string, unknown>> {
  const { address, trace, run, checksum, rejected, origins, changes } = load;
  const { facts } = trace;
  return {
    schema_name: address.schema,
    table_name: address.table,
    partition: address.partition ?? "",
    target: address.target,
    fingerprint: load.fingerprint,
    content: trace.outputs[0]?.digest,
    recipe: JSON.stringify(trace.recipe),
    inputs: JSON.stringify(trace.inputs),
    because: JSON.stringify(trace.because ?? []),
    facts: JSON.stringify(facts),
    rows: load.rows,
    bytes: facts.bytes ?? null,
    rejects: facts.rejects ?? rejected?.rows.length ?? 0,
    attempt: trace.attempt,
    run: run.id,
    host: run.host,
    started_at: trace.startedAt,
    finished_at: trace.checkedAt,
    duration_ms: trace.durationMs,
    ...sourceOf(facts, origins),
    dmake_version: ownVersion(),
    strategy: load.strategy,
    partition_column: load.partitionColumn ?? null,
    checksum: checksum?.text ?? null,
    checksum_columns: checksum
      ? JSON.stringify(checksum.columns.map(({ name, type }) => ({ name, type })))
      : null,
    origins: origins ? JSON.stringify(origins) : null,
    changes: changes && changes.length > 0 ? JSON.stringify(changes) : null,
    provisional: trace.provisional ?? false,
  };
}

/** The first place that anything was downloaded from, for people; `origins` has all. */
function sourceOf(facts: RunFacts, origins: readonly Origin[] = []) {
  const { url, etag } = origins.find((origin) => origin.url !== undefined) ?? facts;
  return { source_url: url ?? null, source_etag: etag ?? null };
}

/** Two folders up, in the sources as in the package. */
function ownVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
