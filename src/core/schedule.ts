// The order of work: which step may be judged, which may run, which never will. Knows nothing of freshness or of running.
import assert from "node:assert/strict";
import type { Graph } from "./graph.js";
import { Pools, Queue } from "./pools.js";
import type { Step } from "./rule.js";

//  wanted ──all it waits for done──► ready ──stale──► queued ──places──► running ──► done | failed
//     │ ▲                              │ └──fresh──► done ▲                 │
//     │ └──more has to be made first───┘                  │   it waits: for what it needs, a lock, its next try
//     │──something it waits for failed or blocked──► blocked                ▼
//     └──its store cannot be read──► failed               └──────────── suspended
export type State = "wanted" | "ready" | "queued" | "running" | "suspended" | "done" | "failed" | "blocked";

const allowed: Readonly<Record<State, readonly State[]>> = {
  wanted: ["ready", "blocked", "failed"],
  ready: ["wanted", "queued", "done", "failed"],
  queued: ["running"],
  // Back to the queue: given up before its recipe began.
  running: ["suspended", "done", "failed", "queued"],
  suspended: ["queued"],
  done: [],
  failed: [],
  blocked: [],
};

/** Lives for one build. `move` is the only method that changes a state. */
export class Schedule {
  readonly #graph: Graph;
  readonly #states = new Map<Step, State>();
  /** Inputs before users, and all that the first wanted target needs before what only the second does. */
  readonly #turns = new Map<Step, number>();
  #suspended = 0;
  /** What a step waits for that is not done yet. */
  readonly #waits = new Map<Step, Set<Step>>();
  /** Of these, what it can do without: it finds out by itself what that means. */
  readonly #soft = new Map<Step, Set<Step>>();
  readonly #users = new Map<Step, Step[]>();
  #ready: Step[] = [];
  readonly #queue = new Queue();
  readonly #pools: Pools;

  /** Steps that are known to be fresh from the start. */
  readonly #untouched: ReadonlySet<Step>;

  /** Without pools nothing is ever run, only judged. */
  constructor(graph: Graph, pools = new Pools(1, new Map()), untouched: ReadonlySet<Step> = new Set()) {
    this.#graph = graph;
    this.#pools = pools;
    this.#untouched = untouched;
    this.add(graph.steps);
  }

  /** Takes in steps by which the graph has grown. */
  add(steps: readonly Step[]): void {
    const open = this.#untouched.size === 0 ? steps : steps.filter((step) => !this.#untouched.has(step));
    for (const step of open) {
      this.#states.set(step, "wanted");
      this.#turns.set(step, this.#turns.size);
    }
    for (const step of open) {
      for (const name of [...step.inputs, ...step.uses, ...step.after]) {
        const maker = this.#graph.makers.get(name);
        if (maker && maker !== step) this.#wait(step, maker);
      }
    }
    for (const step of open) {
      if (this.stateOf(step) !== "wanted") continue;
      if ([...this.#waitsOf(step)].some((maker) => isLost(this.stateOf(maker)))) this.move(step, "blocked");
      else if (this.#waitsOf(step).size === 0) this.move(step, "ready");
    }
  }

  stateOf(step: Step): State {
    const state = this.#states.get(step) ?? (this.#untouched.has(step) ? "done" : undefined);
    assert(state, `bug: ${step.id} is not in this build`);
    return state;
  }

  /** Steps that wait for this one, or have waited. */
  usersOf(step: Step): readonly Step[] {
    return this.#users.get(step) ?? [];
  }

  /** Of a step that is blocked, one of those that it will never get. */
  blockerOf(step: Step): Step | undefined {
    return [...this.#waitsOf(step)].find((maker) => isLost(this.stateOf(maker)));
  }

  /** All steps whose inputs are done and that nobody has judged or failed yet, at once, so that they can be judged together. */
  takeReady(): readonly Step[] {
    const ready = this.#ready.filter((step) => this.stateOf(step) === "ready");
    this.#ready = [];
    return ready;
  }

  /** How many steps wait for places. */
  get queued(): number {
    return this.#queue.size;
  }

  /**
   * The next step that may run as places are now: those that go on first, then in the order of the graph, so that a chain
   * that was begun is ended before another one begins.
   */
  get nextQueued(): Step | undefined {
    return this.#queue.next(this.#pools);
  }

  /**
   * Lets a step wait for others that it has discovered, until they are made or never will be: one that is ready goes back,
   * one that runs stays as it is. Answers the loop, from the step to itself, if one of them waits for this step; then
   * nothing is changed.
   */
  waitFor(step: Step, others: readonly Step[]): readonly Step[] | undefined {
    const open = others.filter((other) => this.stateOf(other) !== "done" && !isLost(this.stateOf(other)));
    for (const other of open) {
      const loop = this.#pathBetween(other, step);
      if (loop) return [step, ...loop];
    }
    const known = new Set(this.#waitsOf(step));
    for (const other of open) this.#wait(step, other);
    const soft = this.#soft.get(step) ?? new Set();
    for (const other of open) if (!known.has(other)) soft.add(other);
    this.#soft.set(step, soft);
    if (this.stateOf(step) === "ready" && open.length > 0) this.move(step, "wanted");
    return undefined;
  }

  /** Changes the state of a step, and of those that this sets free or blocks. Answers the steps that became blocked. */
  move(step: Step, to: State): readonly Step[] {
    const from = this.stateOf(step);
    assert(allowed[from].includes(to), `bug: ${step.id} went from ${from} to ${to}`);
    this.#states.set(step, to);
    if (from === "queued") this.#queue.remove(step, this.#pools);
    switch (to) {
      case "ready":
        this.#ready.push(step);
        return [];
      case "queued":
        this.#queue.add(step, this.#pools, this.#turnOf(step, from));
        return [];
      case "done":
        for (const user of this.usersOf(step)) this.#inputDone(user, step);
        return [];
      case "failed":
        return this.#blockUsers(step);
      case "wanted":
      case "running":
      case "suspended":
      case "blocked":
        return [];
    }
  }

  /** Those who have begun and were only held up come before all others, the last one first. */
  #turnOf(step: Step, from: State): number {
    if (from !== "suspended") return this.#turns.get(step) ?? this.#turns.size;
    this.#suspended += 1;
    return -this.#suspended;
  }

  #wait(step: Step, maker: Step): void {
    if (this.stateOf(maker) === "done") return;
    const waits = this.#waits.get(step) ?? new Set();
    if (waits.has(maker)) return;
    this.#waits.set(step, waits.add(maker));
    const users = this.#users.get(maker);
    if (users) users.push(step);
    else this.#users.set(maker, [step]);
  }

  #waitsOf(step: Step): ReadonlySet<Step> {
    return this.#waits.get(step) ?? nothing;
  }

  /** The way by which one step waits for another, both included. */
  #pathBetween(from: Step, to: Step): readonly Step[] | undefined {
    const cameFrom = new Map<Step, Step | undefined>([[from, undefined]]);
    const reached = [from];
    for (let step = reached.pop(); step; step = reached.pop()) {
      if (step === to) {
        const path: Step[] = [];
        for (let one: Step | undefined = to; one; one = cameFrom.get(one)) path.unshift(one);
        return path;
      }
      for (const next of this.#waitsOf(step)) {
        if (cameFrom.has(next)) continue;
        cameFrom.set(next, step);
        reached.push(next);
      }
    }
    return undefined;
  }

  #inputDone(user: Step, maker: Step): void {
    this.#waits.get(user)?.delete(maker);
    if (this.#waitsOf(user).size === 0 && this.stateOf(user) === "wanted") this.move(user, "ready");
  }

  #blockUsers(step: Step): readonly Step[] {
    const blocked: Step[] = [];
    const reached = [step];
    for (let next = reached.pop(); next; next = reached.pop()) {
      for (const user of this.usersOf(next)) {
        if (this.stateOf(user) !== "wanted") continue;
        if (this.#soft.get(user)?.has(next)) {
          this.#inputDone(user, next);
          continue;
        }
        this.move(user, "blocked");
        blocked.push(user);
        reached.push(user);
      }
    }
    return blocked;
  }
}

const nothing: ReadonlySet<Step> = new Set();

/** Whether nobody will ever get what a step in this state was to make. */
export const isLost = (state: State): boolean => state === "failed" || state === "blocked";
