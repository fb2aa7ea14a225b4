// The story of the ledger: made once, read by people, never newer than who writes it.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import { fingerprintOf } from "../../src/core/fingerprint.js";
import {
  attemptFor,
  emptyWorld,
  encoded,
  factOf,
  failure,
  load,
  type Rows,
  stopServer,
  value,
  type World,
  writerOf,
} from "./table-rig.js";

after(stopServer);

const columns = [{ name: "id", type: "integer" }];
const january: Rows = { target: "table:trips/2023-01", columns, rows: [[1], [2]] };

test("a load is written down with all that is known of it", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const attempt = attemptFor(january);
  const stage = value(await world.store.stage(attempt));
  value(
    await writerOf(stage).copy(
      encoded(value(await writerOf(stage).open(columns)), january.rows),
      new AbortController().signal,
    ),
  );
  const facts = { rows: 2, bytes: 1234, url: "https://example.org/trips.parquet", etag: '"abc"' };
  const outcome = { kind: "made", facts } as const;
  const finished = { outcome, durationMs: 1500.5, inputs: attempt.inputs, discovered: [] };
  const { trace, saved } = value(await world.store.publish(attempt, stage as never, finished));
  assert.deepEqual(saved, []);
  const [row] = await world.sql("SELECT * FROM dmake.loads");
  const { started_at, finished_at, recorded_at, checksum, ...rest } = row!;
  assert.equal((started_at as Date).toISOString(), attempt.startedAt);
  assert.equal((finished_at as Date).toISOString(), trace.checkedAt);
  assert.ok(recorded_at instanceof Date);
  assert.match(String(checksum), /^record64:2:-?\d+$/);
  assert.deepEqual(rest, {
    schema_name: "public",
    table_name: "trips",
    partition: "2023-01",
    target: "table:trips/2023-01",
    fingerprint: fingerprintOf(attempt.recipe, attempt.inputs),
    content: trace.outputs[0]!.digest,
    recipe: { kind: "load" },
    inputs: attempt.inputs,
    because: attempt.because,
    facts,
    rows: "2",
    bytes: "1234",
    rejects: "0",
    attempt: attempt.id,
    run: "run-1",
    host: "here",
    duration_ms: 1500.5,
    source_url: "https://example.org/trips.parquet",
    source_etag: '"abc"',
    dmake_version: "0.1.0",
    strategy: "swap",
    partition_column: "month",
    checksum_columns: columns,
    origins: null,
    changes: null,
    provisional: false,
  });
  assert.deepEqual(value(await world.store.traces([attempt.step])), [trace]);
});

test("history keeps every load, the ledger the last of each partition", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  for (const attempt of ["a", "b", "c"])
    value(await load(world.store, { ...january, attempt, digest: attempt }));
  assert.deepEqual(await world.sql("SELECT attempt, outcome FROM dmake.history ORDER BY id"), [
    { attempt: "a", outcome: "loaded" },
    { attempt: "b", outcome: "loaded" },
    { attempt: "c", outcome: "loaded" },
  ]);
  assert.deepEqual(await world.sql("SELECT attempt FROM dmake.loads"), [{ attempt: "c" }]);
});

/** What the ledger was before it knew `content` and `because`, and the comment on a partition with it. */
async function madeOld(world: World): Promise<void> {
  for (const table of ["loads", "history"])
    await world.sql(`ALTER TABLE dmake.${table} DROP COLUMN content, DROP COLUMN because`);
  await world.sql("UPDATE dmake.meta SET version = 1");
  const [row] = await world.sql("SELECT obj_description('trips_2023_01'::regclass) AS comment");
  const { content: _, ...mark } = JSON.parse(String(row?.comment)) as Record<string, unknown>;
  await world.sql(`COMMENT ON TABLE trips_2023_01 IS '${JSON.stringify(mark).replaceAll("'", "''")}'`);
}

const silent = (world: World) =>
  world.sql(
    `SELECT c.relname, a.attname FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
      WHERE c.relnamespace = 'dmake'::regnamespace AND c.relkind IN ('r', 'v') AND NOT a.attisdropped
        AND (obj_description(c.oid, 'pg_class') IS NULL OR col_description(c.oid, a.attnum) IS NULL)`,
  );

test("every table, view and column of the ledger says what it is, in a new one and in one that was older", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, january));
  assert.deepEqual(await silent(world), []);
  await madeOld(world);
  value(await load(world.another(), january));
  assert.deepEqual(await silent(world), []);
});

test("an older ledger is read as it is, and brought up to date by the next load", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, january));
  await madeOld(world);
  const { step, recipe, inputs } = attemptFor(january);
  const digest = fingerprintOf(recipe, inputs);
  const store = world.another();
  for (const version of [1, 3]) {
    const [trace] = value(await store.traces([step]));
    assert.deepEqual(trace?.outputs, [{ name: january.target, digest }]);
    assert.ok(!("because" in trace));
    assert.deepEqual(await factOf(store, january.target), { kind: "present", digest });
    assert.deepEqual(await world.sql("SELECT version FROM dmake.meta"), [{ version }]);
    assert.equal(value(await load(store, january)), "already");
  }
  assert.equal((await world.sql("SELECT FROM dmake.history")).length, 1);
  const february = { ...january, target: "table:trips/2023-02" };
  value(await load(store, february));
  const [trace] = value(await store.traces([attemptFor(february).step]));
  assert.deepEqual(trace?.because, attemptFor(february).because);
});

test("many that come to an older ledger at once bring it up to date once", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, january));
  await madeOld(world);
  const months = Array.from({ length: 6 }, (_, n) => ({ ...january, target: `table:trips/m${n}` }));
  await Promise.all(months.map(async (month) => value(await load(world.another(), month))));
  assert.deepEqual(await world.sql("SELECT version FROM dmake.meta"), [{ version: 3 }]);
  assert.deepEqual(
    await world.sql(
      "SELECT count(*)::int AS rows, count(content)::int AS told, count(because)::int AS why FROM dmake.loads",
    ),
    [{ rows: 7, told: 6, why: 6 }],
  );
});

test("a ledger made by a newer dmake is left alone", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, january));
  await world.sql("UPDATE dmake.meta SET version = 99");
  const newer = { reason: "ledger-newer", found: 99, known: 3 };
  assert.deepEqual(failure(await world.store.traces([attemptFor(january).step])), newer);
  assert.deepEqual(failure(await world.another().stage(attemptFor(january))), newer);
  assert.deepEqual(await world.sql("SELECT count(*)::int AS rows FROM trips"), [{ rows: 2 }]);
});

test("many that come at once make one ledger", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const stores = Array.from({ length: 8 }, () => world.another());
  await Promise.all(
    stores.map(async (store, n) => value(await load(store, { ...january, target: `table:t${n}` }))),
  );
  assert.deepEqual(await world.sql("SELECT version FROM dmake.meta"), [{ version: 3 }]);
  assert.deepEqual(await world.sql("SELECT count(*)::int AS rows FROM dmake.loads"), [{ rows: 8 }]);
});

test("a ledger that is lost, whole or by a row, costs a load and nothing else", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  for (const loss of ["DROP SCHEMA dmake CASCADE", "TRUNCATE dmake.loads"]) {
    value(await load(world.store, january, { forced: true }));
    await world.sql(loss);
    assert.deepEqual(value(await world.store.traces([attemptFor(january).step])), [undefined]);
    assert.equal((await factOf(world.store, january.target)).kind, "present");
    assert.notEqual(value(await load(world.store, january)), "already");
    assert.deepEqual(await world.sql("SELECT count(*)::int AS rows FROM trips"), [{ rows: 2 }]);
  }
});

test("a ledger put back from before the last load is no record of it, though the rows are the same", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const changed: Rows = { ...january, recipe: { kind: "load", version: "2" } };
  value(await load(world.store, january));
  await world.sql("CREATE TABLE backup AS TABLE dmake.loads");
  value(await load(world.store, changed));
  await world.sql("TRUNCATE dmake.loads; INSERT INTO dmake.loads TABLE backup");
  assert.notEqual(value(await load(world.store, changed)), "already");
  const [trace] = value(await world.store.traces([attemptFor(changed).step]));
  assert.deepEqual(trace?.recipe, changed.recipe);
});

test("a table asked for with its schema and without has one record", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const zones: Rows = { ...january, target: "table:zones" };
  const named: Rows = { ...zones, target: "table:public.zones" };
  value(await load(world.store, zones));
  const [trace] = value(await world.store.traces([attemptFor(named).step]));
  assert.equal(trace?.outputs[0]?.name, "table:public.zones");
  assert.equal(value(await load(world.store, named)), "already");
});
