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
  /** Blanks around a quoted field go, those that DuckDB takes for no part of it. For readers that would keep them. */
  readonly tight?: boolean;
}

//  line ──comment──► gone ──line end──► line
//  line, field ──space──► blank             line, field, blank ──quote──► quoted ──quote──► closing ──quote──► quoted
//  closing, closed ──space──► closed        line, field, blank, closing, closed ──other──► plain
//  all but quoted ──delimiter──► field ──line end──► line
type State = "gone" | "line" | "field" | "blank" | "plain" | "quoted" | "closing" | "closed";

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
  /** A CR or a blank of which the next byte will say whether it stays; 0 if there is none. */
  #held = 0;
  #endsInLf = false;
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
      const held = this.#held;
      this.#held = 0;
      if (held === cr ? !endsCrlf : held === space && byte !== this.#quote) out[length++] = held;
      if (endsCrlf ? held === cr || this.#state === "quoted" : this.#keeps(byte)) out[length++] = byte;
      this.#endsInLf ||= endsCrlf && held === cr;
    }
    return out.subarray(0, length);
  }

  /** Of a CRLF that was cut in two, half is a line end still: where lines end in LF, as they do. */
  end(): Buffer {
    const isHalf = this.#held === cr && this.#endsInLf && !this.#mending.tight;
    return Buffer.from(isHalf ? [lf] : this.#held !== 0 ? [this.#held] : []);
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
    if (byte !== space || !this.#mending.tight) return true;
    if (this.#state === "blank") this.#held = space;
    return this.#state !== "blank" && this.#state !== "closed";
  }

  #endLine(byte: number): boolean {
    const kept = this.#state !== "gone";
    if (this.#state === "quoted") this.#line++;
    else {
      if (kept && byte === cr) this.#held = cr;
      else this.#endsInLf ||= kept;
      this.#nextLine();
    }
    return kept && this.#held === 0;
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
    if (byte === this.#quote && this.#state !== "plain" && this.#state !== "closed") return "quoted";
    if (this.#endsDelimiter(byte)) return "field";
    if (byte !== space || this.#state === "plain" || this.#state === "blank") return "plain";
    // DuckDB lets one blank stand before a quote, and any number behind it.
    return this.#state === "closing" || this.#state === "closed" ? "closed" : "blank";
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
  const source = createReadStream(from, { highWaterMark: 1 << 20 });
  await pipeline(source, streamOf(mender), createWriteStream(to), signal ? { signal } : {});
  return mender.removed;
}

/** The mended bytes of what is written to it. */
export const mendStream = (mending: Mending): Transform => streamOf(new Mender(mending));

const streamOf = (mender: Mender): Transform =>
  new Transform({
    transform: (chunk: Buffer, _encoding, done) => done(null, mender.mend(chunk)),
    flush: (done) => done(null, mender.end()),
  });

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
