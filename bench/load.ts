// parquet → Postgres and CSV → Postgres by dmake against `psql \copy` of the same rows as CSV, in turns, on one server; and pandas' to_sql. Knows nothing of how a report is shown.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Context, dmake, Figures, inRounds, mustRun } from "./context.js";
import { type Ran, runOnce } from "./process.js";
import type { Report } from "./report.js";
import { copyFrom, createTaxiTable, type Database, inDatabase, psql, sameRows } from "./server.js";
import { taxiColumns, writeTaxiMonth } from "./taxi.js";

const byPsql = "psql \\copy of the CSV";
const ofParquet = "dmake, of the parquet";
const ofCsv = "dmake, of the CSV";
const byPandas = "pandas to_sql of the CSV";
const measure = "load";

/** A fortieth of a second a thousand rows: the month whole would take more than a minute a round. */
const mostOfPandas = 100_000;

/** Each is loaded as one partition of a table that starts each round not being there. */
const datafile = `import { table } from "dmake";
const where = { month: ["2021-01"] };
export const parquet = table("table:of_parquet/{month}", { from: "trips.parquet", where });
export const csv = table("table:of_csv/{month}", { from: "trips.csv", where, columns: ${JSON.stringify(taxiColumns)} });
`;

/**
 * Whole processes are timed: what a person waits for, from start to exit, with lock, row count, checksum, swap and ledger.
 * Before each, the server has written its checkpoint.
 */
export const benchLoad = (context: Context): AsyncIterable<Report> =>
  inDatabase("load", async function* (database) {
    const { plan, signal, peers, say } = context;
    const { folder, server, client } = database;
    const { rows } = plan;
    say(`load: writing ${rows} rows`);
    for (const name of ["trips.parquet", "trips.csv"]) await writeTaxiMonth(join(folder, name), rows, 1);
    writeFileSync(join(folder, "Datafile.ts"), datafile);
    const hasPsql = !peers.missing.includes("psql");
    const figures = new Figures();
    const add = (who: string, count: number, ran: Ran) => {
      figures.addRun(who, measure, ran);
      figures.add(who, "rate", "rows/s", count / ran.seconds);
    };
    await createTaxiTable(database, "by_psql");
    const load = async (target: string): Promise<Ran> => {
      await client.query(`DROP TABLE IF EXISTS ${target}; CHECKPOINT`);
      return mustRun(dmake(folder, [`table:${target}/2021-01`], { DATABASE_URL: server.url }), signal);
    };
    // Not counted: the Datafile is compiled, the files are looked at for the first time.
    if (!plan.quick) for (const target of ["of_parquet", "of_csv"]) await load(target);
    await inRounds(context, async (round) => {
      say(`load: round ${round + 1}`);
      if (hasPsql) {
        await client.query("TRUNCATE by_psql; CHECKPOINT");
        add(
          byPsql,
          rows,
          await mustRun(psql(database, copyFrom("by_psql", join(folder, "trips.csv"))), signal),
        );
      }
      add(ofParquet, rows, await load("of_parquet"));
      add(ofCsv, rows, await load("of_csv"));
      await sameRows(database, [...(hasPsql ? ["by_psql"] : []), "of_parquet", "of_csv"], rows);
    });
    const notes = [`each table held the same ${rows} rows by an order-free checksum`];
    const skipped = hasPsql ? [] : ["psql: not installed"];
    const ran = await toSql(context, database);
    if (typeof ran === "string") skipped.push(`pandas: ${ran}`);
    else {
      add(byPandas, ran.rows, ran.ran);
      notes.push(`pandas loaded ${ran.rows} rows, once: its time is of those, compare the rates`);
    }
    yield reportOf(rows, figures, notes, skipped);
  });

/** One round of fewer rows, checked against `\copy` of the same file if there is a psql; or why it was none. */
async function toSql({ peers, plan, signal, say }: Context, database: Database) {
  if (peers.python === undefined) return "not installed";
  const { folder, server, client } = database;
  const rows = Math.min(plan.rows, mostOfPandas);
  say(`load: pandas, ${rows} rows`);
  const csv = join(folder, "few.csv");
  await writeTaxiMonth(csv, rows, 2);
  for (const table of ["by_pandas", "few_by_psql"]) await createTaxiTable(database, table);
  await client.query("CHECKPOINT");
  const script = fileURLToPath(new URL("to_sql.py", import.meta.url));
  const command = { program: peers.python, args: [script, csv, "by_pandas"], cwd: folder };
  const ran = await runOnce({ ...command, env: { DATABASE_URL: server.url } }, signal);
  // Not every pandas goes with every SQLAlchemy.
  if (ran.code !== 0) return `exit ${ran.code}: ${ran.output.trim().split("\n").at(-1)}`;
  const tables = ["by_pandas"];
  if (!peers.missing.includes("psql")) {
    await mustRun(psql(database, copyFrom("few_by_psql", csv)), signal);
    tables.push("few_by_psql");
  }
  await sameRows(database, tables, rows);
  return { rows, ran };
}

function reportOf(
  rows: number,
  { all }: Figures,
  notes: readonly string[],
  skipped: readonly string[],
): Report {
  const ref = (who: string) => ({ who, measure });
  return {
    name: "load",
    what: `a month of yellow taxi trips into Postgres: ${rows.toLocaleString("en-US")} rows, 18 columns`,
    figures: all,
    comparisons: [
      { of: ref(ofParquet), by: "ratio", to: ref(byPsql), limit: 0.8 },
      { of: ref(ofCsv), by: "ratio", to: ref(byPsql), limit: 1 },
      { of: { who: ofParquet, measure: "rate" }, by: "ratio", to: { who: byPandas, measure: "rate" } },
    ],
    floors: [
      {
        what: "parquet → Postgres",
        is: "`psql \\copy` of the same rows as CSV",
        of: ref(ofParquet),
        floor: ref(byPsql),
      },
      { what: "CSV → Postgres", is: "`psql \\copy` of the same file", of: ref(ofCsv), floor: ref(byPsql) },
    ],
    notes,
    skipped,
  };
}
