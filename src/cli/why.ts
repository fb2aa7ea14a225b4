// The verb `why`: says of targets why they are stale, or what makes them fresh. Knows nothing of how either is judged, and changes nothing.
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { Failure } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import { type Previewed, preview } from "../engine/preview.js";
import { checkSources } from "../engine/sources.js";
import { diagnose } from "./diagnose.js";
import { type Evidence, type Explanation, explain } from "./explain.js";
import type { Telling } from "./explain-part.js";
import { explanationLine, explanationText } from "./explain-text.js";
import { type List, listReader, listWarning } from "./lists.js";
import type { WhyCommand } from "./options.js";
import { plan } from "./plan.js";
import { type Ending, enterProject, type Surroundings } from "./project.js";
import type { Screen } from "./render.js";
import { warningText } from "./warn.js";
import { filesBeside, wire } from "./world.js";

export async function runWhy(command: WhyCommand, around: Surroundings): Promise<Ending> {
  const { screen, env } = around;
  const refused = (failure: Failure): Ending => {
    screen.err(diagnose(failure));
    return "refused";
  };
  const path = enterProject(command, around.changeDirectory);
  if (!path.ok) return refused(path.error);
  const warn = (warning: Parameters<typeof warningText>[0]) => screen.err(warningText(warning));
  const wired = wire({ root: dirname(path.value), env, writable: false }, { notice: () => undefined, warn });
  const { stores } = wired;
  try {
    const { readList, lists } = listReader({ stores, forced: false, signal: around.interruptible });
    const planned = await plan({
      path: path.value,
      asked: command,
      env,
      writable: false,
      warn: () => undefined,
      readList: async (...list) => {
        const text = await readList(...list);
        around.mortal();
        return text;
      },
    });
    if (!planned.ok) return refused(planned.error);
    for (const list of lists) {
      const warning = listWarning(list);
      if (warning) warn(warning);
    }
    const teller = tellerOf(command, screen);
    // What is not known yet hangs on the last list that was asked for.
    if (!planned.value) return tellMissing(lists, teller);
    const { graph, datafile, wanted } = planned.value;
    const signal = around.interruptible();
    const there = await checkSources(graph, datafile.rules, { stores, nearby: filesBeside });
    if (!there.ok) return refused(there.error);
    const previewed = new Map<Step, Previewed>();
    const tell = (one: Previewed) => previewed.set(one.step, one);
    const judged = await preview(graph, { forced: false, question: false }, { stores, signal, tell });
    if (!judged.ok) {
      screen.err(diagnose(judged.error));
      return "failed";
    }
    // Names that were given one by one are told in full; of the many that a goal stands for, only what is stale.
    teller(
      wanted,
      { graph, previewed, modified },
      { full: wanted.length <= Math.max(1, command.words.length) },
    );
    return "good";
  } finally {
    await wired.close();
  }
}

type Teller = (names: readonly string[], evidence: Evidence, how: { readonly full: boolean }) => void;

function tellMissing(lists: readonly List[], teller: Teller): Ending {
  const list = lists.at(-1);
  if (!list) return "failed";
  const previewed = new Map(list.previewed.map((one) => [one.step, one]));
  teller([list.asked.manifest], { graph: list.graph, previewed, modified }, { full: true });
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
