// The one loop: judges what is ready, runs what is stale, until nothing is left. Knows nothing of how anything is stored, run or shown.
import type { Emit, Summary } from "../core/event.js";
import { type Failure, fail, type Result } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import type { Step } from "../core/rule.js";
import { Schedule } from "../core/schedule.js";
import { isTableName } from "../core/target.js";
import { execute } from "./execute.js";
import { Facts, type Stores, storeOf } from "./facts.js";
import { gather, type Judged, judgeStep } from "./judge.js";
import type { Runners } from "./ports.js";

export interface BuildOptions {
  /** Recipes at once. */
  readonly jobs: number;
  /** After a failure, go on with what does not depend on it. */
  readonly keepGoing: boolean;
  /** Run every step, fresh or not. */
  readonly forced: boolean;
  /** Processor threads to share among the jobs. */
  readonly cores: number;
}

export interface World {
  readonly stores: Stores;
  readonly runners: Runners;
  readonly emit: Emit;
  readonly signal: AbortSignal;
}

/** Brings every step of the graph up to date. Failed steps are events, and counted in the answer. */
export async function build(graph: Graph, options: BuildOptions, world: World): Promise<Summary> {
  const started = performance.now();
  world.emit({ event: "started", steps: graph.steps.length, jobs: options.jobs });
  const lap = new Lap(graph, options, world);
  await lap.run();
  return lap.summary(Math.round(performance.now() - started));
}

/** One pass over a graph. Lives from the first judgement to the last published output. */
class Lap {
  readonly #graph: Graph;
  readonly #options: BuildOptions;
  readonly #world: World;
  readonly #schedule: Schedule;
  readonly #facts: Facts;
  readonly #waiting = new Map<Step, Judged>();
  readonly #running = new Set<Promise<void>>();
  #failures = 0;
  #made = 0;

  constructor(graph: Graph, options: BuildOptions, world: World) {
    this.#graph = graph;
    this.#options = options;
    this.#world = world;
    this.#schedule = new Schedule(graph);
    this.#facts = new Facts(world.stores);
  }

  async run(): Promise<void> {
    await this.#askTables();
    for (;;) {
      await this.#judgeReady();
      this.#start();
      if (this.#running.size === 0) return;
      await Promise.race(this.#running);
    }
  }

  /** Whether nothing new may be started: interrupted, or failed without `keepGoing`. */
  get #stopping(): boolean {
    return this.#world.signal.aborted || (this.#failures > 0 && !this.#options.keepGoing);
  }

  /**
   * All tables are looked at in one go, before anything runs: one question for 400 partitions, and a database that is
   * not there is known at once, not after an hour of downloads.
   */
  async #askTables(): Promise<void> {
    const steps = this.#graph.steps.filter((step) => isTableName(step.id));
    const seen = await this.#facts.observe(steps.flatMap((step) => step.outputs));
    const known = seen.ok ? await this.#facts.recall(steps) : seen;
    if (known.ok) return;
    // A table that needs another one is blocked by then.
    for (const step of steps) if (this.#schedule.stateOf(step) !== "blocked") this.#fail(step, known.error);
  }

  async #judgeReady(): Promise<void> {
    while (!this.#stopping) {
      const ready = this.#schedule.takeReady();
      if (ready.length === 0) return;
      const together = await gather(ready, this.#facts);
      for (const step of ready) {
        // What cannot be looked at fails the steps that need it, and not all that were asked about with them.
        const gathered = together.ok || this.#stopping ? together : await gather([step], this.#facts);
        const judged = gathered.ok ? this.#judge(step) : gathered;
        if (judged.ok) this.#settle(judged.value);
        else this.#fail(step, judged.error);
      }
    }
  }

  #judge(step: Step): Result<Judged> {
    const absent = step.inputs.find((name) => this.#facts.of(name).kind === "absent");
    const { forced } = this.#options;
    if (absent === undefined) return judgeStep(step, this.#facts, { forced, nowMs: Date.now() });
    // It was there when the build began.
    return fail({ reason: "no-rule", target: absent, neededBy: step.id, at: step.rule.at, suggestions: [] });
  }

  #settle(judged: Judged): void {
    const { step, verdict } = judged;
    switch (verdict.kind) {
      case "fresh":
        this.#world.emit({ event: "fresh", step: step.id });
        this.#schedule.move(step, "done");
        return;
      case "stale":
        this.#waiting.set(step, judged);
        this.#schedule.move(step, "queued");
    }
  }

  #start(): void {
    while (!this.#stopping && this.#running.size < this.#options.jobs) {
      const step = this.#schedule.takeQueued();
      const judged = step && this.#waiting.get(step);
      if (!step || !judged) return;
      this.#schedule.move(step, "running");
      const running = this.#execute(judged).finally(() => this.#running.delete(running));
      this.#running.add(running);
    }
  }

  async #execute(judged: Judged): Promise<void> {
    const { step } = judged;
    const { stores, runners, emit, signal } = this.#world;
    const { jobs, cores, forced } = this.#options;
    // Shared among those that run and those that are about to: a lone job gets the whole machine.
    const busy = Math.min(jobs, this.#running.size + 1 + this.#schedule.queued);
    const threads = Math.max(1, Math.floor(cores / busy));
    const store = storeOf(stores, step.id);
    const executed = await execute(judged, { store, runners, emit, signal, threads, forced });
    if (executed.ok) {
      const { trace, how, durationMs } = executed.value;
      this.#facts.published(trace);
      this.#made += 1;
      emit({ event: "done", step: step.id, how, durationMs, facts: trace.facts });
      this.#schedule.move(step, "done");
      return;
    }
    this.#fail(step, executed.error);
  }

  #fail(step: Step, failure: Failure): void {
    // The first failure stops the build: steps that never ran do not each repeat it.
    if (this.#stopping && this.#schedule.stateOf(step) !== "running") return;
    this.#failures += 1;
    const { file, line } = step.rule.at;
    this.#world.emit({ event: "failed", step: step.id, failure, at: { file, line } });
    for (const blocked of this.#schedule.move(step, "failed"))
      this.#world.emit({ event: "blocked", step: blocked.id, by: step.id });
  }

  summary(durationMs: number): Summary {
    const states = this.#graph.steps.map((step) => this.#schedule.stateOf(step));
    const count = (...wanted: string[]) => states.filter((state) => wanted.includes(state)).length;
    return {
      made: this.#made,
      fresh: count("done") - this.#made,
      failed: this.#failures,
      blocked: count("blocked"),
      notStarted: count("wanted", "ready", "queued"),
      wouldRun: 0,
      mayRun: 0,
      interrupted: this.#world.signal.aborted,
      durationMs,
    };
  }
}
