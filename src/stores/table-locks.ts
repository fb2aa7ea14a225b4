// The locks of a load: advisory ones, waited for as long as it takes, and those on tables, given back if readers are in the way. Knows nothing of what is done under them.
import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import { fail, type Holder, ok, type Result } from "../core/failure.js";
import type { Waiting } from "../engine/ports.js";
import { transactionSettings } from "../postgres/connect.js";
import { holderOf } from "./table-holder.js";
import { type Address, lockNumber, lockSpaces } from "./table-name.js";
import { type Session, sqlState } from "./table-session.js";

//  order of taking, which is what rules deadlocks out:
//  load (one partition, at BEGIN) ──► table (one parent, at publish) ──► schema (if it has to be made) ──► relations (parent, then partition)
//  Before it publishes, a load locks no relation but its own side table.

/** How patiently a load waits for readers of the table it has to change. */
export interface Patience {
  /** Nobody can begin to read while we wait for those who do, so this is short. */
  readonly lockMs: number;
  /** Between two tries the queue behind us runs free. */
  readonly pauseMs: number;
  readonly tries: number;
}

/** Gives up after about a minute. */
export const usualPatience: Patience = { lockMs: 5_000, pauseMs: 500, tries: 12 };

/**
 * One loader of a partition (or whole table) at a time, in the whole database, to the end of the transaction. With
 * `waiting` the one who holds it is told before it is waited for.
 */
export async function lockLoad(
  session: Session,
  { target, schema, table, partition = "" }: Address,
  waiting?: Waiting,
): Promise<Result<void>> {
  const number = lockNumber(schema, table, partition);
  const settings = transactionSettings(session.client);
  if (settings !== undefined) await session.query(settings);
  if (waiting) {
    const holder = await holderUnlessFree(session, number);
    if (holder === undefined) return ok(undefined);
    if (waiting.noWait) return fail({ reason: "locked", target, holder });
    waiting.onWait(holder);
  }
  await lock(session, lockSpaces.load, number);
  return ok(undefined);
}

/** Takes the lock of a load if nobody has it. Whoever had it may be gone when we look: then once more. */
async function holderUnlessFree(session: Session, number: number): Promise<Holder | undefined> {
  for (let looks = 1; looks <= 2; looks++) {
    const [tried] = await session.query<{ free: boolean }>(
      "SELECT pg_try_advisory_xact_lock($1, $2) AS free",
      [lockSpaces.load, number],
    );
    if (tried?.free) return undefined;
    const holder = await holderOf(session, lockSpaces.load, number);
    if (holder) return holder;
  }
  // A transaction that is prepared has no process.
  return {};
}

/** One publisher into a table at a time. */
export const lockTable = (session: Session, { schema, table }: Address): Promise<void> =>
  lock(session, lockSpaces.table, lockNumber(schema, table));

/** Makers of one schema in turn: even `CREATE SCHEMA IF NOT EXISTS` fails if another's is not yet committed. */
export const lockSchema = (session: Session, schema: string): Promise<void> =>
  lock(session, lockSpaces.schema, lockNumber(schema));

export const lockMigration = (session: Session): Promise<void> => lock(session, lockSpaces.migration, 0);

/** A `lock_timeout` counts for advisory locks too, and this wait is for a whole load of somebody else's. */
const lock = (session: Session, space: number, number: number): Promise<void> =>
  session.cuttable(async () => {
    await session.query("SET LOCAL lock_timeout = 0");
    await session.query("SELECT pg_advisory_xact_lock($1, $2)", [space, number]);
  });

/** Not to be had in time; a deadlock with a stranger's transaction; a name that a stranger has just taken. */
const passing = new Set(["55P03", "40P01", "42P07"]);

/** Whether trying again may help: nothing of it is the rows' fault, and the savepoint undoes all that was done. */
function mayPass(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== "23505") return state !== undefined && passing.has(state);
  // A name taken by a transaction that committed while we waited for it. Two rows with one key are for ever.
  return /^pg_(class|type)_/.test((error as pg.DatabaseError).constraint ?? "");
}

/**
 * Does `work`, which locks tables, within a transaction, and undoes and repeats it while a lock is not to be had in time.
 * `work` must not change anything outside of the database. After an interrupt the try under way is the last one.
 */
export async function withRelationLocks<T>(
  session: Session,
  { target }: Address,
  patience: Patience,
  work: () => Promise<Result<T>>,
): Promise<Result<T>> {
  const started = performance.now();
  const { signal } = session;
  await session.query(`SET LOCAL lock_timeout = ${Math.ceil(patience.lockMs)}`);
  await session.query("SAVEPOINT dmake_publish");
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!mayPass(error)) throw error;
      await session.query("ROLLBACK TO SAVEPOINT dmake_publish");
      if (tries < patience.tries) await pause(patience.pauseMs, undefined, { signal }).catch(() => undefined);
      else if (sqlState(error) === "55P03")
        return fail({ reason: "lock-timeout", target, waitedMs: performance.now() - started });
      else throw error;
      if (signal?.aborted) return fail({ reason: "interrupted" });
    }
  }
}
