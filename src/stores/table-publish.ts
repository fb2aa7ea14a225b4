// Publishes a filled side table: fits it to its table, puts it in place, writes the ledger, commits. Knows nothing of connections to come or of what is observed.
import { strict as assert } from "node:assert";
import { fail, ok, type Result } from "../core/failure.js";
import { fingerprintOf } from "../core/fingerprint.js";
import type { Step, Strategy } from "../core/rule.js";
import type { Digest, NamedDigest, RunFacts, Trace } from "../core/trace.js";
import type { Attempt, Finished } from "../engine/ports.js";
import { recordLoad } from "./ledger.js";
import { checksumOf } from "./table-checksum.js";
import { commit } from "./table-commit.js";
import { refit } from "./table-evolve.js";
import type { Run } from "./table-holder.js";
import type { Loading } from "./table-loading.js";
import { lockTable, type Patience } from "./table-locks.js";
import { writeMark } from "./table-mark.js";
import { mergeRows } from "./table-merge.js";
import { strategyOf } from "./table-plan.js";
import { checkRoles, columnsAfter, declared, type Placed, type Publishing } from "./table-publishing.js";
import { readRelation } from "./table-relation.js";
import { deleteRows, replaceRows } from "./table-replace.js";
import { changesOf } from "./table-shape.js";
import { ensureKey, keyFits } from "./table-side.js";
import { swapIn } from "./table-swap.js";
import { typed } from "./table-types.js";

interface PublishOptions {
  readonly run: Run;
  readonly patience: Patience;
}

export interface PublishedLoad {
  readonly trace: Trace;
  /** What was changed of the table, in words. */
  readonly changes: readonly string[];
}

/** All of it in the load's own transaction; throws what the driver throws. */
export async function publishLoad(
  loading: Loading,
  finished: Finished,
  { run, patience }: PublishOptions,
): Promise<Result<PublishedLoad>> {
  const { session, address, attempt, key, rejected } = loading;
  const { outcome, durationMs, inputs, discovered, origins } = finished;
  assert(outcome.kind === "made", `bug: ${address.target} was staged and not made`);
  assert(discovered.length === 0, `bug: ${address.target} is a table, and its load discovered something`);
  // A client that hangs from here on would keep readers out.
  await session.query("SET LOCAL idle_in_transaction_session_timeout = '60s'");
  const counts = checkCounts(loading, outcome.facts);
  if (!counts.ok) return counts;
  await sumEarly(loading);
  await lockTable(session, address);
  const prepared = await prepare(loading);
  if (!prepared.ok) return prepared;
  const { strategy, changes, ...rest } = prepared.value;
  const fingerprint = fingerprintOf(attempt.recipe, inputs);
  const { rows } = loading.copied;
  const mark = (content: Digest, words?: string): string =>
    writeMark({ dmake: 1, target: address.target, fingerprint, content, attempt: attempt.id, rows }, words);
  const placed = await strategies[strategy]({ loading, patience, mark, ...rest });
  if (!placed.ok) return placed;
  const { content, checksum } = placed.value;
  const trace = traceOf(attempt, { inputs, content, durationMs, facts: outcome.facts });
  await recordLoad(session, {
    ...{
      address,
      outcome: "loaded",
      fingerprint,
      trace,
      rows,
      run,
      strategy,
      partitionColumn: key,
      checksum,
    },
    changes,
    ...(rejected && { rejected }),
    ...(origins && { origins }),
  });
  const committed = await commit(loading);
  return committed.ok ? ok({ trace, changes }) : committed;
}

/**
 * Another partition of the table may be published meanwhile: the checksum is most of a publishing, and takes none of its
 * locks. It is made once more under the lock if the table wants other columns or types by then.
 */
async function sumEarly(loading: Loading): Promise<void> {
  const { session, address, side, key, declaration, copied } = loading;
  if (key === undefined || copied.checksum !== undefined) return;
  const table = await readRelation(session, address.schema, address.table);
  const strategy = strategyOf(address, table, key, declaration);
  if (!strategy.ok || strategy.value !== "swap") return;
  const { columns } = (await readRelation(session, side.schema, side.name))!;
  const over = columns.filter(({ name }) => name !== key).map(({ name, type }) => ({ name, type }));
  // What a checksum settles for its transaction would change how types of columns are changed.
  await session.query("SAVEPOINT dmake_sum");
  loading.summed(await checksumOf(session, side, over));
  await session.query("ROLLBACK TO SAVEPOINT dmake_sum");
  await session.query("RELEASE SAVEPOINT dmake_sum");
}

const strategies: Readonly<Record<Strategy, (publishing: Publishing) => Promise<Result<Placed>>>> = {
  swap: swapIn,
  delete: deleteRows,
  replace: replaceRows,
  merge: mergeRows,
};

/** What the recipe read is what the server took, and what was set aside is what was kept. */
function checkCounts({ copied, address, rejected }: Loading, facts: RunFacts): Result<void> {
  const { rows: expected = copied.rows, rejects = 0 } = facts;
  const kept = rejected?.rows.length ?? 0;
  if (expected !== copied.rows)
    return fail({ reason: "rows-lost", table: address.table, expected, found: copied.rows });
  if (rejects !== kept)
    return fail({ reason: "rows-lost", table: address.table, expected: rejects, found: kept });
  return ok(undefined);
}

type Prepared = Omit<Publishing, "loading" | "patience" | "mark"> & {
  readonly strategy: Strategy;
  readonly changes: readonly string[];
};

/** Looks at the table as it is now, under the lock of its publishers, and makes the side table fit it. */
async function prepare(loading: Loading): Promise<Result<Prepared>> {
  const { session, address, side, key, declaration } = loading;
  const table = await readRelation(session, address.schema, address.table);
  const strategy = strategyOf(address, table, key, declaration);
  if (!strategy.ok) return strategy;
  const roles = await checkRoles(session, declaration.grants);
  if (!roles.ok) return roles;
  const fitted = await refit(loading, table);
  if (!fitted.ok) return fitted;
  let made = (await readRelation(session, side.schema, side.name))!;
  if (key !== undefined) {
    const columns = table?.columns ?? made.columns;
    const type = columns.find(({ name }) => name === key)?.type ?? "text";
    const fits = await keyFits(session, address, { key, type, strategy: strategy.value });
    if (!fits.ok) return fits;
    const keyed = typed({ type, ...columns.find(({ name }) => name === key) });
    await ensureKey(session, address, side, { key, type: keyed, made });
    made = (await readRelation(session, side.schema, side.name))!;
  }
  const columns = columnsAfter(table, made.columns, fitted.value);
  const work = declared(loading, table, columns, strategy.value === "swap");
  if (!work.ok) return work;
  const changes = changesOf({ ...fitted.value, left: [...loading.left, ...fitted.value.left] });
  return ok({
    ...{ table, fitted: fitted.value, columns, strategy: strategy.value, changes },
    ...work.value,
  });
}

export function targetOf(step: Step): string {
  assert(step.outputs.length === 1, `bug: ${step.id} has ${step.outputs.length} outputs; a load has one`);
  return step.outputs[0]!;
}

interface Made {
  readonly inputs: readonly NamedDigest[];
  readonly content: string;
  readonly durationMs: number;
  readonly facts: RunFacts;
}

/** The record of a success that is just now. */
export function traceOf(attempt: Attempt, { inputs, content, durationMs, facts }: Made): Trace {
  return {
    recipe: attempt.recipe,
    inputs,
    outputs: [{ name: targetOf(attempt.step), digest: content }],
    because: attempt.because,
    attempt: attempt.id,
    startedAt: attempt.startedAt,
    checkedAt: new Date().toISOString(),
    durationMs,
    facts,
    ...(attempt.provisional && { provisional: true }),
  };
}
