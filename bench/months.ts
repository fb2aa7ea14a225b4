// Twelve months of parquet into Postgres by dmake, one at a time and two at once, in turns, and what psql makes of the same. Knows nothing of single loads.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Context, dmake, Figures, inRounds, mustRun } from "./context.js";
import type { Command } from "./process.js";
import type { Report } from "./report.js";
import { copyFrom, createTaxiTable, type Database, inDatabase, psqlFlags, sameRows } from "./server.js";
import { writeTaxiMonth } from "./taxi.js";

const measure = "12 months";
const months = Array.from({ length: 12 }, (_, n) => `2021-${String(n + 1).padStart(2, "0")}`);

const datafile = `import { months, table } from "dmake";
export const loaded = table("table:by_dmake/{month}", {
  from: "trips_{month}.parquet",
  where: { month: months("${months[0]}", "${months.at(-1)}") },
});
export default [loaded];
`;

export const benchMonths = (context: Context): AsyncIterable<Report> =>
  inDatabase("months", async function* (database) {
    const { plan, signal, peers, say } = context;
    const { folder, server, client } = database;
    // A month of 1.3 million would have 200,000 here.
    const rows = Math.round((plan.rows * 2) / 13);
    const hasPsql = !peers.missing.includes("psql");
    say(`months: writing 12 × ${rows} rows`);
    for (const [n, month] of months.entries())
      for (const kind of hasPsql ? ["parquet", "csv"] : ["parquet"])
        await writeTaxiMonth(join(folder, `trips_${month}.${kind}`), rows, n + 1);
    writeFileSync(join(folder, "Datafile.ts"), datafile);
    writeFileSync(join(folder, "names"), months.map((month) => `trips_${month}.csv\n`).join(""));
    for (const table of ["by_psql", "expected"]) await createTaxiTable(database, table);
    if (hasPsql) await mustRun(copyAll(database, "expected", 1), signal);
    const figures = new Figures();
    const byDmake = (jobs: number) => dmake(folder, [`-j${jobs}`], { DATABASE_URL: server.url });
    const load = async (command: Command) => {
      await client.query("DROP TABLE IF EXISTS by_dmake; TRUNCATE by_psql; CHECKPOINT");
      return mustRun(command, signal);
    };
    const check = (table: string) =>
      sameRows(database, hasPsql ? ["expected", table] : [table], months.length * rows);
    // Not counted: the Datafile is compiled, the files are looked at for the first time.
    if (!plan.quick) await load(byDmake(2));
    await inRounds(context, async (round) => {
      say(`months: round ${round + 1}`);
      for (const jobs of [1, 2]) {
        figures.addRun(whoOf(jobs), measure, await load(byDmake(jobs)));
        await check("by_dmake");
        if (!hasPsql) continue;
        figures.addRun(byPsql(jobs), measure, await load(copyAll(database, "by_psql", jobs)));
        await check("by_psql");
      }
    });
    yield reportOf(rows, figures, hasPsql ? [] : ["psql: not installed"]);
  });

const whoOf = (jobs: number): string => `dmake -j ${jobs}`;
const byPsql = (jobs: number): string => `psql \\copy of CSV, ${jobs} at once`;

/** One psql a month, as a script would start them. */
const copyAll = ({ folder, server }: Database, table: string, jobs: number): Command => ({
  program: "xargs",
  args: [
    ...["-a", "names", "-d", "\n", "-P", String(jobs), "-I", "{}"],
    ...["psql", ...psqlFlags(server), "-c", copyFrom(table, "{}")],
  ],
  cwd: folder,
  env: { PGPASSWORD: server.password },
});

function reportOf(rows: number, { all }: Figures, skipped: readonly string[]): Report {
  const [one, two] = [1, 2].map((jobs) => ({ who: whoOf(jobs), measure }));
  const psqlTwo = { who: byPsql(2), measure };
  return {
    name: "months",
    what: `12 months of ${rows.toLocaleString("en-US")} rows from parquet into a partitioned table`,
    figures: all,
    // "At least 1.25 times as fast" as a ratio of times.
    comparisons: [
      { of: two!, by: "ratio", to: one!, limit: 1 / 1.25 },
      { of: psqlTwo, by: "ratio", to: { who: byPsql(1), measure } },
      { of: two!, by: "ratio", to: psqlTwo },
    ],
    floors: [
      {
        what: "12 months, -j 2",
        is: "`psql \\copy` of the same rows as CSV, two at once",
        of: two!,
        floor: psqlTwo,
      },
    ],
    notes: ["after each run the table held the rows of all months, by count and an order-free checksum"],
    skipped,
  };
}
