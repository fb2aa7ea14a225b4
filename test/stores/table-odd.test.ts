// The story of odd tables, settings and moments, in each of which rows or records were once wrong.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import type { TableDeclaration } from "../../src/core/rule.js";
import type { Verified } from "../../src/engine/ports.js";
import {
  attemptFor,
  type Cell,
  emptyWorld,
  factOf,
  failure,
  fill,
  load,
  made,
  type Rows,
  stopServer,
  value,
  type World,
} from "./table-rig.js";

after(stopServer);

const columns = [{ name: "id", type: "integer" }];
const january = (...ids: Cell[]): Rows => ({
  target: "table:trips/2023-01",
  columns,
  rows: ids.map((id) => [id]),
});

async function world(t: { after: (work: () => Promise<void>) => void }, sql = "SELECT"): Promise<World> {
  const made = await emptyWorld();
  t.after(made.end);
  await made.sql(sql);
  return made;
}

async function verified(here: World, name: string): Promise<Verified["state"] | undefined> {
  const states: Verified["state"][] = [];
  value(await here.store.verify!([name], ({ state }) => states.push(state), new AbortController().signal));
  return states[0];
}

test("rows that a policy hides are neither doubled nor taken for nothing: such a table is refused", async (t) => {
  const here = await world(
    t,
    `DO $$ BEGIN CREATE ROLE hidden_from LOGIN SUPERUSER; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
     ALTER ROLE hidden_from NOSUPERUSER BYPASSRLS; ALTER ROLE hidden_from NOBYPASSRLS PASSWORD 's3cret-of-tests';
     GRANT ALL ON SCHEMA public TO hidden_from`,
  );
  await here.sql(`CREATE TABLE trips (month text, id integer);
    INSERT INTO trips VALUES ('2023-01', 1), ('2023-01', 2);
    ALTER TABLE trips OWNER TO hidden_from; ALTER TABLE trips ENABLE ROW LEVEL SECURITY;
    ALTER TABLE trips FORCE ROW LEVEL SECURITY; CREATE POLICY shown ON trips USING (id = 1);
    DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO hidden_from', current_database()); END $$`);
  const store = here.another({
    database: async () => {
      const { openDatabase } = await import("../../src/postgres/connect.js");
      const url = new URL(here.url);
      url.username = "hidden_from";
      return openDatabase({ root: "/nowhere", env: { DATABASE_URL: url.href } });
    },
  });
  const refused = failure(await load(store, january(1, 2)));
  assert.ok(refused.reason === "postgres-error" && refused.code === "42501", JSON.stringify(refused));
  assert.deepEqual(await here.sql("SELECT id FROM trips ORDER BY id"), [{ id: 1 }, { id: 2 }]);
});

test("a checksum is of the values as they are in the table, whatever they were on the way", async (t) => {
  const here = await world(t, "CREATE TABLE trips (month text, id integer)");
  const attempt = attemptFor(january(1, -2));
  const stage = value(await here.store.stage(attempt));
  assert.ok(stage.kind === "table");
  value(await fill(stage, january(1, -2)));
  // Another load has made it wider meanwhile.
  await here.sql("ALTER TABLE trips ALTER id TYPE bigint");
  value(await here.store.publish(attempt, stage, made(2, attempt)));
  assert.equal(await verified(here, "table:trips/2023-01"), "same");
});

test("what is amended when its month is over is provisional no more", async (t) => {
  const here = await world(t);
  const rows: Rows = { ...january(1), table: {} };
  const open = { ...attemptFor(rows), provisional: true } as const;
  const stage = await here.store.stage(open);
  assert.ok(stage.ok && stage.value.kind === "table");
  value(await fill(stage.value, rows));
  const { trace } = value(await here.store.publish(open, stage.value, made(1, open)));
  assert.equal(trace.provisional, true);
  const amended = value(await here.store.amend!({ ...attemptFor(rows), previous: trace }));
  assert.ok(amended && amended.provisional === undefined);
  assert.deepEqual(await here.sql("SELECT provisional FROM dmake.loads"), [{ provisional: false }]);
});

test("what is known to be stale is not what somebody else has made meanwhile", async (t) => {
  const here = await world(t);
  value(await load(here.store, january(1)));
  const first = attemptFor(january(1));
  const [known] = value(await here.store.traces([first.step]));
  assert.ok(known);
  const stage = value(await here.store.stage({ ...first, previous: known }));
  assert.equal(stage.kind, "table");
  if (stage.kind === "table") await here.store.discard(first, stage);
  assert.equal(value(await here.store.stage(first)).kind, "already");
});

test("nobody vouches for rows of another number than were loaded", async (t) => {
  const here = await world(t);
  value(await load(here.store, january(1, 2, 3)));
  await here.sql("DELETE FROM trips WHERE id = 3; DROP SCHEMA dmake CASCADE");
  const refused = failure(await here.store.adopt(attemptFor(january(1, 2, 3))));
  assert.ok(
    refused.reason === "usage" && /another number of rows/.test(refused.message),
    JSON.stringify(refused),
  );
});

test("a partition with a foreign key of its own keeps it", async (t) => {
  const here = await world(
    t,
    "CREATE TABLE zones (id integer PRIMARY KEY); INSERT INTO zones VALUES (1), (2)",
  );
  value(await load(here.store, january(1)));
  await here.sql("ALTER TABLE trips_2023_01 ADD FOREIGN KEY (id) REFERENCES zones");
  value(await load(here.store, january(2)));
  const refused = failure(await load(here.store, january(99)));
  assert.ok(refused.reason === "postgres-error" && refused.code === "23503", JSON.stringify(refused));
  assert.deepEqual(await here.sql("SELECT id FROM trips"), [{ id: 2 }]);
});

test("merged partitions of a table that was emptied are all to be loaded again, not only the first", async (t) => {
  const here = await world(t);
  const month = (name: string, id: number): Rows => ({
    ...january(id),
    target: `table:trips/2023-${name}`,
    table: { strategy: "merge", key: ["id"] },
  });
  const months = [month("01", 1), month("02", 2), month("03", 3)];
  for (const loss of ["TRUNCATE trips", "DROP TABLE trips"]) {
    for (const one of months) value(await load(here.store, one));
    await here.sql(loss);
    value(await load(here.store, months[0]!));
    const [first, ...others] = value(await here.store.traces(months.map((one) => attemptFor(one).step)));
    assert.ok(first);
    assert.deepEqual(others, [undefined, undefined], loss);
    for (const one of months.slice(1)) assert.notEqual(value(await load(here.store, one)), "already");
    assert.deepEqual(await here.sql("SELECT id FROM trips ORDER BY id"), [{ id: 1 }, { id: 2 }, { id: 3 }]);
  }
});

test("SQL reads people's tables, also where the user is called as the ledger's schema", async (t) => {
  const here = await world(
    t,
    `DO $$ BEGIN CREATE ROLE dmake LOGIN SUPERUSER PASSWORD 's3cret-of-tests'; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
  );
  const { openDatabase } = await import("../../src/postgres/connect.js");
  const url = new URL(here.url);
  url.username = "dmake";
  const env = { DATABASE_URL: url.href };
  const store = here.another({ database: () => openDatabase({ root: "/nowhere", env }) });
  value(await load(store, { ...january(1, 2, 3), target: "table:loads" }));
  const rows = { ...january(), target: "table:counted" };
  const attempt = attemptFor(rows);
  const statement = { texts: ["SELECT count(*)::int AS id FROM loads"], values: [] };
  const recipe = {
    kind: "sql" as const,
    source: { from: "text" as const, render: () => ({ ok: true as const, value: statement }) },
    partitionColumn: undefined,
  };
  const asked = { ...attempt, step: { ...attempt.step, recipe } };
  const stage = value(await store.stage(asked));
  assert.ok(stage.kind === "query");
  assert.equal(value(await stage.writer.query(statement, new AbortController().signal)), 1);
  value(await store.publish(asked, stage, made(1, asked)));
  assert.deepEqual(await here.sql("SELECT id FROM public.counted"), [{ id: 3 }]);
});

test("the partition of no value is nobody's", async (t) => {
  const here = await world(
    t,
    `CREATE TABLE trips (month text, id integer) PARTITION BY LIST (month);
     CREATE TABLE trips_none PARTITION OF trips FOR VALUES IN (NULL); INSERT INTO trips VALUES (NULL, 7)`,
  );
  assert.equal((await factOf(here.store, "table:trips/NULL")).kind, "absent");
  value(await load(here.store, { ...january(1), target: "table:trips/NULL" }));
  assert.deepEqual(await here.sql("SELECT month, id FROM trips ORDER BY id"), [
    { month: "NULL", id: 1 },
    { month: null, id: 7 },
  ]);
});

test("another key and other rows come in one load", async (t) => {
  const here = await world(t);
  const rows = (key: string, digest: string): Rows & { table: Partial<TableDeclaration> } => ({
    target: "table:trips/2023-01",
    columns: [...columns, { name: "no", type: "integer" }],
    rows: [[1, 2]],
    digest,
    table: { key: [key] },
  });
  value(await load(here.store, rows("id", "sha256:a")));
  value(await load(here.store, { ...rows("id", "sha256:a"), target: "table:trips/2023-02" }));
  const [previous] = value(await here.store.traces([attemptFor(rows("id", "sha256:a")).step]));
  value(await load(here.store, { ...rows("no", "sha256:b"), ...(previous && { previous }) }));
  const [key] = await here.sql(
    "SELECT pg_get_constraintdef(oid) AS is FROM pg_constraint WHERE conrelid = 'trips'::regclass AND contype = 'p'",
  );
  assert.deepEqual(key, { is: "PRIMARY KEY (month, no)" });
});

test("the date style of a database changes nothing", async (t) => {
  const here = await world(
    t,
    `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle = ''German''', current_database()); END $$;
     CREATE TABLE days (day date, id integer) PARTITION BY LIST (day)`,
  );
  const rows: Rows = { target: "table:days/2023-01-31", columns, rows: [[1]], partitionColumn: "day" };
  value(await load(here.store, rows));
  assert.equal((await factOf(here.store, rows.target)).kind, "present");
  assert.equal(await verified(here, rows.target), "same");
});

test("the isolation level of a database changes nothing", async (t) => {
  const here = await world(
    t,
    `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''repeatable read''', current_database()); END $$`,
  );
  const months = ["01", "02", "03", "04", "05", "06"].map((month) => `table:trips/2023-${month}`);
  const loads = months.map((target) => load(here.another(), { ...january(1), target }));
  for (const ended of await Promise.all(loads)) value(ended);
  assert.deepEqual(await here.sql("SELECT count(*)::int AS n FROM trips"), [{ n: 6 }]);
});

test("rows of a partition are found in a table whose columns are called as ours", async (t) => {
  const here = await world(t, "CREATE TABLE trips (month text, v text, wanted text, held text, id integer)");
  value(await load(here.store, january(1)));
  assert.equal((await factOf(here.store, "table:trips/2023-01")).kind, "present");
  await here.sql(
    "UPDATE trips SET v = month; DELETE FROM trips; INSERT INTO trips VALUES ('other', '2023-01')",
  );
  assert.equal((await factOf(here.store, "table:trips/2023-01")).kind, "absent");
});
