// The story of names and collations that a table has from elsewhere: those of indexes that are taken, and columns that sort in a way of their own.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import type { TableDeclaration } from "../../src/core/rule.js";
import type { Trace } from "../../src/core/trace.js";
import {
  attemptFor,
  type Cell,
  emptyWorld,
  failure,
  load,
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

const trips = (target: string, table: Partial<TableDeclaration>, ...rows: Cell[][]): Rows => ({
  target: `table:${target}`,
  columns,
  rows: rows.length > 0 ? rows : [[1, "a"]],
  table,
});

const declared: Partial<TableDeclaration> = {
  key: ["id"],
  indexes: [{ columns: ["zone"] }, { columns: ["id", "zone"], unique: true }],
};

/** Name and definition of each index of a table, in an order that does not go by names. */
const indexesOf = async ({ sql }: World, table: string): Promise<[string, string][]> =>
  (
    await sql(
      `SELECT indexname AS name, regexp_replace(indexdef, '.* USING ', '') AS over FROM pg_indexes
        WHERE tablename = $1 ORDER BY 2, 1`,
      [table],
    )
  ).map(({ name, over }) => [String(name), String(over)]);

const amend = async (world: World, rows: Rows, previous: Trace): Promise<Trace> => {
  const amended = value(await world.store.amend!(attemptFor({ ...rows, previous })));
  assert.ok(amended, "it has to be loaded");
  return amended;
};

for (const [target, part] of [
  ["trips", ""],
  ["trips/2023-01", "month, "],
] as const)
  test(`a table that was renamed away keeps its indexes' names, and ${target} takes others`, async (t) => {
    const world = await emptyWorld();
    t.after(world.end);
    value(await load(world.store, trips(target, declared)));
    for (const old of ["trips_old", "trips_older"]) {
      await world.sql(`ALTER TABLE trips RENAME TO ${old}`);
      const loaded = value(await load(world.store, trips(target, declared), { forced: true })) as Trace;
      const found = await indexesOf(world, "trips");
      assert.deepEqual(
        found.map(([, over]) => over),
        [`btree (${part}id)`, `btree (${part}id, zone)`, "btree (zone)"],
      );
      // They are its own, so that they stay, and go once they are not declared.
      assert.equal(value(await load(world.store, trips(target, declared))), "already");
      value(await load(world.store, trips(target, declared, [2, "b"])));
      assert.deepEqual(await indexesOf(world, "trips"), found);
      value(await load(world.store, trips(target, declared)));
      const one = await amend(world, trips(target, { key: ["id"] }), loaded);
      assert.deepEqual(
        (await indexesOf(world, "trips")).map(([, over]) => over),
        [`btree (${part}id)`],
      );
      const none = await amend(world, trips(target, {}), one);
      assert.deepEqual(await indexesOf(world, "trips"), []);
      await amend(world, trips(target, declared), none);
      assert.equal((await indexesOf(world, "trips")).length, 3);
      assert.equal((await indexesOf(world, old)).length, 3, "nobody touches the old one's");
    }
  });

test("two tables whose indexes would be called the same have one each, and so do two indexes of one", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const rows = (target: string, names: string[], table: Partial<TableDeclaration>): Rows => ({
    target,
    columns: names.map((name) => ({ name, type: "integer" })),
    rows: [names.map(() => 1)],
    table,
  });
  value(await load(world.store, rows("table:a_b", ["c"], { indexes: [{ columns: ["c"] }] })));
  const both = [{ columns: ["b", "c"] }, { columns: ["b_c"] }];
  value(await load(world.store, rows("table:a", ["b", "c", "b_c"], { indexes: both })));
  assert.deepEqual(await indexesOf(world, "a_b"), [["a_b_c_idx", "btree (c)"]]);
  const [first, second, ...more] = await indexesOf(world, "a");
  assert.deepEqual([first?.[1], second?.[1], more], ["btree (b, c)", "btree (b_c)", []]);
  // A partition's column has an index, unless one is declared; somebody may have a table of that name.
  await world.sql("CREATE TABLE x_month_idx ()");
  const deleted = { strategy: "delete" } as const;
  value(await load(world.store, rows("table:x/2023-01", ["b"], deleted)));
  assert.equal((await indexesOf(world, "x"))[0]?.[1], "btree (month)");
  const own = { ...deleted, indexes: [{ columns: ["month", "b"] }] };
  value(await load(world.store, rows("table:y/2023-01", ["b"], own)));
  assert.deepEqual(await indexesOf(world, "y"), [["y_month_b_idx", "btree (month, b)"]]);
});

test("a name that a person gave an index is that person's: it stays when the Datafile says no more of it", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  await world.sql("CREATE TABLE trips (id integer, zone text); CREATE INDEX mine ON trips (zone)");
  const loaded = value(
    await load(world.store, trips("trips", { indexes: [{ columns: ["zone"] }] })),
  ) as Trace;
  await amend(world, trips("trips", {}), loaded);
  assert.deepEqual(await indexesOf(world, "trips"), [["mine", "btree (zone)"]]);
});

const collationsOf = async ({ sql }: World, table: string): Promise<Record<string, unknown>> =>
  Object.fromEntries(
    (
      await sql(
        `SELECT attname, format_type(atttypid, atttypmod) || coalesce(' ' || collname, '') AS is
           FROM pg_attribute LEFT JOIN pg_collation c ON c.oid = attcollation
          WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum`,
        [table],
      )
    ).map(({ attname, is }) => [String(attname), is]),
  );

const collated = `CREATE SCHEMA "my own"; CREATE COLLATION "my own"."By Bytes" FROM "C";`;

for (const strategy of ["swap", "delete", "merge"] as const)
  test(`columns keep the collations that somebody gave them, their types grown or not: ${strategy}`, async (t) => {
    const world = await emptyWorld();
    t.after(world.end);
    await world.sql(
      `${collated} CREATE TABLE trips (month varchar(7) COLLATE "C" NOT NULL, id integer, zone varchar(5) COLLATE "my own"."By Bytes" NOT NULL,
         note text COLLATE "C" DEFAULT 'none', shout text COLLATE "C" GENERATED ALWAYS AS (upper(note)) STORED, later text COLLATE "C")
         ${strategy === "swap" ? "PARTITION BY LIST (month)" : ""};
       ${strategy === "merge" ? "CREATE UNIQUE INDEX ON trips (zone)" : ""}`,
    );
    const key = strategy === "merge" ? { key: ["zone"] } : {};
    const rows = (month: string, type: string, zone: string): Rows => ({
      target: `table:trips/${month}`,
      columns: [
        { name: "zone", type },
        { name: "id", type: "integer" },
      ],
      rows: [[zone, 1]],
      table: { strategy, ...key },
    });
    value(await load(world.store, rows("2023-01", "varchar(5)", "a")));
    value(await load(world.store, rows("2023-02", "text", "a longer one")));
    value(await load(world.store, rows("2023-02", "text", "another")));
    // All of its values gone, `later` may be of any type: that has no collation.
    const dated = rows("2023-03", "text", "b");
    const later = { name: "later", type: "double precision" };
    value(
      await load(world.store, {
        ...dated,
        columns: [...dated.columns, later],
        rows: [["b", 1, 0.5]],
      }),
    );
    const shape = {
      month: "character varying(7) C",
      id: "integer",
      zone: "text By Bytes",
      note: "text C",
      shout: "text C",
      later: "double precision",
    };
    assert.deepEqual(await collationsOf(world, "trips"), shape);
    const found = await world.sql(
      "SELECT month, zone, note, shout FROM trips WHERE month <> '2023-02' ORDER BY 1",
    );
    assert.deepEqual(found, [
      { month: "2023-01", zone: "a", note: "none", shout: "NONE" },
      { month: "2023-03", zone: "b", note: "none", shout: "NONE" },
    ]);
  });

test("a partition is not looked for under a name that Postgres fills up with spaces", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const january = trips("trips/2023-01", {});
  const made = (type: string, how: string) =>
    world.sql(
      `DROP TABLE IF EXISTS trips; CREATE TABLE trips (month ${type} NOT NULL, id integer, zone text) ${how}`,
    );
  await made("char(9)", "PARTITION BY LIST (month)");
  const refused = failure(await load(world.store, january));
  assert.ok(refused.reason === "table-shape");
  assert.match(refused.differences.join(), /`month` is `character\(9\)`.* spaces/);
  assert.match(refused.help ?? "", /`text` or `varchar`/);
  // Not where there is nothing to fill up, nor where rows are found by comparing.
  await made("char(7)", "PARTITION BY LIST (month)");
  value(await load(world.store, january));
  assert.equal(value(await load(world.store, january)), "already");
  await made("char(9)", "");
  value(await load(world.store, january, { forced: true }));
  assert.equal(value(await load(world.store, january)), "already");
});
