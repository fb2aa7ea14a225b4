// The story of what people have done to one partition's own table: a load keeps it.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import {
  type Cell,
  emptyWorld,
  factOf,
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
const january = (...rows: Cell[][]): Rows => ({ target: "table:trips/2023-01", columns, rows });

async function loaded(sql: string): Promise<World> {
  const world = await emptyWorld();
  await world.sql(
    `DO $$ BEGIN CREATE ROLE keeper; CREATE ROLE looker; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
  );
  value(await load(world.store, january([1, "a"], [2, "b"])));
  value(await load(world.store, { ...january([9, "z"]), target: "table:trips/2023-02" }));
  await world.sql(sql);
  return world;
}

const oidOf = async (world: World): Promise<unknown> =>
  (await world.sql("SELECT 'trips_2023_01'::regclass::oid::int AS oid"))[0]?.oid;

test("a swap keeps the partition's owner, rights, indexes, checks, options and comments", async (t) => {
  const world = await loaded(`
    ALTER TABLE trips_2023_01 OWNER TO keeper; GRANT SELECT ON trips_2023_01 TO looker WITH GRANT OPTION;
    GRANT UPDATE (zone) ON trips_2023_01 TO PUBLIC; CREATE UNIQUE INDEX "my index" ON trips_2023_01 (lower(zone)) WHERE id > 0;
    ALTER TABLE trips_2023_01 ADD CONSTRAINT positive CHECK (id > 0), ADD CONSTRAINT mine PRIMARY KEY (id),
      SET (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = off);
    COMMENT ON COLUMN trips_2023_01.zone IS 'it''s a zone'`);
  t.after(world.end);
  const shape = () =>
    world.sql(`SELECT relowner::regrole::text AS owner, relacl::text AS acl, reloptions::text AS options,
                      (SELECT reloptions::text FROM pg_class x WHERE x.oid = c.reltoastrelid) AS toast,
                      (SELECT attacl::text FROM pg_attribute WHERE attrelid = c.oid AND attname = 'zone') AS zone,
                      (SELECT json_agg(pg_get_indexdef(indexrelid) ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid = c.oid) AS indexes,
                      (SELECT json_agg(conname || pg_get_constraintdef(oid) ORDER BY conname) FROM pg_constraint WHERE conrelid = c.oid AND contype IN ('c', 'p')) AS constraints,
                      (SELECT json_agg(description ORDER BY objsubid) FROM pg_description WHERE objoid = c.oid AND objsubid > 0) AS comments
                 FROM pg_class c WHERE relname = 'trips_2023_01'`);
  const before = await shape();
  const oid = await oidOf(world);
  for (const round of [3, 4]) {
    value(await load(world.store, january([round, "c"])));
    assert.deepEqual(await shape(), before);
  }
  assert.notEqual(await oidOf(world), oid, "it was swapped");
  assert.deepEqual(await world.sql("SELECT id FROM trips ORDER BY id"), [{ id: 4 }, { id: 9 }]);
});

const resting: Record<string, string> = {
  "a view of its own": "CREATE VIEW first AS SELECT * FROM trips_2023_01",
  "a function over its rows": "CREATE FUNCTION one(trips_2023_01) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
  "a foreign key to it":
    "ALTER TABLE trips_2023_01 ADD UNIQUE (id); CREATE TABLE tips (trip integer REFERENCES trips_2023_01 (id)); INSERT INTO tips VALUES (2)",
  "a trigger": `CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.zone := upper(NEW.zone); RETURN NEW; END $$;
    CREATE TRIGGER shout BEFORE INSERT ON trips_2023_01 FOR EACH ROW EXECUTE FUNCTION shout()`,
  "a policy":
    "CREATE POLICY few ON trips_2023_01 USING (id > 0); ALTER TABLE trips_2023_01 ENABLE ROW LEVEL SECURITY",
  "a publication":
    "ALTER TABLE trips_2023_01 REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE trips_2023_01",
  statistics: "CREATE STATISTICS s ON id, zone FROM trips_2023_01",
};

for (const [what, sql] of Object.entries(resting))
  test(`${what} is why a partition stays, and its rows are replaced in it`, async (t) => {
    const world = await loaded(sql);
    t.after(world.end);
    const oid = await oidOf(world);
    for (const round of [1, 2]) value(await load(world.store, january([2, "c"], [10 + round, "d"])));
    assert.equal(await oidOf(world), oid);
    const zones = what === "a trigger" ? ["C", "D", "z"] : ["c", "d", "z"];
    assert.deepEqual(
      (await world.sql("SELECT zone FROM trips ORDER BY zone")).map(({ zone }) => zone),
      zones,
    );
    assert.equal((await factOf(world.store, january().target)).kind, "present");
    assert.equal(value(await load(world.store, january([2, "c"], [12, "d"]))), "already");
    // And it grows where it has to.
    const wider = {
      ...january(),
      columns: [...columns, { name: "fee", type: "integer" }],
      rows: [[2, "c", 5]],
    };
    value(await load(world.store, wider));
    assert.deepEqual(await world.sql("SELECT fee FROM trips ORDER BY id"), [{ fee: 5 }, { fee: null }]);
    assert.deepEqual(await world.sql("SELECT FROM pg_class WHERE relname LIKE 'dmake_load%'"), []);
  });

test("a parent of somebody's with an identity, a generated column and a serial is filled as by INSERT", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  await world.sql(`CREATE TABLE trips (n bigint GENERATED BY DEFAULT AS IDENTITY, month text, id integer, zone text, s serial,
                     twice integer GENERATED ALWAYS AS (id * 2) STORED) PARTITION BY LIST (month)`);
  for (const round of [1, 2]) value(await load(world.store, january([round, "a"], [5, "b"])));
  value(await load(world.store, { ...january([9, "z"]), target: "table:trips/2023-02" }));
  assert.deepEqual(await world.sql("SELECT * FROM trips ORDER BY n"), [
    { n: "3", month: "2023-01", id: 2, zone: "a", s: 3, twice: 4 },
    { n: "4", month: "2023-01", id: 5, zone: "b", s: 4, twice: 10 },
    { n: "5", month: "2023-02", id: 9, zone: "z", s: 5, twice: 18 },
  ]);
  await world.sql("INSERT INTO trips (month, id) VALUES ('2023-02', 1)");
  assert.deepEqual(await world.sql("SELECT n, s, twice FROM trips WHERE id = 1"), [
    { n: "6", s: 6, twice: 2 },
  ]);
});

test("views on the parent and readers of it go on while its partitions are swapped", async (t) => {
  const world = await loaded(
    "CREATE VIEW counted AS SELECT count(*)::int AS rows, count(DISTINCT zone)::int AS zones FROM trips",
  );
  t.after(world.end);
  const another = await emptyWorld();
  t.after(another.end);
  let done = false;
  const seen = new Set<string>();
  const reader = (async () => {
    while (!done) seen.add(JSON.stringify(await world.sql("SELECT * FROM counted")));
  })();
  for (let round = 1; round <= 6; round++) {
    const zone = `round ${round}`;
    value(await load(world.store, january(...Array.from({ length: 50 }, (_, n) => [n, zone]))));
  }
  done = true;
  await reader;
  const whole = [[{ rows: 3, zones: 3 }], [{ rows: 51, zones: 2 }]].map((rows) => JSON.stringify(rows));
  for (const one of seen) assert.ok(whole.includes(one), one);
});
