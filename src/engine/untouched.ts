// Finds the steps that nothing can have made stale, so that nobody need judge them, and notes those that were judged fresh. Knows nothing of how either is kept.
import type { Summary } from "../core/event.js";
import type { Graph } from "../core/graph.js";
import type { Step } from "../core/rule.js";
import type { Fact, Trace } from "../core/trace.js";
import { isSettled, namesOf, wordsOfStep } from "../core/untouched.js";
import type { Facts, Stores } from "./facts.js";
import type { Judged } from "./judge.js";
import type { Noted } from "./ports.js";
import type { World } from "./world.js";

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

/** What one build has found of its steps. Lives as long as the build. */
export class Found {
  readonly #graph: Graph;
  readonly #stores: Stores;
  readonly #untouched: ReadonlySet<Step>;
  /** Found fresh, judged or not; but for those that were untouched from the start. */
  readonly #fresh = new Set<Step>();
  /** Of these, what was judged, and has a record that holds nothing which may change by itself. */
  readonly #notable = new Set<Step>();
  /** Of these, what was not judged. */
  readonly #held = new Set<Step>();
  readonly #made = new Set<Step>();
  #hasRun = false;

  constructor(graph: Graph, { stores, untouched = new Set() }: Pick<World, "stores" | "untouched">) {
    this.#graph = graph;
    this.#stores = stores;
    this.#untouched = untouched;
  }

  /** How many are fresh. */
  get fresh(): number {
    return this.#fresh.size + this.#untouched.size;
  }

  isFresh({ step, trace }: Judged): void {
    this.#fresh.add(step);
    if (trace && isSettled(trace)) this.#notable.add(step);
  }

  isMade(step: Step): void {
    this.#made.add(step);
  }

  /** From now on files may change under this build's own hands. */
  isRunning(): void {
    this.#hasRun = true;
  }

  /**
   * Finds out whether a step that could not be told to be untouched when the build began need not be judged all the same:
   * of its own files none was touched, and what makes its inputs was found fresh.
   */
  holds(step: Step): boolean {
    const { untouched } = this.#stores.files;
    const { inputs, uses, after } = step;
    if (!untouched?.isAny || ![inputs, uses, after].every((names) => names.every(this.#isLeft))) return false;
    const words = wordsOfStep(step);
    if (!words || !untouched.holds(words, namesOf(step), this.#hasRun)) return false;
    this.#held.add(step);
    this.#fresh.add(step);
    return true;
  }

  readonly #isLeft = (name: string): boolean => {
    const maker = this.#graph.makers.get(name);
    return maker === undefined || this.#untouched.has(maker) || this.#fresh.has(maker);
  };

  /**
   * Notes the steps that are fresh, in the order of the graph. Who interrupts a build does not want to wait: what was made
   * is then looked at by the next one.
   */
  note(facts: Facts, { aborted }: AbortSignal): void {
    const store = this.#stores.files.untouched;
    const made: ReadonlySet<Step> = aborted ? new Set() : this.#made;
    if (!store || this.#notable.size + made.size === 0) return;
    const noted: Noted[] = [];
    for (const step of this.#graph.steps) {
      if (this.#untouched.has(step) || this.#held.has(step))
        noted.push({ words: [step.outputs[0] ?? ""], names: [] });
      const isNew = this.#notable.has(step);
      const seen = isNew || made.has(step) ? seenOf(step, { isNew, facts }) : undefined;
      const words = seen && wordsOfStep(step);
      if (words) noted.push({ words, names: namesOf(step), facts: seen, ...(!isNew && { isMade: true }) });
    }
    store.keep(noted);
  }
}

/** What is known of a step's files, in the order of their names. */
const seenOf = (
  step: Step,
  { isNew, facts }: { readonly isNew: boolean; readonly facts: Facts },
): readonly Fact[] | undefined => (isNew ? observedOf(step, facts) : recordedOf(step, facts.traceOf(step)));

/** Nothing where somebody has had it forgotten since, and it could not be looked at again. */
function observedOf(step: Step, facts: Facts): readonly Fact[] | undefined {
  const seen = namesOf(step).map((name) => facts.seen(name));
  return seen.every((fact) => fact !== undefined) ? seen : undefined;
}

/** What is recorded of the files of a step that was made just now, in the order of their names. */
function recordedOf(step: Step, trace: Trace | undefined): readonly Fact[] | undefined {
  if (!trace || !isSettled(trace)) return undefined;
  const recorded = new Map([...trace.inputs, ...trace.outputs].map(({ name, digest }) => [name, digest]));
  const facts: Fact[] = [];
  for (const name of namesOf(step)) {
    const digest = recorded.get(name);
    if (digest === undefined) return undefined;
    facts.push({ kind: "present", digest });
  }
  return facts;
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
