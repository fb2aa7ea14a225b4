// The story of tables: first loads, replacing, seeing what others did, and staying whole whatever breaks.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import { fingerprintOf } from "../../src/core/fingerprint.js";
import { type Fact, unsettled } from "../../src/core/trace.js";
import type { Stage } from "../../src/engine/ports.js";
import {
  attemptFor,
  emptyWorld,
  factOf,
  failure,
  fill,
  load,
  made,
  type Rows,
  stopServer,
  value,
  watching,
} from "./table-rig.js";

after(stopServer);

const trips = [
  { name: "id", type: "integer" },
  { name: "zone", type: "text" },
];

const january: Rows = {
  target: "table:green_trips/2023-01",
  columns: trips,
  rows: [
    [1, "east"],
    [2, null],
    [3, ""],
  ],
};
const february: Rows = { target: "table:green_trips/2023-02", columns: trips, rows: [[4, "west"]] };

test("the first load makes the table and its partition, the second month joins it", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  assert.deepEqual(await factOf(world.store, january.target), { kind: "absent" });
  value(await load(world.store, january));
  value(await load(world.store, february));
  assert.deepEqual(await world.sql("SELECT month, id, zone FROM green_trips ORDER BY id"), [
    { month: "2023-01", id: 1, zone: "east" },
    { month: "2023-01", id: 2, zone: null },
    { month: "2023-01", id: 3, zone: "" },
    { month: "2023-02", id: 4, zone: "west" },
  ]);
  assert.deepEqual(await world.sql("SELECT count(*)::int AS rows FROM green_trips_2023_01"), [{ rows: 3 }]);
});

test("nothing is created by looking", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  assert.deepEqual(value(await world.store.observe(["table:zones", january.target])), [
    { kind: "absent" },
    { kind: "absent" },
  ]);
  assert.deepEqual(value(await world.store.traces([attemptFor(january).step])), [undefined]);
  assert.deepEqual(await world.sql("SELECT FROM pg_namespace WHERE nspname = 'dmake'"), []);
});

test("a reload replaces the month and no other", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, january));
  value(await load(world.store, february));
  value(await load(world.store, { ...january, rows: [[7, "north"]] }));
  assert.deepEqual(await world.sql("SELECT id FROM green_trips ORDER BY id"), [{ id: 4 }, { id: 7 }]);
  assert.deepEqual(
    await world.sql(
      "SELECT count(*)::int AS tables FROM pg_class WHERE relname LIKE '%trips%' AND relkind = 'r'",
    ),
    [{ tables: 2 }],
  );
});

test("the same rows by the same recipe are not loaded again, unless forced", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const first = value(await load(world.store, january));
  assert.ok(first !== "already");
  const stage = value(await world.store.stage(attemptFor(january)));
  assert.deepEqual(stage, { kind: "already", trace: first });
  assert.notEqual(value(await load(world.store, january, { forced: true })), "already");
  assert.deepEqual(await world.sql("SELECT count(*)::int AS rows FROM green_trips"), [{ rows: 3 }]);
});

test("the record is what was published, and the table carries what it says and what it was made from", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const attempt = attemptFor(january);
  const trace = value(await load(world.store, { ...january, attempt: attempt.id }));
  assert.ok(trace !== "already");
  assert.deepEqual(value(await world.another().traces([attempt.step])), [trace]);
  const [output, ...more] = trace.outputs;
  assert.ok(output?.name === january.target && more.length === 0);
  const content = output.digest;
  assert.deepEqual(await factOf(world.store, january.target), { kind: "present", digest: content });
  const [row] = await world.sql("SELECT obj_description('green_trips_2023_01'::regclass) AS comment");
  const fingerprint = fingerprintOf(attempt.recipe, attempt.inputs);
  const carried = { dmake: 1, target: january.target, fingerprint, content, attempt: attempt.id, rows: 3 };
  assert.deepEqual(JSON.parse(String(row?.comment)), carried);
});

test("rows of an input that changed meanwhile are recorded as such, and loaded again", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const attempt = attemptFor(january);
  const stage = value(await world.store.stage(attempt)) as Stage;
  value(await fill(stage, january));
  const moved = attempt.inputs.map(({ name }) => ({ name, digest: unsettled }));
  const { trace } = value(await world.store.publish(attempt, stage, made(3, { inputs: moved })));
  assert.deepEqual(trace.inputs, [{ name: "data/rows.parquet", digest: unsettled }]);
  assert.deepEqual(value(await world.store.traces([attempt.step])), [trace]);
  assert.equal(failure(await world.store.adopt(attemptFor(january))).reason, "usage");
  assert.notEqual(value(await load(world.store, january)), "already");
  assert.equal(value(await load(world.store, january)), "already");
});

test("what others did to a partition is seen", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const loaded = async (): Promise<Fact> =>
    (await load(world.store, january, { forced: true })) && factOf(world.store, january.target);
  const good = await loaded();
  const sees = async (sql: string, expected: "absent" | "other"): Promise<void> => {
    await world.sql(sql);
    const fact = await factOf(world.store, january.target);
    assert.equal(fact.kind, expected === "absent" ? "absent" : "present", sql);
    assert.notDeepEqual(fact, good, sql);
    assert.notEqual(value(await load(world.store, january)), "already", sql);
    assert.deepEqual(await factOf(world.store, january.target), good);
    assert.deepEqual(await world.sql("SELECT count(*)::int AS rows FROM green_trips"), [{ rows: 3 }], sql);
  };
  await sees("TRUNCATE green_trips_2023_01", "absent");
  await sees("TRUNCATE green_trips", "absent");
  await sees("DROP TABLE green_trips_2023_01", "absent");
  await sees("DROP TABLE green_trips", "absent");
  await sees("COMMENT ON TABLE green_trips_2023_01 IS 'by hand'", "other");
  await sees("COMMENT ON TABLE green_trips_2023_01 IS '{\"dmake\": what?'", "other");
  await sees(
    `DROP TABLE green_trips_2023_01; CREATE TABLE by_hand PARTITION OF green_trips FOR VALUES IN ('2023-01');
     INSERT INTO green_trips VALUES ('2023-01', 99)`,
    "other",
  );
  assert.deepEqual(await world.sql("SELECT tableoid::regclass::text AS name FROM green_trips LIMIT 1"), [
    { name: "by_hand" },
  ]);
});

test("a table that only has the name is left alone", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, february));
  await world.sql("CREATE TABLE green_trips_2023_01 AS SELECT 1 AS precious");
  value(await load(world.store, january));
  assert.deepEqual(await world.sql("SELECT precious FROM green_trips_2023_01"), [{ precious: 1 }]);
  assert.deepEqual(await world.sql("SELECT count(*)::int AS rows FROM green_trips"), [{ rows: 4 }]);
});

test("a partition that was detached to be kept stays, and is loaded anew beside it", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, january));
  await world.sql("ALTER TABLE green_trips DETACH PARTITION green_trips_2023_01");
  assert.deepEqual(await factOf(world.store, january.target), { kind: "absent" });
  value(await load(world.store, january));
  assert.deepEqual(
    await world.sql(
      "SELECT (SELECT count(*) FROM green_trips)::int AS new, (SELECT count(*) FROM green_trips_2023_01)::int AS kept",
    ),
    [{ new: 3, kept: 3 }],
  );
});

const zones: Rows = {
  target: "table:zones",
  columns: trips,
  rows: [
    [1, "Newark"],
    [2, "Queens"],
  ],
};

test("a whole table keeps its views, keys and grants when its rows are replaced", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, zones));
  await world.sql(
    "ALTER TABLE zones ADD PRIMARY KEY (id); CREATE VIEW named AS SELECT zone FROM zones ORDER BY id",
  );
  value(await load(world.store, { ...zones, rows: [[3, "Bronx"]] }));
  assert.deepEqual(await world.sql("SELECT * FROM named"), [{ zone: "Bronx" }]);
  assert.equal((await world.sql("SELECT FROM pg_class WHERE relname LIKE 'dmake_load%'")).length, 0);
  const twice = failure(
    await load(world.store, {
      ...zones,
      rows: [
        [4, "a"],
        [4, "b"],
      ],
    }),
  );
  assert.ok(twice.reason === "postgres-error" && twice.code === "23505");
  assert.deepEqual(await world.sql("SELECT * FROM named"), [{ zone: "Bronx" }]);
  await world.sql("TRUNCATE zones");
  assert.deepEqual(await factOf(world.store, zones.target), { kind: "absent" });
});

test("a month without rows is loaded all the same", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, { ...january, rows: [] }));
  assert.equal((await factOf(world.store, january.target)).kind, "present");
  assert.equal(value(await load(world.store, { ...january, rows: [] })), "already");
});

test("any text can name a partition, and any schema hold it", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const odd = [
    "it's",
    'a "b"',
    "{month}",
    "a/b",
    "a b",
    "A B",
    "a\\b",
    "zürich 🚕",
    "x".repeat(200),
    "1,2",
    "NULL",
    "--",
    "'; DROP TABLE odd; --",
  ];
  const targets = odd.map((partition) => `table:Raw "data".odd trips/${partition}`);
  for (const target of targets) value(await load(world.store, { ...january, target }));
  for (const fact of value(await world.store.observe(targets))) assert.equal(fact.kind, "present");
  for (const target of targets)
    assert.equal(value(await load(world.store, { ...january, target })), "already");
  const found = await world.sql(`SELECT DISTINCT month FROM "Raw ""data"""."odd trips"`);
  assert.deepEqual(new Set(found.map(({ month }) => month)), new Set(odd));
  await world.another().close();
});

test("names that Postgres would cut, or that are dmake's own, are refused", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  for (const target of [`table:${"x".repeat(64)}`, "table:dmake.loads", "table:a\0b"])
    assert.equal(failure(await world.store.observe([target])).reason, "usage");
});

test("for a user called dmake, tables do not land in the ledger's schema", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, zones));
  await world.sql(
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = dmake, public', current_database()); END $$",
  );
  assert.equal(value(await load(world.another(), zones)), "already");
});

test("thirty partitions and their records cost as many queries as one", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const months = Array.from({ length: 30 }, (_, n) => ({ ...february, target: `table:green_trips/m${n}` }));
  for (const month of months) value(await load(world.store, month));
  const asked: string[] = [];
  const store = world.another({ database: watching(world.database, (sql) => void asked.push(sql)) });
  value(await store.observe(["table:green_trips/m0"]));
  const before = asked.length;
  const facts = value(await store.observe([...months.map(({ target }) => target), "table:zones"]));
  const traces = value(await store.traces(months.map((month) => attemptFor(month).step)));
  assert.equal(facts.filter(({ kind }) => kind === "present").length, 30);
  assert.equal(traces.filter(Boolean).length, 30);
  assert.equal(asked.length - before, 2);
});
