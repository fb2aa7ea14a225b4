// Says what would run, and what may. Knows nothing of running.
import type { BuildEvent, Summary } from "../core/event.js";
import { ok, type Result } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import { type Previewed, preview } from "../engine/preview.js";
import { checkSources } from "../engine/sources.js";
import { untouchedIn } from "../engine/untouched.js";
import { chosen, goneOnWith } from "./choose.js";
import { type List, listReader, listWarning } from "./lists.js";
import type { BuildCommand } from "./options.js";
import { type Plan, plan } from "./plan.js";
import type { Ending } from "./project.js";
import { ended, type Run, refused } from "./run.js";
import { filesBeside } from "./world.js";

/** Says what would run, and what may; or with `-q`, by its ending, whether anything would. */
export async function foresee(run: Run<BuildCommand>): Promise<Ending> {
  const { command, around, renderer, wired, planning } = run;
  const { forced, mode } = command;
  const { stores } = wired;
  const reader = listReader({ stores, forced, signal: around.interruptible });
  let ending: Ending | undefined;
  const planned = await plan({
    ...planning,
    ...(!forced && { evaluated: () => stores.files.untouched?.lookAhead() }),
    readList: async (asked, plan) => {
      const listed = await reader.readList(asked, plan);
      around.mortal();
      if (!listed.ok) ending = ended(renderer, listed.error);
      return listed.ok ? listed : ok({ kind: "over" });
    },
  });
  if (!planned.ok) return refused(renderer, planned.error);
  if (ending) return ending;
  let summary = toldLists(run, { lists: reader.lists, graph: planned.value?.graph });
  // Where nothing is left that can be planned, the lists were all there is.
  if (planned.value && (planned.value.wanted.length > 0 || planned.value.lost.length === 0)) {
    const rest = await foreseeRest(run, planned.value);
    if (!rest.ok) return ended(renderer, rest.error);
    summary = added(summary, rest.value);
  }
  renderer.event({ event: "finished", ...summary });
  return mode === "question" && summary.wouldRun > 0 ? "stale" : "good";
}

async function foreseeRest(run: Run<BuildCommand>, plan: Plan): Promise<Result<Summary>> {
  const asked = await chosen(run, plan);
  const left = asked.ok ? await goneOnWith(run, asked.value) : asked;
  if (!left.ok) return left;
  const { plan: rest, forced } = left.value;
  return foreseeAll({ ...run, command: { ...run.command, forced } }, rest);
}

async function foreseeAll(
  { command, around, renderer, wired }: Run<BuildCommand>,
  { graph, datafile }: Plan,
): Promise<Result<Summary>> {
  const { stores } = wired;
  const signal = around.interruptible();
  const { forced, mode } = command;
  const looking = wired.spans?.begin("look for changes", { steps: graph.steps.length });
  const untouched = forced ? new Set<Step>() : untouchedIn(graph, stores);
  looking?.();
  const there = await checkSources(graph, datafile.rules, { stores, nearby: filesBeside, untouched });
  if (!there.ok) return there;
  renderer.expect(graph.steps);
  for (const step of untouched) renderer.event({ event: "fresh", step: step.id });
  const tell = (one: Previewed) => renderer.event(previewEvent(one));
  const judging = wired.spans?.begin("judge", { steps: graph.steps.length - untouched.size });
  const how = { forced, question: mode === "question" };
  const summary = await preview(graph, how, { stores, signal, tell, untouched });
  judging?.();
  return summary;
}

function previewEvent({ step, standing }: Previewed): BuildEvent {
  switch (standing.kind) {
    case "fresh":
      return { event: "fresh", step: step.id };
    case "would-run":
      return { event: "would-run", step: step.id, reasons: standing.reasons };
    case "may-run":
      return { event: "may-run", step: step.id, dependsOn: standing.dependsOn.id };
  }
}

/** Tells what is only needed for a list, which the plan does not show again, and what that means for the plan. */
function toldLists(
  { renderer }: Run<BuildCommand>,
  { lists, graph }: { readonly lists: readonly List[]; readonly graph: Plan["graph"] | undefined },
): Summary {
  const known = new Set(graph?.steps.map(({ id }) => id));
  const counts = { fresh: 0, "would-run": 0, "may-run": 0 };
  for (const { previewed } of lists) {
    const own = previewed.filter(({ step }) => !known.has(step.id));
    renderer.expect(own.map(({ step }) => step));
    for (const one of own) {
      known.add(one.step.id);
      counts[one.standing.kind] += 1;
      renderer.event(previewEvent(one));
    }
  }
  for (const list of lists) {
    const warning = listWarning(list);
    if (warning) renderer.event({ event: "warning", ...warning });
  }
  return { ...nothing, fresh: counts.fresh, wouldRun: counts["would-run"], mayRun: counts["may-run"] };
}

const nothing: Summary = {
  made: 0,
  already: 0,
  fresh: 0,
  failed: 0,
  locked: 0,
  blocked: 0,
  notStarted: 0,
  wouldRun: 0,
  mayRun: 0,
  interrupted: false,
  durationMs: 0,
};

const added = (one: Summary, other: Summary): Summary => ({
  ...other,
  fresh: one.fresh + other.fresh,
  wouldRun: one.wouldRun + other.wouldRun,
  mayRun: one.mayRun + other.mayRun,
  durationMs: one.durationMs + other.durationMs,
});
