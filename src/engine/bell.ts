// Wakes one that waits for something to happen. Knows nothing of what.

/** Rung before anybody waits, it is still heard by whoever had asked for the `next` ring. */
export class Bell {
  #ring: () => void = () => {};

  /** Resolves with the next ring from now on. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#ring = resolve;
    });
  }

  ring(): void {
    this.#ring();
  }
}
