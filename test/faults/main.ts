// `npm run test:faults`: kills, crowds and starves the built program, compares with a clean build, and prints what was tried. Knows nothing of how.
import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { binary } from "../rig/binary.js";
import { diskFull } from "./disk-full.js";
import { killLoads } from "./kill-loads.js";
import { killPoints } from "./kill-points.js";
import { randomKills } from "./random-kills.js";
import { interrupt, Trials, type Wanted } from "./trials.js";
import { twoAtOnce } from "./two-at-once.js";

const harnesses: Readonly<Record<string, (trials: Trials) => Promise<void>>> = {
  "kill-points": killPoints,
  "kill-loads": killLoads,
  "random-kills": randomKills,
  "two-at-once": twoAtOnce,
  "disk-full": diskFull,
};

const help = `npm run test:faults -- [--quick] [--only ${Object.keys(harnesses).join(",")}] [--seed N] [--point TRIAL] [--points N] [--all] [--jobs N] [--binary PATH]`;

/** The table of what was tried, and what came of it. */
function report(all: readonly Trials[], seconds: number): void {
  const rows = all.flatMap((trials) =>
    [...trials.points].map(([part, points]) => {
      const differences = trials.differences.filter(({ trial }) => trial.startsWith(`${part}:`)).length;
      return [`${trials.harness}: ${part}`, String(points), String(differences)];
    }),
  );
  const total = [1, 2].map((column) => rows.reduce((sum, row) => sum + Number(row[column]), 0));
  const table = [["what", "points", "differences"], ...rows, ["all", ...total.map(String)]];
  const width = Math.max(...table.map(([name = ""]) => name.length));
  for (const [name = "", points = "", differences = ""] of table)
    console.log(`${name.padEnd(width)}  ${points.padStart(6)}  ${differences.padStart(11)}`);
  for (const trials of all)
    for (const skipped of trials.skipped) console.log(`skipped: ${trials.harness}: ${skipped}`);
  console.log(`seed ${all[0]?.wanted.seed}, ${seconds.toFixed(0)} s`);
  for (const trials of all) for (const { trial } of trials.differences) console.log(trials.replayOf(trial));
}

async function tryAll(names: readonly string[], wanted: Wanted): Promise<number> {
  const began = performance.now();
  const all: Trials[] = [];
  for (const name of names) {
    if (all.some(({ isOver }) => isOver)) break;
    const trials = new Trials(name, wanted);
    all.push(trials);
    await trials.guard("preparation:0", async () => harnesses[name]?.(trials));
  }
  report(all, (performance.now() - began) / 1000);
  const tried = all.some(({ points }) => points.size > 0);
  if (!tried) console.log("nothing was tried");
  return tried && all.every(({ differences }) => differences.length === 0) ? 0 : 1;
}

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    seed: { type: "string" },
    point: { type: "string" },
    points: { type: "string" },
    all: { type: "boolean", default: false },
    jobs: { type: "string", default: "2" },
    binary: { type: "string", default: binary },
    help: { type: "boolean" },
  },
});
const names = values.only?.split(",") ?? Object.keys(harnesses);
const unknown = names.find((name) => !Object.hasOwn(harnesses, name));
if (values.help || unknown !== undefined) {
  console.log(unknown === undefined ? help : `no harness is called \`${unknown}\`\n${help}`);
  process.exitCode = unknown === undefined ? 0 : 2;
} else if (!existsSync(values.binary)) {
  console.log(`there is no ${values.binary}: npm run build`);
  process.exitCode = 2;
} else {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), "dmake-faults-")));
  const wanted = {
    quick: values.quick,
    seed: values.seed === undefined ? Math.floor(Math.random() * 1e6) : Number(values.seed),
    point: values.point,
    points: values.points === undefined ? undefined : Number(values.points),
    all: values.all,
    binary: resolve(values.binary),
    scratch,
    jobs: Number(values.jobs),
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, interrupt);
  try {
    process.exitCode = await tryAll(names, wanted);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
