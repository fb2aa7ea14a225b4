// Publishes a side table as a whole table: in its place the first time, its rows instead of the old ones later. Knows nothing of the ledger or of commits.
import { fail, ok, type Result } from "../core/failure.js";
import { type ExistingTable, readTable } from "./table-catalog.js";
import { ensureSchema, firstLoss, growth, refit } from "./table-evolve.js";
import type { Loading, Placement } from "./table-loading.js";
import { lockTable, type Patience, withRelationLocks } from "./table-locks.js";
import { quoted, relation } from "./table-name.js";
import { checkKind, misfit, typeHelp } from "./table-shape.js";

/**
 * Puts the rows in the place of the table's old ones, and answers the table.
 *
 * The table itself stays, with its views, grants, indexes, defaults and keys; only its rows are replaced, also those that
 * dmake has not loaded. Readers see the old rows until the commit; writers wait (SHARE ROW EXCLUSIVE), since a row that
 * somebody adds between DELETE and COMMIT would stay.
 */
export async function replaceRows(loading: Loading, patience: Patience): Promise<Result<Placement>> {
  const { session, address, side } = loading;
  await lockTable(session, address);
  const table = await readTable(session, address.schema, address.table);
  const kind = checkKind(address, table, undefined);
  if (!kind.ok) return kind;
  if (table === undefined) {
    await ensureSchema(session, address, side);
    const fresh = relation(address.schema, side.name);
    await session.query(`ALTER TABLE ${fresh} RENAME TO ${quoted(address.table)}`);
    return ok({ schema: address.schema, name: address.table, sent: loading.columns });
  }
  return withRelationLocks(session, address, patience, () => exchange(loading, table));
}

/** DELETE and INSERT, not TRUNCATE: that one would keep readers out, and empty the table for older snapshots. */
async function exchange(
  { session, address, side, copied }: Loading,
  table: ExistingTable,
): Promise<Result<Placement>> {
  const fitted = await refit(session, address, side, table);
  if (!fitted.ok) return fitted;
  const name = relation(address.schema, address.table);
  const evolve = growth(fitted.value);
  const source = (await readTable(session, side.schema, side.name))!;
  for (const [index, { type }] of fitted.value.placed.entries()) {
    const lossy = await firstLoss(session, side, source.columns[index]!, type);
    if (lossy !== undefined) return misfit(address, [lossy], typeHelp);
  }
  await session.query(`LOCK TABLE ${name} IN SHARE ROW EXCLUSIVE MODE`);
  if (evolve.length > 0) await session.query(`ALTER TABLE ${name} ${evolve.join(", ")}`);
  await session.query(`DELETE FROM ${name}`);
  const into = fitted.value.placed.map((column) => quoted(column.name)).join(", ");
  const from = fitted.value.placed.map(({ source, type }) => `${quoted(source)}::${type}`).join(", ");
  const inserted = await session.run(
    `INSERT INTO ${name} (${into}) SELECT ${from} FROM ${relation(side.schema, side.name)}`,
  );
  if (inserted.rowCount !== copied.rows)
    return fail({
      reason: "rows-lost",
      table: address.table,
      expected: copied.rows,
      found: inserted.rowCount ?? 0,
    });
  await session.query(`DROP TABLE ${relation(side.schema, side.name)}`);
  const sent = fitted.value.placed.map((column) => column.name);
  return ok({ schema: address.schema, name: address.table, sent });
}
