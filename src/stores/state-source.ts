// Lines of a file read again by their places, also after another file has taken its name. Knows nothing of what they say.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Place } from "./state-places.js";

/** Files follow one another at this distance in the count of bytes: no file of ours is as long. */
const spacing = 2 ** 40;
/** Lines that are asked for one after the other are read so many at once: each by itself takes 1.5 µs. */
const windowBytes = 1 << 16;

interface Opened {
  readonly descriptor: number;
  readonly inode: bigint;
  readonly base: number;
}

/** Lives as long as the state it belongs to, and holds what was opened until it is closed. */
export class LineSource {
  readonly #files: Opened[] = [];
  #window: Buffer = Buffer.alloc(0);
  #windowAt = 0;
  #windowEnd = 0;
  /** Where the last line that was read ends. */
  #last = -1;

  /** Opens a file to be read by places from `base` on: the one that is open already, where that has the name still. */
  open(path: string): Opened {
    const descriptor = openSync(path, "r");
    const { ino } = fstatSync(descriptor, { bigint: true });
    const last = this.#files.at(-1);
    if (last?.inode === ino) {
      closeSync(descriptor);
      return last;
    }
    const opened = { descriptor, inode: ino, base: this.#files.length * spacing };
    this.#files.push(opened);
    return opened;
  }

  /** How many files have had the name so far. */
  get files(): number {
    return this.#files.length;
  }

  /** What stands at a place now: if somebody has written over it, something else. */
  line({ offset, length }: Place): string {
    if (offset < this.#windowAt || offset + length > this.#windowEnd) this.#fill(offset, length);
    this.#last = offset + length;
    const from = offset - this.#windowAt;
    return this.#window.toString("utf8", from, Math.min(from + length, this.#windowEnd - this.#windowAt));
  }

  close(): void {
    for (const { descriptor } of this.#files.splice(0)) closeSync(descriptor);
  }

  #fill(offset: number, length: number): void {
    const isNext = offset >= this.#last && offset - this.#last < windowBytes;
    const wanted = isNext ? Math.max(length, windowBytes) : length;
    if (this.#window.length < wanted) this.#window = Buffer.allocUnsafe(Math.max(wanted, windowBytes));
    const file = Math.floor(offset / spacing);
    const descriptor = this.#files[file]?.descriptor;
    const bytes =
      descriptor === undefined ? 0 : readSync(descriptor, this.#window, 0, wanted, offset - file * spacing);
    this.#windowAt = offset;
    this.#windowEnd = offset + bytes;
  }
}
