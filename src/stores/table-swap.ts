// Publishes a side table as a partition: conforms it to its parent, then attaches it in the place of the old one. Knows nothing of the ledger or of commits.
import { strict as assert } from "node:assert";
import type pg from "pg";
import { ok, type Result } from "../core/failure.js";
import { nameTaken } from "./table-catalog.js";
import { contentOf } from "./table-content.js";
import { sideWork } from "./table-declared.js";
import { conform, grow, grows } from "./table-evolve.js";
import { moveHome } from "./table-home.js";
import { handOn, type Kept, readKept, rename } from "./table-keep.js";
import type { Loading } from "./table-loading.js";
import { withRelationLocks } from "./table-locks.js";
import { readWords } from "./table-mark.js";
import { type Address, literal, partitionNames, quoted, relation } from "./table-name.js";
import { type Placed, type Publishing, sumSide } from "./table-publishing.js";
import { findPartition, type Partition, readRelation } from "./table-relation.js";
import { replaceInPlace } from "./table-replace.js";
import { type Session, sqlState } from "./table-session.js";
import { misfit } from "./table-shape.js";
import { partitionCheck, type Side } from "./table-side.js";
import { typed } from "./table-types.js";
import { carryOut } from "./table-work.js";

/**
 * Puts the rows in the place of the partition's old ones.
 *
 * Whatever table is attached for this value is replaced, also one that dmake has not loaded: the partition is what the
 * Datafile declares. A table that merely has a name that we would like is left alone and another name is taken. A partition
 * that also takes other values, or is divided further, is refused, since replacing it would lose rows of others. One that
 * something rests on (a view of its own, foreign keys, triggers, policies) stays, and its rows are replaced.
 *
 * Readers are kept out from DETACH to COMMIT (ACCESS EXCLUSIVE on parent and old partition); the first load of a partition
 * keeps nobody out. A reader with a snapshot older than the swap (REPEATABLE READ) finds the new partition empty, as after TRUNCATE.
 */
export async function swapIn(publishing: Publishing): Promise<Result<Placed>> {
  const { loading, table: parent, fitted, columns, work, patience } = publishing;
  const { session, address, side, key } = loading;
  assert(key !== undefined, `bug: ${address.target} has no partition column`);
  const old = parent && (await findPartition(session, address));
  const simple = checkSimple(address, old);
  if (!simple.ok) return simple;
  const kept = old && (await readKept(session, old));
  if (old && kept?.needed) return replaceInPlace(publishing, old);
  if (parent) {
    const keys = parent.keys.filter(({ name }) => !work.dropped.has(name));
    const indexes = parent.indexes.filter(({ name }) => !work.dropped.has(name));
    const conformed = await conform(loading, { ...parent, keys, indexes }, fitted);
    if (!conformed.ok) return conformed;
  }
  for (const statement of sideWork(work, relation(side.schema, side.name))) await session.query(statement);
  if (kept) await handOn(session, side, kept, (await readRelation(session, side.schema, side.name))!.grants);
  const checksum = await sumSide(
    publishing,
    columns.map(({ name }) => name),
  );
  if (!checksum.ok) return checksum;
  const sent = fitted.placed.map(({ name }) => name);
  const content = contentOf(loading, columns, sent, { triggers: false });
  // Marked before anybody has to wait for it.
  const mark = publishing.mark(content, readWords(kept?.comment ?? null));
  await session.query(`COMMENT ON TABLE ${relation(side.schema, side.name)} IS ${literal(mark)}`);
  await moveHome(session, address, side);
  const placed = await withRelationLocks(session, address, patience, async () => {
    if (parent === undefined) await createParent(session, address, side, key);
    return replacePartition(publishing, kept);
  }).catch((error) => heldByDefault(loading, error));
  return placed.ok ? ok({ content, checksum: checksum.value }) : placed;
}

/** ATTACH does not take rows of the partition out of a DEFAULT one. */
function heldByDefault({ address, side, key }: Loading, error: unknown): Result<never> {
  const { table, schema, constraint } = error as pg.DatabaseError;
  if (sqlState(error) !== "23514" || constraint !== undefined || table === side.name) throw error;
  const name = `${schema}.${table}`;
  return misfit(
    address,
    [`\`${name}\`, a DEFAULT partition, holds rows of \`${address.partition}\``],
    `take them out of it, as \`DELETE FROM ${name} WHERE ${key} = ${literal(address.partition ?? "")}\`; this load brings them`,
  );
}

function checkSimple(address: Address, old: Partition | undefined): Result<void> {
  if (old === undefined || old.simple) return ok(undefined);
  const name = `${old.schema}.${old.name}`;
  return misfit(
    address,
    [`partition \`${name}\` holds \`${address.partition}\` and more`],
    `split \`${name}\` first, or name another table`,
  );
}

/** Created from what is about to be attached: the partition column comes first there. */
async function createParent(
  session: Session,
  { schema, table }: Address,
  side: Side,
  key: string,
): Promise<void> {
  const made = (await readRelation(session, schema, side.name))!;
  const columns = made.columns.map(
    (column) => `${quoted(column.name)} ${typed(column)}${column.name === key ? " NOT NULL" : ""}`,
  );
  await session.query(
    `CREATE TABLE ${relation(schema, table)} (${columns.join(", ")}) PARTITION BY LIST (${quoted(key)})`,
  );
}

async function replacePartition(
  { loading: { session, address, side }, fitted, work }: Publishing,
  kept: Kept | undefined,
): Promise<Result<void>> {
  const parent = relation(address.schema, address.table);
  let old = await findPartition(session, address);
  // ONLY: the other partitions stay readable by name. In this order: what is locked less first would deadlock with readers.
  const exclusive = old || grows(fitted) || work.lock === "ACCESS EXCLUSIVE";
  const mode = exclusive ? "ACCESS EXCLUSIVE" : (work.lock ?? "SHARE UPDATE EXCLUSIVE");
  await session.query(`LOCK TABLE ONLY ${parent} IN ${mode} MODE`);
  old = await findPartition(session, address);
  const simple = checkSimple(address, old);
  if (!simple.ok) return simple;
  const grown = await grow(session, address, fitted);
  if (!grown.ok) return grown;
  const fresh = relation(address.schema, side.name);
  const replaced = old && relation(old.schema, old.name);
  if (replaced) await session.query(`ALTER TABLE ${parent} DETACH PARTITION ${replaced}`);
  // Before the new one comes, which has all of it already: an old primary key would be its second.
  await carryOut(session, address.schema, work.statements);
  await session.query(
    `ALTER TABLE ${parent} ATTACH PARTITION ${fresh} FOR VALUES IN (${literal(address.partition!)})`,
  );
  if (replaced) await session.query(`DROP TABLE ${replaced}`);
  const name = old?.schema === address.schema ? old.name : await freeName(session, address);
  await session.query(`ALTER TABLE ${fresh} DROP CONSTRAINT ${partitionCheck}`);
  await session.query(`ALTER TABLE ${fresh} RENAME TO ${quoted(name)}`);
  await rename(session, { schema: address.schema, name }, side.name, kept);
  return ok(undefined);
}

async function freeName(session: Session, address: Address): Promise<string> {
  for (const name of partitionNames(address))
    if (!(await nameTaken(session, address.schema, name))) return name;
  throw new Error("bug: the names of a partition never end");
}
