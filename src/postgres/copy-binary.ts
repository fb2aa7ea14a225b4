// Turns DuckDB's data chunks into the bytes of `COPY … WITH (FORMAT binary)`, column by column. Knows nothing of SQL, files or connections.
import assert from "node:assert/strict";
import {
  type DuckDBDataChunk,
  DuckDBDecimalType,
  DuckDBListType,
  type DuckDBType,
  DuckDBTypeId,
} from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";
import {
  boolean,
  CellError,
  type Cells,
  eightBytes,
  FixedCells,
  fourBytes,
  type Sheet,
  twoBytes,
  uuid,
} from "./copy-cells.js";
import { ListCells } from "./copy-list.js";
import { NumericTextPayloads, ScaledPayloads } from "./copy-numeric.js";
import { BitPayloads, ScratchCells } from "./copy-scratch.js";
import { bytea, jsonb, TextCells, text } from "./copy-text.js";
import { date, interval, timestamp, timetz } from "./copy-time.js";
import { type PostgresName, parsePostgresType, postgresTypes } from "./types.js";

export interface CopyColumn {
  readonly name: string;
  /** As Postgres spells it. */
  readonly postgresType: string;
  /** What the SELECT yields for it: one of the type's carriers. */
  readonly duckdbType: DuckDBType;
}

/** Thrown for a value that Postgres cannot hold. `row` counts from 1 over all chunks. */
export class CopyValueError extends Error {
  constructor(
    readonly column: CopyColumn,
    readonly row: number,
    readonly text: string,
    readonly problem: string,
  ) {
    super(`column ${column.name}, row ${row}: ${problem}`);
  }
}

/** "PGCOPY\n\377\r\n\0", no flags, no extension (PostgreSQL manual, COPY, "Binary Format"). */
export const copyHeader: Uint8Array = Buffer.from("5047434f50590aff0d0a000000000000000000", "hex");
export const copyTrailer: Uint8Array = Buffer.from([0xff, 0xff]);

/** A chunk whose rows are long is sent in parts of about this size, so that memory does not grow with the rows. */
const sheetBytes = 4 * 1024 * 1024;

/** Encodes the chunks of one result, in order. Holds scratch space between chunks; the bytes it answers are new each time. */
export class CopyEncoder {
  private readonly cells: readonly Cells[];
  private readonly sizes = new Uint32Array(duckdb.vector_size());
  private readonly at = new Uint32Array(duckdb.vector_size());
  /** Rows of the chunks before this one. */
  private rowsDone = 0;
  /** Held while pointers into it are followed: nothing else keeps the collector from freeing it between two sheets. */
  private chunk: DuckDBDataChunk | undefined;

  constructor(private readonly columns: readonly CopyColumn[]) {
    this.cells = columns.map(cellsOf);
  }

  /** The rows of one chunk. Throws a CopyValueError. */
  *encode(chunk: DuckDBDataChunk): Generator<Uint8Array> {
    this.chunk = chunk;
    const count = chunk.rowCount;
    const { sizes } = this;
    sizes.fill(2, 0, count);
    this.cells.forEach((cells, index) => {
      cells.load(duckdb.data_chunk_get_vector(chunk.chunk, index), count);
      this.naming(index, () => cells.measure(sizes, 0, count));
    });
    for (let from = 0; from < count; ) {
      let total = sizes[from]!;
      let to = from + 1;
      while (to < count && total + sizes[to]! <= sheetBytes) total += sizes[to++]!;
      yield this.writeRows(total, from, to);
      from = to;
    }
    this.rowsDone += this.chunk.rowCount;
    this.chunk = undefined;
  }

  /** A sheet is never reused: a socket may still be reading it when it asks for the next one. */
  private writeRows(total: number, from: number, to: number): Uint8Array {
    const bytes = Buffer.allocUnsafeSlow(total);
    const sheet: Sheet = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, total) };
    const { at, sizes, cells } = this;
    for (let i = from, start = 0; i < to; start += sizes[i++]!) {
      sheet.view.setInt16(start, cells.length);
      at[i] = start + 2;
    }
    for (let c = 0; c < cells.length; c++) this.naming(c, () => cells[c]!.write(sheet, at, from, to));
    return bytes;
  }

  private naming(column: number, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof CellError)) throw error;
      const row = this.rowsDone + error.index + 1;
      throw new CopyValueError(this.columns[column]!, row, error.text, error.problem);
    }
  }
}

function cellsOf({ name, postgresType, duckdbType }: CopyColumn): Cells {
  const type = parsePostgresType(postgresType);
  assert(type, `bug: column ${name} goes into ${postgresType}, which cannot be written`);
  if (!type.array) return scalarCells(type.name, duckdbType);
  assert(duckdbType instanceof DuckDBListType, `bug: ${name} is no list`);
  return new ListCells(scalarCells(type.name, duckdbType.valueType), postgresTypes[type.name].oid);
}

function scalarCells(name: PostgresName, duckdbType: DuckDBType): Cells {
  const carrier = DuckDBTypeId[duckdbType.typeId]!;
  const carriers: readonly string[] = postgresTypes[name].carriers;
  assert(carriers.includes(carrier), `bug: ${name} is sent as ${carriers.join(" or ")}, not as ${carrier}`);
  switch (name) {
    case "boolean":
      return new FixedCells(boolean);
    case "smallint":
      return new FixedCells(twoBytes);
    case "integer":
    case "real":
      return new FixedCells(fourBytes);
    case "bigint":
    case "double precision":
    case "time without time zone":
      return new FixedCells(eightBytes);
    case "uuid":
      return new FixedCells(uuid);
    case "date":
      return new FixedCells(date);
    case "timestamp without time zone":
    case "timestamp with time zone":
      return new FixedCells(timestamp);
    case "time with time zone":
      return new FixedCells(timetz);
    case "interval":
      return new FixedCells(interval);
    case "numeric":
      return new ScratchCells(numericPayloads(duckdbType));
    case "bit":
    case "bit varying":
      return new ScratchCells(new BitPayloads());
    case "bytea":
      return new TextCells(bytea);
    case "jsonb":
      return new TextCells(jsonb);
    case "text":
    case "character varying":
    case "character":
    case "json":
      return new TextCells(text);
  }
}

function numericPayloads(type: DuckDBType): ScaledPayloads | NumericTextPayloads {
  if (type.typeId === DuckDBTypeId.VARCHAR) return new NumericTextPayloads();
  if (type.typeId === DuckDBTypeId.BIGINT) return new ScaledPayloads({ bytes: 8, signed: true, scale: 0 });
  if (!(type instanceof DuckDBDecimalType)) {
    return new ScaledPayloads({ bytes: 16, signed: type.typeId === DuckDBTypeId.HUGEINT, scale: 0 });
  }
  // DuckDB keeps a decimal in the smallest integer that holds its digits.
  const bytes = type.width <= 4 ? 2 : type.width <= 9 ? 4 : type.width <= 18 ? 8 : 16;
  return new ScaledPayloads({ bytes, signed: true, scale: type.scale });
}
