// Things by name, read from their lines only when asked for. Knows nothing of what the lines hold.

/** Lives as long as the state it belongs to. */
export class Shelf<T extends object> {
  readonly #kept = new Map<string, string | T>();
  readonly #read: (line: string) => T | undefined;

  /** `read` answers nothing for a line that means nothing; it is then as if it had never been written. */
  constructor(read: (line: string) => T | undefined) {
    this.#read = read;
  }

  get size(): number {
    return this.#kept.size;
  }

  get(name: string): T | undefined {
    const kept = this.#kept.get(name);
    if (typeof kept !== "string") return kept;
    const value = this.#read(kept);
    if (value) this.#kept.set(name, value);
    else this.#kept.delete(name);
    return value;
  }

  put(name: string, line: string): void {
    this.#kept.set(name, line);
  }

  delete(name: string): void {
    this.#kept.delete(name);
  }

  clear(): void {
    this.#kept.clear();
  }

  keys(): IterableIterator<string> {
    return this.#kept.keys();
  }
}
