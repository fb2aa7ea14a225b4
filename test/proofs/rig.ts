// What proofs are made with: loaders in processes of their own, a wire to the server that can be cut, readers who never stop reading. Knows nothing of what is proven.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import pg from "pg";
import type { Result } from "../../src/core/failure.js";
import type { Store } from "../../src/engine/ports.js";
import { type Database, openDatabase } from "../../src/postgres/connect.js";
import { createTables, type TablesOptions } from "../../src/stores/tables.js";
import type { TestServer } from "../rig/postgres.js";
import type { Answer, Order } from "./loader.js";

const repository = fileURLToPath(new URL("../..", import.meta.url));

/** A process that loads. */
export interface Loader {
  /** Resolves when it has started up. */
  readonly ready: Promise<unknown>;
  /** Sends an order. Nothing comes back from one that is killed. */
  load(order: Order): Promise<Answer | undefined>;
  /** By SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>;
}

/** The program of loaders, compiled once: through a compiler each would take half a second to start. */
export interface Loaders {
  start(): Loader;
  /** The one that was started when the last was taken, so that it is up. */
  next(): Loader;
  /** Ends all that are left. */
  remove(): Promise<void>;
}

export async function compileLoaders(): Promise<Loaders> {
  const home = mkdtempSync(join(tmpdir(), "dmake-proofs-"));
  const program = join(home, "dist/stores/loader.mjs");
  mkdirSync(join(home, "dist/stores"), { recursive: true });
  await build({
    entryPoints: [join(repository, "test/proofs/loader.ts")],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["pg-native"],
    banner: {
      // `pg` tries a Response to see whether it is at Cloudflare's, which loads all of `fetch`: 40 of 200 ms.
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url); delete globalThis.Response;',
    },
    logLevel: "error",
  });
  copyFileSync(join(repository, "package.json"), join(home, "package.json"));
  copyFileSync(join(repository, "src/stores/schema.sql"), join(home, "dist/stores/schema.sql"));
  const running = new Set<Loader>();
  const start = (): Loader => {
    const loader = startLoader(program);
    running.add(loader);
    return loader;
  };
  let ahead: Loader | undefined;
  return {
    start,
    next: () => {
      const loader = ahead ?? start();
      ahead = start();
      return loader;
    },
    remove: async () => {
      await Promise.all([...running].map((loader) => loader.kill()));
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function startLoader(program: string): Loader {
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(process.execPath, [program], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  child.stdin.on("error", () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const heard = async () => {
    const { value } = await lines.next();
    return value === undefined ? undefined : JSON.parse(value);
  };
  const ready = heard();
  return {
    ready,
    load: async (order) => {
      if ((await ready) === undefined) return undefined;
      child.stdin.write(`${JSON.stringify(order)}\n`);
      return heard();
    },
    kill: () => {
      child.kill("SIGKILL");
      return gone;
    },
  };
}

/** A database, a look into it from outside of dmake, and stores on it. */
export interface World {
  readonly url: string;
  sql<R extends Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<R[]>;
  /** As of another process: with its own connections, by way of `url` if it is given. */
  store(options?: Partial<TablesOptions> & { readonly url?: string }): Store;
  end(): Promise<void>;
}

let worlds = 0;

export async function emptyWorld(server: TestServer): Promise<World> {
  const url = await server.database(`world_${++worlds}`);
  let client = await connected(url);
  const [stores, databases]: [Store[], Database[]] = [[], []];
  return {
    url,
    sql: async (text, values) => {
      try {
        return (await client.query(text, values as unknown[] | undefined)).rows;
      } catch (error) {
        if (error instanceof pg.DatabaseError && !error.code?.startsWith("57P")) throw error;
        // The server was restarted.
        client = await connected(url);
        return (await client.query(text, values as unknown[] | undefined)).rows;
      }
    },
    store: ({ url: via = url, ...options } = {}) => {
      let opened: Promise<Result<Database>> | undefined;
      const database = (): Promise<Result<Database>> => {
        opened ??= openDatabase({ root: "/nowhere", env: { DATABASE_URL: via } }).then((one) => {
          if (one.ok) databases.push(one.value);
          return one;
        });
        return opened;
      };
      const store = createTables({ database, run: { id: "run-1", pid: 17, host: "here" }, ...options });
      stores.push(store);
      return store;
    },
    end: async () => {
      await Promise.all(stores.map((store) => store.close()));
      await Promise.all(databases.map((database) => database.close()));
      await client.end().catch(() => undefined);
    },
  };
}

/** A connection that a restart of the server may break without ending the test. */
export async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: "reader" });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** Bytes on their way between a client and the server: those answered go on, none cut the client off. */
export type Look = (
  bytes: Buffer,
  from: "client" | "server",
) => Buffer | undefined | Promise<Buffer | undefined>;

export interface Wire {
  readonly url: string;
  look: Look;
  close(): void;
}

/** As dmake says it: alone, in a message of its own. */
const commit = Buffer.from("Q\0\0\0\x0bCOMMIT\0", "latin1");
export const commitLength = commit.length;
export const isCommit = (bytes: Buffer): boolean => bytes.equals(commit);

/** A way to the server on which every byte is looked at. */
export async function wireTo(server: string): Promise<Wire> {
  const { port } = new URL(server);
  const sockets = new Set<Socket>();
  const wire: Wire = { url: "", look: (bytes) => bytes, close: () => undefined };
  const proxy = createServer((client) => {
    const upstream = connect(Number(port), "127.0.0.1");
    const cut = (): void => {
      client.destroy();
      upstream.destroy();
    };
    const carry = (from: "client" | "server", source: Socket, to: Socket): void => {
      let turn: Promise<unknown> = Promise.resolve();
      source.on("data", (bytes) => {
        turn = turn.then(async () => {
          const passed = await wire.look(bytes, from);
          if (passed) to.write(passed);
          if (passed !== bytes) cut();
        });
      });
      source.on("error", () => undefined);
      // What has been said before is still to be carried over.
      source.on("close", () => turn.then(cut));
      sockets.add(source);
    };
    carry("client", client, upstream);
    carry("server", upstream, client);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => proxy.once("listening", resolve));
  const through = new URL(server);
  through.port = String((proxy.address() as { port: number }).port);
  return Object.assign(wire, {
    url: through.href,
    close: () => {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
  });
}

/** Somebody who asks one question over and over, on a connection of his own. */
export interface Reader {
  /** How many answers there were so far. */
  readonly answers: number;
  /** The longest that one answer took, in milliseconds. */
  readonly longestMs: number;
  /** Waits for an answer to a question that is asked from now on. */
  next(): Promise<void>;
  /** Throws what was thrown by `onAnswer` or by the server. */
  stop(): Promise<void>;
}

export async function readerOf<R>(url: string, sql: string, onAnswer: (row: R) => void): Promise<Reader> {
  const client = await connected(url);
  const reader = { answers: 0, longestMs: 0 };
  let isOver = false;
  const reading = (async () => {
    while (!isOver) {
      const asked = performance.now();
      const { rows } = await client.query(sql);
      reader.longestMs = Math.max(reader.longestMs, performance.now() - asked);
      reader.answers++;
      onAnswer(rows[0] as R);
      // Others share the processors.
      await pause(8);
    }
  })();
  let failed: { readonly error: unknown } | undefined;
  const ended = reading.catch((error: unknown) => {
    failed = { error };
  });
  const check = (): void => {
    if (failed) throw failed.error;
  };
  return Object.assign(reader, {
    next: async () => {
      // The one under way may have been asked before.
      const until = reader.answers + 2;
      while (reader.answers < until && !failed) await pause(1);
      check();
    },
    stop: async () => {
      isOver = true;
      await ended;
      await client.end();
      check();
    },
  });
}

/** Until no connection of a loader is left: a server looks up from its work once a second. */
export async function untilAlone({ sql }: World): Promise<void> {
  const others =
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'dmake%' LIMIT 1";
  while ((await sql(others)).length > 0) await pause(2);
}

/** Numbers from 0 to 1, the same for the same seed: mulberry32. `DMAKE_SEED` gives the seed of a run again. */
export function chances(): { readonly seed: number; next(): number } {
  const seed = Number(process.env.DMAKE_SEED ?? Math.floor(Math.random() * 1e6));
  let state = seed;
  return {
    seed,
    next: () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
    },
  };
}
