// The proof that a loader may be killed at any moment: whoever reads sees the old rows or the new ones, each with their own record, and the next load goes through.
import { strict as assert } from "node:assert";
import { after, type TestContext, test } from "node:test";
import { onEachServer } from "../rig/each-server.js";
import type { TestServer } from "../rig/postgres.js";
import { load, type Rows, value } from "../stores/table-loads.js";
import { generationIn, generationOf, type Sight, sightSql, tableOf, type Way, ways } from "./loads.js";
import {
  chances,
  commitLength,
  compileLoaders,
  emptyWorld,
  isCommit,
  readerOf,
  untilAlone,
  type Wire,
  type World,
  wireTo,
} from "./rig.js";

/** Kills of each way on each server: with those of first loads they are 100. */
const kills: Readonly<Record<string, number>> = { swap: 14, replace: 10, delete: 10, merge: 6 };
const firstKills = 10;

const loaders = await compileLoaders();
after(() => loaders.remove());

/** A number of milliseconds after the order, or of bytes that have gone to and fro, before or counted from the COMMIT. */
type Moment = { readonly ms: number } | { readonly bytes: number } | { readonly fromCommit: number };

/** Sends a loader out and kills it at that moment. Answers whether it had said before that it was done. */
async function sendAndKill(moment: Moment, load: Rows, wire: Wire): Promise<boolean> {
  const loader = loaders.next();
  let left = "bytes" in moment ? moment.bytes : Number.POSITIVE_INFINITY;
  wire.look = (bytes) => {
    if ("fromCommit" in moment && isCommit(bytes)) left = moment.fromCommit;
    if (bytes.length < left) {
      left -= bytes.length;
      return bytes;
    }
    // Half a message may be on its way when its sender dies.
    void loader.kill();
    return bytes.subarray(0, left);
  };
  await loader.ready;
  const answer = loader.load({ url: wire.url, loads: [load] });
  const moments = "ms" in moment ? [new Promise((resolve) => setTimeout(resolve, moment.ms))] : [];
  await Promise.race([answer, ...moments]);
  await loader.kill();
  return (await answer) !== undefined;
}

/** How long a load takes that nobody disturbs. */
async function lengthOf(load: Rows, wire: Wire): Promise<{ readonly ms: number; readonly bytes: number }> {
  const loader = loaders.next();
  let bytes = 0;
  wire.look = (some) => {
    bytes += some.length;
    return some;
  };
  await loader.ready;
  const began = performance.now();
  assert.deepEqual(await loader.load({ url: wire.url, loads: [load] }), ["loaded"]);
  const ms = performance.now() - began;
  await loader.kill();
  return { ms, bytes };
}

/**
 * By turns in time, which knows where the work is; in what is said, which knows where the messages are; in the end of that,
 * which publishes; and around the COMMIT, of which half may have been said, or the answer not heard.
 */
function momentIn(length: { ms: number; bytes: number }, chance: number, turn: number): Moment {
  if (turn % 4 === 0) return { ms: chance * length.ms };
  if (turn % 4 === 1) return { bytes: Math.ceil(chance * length.bytes) };
  if (turn % 4 === 2) return { bytes: Math.ceil((0.75 + 0.25 * chance) * length.bytes) };
  return { fromCommit: Math.floor(chance * 2.5 * commitLength) };
}

/** The columns that the ledger has a checksum of. */
async function checkedOf(world: World, way: Way): Promise<readonly string[]> {
  const [sight] = await world.sql<Sight & Record<string, unknown>>(sightSql(way));
  const columns = sight?.recorded?.checksum_columns?.map(({ name }) => name) ?? [];
  assert.ok(columns.includes("id") && columns.includes("generation"), JSON.stringify(sight));
  return columns;
}

const leftovers = (world: World) =>
  world.sql("SELECT relname FROM pg_class WHERE relname LIKE 'dmake_load%'");

onEachServer((server) => {
  for (const way of ways)
    test(`${way.strategy}: killed at ${kills[way.strategy]} random moments while others read`, (t) =>
      killedAgainAndAgain(t, server(), way));

  test(`the first load of a partition, and of all: killed at ${firstKills} random moments`, (t) =>
    killedAtFirst(t, server()));
});

async function killedAgainAndAgain(t: TestContext, server: TestServer, way: Way): Promise<void> {
  const { seed, next } = chances();
  const world = await emptyWorld(server);
  const wire = await wireTo(world.url);
  const neighbours = way.target.includes("/") ? 50 : 0;
  const store = world.store();
  try {
    if (neighbours > 0)
      value(
        await load(
          store,
          generationOf({ ...way, target: way.target.replace("-01", "-02") }, 0, { rows: 50 }),
        ),
      );
    value(await load(store, generationOf(way, 1)));
    const length = await lengthOf(generationOf(way, 2), wire);
    const checked = await checkedOf(world, way);
    let [here, coming, committed, told] = [2, 2, 1, 0];
    const reader = await readerOf<Sight>(world.url, sightSql(way, checked), (sight) => {
      const seen = generationIn(way, sight, { neighbours })!;
      assert.ok(seen === here || seen === coming, `saw ${seen} between ${here} and ${coming}, seed ${seed}`);
      if (seen === here) return;
      here = seen;
      committed++;
    });
    try {
      for (let turn = 0; turn < kills[way.strategy]!; turn++) {
        coming = turn + 3;
        if (await sendAndKill(momentIn(length, next(), turn), generationOf(way, coming), wire)) told++;
        await untilAlone(world);
        await reader.next();
        assert.deepEqual(await leftovers(world), [], `turn ${turn}, seed ${seed}`);
      }
      coming++;
      assert.notEqual(value(await load(store, generationOf(way, coming))), "already");
      await reader.next();
      assert.equal(here, coming);
    } finally {
      await reader.stop();
    }
    const history = await world.sql("SELECT FROM dmake.history WHERE target = $1", [way.target]);
    assert.equal(history.length, committed + 1, "one line of history for each load that was seen");
    t.diagnostic(
      `seed ${seed}: ${kills[way.strategy]} kills of a load of ${Math.round(length.ms)} ms and ${length.bytes} bytes, ${committed - 2} after its COMMIT (${told} when all was said); ${reader.answers} looks`,
    );
  } finally {
    await world.end();
    wire.close();
  }
}

/** Where there was nothing there is nothing, not even a record, or all of it. By turns in a table that is there, and with no ledger at all. */
async function killedAtFirst(t: TestContext, server: TestServer): Promise<void> {
  const { seed, next } = chances();
  const world = await emptyWorld(server);
  const wire = await wireTo(world.url);
  try {
    const length = await lengthOf(generationOf({ strategy: "swap", target: "table:first/0" }, 1), wire);
    let came = 0;
    for (let turn = 0; turn < firstKills; turn++) {
      const isAll = turn % 2 === 0;
      const way: Way = { strategy: "swap", target: isAll ? `table:all_${turn}/1` : `table:first/${turn}` };
      if (isAll) await world.sql("DROP SCHEMA IF EXISTS dmake CASCADE");
      await sendAndKill(momentIn(length, next(), turn >> 1), generationOf(way, 1), wire);
      await untilAlone(world);
      const where = `turn ${turn}, seed ${seed}`;
      const isThere = await isWhole(world, way, where);
      if (isThere) came++;
      assert.deepEqual(await leftovers(world), [], where);
      const again = value(await load(world.store(), generationOf(way, 1, { by: "-again" })));
      assert.equal(again === "already", isThere, where);
      assert.ok(await isWhole(world, way, where));
    }
    t.diagnostic(`seed ${seed}: ${firstKills} kills, ${came} after the COMMIT`);
  } finally {
    await world.end();
    wire.close();
  }
}

/** Whether it is there with its record; if not, neither may be. */
async function isWhole(world: World, way: Way, where: string): Promise<boolean> {
  const [found] = await world.sql<{ table: unknown; ledger: unknown }>(
    "SELECT to_regclass($1) AS table, to_regclass('dmake.loads') AS ledger",
    [tableOf(way.target)],
  );
  if (found?.ledger === null || found?.table === null) {
    assert.equal(found.table, null, `a table and no ledger: ${where}`);
    if (found.ledger === null) return false;
    assert.deepEqual(await world.sql("SELECT FROM dmake.loads WHERE target = $1", [way.target]), [], where);
    return false;
  }
  const [sight] = await world.sql<Sight & Record<string, unknown>>(sightSql(way));
  const { neighbours } = sight!;
  return generationIn(way, sight!, { neighbours }) !== undefined;
}
