// One SELECT as the bytes of a COPY: fetches a chunk from DuckDB while the one before is on its way. Knows nothing of tables or of what errors mean.
import { strict as assert } from "node:assert";
import type { DuckDBConnection, DuckDBDataChunk, DuckDBResult } from "@duckdb/node-api";
import { CopyEncoder, copyHeader, copyTrailer } from "../postgres/copy-binary.js";

/** A column of the SELECT, and the Postgres type to write it as. */
export interface RowsColumn {
  readonly name: string;
  readonly postgresType: string;
}

/** A chunk is 2,048 rows: some ten reports a second at full speed. */
const chunksPerReport = 32;

/**
 * Can be iterated once, while its connection is used for nothing else. Whoever consumes it may let go of it at any time;
 * `settle` then has to come before the connection is closed.
 */
export class Rows implements AsyncIterable<Uint8Array> {
  sent = 0;
  bytes = 0;
  /** What the iteration threw, if it did: an error of DuckDB's, or a CopyValueError. */
  broken: { readonly error: unknown } | undefined;
  #settling = false;
  /** What DuckDB is asked to do now, or was last. */
  #asked: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly connection: DuckDBConnection,
    private readonly select: string,
    private readonly columns: readonly RowsColumn[],
    private readonly report: (rows: number) => void,
  ) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    if (this.#settling) return;
    try {
      const result = await this.#ask(this.connection.stream(this.#withEnd()));
      for await (const sheet of this.#sheets(result)) {
        this.bytes += sheet.byteLength;
        yield sheet;
      }
    } catch (error) {
      this.broken = { error };
      throw error;
    }
  }

  /** Waits until DuckDB has nothing to do for these rows, and sees to it that it is asked for nothing more. Never rejects. */
  async settle(): Promise<void> {
    this.#settling = true;
    await this.#asked.catch(() => undefined);
  }

  async *#sheets(result: DuckDBResult): AsyncGenerator<Uint8Array> {
    const types = result.columnTypes();
    const encoder = new CopyEncoder(
      this.columns.map((column, index) => ({ ...column, duckdbType: types[index]! })),
    );
    yield copyHeader;
    let coming = this.#fetch(result);
    for (let chunks = 1; ; chunks++) {
      const chunk = await coming;
      if (!chunk || chunk.rowCount === 0) await this.#brokenOff();
      if (!chunk || this.#isEnd(chunk)) break;
      coming = this.#fetch(result);
      yield* encoder.encode(chunk);
      this.sent += chunk.rowCount;
      if (chunks % chunksPerReport === 0) this.report(this.sent);
    }
    yield copyTrailer;
    this.report(this.sent);
  }

  /**
   * A stream of DuckDB's that breaks in the middle ends just as one that has come to its end: its C interface keeps the
   * error where nobody reads it (node-api 1.5.5; rows after a bad value at row 60 000 were lost without a word). So a last
   * row says that there are no more.
   */
  #withEnd(): string {
    const nulls = this.columns.map(() => "NULL").join(", ");
    return `SELECT *, false FROM (${this.select}) UNION ALL SELECT ${nulls}, true`;
  }

  /** It comes by itself, being made by itself. */
  #isEnd(chunk: DuckDBDataChunk): boolean {
    const flags = chunk.getColumnVector(this.columns.length);
    if (flags.getItem(chunk.rowCount - 1) !== true) return false;
    assert(chunk.rowCount === 1, "bug: the end of the rows came with some of them");
    return true;
  }

  /** Has all of it read once more, in a way that says what is wrong. */
  async #brokenOff(): Promise<never> {
    const counted = this.connection.runAndReadAll(`SELECT count(COLUMNS(*)) FROM (${this.select})`);
    await this.#ask(counted);
    throw new Error("DuckDB stopped in the middle of the rows, and does not say why");
  }

  #fetch(result: DuckDBResult): Promise<DuckDBDataChunk | null> {
    const letGo = "bug: rows were asked for after they had been let go";
    return this.#ask(this.#settling ? Promise.reject(new Error(letGo)) : result.fetchChunk());
  }

  #ask<T>(asked: Promise<T>): Promise<T> {
    // It may fail before anybody waits for it.
    asked.catch(() => undefined);
    this.#asked = asked;
    return asked;
  }
}
