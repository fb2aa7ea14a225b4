// Writes a ledger row again that was lost, for a table that still carries the mark of the same load. Knows nothing of how rows got there.
import { strict as assert } from "node:assert";
import { fail, ok, type Result } from "../core/failure.js";
import { fingerprintOf } from "../core/fingerprint.js";
import type { Trace } from "../core/trace.js";
import { shellWord } from "../core/word.js";
import type { Attempt } from "../engine/ports.js";
import { recordLoad } from "./ledger.js";
import type { Load } from "./ledger-rows.js";
import { readColumns } from "./table-catalog.js";
import { checksumOf } from "./table-checksum.js";
import { type Found, readFound } from "./table-found.js";
import type { Run } from "./table-holder.js";
import type { Address } from "./table-name.js";
import { placeOf } from "./table-place.js";
import { traceOf } from "./table-publish.js";
import type { Session } from "./table-session.js";

/**
 * In the caller's transaction, under the lock of the load. Nobody can vouch for a table that this load has not filled: what
 * its rows were made from is written nowhere, and to load it is as cheap as to read it. The rows are read once, for the
 * checksum by which `verify` will compare them.
 */
export async function adoptTable(
  session: Session,
  address: Address,
  { attempt, run }: { readonly attempt: Attempt; readonly run: Run },
): Promise<Result<Trace>> {
  const { recipe } = attempt.step;
  assert(recipe.kind === "load" || recipe.kind === "sql", `bug: ${address.target} is made by ${recipe.kind}`);
  const [found] = await readFound(session, [address]);
  const fingerprint = fingerprintOf(attempt.recipe, attempt.inputs);
  const mark = found?.mark;
  if (mark?.fingerprint !== fingerprint)
    return refuse(address, found, found?.among === true || recipe.table?.strategy === "merge");
  const { content = fingerprint, rows } = mark;
  const trace = traceOf(attempt, { inputs: attempt.inputs, content, durationMs: 0, facts: { rows } });
  const held = await heldBy(session, address);
  if (held.checksum && held.checksum.rows !== rows)
    return refused(address.target, "holds another number of rows than were loaded");
  const partitionColumn = address.partition === undefined ? undefined : recipe.partitionColumn;
  await recordLoad(session, {
    ...{ address, outcome: "adopted", fingerprint, trace, rows, run, partitionColumn },
    ...held,
  });
  return ok(trace);
}

async function heldBy(session: Session, address: Address): Promise<Pick<Load, "strategy" | "checksum">> {
  let place = await placeOf(session, address);
  while (place === "moved") place = await placeOf(session, address);
  assert(place, `bug: ${address.target} has a mark and is not there`);
  if (place.kind === "v") return { strategy: "view" };
  const checksum = await checksumOf(session, place, await readColumns(session, place.schema, place.name));
  return { strategy: address.partition === undefined ? "replace" : "swap", checksum };
}

/** `unmarked`: rows that lie among others, or were merged with them, have no table of their own that could say of what they are. */
function refuse({ target }: Address, found: Found | undefined, unmarked: boolean): Result<never> {
  const help = `dmake ${shellWord(target)}`;
  if (unmarked)
    return fail({
      reason: "usage",
      message: `\`${target}\` has no table of its own that could carry the mark of its load, so that nobody can tell what its rows were made from; to load it again doubles none of them`,
      help,
    });
  const problem =
    found === undefined || found.fact.kind === "absent"
      ? "is not there, or empty"
      : found.mark === undefined
        ? "was not loaded by dmake"
        : "was loaded from other inputs or by another recipe";
  return refused(target, problem);
}

const refused = (target: string, problem: string): Result<never> =>
  fail({
    reason: "usage",
    message: `\`${target}\` ${problem}: a table can be adopted only if it carries the mark of this very load`,
    help: `dmake ${shellWord(target)}`,
  });
