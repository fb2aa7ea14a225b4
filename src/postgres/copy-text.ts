// Cells of text, bytes, JSON and bit strings, read as bytes from DuckDB's string_t without making a string of each. Knows nothing of other types.
import duckdb from "@duckdb/node-bindings";
import {
  CellError,
  type Cells,
  isNull,
  nullLength,
  type Sheet,
  type Validity,
  validityOf,
} from "./copy-cells.js";

/** A string_t is 16 bytes: its length, then either up to 12 bytes of it, or 4 bytes of it and a pointer to the whole. */
const stride = 16;
const inlineBytes = 12;

/** Below this many bytes a loop is faster than a call that copies. */
const shortCopy = 48;

export interface TextFormat {
  /** A byte before the value: jsonb's version. */
  readonly prefix: number | undefined;
  /** Texts without which a value cannot be refused: looked for in many values at once. */
  readonly suspects: readonly Buffer[];
  /** What Postgres would say against a value that holds a suspect, or nothing. */
  readonly problemOf: (text: string) => string | undefined;
}

export class TextCells implements Cells {
  private data: Uint8Array = new Uint8Array(0);
  private words: Uint32Array = new Uint32Array(0);
  private validity: Validity = null;
  private readonly overhead: number;
  /** 1 for each byte that a suspect begins with. */
  private readonly marks = new Uint8Array(256);

  constructor(private readonly format: TextFormat) {
    this.overhead = format.prefix === undefined ? 0 : 1;
    for (const suspect of format.suspects) this.marks[suspect[0]!] = 1;
  }

  load(vector: duckdb.Vector, count: number): void {
    this.data = duckdb.vector_get_data(vector, count * stride);
    this.words = new Uint32Array(this.data.buffer, this.data.byteOffset, count * 4);
    this.validity = validityOf(vector, count);
  }

  measure(sizes: Uint32Array, from: number, to: number): void {
    const { words, validity, overhead } = this;
    for (let i = from; i < to; i++) {
      sizes[i]! += validity && isNull(validity, i) ? 4 : 4 + overhead + words[4 * i]!;
    }
  }

  write(sheet: Sheet, at: Uint32Array, from: number, to: number): void {
    const { words, validity } = this;
    for (let i = from; i < to; ) {
      if (validity && isNull(validity, i)) {
        sheet.view.setInt32(at[i]!, nullLength);
        at[i++]! += 4;
      } else if (words[4 * i]! <= inlineBytes) {
        this.writeInlined(sheet, at, i++);
      } else {
        i = this.writeRun(sheet, at, i, to);
      }
    }
  }

  private writeInlined({ bytes, view }: Sheet, at: Uint32Array, index: number): void {
    const { data, marks } = this;
    const length = this.words[4 * index]!;
    const start = this.startCell(bytes, view, at[index]!, length);
    const source = stride * index + 4;
    let marked = 0;
    for (let k = 0; k < length; k++) {
      const byte = data[source + k]!;
      bytes[start + k] = byte;
      marked |= marks[byte]!;
    }
    if (marked) this.check(data, source, length, index);
    at[index] = start + length;
  }

  /** Answers where the value goes. */
  private startCell(bytes: Uint8Array, view: DataView, start: number, length: number): number {
    view.setInt32(start, length + this.overhead);
    if (this.format.prefix === undefined) return start + 4;
    bytes[start + 4] = this.format.prefix;
    return start + 5;
  }

  /**
   * Writes long strings that lie one behind the other in memory, and answers the first cell that is not one of them.
   *
   * Following one pointer takes 2.6 µs; DuckDB copies the strings of a streamed chunk into a few blocks in row order,
   * so that 2048 of them are about five runs.
   */
  private writeRun(sheet: Sheet, at: Uint32Array, from: number, limit: number): number {
    const { data, words, validity } = this;
    let end = this.addressOf(from) + words[4 * from]!;
    const begin = end - words[4 * from]!;
    let to = from + 1;
    for (; to < limit; to++) {
      const length = words[4 * to]!;
      if ((validity && isNull(validity, to)) || length <= inlineBytes || this.addressOf(to) !== end) break;
      end += length;
    }
    const run = duckdb.get_data_from_pointer(
      data.buffer as ArrayBuffer,
      data.byteOffset + stride * from + 8,
      end - begin,
    );
    this.copyRun(sheet, at, run, { from, to });
    return to;
  }

  private copyRun(
    { bytes, view }: Sheet,
    at: Uint32Array,
    run: Uint8Array,
    cells: { from: number; to: number },
  ): void {
    const suspect = holdsAny(run, this.format.suspects);
    let source = 0;
    for (let i = cells.from; i < cells.to; i++) {
      const length = this.words[4 * i]!;
      const start = this.startCell(bytes, view, at[i]!, length);
      if (length < shortCopy) for (let k = 0; k < length; k++) bytes[start + k] = run[source + k]!;
      else bytes.set(run.subarray(source, source + length), start);
      if (suspect) this.check(run, source, length, i);
      source += length;
      at[i] = start + length;
    }
  }

  private check(bytes: Uint8Array, start: number, length: number, index: number): void {
    const value = bytes.subarray(start, start + length);
    if (!holdsAny(value, this.format.suspects)) return;
    const text = asBuffer(value).toString();
    const problem = this.format.problemOf(text);
    if (problem) throw new CellError(index, text, problem);
  }

  /** Addresses have 48 bits, so a number holds one exactly. */
  private addressOf(index: number): number {
    return this.words[4 * index + 3]! * 2 ** 32 + this.words[4 * index + 2]!;
  }
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function holdsAny(bytes: Uint8Array, wanted: readonly Buffer[]): boolean {
  if (wanted.length === 0) return false;
  const buffer = asBuffer(bytes);
  return wanted.some((text) => buffer.includes(text));
}

const nul = "\0";

/** DuckDB writes NaN and infinities as bare words; `\u0000` is JSON, but Postgres cannot hold it in a jsonb. */
function jsonProblem(text: string): string | undefined {
  if (text.includes(nul)) return "holds the character NUL, which no text in Postgres can";
  let holdsNul = false;
  try {
    JSON.parse(text, (key, member) => {
      holdsNul ||= key.includes(nul) || (typeof member === "string" && member.includes(nul));
      return member;
    });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return "is not JSON: a number such as NaN or Infinity cannot be in it";
  }
  return holdsNul ? "holds the character NUL, which no jsonb can" : undefined;
}

export const text: TextFormat = {
  prefix: undefined,
  suspects: [Buffer.from(nul)],
  problemOf: () => "holds the character NUL, which no text in Postgres can",
};
export const bytea: TextFormat = { prefix: undefined, suspects: [], problemOf: () => undefined };
export const jsonb: TextFormat = {
  prefix: 1,
  suspects: [nul, "\\u0000", "NaN", "Infinity"].map((word) => Buffer.from(word)),
  problemOf: jsonProblem,
};
