// The last word of a load: COMMIT in a message of its own, and what to believe if the connection is lost right then. Knows nothing of tables' shapes.
import { strict as assert } from "node:assert";
import { setTimeout as pause } from "node:timers/promises";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Database } from "../postgres/connect.js";
import { wasLoaded } from "./ledger.js";
import type { Loading } from "./table-loading.js";
import { Session } from "./table-session.js";

/** How often to ask a server that has just gone away, and how long to wait in between: about half a minute for a restart. */
const questions = 30;
const questionPauseMs = 1_000;

/**
 * Commits. Batched with work it could commit long after its client is dead (5 s, measured).
 *
 * If there is no answer, the ledger is asked for the attempt, on a new connection and once the old transaction is over.
 * There it was: committed. Not there: nothing has happened, and it is `postgres-lost`. It is never tried again blindly.
 */
export async function commit(loading: Loading): Promise<Result<void>> {
  const { session, address } = loading;
  const committed = loading.spans?.begin("commit", { target: loading.attempt.step.id });
  try {
    const { command } = await session.run("COMMIT");
    // Postgres answers the COMMIT of a failed transaction with ROLLBACK, and no error.
    assert(command === "COMMIT", `bug: the load of ${address.target} had failed before its commit`);
    return ok(undefined);
  } catch (error) {
    const failure = session.database.failure(error, `commit ${address.target}`);
    return failure.reason === "postgres-lost" ? await wasCommitted(loading, failure) : fail(failure);
  } finally {
    committed?.();
  }
}

async function wasCommitted(loading: Loading, lost: Failure): Promise<Result<void>> {
  const { session, address, attempt } = loading;
  await session.end();
  const database = async (): Promise<Result<Database>> => ok(session.database);
  for (let question = 1; ; question++) {
    const opened = await Session.open(database);
    const answer = opened.ok
      ? await opened.value.guard("ask for the outcome of a commit", async () =>
          ok(await wasLoaded(opened.value, address, attempt.id)),
        )
      : opened;
    if (opened.ok) await opened.value.end();
    if (answer.ok && answer.value) return ok(undefined);
    if (answer.ok) return fail(lost);
    if (question === questions) {
      const message = `the connection was lost while \`${address.target}\` was being committed, and the server does not answer since; run again, and the ledger will tell`;
      return fail({ reason: "postgres-lost", server: session.database.server, message });
    }
    await pause(questionPauseMs);
  }
}
