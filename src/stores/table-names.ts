// What targets are called in SQL, as the server's catalogue and the ledger have it now. Knows nothing of statements or of loading.
import { fail, ok, type Result } from "../core/failure.js";
import type { SqlName, Statement } from "../core/rule.js";
import { parseTarget } from "../core/target.js";
import { readLedger } from "./ledger.js";
import { readDefaultSchema } from "./table-catalog.js";
import { type Address, addressOf, literal, quoted, relation } from "./table-name.js";
import { findPartition, readRelation } from "./table-relation.js";
import type { Session } from "./table-session.js";

/** Whether a statement names a table, or a partition of it, other than as a text. */
export function namesTable({ values }: Statement, { schema, table }: Address): boolean {
  return values.some((value) => {
    if (typeof value !== "object" || value === null) return false;
    const named = parseTarget(value.target);
    if (!named.ok || named.value.kind === "file") return false;
    // Without a schema it is in the default one, which may be this one: to wait once too often does no harm.
    return named.value.table === table && (named.value.schema ?? schema) === schema;
  });
}

/** For whom names are looked up. */
interface Asker {
  readonly session: Session;
  /** What is made: as a name it is the whole table, which is where rows are put. */
  readonly own: Address;
  /** A view outlives the tables of partitions, which are swapped: it goes by their parents. */
  readonly isView: boolean;
}

/**
 * The SQL for a name. A whole table or view is `"schema"."name"`, there or not; Postgres says so. A partition is its own
 * table, so that others of its parent can be swapped meanwhile, or a subquery of its rows.
 */
export async function sqlNameOf({ target, unnamed }: SqlName, asker: Asker): Promise<Result<string>> {
  const { session, own, isView } = asker;
  if (target === own.target) return ok(relation(own.schema, own.table));
  const address = await addressIn(session, target);
  if (!address.ok) return address;
  const { schema, table, partition } = address.value;
  if (partition === undefined) return ok(relation(schema, table));
  const rows = await partitionRows(session, address.value, isView);
  return rows.ok && unnamed ? ok(`${rows.value} AS ${quoted(table)}`) : rows;
}

async function addressIn(session: Session, target: string): Promise<Result<Address>> {
  const schema = await readDefaultSchema(session);
  return schema.ok ? addressOf(target, schema.value) : schema;
}

async function partitionRows(session: Session, address: Address, isView: boolean): Promise<Result<string>> {
  const { schema, table, partition = "", target } = address;
  const found = await readRelation(session, schema, table);
  const missing = { reason: "output-missing", output: target } as const;
  if (found === undefined) return fail(missing);
  if (found.kind === "partitioned" && !isView) {
    const own = await findPartition(session, address);
    if (own === undefined) return fail(missing);
    if (own.simple) return ok(relation(own.schema, own.name));
  }
  const key = found.key ?? (await recordedKey(session, address));
  if (key === undefined || !found.columns.some(({ name }) => name === key)) return fail(missing);
  return ok(`(SELECT * FROM ${relation(schema, table)} WHERE ${quoted(key)} = ${literal(partition)})`);
}

/** Of rows that lie among others, the ledger knows by which column. */
async function recordedKey(session: Session, address: Address): Promise<string | undefined> {
  const recorded = await readLedger(session, [address]);
  return recorded.ok ? recorded.value[0]?.partitionColumn : undefined;
}
