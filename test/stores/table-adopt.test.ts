// The story of a ledger that was lost: a table that still says what it was loaded from is taken back, and no other.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import type { Stage } from "../../src/engine/ports.js";
import {
  attemptFor,
  emptyWorld,
  factOf,
  failure,
  fill,
  gate,
  load,
  made,
  type Rows,
  stopServer,
  value,
  type World,
  watching,
} from "./table-rig.js";

after(stopServer);

const columns = [{ name: "id", type: "integer" }];
const january: Rows = { target: "table:trips/2023-01", columns, rows: [[1], [2]] };
const zones: Rows = { target: "table:zones", columns, rows: [[7]] };

const history = (world: World) =>
  world.sql("SELECT target, outcome, rows, attempt FROM dmake.history ORDER BY id");

test("a lost ledger is written again from the tables, and nothing is loaded", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  for (const rows of [january, zones]) {
    value(await load(world.store, rows));
    for (const loss of ["TRUNCATE dmake.loads, dmake.history", "DROP SCHEMA dmake CASCADE"]) {
      await world.sql(loss);
      const attempt = attemptFor(rows);
      const trace = value(await world.store.adopt(attempt));
      const fact = await factOf(world.store, rows.target);
      assert.ok(fact.kind === "present");
      assert.deepEqual(trace.outputs, [{ name: rows.target, digest: fact.digest }]);
      assert.deepEqual(trace.because, attempt.because);
      assert.deepEqual(value(await world.another().traces([attempt.step])), [trace]);
      assert.deepEqual(await history(world), [
        { target: rows.target, outcome: "adopted", rows: String(rows.rows.length), attempt: attempt.id },
      ]);
      assert.equal(value(await load(world.store, rows)), "already");
    }
  }
});

test("what this load has not made cannot be adopted, and nothing is written", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const refused = async (problem: RegExp, rows: Rows, help = `dmake ${rows.target}`): Promise<void> => {
    const error = failure(await world.store.adopt(attemptFor(rows)));
    assert.ok(error.reason === "usage" && "help" in error, JSON.stringify(error));
    assert.match(error.message, problem);
    assert.equal(error.help, help);
  };
  await refused(/is not there/, january);
  value(await load(world.store, january));
  const before = await history(world);
  await refused(/other inputs or by another recipe/, { ...january, digest: "sha256:other" });
  await refused(/other inputs or by another recipe/, { ...january, recipe: { kind: "load", version: "2" } });
  await refused(/is not there/, { ...january, target: "table:trips/it's" }, `dmake 'table:trips/it'\\''s'`);
  await world.sql("TRUNCATE trips");
  await refused(/is not there, or empty/, january);
  await world.sql("COMMENT ON TABLE trips_2023_01 IS 'mine'");
  await refused(/was not loaded by dmake/, january);
  await world.sql("CREATE TABLE zones (id integer)");
  await refused(/was not loaded by dmake/, zones);
  assert.deepEqual(await history(world), before);
});

test("whoever adopts waits for the load that is under way", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, january));
  const attempt = attemptFor({ ...january, rows: [[3]] });
  const stage = value(await world.store.stage(attempt)) as Stage;
  value(await fill(stage, { ...january, rows: [[3]] }));
  const asks = gate();
  const other = world.another({
    database: watching(world.database, (sql) => /advisory_xact_lock/.test(sql) && asks.open()),
  });
  const adopting = other.adopt(attemptFor(january));
  await asks.opened;
  value(await world.store.publish(attempt, stage, made(1, attempt)));
  assert.match(JSON.stringify(failure(await adopting)), /other inputs/);
});

test("a whole partitioned table is taken back after its ledger was lost, and can be compared again", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const months = Array.from({ length: 6 }, (_, n) => ({ ...january, target: `table:trips/2023-0${n + 1}` }));
  const declared = months.map((rows) => ({ ...rows, table: { comment: "Taxi trips.\nBy month." } }));
  for (const rows of declared) value(await load(world.store, rows));
  await world.sql("DROP SCHEMA dmake CASCADE");
  const steps = declared.map((rows) => attemptFor(rows).step);
  assert.deepEqual(
    value(await world.store.traces(steps)),
    steps.map(() => undefined),
  );
  for (const rows of declared) value(await world.store.adopt(attemptFor(rows)));
  for (const rows of declared) assert.equal(value(await load(world.store, rows)), "already");
  assert.deepEqual(
    await world.sql(
      "SELECT DISTINCT strategy, partition_column, checksum IS NULL AS unsummed FROM dmake.loads",
    ),
    [{ strategy: "swap", partition_column: "month", unsummed: false }],
  );
  assert.deepEqual(
    await states(world, months),
    months.map(() => "same"),
  );
  await world.sql("UPDATE trips SET id = 9 WHERE month = '2023-03' AND id = 1");
  assert.deepEqual(await states(world, months.slice(1, 4)), ["same", "changed", "same"]);
});

async function states(world: World, all: readonly Rows[]): Promise<readonly string[]> {
  const found: string[] = [];
  const names = all.map(({ target }) => target);
  value(await world.store.verify!(names, (one) => found.push(one.state), new AbortController().signal));
  return found;
}

for (const strategy of ["delete", "merge"] as const)
  test(`under \`${strategy}\` nothing can be adopted, and to load again doubles no row`, async (t) => {
    const world = await emptyWorld();
    t.after(world.end);
    const months = ["2023-01", "2023-02"].map(
      (month, n): Rows => ({
        ...january,
        target: `table:trips/${month}`,
        rows: [[2 * n + 1], [2 * n + 2]],
        table: { strategy, ...(strategy === "merge" && { key: ["id"] }) },
      }),
    );
    for (const rows of months) value(await load(world.store, rows));
    for (const rows of months) {
      assert.equal((await factOf(world.another(), rows.target)).kind, "present");
      assert.equal(value(await load(world.another(), rows)), "already");
    }
    assert.deepEqual(await states(world, months), [strategy === "delete" ? "same" : "unknown", "same"]);
    await world.sql("DROP SCHEMA dmake CASCADE");
    for (const rows of months) {
      const error = failure(await world.store.adopt(attemptFor(rows)));
      assert.ok(error.reason === "usage" && "help" in error, JSON.stringify(error));
      assert.match(error.message, /no table of its own/);
      assert.equal(error.help, `dmake ${rows.target}`);
      assert.notEqual(value(await load(world.store, rows)), "already");
    }
    assert.deepEqual(await world.sql("SELECT id, month FROM trips ORDER BY id"), [
      { id: 1, month: "2023-01" },
      { id: 2, month: "2023-01" },
      { id: 3, month: "2023-02" },
      { id: 4, month: "2023-02" },
    ]);
  });

test("tables that are lost are loaded again, whatever the ledger says", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const all: readonly Rows[] = [
    january,
    zones,
    { ...january, target: "table:keyed/2023-01", table: { strategy: "delete" } },
    { ...zones, target: "table:merged", table: { strategy: "merge", key: ["id"] } },
  ];
  for (const rows of all) value(await load(world.store, rows));
  assert.deepEqual(await states(world, all), ["same", "same", "same", "same"]);
  await world.sql("DROP TABLE trips, zones, keyed, merged");
  for (const rows of all) assert.deepEqual(await factOf(world.store, rows.target), { kind: "absent" });
  assert.deepEqual(await states(world, all), ["missing", "missing", "missing", "missing"]);
  for (const rows of all) {
    assert.notEqual(value(await load(world.store, rows)), "already");
    assert.equal((await factOf(world.store, rows.target)).kind, "present");
  }
});
