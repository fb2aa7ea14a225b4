// Opens the database that holds the tables: the server that the environment names, or the embedded one. Knows nothing of tables.
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
   * from version 14 on notices within 5 s that we are gone, also in the middle of a statement. A connection that breaks
   * while idle makes the next query fail, and never the process.
   */
  client(): Promise<Result<pg.Client>>;
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
    client: async () => {
      const connected = await connect(opened);
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

async function connect(opened: Opened): Promise<Result<pg.Client>> {
  const deadline = performance.now() + startingMs;
  for (;;) {
    const client = new pg.Client(opened.config);
    client.on("error", () => undefined);
    try {
      await client.connect();
      await prepareSession(client);
      return ok(client);
    } catch (error) {
      await client.end().catch(() => undefined);
      const failure = refusalOf(error, opened);
      const isStarting = failure.reason === "postgres-refused" && failure.code === "57P03";
      if (!isStarting || performance.now() > deadline) return fail(failure);
      await sleep(retryMs);
    }
  }
}

/** One round trip. Some systems cannot watch a connection: there the server refuses a value other than 0. */
async function prepareSession(client: pg.Client): Promise<void> {
  const watch =
    "CASE WHEN current_setting('server_version_num')::int >= 140000 THEN set_config('client_connection_check_interval', '5s', false) END";
  try {
    await client.query(`SELECT set_config('TimeZone', 'UTC', false), ${watch}`);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError && error.code === "22023")) throw error;
    await client.query("SET TimeZone = 'UTC'");
  }
}

/** The number of the server's process for this connection, which pg's types leave out. */
const backendOf = (client: pg.Client): number => (client as unknown as { processID: number }).processID;
