// The memory of a load as its rows grow: flat is right. Knows nothing of time.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Context, dmake, Figures, mustRun } from "./context.js";
import { canAccount } from "./process.js";
import type { Comparison, Report } from "./report.js";
import { inDatabase, sameRows, skippedReport } from "./server.js";
import { taxiColumns, writeTaxiMonth } from "./taxi.js";

const kinds = ["parquet", "csv"] as const;
const whoOf = (kind: string): string => `dmake, of ${kind}`;
const measureOf = (rows: number): string => `peak, ${rows.toLocaleString("en-US")} rows`;

const datafileOf = (rows: readonly number[]): string => `import { table } from "dmake";
const where = { rows: ${JSON.stringify(rows.map(String))} };
export const parquet = table("table:of_parquet/{rows}", { from: "trips_{rows}.parquet", where });
export const csv = table("table:of_csv/{rows}", { from: "trips_{rows}.csv", where, columns: ${JSON.stringify(taxiColumns)} });
`;

/** DESIGN: 13 million rows in under so much. */
const mostMB = 400;
/** Flat but for noise: ten times the rows may take a quarter more. */
const flat = 1.25;

/** One load each, and not in rounds: memory hardly differs from one to the next, and 13 million rows take a minute. */
export async function* benchMemory(context: Context): AsyncIterable<Report> {
  if (!canAccount) {
    yield skippedReport("memory", "there is no /usr/bin/time");
    return;
  }
  yield* inDatabase("memory", async function* (database) {
    const { plan, signal, say } = context;
    const { folder, server, client } = database;
    const growth = plan.quick ? [1, 10] : [1, 50 / 13, 10];
    const sizes = growth.map((times) => Math.round(plan.rows * times));
    writeFileSync(join(folder, "Datafile.ts"), datafileOf(sizes));
    const figures = new Figures();
    for (const rows of sizes)
      for (const kind of kinds) {
        const file = join(folder, `trips_${rows}.${kind}`);
        say(`memory: writing ${rows} rows of ${kind}`);
        await writeTaxiMonth(file, rows, 1);
        say(`memory: loading them`);
        const command = dmake(folder, [`table:of_${kind}/${rows}`], { DATABASE_URL: server.url });
        const { peakBytes, seconds } = await mustRun(command, signal);
        figures.add(whoOf(kind), measureOf(rows), "MB", peakBytes! / 1e6);
        figures.add(whoOf(kind), `time, ${rows.toLocaleString("en-US")} rows`, "s", seconds);
        await sameRows(database, [`of_${kind}`], rows);
        await client.query(`DROP TABLE of_${kind}`);
        rmSync(file);
      }
    const [least, most] = [sizes[0]!, sizes.at(-1)!].map(measureOf);
    const bars = kinds.flatMap((kind): Comparison[] => {
      const of = { who: whoOf(kind), measure: most! };
      return [
        { of, by: "value", limit: mostMB },
        { of, by: "ratio", to: { who: whoOf(kind), measure: least! }, limit: flat },
      ];
    });
    yield {
      name: "memory",
      what: "the largest resident set of a dmake that loads one file, as its rows grow",
      figures: figures.all,
      comparisons: bars,
      floors: [],
      notes: ["each table held as many rows as its file"],
      skipped: [],
    };
  });
}
