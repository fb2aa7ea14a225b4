// The verb `why`: says of targets why they are stale, or what makes them fresh. Knows nothing of how either is judged, and changes nothing.
import { statSync } from "node:fs";
import type { Graph } from "../core/graph.js";
import type { Previewed } from "../engine/preview.js";
import { type Evidence, type Explanation, explain } from "./explain.js";
import type { Telling } from "./explain-part.js";
import { explanationLine, explanationText } from "./explain-text.js";
import { type List, planQuery, previewAll, queryOf, warnOfLists } from "./lists.js";
import type { WhyCommand } from "./options.js";
import type { Ending, Surroundings } from "./project.js";
import { messageRenderer, type Screen } from "./render.js";
import { ended, inProject, type Run, refused } from "./run.js";

export const runWhy = (command: WhyCommand, around: Surroundings): Promise<Ending> => {
  const renderer = messageRenderer(around.screen);
  return inProject(command, { around, renderer, writable: false }, explainAll);
};

async function explainAll(run: Run<WhyCommand>): Promise<Ending> {
  const { command, around, renderer } = run;
  // What is not known yet is told of, and nothing else.
  const { planned, lists } = await planQuery(run, { unknown: "over" });
  if (!planned.ok) return refused(renderer, planned.error);
  warnOfLists(lists, renderer);
  const teller = tellerOf(command, around.screen);
  // What is not known yet hangs on the last list that was asked for.
  if (!planned.value) return tellMissing(lists, teller);
  const { graph, wanted } = planned.value;
  const previewed = await previewAll(planned.value, queryOf(run));
  if (!previewed.ok) return ended(renderer, previewed.error);
  // Names that were given one by one are told in full; of the many that a goal stands for, only what is stale.
  const full = wanted.length <= Math.max(1, command.words.length);
  teller(wanted, evidenceOf(graph, previewed.value), { full });
  return "good";
}

const evidenceOf = (graph: Graph, previewed: readonly Previewed[]): Evidence => ({
  graph,
  previewed: new Map(previewed.map((one) => [one.step, one])),
  modified,
});

type Teller = (names: readonly string[], evidence: Evidence, how: { readonly full: boolean }) => void;

function tellMissing(lists: readonly List[], teller: Teller): Ending {
  const list = lists.at(-1);
  if (!list) return "failed";
  teller([list.asked.manifest], evidenceOf(list.graph, list.previewed), { full: true });
  return "good";
}

/** When a file was last written. A folder's time says nothing of what is in it. */
function modified(name: string): number | undefined {
  const stats = statSync(name, { throwIfNoEntry: false });
  return stats?.isFile() ? stats.mtimeMs : undefined;
}

function tellerOf({ json }: WhyCommand, screen: Screen): Teller {
  const telling = { nowMs: Date.now(), coloured: screen.coloured };
  return (names, evidence, { full }) => {
    const all = names.map((name) => explain(name, evidence));
    if (json) for (const one of all) screen.out(JSON.stringify(one));
    else for (const text of textsOf(all, { ...telling, full })) screen.out(text);
  };
}

/** Blocks with an empty line before and after; lines of their own without. */
function* textsOf(
  all: readonly Explanation[],
  telling: Telling & { readonly full: boolean },
): Generator<string> {
  let before: "nothing" | "line" | "block" = "nothing";
  for (const one of all) {
    const short = !telling.full && (one.why === "fresh" || one.why === "source");
    if (before === "block" || (before === "line" && !short)) yield "";
    yield short ? explanationLine(one, telling) : explanationText(one, telling);
    before = short ? "line" : "block";
  }
}
