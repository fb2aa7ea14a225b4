// Finds the steps that nothing can have made stale, so that nobody need judge them, and notes those that were judged fresh. Knows nothing of how either is kept.
import type { Summary } from "../core/event.js";
import type { Graph } from "../core/graph.js";
import type { Step } from "../core/rule.js";
import { isSettled, namesOf, wordsOfStep } from "../core/untouched.js";
import type { Facts, Stores } from "./facts.js";
import type { Noted } from "./ports.js";

/**
 * Steps that were fresh when they were last judged, are the same as then, and of which no file was touched since; and that
 * hold for all that they need as well. To judge a step takes ten times as long as to find it among these.
 */
export function untouchedIn(graph: Graph, { files }: Stores): ReadonlySet<Step> {
  const found = new Set<Step>();
  const { untouched } = files;
  if (!untouched?.isAny) return found;
  const isMade = (name: string) => {
    const maker = graph.makers.get(name);
    return maker === undefined || found.has(maker);
  };
  for (const step of graph.steps) {
    const { inputs, uses, after } = step;
    if (!inputs.every(isMade) || !uses.every(isMade) || !after.every(isMade)) continue;
    const words = wordsOfStep(step);
    if (words && untouched.holds(words, namesOf(step))) found.add(step);
  }
  return found;
}

/** Notes the steps that are fresh, in the order of the graph. `untouched` were so before. */
export function noteFresh(
  graph: Graph,
  {
    fresh,
    untouched,
  }: { readonly fresh: ReadonlySet<Step>; readonly untouched: ReadonlySet<Step> | undefined },
  facts: Facts,
): void {
  const store = facts.stores.files.untouched;
  if (!store || fresh.size === 0) return;
  const noted: Noted[] = [];
  for (const step of graph.steps) {
    const isNew = fresh.has(step);
    const trace = isNew ? facts.traceOf(step) : undefined;
    if (!untouched?.has(step) && !(trace && isSettled(trace))) continue;
    const words = wordsOfStep(step);
    if (!words) continue;
    const names = namesOf(step);
    noted.push({ words, names, ...(isNew && { facts: names.map((name) => facts.of(name)) }) });
  }
  store.keep(noted);
}

/** The summary of a build that found every step untouched. */
export const allFresh = (
  { steps }: Graph,
  { signal }: { readonly signal: AbortSignal },
  started: number,
): Summary => ({
  ...{ made: 0, already: 0, fresh: steps.length, failed: 0, locked: 0, blocked: 0, notStarted: 0 },
  ...{ wouldRun: 0, mayRun: 0, interrupted: signal.aborted },
  durationMs: Math.round(performance.now() - started),
});
