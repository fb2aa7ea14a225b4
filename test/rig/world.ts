// A whole project in memory: files, tables, rules with scripted recipes, and the real engine over them. Knows nothing of real disks or databases.
import assert from "node:assert/strict";
import micromatch from "micromatch";
import type { BuildEvent, Emit, Summary, Warning } from "../../src/core/event.js";
import { type Failure, fail, type Result } from "../../src/core/failure.js";
import { type Graph, graphOf } from "../../src/core/graph.js";
import type { Globs } from "../../src/core/inputs.js";
import type { Recipe, Rule } from "../../src/core/rule.js";
import { type RuleSet, ruleSet } from "../../src/core/rule-set.js";
import { isRelationName } from "../../src/core/target.js";
import type { Ended } from "../../src/core/trace.js";
import type { Reason } from "../../src/core/verdict.js";
import { adopt } from "../../src/engine/adopt.js";
import { build } from "../../src/engine/build.js";
import type { Job, Lineage, Runners, Slots } from "../../src/engine/ports.js";
import { type Previewed, preview } from "../../src/engine/preview.js";
import { checkSources } from "../../src/engine/sources.js";
import type { BuildOptions } from "../../src/engine/world.js";
import { MemoryStore } from "./memory-store.js";
import { type Desk, workOf } from "./recipes.js";

/** How a build ended, in the words that tests use. */
export interface Report {
  readonly events: readonly BuildEvent[];
  readonly summary: Summary;
  /** Steps whose recipe was started, in order. */
  readonly ran: readonly string[];
  readonly fresh: readonly string[];
  /** Step → why it failed. */
  readonly failed: Readonly<Record<string, Failure["reason"]>>;
  /** Step → the step that blocked it. */
  readonly blocked: Readonly<Record<string, string>>;
  /** Step → why it ran or would run. */
  readonly because: Readonly<Record<string, readonly Reason["why"][]>>;
  readonly warnings: readonly Warning["warning"][];
}

type Options = Partial<BuildOptions> & {
  readonly signal?: AbortSignal;
  readonly slots?: Slots;
  readonly emit?: Emit;
  readonly lineage?: Lineage;
};

/** A world that holds these files and tables, and these rules. */
export async function given(
  start: Readonly<Record<string, string | readonly Rule[]>> & { readonly rules: readonly Rule[] },
): Promise<World> {
  const world = new World(start.rules);
  for (const [name, text] of Object.entries(start)) if (typeof text === "string") world.edit(name, text);
  return world;
}

export class World {
  readonly files = new MemoryStore("files");
  readonly tables = new MemoryStore("table");
  /** All jobs that recipes were given, in order. */
  readonly jobs: Job[] = [];
  /** Every attempt and its end, in order. */
  readonly history: Ended[] = [];
  #rules: RuleSet;

  constructor(rules: readonly Rule[]) {
    this.#rules = checked(rules);
  }

  /** Another edition of the Datafile. */
  declare(rules: readonly Rule[]): void {
    this.#rules = checked(rules);
  }

  edit(name: string, text: string): void {
    this.#storeOf(name).put(name, text);
  }

  /** New time, same bytes. */
  touch(name: string): void {
    this.edit(name, this.read(name) ?? "");
  }

  remove(name: string): void {
    this.#storeOf(name).remove(name);
  }

  read(name: string): string | undefined {
    return this.#storeOf(name).content.get(name);
  }

  /** What is recorded of every step, without what differs from run to run. */
  records(): unknown {
    const records = [...this.files.records, ...this.tables.records].map(([step, trace]) => {
      const { recipe, inputs, discovered, outputs, facts } = trace;
      return [step, { recipe, inputs, discovered, outputs, facts }] as const;
    });
    return Object.fromEntries(records.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Builds, and asserts that there was something to build from. */
  async build(wanted: string | readonly string[], options: Options = {}): Promise<Report> {
    const graph = await this.plan(wanted);
    assert(graph.ok, JSON.stringify(graph));
    return this.run(graph.value, options);
  }

  /** From names to a graph whose sources are all there. */
  async plan(wanted: string | readonly string[]): Promise<Result<Graph>> {
    const surroundings = { globs: globsOver(this.files.content), localSource: () => undefined };
    const graph = graphOf(this.#rules, [wanted].flat(), surroundings);
    if (!graph.ok) return graph;
    const world = { stores: this.#stores, nearby: () => this.files.content.keys() };
    const there = await checkSources(graph.value, this.#rules, world);
    return there.ok ? graph : there;
  }

  async run(
    graph: Graph,
    { signal = new AbortController().signal, slots, emit: tell, lineage, ...options }: Options = {},
  ): Promise<Report> {
    const events: BuildEvent[] = [];
    const emit = (event: BuildEvent) => {
      events.push(event);
      tell?.(event);
    };
    const all = { jobs: 1, keepGoing: false, forced: false, cores: 2, ...options };
    const history = { note: (ended: Ended) => void this.history.push(ended) };
    const world = { stores: this.#stores, runners: this.#runners, emit, signal, history };
    const summary = await build(graph, all, {
      ...world,
      ...(slots && { slots }),
      ...(lineage && { lineage }),
    });
    assert.deepEqual([...this.files.open, ...this.tables.open], [], "stages that nobody gave back");
    return reportOf(events, summary);
  }

  /** What `-n` says. */
  async preview(
    wanted: string | readonly string[],
    { forced = false, question = false } = {},
  ): Promise<Report> {
    const graph = await this.plan(wanted);
    assert(graph.ok, JSON.stringify(graph));
    const events: BuildEvent[] = [];
    const tell = ({ step, standing }: Previewed) => {
      switch (standing.kind) {
        case "fresh":
          return events.push({ event: "fresh", step: step.id });
        case "would-run":
          return events.push({ event: "would-run", step: step.id, reasons: standing.reasons });
        case "may-run":
          return events.push({ event: "may-run", step: step.id, dependsOn: standing.dependsOn.id });
      }
    };
    const { signal } = new AbortController();
    const summary = await preview(graph.value, { forced, question }, { stores: this.#stores, tell, signal });
    assert(summary.ok, JSON.stringify(summary));
    return reportOf(events, summary.value);
  }

  /** What `dmake adopt` does. */
  async adopt(target: string): Promise<Result<void>> {
    const graph = await this.plan([target]);
    assert(graph.ok, JSON.stringify(graph));
    const step = graph.value.makers.get(target);
    assert(step, `no rule makes ${target}`);
    return adopt(step, this.#stores);
  }

  get #stores() {
    return { files: this.files, tables: this.tables };
  }

  get #runners(): Runners {
    const desk: Desk = {
      read: (name) => this.read(name) ?? "",
      write: (path, text) => this.files.staged.set(path, text),
      edit: (name, text) => this.edit(name, text),
    };
    const scripted = async () => async (recipe: Recipe, job: Job) => {
      this.jobs.push(job);
      if (job.signal.aborted) return fail({ reason: "interrupted" });
      return workOf(recipe)(job, desk);
    };
    return {
      download: scripted,
      parquet: scripted,
      load: scripted,
      sql: scripted,
      sh: scripted,
      script: scripted,
    };
  }

  #storeOf(name: string): MemoryStore {
    return isRelationName(name) ? this.tables : this.files;
  }
}

/** Globs over the names of a map, by the library that real ones are matched with. */
export const globsOver = (content: ReadonlyMap<string, string>): Globs => ({
  files: (glob) => micromatch([...content.keys()], glob).sort(),
  among: (glob, names) => micromatch([...names], glob),
});

export const noSurroundings = { globs: globsOver(new Map()), localSource: () => undefined };

function checked(rules: readonly Rule[]): RuleSet {
  const set = ruleSet(rules);
  assert(set.ok, JSON.stringify(set));
  return set.value;
}

const of = <K extends BuildEvent["event"]>(events: readonly BuildEvent[], kind: K) =>
  events.filter((event): event is Extract<BuildEvent, { event: K }> => event.event === kind);

function reportOf(events: readonly BuildEvent[], summary: Summary): Report {
  const reasoned = [...of(events, "running"), ...of(events, "would-run")];
  return {
    events,
    summary,
    ran: of(events, "running").map(({ step }) => step),
    fresh: of(events, "fresh").map(({ step }) => step),
    failed: Object.fromEntries(of(events, "failed").map(({ step, failure }) => [step, failure.reason])),
    blocked: Object.fromEntries(of(events, "blocked").map(({ step, by }) => [step, by])),
    warnings: of(events, "warning").map(({ warning }) => warning),
    because: Object.fromEntries(reasoned.map(({ step, reasons }) => [step, reasons.map(({ why }) => why)])),
  };
}

/** A result whose failure is asked for by name. */
export function failureOf<R extends Failure["reason"]>(result: Result<unknown>, reason: R) {
  assert(!result.ok, `expected ${reason}`);
  assert.equal(result.error.reason, reason, JSON.stringify(result.error));
  return result.error as Extract<Failure, { reason: R }>;
}

export function must<T>(result: Result<T>): T {
  assert(result.ok, JSON.stringify(result));
  return result.value;
}
