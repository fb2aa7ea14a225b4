// One connection of the table store: statements in turn, the server's errors as failures. Knows nothing of tables.
import { setMaxListeners } from "node:events";
import { setTimeout } from "node:timers/promises";
import pg from "pg";
import { fail, ok, type Result } from "../core/failure.js";
import type { Database } from "../postgres/connect.js";

export type Row = Readonly<Record<string, unknown>>;

/** How long a connection that does not answer is waited for when it is being given up. */
const farewellMs = 2_000;

/** A connection with a lifetime. One statement at a time; further ones wait their turn. */
export class Session {
  readonly database: Database;
  readonly client: pg.Client;
  /** Ends what it waits for; see `cuttable`. Another one while it prepares than while it publishes. */
  signal: AbortSignal | undefined;
  #alive = true;
  #cut = false;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(database: Database, client: pg.Client, signal: AbortSignal | undefined) {
    this.database = database;
    this.client = client;
    this.signal = signal;
    const died = (): void => {
      this.#alive = false;
    };
    client.on("error", died);
    client.on("end", died);
  }

  static async open(
    database: () => Promise<Result<Database>>,
    signal?: AbortSignal,
  ): Promise<Result<Session>> {
    const opened = await database();
    if (!opened.ok) return opened;
    const client = await opened.value.client(signal);
    if (!client.ok) return client;
    const session = new Session(opened.value, client.value, signal);
    return session.guard("set up the connection", async () => {
      // The bounds of partitions are read as text: a backslash in one must stand for itself.
      // And dates as targets spell them.
      await session.query("SET standard_conforming_strings = on; SET datestyle = 'ISO, YMD'");
      return ok(session);
    });
  }

  /** False once the server or the network has ended it. */
  get alive(): boolean {
    return this.#alive;
  }

  /** Runs one statement, and answers its rows. Throws what the driver throws; see `guard`. */
  async query<R extends Row = Row>(sql: string, values?: readonly unknown[]): Promise<readonly R[]> {
    return (await this.run<R>(sql, values)).rows;
  }

  /** As `query`, with the command's tag and its count of rows. */
  async run<R extends Row = Row>(sql: string, values?: readonly unknown[]): Promise<pg.QueryResult<R>> {
    // The driver has a queue of its own, but warns that it will lose it.
    const before = this.#turn;
    const statement = before.then(() => this.client.query<R>(sql, values as unknown[] | undefined));
    this.#turn = statement.catch(() => undefined);
    return statement;
  }

  /**
   * Turns what Postgres or the network throw during `work` into a failure; if we ourselves have cut the connection, that is
   * `interrupted`. Bugs go on being thrown.
   */
  async guard<T>(doing: string, work: () => Promise<Result<T>>): Promise<Result<T>> {
    let done: Result<T>;
    try {
      done = await work();
    } catch (error) {
      done = fail(this.database.failure(error, doing));
    }
    return this.#cut ? fail({ reason: "interrupted" }) : done;
  }

  /**
   * Does `work`, which may wait for others as long as they please, until the signal aborts. Then the connection is given up
   * at once, and the server rolls back.
   */
  async cuttable<T>(work: () => Promise<T>): Promise<T> {
    const cut = (): void => {
      this.#cut = true;
      void this.end();
    };
    if (this.signal?.aborted) cut();
    const { signal } = this;
    // Every load of a build listens to the same one: more than ten are no leak.
    if (signal) setMaxListeners(0, signal);
    signal?.addEventListener("abort", cut, { once: true });
    try {
      return await work();
    } finally {
      signal?.removeEventListener("abort", cut);
    }
  }

  /** Gives the connection up, politely if it answers soon. The server rolls back what was not committed. Never throws. */
  async end(): Promise<void> {
    const goodbye = this.client.end().catch(() => undefined);
    await within(farewellMs, goodbye);
    (this.client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  }
}

/** Waits for `work`, well or badly ended, but no longer than `ms`. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const timer = new AbortController();
  const late = setTimeout(ms, undefined, { signal: timer.signal });
  await Promise.race([work, late]).catch(() => undefined);
  timer.abort();
  late.catch(() => undefined);
}

/** The code that Postgres gave with an error, if it was Postgres. */
export const sqlState = (error: unknown): string | undefined =>
  error instanceof pg.DatabaseError ? error.code : undefined;
