// The order of work: which step may be judged, which may run, which never will. Knows nothing of freshness or of running.
import assert from "node:assert/strict";
import type { Graph } from "./graph.js";
import type { Step } from "./rule.js";

//  wanted ──all inputs done──► ready ──stale──► queued ──slot──► running ──► done | failed
//     │                          └────fresh──► done
//     │──an input failed or blocked──► blocked
//     └──its store cannot be read──► failed
export type State = "wanted" | "ready" | "queued" | "running" | "done" | "failed" | "blocked";

const allowed: Readonly<Record<State, readonly State[]>> = {
  wanted: ["ready", "blocked", "failed"],
  ready: ["queued", "done", "failed"],
  queued: ["running"],
  running: ["done", "failed"],
  done: [],
  failed: [],
  blocked: [],
};

/** Lives for one build. `move` is the only method that changes a state. */
export class Schedule {
  readonly #states = new Map<Step, State>();
  readonly #waitingFor = new Map<Step, number>();
  readonly #users = new Map<Step, Step[]>();
  #ready: Step[] = [];
  readonly #queue: Step[] = [];

  constructor(graph: Graph) {
    for (const step of graph.steps) this.#states.set(step, "wanted");
    for (const step of graph.steps) {
      const makers = new Set<Step>();
      for (const name of [...step.inputs, ...step.after]) {
        const maker = graph.makers.get(name);
        if (maker && maker !== step) makers.add(maker);
      }
      this.#waitingFor.set(step, makers.size);
      for (const maker of makers) {
        const users = this.#users.get(maker);
        if (users) users.push(step);
        else this.#users.set(maker, [step]);
      }
    }
    for (const step of graph.steps) if (this.#waitingFor.get(step) === 0) this.move(step, "ready");
  }

  stateOf(step: Step): State {
    const state = this.#states.get(step);
    assert(state, `bug: ${step.id} is not in this build`);
    return state;
  }

  /** Steps that use what this one makes, directly. */
  usersOf(step: Step): readonly Step[] {
    return this.#users.get(step) ?? [];
  }

  /** All steps whose inputs are done and that nobody has judged or failed yet, at once, so that they can be judged together. */
  takeReady(): readonly Step[] {
    const ready = this.#ready.filter((step) => this.stateOf(step) === "ready");
    this.#ready = [];
    return ready;
  }

  /** How many steps wait for a slot. */
  get queued(): number {
    return this.#queue.length;
  }

  /** The next step to run, in the order in which steps became stale. */
  takeQueued(): Step | undefined {
    return this.#queue.shift();
  }

  /** Changes the state of a step, and of those that this sets free or blocks. Answers the steps that became blocked. */
  move(step: Step, to: State): readonly Step[] {
    const from = this.stateOf(step);
    assert(allowed[from].includes(to), `bug: ${step.id} went from ${from} to ${to}`);
    this.#states.set(step, to);
    switch (to) {
      case "ready":
        this.#ready.push(step);
        return [];
      case "queued":
        this.#queue.push(step);
        return [];
      case "done":
        for (const user of this.usersOf(step)) this.#inputDone(user);
        return [];
      case "failed":
        return this.#blockUsers(step);
      case "wanted":
      case "running":
      case "blocked":
        return [];
    }
  }

  #inputDone(user: Step): void {
    const left = (this.#waitingFor.get(user) ?? 0) - 1;
    this.#waitingFor.set(user, left);
    if (left === 0 && this.stateOf(user) === "wanted") this.move(user, "ready");
  }

  #blockUsers(step: Step): readonly Step[] {
    const blocked: Step[] = [];
    const reached = [step];
    for (let next = reached.pop(); next; next = reached.pop()) {
      for (const user of this.usersOf(next)) {
        if (this.stateOf(user) !== "wanted") continue;
        this.move(user, "blocked");
        blocked.push(user);
        reached.push(user);
      }
    }
    return blocked;
  }
}
