// Cells whose bytes have to be worked out value by value: done once, when they are measured. Knows nothing of what the values are.
import { DuckDBVarCharVector } from "@duckdb/node-api";
import type duckdb from "@duckdb/node-bindings";
import { type Cells, isNull, nullLength, type Sheet, type Validity, validityOf } from "./copy-cells.js";

/** Bytes that grow: one payload behind the other. */
export class Scratch {
  private bytes = Buffer.alloc(65_536);
  length = 0;

  /** Makes room for so many bytes more. The answer holds until the next call. */
  reserve(more: number): Buffer {
    if (this.length + more > this.bytes.length) {
      const grown = Buffer.alloc(2 * (this.length + more));
      this.bytes.copy(grown, 0, 0, this.length);
      this.bytes = grown;
    }
    return this.bytes;
  }

  get content(): Uint8Array {
    return this.bytes;
  }
}

/** One way to turn values into payloads. */
export interface Payloads {
  load(vector: duckdb.Vector, count: number): void;
  /** Appends the bytes of one value that is not null. */
  append(scratch: Scratch, index: number): void;
}

export class ScratchCells implements Cells {
  private validity: Validity = null;
  private starts = new Uint32Array(0);
  private ends = new Uint32Array(0);
  private readonly scratch = new Scratch();

  constructor(private readonly payloads: Payloads) {}

  load(vector: duckdb.Vector, count: number): void {
    this.payloads.load(vector, count);
    this.validity = validityOf(vector, count);
    this.scratch.length = 0;
    if (this.starts.length >= count) return;
    this.starts = new Uint32Array(count);
    this.ends = new Uint32Array(count);
  }

  measure(sizes: Uint32Array, from: number, to: number): void {
    const { validity, scratch, starts, ends, payloads } = this;
    for (let i = from; i < to; i++) {
      starts[i] = scratch.length;
      if (!(validity && isNull(validity, i))) payloads.append(scratch, i);
      ends[i] = scratch.length;
      sizes[i]! += 4 + scratch.length - starts[i]!;
    }
  }

  write({ bytes, view }: Sheet, at: Uint32Array, from: number, to: number): void {
    const { validity, starts, ends } = this;
    const { content } = this.scratch;
    for (let i = from; i < to; i++) {
      const missing = validity && isNull(validity, i);
      let start = at[i]!;
      view.setInt32(start, missing ? nullLength : ends[i]! - starts[i]!);
      start += 4;
      for (let k = starts[i]!; k < ends[i]!; k++) bytes[start++] = content[k]!;
      at[i] = start;
    }
  }
}

/** `0101` as Postgres' count of bits and bits from the left. */
export class BitPayloads implements Payloads {
  private texts: DuckDBVarCharVector | undefined;

  load(vector: duckdb.Vector, count: number): void {
    this.texts = DuckDBVarCharVector.fromRawVector(vector, count);
  }

  append(scratch: Scratch, index: number): void {
    const bits = this.texts!.getItem(index)!;
    const size = 4 + Math.ceil(bits.length / 8);
    const bytes = scratch.reserve(size).fill(0, scratch.length, scratch.length + size);
    bytes.writeInt32BE(bits.length, scratch.length);
    for (let k = 0; k < bits.length; k++) {
      if (bits[k] === "1") bytes[scratch.length + 4 + (k >> 3)]! |= 0x80 >> (k & 7);
    }
    scratch.length += size;
  }
}
