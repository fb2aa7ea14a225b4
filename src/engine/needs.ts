// Recipes that wait for what they have asked for while they ran. Knows nothing of judging, running or stores.
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Graph } from "../core/graph.js";
import type { Step } from "../core/rule.js";
import { isLost, type Schedule } from "../core/schedule.js";
import type { Paused } from "./paused.js";

interface Sleeper {
  readonly makers: readonly Step[];
  /** Told which of them will never be made, if one is. */
  readonly over: (lost: Step | undefined) => void;
}

interface NeedsOptions {
  readonly graph: Graph;
  readonly schedule: Schedule;
  readonly paused: Paused;
  readonly joined: (steps: readonly Step[]) => void;
}

/** Lives for one build. */
export class Needs {
  readonly #options: NeedsOptions;
  #asleep: Sleeper[] = [];

  constructor(options: NeedsOptions) {
    this.#options = options;
  }

  /** Resolves when the names are made and the step, which runs, has places again. Fails on a cycle, and with `need-failed`. */
  async need(step: Step, names: readonly string[]): Promise<Result<void>> {
    const { graph, schedule, paused, joined } = this.#options;
    const grown = graph.grow(names, step);
    if (!grown.ok) return grown;
    schedule.add(grown.value);
    joined(grown.value);
    const makers = [...new Set(names.flatMap((name) => graph.makers.get(name) ?? []))];
    const loop = makers.includes(step) ? [step, step] : schedule.waitFor(step, makers);
    if (loop) return fail(cycle(step, loop));
    const open = makers.filter((maker) => schedule.stateOf(maker) !== "done");
    if (open.length === 0) return ok(undefined);
    paused.pause(step);
    const lost = await new Promise<Step | undefined>((over) => {
      this.#asleep.push({ makers: open, over });
      this.look();
    });
    // Also when nothing new may begin: what has got all that it needs goes on to its end.
    await paused.goOn(step);
    return lost ? fail({ reason: "need-failed", needed: lost.id }) : ok(undefined);
  }

  /** Finds out whose waiting is over. */
  look(): void {
    const { schedule } = this.#options;
    this.#asleep = this.#asleep.filter(({ makers, over }) => {
      const lost = makers.find((maker) => isLost(schedule.stateOf(maker)));
      if (!lost && makers.some((maker) => schedule.stateOf(maker) !== "done")) return true;
      over(lost);
      return false;
    });
  }

  /** Nothing new will be made: whoever still waits waits in vain. */
  giveUp(): void {
    for (const { makers, over } of this.#asleep) over(makers[0]);
    this.#asleep = [];
  }
}

function cycle(step: Step, loop: readonly Step[]): Failure {
  const ids = loop.map(({ id }) => id);
  return { reason: "cycle", path: ids.at(-1) === ids[0] ? ids : [...ids, ids[0] ?? ""], at: step.rule.at };
}
