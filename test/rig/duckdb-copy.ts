// Sends what a DuckDB query yields into a test table, by the same steps as a load but without a file. Knows nothing of recipes.
import { strict as assert } from "node:assert";
import type { DuckDBConnection } from "@duckdb/node-api";
import { CopyEncoder, copyHeader, copyTrailer } from "../../src/postgres/copy-binary.js";
import { duckdbCastFor } from "../../src/postgres/copy-cast.js";
import { postgresTypeOf } from "../../src/postgres/types.js";
import type { TestTable } from "./table.js";

/** Answers the number of rows that the server took. Throws what DuckDB, the encoder or the server has against it. */
export async function send(connection: DuckDBConnection, query: string, table: TestTable): Promise<number> {
  const described = await connection.runAndReadAll(`DESCRIBE ${query}`);
  const source = described
    .getRowObjects()
    .map((row) => ({ name: String(row.column_name), type: String(row.column_type) }));
  const wanted = source.map(({ name, type }) => {
    const postgresType = postgresTypeOf(type);
    assert(postgresType, `no Postgres type for ${type}`);
    return { name, type: postgresType };
  });
  const opened = await table.open(wanted);
  assert(opened.ok);
  const expressions = opened.value.map(({ name, type }, index) => {
    const cast = duckdbCastFor(type, source[index]!.type);
    assert(cast, `no cast from ${source[index]!.type} to ${type}`);
    return `${cast(`"${name}"`, (value) => `error('misfit: ' || CAST(${value} AS VARCHAR))`)} AS "${name}"`;
  });
  const result = await connection.stream(`SELECT ${expressions.join(", ")} FROM (${query})`);
  const types = result.columnTypes();
  const encoder = new CopyEncoder(
    opened.value.map(({ name, type }, index) => ({ name, postgresType: type, duckdbType: types[index]! })),
  );
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield copyHeader;
    for await (const chunk of result) yield* encoder.encode(chunk);
    yield copyTrailer;
  }
  const copied = await table.copy(bytes(), new AbortController().signal);
  if (!copied.ok) throw new Error("message" in copied.error ? copied.error.message : copied.error.reason);
  return copied.value;
}
