// The story of contracts: what a table may become when a file does not fit it, and what is said of it.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import type { Contract } from "../../src/core/rule.js";
import type { Published, Stage, TableColumn } from "../../src/engine/ports.js";
import {
  attemptFor,
  type Cell,
  emptyWorld,
  encoded,
  failure,
  load,
  made,
  publish,
  type Rows,
  stopServer,
  value,
  type World,
  writerOf,
} from "./table-rig.js";

after(stopServer);

type Types = Readonly<Record<string, string | undefined>>;

const rowsOf = (name: string, contract: Contract, types: Types, ...rows: Cell[][]): Rows => ({
  target: name === "" ? "table:trips" : `table:trips/${name}`,
  columns: Object.entries(types).map(
    ([column, type]): TableColumn =>
      type === undefined ? { name: column, type: "bigint", unseen: true } : { name: column, type },
  ),
  rows,
  table: { contract },
});

const typesOf = async (world: World): Promise<Record<string, unknown>> =>
  Object.fromEntries(
    (
      await world.sql(
        "SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute WHERE attrelid = 'trips'::regclass AND attnum > 0 AND attname <> 'month'",
      )
    ).map(({ attname, type }) => [String(attname), type]),
  );

const changes = async (world: World, rows: Rows): Promise<readonly string[]> =>
  (value(await publish(world.store, rows)) as Published).changes ?? [];

for (const partition of ["2", ""]) {
  const what = partition === "" ? "a whole table" : "a partition";
  const first = partition === "" ? "" : "1";

  test(`evolve: ${what} grows, and says how`, async (t) => {
    const world = await emptyWorld();
    t.after(world.end);
    const begun = rowsOf(first, "evolve", { id: "integer", fee: "integer" }, [1, null], [2, null]);
    assert.deepEqual(await changes(world, begun), []);
    const grown = rowsOf(partition, "evolve", { ID: "bigint", fee: "text", tip: "integer" }, [3, "free", 4]);
    assert.deepEqual(await changes(world, grown), [
      "column `tip` was added as `integer`",
      "column `id` was widened from `integer` to `bigint`",
      "column `fee`, which had no values, was changed from `integer` to `text`",
    ]);
    assert.deepEqual(await typesOf(world), { id: "bigint", fee: "text", tip: "integer" });
    assert.deepEqual(await changes(world, rowsOf(partition, "evolve", { id: "smallint" }, [3])), []);
    const [row] = await world.sql(
      "SELECT changes FROM dmake.history WHERE changes IS NOT NULL ORDER BY id DESC LIMIT 1",
    );
    assert.ok(row && (row.changes as string[]).length === 3);
  });

  test(`evolve: a column of which the file shows nothing takes the type that ${what} has`, async (t) => {
    const world = await emptyWorld();
    t.after(world.end);
    value(await load(world.store, rowsOf(first, "evolve", { id: "integer", day: "date" }, [1, null])));
    await world.sql("UPDATE trips SET day = '2023-01-01'");
    const unseen = rowsOf(partition, "evolve", { id: undefined, day: undefined, more: undefined }, [
      null,
      null,
      null,
    ]);
    assert.deepEqual(await changes(world, unseen), ["column `more` was added as `bigint`"]);
    assert.deepEqual(await typesOf(world), { id: "integer", day: "date", more: "bigint" });
  });

  test(`freeze: ${what} stays as it is, and every difference is told`, async (t) => {
    const world = await emptyWorld();
    t.after(world.end);
    value(
      await load(
        world.store,
        rowsOf(first, "freeze", { id: "bigint", Fee: "integer", day: "date" }, [1, 1, null]),
      ),
    );
    await world.sql("UPDATE trips SET day = '2023-01-01'");
    const before = await typesOf(world);
    const error = failure(
      await load(
        world.store,
        rowsOf(partition, "freeze", { id: "integer", fee: "bigint", tip: "text" }, [1, 2, "x"]),
      ),
    );
    assert.ok(error.reason === "table-shape" && error.contract === "freeze");
    assert.deepEqual(error.differences, [
      "`fee` is `bigint` in the source and `integer` in the table, which does not hold every value of it",
      "`tip` (`text`) is not in the table",
      "`day` (`date`) is not in the source",
    ]);
    assert.match(error.help, /contract: "evolve"/);
    assert.deepEqual(await typesOf(world), before);
    const fits = rowsOf(partition, "freeze", { day: undefined, FEE: "smallint", id: "integer" }, [
      null,
      1,
      2,
    ]);
    assert.deepEqual(await changes(world, fits), []);
  });

  test(`discard: what ${what} lacks is left out, and its types stay`, async (t) => {
    const world = await emptyWorld();
    t.after(world.end);
    value(await load(world.store, rowsOf(first, "discard", { id: "integer", fee: "integer" }, [1, 1])));
    const more = rowsOf(partition, "discard", { tip: "text", FEE: "bigint", id: "integer" }, ["x", 2, 3]);
    assert.deepEqual(await changes(world, more), ["column `tip` of the source was left out"]);
    assert.deepEqual(await typesOf(world), { id: "integer", fee: "integer" });
    assert.equal((await world.sql("SELECT FROM trips WHERE id = 3 AND fee = 2")).length, 1);
  });
}

test("a column without a value that gets a type later gives up a default that does not fit it", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  await world.sql(
    "CREATE TABLE trips (month text, id integer, note integer DEFAULT 5) PARTITION BY LIST (month); CREATE TABLE one PARTITION OF trips FOR VALUES IN ('1'); INSERT INTO trips VALUES ('1', 1, NULL)",
  );
  value(await load(world.store, rowsOf("2", "evolve", { id: "integer", note: "text" }, [2, "x"])));
  assert.deepEqual(await world.sql("SELECT id, note FROM trips ORDER BY id"), [
    { id: 1, note: null },
    { id: 2, note: "x" },
  ]);
});

test("a table of somebody's that is still empty says what it is to hold by its types", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  await world.sql("CREATE TABLE trips (id integer, note integer)");
  const error = failure(
    await load(world.store, rowsOf("", "evolve", { id: "integer", note: "text" }, [2, "x"])),
  );
  assert.ok(error.reason === "table-shape");
  assert.deepEqual(error.differences, [
    "`note` is `text` in the source and `integer` in the table; neither holds the other exactly",
  ]);
});

test("a view that rests on a column that has to grow is named", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, rowsOf("1", "evolve", { id: "integer" }, [1])));
  await world.sql("CREATE VIEW ids AS SELECT id FROM trips");
  const error = failure(await load(world.store, rowsOf("2", "evolve", { id: "bigint" }, [2])));
  assert.ok(
    error.reason === "table-shape" && /view ids/.test(error.differences.join()),
    JSON.stringify(error),
  );
});

test("an integer that the first rows look like leaves somebody's narrower one as it is, also when the table is frozen", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  await world.sql("CREATE TABLE trips (id integer PRIMARY KEY); CREATE VIEW seen AS SELECT id FROM trips");
  for (const contract of ["evolve", "freeze", "discard"] as const) {
    const columns = [{ name: "id", type: "bigint", sampled: true as const }];
    const rows = { target: "table:trips", columns, rows: [[7]], digest: contract, table: { contract } };
    assert.deepEqual(await changes(world, rows), []);
    assert.deepEqual(await typesOf(world), { id: "integer" });
  }
});

test("whole numbers become double precision when fractions come, if all of them stay what they are", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const columns = [{ name: "share", type: "double precision" }];
  let rounds = 0;
  const publish = async (target: string) => {
    const rows: Rows = { target, columns, rows: [[0.5]], digest: `sha256:${++rounds}`, table: {} };
    const attempt = attemptFor(rows);
    const stage = value(await world.store.stage(attempt));
    const writer = writerOf(stage);
    assert.deepEqual(value(await writer.open(columns)), [{ name: "share", type: "bigint" }]);
    value(await writer.widen(columns));
    value(await writer.copy(encoded(columns, [[0.5]]), new AbortController().signal));
    const published = await world.store.publish(attempt, stage as Stage, made(1, attempt));
    if (!published.ok) await world.store.discard(attempt, stage as Stage);
    return published;
  };
  for (const target of ["table:trips/2", "table:whole"]) {
    await world.sql("DROP TABLE IF EXISTS trips");
    const before = { ...columns[0]!, type: "bigint" };
    value(await load(world.store, { target: "table:trips/1", columns: [before], rows: [[2 ** 53]] }));
    value(await load(world.store, { target: "table:whole", columns: [before], rows: [[3]], digest: target }));
    const said = "column `share` was widened from `bigint` to `double precision`";
    assert.deepEqual(value(await publish(target)).changes, [said]);
  }
  assert.deepEqual(await world.sql("SELECT share FROM whole"), [{ share: 0.5 }]);
  await world.sql("ALTER TABLE whole ALTER share TYPE bigint; UPDATE whole SET share = 9007199254740993");
  const refused = failure(await publish("table:whole"));
  assert.ok(refused.reason === "table-shape", JSON.stringify(refused));
  assert.deepEqual(refused.differences, [
    "`share` has fractions now, and `9007199254740993` in the table is no `double precision`",
  ]);
});
