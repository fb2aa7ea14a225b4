// Our own connection to an embedded server: proves whose it is, and shows others that we are there. Knows nothing of starting or stopping.
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { codeOf } from "../system/process.js";
import { ownerName } from "./embedded-cluster.js";
import { findPostmaster, type Postmaster, portNumber } from "./embedded-postmaster.js";
import { isSameFolder, type Site } from "./embedded-site.js";

const retryMs = 25;

/** A server and our own connection to it, which shows others that we are here. */
export interface Presence {
  readonly postmaster: Postmaster;
  readonly client: pg.Client;
}

export type Entered =
  | { readonly kind: "entered"; readonly presence: Presence }
  /** Gone, or going. */
  | { readonly kind: "absent"; readonly problem: string }
  | { readonly kind: "refused"; readonly problem: string };

/** Connects, waiting while the server starts up or replays its log; makes the database if it is not there yet. */
export async function enter(site: Site, postmaster: Postmaster, deadline: number): Promise<Entered> {
  const socketDeadline = performance.now() + socketMs;
  for (;;) {
    const now = findPostmaster(site.data);
    if (now?.pid !== postmaster.pid) return { kind: "absent", problem: "it ended" };
    const problem = now.sockets === "" ? "it has no socket yet" : await tryEntering(site, now);
    if (typeof problem !== "string") return problem;
    if (now.ready && !existsSync(now.sockets) && performance.now() > socketDeadline)
      return { kind: "refused", problem: socketGone(now) };
    if (performance.now() > deadline)
      return { kind: "refused", problem: `process ${now.pid} does not answer: ${problem}` };
    await sleep(retryMs);
  }
}

/** A server says that it is ending before it removes its socket, so one that says it is ready should have one. */
const socketMs = 1_000;

/** Cleared away, or in the private `/tmp` of another service. */
const socketGone = ({ pid, sockets }: Postmaster): string =>
  `process ${pid} serves \`.dmake/postgres\`, but its socket in \`${sockets}\` is not to be found; if it is no longer wanted, \`kill -INT ${pid}\``;

/** Codes of a server that starts up, shuts down, or has its queue full for a moment. */
const passing = new Set(["57P03", "57P01", "ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE", "EAGAIN"]);

/** Answers a text where another try may help. */
async function tryEntering(site: Site, postmaster: Postmaster): Promise<Entered | string> {
  const client = new pg.Client(configOf(postmaster.sockets, ownerName));
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ folder: string }>(
      "SELECT current_setting('data_directory') AS folder",
    );
    const folder = rows[0]?.folder ?? "";
    // Where the folder was moved under a running server, its path leads nowhere: then its process has told that it is ours.
    if (!existsSync(folder) || isSameFolder(folder, site.data))
      return { kind: "entered", presence: { postmaster, client } };
    await client.end();
    return { kind: "refused", problem: `the server that answers there serves \`${folder}\`` };
  } catch (error) {
    await client.end().catch(() => undefined);
    const problem = problemOf(error);
    if (problem.kind === "no-database") return createDatabase(postmaster);
    return problem.kind === "passing" ? problem.text : { kind: "refused", problem: problem.text };
  }
}

/** Rethrows what is neither PostgreSQL's nor the network's. */
function problemOf(error: unknown): {
  readonly kind: "no-database" | "passing" | "lasting";
  readonly text: string;
} {
  if (!(error instanceof Error)) throw error;
  const code = codeOf(error) ?? "";
  const text = error.message;
  if (code === "3D000") return { kind: "no-database", text };
  if (passing.has(code) || /^Connection terminated|^timeout expired|not queryable$/.test(text))
    return { kind: "passing", text };
  if (error instanceof pg.DatabaseError || code !== "") return { kind: "lasting", text };
  throw error;
}

async function createDatabase(postmaster: Postmaster): Promise<Entered | string> {
  const client = new pg.Client(configOf(postmaster.sockets, "postgres"));
  client.on("error", () => undefined);
  try {
    await client.connect();
    const database = pg.escapeIdentifier(ownerName);
    await client.query(`CREATE DATABASE ${database}`);
    // Without `"$user"`: a schema that is called as its owner holds dmake's ledger, and no tables of people.
    await client.query(`ALTER DATABASE ${database} SET search_path = public`);
    return "its database was missing";
  } catch (error) {
    const { kind, text } = problemOf(error);
    return kind === "passing" ? text : { kind: "refused", problem: text };
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Complete, so that `pg` takes nothing from the environment. */
export const configOf = (sockets: string, database: string): pg.ClientConfig => ({
  host: sockets,
  port: portNumber,
  user: ownerName,
  database,
  ssl: false,
  options: "-c TimeZone=UTC",
  application_name: "dmake",
  connectionTimeoutMillis: 10_000,
});

/** Whether no other client is connected, dmake or not. `own` names backends of ours that may not have ended yet. */
export async function isAlone(client: pg.Client, own: readonly number[]): Promise<boolean> {
  const others =
    "SELECT count(*)::int AS others FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND pid <> ALL ($1)";
  try {
    const { rows } = await client.query<{ others: number }>(others, [own]);
    return rows[0]?.others === 0;
  } catch (error) {
    // The server has crashed or was stopped by somebody else: stopping it is nobody's task, or does no harm.
    problemOf(error);
    return true;
  }
}
