// The story of tables that others have a hand in: their children, their values, their types. Knows nothing of recipes.
import { strict as assert } from "node:assert";
import { after, type TestContext, test } from "node:test";
import pg from "pg";
import {
  attemptFor,
  emptyWorld,
  factOf,
  failure,
  load,
  type Rows,
  stopServer,
  value,
  type World,
  watching,
} from "./table-rig.js";

after(stopServer);

const id = { name: "id", type: "integer" };
const rowsFor = (target: string, ...ids: readonly number[]): Rows => ({
  target,
  columns: [id],
  rows: ids.map((one) => [one]),
});

async function worldOf(t: TestContext, sql = ""): Promise<World> {
  const world = await emptyWorld({ patience: { lockMs: 300, pauseMs: 20, tries: 3 } });
  t.after(world.end);
  await world.sql(sql);
  return world;
}

/** Somebody at a prompt of their own, who does not wait for long. */
async function stranger(t: TestContext, { url }: World): Promise<pg.Client> {
  const client = new pg.Client(url);
  await client.connect();
  t.after(() => client.end());
  await client.query("SET lock_timeout = '200ms'");
  return client;
}

test("a table with children by inheritance is refused, and the children keep their rows", async (t) => {
  const world = await worldOf(
    t,
    "CREATE TABLE par (month text, id integer); CREATE TABLE kid () INHERITS (par); INSERT INTO kid VALUES ('2023-01', 5)",
  );
  for (const rows of [
    rowsFor("table:par", 7),
    rowsFor("table:par/2023-01", 7),
    { ...rowsFor("table:par/2023-01", 7), table: { strategy: "swap" } },
    { ...rowsFor("table:par", 7), table: { strategy: "merge", key: ["id"] } },
  ] satisfies Rows[]) {
    const error = failure(await load(world.store, rows));
    assert.ok(error.reason === "table-shape", JSON.stringify(error));
    assert.match(error.differences.join(), /`public.par` is .*the parent of other tables by inheritance/);
    assert.match(error.help, /NO INHERIT/);
  }
  assert.deepEqual(await world.sql("SELECT month, id FROM par"), [{ month: "2023-01", id: 5 }]);
});

test("a child is loaded as any table, and its parent once it has no child any more", async (t) => {
  const world = await worldOf(t, "CREATE TABLE par (id integer); CREATE TABLE kid () INHERITS (par)");
  value(await load(world.store, rowsFor("table:kid", 1, 2)));
  failure(await load(world.store, rowsFor("table:par", 7)));
  assert.deepEqual(await world.sql("SELECT id FROM par ORDER BY 1"), [{ id: 1 }, { id: 2 }]);
  await world.sql("ALTER TABLE kid NO INHERIT par");
  value(await load(world.store, rowsFor("table:par", 7)));
  assert.deepEqual(await world.sql("SELECT id FROM par"), [{ id: 7 }]);
  assert.equal((await factOf(world.store, "table:kid")).kind, "present");
});

test("a child that comes just before the rows are replaced keeps its own", async (t) => {
  const world = await worldOf(t);
  value(await load(world.store, rowsFor("table:par", 1)));
  const client = await stranger(t, world);
  const child = "CREATE TABLE kid () INHERITS (par); INSERT INTO kid VALUES (5)";
  const store = world.another({
    database: watching(world.database, (sql) => (/^LOCK TABLE/.test(sql) ? client.query(child) : undefined)),
  });
  value(await load(store, rowsFor("table:par", 2)));
  assert.deepEqual(await world.sql("SELECT id FROM par ORDER BY 1"), [{ id: 2 }, { id: 5 }]);
});

test("nobody writes a value straight into a partition while an empty column changes its type", async (t) => {
  const world = await worldOf(t);
  const note = { name: "note", type: "integer" };
  value(await load(world.store, { target: "table:trips/2023-01", columns: [id, note], rows: [[1, null]] }));
  const client = await stranger(t, world);
  const insert = "INSERT INTO trips_2023_01 (month, id, note) VALUES ('2023-01', 9, 42)";
  // Once before, so that it knows the partition by now and has nothing to ask of its parent.
  await client.query(`BEGIN; ${insert}; ROLLBACK`);
  const answers: unknown[] = [];
  const store = world.another({
    database: watching(world.database, (sql) =>
      /ALTER TABLE "public"."trips" ALTER COLUMN "note" TYPE/.test(sql)
        ? client.query(insert).then(
            () => answers.push("written"),
            (error) => answers.push(error.code),
          )
        : undefined,
    ),
  });
  const february: Rows = {
    target: "table:trips/2023-02",
    columns: [id, { name: "note", type: "text" }],
    rows: [[2, "x"]],
  };
  value(await load(store, february));
  assert.deepEqual(answers, ["55P03"]);
  await client.query(insert);
  assert.deepEqual(await world.sql("SELECT id, note FROM trips ORDER BY 1"), [
    { id: 1, note: null },
    { id: 2, note: "x" },
    { id: 9, note: "42" },
  ]);
});

test("rows of a partition that lie in a DEFAULT one are named, with what to do", async (t) => {
  const world = await worldOf(
    t,
    "CREATE TABLE trips (month text, id integer) PARTITION BY LIST (month); CREATE TABLE rest PARTITION OF trips DEFAULT; INSERT INTO trips VALUES ('2023-01', 5)",
  );
  const refused = failure(await load(world.store, rowsFor("table:trips/2023-01", 1)));
  assert.ok(refused.reason === "table-shape", JSON.stringify(refused));
  assert.deepEqual(refused.differences, ["`public.rest`, a DEFAULT partition, holds rows of `2023-01`"]);
  const [, remedy = ""] = /`(DELETE[^`]*)`/.exec(refused.help) ?? [];
  assert.equal(remedy, "DELETE FROM public.rest WHERE month = '2023-01'");
  value(await load(world.store, rowsFor("table:trips/2023-02", 2)));
  await world.sql(remedy);
  value(await load(world.store, rowsFor("table:trips/2023-01", 1)));
  assert.deepEqual(await world.sql("SELECT id FROM trips ORDER BY 1"), [{ id: 1 }, { id: 2 }]);
});

test("a CHECK of somebody's that rows do not pass is no DEFAULT partition", async (t) => {
  const world = await worldOf(
    t,
    "CREATE TABLE trips (month text, id integer CHECK (id > 0)) PARTITION BY LIST (month)",
  );
  const refused = failure(await load(world.store, rowsFor("table:trips/2023-01", -1)));
  assert.ok(refused.reason === "postgres-error" && refused.code === "23514", JSON.stringify(refused));
});

test("rows are not merged by a key that is looked at later, and it is said how it would not be", async (t) => {
  const world = await worldOf(t, "CREATE TABLE zones (id integer UNIQUE DEFERRABLE INITIALLY DEFERRED)");
  const rows: Rows = { ...rowsFor("table:zones", 1), table: { strategy: "merge", key: ["id"] } };
  const refused = failure(await load(world.store, rows));
  assert.ok(refused.reason === "table-shape", JSON.stringify(refused));
  assert.match(refused.differences.join(), /`zones_id_key` is `UNIQUE \(id\) DEFERRABLE INITIALLY DEFERRED`/);
  const [, remedy = ""] = /`(ALTER TABLE[^`]*)`/.exec(refused.help) ?? [];
  await world.sql(remedy);
  value(await load(world.store, rows));
  assert.deepEqual(await world.sql("SELECT id FROM zones"), [{ id: 1 }]);
});

test("a partition column that has changed its type hides the partitions that are none of it, and no other", async (t) => {
  const world = await worldOf(t, "CREATE TABLE trips (month text, id integer)");
  const months = ["2023-01", "2023-02-01", "2023-03", "2023-04-01", "2023-05-01"];
  for (const month of months) value(await load(world.store, rowsFor(`table:trips/${month}`, 1)));
  value(await load(world.store, rowsFor("table:zones", 1)));
  await world.sql("ALTER TABLE trips ALTER month TYPE date USING rpad(month, 10, '-01')::date");
  const names = [...months.map((month) => `table:trips/${month}`), "table:zones"];
  assert.deepEqual(
    value(await world.store.observe(names)).map(({ kind }) => kind),
    ["absent", "present", "absent", "present", "present", "present"],
  );
  // Under the lock of the load it is looked at again, in a transaction that has to go on.
  assert.equal(value(await load(world.store, rowsFor("table:trips/2023-02-01", 1))), "already");
  const spelt = failure(await load(world.store, rowsFor("table:trips/2023-01", 1)));
  assert.ok(spelt.reason === "table-shape", JSON.stringify(spelt));
  assert.equal(value(await world.store.stage(attemptFor(rowsFor("table:trips/2023-03", 1)))).kind, "table");
});
