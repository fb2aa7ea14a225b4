// `npm run bench`: runs the benchmarks that are named, or all, and prints a table and a line of JSON for each. Knows nothing of what they measure.
import { parseArgs } from "node:util";
import { benchLoad } from "./load.js";
import { median, type Report, ratioOf } from "./report.js";

const help = "npm run bench -- [load] [--rows N] [--rounds N] [--quick]";

interface Size {
  readonly rows: number;
  readonly rounds: number;
}

const usual: Size = { rows: 1_300_000, rounds: 5 };
/** To see whether it works at all. */
const quick: Size = { rows: 100_000, rounds: 3 };

const benches: Readonly<Record<string, (size: Size) => Promise<Report>>> = { load: benchLoad };

/** `judged`: whether the size is the one that the bars are set for. */
function print(report: Report, { judged }: { readonly judged: boolean }): void {
  const { name, what, cases, notes, skipped, ratios } = report;
  if (skipped !== undefined) {
    console.log(`${name}: skipped: ${skipped}`);
    return;
  }
  console.log(`\n${name}: ${what}`);
  const width = Math.max(...cases.map((one) => one.name.length));
  for (const one of cases) {
    const all = one.seconds.map((value) => value.toFixed(2)).join(", ");
    console.log(`  ${one.name.padEnd(width)}  ${median(one.seconds).toFixed(2)} s  (${all})`);
  }
  const found = ratios.map((ratio) => ({ ...ratio, found: ratioOf(report, ratio) }));
  for (const { of, bar, found: value } of found) {
    const verdict = judged ? `, bar ${bar}: ${value <= bar ? "met" : "NOT met"}` : "";
    console.log(`  ${of}: ratio ${value.toFixed(2)}${verdict}`);
  }
  for (const note of notes) console.log(`  ${note}`);
  console.log(JSON.stringify({ ...report, ratios: found }));
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: "string" },
    rounds: { type: "string" },
    quick: { type: "boolean" },
    help: { type: "boolean" },
  },
});
const size = values.quick ? quick : usual;
const wanted = positionals.length > 0 ? positionals : Object.keys(benches);
const unknown = wanted.find((name) => !Object.hasOwn(benches, name));
if (values.help || unknown !== undefined) {
  console.log(unknown === undefined ? help : `no benchmark is called \`${unknown}\`\n${help}`);
  process.exitCode = unknown === undefined ? 0 : 2;
} else {
  const rows = Number(values.rows ?? size.rows);
  const rounds = Number(values.rounds ?? size.rounds);
  for (const name of wanted) print(await benches[name]!({ rows, rounds }), { judged: rows >= usual.rows });
}
