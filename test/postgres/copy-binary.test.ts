// Every DuckDB type, sent as COPY BINARY to a real server and read back as the text that Postgres writes.
import { strict as assert } from "node:assert";
import { after, before, describe, test } from "node:test";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { CopyValueError } from "../../src/postgres/copy-binary.js";
import { send } from "../rig/duckdb-copy.js";
import { startServer, type TestServer } from "../rig/postgres.js";
import { type TestTable, testTable } from "../rig/table.js";

let server: TestServer;
let table: TestTable;
let instance: DuckDBInstance;
let duckdb: DuckDBConnection;

before(async () => {
  server = await startServer();
  table = await testTable(server.url, "copied");
  instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  duckdb = await instance.connect();
  await duckdb.run("SET TimeZone = 'UTC'");
});

after(async () => {
  duckdb.closeSync();
  instance.closeSync();
  await table.end();
  await server.stop();
});

/** Sends the values with nulls before, between and after them, often enough for three chunks, and compares what arrives. */
async function arrives(
  duckdbType: string,
  postgresType: string,
  values: Readonly<Record<string, string>>,
  into: TestTable = table,
): Promise<void> {
  const cells = [
    ["NULL", null],
    ...Object.entries(values).flatMap(([sql, text]) => [
      [sql, text],
      ["NULL", null],
    ]),
  ];
  const repeats = Math.ceil(4_200 / cells.length);
  const list = cells.map(([sql], index) => `(${index}, CAST(${sql} AS ${duckdbType}))`).join(", ");
  await duckdb.run(
    `CREATE OR REPLACE TABLE given AS SELECT n * ${cells.length} + k AS i, v FROM range(${repeats}) r(n), (VALUES ${list}) t(k, v) ORDER BY i`,
  );
  assert.equal(await send(duckdb, "FROM given", into), repeats * cells.length);
  assert.equal(into.asked[1]!.type, postgresType);
  const expected = Array.from({ length: repeats }, () => cells.map(([, text]) => text)).flat();
  assert.deepEqual(
    (await into.texts()).map(([, text]) => text),
    expected,
  );
}

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const same = (...values: (string | number | bigint)[]) =>
  Object.fromEntries(values.map((value) => [`'${value}'`, `${value}`]));

describe("numbers", () => {
  test("booleans", () => arrives("BOOLEAN", "boolean", { true: "true", false: "false" }));

  test("integers of every width, at both ends", async () => {
    await arrives("TINYINT", "smallint", same(-128, 0, 127));
    await arrives("SMALLINT", "smallint", same(-32768, -1, 32767));
    await arrives("INTEGER", "integer", same(-2147483648, -1, 0, 2147483647));
    await arrives("BIGINT", "bigint", same("-9223372036854775808", -1, 0, 4294967296, "9223372036854775807"));
  });

  test("unsigned integers, which Postgres has not, become the next wider type", async () => {
    await arrives("UTINYINT", "smallint", same(0, 255));
    await arrives("USMALLINT", "integer", same(0, 65535));
    await arrives("UINTEGER", "bigint", same(0, 4294967295));
    await arrives("UBIGINT", "numeric(20,0)", same(0, 10000, "18446744073709551615"));
  });

  test("integers of 128 bits and of any size become numeric", async () => {
    const most = 2n ** 127n - 1n;
    await arrives(
      "HUGEINT",
      "numeric",
      same(-most - 1n, -10_000n, -1n, 0n, 9_999n, 10n ** 16n, 2n ** 48n, 2n ** 64n, most),
    );
    await arrives("UHUGEINT", "numeric", same(0n, 2n ** 64n, 2n ** 128n - 1n));
    await arrives("BIGNUM", "numeric", same(-(10n ** 100n), 0n, 12345n, 10n ** 60n + 7n));
  });

  test("decimals keep every digit and their scale, in each of the four widths that DuckDB keeps them in", async () => {
    await arrives("DECIMAL(4,1)", "numeric(4,1)", same("-999.9", "-0.1", "0.0", "10.0", "999.9"));
    await arrives("DECIMAL(4,4)", "numeric(4,4)", same("-0.9999", "0.0001", "0.1000"));
    await arrives(
      "DECIMAL(9,2)",
      "numeric(9,2)",
      same("-9999999.99", "-0.01", "0.00", "100.00", "12.30", "9999999.99"),
    );
    await arrives(
      "DECIMAL(18,3)",
      "numeric(18,3)",
      same("-999999999999999.999", "0.001", "70000.000", "281474976710.656", "999999999999999.999"),
    );
    await arrives(
      "DECIMAL(38,0)",
      "numeric(38,0)",
      same(`-${"9".repeat(38)}`, "0", "1", `1${"0".repeat(37)}`),
    );
    await arrives(
      "DECIMAL(38,37)",
      "numeric(38,37)",
      same(`-9.${"9".repeat(37)}`, `0.${"0".repeat(36)}1`, `1.${"0".repeat(37)}`),
    );
    await arrives("DECIMAL(25,10)", "numeric(25,10)", same("0.0000010000", "123456789012345.0000000001"));
  });

  test("floats keep their bits: NaN, infinities, -0, the smallest and the largest", async () => {
    const special = {
      "'NaN'": "NaN",
      "'inf'": "Infinity",
      "'-inf'": "-Infinity",
      "'-0.0'": "-0",
      "0": "0",
      "1.5": "1.5",
    };
    await arrives("DOUBLE", "double precision", {
      ...special,
      "5e-324": "5e-324",
      "-1.7976931348623157e308": "-1.7976931348623157e+308",
      "0.1": "0.1",
    });
    await arrives("FLOAT", "real", {
      ...special,
      "1e-45": "1e-45",
      "3.4028235e38": "3.4028235e+38",
      "0.1": "0.1",
    });
  });
});

describe("times", () => {
  test("dates before 1970, before Christ, after 9999, and the infinite ones", () =>
    arrives("DATE", "date", {
      ...same(
        "1970-01-01",
        "1969-12-31",
        "2000-01-01",
        "1999-12-31",
        "2024-02-29",
        "0001-01-01",
        "9999-12-31",
      ),
      "'4714-11-24 (BC)'": "4714-11-24 BC",
      "'0044-03-15 (BC)'": "0044-03-15 BC",
      "'10000-01-01'": "10000-01-01",
      "'5874897-12-31'": "5874897-12-31",
      "'infinity'": "infinity",
      "'-infinity'": "-infinity",
    }));

  test("timestamps to the microsecond, from the first that Postgres has to the last that DuckDB has", () =>
    arrives("TIMESTAMP", "timestamp without time zone", {
      ...same(
        "1970-01-01 00:00:00",
        "1969-12-31 23:59:59.999999",
        "2000-01-01 00:00:00",
        "1999-12-31 23:59:59.999999",
      ),
      ...same("1850-06-01 12:00:00.000001", "2262-04-12 00:00:00", "2999-12-31 23:59:59.5"),
      "'4714-11-24 (BC) 00:00:00'": "4714-11-24 00:00:00 BC",
      "'294247-01-10 04:00:54.775806'": "294247-01-10 04:00:54.775806",
      "'infinity'": "infinity",
      "'-infinity'": "-infinity",
    }));

  test("timestamps of other units and with a zone", async () => {
    const plain = same("1969-12-31 23:59:59", "2021-03-04 05:06:07");
    await arrives("TIMESTAMP_S", "timestamp without time zone", plain);
    await arrives("TIMESTAMP_MS", "timestamp without time zone", {
      ...plain,
      ...same("1900-01-01 00:00:00.001"),
    });
    await arrives("TIMESTAMP_NS", "timestamp without time zone", {
      ...plain,
      ...same("1700-01-01 00:00:00.000001"),
      "'infinity'": "infinity",
    });
    await arrives("TIMESTAMPTZ", "timestamp with time zone", {
      "'2021-03-04 05:06:07+01'": "2021-03-04 04:06:07+00",
      "'1800-01-01 00:00:00.000001+00'": "1800-01-01 00:00:00.000001+00",
      "'3000-01-01 00:00:00+00'": "3000-01-01 00:00:00+00",
      "'-infinity'": "-infinity",
    });
  });

  test("times of day, with and without an offset, and intervals", async () => {
    await arrives(
      "TIME",
      "time without time zone",
      same("00:00:00", "12:34:56.789012", "23:59:59.999999", "24:00:00"),
    );
    await arrives("TIME_NS", "time without time zone", same("00:00:00", "23:59:59.999999"));
    await arrives(
      "TIMETZ",
      "time with time zone",
      same("00:00:00+00", "12:34:56.789012-05:30", "23:59:59.999999+15:59:59", "01:00:00-15:59:59"),
    );
    await arrives("INTERVAL", "interval", {
      "'1 year 2 months 3 days 04:05:06.789'": "1 year 2 mons 3 days 04:05:06.789",
      "'-1 month 2 days -0.000001 seconds'": "-1 mons +2 days -00:00:00.000001",
      "'0 days'": "00:00:00",
    });
  });

  test("what Postgres cannot hold is refused with its column and row, and no row stays", async () => {
    const refused = async (query: string, row: number, text: string) => {
      await assert.rejects(send(duckdb, query, table), (error) => {
        assert(error instanceof CopyValueError);
        assert.deepEqual([error.column.name, error.row, error.text], ["v", row, text]);
        return true;
      });
      assert.deepEqual(await table.texts(), []);
    };
    await refused(
      "SELECT CASE WHEN i = 2500 THEN DATE '4714-11-23 (BC)' END AS v FROM range(5000) t(i)",
      2501,
      "4714-11-23 (BC)",
    );
    await refused("SELECT DATE '5874898-01-01' AS v", 1, "5874898-01-01");
    await refused("SELECT TIMESTAMP '290309-12-22 (BC) 00:00:00' AS v", 1, "290309-12-22 (BC) 00:00:00");
    await refused(
      "SELECT TIMESTAMP '4714-11-23 (BC) 23:59:59.999999' AS v",
      1,
      "4714-11-23 (BC) 23:59:59.999999",
    );
    await refused(
      "SELECT [NULL, TIMESTAMP '4715-01-01 (BC) 00:00:00'] AS v FROM range(3)",
      1,
      "4715-01-01 (BC) 00:00:00",
    );
  });

  test("nanoseconds that are no whole microseconds are refused, not cut", async () => {
    await assert.rejects(
      send(duckdb, "SELECT TIMESTAMP_NS '2020-01-01 00:00:00.123456789' AS v", table),
      /misfit: 2020-01-01 00:00:00\.123456789/,
    );
    await assert.rejects(
      send(duckdb, "SELECT TIME_NS '00:00:00.000000001' AS v", table),
      /misfit: 00:00:00\.000000001/,
    );
  });
});

describe("text, bytes and the like", () => {
  test("text of any script and length", async () => {
    const letters = [
      "",
      "a",
      "twelve bytes",
      "thirteen byte",
      "naïve café",
      "日本語のテキスト",
      "👩‍👩‍👧 and 𝄞",
      "back\\slash\tand\nline",
      "x".repeat(47),
      "y".repeat(48),
      "z".repeat(49),
      "é".repeat(5000),
    ];
    await arrives("VARCHAR", "text", Object.fromEntries(letters.map((text) => [`'${text}'`, text])));
  });

  test("texts of a megabyte, more of them than one buffer holds", async () => {
    const query = "SELECT repeat(chr(97 + i::INTEGER), 1000000 + i::INTEGER) AS v FROM range(12) t(i)";
    assert.equal(await send(duckdb, query, table), 12);
    const { rows } = await table.client.query(
      "SELECT length(v) AS n, rtrim(v, left(v, 1)) AS rest, left(v, 1) AS letter FROM copied ORDER BY n",
    );
    assert.deepEqual(
      rows,
      Array.from({ length: 12 }, (_, i) => ({
        n: 1_000_000 + i,
        rest: "",
        letter: String.fromCharCode(97 + i),
      })),
    );
  });

  test("text with NUL, short or long, is refused with its column and row", async () => {
    for (const tail of ["", " and so long that it is not in the vector itself"]) {
      const query = `SELECT 1 AS a, CASE WHEN i = 3000 THEN 'x' || chr(0) || '${tail}' ELSE 'plain${tail}' END AS v FROM range(5000) t(i)`;
      await assert.rejects(send(duckdb, query, table), { row: 3001, text: `x\0${tail}`, problem: /NUL/ });
    }
  });

  test("bytes, UUIDs, bits and enums", async () => {
    await arrives("BLOB", "bytea", {
      "''": "\\x",
      "'\\x00\\xFF\\x0A'": "\\x00ff0a",
      "repeat('\\x00', 100)": `\\x${"00".repeat(100)}`,
    });
    await arrives(
      "UUID",
      "uuid",
      same(
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
      ),
    );
    await arrives("BIT", "bit varying", same("0", "1", "0101", "10000000", "100000001", "01".repeat(100)));
    await arrives("ENUM('small', 'it''s large', '')", "text", {
      "'small'": "small",
      "'it''s large'": "it's large",
      "''": "",
    });
  });

  test("a column that is null in every row, of a type or of none", async () => {
    await send(
      duckdb,
      "SELECT NULL AS a, NULL::DOUBLE AS b, NULL::VARCHAR AS c, NULL::INTEGER[] AS d FROM range(3000)",
      table,
    );
    assert.deepEqual(
      table.asked.map(({ type }) => type),
      ["integer", "double precision", "text", "integer[]"],
    );
    assert.deepEqual(await table.texts(), Array(3000).fill([null, null, null, null]));
  });

  test("no rows at all", async () => {
    assert.equal(await send(duckdb, "SELECT 1 AS a, 'x' AS b, [1] AS c WHERE false", table), 0);
    assert.deepEqual(await table.texts(), []);
  });
});

describe("lists and structs", () => {
  test("lists become arrays: a null list, an empty one and one of a null are three things", async () => {
    await arrives("INTEGER[]", "integer[]", {
      "[]": "{}",
      "[NULL]": "{NULL}",
      "[1, NULL, -3]": "{1,NULL,-3}",
      "range(40)": `{${[...Array(40).keys()]}}`,
    });
    await arrives("VARCHAR[]", "text[]", {
      "['a', '', NULL, 'longer than twelve bytes', 'NULL', 'q\"uote']":
        '{a,"",NULL,"longer than twelve bytes","NULL","q\\"uote"}',
    });
    await arrives("DECIMAL(9,2)[]", "numeric(9,2)[]", { "[1.50, NULL, -0.01]": "{1.50,NULL,-0.01}" });
    await arrives("TIMESTAMP[]", "timestamp without time zone[]", {
      "['2020-01-01 00:00:00']": '{"2020-01-01 00:00:00"}',
    });
    await arrives("BOOLEAN[]", "boolean[]", { "[true, false]": "{t,f}" });
    await arrives("UUID[]", "uuid[]", {
      "['6ba7b810-9dad-11d1-80b4-00c04fd430c8']": "{6ba7b810-9dad-11d1-80b4-00c04fd430c8}",
    });
    await arrives("UTINYINT[]", "smallint[]", { "[255]": "{255}" });
  });

  test("a list of fixed length is a list", () =>
    arrives("DOUBLE[2]", "double precision[]", { "[1.5, NULL]": "{1.5,NULL}" }));

  test("lists of lists may be ragged, so they are jsonb", () =>
    arrives("INTEGER[][]", "jsonb", { "[[1, 2], [], NULL, [3]]": "[[1, 2], [], null, [3]]", "[]": "[]" }));

  test("structs, maps, unions and lists of structs become jsonb, numbers with all their digits", async () => {
    await arrives('STRUCT(a INTEGER, "b c" VARCHAR)', "jsonb", {
      "{'a': 1, 'b c': 'x'}": '{"a": 1, "b c": "x"}',
      "{'a': NULL, 'b c': NULL}": '{"a": null, "b c": null}',
    });
    await arrives("STRUCT(d DECIMAL(30,2), h HUGEINT)", "jsonb", {
      "{'d': 12345678901234567890.10, 'h': 170141183460469231731687303715884105727}":
        '{"d": 12345678901234567890.10, "h": 170141183460469231731687303715884105727}',
    });
    await arrives("MAP(VARCHAR, INTEGER)", "jsonb", {
      "MAP {'x': 1, 'y': NULL}": '{"x": 1, "y": null}',
      "MAP {}": "{}",
    });
    await arrives("UNION(n INTEGER, s VARCHAR)", "jsonb", { "'word'": '{"s": "word"}' });
    await arrives("STRUCT(t TIMESTAMP, l INTEGER[])[]", "jsonb", {
      "[{'t': '2020-01-01', 'l': [1]}, NULL]": '[{"l": [1], "t": "2020-01-01 00:00:00"}, null]',
    });
  });

  test("JSON stays what it is, and Postgres parses it", () => {
    const words = '{"a": [1, 2.50, null], "b": "NaN and \\\\u0000 as words"}';
    return arrives("JSON", "jsonb", { [quoted(words)]: words, "'null'": "null", "'1'": "1" });
  });

  test("what is no JSON to Postgres is refused with its column and row", async () => {
    await assert.rejects(
      send(
        duckdb,
        "SELECT {'a': CASE WHEN i = 7 THEN 'NaN'::DOUBLE ELSE 1 END} AS v FROM range(9) t(i)",
        table,
      ),
      { row: 8, problem: /NaN/ },
    );
    await assert.rejects(send(duckdb, "SELECT {'some longer name': '-inf'::DOUBLE} AS v", table), {
      row: 1,
      problem: /Infinity/,
    });
    await assert.rejects(send(duckdb, "SELECT {'a': 'x' || chr(0)} AS v", table), { row: 1, problem: /NUL/ });
    await assert.rejects(send(duckdb, `SELECT '["\\u0000"]'::JSON AS v`, table), { row: 1, problem: /NUL/ });
    await assert.rejects(send(duckdb, `SELECT ['no', 'x' || chr(0)] AS v FROM range(4)`, table), {
      row: 1,
      problem: /NUL/,
    });
  });
});

/** A type, SQL for its values, and the values that come back. */
interface Kind {
  readonly type: string;
  readonly value: fc.Arbitrary<{ readonly sql: string; readonly text: string }>;
  /** Makes one text of all those that Postgres may write for a value. */
  readonly normal?: (text: string) => string;
}

const whole = (type: string, min: bigint, max: bigint): Kind => ({
  type,
  value: fc.bigInt({ min, max }).map((value) => ({ sql: quoted(String(value)), text: String(value) })),
});
const decimalKind = (width: number, scale: number): Kind => ({
  type: `DECIMAL(${width},${scale})`,
  value: fc.bigInt({ min: -(10n ** BigInt(width)) + 1n, max: 10n ** BigInt(width) - 1n }).map((value) => {
    const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
    const text = `${value < 0n ? "-" : ""}${digits.slice(0, digits.length - scale)}${scale > 0 ? `.${digits.slice(-scale)}` : ""}`;
    return { sql: quoted(text), text };
  }),
});
const letters = fc.string({ unit: "binary", maxLength: 60 }).filter((text) => !text.includes("\0"));
const kinds: readonly Kind[] = [
  whole("SMALLINT", -(2n ** 15n), 2n ** 15n - 1n),
  whole("INTEGER", -(2n ** 31n), 2n ** 31n - 1n),
  whole("BIGINT", -(2n ** 63n), 2n ** 63n - 1n),
  whole("UBIGINT", 0n, 2n ** 64n - 1n),
  whole("HUGEINT", -(2n ** 127n), 2n ** 127n - 1n),
  ...[
    [3, 0],
    [4, 4],
    [9, 5],
    [18, 1],
    [18, 18],
    [38, 6],
    [38, 38],
  ].map(([width, scale]) => decimalKind(width!, scale!)),
  { type: "BOOLEAN", value: fc.boolean().map((value) => ({ sql: String(value), text: String(value) })) },
  {
    type: "DOUBLE",
    value: fc
      .double({ noDefaultInfinity: true, noNaN: true })
      .map((value) => ({ sql: quoted(Object.is(value, -0) ? "-0.0" : String(value)), text: String(value) })),
    normal: (text) => String(Number(text)),
  },
  { type: "VARCHAR", value: letters.map((text) => ({ sql: quoted(text), text })) },
  {
    type: "BLOB",
    value: fc.uint8Array({ maxLength: 40 }).map((bytes) => {
      const hex = Buffer.from(bytes).toString("hex");
      return { sql: `from_hex('${hex}')`, text: `\\x${hex}` };
    }),
  },
  {
    type: "TIMESTAMP",
    value: fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }).map((ms) => {
      const text = new Date(ms).toISOString().replace("T", " ").replace("Z", "");
      return { sql: quoted(text), text };
    }),
    normal: (text) => (text.includes(".") ? text : `${text}.`).padEnd(23, "0"),
  },
  {
    type: "INTEGER[]",
    value: fc
      .array(fc.option(fc.integer(), { nil: "NULL" }), { maxLength: 5 })
      .map((items) => ({ sql: `[${items}]::INTEGER[]`, text: `{${items}}` })),
  },
];

test("whatever the columns, types, values and nulls: the rows that arrive are the rows that were sent", async () => {
  const column = fc.constantFrom(...kinds).chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      cells: fc.array(fc.option(kind.value, { freq: 3 }), { minLength: 40, maxLength: 40 }),
    }),
  );
  const shape = fc.record({
    columns: fc.array(column, { minLength: 1, maxLength: 6 }),
    rows: fc.integer({ min: 1, max: 40 }),
    repeats: fc.constantFrom(1, 110),
  });
  await fc.assert(
    fc.asyncProperty(shape, async ({ columns, rows, repeats }) => {
      const row = (k: number) =>
        [k, ...columns.map(({ kind, cells }) => `CAST(${cells[k]?.sql ?? "NULL"} AS ${kind.type})`)].join(
          ", ",
        );
      const values = Array.from({ length: rows }, (_, k) => `(${row(k)})`).join(", ");
      const names = columns.map((_, c) => `c${c}`).join(", ");
      await duckdb.run(
        `CREATE OR REPLACE TABLE given AS SELECT n * ${rows} + k AS i, ${names} FROM range(${repeats}) r(n), (VALUES ${values}) t(k, ${names})`,
      );
      assert.equal(await send(duckdb, "FROM given", table), rows * repeats);
      const found = (await table.texts()).map((texts) =>
        columns.map(({ kind }, c) =>
          texts[c + 1] == null || !kind.normal ? texts[c + 1] : kind.normal(texts[c + 1]!),
        ),
      );
      const expected = Array.from({ length: rows * repeats }, (_, i) =>
        columns.map(({ cells }) => cells[i % rows]?.text ?? null),
      );
      assert.deepEqual(found, expected);
    }),
    { numRuns: 40 },
  );
});
