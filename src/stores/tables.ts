// The store of tables and partitions in Postgres: what is there, what is recorded, and loads that come whole or not at all. Knows nothing of files, of rules, or of where rows come from.
import { strict as assert } from "node:assert";
import { ok, type Result } from "../core/failure.js";
import { fingerprintOf } from "../core/fingerprint.js";
import type { Step } from "../core/rule.js";
import type { Spans } from "../core/spans.js";
import type { Fact, Trace } from "../core/trace.js";
import type { Attempt, Finished, Published, Stage, Store, Verified, Waiting } from "../engine/ports.js";
import type { Database } from "../postgres/connect.js";
import { ensureLedger, readLedger } from "./ledger.js";
import { adoptTable } from "./table-adopt.js";
import { amendTable } from "./table-amend.js";
import { readFound } from "./table-found.js";
import { connectionName, type Run } from "./table-holder.js";
import { Loading } from "./table-loading.js";
import { lockLoad, type Patience, usualPatience } from "./table-locks.js";
import { type Address, addressOf, pathWithoutLedger } from "./table-name.js";
import { type PublishedLoad, publishLoad, targetOf } from "./table-publish.js";
import type { Querying } from "./table-query.js";
import { Reader } from "./table-reader.js";
import { Session } from "./table-session.js";

export interface TablesOptions {
  readonly spans?: Spans;
  /** Asked at the first use, so that a build of files alone needs no database. */
  readonly database: () => Promise<Result<Database>>;
  /** Who loads: kept with every load, and told to those who wait for one. */
  readonly run: Run;
  /** How long to wait for readers of a table that has to be changed. */
  readonly patience?: Patience;
}

// Limits that a role or database may have for people's queries: a load has no time limit while rows come in. For this
// transaction only, so that a pooler can give the connection to others after it. Rows that a policy hides would not be
// replaced: without `row_security` Postgres refuses to look at such a table at all.
const loadSettingsSql = `
  SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true),
         set_config('lock_timeout', '0', true), set_config('row_security', 'off', true), set_config('datestyle', 'ISO, YMD', true), set_config('application_name', $1, true),
         ${pathWithoutLedger(true)}`;

type Already = { readonly kind: "already"; readonly trace: Trace };

/**
 * A store for targets such as `table:green_trips/2023-01` and `table:zones`.
 *
 * Observing reads catalogue and ledger, one query each however many targets, and creates nothing. A load is one transaction
 * on a connection of its own: it locks its partition, fills a side table, puts that in place, writes the ledger, commits. A
 * fact's digest is that of the content (columns, types, rows) that the table carries in its COMMENT: so a table that was
 * dropped, emptied, put back from an old dump or made by somebody else is seen, whatever the ledger says, and one that was
 * loaded anew with the same rows is the same to all that depend on it. Rows edited one by one are not seen.
 */
export function createTables(options: TablesOptions): Store {
  const store = new Tables(options);
  return {
    observe: (names) => store.observe(names),
    // A table has nothing that moves whenever it is touched; what it was made from and what it says, `observe` tells.
    stamps: async (names) => ok(names.map(() => undefined)),
    traces: (steps) => store.traces(steps),
    stage: (attempt, waiting) => store.stage(attempt, waiting),
    publish: (_attempt, stage, finished, signal) => store.publish(writerOf(stage), finished, signal),
    adopt: (attempt, waiting) => store.adopt(attempt, waiting),
    amend: (attempt, waiting) => store.amend(attempt, waiting),
    verify: (names, report, signal) => store.verify(names, report, signal),
    discard: (_attempt, stage) => store.discard(writerOf(stage)),
    close: () => store.close(),
  };
}

type Writer = Loading | Querying;

function writerOf(stage: Stage): Writer {
  assert(stage.kind !== "files", "bug: a stage of another store");
  return stage.writer as Writer;
}

const loadingOf = (writer: Writer): Loading => (writer instanceof Loading ? writer : writer.loading);

class Tables {
  readonly #options: TablesOptions;
  readonly #loadings = new Set<Loading>();
  /** Connections that wait for another loader's lock. */
  readonly #waiting = new Set<Session>();
  readonly #reader: Reader;

  constructor(options: TablesOptions) {
    this.#options = options;
    this.#reader = new Reader(options.database);
  }

  async observe(names: readonly string[]): Promise<Result<readonly Fact[]>> {
    return this.#reader.read("look at the tables", names, async (session, addresses) =>
      ok((await readFound(session, addresses)).map(({ fact }) => fact)),
    );
  }

  async traces(steps: readonly Step[]): Promise<Result<readonly (Trace | undefined)[]>> {
    return this.#reader.read("read the ledger", steps.map(targetOf), async (session, addresses) => {
      const recorded = await readLedger(session, addresses);
      return recorded.ok ? ok(recorded.value.map((entry) => entry?.trace)) : recorded;
    });
  }

  async stage(attempt: Attempt, waiting?: Waiting): Promise<Result<Stage | Already>> {
    const opened = await Session.open(this.#options.database, waiting?.signal);
    if (!opened.ok) return opened;
    const session = opened.value;
    const target = targetOf(attempt.step);
    this.#waiting.add(session);
    let staged = false;
    try {
      const begun = await session.guard(`prepare to load ${target}`, () =>
        session.cuttable(() => this.#begin(session, target, attempt, waiting)),
      );
      if (!begun.ok) return begun;
      if (begun.value.trace) return ok({ kind: "already", trace: begun.value.trace });
      const loading = new Loading(session, begun.value.address, attempt, this.#options.spans);
      this.#loadings.add(loading);
      staged = true;
      if (attempt.step.recipe.kind !== "sql") return ok({ kind: "table", writer: loading });
      const { Querying } = await import("./table-query.js");
      return ok({ kind: "query", writer: new Querying(loading, this.#options.patience) });
    } finally {
      this.#waiting.delete(session);
      if (!staged) await session.end();
    }
  }

  /** `trace`: somebody else has done this very load meanwhile. */
  async #begin(
    session: Session,
    target: string,
    attempt: Attempt,
    waiting: Waiting | undefined,
  ): Promise<Result<{ readonly address: Address; readonly trace: Trace | undefined }>> {
    const address = await this.#lock(session, target, waiting);
    if (!address.ok) return address;
    const trace = await this.#sameAlready(session, address.value, attempt);
    return trace.ok ? ok({ address: address.value, trace: trace.value }) : trace;
  }

  /** Begins a transaction that holds the lock of the target's loads, in a database with a ledger. */
  async #lock(session: Session, target: string, waiting: Waiting | undefined): Promise<Result<Address>> {
    const schema = await this.#reader.defaultSchema(session);
    if (!schema.ok) return schema;
    const address = addressOf(target, schema.value);
    if (!address.ok) return address;
    const ledger = await ensureLedger(session);
    if (!ledger.ok) return ledger;
    await session.query("BEGIN ISOLATION LEVEL READ COMMITTED");
    await session.query(loadSettingsSql, [connectionName(this.#options.run)]);
    const locked = await lockLoad(session, address.value, waiting);
    return locked.ok ? address : locked;
  }

  /** Looked at again under the lock, in statements that begin after it was given: whoever had it has committed. */
  async #sameAlready(
    session: Session,
    address: Address,
    attempt: Attempt,
  ): Promise<Result<Trace | undefined>> {
    if (attempt.forced) return ok(undefined);
    const recorded = await readLedger(session, [address]);
    if (!recorded.ok) return recorded;
    const [entry] = recorded.value;
    const [found] = await this.#unlocked(session, () => readFound(session, [address]));
    const [said] = entry?.trace.outputs ?? [];
    const there = found?.fact.kind === "present" && found.fact.digest === said?.digest;
    const same = entry?.fingerprint === fingerprintOf(attempt.recipe, attempt.inputs);
    // The one by which it was found stale is nobody's work of the meantime.
    const isKnown = entry !== undefined && entry.trace.attempt === attempt.previous?.attempt;
    return ok(same && there && !isKnown ? entry.trace : undefined);
  }

  /** Looks, and keeps no lock of it: a lock that is taken after a savepoint goes with it. */
  async #unlocked<T>(session: Session, look: () => Promise<T>): Promise<T> {
    await session.query("SAVEPOINT dmake_found");
    const seen = await look();
    await session.query("ROLLBACK TO SAVEPOINT dmake_found");
    await session.query("RELEASE SAVEPOINT dmake_found");
    return seen;
  }

  async publish(writer: Writer, finished: Finished, signal?: AbortSignal): Promise<Result<Published>> {
    const loading = loadingOf(writer);
    const { session, address } = loading;
    session.signal = signal;
    return session.guard(`publish ${address.target}`, async () => {
      const { run, patience = usualPatience } = this.#options;
      const published = await this.#publish(writer, finished, { run, patience });
      if (!published.ok) return published;
      this.#loadings.delete(loading);
      await session.end();
      const { trace, changes } = published.value;
      return ok({ trace, saved: [], ...(changes.length > 0 && { changes }) });
    });
  }

  async #publish(
    writer: Writer,
    finished: Finished,
    options: { readonly run: Run; readonly patience: Patience },
  ): Promise<Result<PublishedLoad>> {
    if (writer instanceof Loading) return publishLoad(writer, finished, options);
    if (writer.made.kind === "aside") return publishLoad(writer.loading, finished, options);
    const { publishInPlace } = await import("./table-query-publish.js");
    const trace = await publishInPlace(writer, finished, options.run);
    return trace.ok ? ok({ trace: trace.value, changes: [] }) : trace;
  }

  async adopt(attempt: Attempt, waiting?: Waiting): Promise<Result<Trace>> {
    const { run } = this.#options;
    return this.#alone("adopt", attempt, waiting, (session, address) =>
      adoptTable(session, address, { attempt, run }),
    );
  }

  async amend(attempt: Attempt, waiting?: Waiting): Promise<Result<Trace | undefined>> {
    const { run, patience = usualPatience } = this.#options;
    return this.#alone("amend", attempt, waiting, (session, address) =>
      amendTable(session, address, { attempt, run, patience }),
    );
  }

  /** Work that loads nothing, in a transaction that holds the lock of the load; `undefined` undoes it. */
  async #alone<T>(
    doing: string,
    attempt: Attempt,
    waiting: Waiting | undefined,
    work: (session: Session, address: Address) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    const opened = await Session.open(this.#options.database, waiting?.signal);
    if (!opened.ok) return opened;
    const session = opened.value;
    const target = targetOf(attempt.step);
    this.#waiting.add(session);
    try {
      return await session.guard(`${doing} ${target}`, async () => {
        const address = await session.cuttable(() => this.#lock(session, target, waiting));
        if (!address.ok) return address;
        const done = await work(session, address.value);
        // In a message of its own, as after a load. Unanswered, it is the caller who asks again.
        await session.query(done.ok && done.value !== undefined ? "COMMIT" : "ROLLBACK");
        return done;
      });
    } finally {
      this.#waiting.delete(session);
      await session.end();
    }
  }

  async verify(
    names: readonly string[],
    report: (one: Verified) => void,
    signal: AbortSignal,
  ): Promise<Result<void>> {
    // A connection of its own: to be cut while it reads, and others look meanwhile.
    const opened = await Session.open(this.#options.database, signal);
    if (!opened.ok) return opened;
    const session = opened.value;
    this.#waiting.add(session);
    try {
      const addresses = await session.guard("look at the tables", () =>
        this.#reader.addresses(session, names),
      );
      if (!addresses.ok) return addresses;
      const { verifyTables } = await import("./table-verify.js");
      return await verifyTables(session, addresses.value, report, signal);
    } finally {
      this.#waiting.delete(session);
      await session.end();
    }
  }

  async discard(writer: Writer): Promise<void> {
    const loading = loadingOf(writer);
    this.#loadings.delete(loading);
    await loading.discard();
  }

  async close(): Promise<void> {
    const ends = [...this.#waiting].map((session) => session.end());
    await Promise.all([...ends, ...[...this.#loadings].map((loading) => this.discard(loading))]);
    await this.#reader.close();
  }
}
