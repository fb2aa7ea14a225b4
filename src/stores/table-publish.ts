// Publishes a filled side table: counts, puts it in place, marks it, writes the ledger, commits. Knows nothing of connections to come or of what is observed.
import { strict as assert } from "node:assert";
import { fail, ok, type Result } from "../core/failure.js";
import { fingerprintOf } from "../core/fingerprint.js";
import type { Step } from "../core/rule.js";
import type { NamedDigest, RunFacts, Trace } from "../core/trace.js";
import type { Attempt, Finished } from "../engine/ports.js";
import { recordLoad } from "./ledger.js";
import { readTable, writeMark } from "./table-catalog.js";
import { commit } from "./table-commit.js";
import { contentOf } from "./table-content.js";
import type { Run } from "./table-holder.js";
import type { Loading, Placement } from "./table-loading.js";
import type { Patience } from "./table-locks.js";
import { literal, relation } from "./table-name.js";
import { replaceRows } from "./table-replace.js";
import { swapIn } from "./table-swap.js";

interface PublishOptions {
  readonly run: Run;
  readonly patience: Patience;
}

/** All of it in the load's own transaction; throws what the driver throws. */
export async function publishLoad(
  loading: Loading,
  { outcome, durationMs, inputs, discovered }: Finished,
  { run, patience }: PublishOptions,
): Promise<Result<Trace>> {
  const { session, address, attempt } = loading;
  assert(outcome.kind === "made", `bug: ${address.target} was staged and not made`);
  assert(discovered.length === 0, `bug: ${address.target} is a table, and its load discovered something`);
  // A client that hangs from here on would keep readers out.
  await session.query("SET LOCAL idle_in_transaction_session_timeout = '60s'");
  const rows = await countRows(loading, outcome.facts.rows);
  if (!rows.ok) return rows;
  const placed = await (address.partition === undefined ? replaceRows : swapIn)(loading, patience);
  if (!placed.ok) return placed;
  const content = await contentThere(loading, placed.value);
  const trace = traceOf(attempt, { inputs, content, durationMs, facts: outcome.facts });
  const fingerprint = fingerprintOf(attempt.recipe, inputs);
  const mark = writeMark({
    dmake: 1,
    target: address.target,
    fingerprint,
    content,
    attempt: attempt.id,
    rows: rows.value,
  });
  const { schema, name } = placed.value;
  await session.query(`COMMENT ON TABLE ${relation(schema, name)} IS ${literal(mark)}`);
  await recordLoad(session, { address, outcome: "loaded", fingerprint, trace, rows: rows.value, run });
  const committed = await commit(loading);
  return committed.ok ? ok(trace) : committed;
}

/** Three counts that have to agree: what the recipe read, what the server took, and what is in the table. */
async function countRows(
  { session, address, side, copied }: Loading,
  expected = copied.rows,
): Promise<Result<number>> {
  const [row] = await session.query<{ rows: string }>(
    `SELECT count(*) AS rows FROM ${relation(side.schema, side.name)}`,
  );
  const found = Number(row?.rows);
  if (found === expected && found === copied.rows) return ok(found);
  return fail({ reason: "rows-lost", table: address.table, expected, found });
}

/** Read where it is published: the table may have grown, or its columns be of other types, since the rows were sent. */
async function contentThere(loading: Loading, { schema, name, sent }: Placement): Promise<string> {
  const table = await readTable(loading.session, schema, name);
  assert(table, `bug: ${loading.address.target} is not where it was put`);
  return contentOf(loading, table, sent);
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
  };
}
