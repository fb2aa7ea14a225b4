// The story of columns that change from month to month: what a table grows by, and what it refuses.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import { holds, merged } from "../../src/stores/table-types.js";
import {
  attemptFor,
  type Cell,
  emptyWorld,
  failure,
  fill,
  load,
  made,
  type Rows,
  stopServer,
  value,
  type World,
  watching,
  writerOf,
} from "./table-rig.js";

after(stopServer);

const month = (name: string, columns: Readonly<Record<string, string>>, ...rows: Cell[][]): Rows => ({
  target: `table:trips/${name}`,
  columns: Object.entries(columns).map(([column, type]) => ({ name: column, type })),
  rows,
});

const typesOf = async (world: World, table = "trips"): Promise<Record<string, unknown>> =>
  Object.fromEntries(
    (
      await world.sql(
        "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0",
        [table],
      )
    ).map(({ attname, type }) => [String(attname), type]),
  );

test("a type holds another only if every value keeps its meaning", () => {
  const yes = [
    ...[
      "bigint smallint",
      "numeric bigint",
      "numeric(20,0) bigint",
      "double precision integer",
      "double precision real",
    ],
    ...[
      "text varchar(3)",
      "text bigint",
      "varchar(9) varchar(3)",
      "text varchar",
      "int8 bigint",
      "timestamp(6) timestamp",
    ],
  ];
  for (const pair of yes) assert.ok(holds(...(split(pair) as [string, string])), pair);
  assert.ok(holds("timestamp without time zone", "date") && holds("numeric(12,4)", "numeric(10,2)"));
  const no = [
    "smallint integer",
    "numeric(10,2) bigint",
    "real integer",
    "varchar(3) varchar(9)",
    "bigint text",
    "text date",
    "uuid text",
  ];
  for (const pair of no) assert.ok(!holds(...(split(pair) as [string, string])), pair);
  assert.ok(!holds("double precision", "bigint"), "above 2^53 integers have no double of their own");
  assert.ok(!holds("timestamp with time zone", "timestamp"), "a time zone is not invented");
  assert.ok(
    !holds("numeric(10,2)", "numeric(10,4)") && !holds("bigint[]", "bigint") && holds("bigint[]", "int8[]"),
  );
});

const split = (pair: string): string[] => [
  pair.slice(0, pair.lastIndexOf(" ")),
  pair.slice(pair.lastIndexOf(" ") + 1),
];

test("a column grows to a type that holds both, or keeps its own between numbers, or refuses", () => {
  assert.equal(merged("integer", "bigint"), "bigint");
  assert.equal(merged("real", "integer"), "double precision");
  assert.equal(merged("numeric(10,2)", "numeric(8,4)"), "numeric(12,4)");
  assert.equal(merged("numeric(10,2)", "bigint"), "numeric(21,2)");
  assert.equal(merged("bigint", "double precision"), "bigint");
  assert.equal(merged("double precision", "bigint"), "double precision");
  assert.equal(merged("date", "timestamp"), "timestamp");
  assert.equal(merged("character varying(3)", "text"), "text");
  assert.equal(merged("bigint", "text"), undefined);
  assert.equal(merged("boolean", "integer"), undefined);
});

test("a new column is added, a missing one is null, a wider type widens the table", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, month("1", { id: "integer" }, [1])));
  value(await load(world.store, month("2", { id: "bigint", fee: "text" }, [2 ** 40, "1.5"])));
  value(await load(world.store, month("3", { fee: "varchar" }, ["2"])));
  assert.deepEqual(await typesOf(world), { month: "text", id: "bigint", fee: "text" });
  assert.deepEqual(await world.sql("SELECT * FROM trips ORDER BY month"), [
    { month: "1", id: "1", fee: null },
    { month: "2", id: String(2 ** 40), fee: "1.5" },
    { month: "3", id: null, fee: "2" },
  ]);
});

test("narrower rows go into a wider table as the table has them", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, month("1", { id: "bigint", share: "double precision" }, [1, 0.5])));
  const stage = value(await world.store.stage(attemptFor(month("2", {}))));
  const answer = value(
    await writerOf(stage as never).open([
      { name: "share", type: "bigint" },
      { name: "id", type: "smallint" },
    ]),
  );
  assert.deepEqual(answer, [
    { name: "share", type: "double precision" },
    { name: "id", type: "bigint" },
  ]);
  await world.store.discard(attemptFor(month("2", {})), stage as never);
});

test("columns that differ by case alone are one, as in DuckDB", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, month("1", { airport_fee: "integer" }, [1])));
  value(await load(world.store, month("2", { Airport_fee: "integer" }, [2])));
  assert.deepEqual(await typesOf(world), { month: "text", airport_fee: "integer" });
  value(await load(world.store, { ...month("", { Id: "integer" }, [1]), target: "table:whole" }));
  value(await load(world.store, { ...month("", { ID: "integer" }, [2]), target: "table:whole" }));
  assert.deepEqual(await world.sql("SELECT * FROM whole"), [{ Id: 2 }]);
});

test("types that do not go together are refused with every difference, and nothing has changed", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, month("1", { id: "integer", note: "text", at: "date" }, [1, "a", null])));
  await world.sql("UPDATE trips SET at = '2023-01-31'; ALTER TABLE trips ALTER COLUMN note SET NOT NULL");
  const before = [await typesOf(world), await world.sql("SELECT * FROM trips")];
  const error = failure(
    await load(world.store, month("1", { id: "text", at: "boolean", more: "text" }, ["1", 1, "x"])),
  );
  assert.equal(error.reason, "table-shape");
  assert.ok(error.reason === "table-shape");
  assert.equal(error.table, "public.trips");
  assert.deepEqual(error.differences, [
    "`id` is `text` in the source and `integer` in the table; neither holds the other exactly",
    "`at` is `boolean` in the source and `date` in the table; neither holds the other exactly",
    "`note` is NOT NULL in the table, has no default, and is not in the source",
  ]);
  assert.deepEqual([await typesOf(world), await world.sql("SELECT * FROM trips")], before);
});

test("a table of another kind is refused with a remedy", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const refused = async (sql: string, rows: Rows = month("1", { id: "integer" }, [1])): Promise<string> => {
    await world.sql(`DROP TABLE IF EXISTS trips; ${sql}`);
    const error = failure(await load(world.store, rows));
    assert.ok(error.reason === "table-shape", error.reason);
    return error.differences.join();
  };
  assert.match(
    await refused("CREATE TABLE trips (id integer)"),
    /is not partitioned; PARTITION BY LIST \(month\) is needed/,
  );
  assert.match(
    await refused("CREATE TABLE trips (month text, id integer) PARTITION BY RANGE (month)"),
    /is partitioned by RANGE \(month\); PARTITION BY LIST \(month\) is needed/,
  );
  assert.match(
    await refused("CREATE TABLE trips (period text, id integer) PARTITION BY LIST (period)"),
    /partitioned by `period`/,
  );
  assert.match(
    await refused("CREATE TABLE trips (month date, id integer) PARTITION BY LIST (month)"),
    /`month` is `date`/,
  );
  assert.match(
    await refused(
      "CREATE TABLE trips (month text, id integer) PARTITION BY LIST (month); CREATE TABLE two PARTITION OF trips FOR VALUES IN ('1', '2')",
    ),
    /partition `public.two` holds `1` and more/,
  );
  assert.match(
    await refused("CREATE TABLE trips (month text) PARTITION BY LIST (month)", {
      ...month("", { id: "integer" }, [1]),
      target: "table:trips",
    }),
    /no ordinary table/,
  );
});

test("a column that the partition needs for itself, and two of one name, are refused", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const taken = failure(await load(world.store, month("1", { month: "text" }, ["x"])));
  assert.deepEqual(taken, {
    reason: "partition-column-taken",
    table: "trips",
    column: "month",
    file: "data/rows.parquet",
  });
  const long = "x".repeat(63);
  const cut = failure(
    await load(world.store, month("1", { [`${long}1`]: "text", [`${long}2`]: "text" }, ["a", "b"])),
  );
  assert.equal(cut.reason, "table-shape");
  value(await load(world.store, month("1", { [`${long}1`]: "text" }, ["a"])));
  value(await load(world.store, month("2", { [`${long}1`]: "text" }, ["a"])));
});

test("a table made by hand keeps its keys, checks, defaults and indexes, on every partition", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  await world.sql(`CREATE TABLE trips (id integer NOT NULL CHECK (id > 0), month varchar(20), loaded text NOT NULL DEFAULT 'yes',
                     PRIMARY KEY (month, id)) PARTITION BY LIST (month);
                   CREATE INDEX ON trips (loaded DESC) WHERE id > 5`);
  for (let round = 0; round < 2; round++)
    value(await load(world.store, month("1", { id: "integer" }, [1], [2 + round])));
  assert.deepEqual(await world.sql("SELECT loaded, month FROM trips LIMIT 1"), [
    { loaded: "yes", month: "1" },
  ]);
  const indexes = await world.sql("SELECT indexdef FROM pg_indexes WHERE tablename = 'trips_1' ORDER BY 1");
  assert.equal(indexes.length, 2, JSON.stringify(indexes));
  const error = failure(await load(world.store, month("1", { id: "integer" }, [-1])));
  assert.ok(error.reason === "postgres-error" && error.code === "23514");
});

test("ATTACH believes the CHECK and does not read the rows again; the index is there before", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const notices: string[] = [];
  const indexed: string[] = [];
  const database = watching(world.database, (sql, client) => {
    if (sql.startsWith("CREATE INDEX")) indexed.push(sql);
    if (!sql.startsWith("BEGIN")) return;
    client.on("notice", ({ message }) => void notices.push(String(message)));
    return client.query("SET client_min_messages = debug1");
  });
  const store = world.another({ database });
  value(await load(store, month("1", { id: "integer" }, [1])));
  await world.sql("CREATE INDEX ON trips (id)");
  notices.length = 0;
  value(await load(store, month("1", { id: "integer" }, [2])));
  assert.equal(notices.filter((text) => /is implied by existing constraints/.test(text)).length, 1);
  assert.equal(notices.filter((text) => /^verifying table/.test(text)).length, 0);
  assert.equal(indexed.length, 1);
  assert.equal((await world.sql("SELECT FROM pg_indexes WHERE tablename = 'trips_1'")).length, 1);
});

test("two first loads with different columns and types at once make one table that holds both", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const one = month("1", { id: "integer", a: "text", share: "bigint" }, [1, "x", 5]);
  const two = month("2", { b: "text", id: "bigint", share: "double precision" }, ["y", 2 ** 40, 7]);
  const three = month("3", { share: "double precision" }, [0.5]);
  const staged = await Promise.all(
    [one, two, three].map(async (rows) => {
      const attempt = attemptFor(rows);
      const stage = value(await world.store.stage(attempt));
      value(await fill(stage as never, rows));
      return { attempt, stage: stage as never, rows };
    }),
  );
  const [first, second, third] = staged as [(typeof staged)[0], (typeof staged)[0], (typeof staged)[0]];
  for (const { attempt, stage, rows } of [first, second])
    value(await world.store.publish(attempt, stage, made(rows.rows.length, attempt)));
  assert.deepEqual(await typesOf(world), {
    month: "text",
    id: "bigint",
    a: "text",
    share: "bigint",
    b: "text",
  });
  assert.deepEqual(await world.sql("SELECT id, share FROM trips ORDER BY month"), [
    { id: "1", share: "5" },
    { id: String(2 ** 40), share: "7" },
  ]);
  const error = failure(await world.store.publish(third.attempt, third.stage, made(1, third.attempt)));
  assert.ok(error.reason === "table-shape");
  assert.deepEqual(error.differences, ["`share` is `bigint` in the table, which cannot hold `0.5`"]);
  await world.store.discard(third.attempt, third.stage);
});
