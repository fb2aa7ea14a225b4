// From start to exit where there is nothing to do: three targets, against an empty node and the peers. Knows nothing of larger projects.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Context, Figures, inRounds, inScratch, mustRun } from "./context.js";
import { writeProject } from "./languages.js";
import { playersFor } from "./players.js";
import { type Command, runOnce } from "./process.js";
import type { Report } from "./report.js";
import { workloadOf } from "./workloads.js";

/** Short runs need many: one that is disturbed must not count. */
const rounds = 21;
const measure = "start to exit";
const empty = "node -e 0";
/** What is in every figure of every benchmark: the start of a process, and GNU time around it. */
const measuring = "true";

export const benchStart = (context: Context): AsyncIterable<Report> =>
  inScratch(async function* (folder) {
    const { signal } = context;
    const workload = workloadOf("wide", 3);
    const { players, skipped } = playersFor(workload, 3, context);
    const commands: { readonly who: string; readonly command: Command; readonly most: number }[] = [];
    context.say("start");
    for (const player of players) {
      const cwd = join(folder, player.language);
      mkdirSync(cwd, { recursive: true });
      writeProject(cwd, player.language, workload);
      const command = (player.look ?? player.build)(cwd);
      const ready = [player.build(cwd), command];
      const why = player.who === "dmake" ? await allRun(ready, signal) : await firstFailure(ready, signal);
      if (why === undefined) commands.push({ who: player.who, command, most: player.rounds ?? rounds });
      else skipped.push(`${player.who}: ${why}`);
    }
    const others = { [empty]: [process.execPath, "-e", "0"], [measuring]: ["true"] };
    for (const [who, [program = "", ...args]] of Object.entries(others))
      commands.push({ who, command: { program, args, cwd: folder }, most: rounds });
    const figures = new Figures();
    await inRounds(
      context,
      async (round) => {
        for (const { who, command, most } of commands)
          if (round < most) figures.addRun(who, measure, await mustRun(command, signal));
      },
      context.plan.quick ? 1 : rounds,
    );
    const [mine, least] = ["dmake", empty].map((who) => ({ who, measure }));
    yield {
      name: "start",
      what: "three targets in a chain, nothing to do",
      subject: "dmake",
      figures: figures.all,
      comparisons: [{ of: mine!, by: "difference", to: least!, limit: 0.12 }],
      floors: [{ what: "nothing to do, 3 targets", is: "`node -e 0`", of: mine!, floor: least! }],
      notes: [],
      skipped,
    };
  });

async function allRun(commands: readonly Command[], signal: AbortSignal): Promise<undefined> {
  for (const command of commands) await mustRun(command, signal);
}

/** What a peer has said at its end, if it does not work here. */
async function firstFailure(commands: readonly Command[], signal: AbortSignal): Promise<string | undefined> {
  for (const command of commands) {
    const { code, output } = await runOnce(command, signal);
    if (code !== 0) return `exit ${code}: ${output.trim().split("\n").at(-1)}`;
  }
  return undefined;
}
