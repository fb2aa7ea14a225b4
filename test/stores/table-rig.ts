// What the tests of the table store need: a store on a throw-away database, and a look at every statement. Knows nothing of recipes.
import pg from "pg";
import { ok, type Result } from "../../src/core/failure.js";
import type { Fact } from "../../src/core/trace.js";
import type { Store } from "../../src/engine/ports.js";
import { type Database, openDatabase } from "../../src/postgres/connect.js";
import { createTables, type TablesOptions } from "../../src/stores/tables.js";
import { startServer } from "../rig/postgres.js";
import { value } from "./table-loads.js";

export {
  attemptFor,
  type Cell,
  encoded,
  failure,
  fill,
  load,
  made,
  publish,
  type Rows,
  value,
  writerOf,
} from "./table-loads.js";

export interface World {
  readonly url: string;
  readonly store: Store;
  /** A query on a connection of its own, outside of dmake. */
  readonly sql: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
  /** Another process, as it were, with its own connections. */
  readonly another: (options?: Partial<TablesOptions>) => Store;
  readonly database: () => Promise<Result<Database>>;
  readonly end: () => Promise<void>;
}

const server = await startServer({ max_prepared_transactions: "2" });
let worlds = 0;
export const stopServer = (): Promise<void> => server.stop();

/** An empty database with a store on it. */
export async function emptyWorld(
  options: Partial<TablesOptions> & { at?: (url: string) => string } = {},
): Promise<World> {
  const url = await server.database(`world_${++worlds}`);
  const databases: Promise<Result<Database>>[] = [];
  const client = new pg.Client(url);
  await client.connect();
  const reach = (): (() => Promise<Result<Database>>) => {
    let opened: Promise<Result<Database>> | undefined;
    return () => {
      opened ??= openDatabase({ root: "/nowhere", env: { DATABASE_URL: options.at?.(url) ?? url } });
      databases.push(opened);
      return opened;
    };
  };
  const stores: Store[] = [];
  const another = (more: Partial<TablesOptions> = {}): Store => {
    const store = createTables({
      database: reach(),
      run: { id: "run-1", pid: 17, host: "here" },
      ...options,
      ...more,
    });
    stores.push(store);
    return store;
  };
  const database = reach();
  return {
    url,
    store: another({ database, ...options }),
    sql: async (text, values) => (await client.query(text, values)).rows,
    another,
    database,
    end: async () => {
      await Promise.all(stores.map((store) => store.close()));
      await client.end();
      for (const opened of databases) {
        const found = await opened;
        if (found.ok) await found.value.close();
      }
    },
  };
}

/** Until so many connections wait for a lock. */
export async function untilWaiting({ sql }: World, count = 1): Promise<void> {
  while ((await sql("SELECT FROM pg_locks WHERE NOT granted")).length < count);
}

/** A promise, and the way to keep it. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** A database whose every statement is shown to `before` first. */
export function watching(
  database: () => Promise<Result<Database>>,
  before: (sql: string, client: pg.Client) => unknown,
) {
  return async (): Promise<Result<Database>> => {
    const opened = await database();
    if (!opened.ok) return opened;
    const client = async (): Promise<Result<pg.Client>> => {
      const made = await opened.value.client();
      if (!made.ok) return made;
      const query = made.value.query.bind(made.value) as (...args: unknown[]) => unknown;
      Object.assign(made.value, {
        query: (first: string | { text: string }, ...rest: unknown[]) => {
          const text = typeof first === "string" ? first : first.text;
          const wait = before(text, made.value);
          return wait instanceof Promise ? wait.then(() => query(first, ...rest)) : query(first, ...rest);
        },
      });
      return ok(made.value);
    };
    return ok({ ...opened.value, client });
  };
}

export const factOf = async (store: Store, target: string): Promise<Fact> =>
  value(await store.observe([target]))[0]!;
