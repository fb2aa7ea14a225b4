// Recipes that wait for what they have asked for while they ran. Knows nothing of judging, running or stores.
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import type { Step } from "../core/rule.js";
import { isLost, type Schedule } from "../core/schedule.js";

interface Sleeper {
  readonly step: Step;
  readonly makers: readonly Step[];
  readonly wake: (answer: Result<void>) => void;
}

interface NeedsOptions {
  readonly graph: Graph;
  readonly schedule: Schedule;
  readonly joined: (steps: readonly Step[]) => void;
  /** Told whenever there may be something new to start. */
  readonly ring: () => void;
}

/** Lives for one build. */
export class Needs {
  readonly #options: NeedsOptions;
  #asleep: Sleeper[] = [];
  /** Whose needs are made, and who wait for a slot to go on. */
  readonly #resuming: Sleeper[] = [];

  constructor(options: NeedsOptions) {
    this.#options = options;
  }

  /** Resolves when the names are made and the step, which runs, has a slot again. Fails on a cycle, and with `need-failed`. */
  async need(step: Step, names: readonly string[]): Promise<Result<void>> {
    const { graph, schedule, joined, ring } = this.#options;
    const grown = graph.grow(names, step);
    if (!grown.ok) return grown;
    schedule.add(grown.value);
    joined(grown.value);
    const makers = [...new Set(names.flatMap((name) => graph.makers.get(name) ?? []))];
    const loop = makers.includes(step) ? [step, step] : schedule.waitFor(step, makers);
    if (loop) return fail(cycle(step, loop));
    const open = makers.filter((maker) => schedule.stateOf(maker) !== "done");
    if (open.length === 0) return ok(undefined);
    schedule.move(step, "suspended");
    const answer = await new Promise<Result<void>>((wake) => {
      this.#asleep.push({ step, makers: open, wake });
      this.look();
      ring();
    });
    // Also for a recipe that goes on only to fail: its end is that of a running one.
    if (schedule.stateOf(step) === "suspended") schedule.move(step, "running");
    return answer;
  }

  /** Finds out whose waiting is over. */
  look(): void {
    const { schedule } = this.#options;
    this.#asleep = this.#asleep.filter((sleeper) => {
      const lost = sleeper.makers.find((maker) => isLost(schedule.stateOf(maker)));
      if (lost) sleeper.wake(fail({ reason: "need-failed", needed: lost.id }));
      else if (sleeper.makers.every((maker) => schedule.stateOf(maker) === "done"))
        this.#resuming.push(sleeper);
      else return true;
      return false;
    });
  }

  /** Gives a slot to the next that can go on, if there is one. */
  resume(): boolean {
    const next = this.#resuming.shift();
    if (!next) return false;
    this.#options.schedule.move(next.step, "running");
    next.wake(ok(undefined));
    return true;
  }

  /** Nothing new will be made: whoever still waits waits in vain. */
  giveUp(): void {
    const failure = (needed: Step): Failure => ({ reason: "need-failed", needed: needed.id });
    for (const { makers, wake } of this.#asleep) if (makers[0]) wake(fail(failure(makers[0])));
    this.#asleep = [];
    while (this.resume());
  }
}

function cycle(step: Step, loop: readonly Step[]): Failure {
  const ids = loop.map(({ id }) => id);
  return { reason: "cycle", path: ids.at(-1) === ids[0] ? ids : [...ids, ids[0] ?? ""], at: step.rule.at };
}
