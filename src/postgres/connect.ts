// Opens the database that holds the tables: the server that the environment names, or the embedded one. Knows nothing of tables.
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { startEmbedded } from "./embedded.js";
import { readAddress } from "./server-address.js";
import { failureOf, refusalOf, type Where } from "./server-failure.js";

export interface Database {
  /** What people are shown, as `localhost:5432/warehouse` or `the embedded server`; never a password. */
  readonly server: string;
  /** Complete, for psql and others; it may hold the user's password, so only `dmake db` prints it. */
  readonly url: string;
  /**
   * A new connection, ready to use; the caller ends it. Its application name is `dmake`, its time zone UTC, and a server
   * from version 14 on notices within 1 s that we are gone, also in the middle of a statement; if our machine or the network
   * is, within 1 min. Behind a pooler that hands out connections by the transaction, see `transactionSettings`. A connection that breaks while idle makes the next query fail, and never the process. `signal` ends
   * the connecting.
   */
  client(signal?: AbortSignal): Promise<Result<pg.Client>>;
  /** What `pg` threw, as a failure; rethrows what is neither PostgreSQL's nor the network's. `doing` is shown: `load the rows`. */
  failure(error: unknown, doing: string): Failure;
  /** Ends every connection still open. The last to leave stops the embedded server, unless it is kept. */
  close(): Promise<void>;
}

interface Opened extends Where {
  readonly url: string;
  readonly config: pg.ClientConfig;
  readonly leave: (own: readonly number[]) => Promise<void>;
}

/** How long a server may say that it is starting up. */
const startingMs = 15_000;
const retryMs = 200;

/**
 * The server that `DATABASE_URL` or `PG*` name; it is first connected to by `client`. With neither, the embedded server of
 * the project in `root`, which runs when this answers.
 */
export async function openDatabase(options: {
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
}): Promise<Result<Database>> {
  const address = readAddress(options.env);
  if (!address.ok) return address;
  if (address.value) return ok(databaseOf({ ...address.value, leave: () => Promise.resolve() }));
  const embedded = await startEmbedded({ root: options.root });
  if (!embedded.ok) return embedded;
  const { url, config, leave } = embedded.value;
  return ok(
    databaseOf({ server: "the embedded server", user: "dmake", database: "dmake", url, config, leave }),
  );
}

function databaseOf(opened: Opened): Database {
  const open = new Set<pg.Client>();
  return {
    server: opened.server,
    url: opened.url,
    client: async (signal) => {
      const connected = await connect(opened, signal);
      if (!connected.ok) return connected;
      const client = connected.value;
      open.add(client);
      client.once("end", () => open.delete(client));
      return connected;
    },
    failure: (error, doing) => failureOf(error, opened, doing),
    close: async () => {
      const left = [...open];
      const backends = left.map(backendOf);
      await Promise.all(left.map((client) => client.end().catch(() => undefined)));
      await opened.leave(backends);
    },
  };
}

async function connect(opened: Opened, signal: AbortSignal | undefined): Promise<Result<pg.Client>> {
  const deadline = performance.now() + startingMs;
  while (!signal?.aborted) {
    const client = new pg.Client(opened.config);
    client.on("error", () => undefined);
    const cut = () => streamOf(client).destroy();
    signal?.addEventListener("abort", cut, { once: true });
    try {
      await client.connect();
      await prepareSession(client);
      return ok(client);
    } catch (error) {
      await client.end().catch(() => undefined);
      const failure = refusalOf(error, opened);
      const isStarting = failure.reason === "postgres-refused" && failure.code === "57P03";
      if (signal?.aborted) break;
      if (!isStarting || performance.now() > deadline) return fail(failure);
      await sleep(retryMs);
    } finally {
      signal?.removeEventListener("abort", cut);
    }
  }
  return fail({ reason: "interrupted" });
}

// A machine that has lost its power says nothing: by the server's own settings its transactions would live on for 2 hours.
const keepalives = { idle: 30, interval: 10, count: 3 };

const watching = "set_config('client_connection_check_interval', '1s', ";

/**
 * What `client` has set up, in one statement. A pooler between us and the server hands one of its connections to each
 * transaction, whoever's: there only what it keeps for each client is set (the time zone), and nothing is left behind for
 * others. It is told by the number of the server's process, which is not the one that we were given.
 */
function settingsSql(client: pg.Client, options: { readonly watched: boolean }): string {
  const direct = `pg_backend_pid() = ${backendOf(client)}`;
  const alive = Object.entries(keepalives).map(
    ([name, value]) => `CASE WHEN ${direct} THEN set_config('tcp_keepalives_${name}', '${value}', false) END`,
  );
  const watch = `CASE WHEN current_setting('server_version_num')::int >= 140000 THEN ${watching}NOT ${direct}) END`;
  const all = [...alive, ...(options.watched ? [watch] : [])];
  return `SELECT ${direct} AS direct, set_config('TimeZone', 'UTC', false), ${all.join(", ")}`;
}

/** Clients of a pooler whose server can watch a connection while it works for somebody. */
const pooled = new WeakSet<pg.Client>();

/** What a transaction of a client has to begin with, so that the server notices if its client is gone; mostly nothing. */
export const transactionSettings = (client: pg.Client): string | undefined =>
  pooled.has(client)
    ? `SELECT CASE WHEN current_setting('server_version_num')::int >= 140000 THEN ${watching}true) END`
    : undefined;

/** One round trip. Some systems cannot watch a connection: there the server refuses a value other than 0. */
async function prepareSession(client: pg.Client): Promise<void> {
  try {
    const { rows } = await client.query<{ direct: boolean }>(settingsSql(client, { watched: true }));
    if (rows[0]?.direct === false) pooled.add(client);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === "22023")) throw error;
    await client.query(settingsSql(client, { watched: false }));
  }
}

/** The number of the server's process for this connection, which pg's types leave out. */
const backendOf = (client: pg.Client): number => (client as unknown as { processID: number }).processID;

/** The connection beneath, which pg's types leave out. */
const streamOf = (client: pg.Client): Duplex =>
  (client as unknown as { connection: { stream: Duplex } }).connection.stream;
