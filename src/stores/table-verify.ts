// Compares the content of tables with what the ledger has recorded of them. Changes nothing; knows nothing of files, or of what is stale.
import { fail, ok, type Result } from "../core/failure.js";
import { shellWord } from "../core/word.js";
import type { Verified } from "../engine/ports.js";
import { type Comparable, isMissing, readComparable } from "./ledger.js";
import { type ChecksumRange, type Comparison, compareChecksum, rowsOf } from "./table-checksum.js";
import { readFound } from "./table-found.js";
import { type Address, literal, quoted, relation } from "./table-name.js";
import { type Place, placeOf } from "./table-place.js";
import { type Session, sqlState } from "./table-session.js";

/** What was found of one target. */
type Finding = Omit<Verified, "name">;

/**
 * Compares one target after the other, each in a transaction of its own that sees ledger and rows as of one moment: a load
 * that comes through meanwhile gives no false alarm. While a partition is read it cannot be swapped; others can.
 */
export async function verifyTables(
  session: Session,
  addresses: readonly Address[],
  report: (one: Verified) => void,
  signal: AbortSignal,
): Promise<Result<void>> {
  session.signal = signal;
  for (const address of addresses) {
    if (signal.aborted) return fail({ reason: "interrupted" });
    const found = await session.guard(`compare ${address.target} with the ledger`, () =>
      session.cuttable(() => verify(session, address)),
    );
    if (!found.ok) return found;
    report({ name: address.target, ...found.value });
  }
  return ok(undefined);
}

async function verify(session: Session, address: Address): Promise<Result<Finding>> {
  for (;;) {
    const finding = await verifyOnce(session, address);
    if (!finding.ok || finding.value !== "moved") return finding as Result<Finding>;
  }
}

/**
 * Where it lies is looked up first, to have a lock before the snapshot: a table that is swapped in after a snapshot looks
 * empty to it. `moved`: it lies elsewhere by now.
 */
async function verifyOnce(session: Session, address: Address): Promise<Result<Finding | "moved">> {
  const place = await placeOf(session, address);
  if (place === "moved") return ok("moved");
  await session.query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
  try {
    // Neither these nor the lock take a snapshot: it is that of the first query after them.
    await session.query("SET LOCAL statement_timeout = 0");
    await session.query("SET LOCAL lock_timeout = 0");
    if (place && place.kind !== "v")
      await session.query(`LOCK TABLE ONLY ${relation(place.schema, place.name)} IN ACCESS SHARE MODE`);
    const now = await placeOf(session, address);
    if (now === "moved" || now?.oid !== place?.oid) return ok("moved");
    return await compare(session, address, now);
  } catch (error) {
    switch (sqlState(error)) {
      case "42P01":
        return ok("moved");
      case "42501":
        return ok({ state: "unknown", problem: (error as Error).message });
      default:
        throw error;
    }
  } finally {
    if (session.alive) await session.query("ROLLBACK");
  }
}

async function compare(
  session: Session,
  address: Address,
  place: Place | undefined,
): Promise<Result<Finding>> {
  const recorded = await recordOf(session, address);
  if (!recorded.ok) return recorded;
  if (recorded.value === undefined) return ok({ state: "unrecorded" });
  const { strategy, rows, checksum } = recorded.value;
  if (strategy === "view") return ok(await compareView(session, address, recorded.value, place));
  const recordedRows = strategy === "merge" && checksum ? rowsOf(checksum.text) : rows;
  const lies = place && place.kind === "r" && (place.part || liesAmong(address, recorded.value));
  if (!lies) return ok({ state: "missing", recordedRows });
  const finding = await compareRows(session, address, recorded.value, place);
  return finding.ok ? ok({ ...finding.value, recordedRows }) : finding;
}

/** Without a ledger there is no record; the transaction goes on. */
async function recordOf(session: Session, address: Address): Promise<Result<Comparable | undefined>> {
  await session.query("SAVEPOINT dmake_record");
  try {
    return await readComparable(session, address);
  } catch (error) {
    if (!isMissing(error)) throw error;
    await session.query("ROLLBACK TO SAVEPOINT dmake_record");
    return ok(undefined);
  }
}

/** Whether the rows are those of one ordinary table, or of a part of it. */
const liesAmong = ({ partition }: Address, { strategy }: Comparable): boolean =>
  partition === undefined || strategy === "delete" || strategy === "merge";

async function compareView(
  session: Session,
  address: Address,
  { trace }: Comparable,
  place: Place | undefined,
): Promise<Finding> {
  if (place === undefined) return { state: "missing" };
  const [found] = await readFound(session, [address]);
  const same = found?.fact.kind === "present" && found.fact.digest === trace.outputs[0]?.digest;
  return same
    ? { state: "same" }
    : { state: "changed", problem: "it selects something else than when it was made" };
}

async function compareRows(
  session: Session,
  { target, partition }: Address,
  { strategy, rows, checksum, partitionColumn, newest }: Comparable,
  place: Place,
): Promise<Result<Finding>> {
  const again = `\`dmake -B ${shellWord(target)}\` records one`;
  if (strategy === "merge" && !newest)
    return ok({
      state: "unknown",
      problem: "other rows were merged into the table since: only its newest load can be compared",
    });
  // Under `delete` and `merge` one table is shared, and the rows of `delete` are told by their key.
  const where =
    strategy === "delete" && partition !== undefined && partitionColumn !== undefined
      ? { column: partitionColumn, value: partition }
      : undefined;
  const from: ChecksumRange = { schema: place.schema, name: place.name, ...(where && { where }) };
  if (checksum === undefined) {
    const foundRows = await countRows(session, from);
    return ok(
      foundRows === rows || strategy === "merge"
        ? { state: "unknown", foundRows, problem: `no checksum was recorded when it was loaded; ${again}` }
        : { state: "changed", foundRows },
    );
  }
  const compared = await compareChecksum(session, from, checksum);
  if (!compared.ok) return compared;
  return ok(await findingOf(session, from, compared.value, again));
}

async function findingOf(
  session: Session,
  from: ChecksumRange,
  compared: Comparison,
  again: string,
): Promise<Finding> {
  switch (compared.kind) {
    case "same":
      return { state: "same", foundRows: compared.rows };
    case "changed":
      return { state: "changed", foundRows: compared.rows ?? (await countRows(session, from)) };
    case "dropped": {
      const names = compared.columns.map((name) => `\`${name}\``).join(", ");
      const problem = `${compared.columns.length === 1 ? "column" : "columns"} ${names} ${compared.columns.length === 1 ? "was" : "were"} dropped`;
      return { state: "changed", problem };
    }
    case "unknown-algorithm":
      return {
        state: "unknown",
        problem: `its checksum is of a kind that this dmake does not know (\`${compared.algorithm}\`); ${again}`,
      };
  }
}

async function countRows(session: Session, { schema, name, where }: ChecksumRange): Promise<number> {
  const range = where === undefined ? "" : ` WHERE ${quoted(where.column)} = ${literal(where.value)}`;
  const [row] = await session.query<{ rows: string }>(
    `SELECT count(*) AS rows FROM ${relation(schema, name)}${range}`,
  );
  return Number(row?.rows);
}
