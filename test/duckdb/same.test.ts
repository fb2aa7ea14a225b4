// The story of a parquet file that is written anew: it says the same, or it does not, and in doubt it does not.
import { strict as assert } from "node:assert";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DuckDBInstance } from "@duckdb/node-api";
import { sayTheSame } from "../../src/duckdb/same.js";

const home = process.cwd();
const folder = mkdtempSync(join(tmpdir(), "dmake-same-"));
let instance: DuckDBInstance;

before(async () => {
  process.chdir(folder);
  instance = await DuckDBInstance.create(":memory:");
});

after(() => {
  instance.closeSync();
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

async function write(name: string, select: string, options = "COMPRESSION snappy"): Promise<string> {
  const connection = await instance.connect();
  await connection.run(`COPY (${select}) TO '${name}' (FORMAT parquet, ${options})`);
  connection.closeSync();
  return name;
}

/** Written otherwise: another codec, other row groups. */
const otherwise = "COMPRESSION zstd, ROW_GROUP_SIZE 2048";

/** Both ways round, so that neither file is the measure of the other. */
async function same(one: string, other: string): Promise<boolean> {
  const [there, back] = [await sayTheSame(one, other), await sayTheSame(other, one)];
  assert.equal(there, back, `${one} against ${other} depends on which comes first`);
  return there;
}

const selectsAreSame = async (one: string, other: string): Promise<boolean> =>
  same(await write("one.parquet", one), await write("other.parquet", other, otherwise));

const trips = `SELECT i AS id, i / 7 AS fare, 'zone ' || (i % 260) AS zone, CASE WHEN i % 3 > 0 THEN i % 2 = 0 END AS paid,
  TIMESTAMP '2023-01-01' + to_seconds(i) AS at, (i % 1000)::DECIMAL(9,2) AS tip, [i, NULL] AS stops, {'a': i, 'b': [i / 2]} AS deep
  FROM range(20000) t(i)`;

describe("the same", () => {
  test("however it is compressed, grouped, encoded and remarked upon", async () => {
    const plain = await write("plain.parquet", trips);
    for (const options of [
      otherwise,
      "COMPRESSION uncompressed, PARQUET_VERSION v2",
      "COMPRESSION gzip, ROW_GROUP_SIZE 5000, KV_METADATA {written: 'yesterday'}",
    ])
      assert.ok(await same(plain, await write("again.parquet", trips, options)), options);
  });

  test("values that equal nothing, not even themselves", async () => {
    assert.ok(
      await selectsAreSame(...twice("SELECT 'nan'::DOUBLE AS d, 'nan'::FLOAT AS f, ['nan'::DOUBLE] AS l")),
    );
    assert.ok(await selectsAreSame("SELECT '-nan'::DOUBLE AS d", "SELECT 'nan'::DOUBLE AS d"));
    assert.ok(await selectsAreSame(...twice("SELECT NULL::INTEGER AS a, NULL::DOUBLE AS b, [NULL, 1] AS c")));
    assert.ok(await selectsAreSame(...twice("SELECT 'infinity'::TIMESTAMP AS t, '-infinity'::DOUBLE AS d")));
  });

  test("whatever its columns are called", async () => {
    const names = [
      `a "b"`,
      "a.b",
      "a b",
      "A",
      "a",
      "one",
      "other",
      "select",
      "",
      "zürich 🚕",
      "'",
      "*",
      "rowid",
    ];
    const columns = names.filter(Boolean).map((name, i) => `${i} AS "${name.replaceAll('"', '""')}"`);
    const select = `SELECT ${columns.filter((column) => !/ AS "a"$/.test(column)).join(", ")}`;
    assert.ok(await selectsAreSame(select, select));
    assert.ok(!(await selectsAreSame(select, select.replace("3 AS", "99 AS"))));
  });

  test("without rows, and with every type", async () => {
    assert.ok(await selectsAreSame(...twice("SELECT 1 AS a, 'x' AS b WHERE false")));
    const types = `SELECT true AS a, 1::UTINYINT AS b, 1::HUGEINT AS c, DATE '2023-01-01' AS d, TIME '12:00:01.5' AS e,
      TIMESTAMP_NS '2023-01-01 00:00:00.123456789' AS f, TIMESTAMPTZ '2023-01-01 00:00:00+02' AS g, INTERVAL '1 month 2 days' AS h,
      uuid '00000000-0000-0000-0000-000000000001' AS i, '\\x00\\xFF'::BLOB AS j, 1.5::DECIMAL(38,10) AS k, '{"a":1}'::JSON AS l,
      MAP {'a': 1.5} AS m, 'x'::ENUM('x', 'y') AS n, TIMETZ '12:00:00+02' AS o, 1.5::FLOAT AS p, {'x': NULL} AS q`;
    assert.ok(await selectsAreSame(types, types));
  });
});

const twice = (select: string): [string, string] => [select, select];

describe("not the same", () => {
  const differences: Record<string, readonly [string, string]> = {
    "one value among many": [
      trips,
      trips.replace("'zone ' || (i % 260)", "'zone ' || (i % 260 + (i = 19999)::INT)"),
    ],
    "one value within a value": [trips, trips.replace("[i / 2]", "[i / 2 + (i = 12345)::INT]")],
    "one null": [trips, trips.replace("i % 3 > 0", "i % 3 > 0 AND i <> 10000")],
    "rows in another order": [
      trips,
      `${trips} ORDER BY CASE WHEN i = 9 THEN 10 WHEN i = 10 THEN 9 ELSE i END`,
    ],
    "a row less": [trips, trips.replace("range(20000)", "range(19999)")],
    "a null row more": ["SELECT NULL::INTEGER AS a", "SELECT NULL::INTEGER AS a FROM range(2)"],
    "no rows": [trips, `${trips} WHERE false`],
    "columns in another order": ["SELECT 1 AS a, 1 AS b", "SELECT 1 AS b, 1 AS a"],
    "a column's name": ["SELECT 1 AS a", "SELECT 1 AS b"],
    "a column's case": ["SELECT 1 AS a", "SELECT 1 AS A"],
    "a field's name": ["SELECT {'a': 1} AS a", "SELECT {'b': 1} AS a"],
    "a column more": ["SELECT 1 AS a", "SELECT 1 AS a, NULL AS b"],
    "a wider type": ["SELECT 1::INTEGER AS a", "SELECT 1::BIGINT AS a"],
    "a signed type": ["SELECT 1::UINTEGER AS a", "SELECT 1::INTEGER AS a"],
    "digits of a decimal": ["SELECT 1::DECIMAL(9,2) AS a", "SELECT 1::DECIMAL(10,2) AS a"],
    "the unit of a timestamp": [
      "SELECT TIMESTAMP '2023-01-01' AS a",
      "SELECT TIMESTAMP_MS '2023-01-01' AS a",
    ],
    "a time zone": ["SELECT TIMESTAMP '2023-01-01' AS a", "SELECT TIMESTAMPTZ '2023-01-01 00:00:00+00' AS a"],
    "text or bytes": ["SELECT 'a' AS a", "SELECT 'a'::BLOB AS a"],
    "text or JSON": ["SELECT '1' AS a", "SELECT '1'::JSON AS a"],
    "an empty text and null": ["SELECT '' AS a", "SELECT NULL::VARCHAR AS a"],
    "a null struct and a struct of null": ["SELECT {'a': NULL::INT} AS a", "SELECT NULL::STRUCT(a INT) AS a"],
    "an empty list and null": ["SELECT []::INT[] AS a", "SELECT NULL::INT[] AS a"],
    "a trailing space": ["SELECT 'a' AS a", "SELECT 'a ' AS a"],
    "the sign of zero": ["SELECT 0.0::DOUBLE AS a", "SELECT '-0.0'::DOUBLE AS a"],
    "the sign of a small zero": ["SELECT 0.0::FLOAT AS a", "SELECT '-0.0'::FLOAT AS a"],
    "the sign of zero within": ["SELECT [{'z': 0.0::DOUBLE}] AS a", "SELECT [{'z': '-0.0'::DOUBLE}] AS a"],
    "a month and 30 days": ["SELECT INTERVAL 1 MONTH AS a", "SELECT INTERVAL 30 DAY AS a"],
    "a month and 30 days within": ["SELECT [INTERVAL 1 MONTH] AS a", "SELECT [INTERVAL 30 DAY] AS a"],
    "not a number and null": ["SELECT 'nan'::DOUBLE AS a", "SELECT NULL::DOUBLE AS a"],
    "the last bit of a double": ["SELECT 0.3::DOUBLE AS a", "SELECT 0.1::DOUBLE + 0.2::DOUBLE AS a"],
  };
  for (const [what, [one, other]] of Object.entries(differences))
    test(what, async () => assert.equal(await selectsAreSame(one, other), false));

  test("a remark that tells readers what the values are", async () => {
    const remarked = (schema: string) =>
      `COMPRESSION zstd, KV_METADATA {'ARROW:schema': '${schema}', note: '${schema}'}`;
    const select = "SELECT 60 AS lasted";
    const duration = await write("duration.parquet", select, remarked("duration"));
    assert.ok(await same(duration, await write("again.parquet", select, remarked("duration"))));
    assert.ok(!(await same(duration, await write("number.parquet", select, remarked("int64")))));
    assert.ok(!(await same(duration, await write("number.parquet", select))));
  });
});

/** Replaces bytes of a file's footer, in hex; each must be there. */
function withFooter(name: string, changes: Readonly<Record<string, string>>): void {
  const file = readFileSync(name);
  const [end, start] = [file.length - 8, file.length - 8 - file.readUInt32LE(file.length - 8)];
  let footer = file.toString("hex", start, end);
  for (const [from, to] of Object.entries(changes)) {
    assert.ok(footer.includes(from), `${from} is not in ${footer}`);
    footer = footer.replaceAll(from, to);
  }
  const bytes = Buffer.from(footer, "hex");
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  writeFileSync(name, Buffer.concat([file.subarray(0, start), bytes, length, Buffer.from("PAR1")]));
}

async function readAlike(one: string, other: string): Promise<boolean> {
  const connection = await instance.connect();
  const values = await connection.runAndReadAll(
    `SELECT count(DISTINCT a) AS n FROM read_parquet(['${one}', '${other}'])`,
  );
  connection.closeSync();
  return values.getRows()[0]![0] === 1n;
}

describe("in doubt", () => {
  test("what is no parquet file, or none any more, says nothing", async () => {
    const good = await write("good.parquet", "SELECT 1 AS a");
    mkdirSync("folder.parquet");
    writeFileSync("text.parquet", "a,b\n1,2\n");
    writeFileSync("empty.parquet", "");
    // The magic of an encrypted footer, and of a file that is cut.
    writeFileSync("encrypted.parquet", "PARE0123456789abcdef\x08\0\0\0PARE");
    writeFileSync("cut.parquet", "PAR10123456789");
    for (const bad of ["text", "empty", "encrypted", "cut", "folder", "vanished"])
      assert.equal(await same(good, `${bad}.parquet`), false, bad);
    assert.equal(await sayTheSame("text.parquet", "text.parquet"), false);
  });

  test("a name is a name, and no pattern of names", async () => {
    const odd = await write("a[b]*?.parquet", "SELECT 1 AS a");
    assert.ok(await same(odd, await write("it''s=1.parquet", "SELECT 1 AS a").then(() => "it's=1.parquet")));
    await write("ab1.parquet", "SELECT 2 AS a");
    assert.ok(!(await same(odd, "ab1.parquet")));
  });

  test("a column that DuckDB would not compare by its value", async () => {
    assert.equal(await selectsAreSame(...twice("SELECT 5::VARIANT AS a")), false);
    assert.equal(await selectsAreSame(...twice("SELECT 1 AS file_row_number")), false);
  });

  // What DuckDB cannot write, it can be made to read: its own file with another footer.
  const lossy: Record<string, { select: (n: number) => string; footer: Readonly<Record<string, string>> }> = {
    "96 bits of nanoseconds": {
      select: (n) => `to_months(${n}) + to_milliseconds(2459946)`,
      footer: { "150e15181502180161252a00": "15061518150218016100", "1c150e19": "1c150619" },
    },
    "nanoseconds of a time": {
      select: (n) => `TIME '12:00:00' + to_microseconds(${n})`,
      footer: { "25104c7c121c2c": "6c7c121c3c" },
    },
    "nanoseconds of an instant": {
      select: (n) => `make_timestamp_ns(${n})`,
      footer: { "8c121c3c": "8c111c3c" },
    },
    "a decimal of 39 digits": {
      select: (n) => `(10::HUGEINT ** 37 + ${n})::DECIMAL(38, 0)`,
      footer: { "154c2c5c1500154c": "154e2c5c1500154e" },
    },
  };
  for (const [what, { select, footer }] of Object.entries(lossy))
    test(`${what} are more than DuckDB reads`, async () => {
      for (const n of [1, 2]) {
        await write(`lossy${n}.parquet`, `SELECT ${select(n)} AS a`, "COMPRESSION uncompressed");
        withFooter(`lossy${n}.parquet`, footer);
      }
      assert.equal(await same("lossy1.parquet", "lossy2.parquet"), false);
      assert.equal(await readAlike("lossy1.parquet", "lossy2.parquet"), true, "else it would be no loss");
    });

  test("a column that may be null, and one that may not", async () => {
    const nullable = await write("nullable.parquet", "SELECT 1 AS a WHERE false");
    const required = await write("required.parquet", "SELECT 1 AS a WHERE false");
    withFooter(required, { "25021801": "25001801" });
    assert.ok(!(await same(nullable, required)));
  });

  test("two columns that differ by case alone are two", async () => {
    const write2 = async (name: string, b: number) =>
      withFooter(await write(name, `SELECT 1 AS a, ${b} AS b`), { "180162": "180141" });
    await write2("case1.parquet", 2);
    await write2("case2.parquet", 2);
    await write2("case3.parquet", 3);
    assert.ok(await same("case1.parquet", "case2.parquet"));
    assert.ok(!(await same("case1.parquet", "case3.parquet")));
  });

  test("nothing is left behind", () => assert.deepEqual(readdirSync(".dmake/tmp"), []));
});
