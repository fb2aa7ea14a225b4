// Time: how long one attempt may take, and the pause before the next. Knows nothing of what is done in it.

/** The longest that a timer of Node can take: 24.8 days. */
const longestMs = 2 ** 31 - 1;

/** Lives for one attempt. Aborts its signal when the time is over, or when the outer one aborts. */
export class Deadline {
  readonly signal: AbortSignal;
  readonly #over = new AbortController();
  #leftMs: number;
  #since = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, outer: AbortSignal) {
    this.#leftMs = ms;
    this.signal = AbortSignal.any([outer, this.#over.signal]);
    this.resume();
  }

  /** Whether the time was over before anybody said `end`. */
  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** Time spent waiting for others does not count. */
  pause(): void {
    clearTimeout(this.#timer);
    this.#leftMs -= performance.now() - this.#since;
  }

  resume(): void {
    this.#since = performance.now();
    const ms = Math.min(Math.max(0, this.#leftMs), longestMs);
    this.#timer = setTimeout(() => this.#over.abort(), ms);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

/** Resolves after so long, or as soon as the signal aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(wake, Math.min(ms, longestMs));
    function wake() {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    }
    signal.addEventListener("abort", wake);
  });
}
