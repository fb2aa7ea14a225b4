// A PostgreSQL of its own for one benchmark, durable as one that matters, and comparing what is in its tables. Knows nothing of who fills them.
import { strict as assert } from "node:assert";
import pg from "pg";
import { postgresTypeOf } from "../src/postgres/types.js";
import { servers, startServer, type TestServer } from "../test/rig/postgres.js";
import { inScratch } from "./context.js";
import type { Command } from "./process.js";
import type { Report } from "./report.js";
import { taxiColumns } from "./taxi.js";

export interface Database {
  readonly folder: string;
  readonly server: TestServer;
  readonly client: pg.Client;
}

/** A folder and a server, both gone when `work` ends; a report that says so if no server can be had. */
export async function* inDatabase(
  name: string,
  work: (database: Database) => AsyncIterable<Report>,
): AsyncIterable<Report> {
  if (servers().every(({ missing }) => missing !== undefined)) {
    yield skippedReport(name, "there is no PostgreSQL here");
    return;
  }
  yield* inScratch(async function* (folder) {
    const server = await startServer({ fsync: "on" });
    const client = new pg.Client(server.url);
    // Ctrl-C at a terminal ends the server too: whoever asks it next fails with that.
    client.on("error", () => undefined);
    try {
      await client.connect();
      yield* work({ folder, server, client });
    } finally {
      await client.end().catch(() => undefined);
      await server.stop();
    }
  });
}

export const skippedReport = (name: string, why: string): Report => ({
  name,
  what: "nothing was measured",
  figures: [],
  comparisons: [],
  floors: [],
  notes: [],
  skipped: [`${name}: ${why}`],
});

/** The table that `\copy` fills: columns as dmake makes them. */
export async function createTaxiTable({ client }: Database, name: string): Promise<void> {
  const columns = Object.entries(taxiColumns).map(
    ([column, type]) => `${pg.escapeIdentifier(column)} ${postgresTypeOf(type)}`,
  );
  await client.query(`CREATE TABLE ${pg.escapeIdentifier(name)} (${columns.join(", ")})`);
}

/** `psql` as a script calls it; the password goes by the environment. */
export const psql = ({ folder, server }: Database, statement: string): Command => ({
  program: "psql",
  args: [...psqlFlags(server), "-c", statement],
  cwd: folder,
  env: { PGPASSWORD: server.password },
});

export const psqlFlags = ({ host, port }: TestServer): readonly string[] => [
  ...["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", String(port), "-U", "tester", "-d", "postgres"],
];

export const copyFrom = (table: string, csv: string): string =>
  `\\copy ${table} from '${csv}' with (format csv, header)`;

interface Rows {
  readonly count: number;
  /** A sum of hashes of whole rows, which does not ask for an order. */
  readonly sum: string;
}

async function rowsOf({ client }: Database, table: string): Promise<Rows> {
  const columns = Object.keys(taxiColumns).map((column) => pg.escapeIdentifier(column));
  const row = `ROW(${columns.join(", ")})::text`;
  const { rows } = await client.query(
    `SELECT count(*)::int AS count, sum(hashtextextended(${row}, 0)::numeric)::text AS sum FROM ${pg.escapeIdentifier(table)}`,
  );
  return rows[0] as Rows;
}

/** All of these tables hold the same rows, so many of them. */
export async function sameRows(database: Database, tables: readonly string[], count: number): Promise<void> {
  const all = [];
  for (const table of tables) all.push({ table, ...(await rowsOf(database, table)) });
  for (const one of all) {
    assert.equal(one.count, count, `rows of ${one.table}`);
    assert.equal(one.sum, all[0]!.sum, `${one.table} and ${all[0]!.table} hold other rows`);
  }
}
