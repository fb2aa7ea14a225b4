// Reading parquet: columns and rows as they are, other types only where no value changes; and the database it happens in.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openSession, quoteText } from "../../src/duckdb/session.js";
import { type DataFiles, dataFiles } from "../rig/data-files.js";

let files: DataFiles;
before(async () => {
  files = await dataFiles();
});
after(() => files.close());

/** The bytes of a parquet file of what `select` yields. */
async function parquetOf(select: string): Promise<Buffer> {
  const path = join(files.folder, "made.parquet");
  await files.session.connection.run(`COPY (${select}) TO ${quoteText(path)} (FORMAT parquet)`);
  return readFileSync(path);
}

test("columns, types and rows are known without reading them", async () => {
  const bytes = await parquetOf(
    "SELECT i AS id, i / 2 AS half, [i] AS list, {'a': i} AS nested FROM range(10) t(i)",
  );
  const source = await files.open("f.parquet", bytes);
  assert.ok(source.ok);
  assert.equal(source.value.rows, 10);
  assert.deepEqual(source.value.columns, [
    { name: "id", type: "BIGINT" },
    { name: "half", type: "DOUBLE" },
    { name: "list", type: "BIGINT[]" },
    { name: "nested", type: "STRUCT(a BIGINT)" },
  ]);
});

test("another type is taken where every value stays the same", async () => {
  const bytes = await parquetOf(
    "SELECT 2.0::DOUBLE AS d, '7' AS t, encode('é') AS b, 1.50::DECIMAL(4,2) AS m, NULL::DOUBLE AS n",
  );
  const columns = { d: "BIGINT", t: "INTEGER", b: "VARCHAR", m: "DOUBLE", n: "BIGINT" };
  const { types, rows } = await files.read("f.parquet", bytes, { columns });
  assert.deepEqual(types, columns);
  assert.deepEqual(rows, [["2", "7", "é", "1.5", null]]);
});

test("a value that would change is refused", async () => {
  for (const [value, type] of [
    ["0.5::DOUBLE", "BIGINT"],
    ["300::INTEGER", "TINYINT"],
    ["9007199254740993::BIGINT", "DOUBLE"],
    ["0.1::DOUBLE", "FLOAT"],
    ["TIMESTAMP '2023-01-31 10:00:00'", "DATE"],
    ["TIMESTAMP_NS '2023-01-31 10:00:00.1234567'", "TIMESTAMP"],
    ["0.125::DOUBLE", "DECIMAL(4,2)"],
    ["'0.5'", "INTEGER"],
    ["'\\xFF'::BLOB", "VARCHAR"],
  ] as const) {
    const bytes = await parquetOf(`SELECT * FROM (VALUES (NULL), (${value})) t(v)`);
    const failure = await files.refuse("f.parquet", bytes, { columns: { v: type } });
    assert.deepEqual([failure.reason, failure.column, failure.type], ["bad-value", "v", type], value);
    assert.match(String(failure.problem), /^in row 2, /);
  }
});

test("what is no parquet, or is cut short, is refused", async () => {
  const whole = await parquetOf("SELECT 1 AS a");
  const found = async (content: string | Uint8Array) => (await files.refuse("f.parquet", content)).found;
  assert.equal(await found("a,b\n1,2\n"), "text");
  assert.equal(await found(whole.subarray(0, -5)), "parquet without its end");
  assert.equal(await found('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'), "xml");
  assert.equal((await files.refuse("f.parquet", "")).reason, "empty-file");
  const hollow = Buffer.from(whole).fill(0, 4, whole.length - 8);
  assert.equal((await files.refuse("f.parquet", hollow)).reason, "data-engine");
});

test("a file that is not there is refused with its code", async () => {
  const { openSource } = await import("../../src/duckdb/source.js");
  const missing = await openSource(files.session, join(files.folder, "none.parquet"), {
    columns: {},
    csv: {},
  });
  assert.deepEqual(
    !missing.ok && [missing.error.reason, missing.error.reason === "io" && missing.error.code],
    ["io", "ENOENT"],
  );
});

test("a session is bounded, cannot load extensions, and leaves nothing behind", async () => {
  const root = join(files.folder, "root");
  const session = await openSession({ root, threads: 1, memoryLimitMb: 100 });
  const ask = async (name: string) =>
    (
      await session.connection.runAndReadAll(`SELECT CAST(current_setting('${name}') AS VARCHAR)`)
    ).getRows()[0]![0];
  assert.equal(await ask("threads"), "1");
  assert.equal(await ask("memory_limit"), "95.3 MiB");
  assert.equal(await ask("autoinstall_known_extensions"), "false");
  assert.equal(await ask("autoload_known_extensions"), "false");
  await assert.rejects(session.connection.run("FROM read_csv('https://example.invalid/a.csv')"));
  assert.ok(existsSync(session.folder) && session.folder.startsWith(join(root, ".dmake/tmp/")));
  session.close();
  assert.deepEqual(readdirSync(join(root, ".dmake/tmp")), []);
});

test("what a killed process has left goes when the next session opens; what a living one uses stays", async () => {
  const root = join(files.folder, "killed");
  const script = `import("./src/duckdb/session.ts").then(async ({ openSession }) => {
    await openSession({ root: ${JSON.stringify(root)}, threads: 1 });
    process.kill(process.pid, "SIGKILL");
  })`;
  const killed = spawnSync(process.execPath, ["--import", "tsx", "-e", script], {
    cwd: join(import.meta.dirname, "../.."),
  });
  assert.equal(killed.signal, "SIGKILL", killed.stderr.toString());
  assert.equal(readdirSync(join(root, ".dmake/tmp")).length, 1);
  const [first, second] = [await openSession({ root, threads: 1 }), await openSession({ root, threads: 1 })];
  assert.deepEqual(readdirSync(join(root, ".dmake/tmp")).length, 2);
  assert.ok(existsSync(first.folder) && existsSync(second.folder));
  first.close();
  second.close();
});
