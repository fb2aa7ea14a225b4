// Takes out of a CSV's bytes what is no data, line by line, and makes all lines end alike. Knows nothing of columns or types.
import { createReadStream, createWriteStream } from "node:fs";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

const lf = 10;
const cr = 13;
const space = 32;
const byteOrderMark = Buffer.from("\uFEFF");

export interface Mending {
  readonly delimiter: string;
  /** Empty where no character quotes. */
  readonly quote: string;
  /** So many first lines go, whatever is in them. */
  readonly skip: number;
  /** Lines that begin with it go, but not inside quotes. */
  readonly comment: string | undefined;
}

//  line ──comment──► gone ──line end──► line
//  line, field ──quote──► quoted ──quote──► closing ──quote──► quoted
//  line, field, closing ──other──► plain        plain, closing, field ──delimiter──► field ──line end──► line
type State = "gone" | "line" | "field" | "plain" | "quoted" | "closing";

/** CRLF becomes LF outside quotes. Takes bytes of UTF-8 in pieces. */
class Mender {
  /** The lines that went, counted from 1. */
  readonly removed: number[] = [];
  readonly #mending: Mending;
  readonly #delimiter: Buffer;
  readonly #quote: number;
  readonly #comment: number;
  #state: State = "line";
  #line = 0;
  #afterCr = false;
  #held = false;
  #begun = false;
  #matched = 0;

  constructor(mending: Mending) {
    this.#mending = mending;
    this.#delimiter = Buffer.from(mending.delimiter);
    this.#quote = mending.quote === "" ? -1 : mending.quote.charCodeAt(0);
    this.#comment = mending.comment === undefined ? -1 : mending.comment.charCodeAt(0);
    this.#nextLine();
  }

  mend(chunk: Buffer): Buffer {
    const out = Buffer.allocUnsafe(chunk.length + 1);
    let length = 0;
    let at = 0;
    if (!this.#begun && chunk.subarray(0, 3).equals(byteOrderMark)) length = at = byteOrderMark.copy(out);
    this.#begun = true;
    for (; at < chunk.length; at++) {
      const byte = chunk[at]!;
      const endsCrlf = this.#afterCr && byte === lf;
      this.#afterCr = byte === cr;
      if (this.#held && !endsCrlf) out[length++] = cr;
      const wasHeld = this.#held;
      this.#held = false;
      if (endsCrlf ? wasHeld || this.#state === "quoted" : this.#keeps(byte)) out[length++] = byte;
    }
    return out.subarray(0, length);
  }

  /** Of a CRLF that was cut in two, half is a line end still. */
  end(): Buffer {
    return Buffer.from(this.#held ? [lf] : []);
  }

  /** Moves on by a byte; says whether it stays. */
  #keeps(byte: number): boolean {
    if (byte === cr || byte === lf) return this.#endLine(byte);
    if (this.#state === "line" && byte === this.#comment) {
      this.#state = "gone";
      this.removed.push(this.#line);
    }
    if (this.#state === "gone") return false;
    this.#state = this.#next(byte);
    return true;
  }

  #endLine(byte: number): boolean {
    const kept = this.#state !== "gone";
    if (this.#state === "quoted") this.#line++;
    else {
      this.#held = kept && byte === cr;
      this.#nextLine();
    }
    return kept && !this.#held;
  }

  #nextLine(): void {
    this.#line++;
    this.#matched = 0;
    const goes = this.#line <= this.#mending.skip;
    this.#state = goes ? "gone" : "line";
    if (goes) this.removed.push(this.#line);
  }

  #next(byte: number): State {
    if (this.#state === "quoted") return byte === this.#quote ? "closing" : "quoted";
    if (byte === this.#quote && this.#state !== "plain") return "quoted";
    if (this.#endsDelimiter(byte)) return "field";
    if (this.#state === "closing") return "closing";
    // DuckDB lets blanks stand before a quote.
    return byte === space && this.#state !== "plain" ? "field" : "plain";
  }

  #endsDelimiter(byte: number): boolean {
    if (byte === this.#delimiter[this.#matched]) this.#matched++;
    else this.#matched = byte === this.#delimiter[0] ? 1 : 0;
    if (this.#matched < this.#delimiter.length) return false;
    this.#matched = 0;
    return true;
  }
}

export interface Mended {
  readonly text: string;
  readonly removed: readonly number[];
}

export function mendText(text: string, mending: Mending): Mended {
  const mender = new Mender(mending);
  const bytes = Buffer.concat([mender.mend(Buffer.from(text)), mender.end()]);
  return { text: bytes.toString(), removed: mender.removed };
}

/** Copies `from` to `to`; answers the lines that went. */
export async function mendFile(
  from: string,
  to: string,
  mending: Mending,
  signal?: AbortSignal,
): Promise<readonly number[]> {
  const mender = new Mender(mending);
  const mend = new Transform({
    transform: (chunk: Buffer, _encoding, done) => done(null, mender.mend(chunk)),
    flush: (done) => done(null, mender.end()),
  });
  const source = createReadStream(from, { highWaterMark: 1 << 20 });
  await pipeline(source, mend, createWriteStream(to), signal ? { signal } : {});
  return mender.removed;
}

/** Where a line of a mended text was before. Both count from 1. */
export function originalLine(line: number, removed: readonly number[]): number {
  let low = 0;
  let high = removed.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    // So many lines went before it, so it would stand there now.
    if (removed[middle]! - middle <= line) low = middle + 1;
    else high = middle;
  }
  return line + low;
}
