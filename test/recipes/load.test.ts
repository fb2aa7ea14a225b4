// A parquet file on disk becomes the rows of a table, all of them and as they are, or the load fails and says why.
import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { DuckDBInstance } from "@duckdb/node-api";
import { type Failure, fail, ok } from "../../src/core/failure.js";
import type { LoadRecipe, Rule, Step } from "../../src/core/rule.js";
import type { Job, Progress, TableWriter } from "../../src/engine/ports.js";
import { runLoad } from "../../src/recipes/load.js";
import { startServer, type TestServer } from "../rig/postgres.js";
import { type TestTable, testTable } from "../rig/table.js";
import { plain } from "./jobs.js";

const home = process.cwd();
const folder = mkdtempSync(join(tmpdir(), "dmake-load-"));
let server: TestServer;
let table: TestTable;

before(async () => {
  process.chdir(folder);
  server = await startServer();
});

beforeEach(async () => {
  await table?.end();
  table = await testTable(server.url, "trips");
});

after(async () => {
  await table.end();
  await server.stop();
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

async function parquet(name: string, query: string): Promise<string> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(`COPY (${query}) TO '${join(folder, name)}' (FORMAT parquet)`);
  connection.closeSync();
  instance.closeSync();
  return name;
}

const recipe: LoadRecipe = { kind: "load", columns: {}, csv: {}, partitionColumn: "month" };
const rule: Rule = {
  name: "loaded",
  at: { file: "Datafile.ts", line: 7 },
  outputs: [],
  inputs: [],
  after: [],
  domains: {},
  bind: () => ok(recipe),
};

interface Wish {
  readonly inputs: readonly string[];
  readonly writer?: TableWriter;
  readonly signal?: AbortSignal;
  readonly progress?: (progress: Progress) => void;
}

function job({
  inputs,
  writer = table,
  signal = new AbortController().signal,
  progress = () => undefined,
}: Wish): Job {
  const id = "table:trips/2023-01";
  const step: Step = { ...plain, id, rule, binding: { month: "2023-01" }, inputs, outputs: [id], recipe };
  return {
    step,
    inputs,
    stage: { kind: "table", writer },
    previous: undefined,
    threads: 1,
    signal,
    log: () => undefined,
    progress,
    need: async () => ok(undefined),
  };
}

async function failureOf(wish: Wish, of: LoadRecipe = recipe): Promise<Failure> {
  const result = await runLoad(of, job(wish));
  assert(!result.ok);
  return result.error;
}

/** Like the table, but one step is done otherwise. */
const but = (change: Partial<TableWriter>): TableWriter => ({
  reject: table.reject,
  widen: table.widen,
  open: table.open,
  copy: table.copy,
  ...change,
});

describe("rows", () => {
  test("every row arrives as it is, and the facts say how many and how large", async () => {
    const file = await parquet(
      "trips.parquet",
      "SELECT i, i / 4 AS fare, 'zone ' || i AS zone, CASE WHEN i % 3 = 0 THEN TIMESTAMP '2023-01-01' + to_seconds(i) END AS at FROM range(10000) t(i)",
    );
    const seen: Progress[] = [];
    let bytes = 0;
    async function* weighed(rows: AsyncIterable<Uint8Array>) {
      for await (const part of rows) {
        bytes += part.byteLength;
        yield part;
      }
    }
    const writer = but({ copy: (rows, signal) => table.copy(weighed(rows), signal) });
    const result = await runLoad(
      recipe,
      job({ inputs: [file], writer, progress: (progress) => seen.push(progress) }),
    );
    assert.deepEqual(result, ok({ kind: "made", facts: { rows: 10_000, bytes } }));
    assert.deepEqual(table.asked, [
      { name: "i", type: "bigint" },
      { name: "fare", type: "double precision" },
      { name: "zone", type: "text" },
      { name: "at", type: "timestamp without time zone" },
    ]);
    const texts = await table.texts();
    assert.equal(texts.length, 10_000);
    assert.deepEqual(texts[9_999], ["9999", "2499.75", "zone 9999", "2023-01-01 02:46:39"]);
    assert.deepEqual(texts[3_601], ["3601", "900.25", "zone 3601", null]);
    assert.deepEqual(seen.at(-1), { phase: "load", done: 10_000, total: 10_000, unit: "rows" });
  });

  test("a CSV loads as a parquet file does, and a value that breaks its type is told with its line", async () => {
    writeFileSync("zones.csv", 'LocationID,Zone\n1,"Newark, EWR"\n264,""\n265,\n');
    const columns = { LocationID: "INTEGER", Zone: "VARCHAR" };
    assert.equal((await runLoad({ ...recipe, columns }, job({ inputs: ["zones.csv"] }))).ok, true);
    assert.deepEqual(await table.texts(), [
      ["1", "Newark, EWR"],
      ["264", ""],
      ["265", null],
    ]);
    writeFileSync("broken.csv", "LocationID,Zone\n1,a\n2.5,b\n");
    const failure = await failureOf({ inputs: ["broken.csv"] }, { ...recipe, columns });
    assert(failure.reason === "bad-value");
    assert.deepEqual(
      [failure.file, failure.line, failure.column, failure.text],
      ["broken.csv", 3, "LocationID", "2.5"],
    );
    assert.deepEqual(await table.texts(), []);
  });

  test("a file without rows leaves a table without rows", async () => {
    const file = await parquet("none.parquet", "SELECT 1 AS a, 'x' AS b WHERE false");
    assert.deepEqual(
      await runLoad(recipe, job({ inputs: [file] })),
      ok({ kind: "made", facts: { rows: 0, bytes: 21 } }),
    );
  });

  test("the writer's order and types win: columns go where the table wants them", async () => {
    const file = await parquet("order.parquet", "SELECT 1::INTEGER AS a, 'x' AS b, 2.00::DOUBLE AS c");
    const wanted = [
      { name: "c", type: "bigint" },
      { name: "b", type: "text" },
      { name: "a", type: "numeric(5,1)" },
    ];
    const writer = but({
      open: async () => {
        await table.open(wanted);
        return ok(wanted);
      },
    });
    assert.equal((await runLoad(recipe, job({ inputs: [file], writer }))).ok, true);
    assert.deepEqual(await table.texts(), [["2", "x", "1.0"]]);
  });

  test("names keep their case, and quotes and spaces in them are names too", async () => {
    const file = await parquet(
      "names.parquet",
      `SELECT 1 AS "PULocationID", 2 AS "a ""quoted"" name", 3 AS "select"`,
    );
    assert.equal((await runLoad(recipe, job({ inputs: [file] }))).ok, true);
    assert.deepEqual(
      table.asked.map(({ name }) => name),
      ["PULocationID", 'a "quoted" name', "select"],
    );
    assert.deepEqual(await table.texts(), [["1", "2", "3"]]);
  });
});

describe("refused before a row is read", () => {
  test("more than one input, or none", async () => {
    const failure = await failureOf({ inputs: ["a.parquet", "b.parquet"] });
    assert.equal(failure.reason, "bad-rule");
    assert.match("problem" in failure ? String(failure.problem) : "", /2: `a\.parquet`, `b\.parquet`/);
    assert.equal((await failureOf({ inputs: [] })).reason, "bad-rule");
  });

  test("a data column of the partition column's name; the same letters in another case are another name", async () => {
    const file = await parquet("month.parquet", "SELECT 1 AS id, 'x' AS month");
    assert.deepEqual(await failureOf({ inputs: [file] }), {
      reason: "partition-column-taken",
      table: "trips",
      column: "month",
      file,
    });
    assert.equal((await runLoad({ ...recipe, partitionColumn: "Month" }, job({ inputs: [file] }))).ok, true);
  });

  test("a name that Postgres would cut", async () => {
    const file = await parquet("long.parquet", `SELECT 1 AS "${"é".repeat(32)}"`);
    const failure = await failureOf({ inputs: [file] });
    assert.equal(failure.reason, "table-shape");
    assert.match(failure.reason === "table-shape" ? failure.differences.join() : "", /name of 64 bytes/);
  });

  test("every pair of types that cannot go together, all at once, with the remedy", async () => {
    const file = await parquet("pairs.parquet", "SELECT 'x' AS a, 1 AS b, TIMESTAMP '2020-01-01' AS c");
    await table.end();
    table = await testTable(server.url, "trips", { a: "date", c: "timestamptz" });
    assert.deepEqual(await failureOf({ inputs: [file] }), {
      reason: "table-shape",
      table: "trips",
      differences: [
        "`a` is `VARCHAR` in `pairs.parquet` and `date` in the table",
        "`c` is `TIMESTAMP` in `pairs.parquet` and `timestamptz` in the table",
      ],
      help: 'give the columns their types in the Datafile, as `columns: { amount: "DOUBLE" }`, or change the table with ALTER TABLE',
    });
  });

  test("what the writer refuses", async () => {
    const file = await parquet("one.parquet", "SELECT 1 AS a");
    const error: Failure = { reason: "table-shape", table: "trips", differences: ["`a`"], help: "none" };
    assert.deepEqual(
      await failureOf({ inputs: [file], writer: but({ open: async () => fail(error) }) }),
      error,
    );
  });
});

describe("refused on the way: the COPY fails and no row stays", () => {
  test("a value that Postgres cannot hold", async () => {
    const file = await parquet(
      "nul.parquet",
      "SELECT i, CASE WHEN i = 8000 THEN 'x' || chr(0) ELSE 'fine' END AS note FROM range(9000) t(i)",
    );
    const problem = "row 8001 holds the character NUL, which no text in Postgres can";
    assert.deepEqual(await failureOf({ inputs: [file] }), {
      reason: "bad-value",
      file,
      column: "note",
      text: "x\0",
      type: "text",
      problem,
    });
    assert.deepEqual(await table.texts(), []);
  });

  test("a value that does not fit the table without being rounded", async () => {
    const file = await parquet(
      "half.parquet",
      "SELECT i, CASE WHEN i = 8000 THEN 0.5 ELSE i END::DOUBLE AS n FROM range(9000) t(i)",
    );
    await table.end();
    table = await testTable(server.url, "trips", { n: "integer" });
    const problem = "does not fit the table's `integer` without being rounded or cut";
    assert.deepEqual(await failureOf({ inputs: [file] }), {
      reason: "bad-value",
      file,
      column: "n",
      text: "0.5",
      type: "integer",
      problem,
    });
    assert.deepEqual(await table.texts(), []);
  });

  test("a value that the server refuses is the server's to explain", async () => {
    const file = await parquet("checked.parquet", "SELECT i FROM range(9000) t(i)");
    const writer = but({
      open: async (columns) => {
        const opened = await table.open(columns);
        await table.client.query("ALTER TABLE trips ADD CHECK (i <> 8000)");
        return opened;
      },
    });
    const failure = await failureOf({ inputs: [file], writer });
    assert(failure.reason === "postgres-error");
    assert.equal(failure.code, "23514");
    assert.match(failure.message, /line 8001/);
  });

  test("a server that took fewer rows than were sent", async () => {
    const file = await parquet("lost.parquet", "SELECT i FROM range(10) t(i)");
    const copy: TableWriter["copy"] = async (rows, signal) => {
      const taken = await table.copy(rows, signal);
      return taken.ok ? ok(taken.value - 1) : taken;
    };
    assert.deepEqual(await failureOf({ inputs: [file], writer: but({ copy }) }), {
      reason: "rows-lost",
      table: "trips",
      expected: 10,
      found: 9,
    });
  });

  test("a writer's own error is thrown on", async () => {
    const file = await parquet("boom.parquet", "SELECT i FROM range(9000) t(i)");
    const copy: TableWriter["copy"] = async (rows) => {
      for await (const _ of rows) throw new Error("boom");
      return ok(0);
    };
    await assert.rejects(runLoad(recipe, job({ inputs: [file], writer: but({ copy }) })), /boom/);
  });
});

describe("interrupted", () => {
  test("before it starts", async () => {
    assert.deepEqual(await failureOf({ inputs: ["none.parquet"], signal: AbortSignal.abort() }), {
      reason: "interrupted",
    });
  });

  test("while rows are on their way: it stops soon, and the COPY is undone", async () => {
    const file = await parquet("many.parquet", "SELECT i, 'text number ' || i AS t FROM range(300000) t(i)");
    const stop = new AbortController();
    let parts = 0;
    async function* cut(rows: AsyncIterable<Uint8Array>) {
      for await (const part of rows) {
        if (++parts === 20) stop.abort();
        yield part;
      }
    }
    const writer = but({ copy: (rows, signal) => table.copy(cut(rows), signal) });
    assert.deepEqual(await failureOf({ inputs: [file], writer, signal: stop.signal }), {
      reason: "interrupted",
    });
    assert(parts < 30);
    assert.deepEqual(await table.texts(), []);
  });

  test("while DuckDB works on its first chunk", async () => {
    const file = await parquet("wide.parquet", "SELECT i FROM range(2000000) t(i)");
    const stop = new AbortController();
    const writer = but({
      copy: (rows, signal) => {
        queueMicrotask(() => stop.abort());
        return table.copy(rows, signal);
      },
    });
    assert.deepEqual(await failureOf({ inputs: [file], writer, signal: stop.signal }), {
      reason: "interrupted",
    });
  });

  test("with a writer that lets go of the rows without a word", async () => {
    const file = await parquet("many.parquet", "SELECT i FROM range(300000) t(i)");
    const stop = new AbortController();
    const copy: TableWriter["copy"] = async (rows) => {
      const parts = rows[Symbol.asyncIterator]();
      for (let k = 0; k < 3; k++) await parts.next();
      stop.abort();
      return fail({ reason: "interrupted" });
    };
    assert.deepEqual(await failureOf({ inputs: [file], writer: but({ copy }), signal: stop.signal }), {
      reason: "interrupted",
    });
  });
});
