// Columns that say little of themselves: without a value, or the partition's own key. They go where the table wants them, each value checked.
import { strict as assert } from "node:assert";
import { writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { type Loading, type Loads, loads } from "./loads.js";

let rig: Loads;
before(async () => {
  rig = await loads();
});
after(() => rig.end());

async function texts(loading: Loading): Promise<(string | null)[][]> {
  const { result, table } = await rig.load(loading);
  assert(result.ok, JSON.stringify(result));
  return table.texts();
}

/** More rows than types are sampled from. */
const later = (row: (i: number) => string): string =>
  Array.from({ length: 21_000 }, (_, i) => row(i)).join("\n");

describe("a column that has shown no value", () => {
  test("says so, and takes whatever type the table has", async () => {
    writeFileSync("empty.csv", "id,fee,at,note\n1,,,\n2,,,\n");
    const types = { fee: "numeric(8,2)", at: "timestamptz", note: "integer[]" };
    const { result, table } = await rig.load({ file: "empty.csv", types });
    assert(result.ok, JSON.stringify(result));
    assert.deepEqual(table.asked, [
      { name: "id", type: "bigint", sampled: true },
      { name: "fee", type: "text", unseen: true },
      { name: "at", type: "text", unseen: true },
      { name: "note", type: "text", unseen: true },
    ]);
    assert.deepEqual(await table.texts(), [
      ["1", null, null, null],
      ["2", null, null, null],
    ]);
  });

  test("in parquet it does so whatever type the file has for it", async () => {
    const file = await rig.parquet(
      "null.parquet",
      "SELECT i AS id, NULL::INTEGER AS fee, CASE WHEN i = 2 THEN 1.5 END AS seen FROM range(3) t(i)",
    );
    const { result, table } = await rig.load({ file, types: { fee: "timestamptz" } });
    assert(result.ok, JSON.stringify(result));
    assert.deepEqual(table.asked[1], { name: "fee", type: "integer", unseen: true });
    assert.equal("unseen" in table.asked[2]!, false);
    assert.deepEqual(await table.texts(), [
      ["0", null, null],
      ["1", null, null],
      ["2", null, "1.5"],
    ]);
  });

  test("values that come later are the table's, each checked", async () => {
    const types = { fee: "integer", rate: "numeric", day: "date" };
    const values = (i: number) =>
      i === 20_999 ? "7,1234567890.123456789012345678901234567890,2023-01-05" : ",,";
    writeFileSync("late.csv", `id,fee,rate,day\n${later((i) => `${i},${values(i)}`)}\n`);
    assert.deepEqual((await texts({ file: "late.csv", types })).at(-1), [
      "20999",
      "7",
      "1234567890.123456789012345678901234567890",
      "2023-01-05",
    ]);
  });

  test("one of them that the table does not hold is an error with its line", async () => {
    writeFileSync(
      "misfit.csv",
      `id,fee\n${later((i) => (i < 20_900 ? `${i},` : `${i},${i === 20_990 ? "1.5" : 1}`))}\n`,
    );
    assert.deepEqual(await rig.failure({ file: "misfit.csv", types: { fee: "integer" } }), {
      reason: "bad-value",
      file: "misfit.csv",
      line: 20_992,
      column: "fee",
      text: "1.5",
      type: "integer",
      problem: "is no value of the table's `integer`",
    });
    const { table, result } = await rig.load({
      file: "misfit.csv",
      types: { fee: "integer" },
      table: { maxRejects: 1 },
    });
    assert(result.ok && result.value.kind === "made");
    assert.equal(result.value.facts.rows, 20_999);
    assert.deepEqual(table.rejected[0]!.rows, [
      { line: 20_992, column: "fee", value: "1.5", reason: "it is no value of the table's `integer`" },
    ]);
  });

  test("values that come later are read as the file writes numbers and dates", async () => {
    const types = { fee: "numeric", rate: "numeric(8,2)", n: "integer", day: "date", at: "timestamp" };
    const csv = {
      delimiter: ";",
      thousands: ".",
      decimal: ",",
      dateFormat: "%d/%m/%Y",
      timestampFormat: "%d/%m/%Y %H:%M",
    } as const;
    const values = (i: number) => (i === 20_999 ? "1.234;1.234,5;1.234;03/04/2020;03/04/2020 05:06" : ";;;;");
    writeFileSync("groups.csv", `id;fee;rate;n;day;at\n${later((i) => `${i};${values(i)}`)}\n`);
    const found = await texts({ file: "groups.csv", types, recipe: { csv } });
    assert.deepEqual(found.at(-1), ["20999", "1234", "1234.50", "1234", "2020-04-03", "2020-04-03 05:06:00"]);
    writeFileSync("point.csv", `id;fee\n${later((i) => `${i};${i === 20_999 ? "12.34" : ""}`)}\n`);
    const failure = await rig.failure({ file: "point.csv", types: { fee: "numeric" }, recipe: { csv } });
    assert(failure.reason === "bad-value");
    assert.deepEqual([failure.line, failure.text], [21_001, "12.34"]);
  });

  test("values that come later stay texts where the table has none of them, or is one of texts", async () => {
    writeFileSync("text.csv", `id,fee\n${later((i) => (i < 20_900 ? `${i},` : `${i},x${i}`))}\n`);
    assert.deepEqual((await texts({ file: "text.csv" })).at(-1), ["20999", "x20999"]);
    assert.deepEqual((await texts({ file: "text.csv", types: { fee: "varchar(10)" } })).at(-1), [
      "20999",
      "x20999",
    ]);
  });

  test("a declared type is one, values or not", async () => {
    writeFileSync("declared.csv", "id,fee\n1,\n");
    const { table } = await rig.load({ file: "declared.csv", recipe: { columns: { fee: "DOUBLE" } } });
    assert.deepEqual(table.asked[1], { name: "fee", type: "double precision" });
  });
});

describe("a column of texts that is typed in the table", () => {
  const types = { fee: "integer" };

  test("is refused as a whole where no row may be set aside", async () => {
    writeFileSync("words.csv", "id,fee\n1,5\n2,x\n");
    const failure = await rig.failure({ file: "words.csv", types });
    assert(failure.reason === "table-shape");
    assert.deepEqual(failure.differences, ["`fee` is `VARCHAR` in `words.csv` and `integer` in the table"]);
  });

  test("is otherwise read as the table has it, the rows that do not fit set aside; unless the Datafile says that it is text", async () => {
    writeFileSync("words.csv", "id,fee\n1,5\n2,x\n");
    const { result, table } = await rig.load({ file: "words.csv", types, table: { maxRejects: 1 } });
    assert(result.ok, JSON.stringify(result));
    assert.deepEqual(table.rejected[0]!.rows, [
      { line: 3, column: "fee", value: "x", reason: "it is no value of the table's `integer`" },
    ]);
    assert.deepEqual(await table.texts(), [["1", "5"]]);
    const recipe = { columns: { fee: "VARCHAR" } };
    const failure = await rig.failure({ file: "words.csv", types, recipe, table: { maxRejects: 1 } });
    assert.equal(failure.reason, "table-shape");
  });
});

test("among numbers in groups one word makes texts of a column: the others arrive as the numbers they are", async () => {
  writeFileSync("words.csv", "id;fee\n1;1.234\n2;n/a\n3;1.234,5\n");
  const { result, table } = await rig.load({
    file: "words.csv",
    types: { fee: "numeric" },
    table: { maxRejects: 1, contract: "discard" },
    recipe: { csv: { delimiter: ";", thousands: ".", decimal: "," } },
  });
  assert(result.ok, JSON.stringify(result));
  assert.deepEqual(await table.texts(), [
    ["1", "1234"],
    ["3", "1234.5"],
  ]);
});

describe("the partition column, named by hand, is a column of the data", () => {
  const own = { ownKey: true } as const;

  test("it is sent like any other, if every row has the partition's value", async () => {
    writeFileSync("own.csv", "id,month\n1,2023-01\n2,2023-01\n");
    const { result, table } = await rig.load({ file: "own.csv", table: own });
    assert(result.ok, JSON.stringify(result));
    assert.deepEqual(table.asked[1], { name: "month", type: "text", sampled: true });
    assert.deepEqual(await table.texts(), [
      ["1", "2023-01"],
      ["2", "2023-01"],
    ]);
  });

  test("a row of another value, or of none, is an error with its line", async () => {
    for (const [value, text] of [
      ["2023-02", "2023-02"],
      ["", ""],
    ]) {
      writeFileSync(
        "other.csv",
        `id,month\n1,2023-01\n2,"two\nlines"\n3,2023-01\n4,${value}\n`.replace('"two\nlines"', "2023-01"),
      );
      assert.deepEqual(await rig.failure({ file: "other.csv", table: own }), {
        reason: "bad-value",
        file: "other.csv",
        line: 5,
        column: "month",
        text,
        type: "VARCHAR",
        problem: "is not `2023-01`, which the partition's rows all have",
      });
    }
  });

  test("or is set aside", async () => {
    const file = await rig.parquet(
      "own.parquet",
      "SELECT * FROM (VALUES (1, '2023-01'), (2, '2023-02'), (3, NULL), (4, '2023-01')) t(id, month)",
    );
    const { result, table } = await rig.load({ file, table: { ...own, maxRejects: 2 } });
    assert(result.ok && result.value.kind === "made", JSON.stringify(result));
    const reason = "it is not `2023-01`, which the partition's rows all have";
    assert.deepEqual(table.rejected[0]!.rows, [
      { row: 2, column: "month", value: "2023-02", reason },
      { row: 3, column: "month", reason },
    ]);
    assert.deepEqual(
      (await table.texts()).map(([id]) => id),
      ["1", "4"],
    );
  });

  test("values are compared in the column's type", async () => {
    const dates = await rig.parquet("dates.parquet", "SELECT 1 AS id, DATE '2023-01-05' AS month");
    assert.equal((await texts({ file: dates, table: own, partition: "2023-01-05" })).length, 1);
    const failure = await rig.failure({ file: dates, table: own, partition: "2023-01-06" });
    assert.equal(failure.reason, "bad-value");
    const numbers = await rig.parquet("numbers.parquet", "SELECT 1 AS id, 7 AS month");
    assert.equal((await texts({ file: numbers, table: own, partition: "07" })).length, 1);
    for (const partition of ["7.5", "seven"])
      assert.equal((await rig.failure({ file: numbers, table: own, partition })).reason, "bad-value");
  });

  test("rows are checked also where the table fills the column itself", async () => {
    writeFileSync("own.csv", "id,month\n1,2023-01\n2,2023-02\n");
    const writer: Loading["writer"] = (table) => ({
      open: (wanted) => table.open(wanted.filter(({ name }) => name !== "month")),
    });
    const failure = await rig.failure({ file: "own.csv", table: own, writer });
    assert(failure.reason === "bad-value");
    assert.deepEqual([failure.line, failure.text], [3, "2023-02"]);
    assert.deepEqual(
      await texts({ file: "own.csv", table: own, writer, partition: "2023-01" }).catch(() => []),
      [],
    );
  });

  test("a file that has no such column is loaded as it is", async () => {
    writeFileSync("none.csv", "id\n1\n");
    assert.deepEqual(await texts({ file: "none.csv", table: own }), [["1"]]);
  });
});

test("columns that the table does not want are not sent, and not looked at; one of another case is the same", async () => {
  writeFileSync("more.csv", `id,Airport_fee,more\n${later((i) => `${i},1,${i < 20_990 ? 1 : "x"}`)}\n`);
  const writer: Loading["writer"] = (table) => ({
    open: () =>
      table.open([
        { name: "id", type: "bigint" },
        { name: "airport_fee", type: "integer" },
      ]),
  });
  const rows = await texts({ file: "more.csv", writer });
  assert.deepEqual([rows.length, rows.at(-1)], [21_000, ["20999", "1"]]);
  assert.equal((await texts({ file: "more.csv", writer, table: { maxRejects: 1 } })).length, 21_000);
});

test("a renamed column has its new name everywhere, in each format", async () => {
  const rename = { a: "one", b: "two", gone: "elsewhere" };
  const file = await rig.parquet("named.parquet", "SELECT 1 AS a, 2 AS b, 3 AS c");
  writeFileSync("named.csv", "a,b,c\n1,2,3\n");
  writeFileSync("named.ndjson", '{"a": 1, "b": 2, "c": 3}\n');
  for (const name of [file, "named.csv", "named.ndjson"]) {
    const { result, table } = await rig.load({ file: name, recipe: { rename, columns: { two: "VARCHAR" } } });
    assert(result.ok, `${name}: ${JSON.stringify(result)}`);
    assert.deepEqual(
      table.asked.map((column) => column.name),
      ["one", "two", "c"],
    );
    assert.deepEqual(await table.texts(), [["1", "2", "3"]]);
  }
  const failure = await rig.failure({ file, recipe: { rename: { a: "C" } } });
  assert.equal(failure.reason, "duplicate-column");
});

test("names that a Datafile says go by their letters, where only one column has them in another case", async () => {
  for (const header of ["Fee,n", "fee,n", "FEE,n"]) {
    writeFileSync("cased.csv", `${header}\n1,2\n`);
    const recipe = { rename: { Fee: "cost" }, columns: { COST: "DOUBLE", N: "VARCHAR" } };
    const { result, table } = await rig.load({ file: "cased.csv", recipe });
    assert(result.ok, `${header}: ${JSON.stringify(result)}`);
    assert.deepEqual(table.asked, [
      { name: "cost", type: "double precision" },
      { name: "n", type: "text" },
    ]);
  }
  writeFileSync("both.csv", "Fee,n\n1,2\n");
  const both = { rename: { fee: "lower", Fee: "upper" } };
  assert.deepEqual(
    (await rig.load({ file: "both.csv", recipe: both })).table.asked.map(({ name }) => name),
    ["upper", "n"],
  );
  const failure = await rig.failure({ file: "both.csv", recipe: { columns: { gone: "DOUBLE" } } });
  assert.equal(failure.reason, "unknown-column");
});
