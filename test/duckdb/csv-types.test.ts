// What types columns of a CSV get, and that no value of them is rounded, cut or lost.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type DataFiles, dataFiles, type Options } from "../rig/data-files.js";

let files: DataFiles;
before(async () => {
  files = await dataFiles();
});
after(() => files.close());

/** One column `v`, quoted where it has to be. */
const column = (values: readonly string[]): string =>
  `v,w\n${values.map((value) => `${value},x\n`).join("")}`;

async function sampled(
  values: readonly string[],
  options?: Options,
): Promise<{ type: string; values: (string | null)[] }> {
  const { types, rows } = await files.read("column.csv", column(values), options);
  return { type: types.v!, values: rows.map((row) => row[0]!) };
}

const typeOf = async (values: readonly string[], options?: Options): Promise<string> =>
  (await sampled(values, options)).type;

/** A head of values long enough to fill the sample, then one more. */
const late = (value: string, head: (row: number) => string): string =>
  column([...Array.from({ length: 25_000 }, (_, row) => head(row)), value]);

test("types are found in the values", async () => {
  assert.equal(await typeOf(["1", "-20", "0"]), "BIGINT");
  assert.equal(await typeOf(["1", "2.50", ""]), "DOUBLE");
  assert.equal(await typeOf(["1.5e-07", "2.0E3", "nan", "-inf"]), "DOUBLE");
  assert.equal(await typeOf(["true", "FALSE"]), "BOOLEAN");
  assert.equal(await typeOf(["2023-01-31"]), "DATE");
  assert.equal(
    await typeOf(["2023-01-31 10:00:00", "2023-01-31T10:00:00.123456", "2023-01-31"]),
    "TIMESTAMP",
  );
  assert.equal(
    await typeOf(["2023-01-31T10:00:00Z", "2023-01-31 10:00:00+05:30"]),
    "TIMESTAMP WITH TIME ZONE",
  );
  assert.equal(await typeOf(["10:00:00"]), "TIME");
  assert.equal(await typeOf(["N", "Y"]), "VARCHAR");
});

test("a column without a value is text", async () => {
  assert.equal(await typeOf(["", ""]), "VARCHAR");
});

test("zeros in front are kept, so such a column is text", async () => {
  assert.deepEqual(await sampled(["00123", "10001"]), { type: "VARCHAR", values: ["00123", "10001"] });
  assert.deepEqual(await sampled(["038.9", "401.1"]), { type: "VARCHAR", values: ["038.9", "401.1"] });
});

test("what may be an identifier is text: `1e3`, `1_000`, `0x10`", async () => {
  for (const value of ["1e3", "1_000", "0x10", "+1", "Infinity", "NaN"]) {
    const values = value.startsWith("I") || value.startsWith("N") ? [value] : ["12", value];
    assert.deepEqual(await sampled(values), {
      type: value === "+1" ? "DOUBLE" : "VARCHAR",
      values: value === "+1" ? ["12.0", "1.0"] : values,
    });
  }
});

test("whole numbers wider than 64 bits are never doubles", async () => {
  assert.deepEqual(await sampled(["1", "9223372036854775808"]), {
    type: "HUGEINT",
    values: ["1", "9223372036854775808"],
  });
  const wide = ["1", "1234567890123456789012345678901234567890123"];
  assert.deepEqual(await sampled(wide), { type: "VARCHAR", values: wide });
  const mixed = ["0.5", "12345678901234567"];
  assert.deepEqual(await sampled(mixed), { type: "VARCHAR", values: mixed });
});

test("dates that can be read in two ways are text, until the Datafile says which", async () => {
  const dates = ["01/02/2023", "13/02/2023"];
  assert.deepEqual(await sampled(dates), { type: "VARCHAR", values: dates });
  assert.deepEqual(await sampled(dates, { dateFormat: "%d/%m/%Y" }), {
    type: "DATE",
    values: ["2023-02-01", "2023-02-13"],
  });
  const spreadsheet = ["1/22/20 5:00 PM"];
  assert.deepEqual(await sampled(spreadsheet, { timestampFormat: "%m/%d/%y %I:%M %p" }), {
    type: "TIMESTAMP",
    values: ["2020-01-22 17:00:00"],
  });
});

test("a format that is meant for another column leaves ISO dates alone", async () => {
  const { types, rows } = await files.read("two.csv", "a,b\n2023-01-31,31/01/2023\n", {
    columns: { a: "DATE" },
    dateFormat: "%d/%m/%Y",
  });
  assert.deepEqual(types, { a: "DATE", b: "DATE" });
  assert.deepEqual(rows, [["2023-01-31", "2023-01-31"]]);
});

test("more than microseconds are not cut: the column is text", async () => {
  const stamps = ["2023-01-31 10:00:00.1234567"];
  assert.deepEqual(await sampled(stamps), { type: "VARCHAR", values: stamps });
  assert.equal(await typeOf(["2020-03-01 00:14:07.0000000"]), "TIMESTAMP");
  assert.deepEqual(await sampled(stamps, { columns: { v: "TIMESTAMP_NS" } }), {
    type: "TIMESTAMP_NS",
    values: stamps,
  });
});

test("an integer column with 0.5 in row 60 000 fails with that line, column and text", async () => {
  const rows = Array.from({ length: 60_000 }, (_, row) => `${row === 59_999 ? "0.5" : row},x\n`);
  assert.deepEqual(await files.refuse("late.csv", `v,w\n${rows.join("")}`), {
    reason: "bad-value",
    line: 60_001,
    column: "v",
    text: "0.5",
    type: "BIGINT",
    problem: "it is not a whole number",
  });
});

const digits = (row: number) => String(row);
const decimals = (row: number) => `${row}.5`;
const days = () => "2023-01-31";
const instants = () => "2023-01-31 10:00:00";

for (const [value, head, type, problem] of [
  ["1e3", digits, "BIGINT", undefined],
  ["12abc", digits, "BIGINT", undefined],
  ["1_000", digits, "BIGINT", undefined],
  ["0x10", digits, "BIGINT", undefined],
  ["007", digits, "BIGINT", "the zero in front would be lost"],
  ["+5", digits, "BIGINT", "the plus in front would be lost"],
  ["9223372036854775808", digits, "BIGINT", "it is out of range"],
  ["1_0.5", decimals, "DOUBLE", undefined],
  ["007", decimals, "DOUBLE", "the zero in front would be lost"],
  ["12345678901234567", decimals, "DOUBLE", "it has more digits than a DOUBLE keeps"],
  ["1.0e400", decimals, "DOUBLE", "it is out of range"],
  ["+-1", decimals, "DOUBLE", undefined],
  ["2023-01-31 10:00", days, "DATE", "its time of day would be lost"],
  ["2023-02-30", days, "DATE", undefined],
  ["epoch", days, "DATE", undefined],
  ["2023-01-31 10:00:00.1234567", instants, "TIMESTAMP", "its fraction of a second would be cut"],
  ["2023-01-31 10:00:00+02", instants, "TIMESTAMP", "its offset from UTC would be lost"],
  ["2023-01-31 25:00:00", instants, "TIMESTAMP", undefined],
] as const) {
  test(`\`${value}\` far down a ${type} column is refused`, async () => {
    const failure = await files.refuse("late.csv", late(value, head));
    const expected = { reason: "bad-value", line: 25_002, column: "v", text: value, type };
    assert.deepEqual(failure, problem === undefined ? expected : { ...expected, problem });
  });
}

test("far down a DOUBLE column, other spellings of a number pass", async () => {
  const spelled = ["nan", "-inf", "1.5E+3", "1e3", " 7.5 ", ".5", "5.", "1e-300"];
  const text = column([...Array.from({ length: 25_000 }, () => "0.5"), ...spelled]);
  const { rows, types } = await files.read("late.csv", text);
  assert.equal(types.v, "DOUBLE");
  assert.deepEqual(
    rows.slice(25_000).map(([value]) => value),
    ["nan", "-inf", "1500.0", "1000.0", "7.5", "0.5", "5.0", "1e-300"],
  );
});

test("a declared type takes any spelling of its values, and nothing else", async () => {
  const asInteger = { columns: { v: "int8" } };
  assert.deepEqual(await sampled(["007", "+5", "2.0", " 3 ", ""], asInteger), {
    type: "BIGINT",
    values: ["7", "5", "2", "3", null],
  });
  for (const value of ["0.5", "1e3", "12abc", "1_000"]) {
    const { reason, text } = await files.refuse("column.csv", column([value]), asInteger);
    assert.deepEqual({ reason, text }, { reason: "bad-value", text: value });
  }
  assert.deepEqual(await sampled(["12345678901234567890", "1e3"], { columns: { v: "DOUBLE" } }), {
    type: "DOUBLE",
    values: ["1.2345678901234567e+19", "1000.0"],
  });
});

test("a DECIMAL is never rounded", async () => {
  const asDecimal = { columns: { v: "DECIMAL(5,2)" } };
  assert.deepEqual(await sampled(["1.5", "1.2500", "-.5", "999.99"], asDecimal), {
    type: "DECIMAL(5,2)",
    values: ["1.50", "1.25", "-0.50", "999.99"],
  });
  for (const value of ["0.125", "1000.00"])
    assert.deepEqual(await files.refuse("column.csv", column([value]), asDecimal), {
      reason: "bad-value",
      line: 2,
      column: "v",
      text: value,
      type: "DECIMAL(5,2)",
      problem: "it would be rounded or is out of range",
    });
});

test("a date in no declared format is refused, saying what is missing", async () => {
  const failure = await files.refuse("column.csv", column(["01/02/2023"]), { columns: { v: "DATE" } });
  assert.equal(failure.reason, "bad-value");
  assert.match(String(failure.problem), /csv\.dateFormat/);
});

test("a column that is not there, and a type that is none, are named", async () => {
  assert.deepEqual(await files.refuse("column.csv", column(["1"]), { columns: { fee: "DOUBLE" } }), {
    reason: "unknown-column",
    column: "fee",
    known: ["v", "w"],
  });
  for (const type of ["WAT", "DECIMAL(50,2)", "INTEGER) , (SELECT 1", "INTEGER; DROP TABLE x", ""]) {
    const failure = await files.refuse("column.csv", column(["1"]), { columns: { v: type } });
    assert.deepEqual([failure.reason, failure.column, failure.type], ["unsupported-type", "v", type]);
  }
  assert.equal(
    (await files.refuse("column.csv", column(["1"]), { columns: { v: "INTEGER[]" } })).reason,
    "unsupported-type",
  );
});

test('`""` is the empty text, nothing between two delimiters is no value', async () => {
  const { rows } = await files.read("nulls.csv", 'a,b\n"",\n,""\nNA,"NA"\n');
  assert.deepEqual(rows, [
    ["", null],
    [null, ""],
    ["NA", "NA"],
  ]);
  const declared = await files.read("nulls.csv", 'a,b\n"",1\n,2\nNA,"NA"\n', { nulls: ["NA"] });
  assert.deepEqual(declared.rows, [
    ["", "1"],
    [null, "2"],
    [null, "NA"],
  ]);
});
