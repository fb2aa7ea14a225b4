// Runs a function of the Datafile. Knows nothing of where its outputs end up.
import { setMaxListeners } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { type Failure, fail, ok } from "../core/failure.js";
import type { ScriptRecipe } from "../core/rule.js";
import type { Job, Runner } from "../engine/ports.js";

/** How long a function may take to end after an interrupt. */
const graceMs = 10_000;
/** The longest that a timer of Node can take: 24.8 days. */
const longestMs = 2 ** 31 - 1;

/**
 * Whatever the function throws fails the target, and nothing else. After an interrupt its end is awaited for ten seconds,
 * its answer dropped; one that does not end by then goes on unattended until the process ends.
 *
 * What `need` throws, and the function does not catch, fails the target with the failure it stands for. A `need` that
 * nobody waits for is awaited here and fails the target: the function may have read what was not up to date yet.
 */
export const runScript: Runner<ScriptRecipe> = async (recipe, job) => {
  const { step, inputs, stage, log, signal } = job;
  if (stage.kind !== "files") throw new Error(`bug: ${step.id} is a table made by a function`);
  if (signal.aborted) return fail({ reason: "interrupted" });
  const needs = new Needs(job.need);
  const context = {
    inputs,
    outputs: stage.paths,
    // One that goes on unattended must not speak into the log of the attempt that follows.
    log: (text: string) => {
      if (needs.isOpen) log(`${text}\n`);
    },
    signal,
    need: (names: readonly string[]) => needs.ask(names),
  };
  try {
    await attended(() => needs.during(async () => recipe.run(context)), signal);
  } catch (error) {
    return fail(signal.aborted ? { reason: "interrupted" } : failureOf(error));
  } finally {
    needs.close();
  }
  return signal.aborted ? fail({ reason: "interrupted" }) : ok({ kind: "made", facts: {} });
};

function failureOf(error: unknown): Failure {
  if (error instanceof NeedError) return error.failure;
  if (!(error instanceof Error)) return { reason: "threw", message: String(error) };
  const { name, message, stack } = error;
  return { reason: "threw", message: `${name}: ${message}`, ...(stack && { stack }) };
}

/** What `need` throws into the function that called it. */
class NeedError extends Error {
  override readonly name = "NeedError";
  readonly failure: Failure;

  constructor(names: readonly string[], failure: Failure) {
    super(`cannot bring up to date: ${names.join(", ")} (${failure.reason})`);
    this.failure = failure;
  }
}

/** What one function needs, from its first call of `need` to its end. */
class Needs {
  readonly #need: Job["need"];
  readonly #pending = new Set<Need>();
  readonly #unheard = new Set<Need>();
  #closed = false;

  constructor(need: Job["need"]) {
    this.#need = need;
  }

  ask(names: readonly string[]): Promise<void> {
    const need = new Need((resolve, reject) => {
      this.#bring(names).then(resolve, reject);
    });
    this.#pending.add(need);
    this.#unheard.add(need);
    need.onHeard = () => this.#unheard.delete(need);
    need.settled(() => this.#pending.delete(need));
    return need;
  }

  /** Does the work, and ends when all it needs is there as well: a slot that was given back has to be taken again. */
  async during(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      if (this.#pending.size > 0 || this.#unheard.size > 0)
        throw new Error("it did not wait for `need`: write `await need(…)` before anything is read");
    } finally {
      this.close();
      await Promise.allSettled(this.#pending);
    }
  }

  get isOpen(): boolean {
    return !this.#closed;
  }

  /** Nothing is brought up to date for a function that has ended. */
  close(): void {
    this.#closed = true;
  }

  async #bring(names: readonly string[]): Promise<void> {
    if (this.#closed)
      throw new Error(`\`need\` was called after its function had ended: ${names.join(", ")}`);
    const done = await this.#need(names);
    if (done.ok) return;
    // A function that asks again and again must not keep signals from being heard.
    await turn();
    throw new NeedError(names, done.error);
  }
}

/** Knows whether anybody waits for it: `await`, `Promise.all` and a `return` all call `then`. */
class Need extends Promise<void> {
  onHeard = () => {};

  // What comes of it is an ordinary promise.
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  /** Is told of the end, whatever it is, and is nobody who waits. A need that nobody waits for is no unhandled rejection. */
  settled(listen: () => void): void {
    super.then(listen, listen);
  }

  // biome-ignore lint/suspicious/noThenProperty: a promise has one.
  override then: Promise<void>["then"] = (onDone, onFailed) => {
    this.onHeard();
    return super.then(onDone, onFailed);
  };
}

/** Ends with the work, or the grace after the signal if that is sooner. What the work throws after that is dropped. */
async function attended(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  // Every recipe of a build listens to the same signal: more than ten are no leak.
  setMaxListeners(0, signal);
  // A promise alone does not keep Node from exiting, silently and with 13.
  const alive = setInterval(() => {}, longestMs);
  let grace: NodeJS.Timeout | undefined;
  let stop = () => {};
  const patience = new Promise<void>((resolve) => {
    stop = () => {
      grace = setTimeout(resolve, graceMs);
    };
  });
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([work(), patience]);
  } finally {
    signal.removeEventListener("abort", stop);
    clearInterval(alive);
    clearTimeout(grace);
  }
}
