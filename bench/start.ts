// From start to exit where there is nothing to do: three targets, against an empty node and the peers. Knows nothing of larger projects.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Context, Figures, inRounds, inScratch, mustRun } from "./context.js";
import { writeProject } from "./languages.js";
import { playersFor } from "./players.js";
import type { Command } from "./process.js";
import type { Report } from "./report.js";
import { workloadOf } from "./workloads.js";

/** Short runs need many: one that is disturbed must not count. */
const rounds = 21;
const measure = "start to exit";
const empty = "node -e 0";

export const benchStart = (context: Context): AsyncIterable<Report> =>
  inScratch(async function* (folder) {
    const { signal } = context;
    const workload = workloadOf("wide", 3);
    const { players, skipped } = playersFor(workload, 3, context);
    const commands: { readonly who: string; readonly command: Command }[] = [];
    context.say("start");
    for (const player of players) {
      const cwd = join(folder, player.language);
      mkdirSync(cwd, { recursive: true });
      writeProject(cwd, player.language, workload);
      await mustRun(player.build(cwd), signal);
      const command = (player.look ?? player.build)(cwd);
      await mustRun(command, signal);
      commands.push({ who: player.who, command });
    }
    commands.push({ who: empty, command: { program: process.execPath, args: ["-e", "0"], cwd: folder } });
    const figures = new Figures();
    await inRounds(
      context,
      async () => {
        for (const { who, command } of commands) figures.addRun(who, measure, await mustRun(command, signal));
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
