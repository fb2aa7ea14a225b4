// Publishes what SQL has made: a side table as any load, views and tables in place by their marks, with the ledger, and commits. Knows nothing of how they were made.
import { strict as assert } from "node:assert";
import { ok, type Result } from "../core/failure.js";
import { digestOf, fingerprintOf } from "../core/fingerprint.js";
import type { Digest, Trace } from "../core/trace.js";
import type { Finished } from "../engine/ports.js";
import { recordLoad } from "./ledger.js";
import type { Load } from "./ledger-rows.js";
import { readDefinition } from "./table-catalog.js";
import { commit } from "./table-commit.js";
import { wordsFor, workFor } from "./table-declared.js";
import type { Run } from "./table-holder.js";
import type { Loading } from "./table-loading.js";
import { type Patience, withRelationLocks } from "./table-locks.js";
import { type Mark, readMark, readWords, writeMark } from "./table-mark.js";
import { literal, relation } from "./table-name.js";
import { traceOf } from "./table-publish.js";
import { checkRoles, declaredOn } from "./table-publishing.js";
import type { MadeBySql, Querying } from "./table-query.js";
import { readRelation } from "./table-relation.js";
import type { Side } from "./table-side.js";
import { carryOut } from "./table-work.js";

type InPlace = Extract<MadeBySql, { kind: "in-place" }>;

/** Of what is in place already: all that is left to do, in the transaction that made it. Throws what the driver throws. */
export async function publishInPlace(
  querying: Querying,
  finished: Finished,
  run: Run,
): Promise<Result<Trace>> {
  const { loading, made, patience } = querying;
  assert(made.kind !== "aside", `bug: ${loading.address.target} is not in place`);
  await loading.session.query("SET LOCAL idle_in_transaction_session_timeout = '60s'");
  const trace = await (made.kind === "view"
    ? recordView(loading, { finished, run, patience })
    : recordTable(loading, made, { finished, run, patience }));
  if (!trace.ok) return trace;
  const committed = await commit(loading);
  return committed.ok ? trace : committed;
}

interface Recording {
  readonly finished: Finished;
  readonly run: Run;
  readonly patience: Patience;
}

/** What it says is what it is made of: it has no rows of its own, so that whoever reads it follows its inputs. */
async function recordView(loading: Loading, recording: Recording): Promise<Result<Trace>> {
  const { session, address, attempt } = loading;
  const { schema, table } = address;
  const { finished, patience } = recording;
  const content = fingerprintOf(attempt.recipe, finished.inputs);
  const definition = await readDefinition(session, schema, table);
  assert(definition, `bug: ${address.target} is not there`);
  const markWith = (words: string | undefined) =>
    writeMark({ ...markOf(loading, finished, content, 0), definition }, words);
  const place = { schema, name: table };
  const declared = await declare(loading, { place, kind: "VIEW", markWith, patience });
  if (!declared.ok) return declared;
  return record(loading, { ...recording, content, rows: 0, strategy: "view" });
}

/** Of rows that lie among others only the ledger tells. */
async function recordTable(
  loading: Loading,
  { place, strategy, checksum }: InPlace,
  recording: Recording,
): Promise<Result<Trace>> {
  const { address, key, copied } = loading;
  const content = digestOf(
    JSON.stringify({
      partition: key === undefined ? [] : [key, address.partition],
      columns: checksum.columns.map(({ name, type }) => [name, type]),
      rows: copied.digest,
    }),
  );
  const mark = markOf(loading, recording.finished, content, copied.rows);
  const declared = await declare(loading, {
    place,
    kind: "TABLE",
    markWith: strategy === "delete" ? undefined : (words) => writeMark(mark, words),
    patience: recording.patience,
  });
  if (!declared.ok) return declared;
  return record(loading, { ...recording, content, rows: copied.rows, strategy, checksum });
}

const markOf = (
  { address, attempt }: Loading,
  { inputs }: Finished,
  content: Digest,
  rows: number,
): Mark => ({
  dmake: 1,
  target: address.target,
  fingerprint: fingerprintOf(attempt.recipe, inputs),
  content,
  attempt: attempt.id,
  rows,
});

interface Marking {
  readonly place: Side;
  readonly kind: "TABLE" | "VIEW";
  /** Nothing where it holds rows of others too: a mark of the time when it was replaced as a whole goes. */
  readonly markWith: ((words: string | undefined) => string) | undefined;
  readonly patience: Patience;
}

/** Writes the mark, or takes it away, and does what the Datafile declares of the table or view. */
async function declare(
  { session, address, attempt, declaration }: Loading,
  { place, kind, markWith, patience }: Marking,
): Promise<Result<void>> {
  const { schema, table: name } = address;
  const table = await readRelation(session, schema, name);
  assert(table, `bug: ${address.target} is not there`);
  const declared = declaredOn(address, declaration, attempt.previous?.recipe, {
    columns: table.columns.map((column) => column.name),
    partitioned: table.kind === "partitioned" ? table.key : undefined,
  });
  if (!declared.ok) return declared;
  const roles = await checkRoles(session, declaration.grants);
  if (!roles.ok) return roles;
  const { wanted, before } = declared.value;
  const isWhole = place.schema === schema && place.name === name;
  const own = isWhole ? table : await readRelation(session, place.schema, place.name);
  const words = isWhole ? wordsFor(table.comment, wanted, before) : readWords(own?.comment ?? null);
  const said = markWith ? markWith(words) : words;
  const comments = markWith !== undefined || readMark(own?.comment ?? null) !== undefined;
  const { comment: _, ...bare } = table;
  const marked = isWhole && comments ? { ...bare, ...(said !== undefined && { comment: said }) } : table;
  const work = workFor(address, marked, wanted, before);
  if (!work.ok) return work;
  const on = `COMMENT ON ${kind} ${relation(place.schema, place.name)}`;
  // Stronger locks than its rows needed: somebody else who wants them too may be in the way.
  return withRelationLocks(session, address, patience, async () => {
    if (comments) await session.query(`${on} IS ${said === undefined ? "NULL" : literal(said)}`);
    await carryOut(session, schema, work.value.statements);
    return ok(undefined);
  });
}

async function record(
  { session, address, attempt, key }: Loading,
  {
    finished,
    run,
    content,
    rows,
    strategy,
    checksum,
  }: Omit<Recording, "patience"> &
    Pick<Load, "rows" | "strategy" | "checksum"> & { readonly content: Digest },
): Promise<Result<Trace>> {
  const { outcome, inputs, durationMs, origins } = finished;
  const trace = traceOf(attempt, { inputs, content, durationMs, facts: outcome.facts });
  await recordLoad(session, {
    address,
    outcome: "loaded",
    fingerprint: fingerprintOf(attempt.recipe, inputs),
    trace,
    rows,
    run,
    strategy,
    partitionColumn: key,
    ...(checksum && { checksum }),
    ...(origins && { origins }),
  });
  return ok(trace);
}
