// Publishes a side table as a partition: conforms it to its parent, then attaches it in the place of the old one. Knows nothing of the ledger or of commits.
import { strict as assert } from "node:assert";
import { ok, type Result } from "../core/failure.js";
import { type ExistingTable, nameTaken, readPartition, readTable } from "./table-catalog.js";
import { conform, ensureSchema, growth, refit } from "./table-evolve.js";
import type { Loading, Placement, Side } from "./table-loading.js";
import { lockTable, type Patience, withRelationLocks } from "./table-locks.js";
import { type Address, literal, partitionNames, quoted, relation } from "./table-name.js";
import type { Session } from "./table-session.js";
import { checkKind, misfit } from "./table-shape.js";

/**
 * Puts the rows in the place of the partition's old ones, and answers the table that holds them now.
 *
 * Whatever table is attached for this value is replaced, also one that dmake has not loaded: the partition is what the
 * Datafile declares. A table that merely has a name that we would like is left alone and another name is taken. A partition
 * that also takes other values, or is divided further, is refused, since replacing it would lose rows of others.
 *
 * Readers are kept out from DETACH to COMMIT (ACCESS EXCLUSIVE on parent and old partition); the first load of a partition
 * keeps nobody out. A reader with a snapshot older than the swap (REPEATABLE READ) finds the new partition empty, as after TRUNCATE.
 */
export async function swapIn(loading: Loading, patience: Patience): Promise<Result<Placement>> {
  const { session, address, side, key } = loading;
  assert(key !== undefined, `bug: ${address.target} has no partition column`);
  await lockTable(session, address);
  const parent = await readTable(session, address.schema, address.table);
  const kind = checkKind(address, parent, key);
  if (!kind.ok) return kind;
  let evolve: readonly string[] = [];
  let sent = loading.columns;
  if (parent !== undefined) {
    const fitted = await refit(session, address, side, parent);
    if (!fitted.ok) return fitted;
    const conformed = await conform(session, address, side, parent, fitted.value);
    if (!conformed.ok) return conformed;
    evolve = growth(fitted.value);
    sent = fitted.value.placed.map(({ name }) => name);
  }
  await ensureSchema(session, address, side);
  return withRelationLocks(session, address, patience, async () => {
    if (parent === undefined) await createParent(session, address, side, key);
    const placed = await replacePartition(session, address, side, evolve);
    return placed.ok ? ok({ ...placed.value, sent }) : placed;
  });
}

/** Created from what is about to be attached: the partition column comes first there. */
async function createParent(
  session: Session,
  { schema, table }: Address,
  side: Side,
  key: string,
): Promise<void> {
  const made = (await readTable(session, schema, side.name)) as ExistingTable;
  const columns = made.columns.map(
    ({ name, type }) => `${quoted(name)} ${type}${name === key ? " NOT NULL" : ""}`,
  );
  await session.query(
    `CREATE TABLE ${relation(schema, table)} (${columns.join(", ")}) PARTITION BY LIST (${quoted(key)})`,
  );
}

async function replacePartition(
  session: Session,
  address: Address,
  side: Side,
  evolve: readonly string[],
): Promise<Result<Side>> {
  const parent = relation(address.schema, address.table);
  let old = await readPartition(session, address);
  // ONLY: the other partitions stay readable by name. In this order: what is locked less first would deadlock with readers.
  const mode = old || evolve.length > 0 ? "ACCESS EXCLUSIVE" : "SHARE UPDATE EXCLUSIVE";
  await session.query(`LOCK TABLE ONLY ${parent} IN ${mode} MODE`);
  old = await readPartition(session, address);
  if (old && !old.simple) {
    const name = `${old.schema}.${old.name}`;
    return misfit(
      address,
      [`partition \`${name}\` holds \`${address.partition}\` and more`],
      `split \`${name}\` first, or name another table`,
    );
  }
  if (evolve.length > 0) await session.query(`ALTER TABLE ${parent} ${evolve.join(", ")}`);
  const fresh = relation(address.schema, side.name);
  const replaced = old && relation(old.schema, old.name);
  if (replaced) await session.query(`ALTER TABLE ${parent} DETACH PARTITION ${replaced}`);
  await session.query(
    `ALTER TABLE ${parent} ATTACH PARTITION ${fresh} FOR VALUES IN (${literal(address.partition!)})`,
  );
  if (replaced) await session.query(`DROP TABLE ${replaced}`);
  const name = old?.schema === address.schema ? old.name : await freeName(session, address);
  await session.query(`ALTER TABLE ${fresh} DROP CONSTRAINT dmake_partition`);
  await session.query(`ALTER TABLE ${fresh} RENAME TO ${quoted(name)}`);
  return ok({ schema: address.schema, name });
}

async function freeName(session: Session, address: Address): Promise<string> {
  for (const name of partitionNames(address))
    if (!(await nameTaken(session, address.schema, name))) return name;
  throw new Error("bug: the names of a partition never end");
}
