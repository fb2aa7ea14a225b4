// The one loop: judges what is ready, runs what is stale, until nothing is left. Knows nothing of how anything is stored, run or shown.
import type { Emit, Summary } from "../core/event.js";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import type { Step } from "../core/rule.js";
import { Schedule } from "../core/schedule.js";
import { isTableName } from "../core/target.js";
import { Bell } from "./bell.js";
import { execute } from "./execute.js";
import { Facts, type Stores, storeOf } from "./facts.js";
import { gather, type Judged, judgeStep } from "./judge.js";
import { Needs } from "./needs.js";
import type { Job, Outcome, Runners } from "./ports.js";
import { type Asked, settle } from "./settle.js";

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
  readonly #needs: Needs;
  readonly #stale = new Map<Step, Judged>();
  /** Steps whose recipe has begun and not ended, those that wait for what they need among them. */
  readonly #begun = new Set<Step>();
  /** Rings whenever there may be something new to judge or start. */
  readonly #bell = new Bell();
  #failures = 0;
  #made = 0;

  constructor(graph: Graph, options: BuildOptions, world: World) {
    this.#graph = graph;
    this.#options = options;
    this.#world = world;
    this.#schedule = new Schedule(graph);
    this.#facts = new Facts(world.stores);
    this.#needs = new Needs({ ...this.#progress, ring: () => this.#bell.ring() });
  }

  async run(): Promise<void> {
    await this.#askTables();
    for (;;) {
      const rung = this.#bell.next();
      await this.#judgeReady();
      this.#start();
      if (this.#begun.size === 0) return;
      await rung;
    }
  }

  get #progress() {
    return { graph: this.#graph, schedule: this.#schedule, joined: this.#joined };
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
        const judged = gathered.ok ? await this.#judge(step) : gathered;
        if (!judged.ok) this.#fail(step, judged.error);
        else if (judged.value !== "waiting") this.#settle(judged.value);
        else this.#tellIfBlocked(step);
      }
    }
  }

  async #judge(step: Step): Promise<Result<Judged | "waiting">> {
    const there = (name: string) => step.optional.has(name) || this.#facts.of(name).kind === "present";
    const missing = [...step.inputs, ...step.uses].find((name) => !there(name));
    const { forced } = this.#options;
    if (missing === undefined)
      return judgeStep(step, this.#facts, { forced, nowMs: Date.now(), progress: this.#progress });
    // It was there when the build began, or its maker has not made it.
    return fail({ reason: "no-rule", target: missing, neededBy: step.id, at: step.rule.at, suggestions: [] });
  }

  #settle(judged: Judged): void {
    const { step, verdict } = judged;
    switch (verdict.kind) {
      case "fresh":
        this.#world.emit({ event: "fresh", step: step.id });
        this.#schedule.move(step, "done");
        this.#needs.look();
        return;
      case "stale":
        this.#stale.set(step, judged);
        this.#schedule.move(step, "queued");
    }
  }

  /** A recipe that has got what it needed goes on before another one begins. */
  #start(): void {
    const isActive = (step: Step) => this.#schedule.stateOf(step) === "running";
    let active = [...this.#begun].filter(isActive).length;
    if (this.#stopping) this.#needs.giveUp();
    while (!this.#stopping && active < this.#options.jobs) {
      active += 1;
      if (this.#needs.resume()) continue;
      const step = this.#schedule.takeQueued();
      const judged = step && this.#stale.get(step);
      if (!step || !judged) return;
      this.#schedule.move(step, "running");
      this.#begun.add(step);
      void this.#execute(judged, active).finally(() => {
        this.#begun.delete(step);
        this.#needs.look();
        this.#bell.ring();
      });
    }
  }

  async #execute(judged: Judged, active: number): Promise<void> {
    const { step } = judged;
    const { stores, runners, emit, signal } = this.#world;
    const { jobs, cores, forced } = this.#options;
    // Shared among those that run and those that are about to: a lone job gets the whole machine.
    const busy = Math.min(jobs, active + this.#schedule.queued);
    const threads = Math.max(1, Math.floor(cores / busy));
    const asked: Asked = { seen: new Set(), lost: new Set() };
    // One after the other, if a recipe asks for several things at once: it is suspended once.
    let last: Promise<unknown> = Promise.resolve();
    const need: Job["need"] = (names) => {
      const answer = last.then(() => this.#need(step, names, asked));
      last = answer;
      return answer;
    };
    const executed = await execute(judged, {
      ...{ store: storeOf(stores, step.id), runners, emit, signal, threads, forced },
      need,
      settle: (outcome: Outcome) =>
        settle(judged, { facts: this.#facts, graph: this.#graph, emit, asked, outcome }),
    });
    const known = executed.ok ? await this.#facts.published(executed.value.trace) : executed;
    if (executed.ok && known.ok) {
      const { trace, how, durationMs } = executed.value;
      this.#made += 1;
      emit({ event: "done", step: step.id, how, durationMs, facts: trace.facts });
      this.#schedule.move(step, "done");
    } else if (!known.ok) this.#fail(step, known.error);
  }

  /** What is not there is noted too: a recipe that goes on without it depends on there being nothing. */
  async #need(step: Step, names: readonly string[], asked: Asked): ReturnType<Job["need"]> {
    const made = await this.#needs.need(step, names);
    const seen = made.ok ? await this.#facts.observe(names) : made;
    for (const name of names) (seen.ok ? asked.seen : asked.lost).add(name);
    if (!seen.ok) return seen;
    const missing = names.find((name) => this.#facts.of(name).kind === "absent");
    if (missing === undefined) return ok(undefined);
    return fail({ reason: "no-rule", target: missing, neededBy: step.id, at: step.rule.at, suggestions: [] });
  }

  readonly #joined = (steps: readonly Step[]): void => {
    if (steps.length > 0) this.#world.emit({ event: "grown", steps: this.#graph.steps.length });
    for (const step of steps) this.#tellIfBlocked(step);
  };

  #tellIfBlocked(step: Step): void {
    if (this.#schedule.stateOf(step) !== "blocked") return;
    this.#world.emit({ event: "blocked", step: step.id, by: this.#schedule.blockerOf(step)?.id ?? "" });
    this.#needs.look();
  }

  #fail(step: Step, failure: Failure): void {
    // The first failure stops the build: steps that never ran do not each repeat it.
    if (this.#stopping && this.#schedule.stateOf(step) !== "running") return;
    this.#failures += 1;
    const { file, line } = step.rule.at;
    this.#world.emit({ event: "failed", step: step.id, failure, at: { file, line } });
    for (const blocked of this.#schedule.move(step, "failed"))
      this.#world.emit({ event: "blocked", step: blocked.id, by: step.id });
    this.#needs.look();
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
