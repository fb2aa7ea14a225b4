// The time that one attempt may take. Knows nothing of what is done in it.

/** Lives for one attempt. Aborts its signal when the time is over, or when the outer one aborts. */
export class Deadline {
  readonly signal: AbortSignal;
  readonly #over = new AbortController();
  #leftMs: number;
  #since = performance.now();
  #timer: NodeJS.Timeout | undefined;
  /** A recipe may wait for several things at once. */
  #pauses = 0;

  constructor(ms: number, outer: AbortSignal) {
    this.#leftMs = ms;
    this.signal = AbortSignal.any([outer, this.#over.signal]);
    this.#start();
  }

  /** Whether the time was over before anybody said `end`. */
  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  /** Time spent waiting for others does not count. */
  pause(): void {
    this.#pauses += 1;
    if (this.#pauses > 1) return;
    clearTimeout(this.#timer);
    this.#leftMs -= performance.now() - this.#since;
  }

  resume(): void {
    this.#pauses -= 1;
    if (this.#pauses === 0) this.#start();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#pauses = Number.POSITIVE_INFINITY;
  }

  #start(): void {
    this.#since = performance.now();
    this.#timer = setTimeout(() => this.#over.abort(), Math.max(0, this.#leftMs));
  }
}
