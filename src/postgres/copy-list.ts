// Cells of one-dimensional arrays: a header, then the cells of their elements. Knows nothing of what the elements are.
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

/** Dimensions, whether there are nulls, and the elements' type; with elements also their number and the first index. */
const emptyHeader = 12;
const header = 20;

export class ListCells implements Cells {
  private entries: Uint32Array = new Uint32Array(0);
  private validity: Validity = null;
  private sizes = new Uint32Array(0);
  private starts = new Uint32Array(0);

  constructor(
    private readonly element: Cells,
    private readonly elementOid: number,
  ) {}

  load(vector: duckdb.Vector, count: number): void {
    const data = duckdb.vector_get_data(vector, count * 16);
    this.entries = new Uint32Array(data.buffer, data.byteOffset, count * 4);
    this.validity = validityOf(vector, count);
    const elements = duckdb.list_vector_get_size(vector);
    this.element.load(duckdb.list_vector_get_child(vector), elements);
    this.sizes = new Uint32Array(elements);
    this.starts = new Uint32Array(elements);
  }

  measure(sizes: Uint32Array, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      if (this.validity && isNull(this.validity, i)) sizes[i]! += 4;
      else sizes[i]! += 4 + this.measureList(i);
    }
  }

  private measureList(index: number): number {
    const { first, end } = this.elementsOf(index);
    if (first === end) return emptyHeader;
    this.sizes.fill(0, first, end);
    this.inside(index, () => this.element.measure(this.sizes, first, end));
    let total = header;
    for (let k = first; k < end; k++) total += this.sizes[k]!;
    return total;
  }

  write(sheet: Sheet, at: Uint32Array, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      if (this.validity && isNull(this.validity, i)) {
        sheet.view.setInt32(at[i]!, nullLength);
        at[i]! += 4;
      } else {
        at[i] = this.writeList(sheet, at[i]!, i);
      }
    }
  }

  private writeList(sheet: Sheet, cell: number, index: number): number {
    const { view } = sheet;
    const { first, end } = this.elementsOf(index);
    const start = cell + 4;
    view.setInt32(start, first === end ? 0 : 1);
    // Postgres looks for nulls itself: the flag is kept for the format's sake.
    view.setInt32(start + 4, 1);
    view.setInt32(start + 8, this.elementOid);
    let position = start + emptyHeader;
    if (first < end) {
      view.setInt32(start + 12, end - first);
      view.setInt32(start + 16, 1);
      position = start + header;
      for (let k = first; k < end; k++) {
        this.starts[k] = position;
        position += this.sizes[k]!;
      }
      this.inside(index, () => this.element.write(sheet, this.starts, first, end));
    }
    view.setInt32(cell, position - start);
    return position;
  }

  /** Offsets and lengths have 64 bits, of which a chunk needs no more than 32. */
  private elementsOf(index: number): { first: number; end: number } {
    const first = this.entries[4 * index]!;
    return { first, end: first + this.entries[4 * index + 2]! };
  }

  /** An element that cannot be sent is reported for the row that it is in. */
  private inside(index: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof CellError)) throw error;
      throw new CellError(index, error.text, error.problem);
    }
  }
}
