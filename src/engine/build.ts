// The one loop: judges what is ready, runs what is stale, until nothing is left. Knows nothing of how anything is stored, run or shown.
import type { Summary } from "../core/event.js";
import { type Failure, fail, type Result } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import { type Places, Pools } from "../core/pools.js";
import type { Step } from "../core/rule.js";
import { Schedule, type State } from "../core/schedule.js";
import { isRelationName } from "../core/target.js";
import { Bell } from "./bell.js";
import { Facts } from "./facts.js";
import { gather, type Judged, judgeStep } from "./judge.js";
import { preferLongPoles } from "./long-poles.js";
import { Needs } from "./needs.js";
import { Paused } from "./paused.js";
import { Seats } from "./seats.js";
import { tryOut } from "./tries.js";
import { allFresh, Found } from "./untouched.js";
import type { BuildOptions, World } from "./world.js";

/** Brings every step of the graph up to date. Failed steps are events, and counted in the answer. */
export async function build(graph: Graph, options: BuildOptions, world: World): Promise<Summary> {
  const started = performance.now();
  world.emit({ event: "started", steps: graph.steps.length, jobs: options.jobs });
  for (const step of world.untouched ?? []) world.emit({ event: "fresh", step: step.id });
  // To take 100 000 steps in that nobody has to judge takes a tenth of all the time.
  if (world.untouched?.size === graph.steps.length) return allFresh(graph, world, started);
  const lap = new Lap(graph, options, world);
  await lap.run();
  const { notStarted } = lap;
  if (notStarted.length > 0) world.emit({ event: "not-started", steps: notStarted });
  return lap.summary(Math.round(performance.now() - started));
}

/** One pass over a graph. Lives from the first judgement to the last published output. */
class Lap {
  readonly #graph: Graph;
  readonly #options: BuildOptions;
  readonly #world: World;
  readonly #pools: Pools;
  readonly #seats: Seats;
  readonly #schedule: Schedule;
  readonly #facts: Facts;
  readonly #paused: Paused;
  readonly #needs: Needs;
  readonly #stale = new Map<Step, Judged>();
  readonly #found: Found;
  /** Steps that were started and have not ended, those that wait in the middle among them. */
  readonly #begun = new Set<Step>();
  /** Rings whenever there may be something new to judge or start. */
  readonly #bell = new Bell();
  /** Aborts when nothing new is to begin: interrupted, or failed without `keepGoing`. */
  readonly #stop = new AbortController();
  /** What was thrown where only failures may come from: what runs ends, and then it is thrown on. */
  #bug: { readonly error: unknown } | undefined;
  #failures = 0;
  #locked = 0;
  #made = 0;
  /** Begun when what the end of the build waits for is to be put first. */
  #ordered: Promise<void> | undefined;
  #already = 0;

  constructor(graph: Graph, options: BuildOptions, world: World) {
    this.#graph = graph;
    this.#options = options;
    this.#world = world;
    this.#found = new Found(graph, world);
    this.#pools = new Pools(options.jobs, options.pools ?? new Map());
    this.#seats = new Seats(this.#pools, world.slots, options.jobs, () => this.#bell.ring());
    this.#schedule = new Schedule(graph, this.#pools, world.untouched);
    this.#facts = new Facts(world.stores);
    const ring = () => this.#bell.ring();
    const release = (step: Step) => this.#seats.release(step);
    this.#paused = new Paused({ schedule: this.#schedule, release, ring });
    this.#needs = new Needs({ ...this.#progress, paused: this.#paused });
    world.slots?.onFree(ring);
  }

  readonly #broken = (error: unknown): void => {
    this.#bug ??= { error };
  };

  async run(): Promise<void> {
    const ring = () => this.#bell.ring();
    this.#world.signal.addEventListener("abort", ring, { once: true });
    await this.#askTables();
    for (;;) {
      const rung = this.#bell.next();
      await this.#judgeReady().catch(this.#broken);
      this.#start();
      if (this.#begun.size === 0) break;
      await rung;
    }
    if (this.#bug) throw this.#bug.error;
    const noting = this.#world.spans?.begin("note what is fresh");
    this.#found.note(this.#facts, this.#world.signal);
    noting?.();
    this.#world.signal.removeEventListener("abort", ring);
  }

  get #progress() {
    return { graph: this.#graph, schedule: this.#schedule, joined: this.#joined };
  }

  get #stopping(): boolean {
    const isOver =
      this.#bug !== undefined ||
      this.#world.signal.aborted ||
      (this.#failures > 0 && !this.#options.keepGoing);
    if (isOver) this.#stop.abort();
    return isOver;
  }

  /**
   * All tables are looked at in one go, before anything runs: one question for 400 partitions, and a database that is
   * not there is known at once, not after an hour of downloads.
   */
  async #askTables(): Promise<void> {
    const steps = this.#graph.steps.filter((step) => isRelationName(step.id));
    const seen = await this.#facts.observe(steps.flatMap((step) => step.outputs));
    const known = seen.ok ? await this.#facts.recall(steps) : seen;
    if (known.ok) return;
    // A table that needs another one is blocked by then.
    for (const step of steps) if (this.#schedule.stateOf(step) !== "blocked") this.#fail(step, known.error);
  }

  async #judgeReady(): Promise<void> {
    while (!this.#stopping) {
      const all = this.#schedule.takeReady();
      if (all.length === 0) return;
      const ready = this.#options.forced ? all : all.filter((step) => !this.#leftHeld(step));
      const judging = this.#world.spans?.begin("judge", { steps: ready.length });
      const together = await gather(ready, this.#facts);
      for (const step of ready) {
        // What cannot be looked at fails the steps that need it, and not all that were asked about with them.
        const gathered = together.ok || this.#stopping ? together : await gather([step], this.#facts);
        const judged = gathered.ok ? await this.#judge(step) : gathered;
        if (!judged.ok) this.#fail(step, judged.error);
        else if (judged.value === "waiting") this.#tellIfBlocked(step);
        else await this.#settle(judged.value);
      }
      judging?.();
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

  async #judgeAgain(step: Step): Promise<Result<Judged | "waiting">> {
    const gathered = await gather([step], this.#facts);
    return gathered.ok ? this.#judge(step) : gathered;
  }

  async #settle(judged: Judged): Promise<void> {
    const { step, verdict } = judged;
    switch (verdict.kind) {
      case "fresh":
        this.#found.isFresh(judged);
        this.#facts.release(step);
        return this.#leave(step);
      case "stale":
        // Found out when it is known that something will run: all records are read for it.
        this.#ordered ??= preferLongPoles(this.#graph, this.#options.jobs, this.#progress, this.#facts);
        await this.#ordered;
        this.#stale.set(step, judged);
        this.#world.spans?.queued(step.id);
        this.#schedule.move(step, "queued");
    }
  }

  #leave(step: Step): void {
    this.#world.emit({ event: "fresh", step: step.id });
    this.#schedule.move(step, "done");
    this.#needs.look();
  }

  /** Leaves a step that need not be judged, or answers that it has to be. */
  #leftHeld(step: Step): boolean {
    const isHeld = this.#found.holds(step);
    if (isHeld) this.#leave(step);
    return isHeld;
  }

  /** Gives places to whose turn it is: those who were paused first, then those who have not begun. */
  #start(): void {
    if (this.#stopping) {
      this.#needs.giveUp();
      this.#paused.giveUp();
      return;
    }
    for (let step = this.#schedule.nextQueued; step; step = this.#schedule.nextQueued) {
      const places = this.#seats.take(step);
      if (!places) return;
      this.#schedule.move(step, "running");
      if (!this.#paused.wake(step)) this.#begin(step, places);
    }
  }

  #begin(step: Step, places: Places): void {
    const judged = this.#stale.get(step);
    if (!judged) throw new Error(`bug: ${step.id} was never judged`);
    this.#begun.add(step);
    this.#found.isRunning();
    const ended = () => {
      this.#begun.delete(step);
      this.#seats.release(step);
      this.#needs.look();
      this.#bell.ring();
    };
    this.#execute(judged, places).catch(this.#broken).finally(ended);
  }

  async #execute(judged: Judged, places: Places): Promise<void> {
    const { step } = judged;
    const { slots, emit, ...world } = this.#world;
    const { forced, noWait = false, terminal = "stdout", cores, jobs } = this.#options;
    const threads = this.#seats.threadsFor(places, { cores, queued: this.#schedule.queued });
    const ended = await tryOut(
      judged,
      { threads, ...(places.console && { terminal }) },
      {
        ...world,
        ...{ emit, forced, noWait, graph: this.#graph, facts: this.#facts },
        ...{ needs: this.#needs, paused: this.#paused, stopping: this.#stop.signal },
        judgeAgain: (one) => this.#judgeAgain(one),
        ...(slots && { child: () => slots.child() }),
        // As long as others fill all places, nobody waits for what this one makes.
        atRest: (one) => this.#seats.rest(one) && this.#schedule.queued >= jobs,
      },
    );
    if (!ended.ok) return this.#fail(step, ended.error);
    if (ended.value.how === "given-up") return void this.#schedule.move(step, "queued");
    const { trace, how, durationMs } = ended.value;
    const known = await this.#facts.published(step, trace);
    if (!known.ok) return this.#fail(step, known.error);
    if (how === "already") this.#already += 1;
    else this.#made += 1;
    this.#found.isMade(step);
    emit({ event: "done", step: step.id, how, durationMs, facts: trace.facts });
    this.#schedule.move(step, "done");
  }

  readonly #joined = (steps: readonly Step[]): void => {
    if (steps.length > 0) this.#world.emit({ event: "grown", steps: this.#graph.steps.length });
    for (const step of steps) this.#tellIfBlocked(step);
  };

  #tellIfBlocked(step: Step): void {
    if (this.#schedule.stateOf(step) !== "blocked") return;
    let by: Step | undefined = step;
    // It may be blocked by one that is blocked itself.
    while (by && this.#schedule.stateOf(by) === "blocked") by = this.#schedule.blockerOf(by);
    this.#world.emit({ event: "blocked", step: step.id, by: by?.id ?? "" });
    this.#needs.look();
  }

  #fail(step: Step, failure: Failure): void {
    // The first failure stops the build: steps that never ran do not each repeat it.
    if (this.#stopping && this.#schedule.stateOf(step) !== "running") return;
    this.#failures += 1;
    if (failure.reason === "locked") this.#locked += 1;
    const { file, line } = step.rule.at;
    this.#world.emit({ event: "failed", step: step.id, failure, at: { file, line } });
    for (const blocked of this.#schedule.move(step, "failed"))
      this.#world.emit({ event: "blocked", step: blocked.id, by: step.id });
    this.#needs.look();
  }

  #stepsIn(...states: readonly State[]): readonly Step[] {
    return this.#graph.steps.filter((step) => states.includes(this.#schedule.stateOf(step)));
  }

  /** What was given up before it began. */
  get notStarted(): readonly string[] {
    return this.#stepsIn("wanted", "ready", "queued").map(({ id }) => id);
  }

  summary(durationMs: number): Summary {
    return {
      made: this.#made,
      already: this.#already,
      fresh: this.#found.fresh,
      failed: this.#failures,
      locked: this.#locked,
      blocked: this.#stepsIn("blocked").length,
      notStarted: this.notStarted.length,
      wouldRun: 0,
      mayRun: 0,
      interrupted: this.#world.signal.aborted,
      durationMs,
    };
  }
}
