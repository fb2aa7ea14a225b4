// Names of tables, partitions and their locks, as Postgres wants them. Knows nothing of connections or of what exists.
import { createHash } from "node:crypto";
import pg from "pg";
import { fail, ok, type Result } from "../core/failure.js";
import { parseTarget } from "../core/target.js";

/** A table, or one partition of it, with its schema settled: the key of a ledger row. */
export interface Address {
  /** As the Datafile has it, for messages. */
  readonly target: string;
  readonly schema: string;
  readonly table: string;
  /** Nothing for a whole table. */
  readonly partition: string | undefined;
}

/** Where the ledger lives; no target may. */
export const ledgerSchema = "dmake";

/**
 * Sets the search path without the ledger's schema: for a user called `dmake`, as in the embedded server, `"$user"` is that
 * schema, and `select … from loads` would read the ledger. `isLocal`: for the transaction.
 */
export const pathWithoutLedger = (isLocal: boolean): string =>
  `set_config('search_path', (SELECT coalesce(string_agg(quote_ident(s), ', '), '') FROM unnest(current_schemas(false)) AS s WHERE s <> '${ledgerSchema}'), ${isLocal})`;

/** Postgres cuts longer identifiers without a word (NAMEDATALEN is 64, with the closing NUL). */
const identifierBytes = 63;

/**
 * Reads a target's name. Refuses what Postgres would cut or end early, since a cut name is another table's name,
 * and the ledger's own schema.
 */
export function addressOf(target: string, defaultSchema: string): Result<Address> {
  const parsed = parseTarget(target);
  if (!parsed.ok) return parsed;
  const { value } = parsed;
  if (value.kind === "file") return refuse(target, "is a file, not a table");
  const { schema = defaultSchema, table, partition } = value;
  if (target.includes("\0")) return refuse(target, "has a NUL in its name");
  if (schema === ledgerSchema)
    return refuse(target, `is in the schema \`${ledgerSchema}\`, which is dmake's own`);
  for (const name of [schema, table])
    if (Buffer.byteLength(name) > identifierBytes)
      return refuse(target, `has a name of more than ${identifierBytes} bytes, which Postgres would cut`);
  return ok({ target, schema, table, partition });
}

const refuse = (target: string, problem: string) =>
  fail({ reason: "usage", message: `\`${target}\` ${problem}` });

export const quoted = (name: string): string => pg.escapeIdentifier(name);
export const literal = (text: string): string => pg.escapeLiteral(text);
export const relation = (schema: string, name: string): string => `${quoted(schema)}.${quoted(name)}`;

/** What Postgres makes of a longer name: its first bytes, whole characters only. */
export function cut(name: string, bytes: number = identifierBytes): string {
  let text = name;
  while (Buffer.byteLength(text) > bytes) text = [...text].slice(0, -1).join("");
  return text;
}

/**
 * Names for a partition's own table, the nicest first: `green_trips_2023_01`, then with a hash, in case another
 * table has the name. A partition is found by its bound and never by its name, so any free one will do.
 */
export function* partitionNames({ table, partition = "" }: Address): Generator<string> {
  const readable = `${table}_${partition.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "_")}`;
  yield cut(readable);
  for (let n = 0; ; n++) {
    const mark = `_${hexOf(table, partition, n === 0 ? "" : String(n)).slice(0, 8)}`;
    yield cut(readable, identifierBytes - mark.length) + mark;
  }
}

/** Of one index: as many tables may have been renamed away and kept, each with the names of its indexes. */
const mostNames = 50;

/**
 * Names for an index or key of a table, the nicest first, as Postgres would call it: `trips_zone_idx`, then with a hash, for
 * where another index has the name, or it is too long, and then with a number as well.
 */
export function niceName(table: string, columns: readonly string[], kind: string): readonly string[] {
  const readable = [table, ...columns].join("_");
  const hash = hexOf(table, kind, ...columns).slice(0, 8);
  const long = Array.from({ length: mostNames }, (_, n) => {
    const hashed = `_${hash}${n === 0 ? "" : `_${n + 1}`}_${kind}`;
    return cut(readable, identifierBytes - hashed.length) + hashed;
  });
  const nice = `${readable}_${kind}`;
  return Buffer.byteLength(nice) > identifierBytes ? long : [nice, ...long];
}

/** The table that an attempt fills, seen by its own transaction only. */
export const sideName = (attempt: string, { target }: Address): string =>
  `dmake_load_${hexOf(attempt, target).slice(0, 16)}`;

/** The first of the two numbers of our advisory locks: one space for each thing that is locked. "dmk" and a digit. */
export const lockSpaces = {
  migration: 0x646d6b30,
  load: 0x646d6b31,
  table: 0x646d6b32,
  schema: 0x646d6b33,
} as const;

/** The second number. Two names with one number (1 in 4 thousand million) wait for one another, no more. */
export const lockNumber = (...names: readonly string[]): number =>
  Number.parseInt(hexOf(...names).slice(0, 8), 16) | 0;

const hexOf = (...parts: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex");
