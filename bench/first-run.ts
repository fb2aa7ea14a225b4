// The first run of everything: the repository's own Datafile and sample in a folder that has nothing else, the server included. Knows nothing of what the Datafile says.
import { strict as assert } from "node:assert";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { servers } from "../test/rig/postgres.js";
import { type Context, dmake, Figures, inRounds, inScratch, mustRun, repository } from "./context.js";
import type { Report } from "./report.js";
import { skippedReport } from "./server.js";

/** Rows of each month and of the zones, as the publisher has them. */
const rows = { "2023-01": 68_211, "2023-02": 64_809, "2023-03": 72_044, zones: 265 };
const query =
  "select month, count(*)::int as n from green_trips group by 1 union all select 'zones', count(*)::int from zones order by 1";

const everything = "first run";
const nothing = "second run";
const server = "of which the server alone";

export async function* benchFirstRun(context: Context): AsyncIterable<Report> {
  const embedded = servers().find(({ name }) => name.startsWith("embedded"));
  if (embedded === undefined || embedded.missing !== undefined) {
    yield skippedReport("first-run", embedded?.missing ?? "no embedded PostgreSQL");
    return;
  }
  yield* inScratch(async function* (scratch) {
    const { signal, say } = context;
    const figures = new Figures();
    await inRounds(context, async (round) => {
      say(`first-run: round ${round + 1}`);
      const folder = join(scratch, String(round));
      mkdirSync(folder);
      cpSync(join(repository, "Datafile.ts"), join(folder, "Datafile.ts"));
      cpSync(join(repository, "data/sample"), join(folder, "data/sample"), { recursive: true });
      const empty = join(scratch, `${round}-empty`);
      mkdirSync(empty);
      cpSync(join(repository, "Datafile.ts"), join(empty, "Datafile.ts"));
      try {
        figures.addRun("dmake", everything, await mustRun(dmake(folder, []), signal));
        figures.add("dmake", nothing, "s", (await mustRun(dmake(folder, []), signal)).seconds);
        figures.add("dmake", server, "s", (await mustRun(dmake(empty, ["db"]), signal)).seconds);
        const { output } = await mustRun(dmake(folder, ["sql", "--json", query]), signal);
        const found = output
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as { month: string; n: unknown });
        assert.deepEqual(Object.fromEntries(found.map(({ month, n }) => [month, Number(n)])), rows);
      } finally {
        // Whatever became of them; a server is ended also when the benchmark is.
        for (const cwd of [folder, empty])
          await mustRun(dmake(cwd, ["db", "--stop"]), new AbortController().signal);
      }
    });
    yield {
      name: "first-run",
      what: "three months of green taxis from an empty folder: a new PostgreSQL, 4 downloads, 3 parquet, 4 loads",
      figures: figures.all,
      comparisons: [],
      floors: [
        {
          what: "first run of everything",
          is: "`dmake db` in an empty folder: initdb, start of the server",
          of: { who: "dmake", measure: everything },
          floor: { who: "dmake", measure: server },
        },
      ],
      notes: ["all months and zones have the rows that were published"],
      skipped: [],
    };
  });
}
