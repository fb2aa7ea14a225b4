// What every benchmark is given, and how all of them take rounds. Knows nothing of any one of them.
import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plan } from "./arguments.js";
import type { Peers } from "./peers.js";
import { type Command, type Ran, runOnce } from "./process.js";
import type { Figure, Report, Unit } from "./report.js";

export interface Context {
  readonly plan: Plan;
  readonly peers: Peers;
  readonly signal: AbortSignal;
  /** Tells whoever waits what goes on now. */
  say(what: string): void;
}

export type Benchmark = (context: Context) => AsyncIterable<Report>;

export const repository = fileURLToPath(new URL("../", import.meta.url));
const built = [process.execPath, join(repository, "dist/cli/main.js")];

/** The built program, or what `DMAKE` says to run in its place: words with blanks between them, as for `peers.sh`. */
const [program = "", ...first] = process.env.DMAKE?.split(" ") ?? built;

/** It, as a person calls it. */
export const dmake = (cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Command => ({
  program,
  args: [...first, ...args],
  cwd,
  env,
});

/** A script beside this file, in a node of its own. */
export const nodeScript = (name: string, cwd: string, args: readonly string[]): Command => ({
  program: process.execPath,
  args: [fileURLToPath(new URL(name, import.meta.url)), ...args],
  cwd,
});

/** A command that has to succeed. */
export async function mustRun(command: Command, signal: AbortSignal): Promise<Ran> {
  const ran = await runOnce(command, signal);
  assert.equal(ran.code, 0, `${[command.program, ...command.args].join(" ")}\n${ran.output.slice(-2000)}`);
  return ran;
}

/** A temporary folder, and gone with all that is in it when `work` ends, however it does. */
export async function* inScratch(work: (folder: string) => AsyncIterable<Report>): AsyncIterable<Report> {
  const folder = mkdtempSync(join(tmpdir(), "dmake-bench-"));
  try {
    yield* work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Values as they come, each round one of each figure. */
export class Figures {
  readonly #all = new Map<string, { who: string; measure: string; unit: Unit; values: number[] }>();

  add(who: string, measure: string, unit: Unit, value: number | undefined): void {
    if (value === undefined) return;
    const key = `${who}\n${measure}`;
    const figure = this.#all.get(key) ?? { who, measure, unit, values: [] };
    this.#all.set(key, figure);
    figure.values.push(value);
  }

  /** What a process took, under the name of the measure: its time, and where they were accounted its processor time and memory. */
  addRun(who: string, measure: string, ran: Ran): void {
    this.add(who, measure, "s", ran.seconds);
    this.add(who, `${measure}, cpu`, "s", ran.cpuSeconds);
    this.add(who, `${measure}, peak`, "MB", ran.peakBytes === undefined ? undefined : ran.peakBytes / 1e6);
  }

  get all(): readonly Figure[] {
    return [...this.#all.values()];
  }
}

/** So many rounds as the plan wants, and none after the first that begins when the budget is spent. */
export async function inRounds(
  { plan, signal }: Context,
  round: (number: number) => Promise<void>,
  wanted = plan.rounds,
): Promise<void> {
  const start = performance.now();
  for (let number = 0; number < wanted; number++) {
    if (number > 0 && performance.now() - start > plan.budgetSeconds * 1000) return;
    signal.throwIfAborted();
    await round(number);
  }
}
