// The `parquet` recipe from end to end: what it writes, what it counts, and that a failure or an interrupt leaves nothing.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { gzipSync } from "node:zlib";
import { ok, type Result } from "../../src/core/failure.js";
import type { ParquetRecipe } from "../../src/core/rule.js";
import { openSession } from "../../src/duckdb/session.js";
import { openSource } from "../../src/duckdb/source.js";
import type { Job, Outcome, Progress } from "../../src/engine/ports.js";
import { runParquet } from "../../src/recipes/parquet.js";
import { rowsOf } from "../rig/data-files.js";
import { plain } from "./jobs.js";

const origin = process.cwd();
let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "dmake-parquet-"));
  process.chdir(folder);
});
beforeEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
});
after(() => {
  process.chdir(origin);
  rmSync(folder, { recursive: true });
});

const staged = ".out.parquet.dmake-1.tmp";

interface Wanted extends Partial<ParquetRecipe> {
  readonly inputs?: readonly string[];
  readonly signal?: AbortSignal;
  readonly progress?: (progress: Progress) => void;
}

function run({ inputs = ["in.csv"], signal, progress, ...recipe }: Wanted = {}): Promise<Result<Outcome>> {
  const at = { file: "Datafile.ts", line: 7 };
  const rule = { name: undefined, at, outputs: [], inputs: [], after: [], domains: {} };
  const full: ParquetRecipe = { kind: "parquet", columns: {}, csv: {}, compression: "zstd", ...recipe };
  const named = { ...plain, id: "out.parquet", outputs: ["out.parquet"] };
  const job: Job = {
    step: { ...named, rule: { ...rule, bind: () => ({ ok: true, value: full }) }, inputs, recipe: full },
    inputs,
    stage: { kind: "files", paths: [staged], depfile: `${staged}.read` },
    previous: undefined,
    threads: 2,
    signal: signal ?? new AbortController().signal,
    log: () => undefined,
    progress: progress ?? (() => undefined),
    need: async () => ok(undefined),
  };
  return runParquet(full, job);
}

async function read(path: string) {
  const session = await openSession({ threads: 1 });
  const copy = `${path}.parquet`;
  writeFileSync(copy, readFileSync(path));
  const source = await openSource(session, copy, { columns: {}, csv: {} });
  assert.ok(source.ok);
  const table = await rowsOf(session, source.value);
  session.close();
  return table;
}

const nothingLeft = () => {
  assert.deepEqual(
    readdirSync(".").filter((name) => !name.startsWith("in.") && name !== ".dmake"),
    [],
  );
  if (existsSync(".dmake/tmp")) assert.deepEqual(readdirSync(".dmake/tmp"), []);
};

// The first lines of green_tripdata_2023-01 of the NYC Taxi and Limousine Commission, as CSV.
const green = `VendorID,lpep_pickup_datetime,store_and_fwd_flag,RatecodeID,PULocationID,trip_distance,fare_amount,ehail_fee
2,2023-01-01 00:26:10,N,1.0,166,2.58,14.9,
2,2023-01-01 00:51:03,N,1.0,24,1.81,10.7,
1,2023-01-01 00:13:14,,,223,0.0,-7.2,
`;

test("a CSV becomes parquet with the same values, and the outcome counts rows and bytes", async () => {
  writeFileSync("in.csv.gz", gzipSync(green));
  const made = await run({ inputs: ["in.csv.gz"], columns: { RatecodeID: "BIGINT", ehail_fee: "DOUBLE" } });
  assert.deepEqual(made, {
    ok: true,
    value: { kind: "made", facts: { rows: 3, bytes: statSync(staged).size } },
  });
  const { types, rows } = await read(staged);
  assert.deepEqual(types, {
    VendorID: "BIGINT",
    lpep_pickup_datetime: "TIMESTAMP",
    store_and_fwd_flag: "VARCHAR",
    RatecodeID: "BIGINT",
    PULocationID: "BIGINT",
    trip_distance: "DOUBLE",
    fare_amount: "DOUBLE",
    ehail_fee: "DOUBLE",
  });
  assert.deepEqual(rows, [
    ["2", "2023-01-01 00:26:10", "N", "1", "166", "2.58", "14.9", null],
    ["2", "2023-01-01 00:51:03", "N", "1", "24", "1.81", "10.7", null],
    ["1", "2023-01-01 00:13:14", null, null, "223", "0.0", "-7.2", null],
  ]);
});

test("JSON and parquet become parquet too, in every compression", async () => {
  writeFileSync("in.json", '[{"a":1},{"a":2}]');
  for (const compression of ["zstd", "snappy", "gzip", "uncompressed"] as const) {
    assert.ok((await run({ inputs: ["in.json"], compression })).ok);
    writeFileSync("in.parquet", readFileSync(staged));
    assert.ok((await run({ inputs: ["in.parquet"], compression, columns: { a: "INTEGER" } })).ok);
    assert.deepEqual(await read(staged), { types: { a: "INTEGER" }, rows: [["1"], ["2"]] });
  }
});

test("a header alone becomes a parquet file without rows", async () => {
  writeFileSync("in.csv", "a,b\n");
  const made = await run();
  assert.equal(made.ok && made.value.facts.rows, 0);
  assert.deepEqual(await read(staged), { types: { a: "VARCHAR", b: "VARCHAR" }, rows: [] });
});

const many = (rows: number): string =>
  `id,amount,at\n${Array.from({ length: rows }, (_, row) => `${row},${row / 4},2023-01-01 00:00:${10 + (row % 50)}\n`).join("")}`;

test("two runs write the same bytes, rows in the order of the file", async () => {
  writeFileSync("in.csv", many(300_000));
  const digests = new Set<string>();
  for (let round = 0; round < 2; round++) {
    assert.ok((await run()).ok);
    digests.add(createHash("sha256").update(readFileSync(staged)).digest("hex"));
  }
  assert.equal(digests.size, 1);
  const { rows } = await read(staged);
  assert.ok(rows.every(([id], row) => id === String(row)));
});

test("a bad value fails with its line and leaves nothing", async () => {
  writeFileSync("in.csv", `${many(100_000)}7.5,1,2023-01-01 00:00:00\n`);
  const made = await run();
  assert.deepEqual(!made.ok && made.error, {
    reason: "bad-value",
    file: "in.csv",
    line: 100_002,
    column: "id",
    text: "7.5",
    type: "BIGINT",
    problem: "it is not a whole number",
  });
  nothingLeft();
});

test("an interrupt ends it soon and leaves nothing", async () => {
  writeFileSync("in.csv", many(1_500_000));
  const interrupting = new AbortController();
  const made = await run({ signal: interrupting.signal, progress: () => interrupting.abort() });
  assert.deepEqual(made, { ok: false, error: { reason: "interrupted" } });
  nothingLeft();
  assert.deepEqual(await run({ signal: AbortSignal.abort() }), {
    ok: false,
    error: { reason: "interrupted" },
  });
});

test("progress is told in bytes of the input", async () => {
  writeFileSync("in.csv", many(1_500_000));
  const told: Progress[] = [];
  assert.ok((await run({ progress: (progress) => told.push(progress) })).ok);
  const total = statSync("in.csv").size;
  assert.ok(told.length > 0);
  for (const { done, unit, total: of } of told)
    assert.ok(unit === "bytes" && of === total && done > 0 && done <= total);
});

test("two inputs are refused with the place of the rule", async () => {
  const made = await run({ inputs: ["in.csv", "in2.csv"] });
  assert.ok(!made.ok && made.error.reason === "bad-rule" && made.error.at.line === 7);
});

const written = async (wanted: Wanted) => {
  const made = await run(wanted);
  assert.ok(made.ok, JSON.stringify(made));
  return read(staged);
};

test("integers beyond 64 bits keep every digit", async () => {
  writeFileSync("in.csv", "id,n\n12345678901234567890,1\n,2\n-12345678901234567891,3\n");
  const exact = {
    types: { id: "DECIMAL(38,0)", n: "BIGINT" },
    rows: [
      ["12345678901234567890", "1"],
      [null, "2"],
      ["-12345678901234567891", "3"],
    ],
  };
  assert.deepEqual(await written({}), exact);
  assert.deepEqual(await written({ columns: { id: "HUGEINT" } }), exact);
  writeFileSync("in.csv", `id\n${"9".repeat(38)}\n`);
  assert.deepEqual((await written({ columns: { id: "UHUGEINT" } })).rows, [["9".repeat(38)]]);
});

test("an integer of 39 digits is refused, not rounded", async () => {
  const text = `1${"0".repeat(38)}`;
  writeFileSync("in.csv", `n,id\n1,5\n2,${text}\n`);
  for (const type of ["HUGEINT", "UHUGEINT"]) {
    const made = await run({ columns: { id: type } });
    assert.deepEqual(!made.ok && made.error, {
      reason: "bad-value",
      file: "in.csv",
      column: "id",
      text,
      type: "DECIMAL(38,0)",
      problem: "it has more than the 38 digits that parquet keeps",
    });
    nothingLeft();
  }
  // What is wrong elsewhere is told as ever.
  writeFileSync("in.csv", "id,n\n12345678901234567890,1\n1,x\n");
  const made = await run({ columns: { n: "BIGINT" } });
  assert.ok(!made.ok && made.error.reason === "bad-value" && made.error.line === 3);
});

test("integers beyond 64 bits within JSON keep every digit", async () => {
  const json = '{"HUGEINT":[9223372036854775809],"s":{"a, HUGEINT":9223372036854775811,"b":"HUGEINT"}}\n';
  writeFileSync("in.json", `${json}{}\n`);
  assert.deepEqual(await written({ inputs: ["in.json"] }), {
    types: { HUGEINT: "DECIMAL(38,0)[]", s: 'STRUCT("a, HUGEINT" DECIMAL(38,0), b VARCHAR)' },
    rows: [
      ["[9223372036854775809]", "{'a, HUGEINT': 9223372036854775811, 'b': HUGEINT}"],
      [null, null],
    ],
  });
});

test("a value of every type comes back from parquet as it was", async () => {
  const kept: readonly (readonly [type: string, text: string, comesBackAs?: string])[] = [
    ["BOOLEAN", "true"],
    ["TINYINT", "-128"],
    ["SMALLINT", "-32768"],
    ["INTEGER", "-2147483648"],
    ["BIGINT", "-9223372036854775808"],
    ["UTINYINT", "255"],
    ["USMALLINT", "65535"],
    ["UINTEGER", "4294967295"],
    ["UBIGINT", "18446744073709551615"],
    ["HUGEINT", `-${"9".repeat(38)}`, "DECIMAL(38,0)"],
    ["UHUGEINT", "9".repeat(38), "DECIMAL(38,0)"],
    ["FLOAT", "0.1"],
    ["DOUBLE", "0.1"],
    ["DOUBLE", "nan"],
    ["DECIMAL(5,2)", "123.45"],
    ["DECIMAL(38,2)", `${"9".repeat(36)}.45`],
    ["VARCHAR", "é "],
    ["BLOB", "ab\\x00"],
    ["UUID", "ffffffff-ffff-ffff-ffff-fffffffffff0"],
    ["DATE", "2023-01-31"],
    ["DATE", "infinity"],
    ["TIME", "01:02:03.123456"],
    ["TIMESTAMP", "2023-01-31 01:02:03.123456"],
    ["TIMESTAMP", "infinity"],
    ["TIMESTAMP_S", "2023-01-31 01:02:03", "TIMESTAMP"],
    ["TIMESTAMP_MS", "2023-01-31 01:02:03.123", "TIMESTAMP"],
    ["TIMESTAMP_NS", "2023-01-31 01:02:03.123456789"],
    ["TIMESTAMP WITH TIME ZONE", "2023-01-31 01:02:03.123456+00"],
    ["ENUM('INTERVAL', 'b')", "INTERVAL", "VARCHAR"],
    ["JSON", "[1]"],
  ];
  for (const [type, text, comesBackAs = type] of kept) {
    writeFileSync("in.csv", `v\n${text}\n`);
    const { types, rows } = await written({ columns: { v: type } });
    assert.deepEqual([types.v, rows], [comesBackAs, [[text]]], type);
  }
});

test("a type whose values parquet would change is refused", async () => {
  writeFileSync("in.csv", "v\n1\n");
  for (const type of ["TIMETZ", "INTERVAL", "BIT", "BIGNUM", "TIME_NS", "GEOMETRY"]) {
    const made = await run({ columns: { v: type } });
    assert.ok(!made.ok && made.error.reason === "unsupported-type", type);
    assert.match(made.error.help!, /as text: `columns: \{ "v": "VARCHAR" \}`$/);
    nothingLeft();
  }
});

test("what parquet held, it holds again", async () => {
  const session = await openSession({ threads: 1 });
  await session.connection.run(
    "COPY (SELECT '01:02:03+00'::TIMETZ AS t, INTERVAL '1 month 3.123 seconds' AS i) TO 'in.parquet'",
  );
  session.close();
  const { types, rows } = await written({ inputs: ["in.parquet"] });
  assert.deepEqual(types, { t: "TIME WITH TIME ZONE", i: "INTERVAL" });
  assert.deepEqual(rows, [["01:02:03+00", "1 month 00:00:03.123"]]);
});

test("columns are renamed on their way", async () => {
  writeFileSync("in.csv", "Trip type ,a\n1,x\n");
  const made = await run({ rename: { "Trip type": "trip" }, columns: { trip: "DOUBLE" } });
  assert.ok(made.ok, JSON.stringify(made));
  assert.deepEqual(await read(staged), {
    types: { trip: "DOUBLE", a: "VARCHAR" },
    rows: [["1.0", "x"]],
  });
});
