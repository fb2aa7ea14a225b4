// CSV.gz → parquet by dmake against DuckDB alone with its defaults, in turns, on the same file. Knows nothing of how either does it.
import { strict as assert } from "node:assert";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSession, quoteIdentifier, quoteText } from "../src/duckdb/session.js";
import { type Context, dmake, Figures, inRounds, inScratch, mustRun, nodeScript } from "./context.js";
import type { Report } from "./report.js";
import { taxiColumns, writeTaxiMonth } from "./taxi.js";

const measure = "CSV.gz → parquet";
const alone = "DuckDB alone";

const datafile = `import { parquet } from "dmake";
export const trips = parquet("dmake.parquet", { from: "trips.csv.gz" });
export default [trips];
`;

export const benchParquet = (context: Context): AsyncIterable<Report> =>
  inScratch(async function* (folder) {
    const { plan, signal, say } = context;
    const source = join(folder, "trips.csv.gz");
    say(`parquet: writing ${plan.rows} rows`);
    await writeTaxiMonth(source, plan.rows, 1);
    writeFileSync(join(folder, "Datafile.ts"), datafile);
    const copy = "COPY (FROM 'trips.csv.gz') TO 'duckdb.parquet' (FORMAT parquet)";
    const rivals = [
      { who: "dmake", made: join(folder, "dmake.parquet"), command: dmake(folder, []) },
      {
        who: alone,
        made: join(folder, "duckdb.parquet"),
        command: nodeScript("duckdb-alone.mjs", folder, [copy]),
      },
    ];
    // Not counted: the Datafile is compiled, the file is looked at for the first time.
    if (!plan.quick) await mustRun(rivals[0]!.command, signal);
    const figures = new Figures();
    await inRounds(context, async (round) => {
      say(`parquet: round ${round + 1}`);
      for (const { who, made, command } of rivals) {
        rmSync(made, { force: true });
        figures.addRun(who, measure, await mustRun(command, signal));
      }
    });
    const [mine, theirs] = await Promise.all(rivals.map(({ made }) => contentOf(made)));
    assert.equal(mine!.rows, plan.rows);
    assert.deepEqual(mine, theirs);
    const [of, to] = ["dmake", alone].map((who) => ({ who, measure }));
    yield {
      name: "parquet",
      what: `${measure}: ${plan.rows.toLocaleString("en-US")} rows, 18 columns, ${Math.round(statSync(source).size / 1e6)} MB packed`,
      subject: "dmake",
      figures: figures.all,
      comparisons: [{ of: of!, by: "ratio", to: to!, limit: 1.25 }],
      floors: [
        {
          what: measure,
          is: "DuckDB alone with its defaults, no value checked, nothing synced",
          of: of!,
          floor: to!,
        },
      ],
      notes: [`both files hold the same ${plan.rows} rows by an order-free checksum`],
      skipped: [],
    };
  });

/** The number of rows, and a sum of their hashes in the types that they were made with: a guessed type may be another. */
async function contentOf(path: string) {
  const session = await openSession({ threads: 2 });
  try {
    const columns = Object.entries(taxiColumns).map(
      ([name, type]) => `CAST(${quoteIdentifier(name)} AS ${type})`,
    );
    const reader = await session.connection.runAndReadAll(
      `SELECT count(*)::INTEGER, sum(hash(${columns.join(", ")}))::VARCHAR FROM ${quoteText(path)}`,
    );
    const [rows, sum] = reader.getRows()[0]!;
    return { rows, sum };
  } finally {
    session.close();
  }
}
