// The engines that build a workload: which of them can, and the commands that have them do it. Knows nothing of time, and of what is right.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Context, dmake, nodeScript } from "./context.js";
import type { Language } from "./languages.js";
import type { Command } from "./process.js";
import type { Workload } from "./workloads.js";

export interface Player {
  readonly who: string;
  /** Those of one language share a folder. */
  readonly language: Language;
  /** Brings all up to date, two at once. */
  build(folder: string): Command;
  /** Says what would run; nothing if it cannot. */
  dryRun?(folder: string): Command;
  /** Looks whether all is up to date, if that is another command. */
  look?(folder: string): Command;
  /** Its own files beside the outputs. */
  readonly state: readonly string[];
  /** Whether an edit is noticed at all: the floor only stats. */
  readonly edits: boolean;
  /** Takes part in so many rounds of a measure, if not in all. */
  readonly rounds?: number;
}

const ours: Player = {
  who: "dmake",
  language: "dmake",
  build: (folder) => dmake(folder, ["-j2"]),
  dryRun: (folder) => dmake(folder, ["-n"]),
  state: [".dmake"],
  edits: true,
};

const peer = (
  who: string,
  language: Language,
  words: readonly string[],
  dry: readonly string[],
  state: string[],
): Player => {
  const [program = "", ...flags] = words;
  return {
    who,
    language,
    build: (cwd) => ({ program, args: flags, cwd }),
    dryRun: (cwd) => ({ program, args: [...flags, ...dry], cwd }),
    state,
    edits: true,
  };
};

const all: readonly (Player & { readonly peer: string })[] = [
  { peer: "make", ...peer("make", "make", ["make", "-j2"], ["-n"], []) },
  { peer: "make", ...peer("make -rR", "make", ["make", "-rR", "-j2"], ["-n"], []) },
  { peer: "ninja", ...peer("ninja", "ninja", ["ninja", "-j2"], ["-n"], [".ninja_log", ".ninja_deps"]) },
  {
    peer: "snakemake",
    ...peer(
      "snakemake",
      "snakemake",
      ["snakemake", "--cores", "2", "--quiet", "all"],
      ["-n"],
      [".snakemake"],
    ),
    rounds: 2,
  },
];

const floor: Player = {
  who: "bare node",
  language: "floor",
  build: (cwd) => nodeScript("floor.mjs", cwd, ["build"]),
  look: (cwd) => nodeScript("floor.mjs", cwd, ["look"]),
  state: ["floor.state"],
  edits: false,
};

/** Plain Make tries its built-in rules on every name: 1.3 s at 10,000 targets, and minutes of rounds above. */
const mostOfPlainMake = 20_000;
/** Some 20 ms a job. */
const mostOfSnakemake = 1000;

/** Who takes part, and who does not and why. */
export function playersFor(workload: Workload, size: number, { peers, plan }: Context) {
  const skipped: string[] = [];
  const fit = all.filter(({ who, peer }) => {
    const why = reasonAgainst(who, peer);
    if (why !== undefined) skipped.push(`${who}: ${why}`);
    return why === undefined;
  });
  function reasonAgainst(who: string, name: string): string | undefined {
    if (peers.missing.includes(name)) return "not installed";
    if (who === "make" && size > mostOfPlainMake) return `not over ${mostOfPlainMake} targets`;
    if (who !== "snakemake") return undefined;
    if (size > mostOfSnakemake) return `not over ${mostOfSnakemake} targets: 20 ms a job`;
    if (workload.name === "explicit") return "the same as wide";
    if (workload.snakefile === undefined) return "its recursion does not go that deep";
    return plan.quick && size > 3 ? "three targets only in a quick run" : undefined;
  }
  const players: readonly Player[] = [ours, ...fit, floor];
  return { players, skipped };
}

/** As if nothing had ever been built. */
export function wipe(folder: string, { state }: Player, { steps }: Workload): void {
  for (const name of state) rmSync(join(folder, name), { recursive: true, force: true });
  for (const { target } of steps) rmSync(join(folder, target), { force: true });
}
