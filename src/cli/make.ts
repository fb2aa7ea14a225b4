// Builds: first what lists the rest, then the rest. Knows nothing of how a step is judged, run or shown.
import type { BuildEvent, Summary } from "../core/event.js";
import { fail, ok, type Result } from "../core/failure.js";
import { build } from "../engine/build.js";
import { checkSources } from "../engine/sources.js";
import type { BuildCommand } from "./options.js";
import { type Plan, plan, readManifest } from "./plan.js";
import type { Ending } from "./project.js";
import type { Renderer } from "./render.js";
import { ended, type Run, refused } from "./run.js";
import { filesBeside } from "./world.js";

/** Builds; first of all, each in a build of its own, the targets that list what there is to build. */
export async function make(run: Run<BuildCommand>): Promise<Ending> {
  const { around, renderer, planning } = run;
  const lists: Made[] = [];
  let ending: Ending = "failed";
  const planned = await plan({
    ...planning,
    readList: async ({ manifest }, plan) => {
      const made = await makeAll(run, plan, lists);
      around.mortal();
      if ("ending" in made) ending = made.ending;
      else if (!isGood(made.summary)) ending = finish(renderer, together(lists, made));
      else {
        lists.push(made);
        const text = listed(manifest);
        if (text.ok) return text;
        ending = ended(renderer, text.error);
      }
      return ok(undefined);
    },
  });
  if (!planned.ok) return refused(renderer, planned.error);
  if (!planned.value) return ending;
  const made = await makeAll(run, planned.value, lists);
  return "ending" in made ? made.ending : finish(renderer, together(lists, made));
}

/** What a list says that was just made: by now it is there. */
function listed(path: string): Result<string> {
  const text = readManifest(path);
  if (!text.ok) return text;
  return text.value === undefined
    ? fail({ reason: "io", doing: "read the list", path, code: "ENOENT" })
    : ok(text.value);
}

const isGood = ({ failed, interrupted }: Summary): boolean => failed === 0 && !interrupted;

function finish(renderer: Renderer, summary: Summary): Ending {
  renderer.event({ event: "finished", ...summary });
  return isGood(summary) ? "good" : "failed";
}

/** One build, and how each of its steps ended that ended well. */
interface Made {
  readonly summary: Summary;
  readonly steps: ReadonlyMap<string, "done" | "fresh">;
}

async function makeAll(
  { command, around, renderer, wired }: Run<BuildCommand>,
  { graph, datafile }: Plan,
  earlier: readonly Made[],
): Promise<Made | { readonly ending: Ending }> {
  const { stores, runners } = wired;
  const signal = around.interruptible();
  const there = await checkSources(graph, datafile.rules, { stores, nearby: filesBeside });
  if (!there.ok) return { ending: ended(renderer, there.error) };
  renderer.expect(graph.steps);
  const steps = new Map<string, "done" | "fresh">();
  const tell = goingOn(renderer, { graph, earlier });
  const emit = (event: BuildEvent) => {
    if (event.event === "done" || event.event === "fresh") steps.set(event.step, event.event);
    tell(event);
  };
  const { jobs, keepGoing, forced } = command;
  const options = { jobs, keepGoing, forced, cores: around.cores };
  return { summary: await build(graph, options, { stores, runners, emit, signal }), steps };
}

/**
 * Tells of a build as one that goes on from earlier ones: steps are counted through, and one that is found fresh after it
 * was told of is not told of again.
 */
function goingOn(
  renderer: Renderer,
  { graph, earlier }: { readonly graph: Plan["graph"]; readonly earlier: readonly Made[] },
): (event: BuildEvent) => void {
  if (earlier.length === 0) return renderer.event;
  const told = new Set(earlier.flatMap(({ steps }) => [...steps.keys()]));
  let total = 0;
  /** Steps that run once more: forced, or stale again by now. */
  let again = 0;
  const grow = () => renderer.event({ event: "grown", steps: told.size + total + again });
  return (event) => {
    if (event.event === "started" || event.event === "grown") {
      total = event.steps - graph.steps.filter(({ id }) => told.has(id)).length;
      return grow();
    }
    if (event.event === "fresh" && told.has(event.step)) return;
    if (event.event === "running" && told.has(event.step)) {
      again += 1;
      grow();
    }
    renderer.event(event);
  };
}

/** Several builds as one. A list that was made for the plan is found fresh by those who use it: it counts once, as made. */
function together(lists: readonly Made[], { summary, steps }: Made): Summary {
  let [made, fresh, durationMs] = [summary.made, summary.fresh, summary.durationMs];
  const counted = new Set(steps.keys());
  for (const list of lists) {
    durationMs += list.summary.durationMs;
    for (const [step, how] of list.steps) {
      if (how === "done") {
        made += 1;
        if (steps.get(step) === "fresh") fresh -= 1;
      } else if (!counted.has(step)) fresh += 1;
      counted.add(step);
    }
  }
  return { ...summary, made, fresh, durationMs };
}
