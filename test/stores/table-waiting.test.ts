// The story of a load that somebody else is busy with: for whom it waits, and how the waiting ends.
import { strict as assert } from "node:assert";
import { createServer } from "node:net";
import { after, type TestContext, test } from "node:test";
import type { Holder, Result } from "../../src/core/failure.js";
import type { Stage, Store, Waiting } from "../../src/engine/ports.js";
import { openDatabase } from "../../src/postgres/connect.js";
import { lockNumber, lockSpaces } from "../../src/stores/table-name.js";
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
  untilWaiting,
  value,
  type World,
} from "./table-rig.js";

after(stopServer);

const january: Rows = {
  target: "table:trips/2023-01",
  columns: [{ name: "id", type: "integer" }],
  rows: [[1], [2]],
};
const fresh: Rows = { ...january, rows: [[3], [4], [5]] };
const us = { run: "run-1", pid: 17, host: "here" };

/** Somebody who waits, and notes for whom. */
function waiter({ noWait = false } = {}) {
  const interrupt = new AbortController();
  const holders: Holder[] = [];
  const begun = gate();
  const onWait = (holder: Holder) => {
    holders.push(holder);
    begun.open();
  };
  const waiting: Waiting = { signal: interrupt.signal, noWait, onWait };
  return { waiting, holders, interrupt, begun: begun.opened };
}

async function staged(store: Store, rows: Rows) {
  const attempt = attemptFor(rows);
  const stage = value(await store.stage(attempt)) as Stage;
  return { attempt, stage };
}

/** Without the time, which has to be one. */
function known({ since, ...rest }: Holder): Omit<Holder, "since"> {
  assert.equal(new Date(since ?? "").toISOString(), since);
  return rest;
}

/** Until no connection waits for a lock any more. A server looks every second whether its client is there. */
async function nobodyWaits(world: World): Promise<void> {
  while ((await world.sql("SELECT FROM pg_locks WHERE NOT granted")).length > 0);
}

test("who waits is told for whom, once, and then finds it done", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const { attempt, stage } = await staged(world.store, january);
  const { waiting, holders, begun } = waiter();
  const second = world.another().stage(attemptFor(january), waiting);
  await begun;
  value(await fill(stage, january));
  const { trace } = value(await world.store.publish(attempt, stage, made(2, attempt)));
  assert.deepEqual(value(await second), { kind: "already", trace });
  assert.deepEqual(holders.map(known), [us]);
});

test("of many who want it, the one who has it is named", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const { attempt, stage } = await staged(world.store, january);
  const queue: { interrupt: AbortController; ended: Promise<Result<unknown>> }[] = [];
  for (const n of [1, 2, 3]) {
    const { waiting, holders, interrupt, begun } = waiter();
    const store = world.another({ run: { id: `waits-${n}`, pid: n, host: "there" } });
    queue.push({ interrupt, ended: store.stage(attemptFor(january), waiting) });
    await begun;
    assert.deepEqual(holders.map(known), [us]);
    // In the queue before the next one looks.
    await untilWaiting(world, n);
  }
  for (const { interrupt, ended } of queue) {
    interrupt.abort();
    assert.equal(failure(await ended).reason, "interrupted");
  }
  await world.store.discard(attempt, stage);
});

test("who need not wait is told nothing", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const { waiting, holders } = waiter({ noWait: true });
  const { attempt, stage } = await staged(world.store, { ...january, target: "table:trips/2023-02" });
  assert.equal(value(await world.another().stage(attemptFor(january), waiting)).kind, "table");
  await world.store.discard(attempt, stage);
  assert.deepEqual(holders, []);
});

test("who will not wait fails at once, be it to load or to adopt", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const { attempt, stage } = await staged(world.store, january);
  const other = world.another();
  const { waiting, holders } = waiter({ noWait: true });
  for (const refused of [
    await other.stage(attemptFor(january), waiting),
    await other.adopt(attemptFor(january), waiting),
  ]) {
    const error = failure(refused);
    assert.ok(error.reason === "locked" && error.target === january.target, JSON.stringify(error));
    assert.deepEqual(known(error.holder), us);
  }
  assert.deepEqual(holders, []);
  await world.store.discard(attempt, stage);
  assert.equal(value(await other.stage(attemptFor(january), waiting)).kind, "table");
});

test("an interrupt ends the waiting at once, and the one who holds it notices nothing", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const { attempt, stage } = await staged(world.store, january);
  for (const way of ["stage", "adopt"] as const) {
    const { waiting, interrupt, begun } = waiter();
    const second = world.another()[way](attemptFor(january), waiting);
    await begun;
    interrupt.abort();
    assert.deepEqual(failure(await second), { reason: "interrupted" });
    await nobodyWaits(world);
  }
  value(await fill(stage, january));
  value(await world.store.publish(attempt, stage, made(2, attempt)));
  const { waiting, interrupt } = waiter();
  interrupt.abort();
  assert.deepEqual(failure(await world.store.stage(attemptFor(fresh), waiting)), { reason: "interrupted" });
  assert.deepEqual(await world.sql("SELECT id FROM trips ORDER BY id"), [{ id: 1 }, { id: 2 }]);
});

test("a server that does not answer is not waited for after an interrupt", async (t) => {
  const asked = gate();
  const deaf = createServer(() => asked.open()).listen(0, "127.0.0.1");
  await new Promise((resolve) => deaf.once("listening", resolve));
  const { port } = deaf.address() as { port: number };
  const world = await emptyWorld({ at: () => `postgresql://somebody@127.0.0.1:${port}/nowhere` });
  t.after(async () => {
    await world.end();
    deaf.close();
  });
  const { waiting, interrupt } = waiter();
  const stage = world.store.stage(attemptFor(january), waiting);
  await asked.opened;
  interrupt.abort();
  assert.deepEqual(failure(await stage), { reason: "interrupted" });
});

/** January is loaded, and a client that is no dmake has taken our lock of it, in a transaction that is open. */
async function lockedWorld(t: TestContext): Promise<World> {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, january));
  const ours = [lockSpaces.load, lockNumber("public", "trips", "2023-01")];
  await world.sql("BEGIN");
  await world.sql("SELECT pg_advisory_xact_lock($1, $2)", ours);
  return world;
}

test("a client that is no dmake and has taken our lock is waited for too", async (t) => {
  const world = await lockedWorld(t);
  const { waiting, holders, begun } = waiter();
  const stage = world.another().stage(attemptFor(fresh), waiting);
  await begun;
  assert.deepEqual(holders.map(known), [{}]);
  await world.sql("COMMIT");
  assert.equal(value(await stage).kind, "table");
});

test("a lock that no process holds is waited for, with nobody to name", async (t) => {
  const world = await lockedWorld(t);
  await world.sql("PREPARE TRANSACTION 'somebody'");
  const { waiting, holders, begun } = waiter();
  const stage = world.another().stage(attemptFor(fresh), waiting);
  await begun;
  assert.deepEqual(holders, [{}]);
  await world.sql("ROLLBACK PREPARED 'somebody'");
  assert.equal(value(await stage).kind, "table");
});

test("of another user's load one sees whose it is, but not since when", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, january));
  await world.sql("CREATE ROLE colleague LOGIN PASSWORD 'pw'");
  await world.sql("GRANT ALL ON SCHEMA dmake TO colleague");
  await world.sql("GRANT ALL ON ALL TABLES IN SCHEMA dmake TO colleague");
  const { attempt, stage } = await staged(world.store, fresh);
  const url = new URL(world.url);
  [url.username, url.password] = ["colleague", "pw"];
  const database = await openDatabase({ root: "/nowhere", env: { DATABASE_URL: url.href } });
  const { waiting } = waiter({ noWait: true });
  const refused = await world.another({ database: async () => database }).stage(attemptFor(fresh), waiting);
  assert.deepEqual(failure(refused), { reason: "locked", target: january.target, holder: us });
  await world.store.discard(attempt, stage);
  await value(database).close();
  await world.sql("DROP OWNED BY colleague");
  await world.sql("DROP ROLE colleague");
});

test("of a host with a long name the beginning is shown", async (t) => {
  const run = { id: "0123456789abcdef", pid: 4_194_304, host: `${"warehouse-".repeat(7)}.example` };
  const world = await emptyWorld({ run });
  t.after(world.end);
  const { attempt, stage } = await staged(world.store, january);
  const { waiting } = waiter({ noWait: true });
  const error = failure(await world.another().stage(attemptFor(january), waiting));
  assert.ok(error.reason === "locked");
  const { host = "", ...rest } = known(error.holder);
  assert.deepEqual(rest, { run: run.id, pid: run.pid });
  assert.ok(host.length >= 30 && run.host.startsWith(host), host);
  await world.store.discard(attempt, stage);
});

test("a connection that loads is called after its run, and one that only reads is not", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const names = async () =>
    (
      await world.sql(
        "SELECT application_name AS name FROM pg_stat_activity WHERE application_name LIKE 'dmake%' ORDER BY 1",
      )
    ).map(({ name }) => name);
  await world.store.observe([january.target]);
  const { attempt, stage } = await staged(world.store, january);
  assert.deepEqual(await names(), ["dmake", "dmake run-1 17@here"]);
  value(await fill(stage, january));
  value(await world.store.publish(attempt, stage, made(2, attempt)));
});

/** A load that is all but done waits for somebody, who goes on to hold what it needs, and is interrupted. The old rows stay. */
async function interruptedAtLast(world: World, store: Store, meanwhile = () => {}, waiting?: Waiting) {
  const interrupt = new AbortController();
  const attempt = attemptFor(fresh);
  const stage = value(await store.stage(attempt, waiting)) as Stage;
  value(await fill(stage, fresh));
  const publishing = store.publish(attempt, stage, made(3, attempt), interrupt.signal);
  meanwhile();
  await untilWaiting(world);
  interrupt.abort();
  assert.deepEqual(failure(await publishing), { reason: "interrupted" });
  await store.discard(attempt, stage);
  await world.sql("COMMIT");
  assert.deepEqual(await world.sql("SELECT id FROM trips ORDER BY id"), [{ id: 1 }, { id: 2 }]);
}

test("an interrupt ends the wait for another publisher of the table, and the old rows stay", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, january));
  await world.sql("BEGIN");
  await world.sql("SELECT pg_advisory_xact_lock($1, $2)", [lockSpaces.table, lockNumber("public", "trips")]);
  const { waiting, interrupt } = waiter();
  // That nothing new is to begin is no reason to throw away a load that is all but done.
  await interruptedAtLast(world, world.another(), () => interrupt.abort(), waiting);
  value(await load(world.another(), fresh));
});

test("an interrupt ends the tries for a table that is being read", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  value(await load(world.store, january));
  await world.sql("BEGIN");
  await world.sql("SELECT FROM trips");
  const patience = { lockMs: 10, pauseMs: 3_600_000, tries: 2 };
  await interruptedAtLast(world, world.another({ patience }));
});
