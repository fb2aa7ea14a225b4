// Makes a view, or puts another query into one that is there, with all that people have given it. Knows nothing of the ledger or of commits.
import { fail, ok, type Result } from "../core/failure.js";
import { ensureSchema } from "./table-home.js";
import { handOn, type Kept, readKept } from "./table-keep.js";
import type { Loading } from "./table-loading.js";
import { type Patience, withRelationLocks } from "./table-locks.js";
import { type Address, relation } from "./table-name.js";
import { type Relation, readRelation } from "./table-relation.js";
import { type Session, sqlState } from "./table-session.js";
import { misfit } from "./table-shape.js";
import { type Sent, sqlFailure } from "./table-statement.js";

/** Postgres' word for a view whose columns would not stay what they are. */
const columnsChanged = "42P16";
const othersDepend = "2BP01";

/**
 * Creates or replaces. Where its columns are others the view is dropped and made anew: with its owner, rights, options and
 * the comments of its columns, unless something else rests on it or it has triggers. Readers wait meanwhile, milliseconds.
 */
export async function createView(loading: Loading, sent: Sent, patience: Patience): Promise<Result<void>> {
  const { session, address } = loading;
  const there = await readRelation(session, address.schema, address.table);
  if (there && there.otherwise !== "a view") {
    const what = there.kind === "other" ? there.otherwise : "a table";
    return misfit(address, [`it is ${what}, and no view`], "drop it, or call the view something else");
  }
  await ensureSchema(session, address);
  try {
    return await withRelationLocks(session, address, patience, () =>
      replace(session, address, { sent, there }),
    );
  } catch (error) {
    const failure = sqlFailure(error, sent, head(address));
    if (failure === undefined) throw error;
    return fail(failure);
  }
}

const head = ({ schema, table }: Address): string => `CREATE OR REPLACE VIEW ${relation(schema, table)} AS\n`;

interface Wanted {
  readonly sent: Sent;
  readonly there: Relation | undefined;
}

async function replace(session: Session, address: Address, { sent, there }: Wanted): Promise<Result<void>> {
  const { schema, table } = address;
  const sql = head(address) + sent.sql;
  const kept = there && (await readKept(session, { schema, name: table, simple: true }));
  await session.query("SAVEPOINT dmake_view");
  try {
    await session.query(sql);
  } catch (error) {
    if (there === undefined || sqlState(error) !== columnsChanged) throw error;
    await session.query("ROLLBACK TO SAVEPOINT dmake_view");
    if (there.triggers) return lostTriggers(error, sent);
    const dropped = await drop(session, address, sent);
    if (!dropped.ok) return dropped;
    await session.query(sql);
  }
  if (kept) await restore(session, address, kept);
  return ok(undefined);
}

/** Not CASCADE: what rests on the view is somebody's. */
async function drop(session: Session, { schema, table }: Address, sent: Sent): Promise<Result<void>> {
  try {
    await session.query(`DROP VIEW ${relation(schema, table)}`);
    return ok(undefined);
  } catch (error) {
    if (sqlState(error) !== othersDepend) throw error;
    const failure = sqlFailure(error, sent);
    const hint =
      "the view's columns would be others: keep those that are there, with their types, and add new ones behind them, or drop what depends on it";
    return failure?.reason === "sql-error" ? fail({ ...failure, hint }) : Promise.reject(error);
  }
}

function lostTriggers(error: unknown, sent: Sent): Result<void> {
  const failure = sqlFailure(error, sent);
  if (failure?.reason !== "sql-error") throw error;
  const hint = "the view would have to be made anew, and its triggers would be lost: drop it by hand";
  return fail({ ...failure, hint });
}

/** Also after a mere replacement: that takes a view's options away. */
async function restore(session: Session, { schema, table }: Address, kept: Kept): Promise<void> {
  const now = await readRelation(session, schema, table);
  const columns = new Set(now?.columns.map(({ name }) => name));
  const own: Kept = {
    ...kept,
    acl: kept.acl.filter(({ column }) => column == null || columns.has(column)),
    comments: kept.comments.filter(({ column }) => columns.has(column)),
  };
  await handOn(session, { schema, name: table }, own, now?.grants ?? []);
}
