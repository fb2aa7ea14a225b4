// The story of many at once: loaders that wait for one another, and readers who notice nothing.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import type { Store } from "../../src/engine/ports.js";
import {
  attemptFor,
  emptyWorld,
  failure,
  fill,
  gate,
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

test("two loads of one partition at once: the second waits, and finds it done", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const attempt = attemptFor(january);
  const stage = value(await world.store.stage(attempt));
  assert.ok(stage.kind === "table");
  const asks = gate();
  const second = world.another({
    database: watching(world.database, (sql) => /advisory_xact_lock/.test(sql) && asks.open()),
  });
  const waiting = second.stage(attemptFor(january));
  await asks.opened;
  value(await fill(stage, january));
  const { trace } = value(await world.store.publish(attempt, stage, made(3, attempt)));
  assert.deepEqual(value(await waiting), { kind: "already", trace });
});

test("a load that waits for another ends with its store", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const attempt = attemptFor(january);
  const stage = value(await world.store.stage(attempt));
  const asks = gate();
  const second = world.another({
    database: watching(world.database, (sql) => void (/advisory_xact_lock/.test(sql) && asks.open())),
  });
  const waiting = second.stage(attemptFor(january));
  await asks.opened;
  await second.close();
  assert.equal(failure(await waiting).reason, "postgres-lost");
  await world.store.discard(attempt, stage as never);
});

test("six months of a new table, four at a time, again and again, never lock each other out", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const targets = Array.from({ length: 6 }, (_, n) => `table:raw.fresh/2023-0${n + 1}`);
  for (let round = 1; round <= 5; round++) {
    const left = [...targets];
    const worker = async (store: Store): Promise<void> => {
      for (let target = left.shift(); target; target = left.shift())
        value(await load(store, { ...january, target, rows: [[round, target]] }));
    };
    await Promise.all([
      worker(world.store),
      worker(world.store),
      worker(world.another()),
      worker(world.another()),
    ]);
    assert.deepEqual(
      await world.sql("SELECT count(*)::int AS rows, min(id) AS first, max(id) AS last FROM raw.fresh"),
      [{ rows: 6, first: round, last: round }],
    );
    if (round === 3) await world.sql("DROP SCHEMA raw CASCADE");
  }
});

test("readers see the old month or the new one, never none or both", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  await load(world.store, january);
  await world.sql("CREATE VIEW counted AS SELECT count(*)::int AS rows FROM green_trips");
  let done = false;
  const seen = new Set<unknown>();
  const reader = (async () => {
    while (!done) seen.add((await world.sql("SELECT rows FROM counted"))[0]!.rows);
  })();
  for (let round = 0; round < 10; round++)
    value(
      await load(world.store, {
        ...january,
        rows: Array.from({ length: round % 2 ? 3 : 5 }, (_, n) => [n, `${round}`]),
      }),
    );
  done = true;
  await reader;
  assert.deepEqual([...seen].sort(), [3, 5]);
});
