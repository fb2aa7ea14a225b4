// Which Postgres type a DuckDB type becomes, and by which checked cast a column fits a table that has another one.
import { strict as assert } from "node:assert";
import { after, before, describe, test } from "node:test";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { duckdbCastFor } from "../../src/postgres/copy-cast.js";
import { parsePostgresType, postgresTypeOf } from "../../src/postgres/types.js";
import { send } from "../rig/duckdb-copy.js";
import { startServer, type TestServer } from "../rig/postgres.js";
import { testTable } from "../rig/table.js";

describe("a DuckDB type has one Postgres type, whatever the rows", () => {
  const pairs: Readonly<Record<string, string | undefined>> = {
    BOOLEAN: "boolean",
    UTINYINT: "smallint",
    USMALLINT: "integer",
    UINTEGER: "bigint",
    UBIGINT: "numeric(20,0)",
    UHUGEINT: "numeric",
    "DECIMAL(18,3)": "numeric(18,3)",
    FLOAT: "real",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    TIMESTAMP_NS: "timestamp without time zone",
    "TIME WITH TIME ZONE": "time with time zone",
    '"NULL"': "text",
    "ENUM('a,b', 'it''s [1]')": "text",
    "INTEGER[3]": "integer[]",
    "DECIMAL(9,2)[]": "numeric(9,2)[]",
    "JSON[]": "jsonb[]",
    "INTEGER[][]": "jsonb",
    "STRUCT(a INTEGER)[]": "jsonb",
    'STRUCT("a, b" DECIMAL(9,2), "c""d)" VARCHAR[])': "jsonb",
    "MAP(VARCHAR, STRUCT(a INTEGER, b MAP(INTEGER, DATE)))": "jsonb",
    "UNION(n INTEGER, s VARCHAR)": "jsonb",
    GEOMETRY: undefined,
    VARIANT: undefined,
    "GEOMETRY[]": undefined,
    "STRUCT(a INTEGER, g GEOMETRY)": undefined,
    "": undefined,
  };
  for (const [duckdb, postgres] of Object.entries(pairs)) {
    test(`\`${duckdb}\` becomes \`${postgres}\``, () => assert.equal(postgresTypeOf(duckdb), postgres));
  }
});

test("Postgres' types are read as Postgres and as people spell them; those that would round are not", () => {
  const read = (text: string) => {
    const type = parsePostgresType(text);
    return type && `${type.name}|${type.modifiers}|${type.array}`;
  };
  assert.equal(read("timestamptz"), "timestamp with time zone||false");
  assert.equal(read("timestamp(6) without time zone"), "timestamp without time zone|6|false");
  assert.equal(read("NUMERIC(10, 2)[]"), "numeric|10,2|true");
  assert.equal(read("varchar(20)"), "character varying|20|false");
  assert.equal(read("timestamp(3) with time zone"), undefined);
  assert.equal(read("interval day to second"), undefined);
  assert.equal(read("inet"), undefined);
  assert.equal(read("constructor"), undefined);
});

describe("into a table that has another type already", () => {
  let server: TestServer;
  let instance: DuckDBInstance;
  let duckdb: DuckDBConnection;

  before(async () => {
    server = await startServer();
    instance = await DuckDBInstance.create(":memory:", { threads: "1" });
    duckdb = await instance.connect();
  });

  after(async () => {
    duckdb.closeSync();
    instance.closeSync();
    await server.stop();
  });

  /** Sends a null and the value into a column of the given type. */
  async function into(postgresType: string, value: string): Promise<string | null | undefined> {
    const table = await testTable(server.url, "other", { v: postgresType });
    try {
      await send(duckdb, `SELECT i, CASE WHEN i = 1 THEN ${value} END AS v FROM range(2) t(i)`, table);
      const texts = await table.texts();
      assert.equal(texts[0]![1], null);
      return texts[1]![1];
    } finally {
      await table.end();
    }
  }

  const arrivals: readonly (readonly [value: string, postgresType: string, text: string])[] = [
    ["7::TINYINT", "bigint", "7"],
    ["7::BIGINT", "smallint", "7"],
    ["7.0::DOUBLE", "bigint", "7"],
    ["-0.0::DOUBLE", "integer", "0"],
    ["7.00::DECIMAL(9,2)", "integer", "7"],
    ["9007199254740992::BIGINT", "double precision", "9.007199254740992e+15"],
    ["12.34::DECIMAL(9,2)", "double precision", "12.34"],
    ["16777216::INTEGER", "real", "1.6777216e+07"],
    ["0.5::DOUBLE", "real", "0.5"],
    ["'NaN'::DOUBLE", "real", "NaN"],
    ["7::INTEGER", "numeric(10,2)", "7.00"],
    ["12.34::DOUBLE", "numeric(10,2)", "12.34"],
    ["12.34::FLOAT", "numeric(10,2)", "12.34"],
    ["12.30::DECIMAL(9,2)", "numeric(20,1)", "12.3"],
    ["12.34::DECIMAL(9,2)", "numeric(50,10)", "12.3400000000"],
    ["1e300::DOUBLE", "numeric", `1${"0".repeat(300)}`],
    ["-1.5e-7::DOUBLE", "numeric", "-0.00000015"],
    ["123456.789::DOUBLE", "numeric", "123456.789"],
    ["0.1::FLOAT", "numeric", "0.1"],
    ["'NaN'::DOUBLE", "numeric", "NaN"],
    ["'-inf'::DOUBLE", "numeric", "-Infinity"],
    ["18446744073709551615::UBIGINT", "numeric", "18446744073709551615"],
    ["DATE '2021-02-03'", "timestamp", "2021-02-03 00:00:00"],
    ["'-infinity'::DATE", "timestamp", "-infinity"],
    ["TIMESTAMP '2021-02-03 00:00:00'", "date", "2021-02-03"],
    ["12::INTEGER", "text", "12"],
    ["1.50::DECIMAL(9,2)", "text", "1.50"],
    ["true", "text", "true"],
    ["{'a': 1}", "text", '{"a":1}'],
    ["'abc'", "varchar(3)", "abc"],
    ["'日本語'", "varchar(3)", "日本語"],
    ["'6ba7b810-9dad-11d1-80b4-00c04fd430c8'", "uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
    [`'{"a": 1}'`, "jsonb", '{"a": 1}'],
    [`'{"a":  1}'::JSON`, "json", '{"a":  1}'],
    ["'101'::BIT", "bit(3)", "101"],
    ["[1, NULL]::INTEGER[]", "bigint[]", "{1,NULL}"],
    ["[1.0, NULL]::DOUBLE[]", "integer[]", "{1,NULL}"],
    ["[1, 2]::INTEGER[]", "numeric(9,1)[]", "{1.0,2.0}"],
  ];
  for (const [value, postgresType, text] of arrivals) {
    test(`${value} arrives in \`${postgresType}\` as ${text.slice(0, 30)}`, async () =>
      assert.equal(await into(postgresType, value), text));
  }

  const misfits: readonly (readonly [value: string, postgresType: string])[] = [
    ["32768::INTEGER", "smallint"],
    ["'-9223372036854775808'::BIGINT", "integer"],
    ["18446744073709551615::UBIGINT", "bigint"],
    ["0.5::DOUBLE", "bigint"],
    ["1.5::DECIMAL(9,1)", "integer"],
    ["1e19::DOUBLE", "bigint"],
    ["'NaN'::DOUBLE", "integer"],
    ["9007199254740993::BIGINT", "double precision"],
    ["9223372036854775807::BIGINT", "double precision"],
    ["16777217::INTEGER", "real"],
    ["0.1::DOUBLE", "real"],
    ["1e39::DOUBLE", "real"],
    ["0.1234567890123456789::DECIMAL(19,19)", "double precision"],
    ["1.005::DOUBLE", "numeric(10,2)"],
    ["1.005::DECIMAL(9,3)", "numeric(10,2)"],
    ["100::INTEGER", "numeric(4,2)"],
    ["'inf'::DOUBLE", "numeric(10,2)"],
    ["TIMESTAMP '2021-02-03 00:00:01'", "date"],
    ["DATE '300000-01-01'", "timestamp"],
    ["'abcd'", "varchar(3)"],
    ["'abc '", "varchar(3)"],
    ["'no uuid'", "uuid"],
    ["[1.0, 0.5]::DOUBLE[]", "integer[]"],
  ];
  for (const [value, postgresType] of misfits) {
    test(`${value} stops at \`${postgresType}\` and is neither rounded nor cut`, () =>
      assert.rejects(into(postgresType, value), /misfit: /));
  }

  test("what has another meaning has no cast: the pair is refused before a row is read", () => {
    const pairs: readonly (readonly [duckdb: string, postgres: string])[] = [
      ["TIMESTAMP", "timestamptz"],
      ["TIMESTAMP WITH TIME ZONE", "timestamp"],
      ["DATE", "timestamptz"],
      ["VARCHAR", "double precision"],
      ["VARCHAR", "date"],
      ["BLOB", "text"],
      ["BOOLEAN", "integer"],
      ["INTEGER", "boolean"],
      ["INTEGER[]", "integer"],
      ["INTEGER", "integer[]"],
      ["INTEGER[][]", "integer[]"],
      ["DOUBLE", "numeric(3,-2)"],
      ["DOUBLE", "numeric(50,2)"],
      ["TIMESTAMP", "timestamp(3)"],
      ["VARCHAR", "inet"],
      ["GEOMETRY", "text"],
    ];
    for (const [duckdbType, postgresType] of pairs)
      assert.equal(duckdbCastFor(postgresType, duckdbType), undefined, `${duckdbType} into ${postgresType}`);
  });
});
