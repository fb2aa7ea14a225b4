// Rows that do not fit are set aside, each with its line and what is wrong with it, and all others arrive: none is lost and none is loaded twice.
import { strict as assert } from "node:assert";
import { writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { ok } from "../../src/core/failure.js";
import type { Reject } from "../../src/core/failure-data.js";
import { holds } from "../rig/property.js";
import { type Loaded, type Loading, type Loads, loads } from "./loads.js";

let rig: Loads;
before(async () => {
  rig = await loads();
});
after(() => rig.end());

const load = (loading: Loading): Promise<Loaded> =>
  rig.load({ ...loading, table: { maxRejects: 10, ...loading.table } });

async function rejectsOf(loading: Loading): Promise<readonly Reject[]> {
  const { result, table } = await load(loading);
  assert(result.ok, JSON.stringify(result));
  assert(result.value.kind === "made");
  const rejects = table.rejected.flatMap(({ rows }) => rows);
  assert.equal(result.value.facts.rejects ?? 0, rejects.length);
  assert.deepEqual(result.value.rejected, rejects[0] && { file: loading.file, first: rejects[0] });
  return rejects;
}

const columns = { id: "INTEGER", fare: "DOUBLE", note: "VARCHAR" };

describe("a CSV", () => {
  test("rows of each kind of fault are set aside, with line, column, value and reason, and the others arrive", async () => {
    writeFileSync(
      "faults.csv",
      'id,fare,note\n1,1.5,a\n2,x,b\n3,2.5\n4,3.5,"two\nlines"\n5,4.5,d,e\n2.5,y,f\n\n7,,"z"q\n8,5.5,h\n',
    );
    const { result, table } = await load({ file: "faults.csv", recipe: { columns } });
    const rows = [
      { line: 3, column: "fare", value: "x", reason: "it is no DOUBLE" },
      { line: 4, value: "3,2.5", reason: "it has 2 fields where the first row has 3" },
      { line: 7, value: "5,4.5,d,e", reason: "it has 4 fields where the first row has 3" },
      { line: 8, column: "id", value: "2.5", reason: "it is not a whole number" },
      { line: 10, value: '7,,"z"q', reason: "text follows a closing quote" },
    ];
    assert.deepEqual(table.rejected, [{ file: "faults.csv", rows }]);
    assert(result.ok && result.value.kind === "made");
    assert.equal(result.value.facts.rows, 3);
    assert.equal(result.value.facts.rejects, 5);
    assert.deepEqual(result.value.rejected, { file: "faults.csv", first: rows[0] });
    assert.deepEqual(await table.texts(), [
      ["1", "1.5", "a"],
      ["4", "3.5", "two\nlines"],
      ["8", "5.5", "h"],
    ]);
  });

  test("one row more than may be set aside fails the load, which says how many there are and which is the first", async () => {
    writeFileSync("many.csv", "id,fare,note\n1,1.5,a\n2,x,b\n3,y,c\n4\n5,z,e\n");
    const wish = { file: "many.csv", recipe: { columns } };
    assert.deepEqual(await rig.failure({ ...wish, table: { maxRejects: 3 } }), {
      reason: "too-many-rejects",
      file: "many.csv",
      maxRejects: 3,
      rows: 4,
      first: { line: 3, column: "fare", value: "x", reason: "it is no DOUBLE" },
    });
    assert.equal((await rejectsOf({ ...wish, table: { maxRejects: 4 } })).length, 4);
    const { result, table } = await rig.load({ ...wish, table: { maxRejects: 3 } });
    assert.equal(result.ok, false);
    assert.deepEqual([table.rejected, await table.texts()], [[], []]);
  });

  test("rows of too few fields alone are too many", async () => {
    writeFileSync("short.csv", `id,fare,note\n1,1.5,a\n${"2,1\n".repeat(1000)}`);
    const failure = await rig.failure({ file: "short.csv", table: { maxRejects: 20 } });
    assert.deepEqual(failure, {
      reason: "too-many-rejects",
      file: "short.csv",
      maxRejects: 20,
      rows: 1000,
      first: { line: 3, value: "2,1", reason: "it has 2 fields where the first row has 3" },
    });
  });

  test("without `maxRejects` the first of them is an error with its line", async () => {
    writeFileSync("one.csv", "id,fare,note\n1,1.5,a\n2,x,b\n");
    const failure = await rig.failure({ file: "one.csv", recipe: { columns } });
    assert(failure.reason === "bad-value");
    assert.deepEqual([failure.line, failure.column, failure.text], [3, "fare", "x"]);
  });

  test("a row with several wrong values is one reject, by its first column", async () => {
    writeFileSync("twice.csv", "id,fare,note\n1,1.5,a\nx,y,b\n");
    const rejects = await rejectsOf({ file: "twice.csv", recipe: { columns } });
    assert.deepEqual(rejects, [{ line: 3, column: "id", value: "x", reason: "it is no INTEGER" }]);
  });

  test("a quote that is never closed ends the file: an error, whatever may be set aside", async () => {
    writeFileSync("open.csv", 'id,fare,note\n1,1.5,a\n2,2.5,"b\n3,3.5,c\n');
    assert.deepEqual(await rig.failure({ file: "open.csv", table: { maxRejects: 10 } }), {
      reason: "bad-row",
      file: "open.csv",
      line: 3,
      problem: "a quote is opened and never closed",
    });
  });

  test("beyond the rows that are looked at first, what passes and what does not is the same as where no row may be set aside", async () => {
    const many = "1,2\n".repeat(300);
    writeFileSync("stray.csv", `a,b\n${many}3,4,,\n5,6,7\n`);
    assert.deepEqual(
      (await rejectsOf({ file: "stray.csv" })).map(({ line }) => line),
      [303],
    );
    writeFileSync("stray.csv", `a,b\n${many}3,4,,\n`);
    for (const maxRejects of [0, 9]) {
      const { result, table } = await load({ file: "stray.csv", table: { maxRejects } });
      assert(result.ok, JSON.stringify(result));
      assert.deepEqual((await table.texts()).at(-1), ["3", "4"]);
    }
    writeFileSync("stray.csv", `a,b\n1,2\n3,4,,\n${many}`);
    assert.deepEqual(
      (await rejectsOf({ file: "stray.csv" })).map(({ line }) => line),
      [3],
    );
  });

  test("a broken row among the first does not hide that all rows have empty fields too many", async () => {
    writeFileSync("extras.csv", 'a,b\n"x"y,2\n"x"z,2\n1,2,,\n"3","4,5",,\n');
    const { result, table } = await load({ file: "extras.csv" });
    assert(result.ok, JSON.stringify(result));
    assert.deepEqual(
      table.rejected[0]!.rows.map(({ line }) => line),
      [2, 3],
    );
    assert.deepEqual(await table.texts(), [
      ["1", "2"],
      ["3", "4,5"],
    ]);
  });

  test("a stray quote that swallows more rows than may be set aside is an error, not one reject", async () => {
    const swallowed = "3,3.5,c\n".repeat(20);
    writeFileSync("stray.csv", `id,fare,note\n1,1.5,a\n2,2.5,"b\n${swallowed}4,4.5,"d"\n`);
    const failure = await rig.failure({ file: "stray.csv", table: { maxRejects: 10 } });
    assert(failure.reason === "bad-row", JSON.stringify(failure));
    assert.equal(failure.line, 3);
    assert.match(failure.problem, /goes on for 22 lines/);
  });

  test("a fault among the first rows, in a packed file of CRLF and LF lines, is told with its own line", async () => {
    const text = 'id,fare,note\r\n1,1.5,a\r\n2,"x\r\ny",b\n3\r\n4,z,d\r\n5,5.5,e';
    writeFileSync("mixed.csv.gz", gzipSync(text));
    const rejects = await rejectsOf({ file: "mixed.csv.gz", recipe: { columns } });
    assert.deepEqual(rejects, [
      { line: 3, column: "fare", value: "x\r\ny", reason: "it is no DOUBLE" },
      { line: 5, value: "3", reason: "it has 1 field where the first row has 3" },
      { line: 6, column: "fare", value: "z", reason: "it is no DOUBLE" },
    ]);
  });

  test("a value that its own type holds and the table's does not is set aside too; what the table leaves out is not looked at", async () => {
    writeFileSync("table.csv", "id,fare,note\n1,1.25,a\n2,1.255,b\n70000,1.5,c\n4,2.5,a long note\n5,x,e\n");
    const types = { id: "smallint", fare: "numeric(5,2)", note: "varchar(3)" };
    const declared = { ...columns, fare: "VARCHAR" };
    const writer: Loading["writer"] = (table) => ({
      open: (wanted) => table.open(wanted.filter(({ name }) => name !== "fare")),
    });
    assert.deepEqual(await rejectsOf({ file: "table.csv", recipe: { columns: declared }, types, writer }), [
      {
        line: 4,
        column: "id",
        value: "70000",
        reason: "it does not fit the table's `smallint` without being rounded or cut",
      },
      {
        line: 5,
        column: "note",
        value: "a long note",
        reason: "it does not fit the table's `varchar(3)` without being rounded or cut",
      },
    ]);
    const sampled = { ...columns, fare: "DECIMAL(6,3)" };
    const file = "table.csv";
    const values = (await rejectsOf({ file, recipe: { columns: sampled }, types })).map(({ value }) => value);
    assert.deepEqual(values, ["1.255", "70000", "a long note", "x"]);
  });

  test("a NUL, which no text in Postgres can hold, is set aside", async () => {
    writeFileSync("nul.csv", "id,fare,note\n1,1.5,a\n2,2.5,b\0b\n3,3.5,c\n");
    assert.deepEqual(await rejectsOf({ file: "nul.csv", recipe: { columns } }), [
      {
        line: 3,
        column: "note",
        value: "b\0b",
        reason: "it holds the character NUL, which no text in Postgres can",
      },
    ]);
  });

  test("of a long value only the beginning is kept, and its line is found all the same", async () => {
    const long = "x".repeat(5000);
    writeFileSync("long.csv", `id,fare,note\n1,1.5,"a\nb"\n2,${long},b\n3,3.5,c\n`);
    assert.deepEqual(await rejectsOf({ file: "long.csv", recipe: { columns } }), [
      { line: 4, column: "fare", value: `${long.slice(0, 200)}…`, reason: "it is no DOUBLE" },
    ]);
  });

  test("no row fits: all are set aside, and none is loaded", async () => {
    writeFileSync("none.csv", "id,fare,note\nx,1.5,a\ny\n");
    const { result, table } = await load({ file: "none.csv", recipe: { columns } });
    assert(result.ok && result.value.kind === "made");
    assert.deepEqual([result.value.facts.rows, result.value.facts.rejects], [0, 2]);
    assert.deepEqual(await table.texts(), []);
  });

  test("nothing is handed over where every row fits", async () => {
    writeFileSync("fine.csv", "id,fare,note\n1,1.5,a\n");
    assert.deepEqual(await rejectsOf({ file: "fine.csv", recipe: { columns } }), []);
  });

  test("a writer that cannot keep what was set aside fails the load", async () => {
    writeFileSync("kept.csv", "id,fare,note\nx,1.5,a\n");
    const error = { reason: "interrupted" } as const;
    const writer = () => ({ reject: async () => ({ ok: false, error }) as const });
    const { result } = await load({ file: "kept.csv", recipe: { columns }, writer });
    assert.deepEqual(result, { ok: false, error });
  });
});

describe("parquet and JSON have rows, and no lines", () => {
  test("a value of parquet that the table does not hold", async () => {
    const file = await rig.parquet(
      "half.parquet",
      "SELECT i AS id, CASE WHEN i IN (7000, 8000) THEN i + 0.5 ELSE i END::DOUBLE AS n, [i, i / 2] AS l FROM range(9000) t(i)",
    );
    const reason = "it does not fit the table's `integer` without being rounded or cut";
    assert.deepEqual(await rejectsOf({ file, types: { n: "integer" } }), [
      { row: 7001, column: "n", value: "7000.5", reason },
      { row: 8001, column: "n", value: "8000.5", reason },
    ]);
  });

  test("an element of a list that the table's array does not hold", async () => {
    const file = await rig.parquet(
      "list.parquet",
      "SELECT * FROM (VALUES (1, [1, NULL]), (2, [70000]), (3, NULL), (4, []), (5, [2, 3])) t(id, l)",
    );
    const { result, table } = await load({ file, types: { l: "smallint[]" } });
    assert(result.ok, JSON.stringify(result));
    assert.deepEqual(
      table.rejected.flatMap(({ rows }) => rows.map(({ row, column }) => [row, column])),
      [[2, "l"]],
    );
    assert.deepEqual(await table.texts(), [
      ["1", "{1,NULL}"],
      ["3", null],
      ["4", "{}"],
      ["5", "{2,3}"],
    ]);
  });

  test("a value of JSON that is none of the declared type", async () => {
    writeFileSync("a.ndjson", '{"id": 1, "n": "2"}\n{"id": 2, "n": "x"}\n{"id": 3, "n": null}\n');
    const rejects = await rejectsOf({ file: "a.ndjson", recipe: { columns: { n: "INTEGER" } } });
    assert.deepEqual(rejects, [{ row: 2, column: "n", value: "x", reason: "it is no INTEGER" }]);
  });
});

/** A row as it is to be written, and what has to become of it. */
interface Drawn {
  readonly id: number;
  readonly fare: number;
  readonly note: string;
  readonly fault: "none" | "short" | "long" | "value" | "quote" | "too-large";
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  id: fc.integer({ min: 0, max: 30_000 }),
  fare: fc.integer({ min: -400, max: 400 }).map((quarters) => quarters / 4),
  note: fc.stringMatching(/^[ab",\n é]{0,6}$/),
  fault: fc.oneof(
    { weight: 6, arbitrary: fc.constant("none" as const) },
    { weight: 4, arbitrary: fc.constantFrom("short", "long", "value", "quote", "too-large" as const) },
  ) as fc.Arbitrary<Drawn["fault"]>,
});

function written({ id, fare, note, fault }: Drawn): string {
  const quoted = `"${note.replaceAll('"', '""')}"`;
  switch (fault) {
    case "none":
      return `${id},${fare},${quoted}`;
    case "short":
      return `${id},${quoted}`;
    case "long":
      return `${id},${fare},${quoted},more`;
    case "value":
      return `${id},fare ${fare},${quoted}`;
    case "quote":
      return `${id},${fare},"n"ote`;
    case "too-large":
      return `${id + 40_000},${fare},${quoted}`;
  }
}

test("whatever rows are wrong and wherever they are, just those are set aside, and all others arrive as they are", async () => {
  const file = fc.record({
    rows: fc.array(drawn, { minLength: 1, maxLength: 40 }),
    eol: fc.constantFrom("\n", "\r\n"),
    closed: fc.boolean(),
  });
  await holds(
    fc.asyncProperty(file, async ({ rows, eol, closed }) => {
      const texts = rows.map(written);
      writeFileSync("drawn.csv", ["id,fare,note", ...texts].join(eol) + (closed ? eol : ""));
      let line = 2;
      const lines = texts.map((text) => {
        const at = line;
        line += text.split("\n").length;
        return at;
      });
      const { result, table } = await rig.load({
        file: "drawn.csv",
        recipe: { columns },
        types: { id: "smallint" },
        table: { maxRejects: 1000 },
      });
      assert(result.ok, JSON.stringify(result));
      const bad = rows.flatMap(({ fault }, at) => (fault === "none" ? [] : [lines[at]]));
      assert.deepEqual(
        table.rejected.flatMap((one) => one.rows.map((reject) => reject.line)),
        bad,
      );
      const good = rows.filter(({ fault }) => fault === "none");
      const expected = good.map(({ id, fare, note }) => [String(id), String(fare), note]);
      const inOrder = (some: readonly (readonly (string | null)[])[]) =>
        some.map((row) => JSON.stringify(row)).sort();
      assert.deepEqual(inOrder(await table.texts()), inOrder(expected));
      assert(result.value.kind === "made");
      assert.equal(result.value.facts.rows, good.length);
      assert.deepEqual(ok(rows.length), ok(good.length + bad.length));
    }),
    40,
  );
});
