// The proof that a load does no harm to those who read: it waits for them a little at a time, lets others through in between, and gives up with everything as it was.
import { strict as assert } from "node:assert";
import { type TestContext, test } from "node:test";
import type pg from "pg";
import { postgresDiagnosis } from "../../src/cli/diagnose-postgres.js";
import type { Patience } from "../../src/stores/table-locks.js";
import { onEachServer } from "../rig/each-server.js";
import type { TestServer } from "../rig/postgres.js";
import { failure, load, value } from "../stores/table-loads.js";
import { generationIn, generationOf, type Sight, sightSql, tableOf, type Way, ways } from "./loads.js";
import { connected, emptyWorld, readerOf, type World, wireTo } from "./rig.js";

const lockMs = 250;
const patience: Patience = { lockMs, pauseMs: 50, tries: 1000 };
/** What a reader may be late for other reasons: others share the processors. */
const slackMs = 600;

const swap = ways.find(({ strategy }) => strategy === "swap")!;
const inPlace = ways.filter(({ strategy }) => strategy !== "swap");

interface Scene {
  readonly world: World;
  /** A connection with a transaction open. */
  readonly holder: pg.Client;
}

async function scene(t: TestContext, server: TestServer, way: Way): Promise<Scene> {
  const world = await emptyWorld(server);
  value(await load(world.store(), generationOf(way, 1)));
  const holder = await connected(world.url);
  await holder.query("BEGIN");
  t.after(async () => {
    await holder.end();
    await world.end();
  });
  return { world, holder };
}

async function seen(world: World, way: Way): Promise<number | undefined> {
  const [sight] = await world.sql<Sight & Record<string, unknown>>(sightSql(way));
  return generationIn(way, sight!);
}

const leftovers = (world: World) =>
  world.sql("SELECT relname FROM pg_class WHERE relname LIKE 'dmake_load%'");

/** Who has read a partitioned table and is not through with it yet. */
const holds: Readonly<Record<string, readonly string[]>> = {
  "a transaction that has read the table": ["SELECT count(*) FROM trips"],
  "a cursor that has not come to its end": [
    "DECLARE walk CURSOR FOR SELECT * FROM trips",
    "FETCH 1 FROM walk",
  ],
  "a transaction that has read the partition by its own name": ["SELECT count(*) FROM trips_2023_01"],
  "LOCK TABLE … ACCESS SHARE": ["LOCK TABLE trips IN ACCESS SHARE MODE"],
};

/** A load on its way that has been sent back so many times. */
async function sentBack(t: TestContext, world: World, way: Way, times: number) {
  const wire = await wireTo(world.url);
  t.after(() => wire.close());
  let tries = 0;
  const often = new Promise<"often">((resolve) => {
    wire.look = (bytes, from) => {
      if (from === "client" && bytes.includes("ROLLBACK TO SAVEPOINT") && ++tries === times) resolve("often");
      return bytes;
    };
  });
  const coming = load(world.store({ url: wire.url, patience }), generationOf(way, 2));
  assert.equal(await Promise.race([often, coming]), "often", "the load has not waited");
  return { coming };
}

onEachServer((server) => {
  for (const [who, statements] of Object.entries(holds))
    test(`swap: ${who} is waited for, and others are let through meanwhile`, {
      timeout: 60_000,
    }, async (t) => {
      const { world, holder } = await scene(t, server(), swap);
      for (const statement of statements) await holder.query(statement);
      const generations = new Set<number | undefined>();
      const reader = await readerOf<Sight>(world.url, sightSql(swap), (sight) => {
        generations.add(generationIn(swap, sight));
      });
      const { coming } = await sentBack(t, world, swap, 4);
      await reader.next();
      assert.deepEqual([...generations], [1]);
      await holder.query("COMMIT");
      value(await coming);
      await reader.next();
      await reader.stop();
      assert.deepEqual([...generations], [1, 2]);
      assert.ok(reader.longestMs < lockMs + slackMs, `another was kept out for ${reader.longestMs} ms`);
      t.diagnostic(`another was kept out for ${Math.round(reader.longestMs)} ms at most`);
    });

  test("swap: a reader who never ends is given up on: the old rows stay, and it is said what to do", async (t) => {
    const { world, holder } = await scene(t, server(), swap);
    await holder.query("SELECT FROM trips");
    const reader = await readerOf<Sight>(world.url, sightSql(swap), (sight) =>
      assert.equal(generationIn(swap, sight), 1),
    );
    const tries = 3;
    const store = world.store({ patience: { ...patience, tries } });
    const error = failure(await load(store, generationOf(swap, 2)));
    assert.ok(error.reason === "lock-timeout", JSON.stringify(error));
    assert.equal(error.target, swap.target);
    assert.ok(error.waitedMs >= tries * lockMs, `${error.waitedMs} ms`);
    const { message, help } = postgresDiagnosis(error);
    assert.match(message, /^`table:trips\/2023-01` stayed locked by somebody else for \d+ s$/);
    assert.match(help ?? "", /pg_stat_activity/);
    await reader.next();
    await reader.stop();
    assert.ok(reader.longestMs < lockMs + slackMs, `another was kept out for ${reader.longestMs} ms`);
    assert.deepEqual(await leftovers(world), []);
    await holder.query("COMMIT");
    value(await load(store, generationOf(swap, 2)));
    assert.equal(await seen(world, swap), 2);
  });

  test("swap: a new partition waits for no reader", { timeout: 60_000 }, async (t) => {
    const { world, holder } = await scene(t, server(), swap);
    await holder.query("SELECT FROM trips");
    const february = { ...swap, target: "table:trips/2023-02" };
    value(await load(world.store({ patience: { ...patience, tries: 1 } }), generationOf(february, 1)));
  });

  for (const way of inPlace) {
    const table = tableOf(way.target);
    test(`${way.strategy}: readers are not in the way, and keep what they have begun to read`, async (t) => {
      const { world, holder } = await scene(t, server(), way);
      await holder.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
      const sizeOf = async () => (await holder.query(`SELECT count(*), min(generation) FROM ${table}`)).rows;
      const before = await sizeOf();
      value(await load(world.store({ patience: { ...patience, tries: 1 } }), generationOf(way, 2)));
      assert.equal(await seen(world, way), 2);
      assert.deepEqual(await sizeOf(), before);
    });

    test(`${way.strategy}: what a stranger has written and not committed yet is waited for, and replaced with the others`, {
      timeout: 60_000,
    }, async (t) => {
      const { world, holder } = await scene(t, server(), way);
      // Under `delete` a row that is added meanwhile is as if it had come later: one that is there already is not.
      if (way.strategy === "replace")
        await holder.query(`INSERT INTO ${table} (id, generation) VALUES (7, 99)`);
      else await holder.query(`UPDATE ${table} SET generation = 99 WHERE id = 7`);
      const { coming } = await sentBack(t, world, way, 2);
      assert.equal(await seen(world, way), 1);
      await holder.query("COMMIT");
      value(await coming);
      assert.equal(await seen(world, way), 2);
    });
  }

  const among = ways.find(({ strategy }) => strategy === "delete")!;
  test("delete: a row that a stranger adds meanwhile is as if it had come later, and is found by verify", async (t) => {
    const { world, holder } = await scene(t, server(), among);
    const store = world.store();
    await holder.query("INSERT INTO rides (id, generation, month) VALUES (7, 99, '2023-01')");
    value(await load(store, generationOf(among, 2)));
    assert.equal(await seen(world, among), 2);
    const states = async () => {
      const found: string[] = [];
      await store.verify!([among.target], ({ state }) => found.push(state), AbortSignal.timeout(10_000));
      return found;
    };
    assert.deepEqual(await states(), ["same"]);
    await holder.query("COMMIT");
    assert.deepEqual(await states(), ["changed"]);
    value(await load(store, generationOf(among, 3)));
    assert.equal(await seen(world, among), 3);
  });
});
