// Where the time of a null build goes, phase by phase, from dmake's own profile, beside what the like costs a bare node. Knows nothing of how the profile is made.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Context, dmake, Figures, inRounds, mustRun } from "./context.js";
import { medianOf, type Report } from "./report.js";
import { skippedReport } from "./server.js";

/** One thing of a Chrome trace: `X` has a beginning and a length in microseconds, `M` says what a lane is called. */
export interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly ts: number;
  readonly dur?: number;
  readonly tid: number;
  readonly args?: { readonly name?: string };
}

const rounds = 3;
const mine = "dmake";
const theirs = "the like in a bare node";

/** Of a null build of a project that is up to date: what `report` has measured of it goes beside. */
export async function phasesOf(report: Report, project: string, context: Context): Promise<Report> {
  const { signal, say, plan } = context;
  const name = `${report.name} phases`;
  const { output } = await mustRun(dmake(project, ["--help"]), signal);
  if (!output.includes("--profile")) return skippedReport(name, "this dmake has no --profile");
  say(name);
  const file = join(project, "profile.json");
  const figures = new Figures();
  await inRounds(
    context,
    async () => {
      rmSync(file, { force: true });
      const ran = await mustRun(dmake(project, ["-j2", "--profile", file]), signal);
      figures.add(mine, "start to exit, profiled", "s", ran.seconds);
      for (const [phase, seconds] of selfSeconds(eventsOf(readFileSync(file, "utf8"))))
        figures.add(mine, phase, "s", seconds);
    },
    plan.quick ? 1 : rounds,
  );
  rmSync(file, { force: true });
  addFloors(figures, report);
  return {
    name,
    what: "where the time of a null build goes, from `dmake --profile`: each phase without what happens within it",
    figures: figures.all,
    comparisons: [],
    floors: [],
    notes: [],
    skipped: [],
  };
}

function addFloors(figures: Figures, { figures: measured }: Report): void {
  const [empty, looking] = ["node -e 0", "bare node"].map((who) =>
    medianOf(measured, { who, measure: "null build" }),
  );
  if (empty === undefined || looking === undefined) return;
  figures.add(theirs, "start to exit, profiled", "s", looking);
  figures.add(theirs, "start Node", "s", empty);
  figures.add(theirs, "stat", "s", looking - empty);
}

/** A trace is a list, or has one. */
function eventsOf(text: string): readonly TraceEvent[] {
  const trace = JSON.parse(text) as readonly TraceEvent[] | { readonly traceEvents: readonly TraceEvent[] };
  return "traceEvents" in trace ? trace.traceEvents : trace;
}

/** Phase → seconds in the lane `engine`, those of phases within it taken off, in the order in which they first begin. */
export function selfSeconds(events: readonly TraceEvent[]): Map<string, number> {
  const lane = events.find(({ name, args }) => name === "thread_name" && args?.name === "engine")?.tid;
  const phases = events
    .filter(({ ph, tid }) => ph === "X" && tid === lane)
    .map(({ name, ts, dur = 0 }) => ({ name, begin: ts, end: ts + dur }))
    .sort((a, b) => a.begin - b.begin || b.end - a.end);
  const seconds = new Map<string, number>();
  const add = (name: string, microseconds: number) =>
    seconds.set(name, (seconds.get(name) ?? 0) + microseconds / 1e6);
  const open: (typeof phases)[number][] = [];
  for (const phase of phases) {
    while (open.length > 0 && open.at(-1)!.end <= phase.begin) open.pop();
    const outer = open.at(-1);
    if (outer) add(outer.name, -(Math.min(phase.end, outer.end) - phase.begin));
    add(phase.name, phase.end - phase.begin);
    open.push(phase);
  }
  return seconds;
}
