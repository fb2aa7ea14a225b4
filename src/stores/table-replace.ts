// Publishes rows into a table that stays: all of its rows replaced, or those of one partition. Knows nothing of the ledger or of commits.
import { ok, type Result } from "../core/failure.js";
import { contentOf } from "./table-content.js";
import { wordsFor } from "./table-declared.js";
import { anyLoss, grow, grows } from "./table-evolve.js";
import { moveHome } from "./table-home.js";
import type { Loading } from "./table-loading.js";
import { withRelationLocks } from "./table-locks.js";
import { readMark, readWords } from "./table-mark.js";
import { type Address, literal, niceName, quoted, relation } from "./table-name.js";
import { countAgrees, insertion, type Placed, type Publishing, sumSide } from "./table-publishing.js";
import { type Partition, type Relation, readRelation } from "./table-relation.js";
import type { Session } from "./table-session.js";
import { misfit } from "./table-shape.js";
import { partitionCheck } from "./table-side.js";
import { carryOut } from "./table-work.js";

/**
 * Puts the rows in the place of the table's old ones.
 *
 * The table itself stays, with its views, grants, indexes, defaults and keys; only its rows are replaced, also those that
 * dmake has not loaded. Readers see the old rows until the commit; writers wait (SHARE ROW EXCLUSIVE), since a row that
 * somebody adds between DELETE and COMMIT would stay.
 */
export const replaceRows = async (publishing: Publishing): Promise<Result<Placed>> =>
  publishing.table === undefined
    ? becomeTable(publishing, { marked: true })
    : exchange(publishing, publishing.table, { lock: "SHARE ROW EXCLUSIVE", marked: true });

/**
 * The same with the rows of one partition of an unpartitioned table. Others may read and write all the while (ROW
 * EXCLUSIVE): rows of this partition that somebody adds before the commit are as if they had come after it.
 */
export const deleteRows = async (publishing: Publishing): Promise<Result<Placed>> =>
  publishing.table === undefined
    ? becomeTable(publishing, { marked: false, indexed: true })
    : exchange(publishing, publishing.table, { lock: "ROW EXCLUSIVE", marked: false });

/** The same with all rows of one partition's own table, which something rests on. */
export async function replaceInPlace(publishing: Publishing, old: Partition): Promise<Result<Placed>> {
  const { session } = publishing.loading;
  const own = (await readRelation(session, old.schema, old.name))!;
  return exchange(publishing, own, { lock: "SHARE ROW EXCLUSIVE", marked: true, partition: old });
}

interface Manner {
  readonly lock: "ROW EXCLUSIVE" | "SHARE ROW EXCLUSIVE";
  /** The table has no other rows than those of this load, and says so. */
  readonly marked: boolean;
  /** Its own table, if it has one. */
  readonly partition?: Partition;
}

/** `table`: the one whose rows are replaced, as it is. */
async function exchange(publishing: Publishing, table: Relation, manner: Manner): Promise<Result<Placed>> {
  const { loading, fitted, columns, patience, wanted, before } = publishing;
  const { session, address, side } = loading;
  const safe = checkCascades(address, table);
  if (!safe.ok) return safe;
  const lossless = await anyLoss(loading, fitted);
  if (!lossless.ok) return lossless;
  const sent = fitted.placed.map(({ name }) => name);
  const content = contentOf(loading, columns, sent, table);
  let checksum = await sumSide(publishing, sent);
  if (!checksum.ok) return checksum;
  const placed = await withRelationLocks(session, address, patience, async () => {
    const locked = await lockAndGrow(publishing, manner);
    if (!locked.ok) return locked;
    const rows = await session.run(exchangeSql(publishing, manner));
    return countAgrees(loading, rows.rowCount ?? 0) ?? ok(undefined);
  });
  if (!placed.ok) return placed;
  const where = place(address, manner);
  if (table.triggers) {
    // What somebody's triggers have made of the rows.
    checksum = await sumSide(publishing, sent, { ...where, ...whereOf(loading, manner) });
    if (!checksum.ok) return checksum;
  }
  if (manner.marked) {
    const words = manner.partition
      ? readWords(table.comment ?? null)
      : wordsFor(table.comment, wanted, before);
    await comment(session, where, publishing.mark(content, words));
  } else await unmark(session, where, table);
  await session.query(`DROP TABLE ${relation(side.schema, side.name)}`);
  return ok({ content, checksum: checksum.value });
}

const place = ({ schema, table }: Address, { partition }: Manner) =>
  partition ? { schema: partition.schema, name: partition.name } : { schema, name: table };

const whereOf = ({ key, address }: Loading, { partition, marked }: Manner) =>
  key === undefined || partition || marked ? {} : { where: { column: key, value: address.partition ?? "" } };

/** Rows that others have made of ours would be gone with them, and would not come back. */
function checkCascades(address: Address, { cascades }: Relation): Result<void> {
  if (cascades.length === 0) return ok(undefined);
  return misfit(
    address,
    cascades.map(
      (name) => `foreign keys of \`${name}\` would change or delete its rows as rows here are replaced`,
    ),
    'declare `strategy: "merge"` and a `key`, which deletes no row, or make the foreign keys ON DELETE NO ACTION',
  );
}

/** The parent first, then its partition; the strongest lock first, since two who both have the weaker one wait for ever. */
export async function lockAndGrow(
  { loading: { session, address }, fitted, work }: Publishing,
  { lock, partition }: Manner,
): Promise<Result<void>> {
  const table = relation(address.schema, address.table);
  const stronger = grows(fitted) ? "ACCESS EXCLUSIVE" : (work.lock ?? (partition && "ROW EXCLUSIVE"));
  if (stronger) await session.query(`LOCK TABLE ONLY ${table} IN ${stronger} MODE`);
  if (partition)
    await session.query(`LOCK TABLE ${relation(partition.schema, partition.name)} IN ${lock} MODE`);
  else if (!stronger) await session.query(`LOCK TABLE ONLY ${table} IN ${lock} MODE`);
  const grown = await grow(session, address, fitted);
  if (!grown.ok) return grown;
  await carryOut(session, address.schema, work.statements);
  return ok(undefined);
}

/**
 * One statement, so that a foreign key to a row that goes and comes back finds it again at its end; all is deleted before
 * anything is inserted, since it is counted first. And not TRUNCATE: that one would keep readers out, and empty the table
 * for older snapshots. A partition's rows go in by its parent, which knows how to number them.
 */
function exchangeSql(publishing: Publishing, manner: Manner): string {
  const { key, address, side } = publishing.loading;
  const { schema, name } = place(address, manner);
  const { into, from } = insertion(publishing);
  const { where } = whereOf(publishing.loading, manner);
  const which = where && key !== undefined ? ` WHERE ${quoted(key)} = ${literal(where.value)}` : "";
  return `
    WITH gone AS (DELETE FROM ONLY ${relation(schema, name)}${which} RETURNING 1), counted AS (SELECT count(*) FROM gone)
    INSERT INTO ${relation(address.schema, address.table)} (${into}) SELECT ${from} FROM counted CROSS JOIN ${relation(side.schema, side.name)} AS s`;
}

interface NewTable {
  readonly marked: boolean;
  /** By its partition column. */
  readonly indexed?: boolean;
}

/** The side table itself, where there is none yet. */
export async function becomeTable(
  publishing: Publishing,
  { marked, indexed = false }: NewTable,
): Promise<Result<Placed>> {
  const { loading, fitted, columns, work, wanted } = publishing;
  const { session, address, side, key } = loading;
  const sent = fitted.placed.map(({ name }) => name);
  const checksum = await sumSide(publishing, sent);
  if (!checksum.ok) return checksum;
  const content = contentOf(loading, columns, sent, { triggers: false });
  await moveHome(session, address, side);
  const fresh = relation(address.schema, side.name);
  if (key !== undefined)
    await session.query(
      `ALTER TABLE ${fresh} DROP CONSTRAINT ${partitionCheck}, ALTER COLUMN ${quoted(key)} DROP DEFAULT`,
    );
  await session.query(`ALTER TABLE ${fresh} RENAME TO ${quoted(address.table)}`);
  const table = { schema: address.schema, name: address.table };
  if (indexed && key !== undefined && !isLed(work, key)) {
    const names = niceName(address.table, [key], "idx");
    const under = (name: string) =>
      `CREATE INDEX ${quoted(name)} ON ${relation(table.schema, table.name)} (${quoted(key)})`;
    await carryOut(session, address.schema, [{ names, under }]);
  }
  await carryOut(session, address.schema, work.statements);
  if (marked) await comment(session, table, publishing.mark(content, wanted.comment));
  return ok({ content, checksum: checksum.value });
}

/** Whether an index that is declared finds the rows of a partition as well. */
const isLed = ({ keys, indexes }: Publishing["work"], key: string): boolean =>
  [...keys, ...indexes.flatMap(({ method, columns }) => (method === "btree" ? [columns] : []))].some(
    ([first]) => first === key,
  );

const comment = (
  session: Session,
  { schema, name }: { schema: string; name: string },
  text: string | undefined,
): Promise<unknown> =>
  session.query(
    `COMMENT ON TABLE ${relation(schema, name)} IS ${text === undefined ? "NULL" : literal(text)}`,
  );

/** A mark of the time when the table was replaced as a whole. */
export async function unmark(
  session: Session,
  where: { schema: string; name: string },
  table: Relation,
): Promise<void> {
  if (readMark(table.comment ?? null) === undefined) return;
  await comment(session, where, readWords(table.comment ?? null));
}
