// Steps that wait in the middle: for what they need, for a lock, for the time of their next try. Knows nothing of why.
import type { Step } from "../core/rule.js";
import type { Schedule } from "../core/schedule.js";

interface PausedOptions {
  readonly schedule: Schedule;
  /** Gives back the places that a step holds. */
  readonly release: (step: Step) => void;
  /** Told whenever there may be something new to start. */
  readonly ring: () => void;
}

/** Lives for one build. Whoever waits holds no places, so that others can run meanwhile, what it waits for among them. */
export class Paused {
  readonly #options: PausedOptions;
  /** Those that could go on, and wait for places. */
  readonly #waiting = new Map<Step, (goesOn: boolean) => void>();
  /** Those that wait for a time. */
  readonly #asleep = new Set<() => void>();

  constructor(options: PausedOptions) {
    this.#options = options;
  }

  /** Of a step that runs. */
  pause(step: Step): void {
    const { schedule, release, ring } = this.#options;
    schedule.move(step, "suspended");
    release(step);
    ring();
  }

  /** Waits for places again, before those that have not begun. Answers whether there are any; either way the step runs then. */
  goOn(step: Step): Promise<boolean> {
    const { schedule, ring } = this.#options;
    schedule.move(step, "queued");
    return new Promise((resolve) => {
      this.#waiting.set(step, resolve);
      ring();
    });
  }

  /** Resolves after so long, or when nothing new is started any more. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#asleep.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#asleep.add(wake);
    });
  }

  /** Has a step go on that was given its places. Answers whether it was paused at all. */
  wake(step: Step): boolean {
    return this.#end(step, true);
  }

  /** Nothing new is started: whoever waits for places goes on without, only to end. */
  giveUp(): void {
    for (const wake of [...this.#asleep]) wake();
    for (const step of [...this.#waiting.keys()]) {
      this.#options.schedule.move(step, "running");
      this.#end(step, false);
    }
  }

  #end(step: Step, goesOn: boolean): boolean {
    const resolve = this.#waiting.get(step);
    this.#waiting.delete(step);
    resolve?.(goesOn);
    return resolve !== undefined;
  }
}
