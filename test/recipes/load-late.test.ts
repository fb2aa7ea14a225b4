// The story of what is wrong late in a file: every row before it was sent, and none of them counts.
import { strict as assert } from "node:assert";
import { writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { ok } from "../../src/core/failure.js";
import type { TableColumn } from "../../src/engine/ports.js";
import type { TestTable } from "../rig/table.js";
import { loads } from "./loads.js";

const rig = await loads();
after(() => rig.end());

const good = (rows: number): string[] => Array.from({ length: rows }, (_, i) => `${i},${i % 7}`);
const csv = (rows: number, last: string): string => ["id,n", ...good(rows), last, ...good(10), ""].join("\n");

for (const rows of [60_000, 120_000]) {
  test(`a value that is none, in row ${rows + 1}`, async () => {
    for (const [name, bytes] of [
      ["late.csv", csv(rows, "x,1")],
      ["late.csv.gz", gzipSync(csv(rows, "x,1"))],
    ] as const) {
      writeFileSync(name, bytes);
      const failure = await rig.failure({ file: name });
      assert.ok(failure.reason === "bad-value", JSON.stringify(failure));
      assert.deepEqual([failure.line, failure.column, failure.text], [rows + 2, "id", "x"]);
    }
  });

  test(`a row that is short, not UTF-8, or has an open quote, after ${rows} others`, async () => {
    for (const last of ["7", "1,\xff", '1,"']) {
      writeFileSync("late.csv", csv(rows, last), "latin1");
      const failure = await rig.failure({ file: "late.csv" });
      assert.ok(failure.reason === "bad-row", `${JSON.stringify(last)}: ${JSON.stringify(failure)}`);
    }
  });

  test(`a value that the table does not take, in row ${rows + 1} of CSV, JSON and parquet`, async () => {
    writeFileSync("wide.csv", csv(rows, "5000000000,1"));
    const objects = [...good(rows), "5000000000,1"].map((row) => `{"id": ${row.split(",")[0]}, "n": 1}`);
    writeFileSync("wide.ndjson", objects.join("\n"));
    const query = `SELECT CASE WHEN i = ${rows} THEN 5000000000 ELSE i END AS id, 1 AS n FROM range(${rows + 10}) t(i)`;
    for (const file of ["wide.csv", "wide.ndjson", await rig.parquet("wide.parquet", query)]) {
      const failure = await rig.failure({ file, types: { id: "integer" } });
      assert.ok(failure.reason === "bad-value", `${file}: ${JSON.stringify(failure)}`);
      assert.equal(failure.text, "5000000000");
    }
  });

  test(`${rows} good rows, and none more`, async () => {
    writeFileSync("good.csv", `${["id,n", ...good(rows)].join("\n")}\n`);
    const { result } = await rig.load({ file: "good.csv" });
    assert.ok(result.ok && result.value.kind === "made", JSON.stringify(result));
    assert.equal(result.value.facts.rows, rows);
  });
}

test("a value that is missing where the table wants one is told with its line, or set aside", async () => {
  writeFileSync("nulls.csv", csv(3_000, ",1"));
  const writer = (table: TestTable) => ({
    open: async (columns: readonly TableColumn[]) => {
      const opened = await table.open(columns);
      return opened.ok ? ok(opened.value.map((one) => ({ ...one, required: true as const }))) : opened;
    },
  });
  const failure = await rig.failure({ file: "nulls.csv", writer });
  assert.ok(failure.reason === "bad-value", JSON.stringify(failure));
  assert.deepEqual([failure.line, failure.column], [3_002, "id"]);
  assert.match(failure.problem ?? "", /NOT NULL/);
  const { result, table } = await rig.load({ file: "nulls.csv", writer, table: { maxRejects: 1 } });
  assert.ok(result.ok && result.value.facts.rows === 3_010, JSON.stringify(result));
  assert.deepEqual(
    table.rejected.map(({ rows }) => rows.map(({ line, column }) => [line, column])),
    [[[3_002, "id"]]],
  );
});

test("a table of whole numbers takes fractions by becoming wider, and whole ones as it is", async () => {
  const types = { n: "bigint" };
  writeFileSync("whole.csv", "id,n\n1,5.0\n2,6.0\n");
  writeFileSync("parts.csv", `id,n\n${good(3_000).join("\n")}\n7,5.76\n`);
  const whole = await rig.parquet("whole.parquet", "SELECT 1 AS id, 5.0::DOUBLE AS n");
  const parts = await rig.parquet("parts.parquet", "SELECT i AS id, i / 2 AS n FROM range(5000) t(i)");
  for (const [file, type] of [
    ["whole.csv", "bigint"],
    [whole, "bigint"],
    [parts, "double precision"],
  ] as const) {
    const { result, table } = await rig.load({ file, types });
    assert.ok(result.ok, `${file}: ${JSON.stringify(result)}`);
    const { rows } = await table.client.query("SELECT pg_typeof(n)::text AS is FROM trips LIMIT 1");
    assert.deepEqual(rows, [{ is: type }], file);
  }
  // It looked whole in the sample: then it says what to declare.
  const failure = await rig.failure({ file: "parts.csv", types, table: { contract: "freeze" } });
  assert.equal(failure.reason, "bad-value");
});
