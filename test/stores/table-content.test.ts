// The story of a table that is loaded anew: what depends on it sees a change if its rows or columns changed, and not otherwise.
import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { DuckDBInstance } from "@duckdb/node-api";
import type { Digest } from "../../src/core/trace.js";
import type { Stage } from "../../src/engine/ports.js";
import { runLoad } from "../../src/recipes/load.js";
import {
  attemptFor,
  type Cell,
  emptyWorld,
  factOf,
  fill,
  load,
  made,
  type Rows,
  stopServer,
  value,
  type World,
} from "./table-rig.js";

after(stopServer);

const columns = [
  { name: "id", type: "integer" },
  { name: "zone", type: "text" },
];
const rows: readonly Cell[][] = [
  [1, "east"],
  [2, null],
];
const january: Rows = { target: "table:trips/2023-01", columns, rows };
const zones: Rows = { target: "table:zones", columns, rows };

/** Loads, and answers what whoever depends on it sees: the same as what is recorded. */
async function seen(world: World, load_: Rows): Promise<Digest> {
  const trace = value(await load(world.store, load_, { forced: true }));
  const fact = await factOf(world.store, load_.target);
  assert.ok(trace !== "already" && fact.kind === "present");
  assert.equal(trace.outputs[0]?.digest, fact.digest);
  return fact.digest;
}

test("the same rows by another recipe, from another file, in a later run are no change to what depends on them", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  for (const target of [january, zones]) {
    const first = await seen(world, target);
    const again: Rows = { ...target, recipe: { kind: "load", "csv.delimiter": ";" } };
    assert.equal(await seen(world, again), first);
    assert.equal(await seen(world, { ...again, digest: "sha256:other bytes" }), first);
    const loads = await world.sql(
      "SELECT DISTINCT fingerprint, content FROM dmake.history WHERE target = $1",
      [target.target],
    );
    assert.equal(loads.length, 3);
    assert.deepEqual(new Set(loads.map(({ content }) => content)), new Set([first]));
  }
});

test("other rows, other columns or another partition are a change", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const [first, second] = rows as [Cell[], Cell[]];
  const [id, zone] = columns as [(typeof columns)[0], (typeof columns)[0]];
  const others: Record<string, Partial<Rows>> = {
    "as it is": {},
    "a value": { rows: [first, [2, "west"]] },
    "an empty text for a null": { rows: [first, [2, ""]] },
    "a row more": { rows: [first, second, [3, null]] },
    "a row less": { rows: [first] },
    "a row twice": { rows: [first, second, second] },
    "no rows": { rows: [] },
    "rows swapped, which costs work only": { rows: [second, first] },
    "another type": { columns: [{ ...id, type: "bigint" }, zone] },
    "another type of the same bytes": { columns: [id, { ...zone, type: "character varying" }] },
    "another name": { columns: [id, { ...zone, name: "borough" }] },
    "another partition": { target: "table:trips/2023-02" },
    "another partition column": { partitionColumn: "year" },
    "a whole table": { target: "table:trips" },
  };
  const digests = new Map<Digest, string>();
  for (const [what, change] of Object.entries(others)) {
    await world.sql("DROP TABLE IF EXISTS trips");
    const digest = await seen(world, { ...january, ...change });
    assert.equal(digests.get(digest), undefined, what);
    digests.set(digest, what);
  }
});

test("two columns that change places in the file are two other columns, though the bytes are the same", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const [a, b] = [
    { name: "a", type: "integer" },
    { name: "b", type: "integer" },
  ];
  const pairs: Rows = { target: "table:pairs", columns: [a, b], rows: [[1, 2]] };
  const first = await seen(world, pairs);
  assert.notEqual(await seen(world, { ...pairs, columns: [b, a] }), first);
  assert.deepEqual(await world.sql("SELECT a, b FROM pairs"), [{ a: 2, b: 1 }]);
});

test("what the table makes of a column is what counts: its own type, its own spelling", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, { ...january, columns: [{ name: "id", type: "bigint" }, columns[1]!] }));
  const first = await seen(world, january);
  const spelt = [columns[0]!, { name: "Zone", type: "varchar" }];
  assert.equal(await seen(world, { ...january, columns: spelt }), first);
});

test("that holds also where the table came to be while the rows were on their way", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const late: Rows = { ...january, columns: [columns[0]!, { name: "Zone", type: "text" }] };
  const attempt = attemptFor(late);
  const stage = value(await world.store.stage(attempt)) as Stage;
  value(await fill(stage, late));
  value(await load(world.another(), { ...january, target: "table:trips/2023-02" }));
  const { trace } = value(await world.store.publish(attempt, stage, made(rows.length, attempt)));
  assert.equal(await seen(world, late), trace.outputs[0]?.digest);
});

test("a table that has grown since says more", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const first = await seen(world, january);
  const more = [...columns, { name: "fee", type: "integer" }];
  value(await load(world.store, { target: "table:trips/2023-02", columns: more, rows: [[3, "west", 1]] }));
  assert.deepEqual(await factOf(world.store, january.target), { kind: "present", digest: first });
  const grown = await seen(world, january);
  assert.notEqual(grown, first);
  assert.equal(await seen(world, january), grown);
});

test("what Postgres fills in by itself is a change, unless it is always the same", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const same = ["integer", "text DEFAULT 'it''s'", "numeric(4,1) DEFAULT -1.5", "boolean DEFAULT true"];
  same.push("integer GENERATED ALWAYS AS (id * 2) STORED", "text DEFAULT NULL", "date DEFAULT '2023-01-01'");
  const other = ["serial", "integer GENERATED ALWAYS AS IDENTITY", "timestamptz DEFAULT now()"];
  other.push("uuid DEFAULT gen_random_uuid()", "timestamptz DEFAULT 'now'::text::timestamptz");
  const digests = new Set<Digest>();
  for (const definition of [...same, ...other]) {
    await world.sql("DROP TABLE IF EXISTS zones");
    await world.sql(`CREATE TABLE zones (id integer, zone text, filled ${definition})`);
    const [first, second] = [await seen(world, zones), await seen(world, zones)];
    assert.equal(first === second, same.includes(definition), definition);
    digests.add(first);
  }
  assert.equal(digests.size, same.length + other.length, "each table says something else");
});

test("a trigger of somebody's may change any row", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, zones));
  await world.sql(
    `CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.zone := random()::text; RETURN NEW; END $$;
     CREATE TRIGGER shout BEFORE INSERT ON zones FOR EACH ROW EXECUTE FUNCTION shout()`,
  );
  assert.notEqual(await seen(world, zones), await seen(world, zones));
});

test("a parquet file of the same rows loads as the same, however it is written and whatever its types are declared as", async (t) => {
  const world = await emptyWorld();
  const folder = mkdtempSync(join(tmpdir(), "dmake-content-"));
  const home = process.cwd();
  process.chdir(folder);
  t.after(async () => {
    process.chdir(home);
    rmSync(folder, { recursive: true });
    await world.end();
  });
  const query = (last: number) =>
    `SELECT i::BIGINT AS id, i / 4 AS fare, 'zone ' || i AS zone, CASE WHEN i % 3 = 0 THEN DATE '2023-01-01' + i::INTEGER END AS day
       FROM range(30000) t(i) UNION ALL SELECT ${last}, 0.5, 'last', NULL`;
  await parquets({
    "plain.parquet": `(${query(1)}) TO 'plain.parquet' (FORMAT parquet)`,
    "small.parquet": `(${query(1)}) TO 'small.parquet' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)`,
    "other.parquet": `(${query(2)}) TO 'other.parquet' (FORMAT parquet)`,
  });
  const plain = await loadedFrom(world, "plain.parquet");
  assert.equal(await loadedFrom(world, "small.parquet", { threads: 4 }), plain);
  assert.equal(
    await loadedFrom(world, "plain.parquet", { columns: { id: "BIGINT", fare: "DOUBLE" } }),
    plain,
  );
  assert.notEqual(await loadedFrom(world, "other.parquet"), plain);
});

async function parquets(copies: Readonly<Record<string, string>>): Promise<void> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  for (const copy of Object.values(copies)) await connection.run(`COPY ${copy}`);
  connection.closeSync();
  instance.closeSync();
}

/** As the engine would, with the real recipe. */
async function loadedFrom(
  { store }: World,
  file: string,
  { threads = 1, columns: types = {} }: { threads?: number; columns?: Record<string, string> } = {},
): Promise<Digest> {
  const asked = attemptFor({ ...january, digest: file }, { forced: true });
  const recipe = { kind: "load", columns: types, csv: {}, partitionColumn: "month" } as const;
  const step = { ...asked.step, inputs: [file], recipe };
  const attempt = { ...asked, step };
  const stage = value(await store.stage(attempt)) as Stage;
  const outcome = value(
    await runLoad(recipe, {
      step,
      inputs: [file],
      stage,
      previous: undefined,
      threads,
      signal: new AbortController().signal,
      log: () => undefined,
      progress: () => undefined,
      need: async () => assert.fail("a load needs nothing more"),
    }),
  );
  const finished = { outcome, durationMs: 1, inputs: attempt.inputs, discovered: [] };
  return value(await store.publish(attempt, stage, finished)).trace.outputs[0]!.digest;
}
