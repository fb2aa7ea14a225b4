// The proof that what is lost is noticed: a ledger without its tables, tables without their ledger, and partitions that somebody emptied, dropped or took out.
import { strict as assert } from "node:assert";
import { after, type TestContext, test } from "node:test";
import type { Store } from "../../src/engine/ports.js";
import { projectIn } from "../rig/binary.js";
import { onEachServer } from "../rig/each-server.js";
import type { TestServer } from "../rig/postgres.js";
import { attemptFor, failure, load, value } from "../stores/table-loads.js";
import { generationIn, generationOf, type Sight, sightSql, tableOf, type Way, ways } from "./loads.js";
import { compileLoaders, emptyWorld, type World } from "./rig.js";

const loaders = await compileLoaders();
after(() => loaders.remove());

/** A partition has a neighbour, of which nothing may be lost. */
const neighbours = 30;
const neighbourOf = (way: Way): Way => ({ ...way, target: way.target.replace("-01", "-02") });
const isPartition = (way: Way): boolean => way.target.includes("/");

/** What is marked says itself what it was loaded from; rows in a table of many have the ledger alone. */
const isMarked = ({ strategy }: Way): boolean => strategy === "swap" || strategy === "replace";

async function loaded(t: TestContext, server: TestServer, way: Way): Promise<World> {
  const world = await emptyWorld(server);
  t.after(world.end);
  const store = world.store();
  if (isPartition(way)) value(await load(store, generationOf(neighbourOf(way), 0, { rows: neighbours })));
  value(await load(store, generationOf(way, 1)));
  return world;
}

async function seen(world: World, way: Way): Promise<number | undefined> {
  const [sight] = await world.sql<Sight & Record<string, unknown>>(sightSql(way));
  return generationIn(way, sight!, { neighbours: isPartition(way) ? neighbours : 0 });
}

const isThere = async (store: Store, way: Way): Promise<boolean> =>
  value(await store.observe([way.target]))[0]!.kind === "present";

const historyOf = (world: World, way: Way) =>
  world.sql("SELECT outcome FROM dmake.history WHERE target = $1 ORDER BY id", [way.target]);

const dropLedger = (world: World) => world.sql("DROP SCHEMA dmake CASCADE");

/** Everything that makes a partition or a table lose its rows behind the ledger's back. */
function losses(way: Way): Readonly<Record<string, string>> {
  const table = tableOf(way.target);
  if (way.strategy === "swap")
    return {
      "its partition is truncated": "TRUNCATE trips_2023_01",
      "its partition is dropped": "DROP TABLE trips_2023_01",
      "its partition is detached": "ALTER TABLE trips DETACH PARTITION trips_2023_01",
    };
  if (way.strategy === "delete")
    return { "its rows are deleted": `DELETE FROM ${table} WHERE month = '2023-01'` };
  return { "it is truncated": `TRUNCATE ${table}`, "it is dropped": `DROP TABLE ${table}` };
}

onEachServer((server) => {
  for (const way of ways) {
    test(`${way.strategy}: without a ledger it is loaded again, and nothing is there twice`, async (t) => {
      const world = await loaded(t, server(), way);
      await dropLedger(world);
      assert.deepEqual(value(await world.store().traces([attemptFor(generationOf(way, 1)).step])), [
        undefined,
      ]);
      // Two at once, which both have to make a ledger first.
      const two = [loaders.start(), loaders.start()];
      const order = (by: string) => ({ url: world.url, loads: [generationOf(way, 1, { by })] });
      const said = await Promise.all([two[0]!.load(order("-one")), two[1]!.load(order("-other"))]);
      assert.deepEqual(said.flat().sort(), ["already", "loaded"]);
      assert.equal(await seen(world, way), 1);
      assert.deepEqual(await historyOf(world, way), [{ outcome: "loaded" }]);
    });

    test(`${way.strategy}: a lost ledger is ${isMarked(way) ? "written again from the mark" : "nothing to vouch for"}`, async (t) => {
      const world = await loaded(t, server(), way);
      const store = world.store();
      await dropLedger(world);
      const again = generationOf(way, 1, { by: "-again" });
      const adopted = await store.adopt(attemptFor(again));
      if (isMarked(way)) {
        value(adopted);
        assert.equal(await seen(world, way), 1);
        assert.deepEqual(await historyOf(world, way), [{ outcome: "adopted" }]);
        assert.equal(value(await load(world.store(), generationOf(way, 1))), "already");
      } else {
        assert.equal(failure(adopted).reason, "usage");
        assert.deepEqual(await historyOf(world, way), []);
        assert.notEqual(value(await load(world.store(), generationOf(way, 1))), "already");
        assert.equal(await seen(world, way), 1);
      }
    });

    for (const [loss, statement] of Object.entries(losses(way)))
      test(`${way.strategy}: ${loss}: it is stale, without a look at its rows, and made again`, async (t) => {
        const world = await loaded(t, server(), way);
        const store = world.store();
        assert.ok(await isThere(store, way));
        await world.sql(statement);
        assert.ok(!(await isThere(store, way)), "the ledger alone says so");
        if (isPartition(way)) assert.ok(await isThere(store, neighbourOf(way)), "its neighbour is stale too");
        assert.notEqual(value(await load(store, generationOf(way, 1, { by: "-again" }))), "already");
        assert.ok(await isThere(store, way));
        assert.equal(await seen(world, way), 1);
        assert.equal((await historyOf(world, way)).length, 2);
      });
  }

  test("the program: a lost ledger is adopted or loaded anew; lost tables are made again; nothing else runs", async (t) => {
    const world = await emptyWorld(server());
    t.after(world.end);
    const project = projectIn(
      t,
      {
        "Datafile.ts": `import { table } from "dmake";
export const trips = table("table:trips/{month}", { from: "in/{month}.csv", where: { month: ["2024-01", "2024-02"] } });
export const zones = table("table:zones", { from: "in/zones.csv" });
export default [trips, zones];
`,
        "in/2024-01.csv": "id,name\n1,one\n2,two\n",
        "in/2024-02.csv": "id,name\n3,three\n",
        "in/zones.csv": "id,name\n4,four\n",
      },
      { env: { DATABASE_URL: world.url } },
    );
    const run = async (code: number, ...args: string[]): Promise<void> => {
      const ran = await project.run(...args);
      assert.equal(ran.code, code, `dmake ${args.join(" ")}\n${ran.stdout}${ran.stderr}`);
    };
    const content = () =>
      world.sql(
        "SELECT 'trips' AS t, id, name FROM trips UNION ALL SELECT 'zones', id, name FROM zones ORDER BY id",
      );
    const loads = async () =>
      (await world.sql("SELECT target, outcome FROM dmake.history ORDER BY id")).map(
        ({ target, outcome }) => `${outcome} ${target}`,
      );
    const all = ["table:trips/2024-01", "table:trips/2024-02", "table:zones"];

    await run(0);
    const rows = await content();
    assert.equal(rows.length, 4);
    await dropLedger(world);
    await run(0, "adopt", "trips", "zones");
    await run(0, "-q");
    assert.deepEqual(
      (await loads()).sort(),
      all.map((target) => `adopted ${target}`),
    );

    await dropLedger(world);
    await run(0);
    assert.deepEqual(await content(), rows);
    assert.deepEqual(
      (await loads()).sort(),
      all.map((target) => `loaded ${target}`),
    );

    await world.sql("TRUNCATE trips_2024_02");
    await run(3, "-q");
    await run(0);
    assert.deepEqual((await loads()).slice(3), ["loaded table:trips/2024-02"]);

    await world.sql("DROP TABLE trips, zones");
    await run(0);
    assert.deepEqual(await content(), rows);
    assert.deepEqual(
      (await loads()).slice(4).sort(),
      all.map((target) => `loaded ${target}`),
    );
  });
});
