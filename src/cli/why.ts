// The verb `why`: says of targets why they are stale, or what makes them fresh. Knows nothing of how either is judged, and changes nothing.
import { statSync } from "node:fs";
import { ok } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import type { Previewed } from "../engine/preview.js";
import { type Evidence, type Explanation, explain } from "./explain.js";
import type { Telling } from "./explain-part.js";
import { explanationLine, explanationText } from "./explain-text.js";
import { type List, listReader, listWarning, previewAll } from "./lists.js";
import type { WhyCommand } from "./options.js";
import { plan } from "./plan.js";
import type { Ending, Surroundings } from "./project.js";
import { messageRenderer, type Screen } from "./render.js";
import { ended, inProject, type Run, refused } from "./run.js";

export const runWhy = (command: WhyCommand, around: Surroundings): Promise<Ending> => {
  const renderer = messageRenderer(around.screen);
  return inProject(command, { around, renderer, writable: false }, explainAll);
};

async function explainAll({ command, around, renderer, wired, planning }: Run<WhyCommand>): Promise<Ending> {
  const query = { stores: wired.stores, forced: false, signal: around.interruptible };
  const { readList, lists } = listReader(query);
  const planned = await plan({
    ...planning,
    warn: () => undefined,
    readList: async (...list) => {
      const listed = await readList(...list);
      around.mortal();
      // What is not known yet is told of, and nothing else.
      return listed.ok && listed.value.kind === "unknown" ? ok({ kind: "over" }) : listed;
    },
  });
  if (!planned.ok) return refused(renderer, planned.error);
  for (const list of lists) {
    const warning = listWarning(list);
    if (warning) renderer.event({ event: "warning", ...warning });
  }
  const teller = tellerOf(command, around.screen);
  // What is not known yet hangs on the last list that was asked for.
  if (!planned.value) return tellMissing(lists, teller);
  const { graph, wanted } = planned.value;
  const previewed = await previewAll(planned.value, query);
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
