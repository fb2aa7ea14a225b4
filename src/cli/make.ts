// Builds: first what lists the rest, then the rest. Knows nothing of how a step is judged, run or shown.
import { dirname } from "node:path";
import type { BuildEvent, Summary } from "../core/event.js";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import { build } from "../engine/build.js";
import { marks } from "../engine/ports.js";
import { checkSources } from "../engine/sources.js";
import { untouchedIn } from "../engine/untouched.js";
import { killMarked, markOf } from "../system/orphans.js";
import { chosen, goneOnWith } from "./choose.js";
import { foresee } from "./foresee.js";
import { lineageOf } from "./lineage.js";
import type { BuildCommand } from "./options.js";
import type { Places } from "./places.js";
import { type Plan, plan, readManifest } from "./plan.js";
import type { Ending, Surroundings } from "./project.js";
import type { Renderer } from "./render.js";
import { keep } from "./resume.js";
import { ended, type Run, refused } from "./run.js";
import { type Made, note, type Standing, together } from "./together.js";
import { filesBeside } from "./world.js";

/** What takes longer than this is told on a terminal: processes that were left running may take their time to end. */
const noticeAfterMs = 300;

/** Builds; first of all, each in a build of its own, the targets that list what there is to build. */
export async function make(run: Run<BuildCommand>): Promise<Ending> {
  const { around, command, renderer, planning, refusal, wired } = run;
  if (refusal) return makeNothing(run, refusal);
  const recovered = await recover(run);
  if (recovered) return recovered;
  const lists: Made[] = [];
  let ending: Ending = "failed";
  const over = (how: Ending) => {
    ending = how;
    return ok({ kind: "over" } as const);
  };
  const planned = await plan({
    ...planning,
    ...(!command.forced && { evaluated: () => wired.stores.files.untouched?.lookAhead() }),
    readList: async ({ manifest }, plan) => {
      const made = await makeAll(run, plan, { earlier: lists });
      wired.stores.files.untouched?.lookAnew();
      around.mortal();
      if ("ending" in made) return over(made.ending);
      lists.push(made);
      if (isGood(made.summary)) {
        const text = listed(manifest);
        return text.ok ? ok({ kind: "read", text: text.value }) : over(ended(renderer, text.error));
      }
      if (command.keepGoing && !made.summary.interrupted) return ok({ kind: "unknown" });
      return over(finish(renderer, together(lists)));
    },
  });
  if (!planned.ok) return refused(renderer, planned.error);
  if (!planned.value) return ending;
  const { wanted, lost } = planned.value;
  // Nothing that does not hang on a list: all there is to tell is told by now.
  const made = wanted.length > 0 || lost.length === 0 ? await makeRest(run, planned.value, lists) : undefined;
  if (made && "ending" in made) return made.ending;
  for (const { wildcard, manifest, at } of lost)
    renderer.event({ event: "warning", warning: "list-lost", wildcard, manifest, at });
  return finish(renderer, together(made ? [...lists, made] : lists));
}

/** Builds what is asked for of a plan, and keeps the list of it first. */
async function makeRest(
  run: Run<BuildCommand>,
  plan: Plan,
  earlier: readonly Made[],
): Promise<Made | { readonly ending: Ending }> {
  const { renderer } = run;
  const asked = await chosen(run, plan);
  if (!asked.ok) return { ending: ended(renderer, asked.error) };
  const left = await goneOnWith(run, asked.value);
  if (!left.ok) return { ending: ended(renderer, left.error) };
  const { plan: rest, forced } = left.value;
  // What hangs on a list that is lost is not known: then the words are, for the next time.
  const names = plan.lost.length === 0 && { names: asked.value.wanted };
  return makeAll(run, rest, { earlier, forced, ...names });
}

/** Where nothing can be written all is well as long as nothing has to be made; otherwise that is the one thing to say. */
async function makeNothing(run: Run<BuildCommand>, refusal: Failure): Promise<Ending> {
  const { renderer, command } = run;
  let fresh: BuildEvent | undefined;
  const event = (one: BuildEvent) => {
    if (one.event === "finished") fresh = one;
  };
  const silent = { ...renderer, expect: () => undefined, event };
  const ending = await foresee({ ...run, renderer: silent, command: { ...command, mode: "question" } });
  if (ending === "stale") return ended(renderer, refusal);
  if (ending === "good" && fresh) renderer.event(fresh);
  return ending;
}

/** What runs that died have left is put in order first. Answers how it ended if that cannot be done. */
async function recover({ around, renderer, wired }: Run<BuildCommand>): Promise<Ending | undefined> {
  const slow = setTimeout(() => renderer.notice("clearing up after a dmake that died"), noticeAfterMs);
  const recovered = await wired.recover(around.interruptible());
  clearTimeout(slow);
  renderer.notice("");
  around.mortal();
  return recovered.ok ? undefined : ended(renderer, recovered.error);
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
  if (isGood(summary)) return "good";
  return summary.failed === summary.locked && !summary.interrupted ? "busy" : "failed";
}

interface Making {
  readonly earlier: readonly Made[];
  /** Instead of what the command line says. */
  readonly forced?: boolean;
  /** What is built, as far as that is known by now. */
  readonly names?: readonly string[];
}

async function makeAll(
  run: Run<BuildCommand>,
  { graph, datafile }: Plan,
  { earlier, names, forced = run.command.forced }: Making,
): Promise<Made | { readonly ending: Ending }> {
  const { command, around, renderer, wired, planning } = run;
  const { stores, runners, history } = wired;
  const signal = around.interruptible();
  const looking = wired.spans?.begin("look for changes", { steps: graph.steps.length });
  const untouched = forced ? new Set<Step>() : untouchedIn(graph, stores);
  looking?.();
  const there = await checkSources(graph, datafile.rules, {
    stores,
    nearby: filesBeside,
    keepGoing: command.keepGoing,
    untouched,
  });
  if (!there.ok) return { ending: ended(renderer, there.error) };
  keep(run, names);
  renderer.expect(graph.steps);
  const steps = new Map<string, Standing>();
  const tell = goingOn(renderer, { graph, earlier });
  const emit = (event: BuildEvent) => {
    note(steps, event);
    tell(event);
  };
  const { keepGoing, noWait, json } = command;
  // Where nothing will run nobody needs a place: what gives them out takes 30 ms to load.
  const isIdle = untouched.size === graph.steps.length;
  const places: Partial<Places> = isIdle ? {} : await wired.placesFor(command, around);
  const { jobs = command.jobs ?? around.cores, slots } = places;
  const options = {
    ...{ jobs, keepGoing, forced, noWait, cores: around.cores, pools: datafile.pools },
    terminal: json ? ("stderr" as const) : ("stdout" as const),
  };
  markChildren(around, wired.run, signal);
  const lineage = lineageOf(around.env, dirname(planning.path));
  const world = {
    ...{ stores, runners, emit, signal, history, lineage, untouched, run: wired.run },
    ...(slots && { slots }),
    ...(wired.spans && { spans: wired.spans }),
  };
  return { summary: await build(graph, options, world), steps };
}

/** What functions of the Datafile start is marked as what commands are, and ends with an interrupted build. */
function markChildren({ env, onExit }: Surroundings, run: string, signal: AbortSignal): void {
  if (env[marks.run] === run) return;
  env[marks.run] = run;
  onExit(() => {
    if (signal.aborted) killMarked([markOf(marks.run, run)]);
  });
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
