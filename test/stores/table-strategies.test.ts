// The story of tables that somebody else has made: how a load puts its rows there, and leaves all else as it is.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import {
  type Cell,
  emptyWorld,
  factOf,
  failure,
  gate,
  load,
  publish,
  type Rows,
  stopServer,
  value,
  type World,
  watching,
} from "./table-rig.js";

after(stopServer);

const columns = [
  { name: "id", type: "integer" },
  { name: "zone", type: "text" },
];

const month = (name: string, rows: Cell[][], more: Partial<Rows> = {}): Rows => ({
  target: `table:trips/${name}`,
  columns,
  rows,
  ...more,
});

const given = async (sql: string): Promise<World> => {
  const world = await emptyWorld();
  await world.sql(sql);
  return world;
};

test("a table of somebody's that has the partition column keeps its rows, but those of the partition", async (t) => {
  const world = await given(`
    CREATE TABLE trips (extra integer DEFAULT 7, zone text, n bigint GENERATED ALWAYS AS IDENTITY, month text NOT NULL,
                        id integer, twice integer GENERATED ALWAYS AS (id * 2) STORED, CHECK (id > 0));
    CREATE VIEW zones AS SELECT zone FROM trips; CREATE INDEX ON trips (zone);
    INSERT INTO trips (month, id, zone) VALUES ('2023-01', 90, 'old'), ('2022-12', 91, 'kept')`);
  t.after(world.end);
  const january = month("2023-01", [
    [1, "east"],
    [2, null],
  ]);
  value(await load(world.store, january));
  assert.deepEqual(await world.sql("SELECT * FROM trips ORDER BY id"), [
    { extra: 7, zone: "east", n: "3", month: "2023-01", id: 1, twice: 2 },
    { extra: 7, zone: null, n: "4", month: "2023-01", id: 2, twice: 4 },
    { extra: 7, zone: "kept", n: "2", month: "2022-12", id: 91, twice: 182 },
  ]);
  assert.equal(value(await load(world.store, january)), "already");
  assert.equal((await factOf(world.store, january.target)).kind, "present");
  assert.equal((await factOf(world.store, "table:trips/2022-12")).kind, "absent", "nobody has recorded it");
  await world.sql("DELETE FROM trips WHERE month = '2023-01'");
  assert.equal((await factOf(world.store, january.target)).kind, "absent");
  assert.notEqual(value(await load(world.store, january)), "already");
  assert.deepEqual(await world.sql("SELECT strategy, partition_column FROM dmake.loads"), [
    { strategy: "delete", partition_column: "month" },
  ]);
});

test("`delete` makes one table with an index on its partition column, and each month its own rows", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const table = { strategy: "delete", key: ["id"] } as const;
  for (const rows of [
    month("2023-01", [[1, "a"]], { table }),
    month("2023-02", [[2, "b"]], { table }),
    month(
      "2023-01",
      [
        [3, "c"],
        [1, "d"],
      ],
      { table },
    ),
  ])
    value(await load(world.store, rows));
  assert.deepEqual(await world.sql("SELECT month, id, zone FROM trips ORDER BY id"), [
    { month: "2023-01", id: 1, zone: "d" },
    { month: "2023-02", id: 2, zone: "b" },
    { month: "2023-01", id: 3, zone: "c" },
  ]);
  const indexes = await world.sql("SELECT indexname FROM pg_indexes WHERE tablename = 'trips' ORDER BY 1");
  assert.deepEqual(
    indexes.map(({ indexname }) => indexname),
    ["trips_month_idx", "trips_pkey"],
  );
  const twice = failure(await load(world.store, month("2023-03", [[1, "x"]], { table })));
  assert.ok(twice.reason === "postgres-error" && twice.code === "23505");
});

test("`merge` takes the place of rows with the same key, adds others, and deletes none", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const merge = (rows: Cell[][]): Rows => ({
    ...month("", rows, { table: { strategy: "merge", key: ["id"] } }),
    target: "table:zones",
  });
  const all = () => world.sql("SELECT id, zone FROM zones ORDER BY id");
  const first = merge([
    [1, "a"],
    [2, "b"],
  ]);
  value(await load(world.store, first));
  const after = value(
    await load(
      world.store,
      merge([
        [2, "B"],
        [3, "c"],
      ]),
    ),
  );
  assert.deepEqual(await all(), [
    { id: 1, zone: "a" },
    { id: 2, zone: "B" },
    { id: 3, zone: "c" },
  ]);
  const again = value(await load(world.store, first));
  assert.ok(after !== "already" && again !== "already");
  assert.notEqual(again.outputs[0]?.digest, after.outputs[0]?.digest);
  assert.deepEqual(await factOf(world.store, "table:zones"), {
    kind: "present",
    digest: again.outputs[0]?.digest,
  });
  const twice = failure(
    await load(
      world.store,
      merge([
        [7, "x"],
        [7, "y"],
      ]),
    ),
  );
  assert.ok(
    twice.reason === "bad-value" && twice.column === "id" && twice.text === "7",
    JSON.stringify(twice),
  );
  assert.match(twice.problem ?? "", /2 rows have this key/);
  assert.equal((await all()).length, 3);
  const fresh = { ...merge([[null, "x"]]), target: "table:fresh" };
  const none = failure(await load(world.store, fresh));
  assert.ok(none.reason === "bad-value" && /has none/.test(none.problem ?? ""), JSON.stringify(none));
  await world.sql("TRUNCATE zones");
  assert.equal((await factOf(world.store, "table:zones")).kind, "absent");
});

test("whatever the order in which months are merged, a row is as its newest month has it", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const table = { strategy: "merge", key: ["id"] } as const;
  const months: Rows[] = [
    month(
      "2023-01",
      [
        [1, "jan"],
        [2, "jan"],
        [4, "jan"],
      ],
      { table },
    ),
    month(
      "2023-02",
      [
        [2, "feb"],
        [3, "feb"],
      ],
      { table },
    ),
    month(
      "2023-03",
      [
        [3, "mar"],
        [1, "mar"],
      ],
      { table },
    ),
  ];
  const orders = [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0, 1],
    [2, 0, 1, 0],
  ];
  for (const order of orders) {
    await world.sql("DROP TABLE IF EXISTS trips");
    for (const n of order) value(await load(world.store, months[n]!, { forced: true }));
    assert.deepEqual(
      await world.sql("SELECT id, zone, month FROM trips ORDER BY id"),
      [
        { id: 1, zone: "mar", month: "2023-03" },
        { id: 2, zone: "feb", month: "2023-02" },
        { id: 3, zone: "mar", month: "2023-03" },
        { id: 4, zone: "jan", month: "2023-01" },
      ],
      order.join(),
    );
  }
});

test("a table of somebody's is merged by its own unique key, and keeps what Postgres fills in", async (t) => {
  const world = await given(`
    CREATE TABLE zones (n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id integer UNIQUE, zone text, made text DEFAULT 'now');
    INSERT INTO zones (id, zone, made) VALUES (1, 'old', 'then')`);
  t.after(world.end);
  const rows: Cell[][] = [
    [1, "new"],
    [2, "more"],
  ];
  value(
    await load(world.store, {
      target: "table:zones",
      columns,
      rows,
      table: { strategy: "merge", key: ["id"] },
    }),
  );
  assert.deepEqual(await world.sql("SELECT id, zone, made FROM zones ORDER BY id"), [
    { id: 1, zone: "new", made: "then" },
    { id: 2, zone: "more", made: "now" },
  ]);
  assert.equal((await world.sql("SELECT n FROM zones WHERE id = 1 AND n = 1")).length, 1);
});

test("foreign keys to rows that go and come back hold; those that would take rows with them stop the load", async (t) => {
  const world = await given(`
    CREATE TABLE zones (id integer PRIMARY KEY, zone text); INSERT INTO zones VALUES (1, 'a'), (2, 'b');
    CREATE TABLE rides (zone integer REFERENCES zones); INSERT INTO rides VALUES (1)`);
  t.after(world.end);
  const zones = (rows: Cell[][]): Rows => ({ target: "table:zones", columns, rows });
  value(
    await load(
      world.store,
      zones([
        [1, "A"],
        [3, "C"],
      ]),
    ),
  );
  assert.deepEqual(await world.sql("SELECT * FROM zones ORDER BY id"), [
    { id: 1, zone: "A" },
    { id: 3, zone: "C" },
  ]);
  const broken = failure(await load(world.store, zones([[3, "C"]])));
  assert.ok(broken.reason === "postgres-error" && broken.code === "23503");
  await world.sql("CREATE TABLE stops (zone integer REFERENCES zones ON DELETE CASCADE)");
  const cascade = failure(await load(world.store, zones([[1, "B"]])));
  assert.ok(cascade.reason === "table-shape" && /`stops`/.test(cascade.differences.join()));
  assert.match(cascade.help, /merge/);
});

test("a key of the user's own is the partition's, in its own type", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const kinds = [
    { type: "date", names: ["2023-01-01", "2023-02-01"], unspelt: "2023-1-1", none: "january" },
    { type: "integer", names: ["2023", "-7"], unspelt: "02023", none: "x" },
    { type: "text", names: ["a'b", "B"], unspelt: undefined, none: undefined },
  ];
  for (const { type, names, unspelt, none } of kinds) {
    await world.sql(
      `DROP TABLE IF EXISTS trips; CREATE TABLE trips (id integer, day ${type}) PARTITION BY LIST (day)`,
    );
    const at = (name: string): Rows => ({
      target: `table:trips/${name}`,
      columns: [{ name: "id", type: "integer" }],
      rows: [[1]],
      partitionColumn: "day",
    });
    for (const round of [1, 2])
      for (const name of names) value(await load(world.store, { ...at(name), rows: [[round]] }));
    assert.equal((await world.sql("SELECT FROM trips WHERE id = 2")).length, 2, type);
    assert.equal((await world.sql("SELECT FROM trips")).length, 2, type);
    for (const name of names)
      assert.equal((await factOf(world.store, at(name).target)).kind, "present", name);
    for (const [name, problem] of [
      [unspelt, /is spelt/],
      [none, /is none/],
    ] as const) {
      if (name === undefined) continue;
      const error = failure(await load(world.store, at(name)));
      assert.ok(error.reason === "table-shape" && problem.test(error.differences.join()), name);
    }
  }
});

test("data that has the key column itself has to agree with the partition, row by row", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const own = (target: string, rows: Cell[][], strategy: "swap" | "delete" | "merge"): Rows => ({
    target,
    columns: [
      { name: "id", type: "integer" },
      { name: "year", type: "integer" },
    ],
    rows,
    partitionColumn: "year",
    table: { strategy, ownKey: true, ...(strategy === "merge" && { key: ["id"] }) },
  });
  for (const strategy of ["swap", "delete", "merge"] as const) {
    const name = `table:${strategy}_trips`;
    for (const round of [1, 2])
      value(
        await load(
          world.store,
          own(
            `${name}/2023`,
            [
              [1, 2023],
              [round, 2023],
            ].slice(round === 1 ? 1 : 0),
            strategy,
          ),
        ),
      );
    assert.deepEqual(await world.sql(`SELECT * FROM ${strategy}_trips ORDER BY id`), [
      { id: 1, year: 2023 },
      { id: 2, year: 2023 },
    ]);
    const error = failure(
      await load(
        world.store,
        own(
          `${name}/2024`,
          [
            [5, 2024],
            [6, 2023],
          ],
          strategy,
        ),
      ),
    );
    assert.ok(error.reason === "bad-value" && error.column === "year", JSON.stringify(error));
  }
});

test("tables that cannot take a partition's rows are refused, with what to do", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const refused = async (sql: string, rows: Partial<Rows> = {}): Promise<string> => {
    await world.sql(`DROP TABLE IF EXISTS trips; ${sql}`);
    const error = failure(await load(world.store, month("2023", [[1, "a"]], rows)));
    assert.ok(error.reason === "table-shape", JSON.stringify(error));
    return `${error.differences.join()} – ${error.help}`;
  };
  assert.match(
    await refused("CREATE TABLE trips (month text, id integer) PARTITION BY HASH (id)"),
    /partitioned by HASH \(id\); PARTITION BY LIST \(month\) is needed – rename it.* whole table/,
  );
  assert.match(
    await refused("CREATE TABLE trips (month text, id integer) PARTITION BY LIST (month)", {
      table: { strategy: "delete" },
    }),
    /partitioned by LIST \(month\); `delete` needs one ordinary table/,
  );
  assert.match(
    await refused("CREATE TABLE trips (month text, id integer)", { table: { strategy: "swap" } }),
    /is not partitioned; .*leave out `strategy: "swap"`/,
  );
  assert.match(
    await refused("CREATE TABLE trips (id integer)", { table: { strategy: "delete" } }),
    /has no column `month`.*ADD COLUMN month text/,
  );
  assert.match(await refused('CREATE TABLE trips (id integer, "Month" text)'), /`?partitionColumn: "Month"/);
  assert.match(
    await refused("CREATE TABLE trips (id integer, month text)", { table: { strategy: "merge" } }),
    /goes by a key.*key: \["id"\]/,
  );
});

test("rows that were set aside are kept with the load, as many as may be, and forgotten by the next", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const table = { maxRejects: 2 };
  const one = { line: 3, column: "id", value: "x", reason: "it is not a whole number" };
  const rows = month("2023-01", [[1, "a"]], { table, rejects: [one, { ...one, line: 5 }] });
  const { trace } = value(await publish(world.store, rows)) as { trace: { facts: unknown } };
  assert.deepEqual(trace.facts, { rows: 1, rejects: 2 });
  assert.deepEqual(
    await world.sql("SELECT line::int, column_name, value, reason FROM dmake.rejects ORDER BY line"),
    [
      { line: 3, column_name: "id", value: "x", reason: one.reason },
      { line: 5, column_name: "id", value: "x", reason: one.reason },
    ],
  );
  const error = failure(
    await load(world.store, month("2023-02", [[1, "a"]], { table, rejects: [one, one, one] })),
  );
  assert.deepEqual(error, {
    reason: "too-many-rejects",
    file: "data/rows.parquet",
    maxRejects: 2,
    rows: 3,
    first: one,
  });
  value(await load(world.store, month("2023-01", [[2, "a"]], { table })));
  assert.deepEqual(await world.sql("SELECT FROM dmake.rejects"), []);
});

test("eight months at once into one unpartitioned table, which grows meanwhile, do not lock each other out", async (t) => {
  const world = await given("CREATE TABLE trips (month text, id integer)");
  t.after(world.end);
  const all = gate();
  let staged = 0;
  const together = watching(world.database, (sql) => {
    // All have looked at the table before any of them publishes.
    if (!sql.startsWith("SET LOCAL idle")) return;
    if (++staged === 8) all.open();
    return all.opened;
  });
  const loads = Array.from({ length: 8 }, (_, n) =>
    load(world.another({ database: together }), month(`m${n}`, [[n, "x"]])),
  );
  for (const one of await Promise.all(loads)) value(one);
  assert.deepEqual(await world.sql("SELECT count(*)::int AS rows, count(zone)::int AS zones FROM trips"), [
    { rows: 8, zones: 8 },
  ]);
});
