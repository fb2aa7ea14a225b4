// `npm run bench`: runs the benchmarks that are named, or all, and prints a table and a line of JSON for each. Knows nothing of what they measure.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { helpOf, parseArguments, type Wanted } from "./arguments.js";
import { benchmarks } from "./benchmarks.js";
import type { Context } from "./context.js";
import { findPeers, machineOf } from "./peers.js";
import { canAccount } from "./process.js";
import { type Report, withoutBars } from "./report.js";
import { jsonOf, machineLine, markdownOf, placed, textOf } from "./table.js";

const known = Object.keys(benchmarks);

/** The exit code: 1 if a result was wrong, 130 and the like if it was told to stop. */
async function bench({ names, plan, json, table }: Wanted): Promise<number> {
  const peers = await findPeers();
  const machine = machineOf(peers);
  const stopping = new AbortController();
  let stopped = 0;
  for (const [name, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)
    process.on(name, () => {
      stopped = code;
      stopping.abort(new Error(`${name}: what was started is ended`));
    });
  const say = (what: string) => process.stderr.write(`… ${what}\n`);
  const context: Context = { plan, peers, signal: stopping.signal, say };
  console.log(machineLine(machine));
  for (const name of peers.missing) console.log(`skipped: ${name}: not installed`);
  if (!canAccount) console.log("skipped: processor time and memory: there is no /usr/bin/time");
  if (!plan.judged) console.log("smaller than what the bars are set for: no verdicts");
  if (json !== undefined) writeFileSync(json, "");
  const there = table !== undefined && existsSync(table) ? readFileSync(table, "utf8") : "";
  const reports: Report[] = [];
  let wrong = 0;
  for (const name of names)
    try {
      const run = await benchmarks[name]!();
      for await (const found of run(context)) {
        const report = plan.judged ? found : withoutBars(found);
        reports.push(report);
        const line = jsonOf(report, machine);
        console.log(textOf(report));
        if (json === undefined) console.log(line);
        else appendFileSync(json, `${line}\n`);
        if (table !== undefined) writeFileSync(table, placed(there, markdownOf(reports, machine)));
      }
    } catch (error) {
      if (stopped > 0) return stopped;
      wrong += 1;
      console.log(`\n${name}: WRONG: ${(error as Error).stack}`);
    }
  return wrong > 0 ? 1 : 0;
}

const parsed = parseArguments(process.argv.slice(2), known);
switch (parsed.kind) {
  case "help":
    console.log(helpOf(known));
    break;
  case "refused":
    console.log(`${parsed.why}\n\n${helpOf(known)}`);
    process.exitCode = 2;
    break;
  case "wanted":
    process.exitCode = await bench(parsed.wanted);
}
