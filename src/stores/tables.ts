// The store of tables and partitions in Postgres: what is there, what is recorded, and loads that come whole or not at all. Knows nothing of files, of rules, or of where rows come from.
import { strict as assert } from "node:assert";
import { fail, ok, type Result } from "../core/failure.js";
import { fingerprintOf } from "../core/fingerprint.js";
import type { Step } from "../core/rule.js";
import type { Fact, Trace } from "../core/trace.js";
import type { Attempt, Finished, Published, Stage, Store, Waiting } from "../engine/ports.js";
import type { Database } from "../postgres/connect.js";
import { ensureLedger, readLedger } from "./ledger.js";
import { adoptTable } from "./table-adopt.js";
import { readFound } from "./table-catalog.js";
import { connectionName, type Run } from "./table-holder.js";
import { Loading } from "./table-loading.js";
import { lockLoad, type Patience, usualPatience } from "./table-locks.js";
import { type Address, addressOf, ledgerSchema } from "./table-name.js";
import { publishLoad, targetOf } from "./table-publish.js";
import { Session } from "./table-session.js";

export interface TablesOptions {
  /** Asked at the first use, so that a build of files alone needs no database. */
  readonly database: () => Promise<Result<Database>>;
  /** Who loads: kept with every load, and told to those who wait for one. */
  readonly run: Run;
  /** How long to wait for readers of a table that has to be changed. */
  readonly patience?: Patience;
}

// Limits that a role or database may have for people's queries: a load has no time limit while rows come in. For this
// transaction only, so that a pooler can give the connection to others after it.
const loadSettingsSql = `
  SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true),
         set_config('lock_timeout', '0', true), set_config('application_name', $1, true)`;

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
    publish: (_attempt, stage, finished, signal) => store.publish(loadingOf(stage), finished, signal),
    adopt: (attempt, waiting) => store.adopt(attempt, waiting),
    discard: (_attempt, stage) => store.discard(loadingOf(stage)),
    close: () => store.close(),
  };
}

function loadingOf(stage: Stage): Loading {
  assert(stage.kind === "table" && stage.writer instanceof Loading, "bug: a stage of another store");
  return stage.writer;
}

class Tables {
  readonly #options: TablesOptions;
  readonly #loadings = new Set<Loading>();
  /** Connections that wait for another loader's lock. */
  readonly #waiting = new Set<Session>();
  #reader: Promise<Result<Session>> | undefined;
  #schema: string | undefined;

  constructor(options: TablesOptions) {
    this.#options = options;
  }

  async observe(names: readonly string[]): Promise<Result<readonly Fact[]>> {
    return this.#read("look at the tables", names, async (session, addresses) =>
      ok((await readFound(session, addresses)).map(({ fact }) => fact)),
    );
  }

  async traces(steps: readonly Step[]): Promise<Result<readonly (Trace | undefined)[]>> {
    return this.#read("read the ledger", steps.map(targetOf), async (session, addresses) => {
      const recorded = await readLedger(session, addresses);
      return recorded.ok ? ok(recorded.value.map((entry) => entry?.trace)) : recorded;
    });
  }

  async #read<T>(
    doing: string,
    names: readonly string[],
    work: (session: Session, addresses: readonly Address[]) => Promise<Result<readonly T[]>>,
  ): Promise<Result<readonly T[]>> {
    if (names.length === 0) return ok([]);
    const reader = await this.#openReader();
    if (!reader.ok) return reader;
    return reader.value.guard(doing, async () => {
      const schema = await this.#defaultSchema(reader.value);
      if (!schema.ok) return schema;
      const addresses: Address[] = [];
      for (const name of names) {
        const address = addressOf(name, schema.value);
        if (!address.ok) return address;
        addresses.push(address.value);
      }
      return work(reader.value, addresses);
    });
  }

  /** One for the life of the store; another if the server has ended it meanwhile. */
  async #openReader(): Promise<Result<Session>> {
    this.#reader ??= Session.open(this.#options.database);
    const opening = this.#reader;
    const reader = await opening;
    if (reader.ok && reader.value.alive) return reader;
    if (this.#reader === opening) this.#reader = undefined;
    return reader.ok ? this.#openReader() : reader;
  }

  /**
   * The first schema of the search path that exists, as `current_schema()`, but for the ledger's own: for a user called
   * `dmake` the path `"$user", public` would lead there as soon as there is a ledger.
   */
  async #defaultSchema(session: Session): Promise<Result<string>> {
    if (this.#schema !== undefined) return ok(this.#schema);
    const [row] = await session.query<{ schema: string }>(
      "SELECT schema FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (schema, n) WHERE schema <> $1 ORDER BY n LIMIT 1",
      [ledgerSchema],
    );
    if (row === undefined)
      return fail({
        reason: "usage",
        message: "no schema of the search path exists; write `table:SCHEMA.NAME`",
      });
    this.#schema = row.schema;
    return ok(row.schema);
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
      const loading = new Loading(session, begun.value.address, attempt);
      this.#loadings.add(loading);
      staged = true;
      return ok({ kind: "table", writer: loading });
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
    const schema = await this.#defaultSchema(session);
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
    const [found] = await readFound(session, [address]);
    const [said] = entry?.trace.outputs ?? [];
    const there = found?.fact.kind === "present" && found.fact.digest === said?.digest;
    const same = entry?.fingerprint === fingerprintOf(attempt.recipe, attempt.inputs);
    return ok(same && there ? entry.trace : undefined);
  }

  async publish(loading: Loading, finished: Finished, signal?: AbortSignal): Promise<Result<Published>> {
    const { session, address } = loading;
    session.signal = signal;
    return session.guard(`publish ${address.target}`, async () => {
      const { run, patience = usualPatience } = this.#options;
      const trace = await publishLoad(loading, finished, { run, patience });
      if (!trace.ok) return trace;
      this.#loadings.delete(loading);
      await session.end();
      return ok({ trace: trace.value, saved: [] });
    });
  }

  async adopt(attempt: Attempt, waiting?: Waiting): Promise<Result<Trace>> {
    const opened = await Session.open(this.#options.database, waiting?.signal);
    if (!opened.ok) return opened;
    const session = opened.value;
    const target = targetOf(attempt.step);
    this.#waiting.add(session);
    try {
      return await session.guard(`adopt ${target}`, async () => {
        const address = await session.cuttable(() => this.#lock(session, target, waiting));
        if (!address.ok) return address;
        const adopted = await adoptTable(session, address.value, { attempt, run: this.#options.run });
        // In a message of its own, as after a load. Unanswered, it is the caller who asks again.
        await session.query(adopted.ok ? "COMMIT" : "ROLLBACK");
        return adopted;
      });
    } finally {
      this.#waiting.delete(session);
      await session.end();
    }
  }

  async discard(loading: Loading): Promise<void> {
    this.#loadings.delete(loading);
    await loading.discard();
  }

  async close(): Promise<void> {
    const ends = [...this.#waiting].map((session) => session.end());
    await Promise.all([...ends, ...[...this.#loadings].map((loading) => this.discard(loading))]);
    const reader = await this.#reader;
    this.#reader = undefined;
    if (reader?.ok) await reader.value.end();
  }
}
