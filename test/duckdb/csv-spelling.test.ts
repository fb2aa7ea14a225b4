// Columns of plainly spelled values are read by their types: that this makes the same of them as the checks of texts, and that nothing else is read so.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { Spellings } from "../../src/duckdb/csv-spelling.js";
import { query } from "../../src/duckdb/query.js";
import { quoteText } from "../../src/duckdb/session.js";
import { type Reading, valueSql } from "../../src/duckdb/text-checks.js";
import { type DataFiles, dataFiles } from "../rig/data-files.js";

let files: DataFiles;
before(async () => {
  files = await dataFiles();
});
after(() => files.close());

const comma = { delimiter: ",", quote: '"', hasHeader: true };
const declared = (type: string): Reading => ({ type, chosen: "declared" });

/** Of the columns of `text`, for each whether it is plain as a value of the type. */
function plain(text: string, types: readonly string[], shape: Partial<typeof comma> = {}): boolean[] {
  const spellings = new Spellings({ ...comma, ...shape, columns: types.length });
  spellings.note(Buffer.from(text));
  spellings.end();
  return types.map((type, at) => spellings.isPlain(at, declared(type)));
}

test("canonical spellings are plain, and others are not", () => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ["BIGINT", "0 -20 999999999999999999", ["1.0", "007", "-0", "+1", "1e-2", "9999999999999999999", " 1"]],
    ["INTEGER", "999999999", ["9999999999"]],
    [
      "DOUBLE",
      "0 -0.5 12.25 1.5e-07 123456789012345",
      ["1.", ".5", "1e5", "nan", "00.5", "1234567890123456"],
    ],
    ["DECIMAL(5,2)", "123.45 -1 0.1", ["1234", "1.234", "1e-2"]],
    ["BOOLEAN", "true false", ["TRUE", "t", "tru", "truefalse"]],
    ["DATE", "2021-01-31 1000-12-01", ["0999-01-01", "2021-13-01", "2021-01-32", "2021-1-1", "20210101"]],
    ["TIMESTAMP", "2021-01-31 2021-01-31T23:59:59 2021-01-31T00:00:00.123456", ["2021-01-31T24:00:00"]],
    ["TIMESTAMP", "2021-01-31", ["2021-01-31T00:00:00.1234567", "2021-01-31T00:00:00Z", "2021-01-31T10:00"]],
    ["TIME", "", ["10:00:00"]],
  ];
  for (const [type, right, wrong] of cases) {
    const rows = right.split(" ").map((value) => `${value},x\n`);
    assert.deepEqual(plain(`v,w\n${rows.join("")}`, [type, "DATE"]), [true, false], `${type} ${right}`);
    for (const value of wrong)
      assert.equal(plain(`v,w\n${rows.join("")}${value},x\n`, [type, "DATE"])[0], false, `${type} ${value}`);
  }
});

test("the header's names are no values, unless there is none", () => {
  assert.deepEqual(plain("1,b\n2,3\n", ["BIGINT", "BIGINT"]), [true, true]);
  assert.deepEqual(plain("1,b\n2,3\n", ["BIGINT", "BIGINT"], { hasHeader: false }), [true, false]);
});

test("a quoted value is not plain, and hides no value beside it", () => {
  assert.deepEqual(plain('a,b\n"x,""\n1",2\n', ["VARCHAR", "BIGINT"])[1], true);
  assert.deepEqual(plain('a,b\n"1",2\n', ["BIGINT", "BIGINT"]), [false, true]);
});

test("of a file that is not wholly plain nothing is", () => {
  const odd = [
    "1,2,3\n",
    "1\n",
    "\n",
    "1,2\n\n",
    '1,2"\n',
    '"1"2,3\n',
    '"1,2\n',
    "1,2\r",
    "1,2\r3,4\n",
    "1,2\r\r\n",
  ];
  for (const rows of odd)
    assert.deepEqual(plain(`a,b\n3,4\n${rows}`, ["BIGINT", "BIGINT"]), [false, false], JSON.stringify(rows));
  assert.deepEqual(plain("a\n1\n\n", ["BIGINT"]), [false], "an empty line of one column");
  assert.deepEqual(plain("a,b", ["BIGINT", "BIGINT"]), [true, true], "a header without rows");
});

test("it is all one where the file is cut into chunks, and how its lines end", () => {
  const texts = ["a,b\n1,2.5\n3,x\n", "a,b\r\n1,2.5\r\n,4", 'a,b\n"1",2\n', "a,b\r\n1,2\r\n3,4\r5,6\n"];
  for (const text of texts) {
    const spellings = new Spellings({ ...comma, columns: 2 });
    for (const byte of Buffer.from(text)) spellings.note(Uint8Array.of(byte));
    spellings.end();
    const types = ["BIGINT", "DOUBLE"] as const;
    const found = types.map((type, at) => spellings.isPlain(at, declared(type)));
    assert.deepEqual(found, plain(text, types), JSON.stringify(text));
  }
});

const digits = (from: number, to: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: from, maxLength: to });
const pieces = fc.oneof(
  digits(1, 18),
  fc.constantFrom("-", ".", "e-", "E-", ":", " ", "T", "true", "false", "0"),
);
const instants = fc
  .tuple(
    fc.date({ min: new Date("1000-01-01"), max: new Date("9999-12-31"), noInvalidDate: true }),
    digits(0, 6),
  )
  .map(([date, fraction]) => date.toISOString().slice(0, 19) + (fraction && `.${fraction}`));
const texts = fc.oneof(
  fc
    .tuple(fc.constantFrom("", "-"), digits(1, 19), digits(0, 21), fc.constantFrom("", "e-7", "e-300"))
    .map(([sign, whole, fraction, exponent]) => sign + whole + (fraction && `.${fraction}`) + exponent),
  instants,
  instants.map((instant) => instant.slice(0, 10)),
  fc.array(pieces, { maxLength: 6 }).map((parts) => parts.join("")),
);
const types = [
  "SMALLINT",
  "INTEGER",
  "BIGINT",
  "HUGEINT",
  "DOUBLE",
  "DECIMAL(18,3)",
  "DECIMAL(38,10)",
  "BOOLEAN",
  "DATE",
  "TIMESTAMP",
];

test("DuckDB's reader makes of plain values what the checks of their texts make of them", async () => {
  let compared = 0;
  const property = fc.asyncProperty(fc.array(texts, { minLength: 60, maxLength: 60 }), async (values) => {
    for (const type of types) {
      const right = values.filter((value) => value !== "" && plain(`v,w\n${value},x\n`, [type, "DATE"])[0]);
      compared += right.length;
      if (right.length === 0) continue;
      const path = files.write("plain.csv", `v,w\n${right.map((value) => `${value},x\n`).join("")}`);
      const read = `read_csv(${quoteText(path)}, auto_detect = false, header = true, delim = ',', columns = {'v': '${type}', 'w': 'VARCHAR'})`;
      const typed = await query(
        files.session,
        `SELECT CAST(v AS VARCHAR) AS v, typeof(v) AS type FROM ${read}`,
      );
      const checked = right.map((value) => `(${valueSql(quoteText(value), declared(type))})`).join(", ");
      const other = await query(
        files.session,
        `SELECT CAST(v AS VARCHAR) AS v, typeof(v) AS type FROM (SELECT unnest([${checked}]) AS v)`,
      );
      assert.ok(other.ok && typed.ok, `${type} ${right} ${typed.ok || typed.message}`);
      assert.deepEqual(typed.rows, other.rows, type);
    }
  });
  await fc.assert(property, { numRuns: 20 });
  assert.ok(compared > 500, `${compared} values were compared`);
});

test("a day that no calendar has is told with its line, though it is spelled as one", async () => {
  const rows = Array.from({ length: 30_000 }, (_, row) => `${row},2021-01-31\n`).join("");
  const text = `id,day\n${rows}7,2021-02-30\n`;
  const options = { columns: { day: "DATE" } };
  const found = await files.open("days.csv", text, options);
  assert.ok(found.ok);
  assert.doesNotMatch(found.value.select, /bad-value/, "both are read by their types");
  assert.deepEqual(await files.refuse("days.csv", text, options), {
    ...{ reason: "bad-value", line: 30_002, column: "day", text: "2021-02-30", type: "DATE" },
  });
});

test("only the columns that are plain are read by their types", async () => {
  const found = await files.open("mixed.csv", "a,b,c\n1,+1,x\n2,2,y\n", {
    columns: { a: "BIGINT", b: "BIGINT" },
  });
  assert.ok(found.ok);
  assert.match(found.value.select, /'a': 'BIGINT', 'b': 'VARCHAR', 'c': 'VARCHAR'/);
  const grouped = await files.open("grouped.csv", "a\n1.234\n", {
    columns: { a: "DOUBLE" },
    thousands: ".",
    decimal: ",",
  });
  assert.ok(grouped.ok);
  assert.match(grouped.value.select, /'a': 'VARCHAR'/);
});
