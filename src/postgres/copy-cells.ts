// What a column encoder is, and those of fixed width: DuckDB's vectors read as raw words, written as Postgres' big-endian cells. Knows nothing of text, numerics or lists.
import duckdb from "@duckdb/node-bindings";

/** The bytes that become one CopyData, and two ways to write them. */
export interface Sheet {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/**
 * One column of chunks. A cell is a 4-byte length and that many bytes, or the length -1 for null: the same in a row
 * and in an array, so a list's elements are a column too.
 *
 * Used in this order: `load` a vector, `measure` cells, `write` cells that have been measured. The vector's chunk must
 * be kept alive until the last cell is written: long strings are read through pointers into it.
 */
export interface Cells {
  load(vector: duckdb.Vector, count: number): void;
  /** Adds the bytes of cell `i`, its length included, to `sizes[i]`, for `from <= i < to`. */
  measure(sizes: Uint32Array, from: number, to: number): void;
  /** Writes cell `i` at `at[i]`, and moves `at[i]` behind it. */
  write(sheet: Sheet, at: Uint32Array, from: number, to: number): void;
}

/** A value that DuckDB can hold and Postgres cannot. `index` counts cells of this column in this chunk from 0. */
export class CellError extends Error {
  constructor(
    readonly index: number,
    readonly text: string,
    readonly problem: string,
  ) {
    super(problem);
  }
}

/** One bit a cell, set when it holds a value; nothing when all do. */
export type Validity = Uint8Array | null;

export const validityOf = (vector: duckdb.Vector, count: number): Validity =>
  duckdb.vector_get_validity(vector, Math.ceil(count / 64) * 8) ?? null;

export const isNull = (validity: Uint8Array, index: number): boolean =>
  (validity[index >> 3]! & (1 << (index & 7))) === 0;

export const nullLength = -1;

/** Reads words of the width that its writer wants: 1, 2 or 4 bytes. */
type Words = Int8Array | Int16Array | Int32Array;

/**
 * Writes cells of one type. The loop is inside each writer and not around one: a loop that calls a writer for each
 * value cannot be inlined.
 */
type FixedWriter<W extends Words> = (
  view: DataView,
  at: Uint32Array,
  words: W,
  range: { readonly from: number; readonly to: number; readonly validity: Validity },
) => void;

/** A type whose payload is `width` bytes in Postgres and `stride` bytes in DuckDB. */
export interface FixedFormat<W extends Words = Words> {
  readonly width: number;
  readonly stride: number;
  readonly words: new (buffer: ArrayBufferLike, offset: number, length: number) => W;
  readonly write: FixedWriter<W>;
}

export class FixedCells<W extends Words> implements Cells {
  private words: W;
  private validity: Validity = null;

  constructor(private readonly format: FixedFormat<W>) {
    this.words = new format.words(new ArrayBuffer(0), 0, 0);
  }

  load(vector: duckdb.Vector, count: number): void {
    const { stride, words: Words } = this.format;
    const data = duckdb.vector_get_data(vector, count * stride);
    const bytesPerWord = this.words.BYTES_PER_ELEMENT;
    this.words = new Words(data.buffer, data.byteOffset, (count * stride) / bytesPerWord);
    this.validity = validityOf(vector, count);
  }

  measure(sizes: Uint32Array, from: number, to: number): void {
    const { validity } = this;
    const size = 4 + this.format.width;
    for (let i = from; i < to; i++) sizes[i]! += validity && isNull(validity, i) ? 4 : size;
  }

  write({ view }: Sheet, at: Uint32Array, from: number, to: number): void {
    this.format.write(view, at, this.words, { from, to, validity: this.validity });
  }
}

export const boolean: FixedFormat<Int8Array> = {
  width: 1,
  stride: 1,
  words: Int8Array,
  write: (view, at, words, { from, to, validity }) => {
    for (let i = from; i < to; i++) {
      const start = at[i]!;
      if (validity && isNull(validity, i)) {
        view.setInt32(start, nullLength);
        at[i] = start + 4;
      } else {
        view.setInt32(start, 1);
        view.setInt8(start + 4, words[i]! === 0 ? 0 : 1);
        at[i] = start + 5;
      }
    }
  },
};

export const twoBytes: FixedFormat<Int16Array> = {
  width: 2,
  stride: 2,
  words: Int16Array,
  write: (view, at, words, { from, to, validity }) => {
    for (let i = from; i < to; i++) {
      const start = at[i]!;
      if (validity && isNull(validity, i)) {
        view.setInt32(start, nullLength);
        at[i] = start + 4;
      } else {
        view.setInt32(start, 2);
        view.setInt16(start + 4, words[i]!);
        at[i] = start + 6;
      }
    }
  },
};

/** Also for `real`: its bits are copied, so that -0, NaN and denormals stay what they are. */
export const fourBytes: FixedFormat<Int32Array> = {
  width: 4,
  stride: 4,
  words: Int32Array,
  write: (view, at, words, { from, to, validity }) => {
    for (let i = from; i < to; i++) {
      const start = at[i]!;
      if (validity && isNull(validity, i)) {
        view.setInt32(start, nullLength);
        at[i] = start + 4;
      } else {
        view.setInt32(start, 4);
        view.setInt32(start + 4, words[i]!);
        at[i] = start + 8;
      }
    }
  },
};

/** `bigint`, `double precision` and `time`. */
export const eightBytes: FixedFormat<Int32Array> = {
  width: 8,
  stride: 8,
  words: Int32Array,
  write: (view, at, words, { from, to, validity }) => {
    for (let i = from; i < to; i++) {
      const start = at[i]!;
      if (validity && isNull(validity, i)) {
        view.setInt32(start, nullLength);
        at[i] = start + 4;
      } else {
        view.setInt32(start, 8);
        view.setInt32(start + 4, words[2 * i + 1]!);
        view.setInt32(start + 8, words[2 * i]!);
        at[i] = start + 12;
      }
    }
  },
};

/** DuckDB keeps UUIDs as signed 128-bit numbers that sort as the text does: the highest bit is turned over. */
export const uuid: FixedFormat<Int32Array> = {
  width: 16,
  stride: 16,
  words: Int32Array,
  write: (view, at, words, { from, to, validity }) => {
    for (let i = from; i < to; i++) {
      const start = at[i]!;
      if (validity && isNull(validity, i)) {
        view.setInt32(start, nullLength);
        at[i] = start + 4;
      } else {
        view.setInt32(start, 16);
        view.setInt32(start + 4, words[4 * i + 3]! ^ 0x80000000);
        view.setInt32(start + 8, words[4 * i + 2]!);
        view.setInt32(start + 12, words[4 * i + 1]!);
        view.setInt32(start + 16, words[4 * i]!);
        at[i] = start + 20;
      }
    }
  },
};
