// Writes a ledger row again that was lost, for a table that still carries the mark of the same load. Knows nothing of rows.
import { fail, ok, type Result } from "../core/failure.js";
import { fingerprintOf } from "../core/fingerprint.js";
import type { Trace } from "../core/trace.js";
import { shellWord } from "../core/word.js";
import type { Attempt } from "../engine/ports.js";
import { recordLoad } from "./ledger.js";
import { type Found, readFound } from "./table-catalog.js";
import type { Run } from "./table-holder.js";
import type { Address } from "./table-name.js";
import { traceOf } from "./table-publish.js";
import type { Session } from "./table-session.js";

/**
 * In the caller's transaction, under the lock of the load. Nobody can vouch for a table that this load has not filled: what
 * its rows were made from is written nowhere, and to load it is as cheap as to read it.
 */
export async function adoptTable(
  session: Session,
  address: Address,
  { attempt, run }: { readonly attempt: Attempt; readonly run: Run },
): Promise<Result<Trace>> {
  const [found] = await readFound(session, [address]);
  const fingerprint = fingerprintOf(attempt.recipe, attempt.inputs);
  const mark = found?.mark;
  if (mark?.fingerprint !== fingerprint) return refuse(address, found);
  const { content = fingerprint, rows } = mark;
  const trace = traceOf(attempt, { inputs: attempt.inputs, content, durationMs: 0, facts: { rows } });
  await recordLoad(session, { address, outcome: "adopted", fingerprint, trace, rows, run });
  return ok(trace);
}

function refuse({ target }: Address, found: Found | undefined): Result<never> {
  const problem =
    found === undefined || found.fact.kind === "absent"
      ? "is not there, or empty"
      : found.mark === undefined
        ? "was not loaded by dmake"
        : "was loaded from other inputs or by another recipe";
  return fail({
    reason: "usage",
    message: `\`${target}\` ${problem}: a table can be adopted only if it carries the mark of this very load`,
    help: `dmake ${shellWord(target)}`,
  });
}
