// The story of what a Datafile declares of a table besides its rows: done at every load, or without one, and undone again.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import type { TableDeclaration } from "../../src/core/rule.js";
import type { Trace } from "../../src/core/trace.js";
import {
  attemptFor,
  type Cell,
  emptyWorld,
  factOf,
  failure,
  gate,
  load,
  type Rows,
  stopServer,
  value,
  type World,
  watching,
} from "./table-rig.js";

after(stopServer);

const columns = [
  { name: "id", type: "integer" },
  { name: "Zone", type: "text" },
];

const month = (name: string, table: Partial<TableDeclaration>, rows: Cell[][] = [[1, "a"]]): Rows => ({
  target: name === "" ? "table:zones" : `table:trips/${name}`,
  columns,
  rows,
  table,
});

const all: Partial<TableDeclaration> = {
  key: ["id"],
  indexes: [
    { columns: ["zone"] },
    { columns: ["id", "zone"], unique: true },
    { columns: ["id"], method: "brin" },
  ],
  comment: "Trips, one row each.",
  comments: { zone: "where it began" },
  grants: { "a reader": ["SELECT", "INSERT"], public: ["SELECT"] },
};

/** Roles are the server's, not the database's. */
async function given(): Promise<World> {
  const world = await emptyWorld();
  await world.sql(`DO $$ BEGIN CREATE ROLE "a reader"; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
  return world;
}

async function shapeOf(world: World, table: string): Promise<Record<string, unknown>> {
  const [row] = await world.sql(
    `SELECT obj_description($1::regclass) AS comment, col_description($1::regclass, (SELECT attnum FROM pg_attribute WHERE attrelid = $1::regclass AND attname = 'Zone')) AS noted,
            has_table_privilege('a reader', $1, 'SELECT') AS reads, has_table_privilege('a reader', $1, 'INSERT') AS writes,
            (SELECT array_agg(regexp_replace(indexdef, '.* (UNIQUE )?INDEX (.*) ON .*USING', '\\2') ORDER BY indexname) FROM pg_indexes WHERE tablename = $1::regclass::text) AS indexes`,
    [table],
  );
  return row!;
}

test("all that is declared of a partitioned table is done to it and its partitions, once", async (t) => {
  const world = await given();
  t.after(world.end);
  const said: string[] = [];
  const database = watching(world.database, (sql) => void said.push(sql));
  for (const name of ["2023-01", "2023-02"]) value(await load(world.another({ database }), month(name, all)));
  const built = said.findLastIndex((sql) =>
    /^CREATE .*INDEX ON .*dmake_load|^ALTER .*dmake_load.* PRIMARY KEY/.test(sql),
  );
  assert.ok(
    built > 0 &&
      said.findIndex((sql) => sql.includes("INDEX ON ")) < said.findIndex((sql) => sql.startsWith("LOCK")),
  );
  assert.equal(said.filter((sql) => /INDEX ON .*dmake_load/.test(sql)).length, 6, "none is left to the lock");
  value(
    await load(
      world.store,
      month("2023-01", all, [
        [2, "b"],
        [3, "c"],
      ]),
    ),
  );
  assert.deepEqual(await shapeOf(world, "trips"), {
    comment: "Trips, one row each.",
    noted: "where it began",
    reads: true,
    writes: true,
    indexes: [
      '"trips_Zone_idx" btree ("Zone")',
      "trips_id_brin_idx brin (id)",
      '"trips_month_id_Zone_key" btree (month, id, "Zone")',
      "trips_pkey btree (month, id)",
    ],
  });
  for (const name of ["trips_2023_01", "trips_2023_02"]) {
    const indexes = await world.sql("SELECT indexname FROM pg_indexes WHERE tablename = $1", [name]);
    assert.equal(indexes.length, 4, JSON.stringify(indexes));
    assert.ok(
      indexes.every(({ indexname }) => String(indexname).startsWith(name)),
      JSON.stringify(indexes),
    );
  }
  const twice = failure(
    await load(
      world.store,
      month("2023-01", all, [
        [2, "b"],
        [2, "c"],
      ]),
    ),
  );
  assert.ok(twice.reason === "postgres-error" && twice.code === "23505");
});

test("a whole table says what a person says of it first, and then what dmake has to say", async (t) => {
  const world = await given();
  t.after(world.end);
  value(await load(world.store, month("", all)));
  const shape = await shapeOf(world, "zones");
  const [words, mark, ...more] = String(shape.comment).split("\n");
  assert.equal(words, "Trips, one row each.");
  assert.equal(more.length, 0);
  assert.equal((JSON.parse(String(mark)) as { target: string }).target, "table:zones");
  value(await load(world.store, month("", all, [[5, "x"]])));
  assert.match(String((await shapeOf(world, "zones")).comment), /^Trips, one row each\.\n\{/);
  assert.equal(value(await load(world.store, month("", all, [[5, "x"]]))), "already");
});

test("what somebody has said of a table is kept where the Datafile says nothing", async (t) => {
  const world = await given();
  t.after(world.end);
  await world.sql("CREATE TABLE zones (id integer, \"Zone\" text); COMMENT ON TABLE zones IS 'by hand'");
  value(await load(world.store, month("", {})));
  assert.match(String((await shapeOf(world, "zones")).comment), /^by hand\n\{"dmake"/);
});

test("an index and a key that are there already, whatever they are called, are those that are declared", async (t) => {
  const world = await given();
  t.after(world.end);
  await world.sql(
    `CREATE TABLE zones (id integer CONSTRAINT mine PRIMARY KEY, "Zone" text); CREATE INDEX own ON zones ("Zone")`,
  );
  value(await load(world.store, month("", { key: ["ID"], indexes: [{ columns: ["Zone"] }] })));
  const names = await world.sql("SELECT indexname FROM pg_indexes WHERE tablename = 'zones' ORDER BY 1");
  assert.deepEqual(
    names.map(({ indexname }) => indexname),
    ["mine", "own"],
  );
  const other = failure(await load(world.store, month("", { key: ["id", "Zone"] })));
  assert.ok(other.reason === "table-shape" && /the primary key is \(id\)/.test(other.differences.join()));
  assert.match(other.help, /DROP CONSTRAINT "mine"/);
});

test("columns and roles that are not there are named", async (t) => {
  const world = await given();
  t.after(world.end);
  const columnless = failure(
    await load(
      world.store,
      month("1", { key: ["ids"], indexes: [{ columns: ["zon"] }], comments: { x: "y" } }),
    ),
  );
  assert.ok(columnless.reason === "table-shape");
  assert.deepEqual(columnless.differences, [
    "`key` names `ids`, which the table does not have",
    "`indexes` names `zon`, which the table does not have",
    "`comments` names `x`, which the table does not have",
  ]);
  const roleless = failure(await load(world.store, month("1", { grants: { "no one": ["SELECT"] } })));
  assert.ok(roleless.reason === "usage" && /`no one`/.test(roleless.message), JSON.stringify(roleless));
  assert.match(roleless.help ?? "", /CREATE ROLE "no one"/);
});

/** As the engine asks for it, with the record of the last success. */
async function amended(world: World, rows: Rows): Promise<Trace | undefined> {
  const attempt = attemptFor(rows);
  const [previous] = value(await world.store.traces([attempt.step]));
  return value(await world.store.amend!({ ...attempt, ...(previous && { previous }) }));
}

test("what is declared later is done without a row being touched, and undone when it is no longer", async (t) => {
  for (const name of ["2023-01", ""]) {
    const world = await given();
    t.after(world.end);
    const table = name === "" ? "zones" : "trips";
    const plain = month(name, {});
    value(await load(world.store, plain));
    const before = await world.sql(`SELECT xmin::text, ctid::text FROM ${table}`);
    const bare = await shapeOf(world, table);
    const fact = await factOf(world.store, plain.target);
    const trace = await amended(world, month(name, all));
    assert.deepEqual(trace?.recipe, attemptFor(month(name, all)).recipe);
    assert.deepEqual(await world.sql(`SELECT xmin::text, ctid::text FROM ${table}`), before);
    const { indexes, reads, noted } = await shapeOf(world, table);
    assert.deepEqual([(indexes as string[]).length, reads, noted], [4, true, "where it began"]);
    assert.equal(value(await load(world.store, month(name, all))), "already");
    assert.deepEqual(await factOf(world.store, plain.target), fact);
    const [row] = await world.sql(
      "SELECT (SELECT count(*) FROM dmake.history WHERE outcome = 'amended')::int AS amended, checksum IS NOT NULL AS summed, rows::int FROM dmake.loads",
    );
    assert.deepEqual(row, { amended: 1, summed: true, rows: 1 });
    assert.ok(await amended(world, plain));
    const after = await shapeOf(world, table);
    const words = (shape: typeof after) => String(shape.comment).replace(/"(attempt)":"[^"]*"/, "");
    assert.deepEqual(
      { ...after, comment: words(after) },
      { ...bare, reads: false, writes: false, comment: words(bare) },
    );
    assert.ok(name !== "" || after.comment !== null);
  }
});

test("a table that is not as it is recorded, or of which more has changed, is not amended but loaded", async (t) => {
  const world = await given();
  t.after(world.end);
  const rows = month("2023-01", {});
  assert.equal(await amended(world, month("2023-01", all)), undefined, "nothing is there");
  value(await load(world.store, rows));
  assert.equal(await amended(world, month("2023-01", { ...all, maxRejects: 3 })), undefined, "other parts");
  assert.equal(await amended(world, { ...month("2023-01", all), digest: "sha256:new" }), undefined, "inputs");
  await world.sql("DELETE FROM dmake.loads");
  assert.equal(await amended(world, month("2023-01", all)), undefined, "no record");
  value(await load(world.store, rows, { forced: true }));
  await world.sql("TRUNCATE trips");
  assert.equal(await amended(world, month("2023-01", all)), undefined, "no rows");
  assert.deepEqual((await shapeOf(world, "trips")).indexes, null);
});

test("eight months at once into one new table with all that can be declared, again and again", async (t) => {
  const world = await given();
  t.after(world.end);
  for (let round = 1; round <= 3; round++) {
    const ready = gate();
    let waiting = 0;
    const database = watching(world.database, (sql) => {
      if (!sql.startsWith("SET LOCAL idle")) return;
      if (++waiting === 8) ready.open();
      return ready.opened;
    });
    const names = Array.from({ length: 8 }, (_, n) => `m${n}`);
    const rows = (n: number): Cell[][] => [[round * 10 + n, "x"]];
    const loads = names.map((name, n) => load(world.another({ database }), month(name, all, rows(n))));
    for (const one of await Promise.all(loads)) value(one);
    const found = await world.sql("SELECT count(*)::int AS rows, min(id) / 10 AS round FROM trips");
    assert.deepEqual(found, [{ rows: 8, round }]);
  }
});
