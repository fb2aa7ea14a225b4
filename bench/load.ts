// parquet → Postgres by dmake against `psql \copy` of the same rows as CSV, in turns, on one server. Knows nothing of how a report is shown.
import { strict as assert } from "node:assert";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { ok } from "../src/core/failure.js";
import { parsePattern } from "../src/core/pattern.js";
import type { LoadRecipe, Rule, Step } from "../src/core/rule.js";
import type { Store } from "../src/engine/ports.js";
import { openDatabase } from "../src/postgres/connect.js";
import { postgresTypeOf } from "../src/postgres/types.js";
import { runLoad } from "../src/recipes/load.js";
import { createTables } from "../src/stores/tables.js";
import { startServer, type TestServer } from "../test/rig/postgres.js";
import type { Report } from "./report.js";
import { taxiColumns, writeTaxiMonth } from "./taxi.js";

const run = promisify(execFile);

const byPsql = "psql \\copy of the CSV";
const ofParquet = "dmake, of the parquet";
const ofCsv = "dmake, of the CSV";
const what = "a month of yellow taxi trips into Postgres";

/** Both tables have it, and both start each round empty. */
const psqlTable = "by_psql";
const dmakeTarget = "table:by_dmake/2021-01";

export interface LoadOptions {
  readonly rows: number;
  readonly rounds: number;
}

/**
 * What is timed is what a person waits for, but for the start of Node: psql as a process, and dmake's whole transaction
 * with lock, row count, swap and ledger. Before each, the server has written its checkpoint.
 */
export async function benchLoad({ rows, rounds }: LoadOptions): Promise<Report> {
  const ratios = [
    { of: ofParquet, to: byPsql, bar: 0.8 },
    { of: ofCsv, to: byPsql, bar: 1 },
  ];
  if (!(await hasPsql()))
    return { name: "load", what, cases: [], ratios, notes: [], skipped: "psql is not installed" };
  const folder = mkdtempSync(join(tmpdir(), "dmake-bench-"));
  const server = await startServer({ fsync: "on" });
  try {
    const seconds = await measured(server, folder, { rows, rounds });
    const cases = [
      { name: byPsql, seconds: seconds.psql },
      { name: ofParquet, seconds: seconds.parquet },
      { name: ofCsv, seconds: seconds.csv },
    ];
    return { name: "load", what: `${what}: ${rows} rows, 18 columns`, cases, ratios, notes: seconds.notes };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

const hasPsql = (): Promise<boolean> =>
  run("psql", ["--version"]).then(
    () => true,
    () => false,
  );

async function measured(server: TestServer, folder: string, { rows, rounds }: LoadOptions) {
  const [parquet, csv] = [join(folder, "trips.parquet"), join(folder, "trips.csv")];
  await writeTaxiMonth(parquet, rows, 1);
  await writeTaxiMonth(csv, rows, 1);
  const client = new pg.Client(server.url);
  await client.connect();
  const database = await openDatabase({ root: folder, env: { DATABASE_URL: server.url } });
  assert(database.ok, "the server just started does not answer");
  const tables = createTables({
    database: async () => database,
    run: { id: "bench", pid: process.pid, host: "bench" },
  });
  await client.query(`CREATE TABLE ${psqlTable} (${columnList(true)})`);
  const seconds = {
    psql: [] as number[],
    parquet: [] as number[],
    csv: [] as number[],
    notes: [] as string[],
  };
  try {
    for (let round = 0; round < rounds; round++) {
      await client.query(`TRUNCATE ${psqlTable}`);
      await client.query("CHECKPOINT");
      seconds.psql.push(await timed(() => copyByPsql(server, csv)));
      for (const [taken, file] of [
        [seconds.parquet, parquet],
        [seconds.csv, csv],
      ] as const) {
        await client.query("DROP TABLE IF EXISTS by_dmake");
        await client.query("CHECKPOINT");
        taken.push(
          await timed(() => loadByDmake(tables, file, `${round}-${file === csv ? "csv" : "parquet"}`)),
        );
        await compare(client, rows);
      }
    }
    seconds.notes.push(`each table held the same ${rows} rows by an order-free checksum`);
  } finally {
    await tables.close();
    await database.value.close();
    await client.end();
  }
  return seconds;
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

const columnList = (typed: boolean): string =>
  Object.entries(taxiColumns)
    .map(([name, type]) =>
      typed ? `${pg.escapeIdentifier(name)} ${postgresTypeOf(type)}` : pg.escapeIdentifier(name),
    )
    .join(", ");

async function copyByPsql(server: TestServer, csv: string): Promise<void> {
  const where = ["-h", server.host, "-p", String(server.port), "-U", "tester", "-d", "postgres"];
  const copy = `\\copy ${psqlTable} from '${csv}' with (format csv, header)`;
  await run("psql", ["-X", "-q", "-v", "ON_ERROR_STOP=1", ...where, "-c", copy], {
    env: { PATH: process.env.PATH, PGPASSWORD: server.password },
  });
}

async function loadByDmake(tables: Store, file: string, id: string): Promise<void> {
  const columns = file.endsWith(".csv") ? taxiColumns : {};
  const recipe: LoadRecipe = { kind: "load", columns, csv: {}, partitionColumn: "month" };
  const step = stepOf(recipe, file);
  const recorded = { recipe: { kind: "load" }, inputs: [{ name: file, digest: `sha256:${id}` }] };
  const attempt = {
    id: `bench-${id}`,
    step,
    ...recorded,
    because: [],
    startedAt: new Date().toISOString(),
    forced: true,
  };
  const stage = await tables.stage(attempt);
  assert(stage.ok && stage.value.kind === "table", JSON.stringify(stage));
  const outcome = await runLoad(recipe, {
    step,
    inputs: [file],
    stage: stage.value,
    previous: undefined,
    threads: 2,
    signal: new AbortController().signal,
    log: () => undefined,
    progress: () => undefined,
    need: async () => ok(undefined),
  });
  assert(outcome.ok, JSON.stringify(outcome));
  const finished = { outcome: outcome.value, durationMs: 0, inputs: attempt.inputs, discovered: [] };
  const published = await tables.publish(attempt, stage.value, finished);
  assert(published.ok, JSON.stringify(published));
}

function stepOf(recipe: LoadRecipe, file: string): Step {
  const at = { file: "bench/load.ts", line: 1 };
  const output = parsePattern(dmakeTarget, at);
  assert(output.ok, dmakeTarget);
  const rule: Rule = {
    name: "loaded",
    at,
    outputs: [output.value],
    inputs: [],
    after: [],
    domains: {},
    bind: () => ok(recipe),
  };
  const names = { inputs: [file], uses: [], after: [], optional: new Set<string>() };
  const made = { outputs: [dmakeTarget], directories: new Set<string>() };
  return { id: dmakeTarget, rule, binding: {}, ...names, ...made, recipe };
}

/** Both tables must hold the same rows: their number, and a sum of hashes of whole rows, which does not ask for an order. */
async function compare(client: pg.Client, rows: number): Promise<void> {
  const sums = [];
  for (const table of [psqlTable, "by_dmake"]) {
    const row = `ROW(${columnList(false)})::text`;
    const sql = `SELECT count(*) AS n, sum(hashtextextended(${row}, 0)::numeric) AS sum FROM ${table}`;
    sums.push((await client.query(sql)).rows[0] as { n: string; sum: string });
  }
  assert.deepEqual(sums[1], sums[0]);
  assert.equal(sums[0]!.n, String(rows));
}
