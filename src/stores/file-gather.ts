// Does together what several attempts are about to do one by one: bring files to the disk, append lines. Knows nothing of what either is.
import type { Result } from "../core/failure.js";

/** A disk answers so many in little more time than one. */
const mostTogether = 8;
/** The recipe of a target that takes little more than its shell, on a busy machine. */
const trivialMs = 50;
/** As long as so many trivial recipes take in two places. */
const patienceMs = 20;

/** Whether it is worth a little time to save a commit of the disk: what took longer is not kept waiting for others. */
export const isTrivial = ({ durationMs }: { readonly durationMs: number }): boolean =>
  durationMs <= trivialMs;

/**
 * Where those who can wait are waited for. Lives for one process.
 *
 * The syncs of files that are asked for at one time share the commits of the file system's journal, and what is done when they
 * are over is done in one turn.
 */
export class Gate {
  #waiting: (() => Promise<() => void>)[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** Does `work` with that of others, and answers when all of it is done. Who cannot wait lets all pass at once. */
  pass<T>(work: () => Promise<T>, { canWait }: { readonly canWait: boolean }): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() =>
        work().then(
          (done) => () => resolve(done),
          (error) => () => reject(error),
        ),
      );
      if (!canWait || this.#waiting.length >= mostTogether) this.#open();
      else this.#timer ??= setTimeout(() => this.#open(), patienceMs);
    });
  }

  #open(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const works = this.#waiting.splice(0);
    void Promise.all(works.map((work) => work())).then((tellings) => {
      for (const tell of tellings) tell();
    });
  }
}

/** Writes at once what was given in one turn of the event loop. Lives for one process. */
export class Gathered<T> {
  readonly #write: (items: readonly T[]) => Result<void>;
  #items: T[] = [];
  #written: Promise<Result<void>> | undefined;

  constructor(write: (items: readonly T[]) => Result<void>) {
    this.#write = write;
  }

  /** Answers when it is written. What cannot be written fails for all that were given with it. */
  add(item: T): Promise<Result<void>> {
    this.#items.push(item);
    this.#written ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        this.#written = undefined;
        try {
          resolve(this.#write(this.#items.splice(0)));
        } catch (error) {
          reject(error);
        }
      });
    });
    return this.#written;
  }
}
