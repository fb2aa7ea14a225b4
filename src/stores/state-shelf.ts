// Things by name, read from their lines only when asked for: lines that are at hand, and those of which only the place is known. Knows nothing of what the lines hold.
import { lineIn } from "./state-line.js";
import { hashOf, type Place, type PlaceColumns, Places } from "./state-places.js";
import type { LineSource } from "./state-source.js";

/** Lives as long as the state it belongs to. */
export class Shelf<T extends object> {
  /** Not in `#places`. */
  readonly #kept = new Map<string, string | T>();
  readonly #places = new Places();
  readonly #source: LineSource;
  readonly #read: (line: string) => T | undefined;

  /** `read` answers nothing for a line that means nothing; it is then as if it had never been written. */
  constructor(source: LineSource, read: (line: string) => T | undefined) {
    this.#source = source;
    this.#read = read;
  }

  get size(): number {
    return this.#kept.size + this.#places.size;
  }

  get(name: string): T | undefined {
    const kept = this.#kept.get(name);
    if (kept === undefined) return this.#getPlaced(name);
    if (typeof kept !== "string") return kept;
    const value = this.#read(kept);
    if (value) this.#kept.set(name, value);
    else this.#kept.delete(name);
    return value;
  }

  put(name: string, line: string | Place): void {
    const hash = typeof line !== "string" || this.#places.size > 0 ? hashOf(name) : 0;
    const entry = this.#entryOf(name, hash);
    if (typeof line === "string") {
      if (entry >= 0) this.#places.remove(entry);
      this.#kept.set(name, line);
      return;
    }
    if (this.#kept.size > 0) this.#kept.delete(name);
    if (entry >= 0) this.#places.set(entry, line);
    else this.#places.add(hash, line);
  }

  delete(name: string): void {
    this.#kept.delete(name);
    const entry = this.#entryOf(name, hashOf(name));
    if (entry >= 0) this.#places.remove(entry);
  }

  clear(): void {
    this.#kept.clear();
    this.#places.clear();
  }

  *keys(): Generator<string> {
    for (const place of this.#places.all()) {
      const key = lineIn(this.#source.line(place))?.key;
      if (key !== undefined) yield key;
    }
    yield* this.#kept.keys();
  }

  /** The places of all lines, or nothing where there are lines besides. */
  columns(): PlaceColumns | undefined {
    return this.#kept.size === 0 ? this.#places.columns() : undefined;
  }

  /** Has all lines be at these places, and nowhere else. */
  load(columns: PlaceColumns): void {
    this.#kept.clear();
    this.#places.load(columns);
  }

  /** What was read is not kept: a record in memory is three times as large as its line, and is asked for once or twice. */
  #getPlaced(name: string): T | undefined {
    if (this.#places.size === 0) return undefined;
    let line = "";
    const entry = this.#places.find(hashOf(name), (place) => {
      line = this.#source.line(place);
      return lineIn(line)?.key === name;
    });
    if (entry < 0) return undefined;
    const value = this.#read(line);
    if (!value) this.#places.remove(entry);
    return value;
  }

  #entryOf(name: string, hash: number): number {
    if (this.#places.size === 0) return -1;
    return this.#places.find(hash, (place) => lineIn(this.#source.line(place))?.key === name);
  }
}
