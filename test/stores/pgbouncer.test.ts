// The story of a pooler between dmake and the server, which gives a connection to each transaction and takes it away after: all holds as without it.
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import type pg from "pg";
import { lockLoad } from "../../src/stores/table-locks.js";
import { verifyTables } from "../../src/stores/table-verify.js";
import { noPgBouncer, type Pooler, startPgBouncer } from "../rig/pgbouncer.js";
import { address, clientOn, sessionOn } from "./ledger-rig.js";
import {
  emptyWorld,
  failure,
  load,
  type Rows,
  stopServer,
  untilWaiting,
  value,
  type World,
} from "./table-rig.js";

const skip = noPgBouncer;
const poolers: Pooler[] = [];
after(async () => {
  for (const pooler of poolers) await pooler.stop();
  await stopServer();
});

/** A world whose stores reach the server through a pooler with so many connections a database. */
async function pooledWorld(size: number): Promise<World & { readonly pooled: string }> {
  let through = (url: string): string => url;
  const world = await emptyWorld({ at: (url) => through(url) });
  const pooler = await startPgBouncer(world, size);
  poolers.push(pooler);
  through = pooler.through;
  return { ...world, pooled: pooler.through(world.url) };
}

const columns = [{ name: "id", type: "integer" }];
const month = (n: number, rows = [[1], [2]]): Rows => ({
  target: `table:trips/2023-${String(n).padStart(2, "0")}`,
  columns,
  rows,
});

test("two that load one month take turns, and the rows are there once", { skip }, async (t) => {
  const world = await pooledWorld(2);
  t.after(world.end);
  for (let round = 0; round < 5; round++) {
    const rows = Array.from({ length: 500 }, (_, n) => [n + round]);
    const stores = [world.another(), world.another()];
    const answers = await Promise.all(stores.map(async (store) => value(await load(store, month(1, rows)))));
    assert.equal(answers.filter((answer) => answer === "already").length, 1);
    assert.deepEqual(await world.sql("SELECT count(*)::int AS n, min(id), max(id) FROM trips"), [
      { n: 500, min: round, max: round + 499 },
    ]);
  }
  assert.deepEqual(await world.sql("SELECT count(*)::int AS n FROM dmake.history"), [{ n: 5 }]);
});

test("six months at once come through a pool of three", { skip }, async (t) => {
  const world = await pooledWorld(3);
  t.after(world.end);
  const months = [1, 2, 3, 4, 5, 6].map((n) => month(n));
  await Promise.all(months.map(async (rows) => value(await load(world.another(), rows))));
  assert.deepEqual(
    await world.sql("SELECT count(*)::int AS n, count(DISTINCT month)::int AS months FROM trips"),
    [{ n: 12, months: 6 }],
  );
  await Promise.all(
    months.map(async (rows) => assert.equal(value(await load(world.another(), rows)), "already")),
  );
  const session = await sessionOn(world.pooled);
  const found: string[] = [];
  const targets = months.map(({ target }) => address(target));
  value(await verifyTables(session, targets, (one) => found.push(one.state), new AbortController().signal));
  await session.end();
  assert.deepEqual(
    found,
    Array.from({ length: 6 }, () => "same"),
  );
});

/** Passes bytes on to the pooler, and cuts a client off once its COMMIT has been carried out, if it is told to. */
async function cutter(url: string, when: { cut: boolean }): Promise<{ url: string; close: () => void }> {
  const { port } = new URL(url);
  const proxy = createServer((client) => {
    const upstream = connect(Number(port), "127.0.0.1");
    let committing = false;
    client.on("data", (bytes) => {
      committing = when.cut && bytes.toString("latin1") === "Q\0\0\0\x0bCOMMIT\0";
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      if (!committing) return client.write(bytes);
      when.cut = false;
      client.destroy();
    });
    client.on("close", () => upstream.destroy()).on("error", () => undefined);
    upstream.on("close", () => client.destroy()).on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => proxy.once("listening", resolve));
  const by = new URL(url);
  by.port = String((proxy.address() as { port: number }).port);
  return { url: by.href, close: () => proxy.close() };
}

test("a COMMIT whose answer is lost is looked up", { skip }, async (t) => {
  const when = { cut: false };
  let at = "";
  const world = await emptyWorld({ at: () => at });
  const pooler = await startPgBouncer(world, 2);
  poolers.push(pooler);
  const proxy = await cutter(pooler.through(world.url), when);
  at = proxy.url;
  t.after(async () => {
    await world.end();
    proxy.close();
  });
  value(await load(world.store, month(1)));
  when.cut = true;
  value(await load(world.store, month(1, [[7]])));
  assert.equal(when.cut, false);
  assert.deepEqual(await world.sql("SELECT id FROM trips"), [{ id: 7 }]);
  assert.equal(value(await load(world.another(), month(1, [[7]]))), "already");
});

test("a loader that is killed leaves nothing, and the next one goes through at once", { skip }, async (t) => {
  const world = await pooledWorld(2);
  t.after(world.end);
  value(await load(world.store, month(1)));
  const child = spawn(
    process.execPath,
    ["--import", "tsx", fileURLToPath(new URL("table-child.ts", import.meta.url))],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const lines = createInterface({ input: child.stdout });
  const said = (word: string) =>
    new Promise<void>((resolve) => lines.on("line", (line) => line === word && resolve()));
  const copying = said("copying");
  const order = { url: world.pooled, run: "run-2", rows: month(1, [[8], [9]]), endless: true };
  child.stdin.write(`${JSON.stringify(order)}\n`);
  await copying;
  const next = load(world.another(), month(1, [[3]]));
  await untilWaiting(world);
  child.kill("SIGKILL");
  value(await next);
  assert.deepEqual(await world.sql("SELECT id FROM trips"), [{ id: 3 }]);
  assert.deepEqual(await world.sql("SELECT relname FROM pg_class WHERE relname LIKE 'dmake_load%'"), []);
  assert.deepEqual(await world.sql("SELECT run FROM dmake.history ORDER BY id"), [
    { run: "run-1" },
    { run: "run-1" },
  ]);
});

/** Everything that dmake sets, as the next transaction of somebody else finds it. */
async function found(client: pg.Client): Promise<Record<string, unknown>> {
  const { rows } = await client.query(
    `SELECT current_setting('TimeZone') AS zone, current_setting('client_connection_check_interval') AS watch,
            current_setting('tcp_keepalives_idle') AS idle, current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement,
            current_setting('DateStyle') AS style, current_setting('application_name') AS name`,
  );
  return rows[0] as Record<string, unknown>;
}

test("whoever is given the same connection afterwards finds it as it was", { skip }, async (t) => {
  const world = await pooledWorld(1);
  const other = await clientOn(`${world.pooled}?application_name=other`);
  await other.query("SET TimeZone = 'Asia/Tokyo'");
  t.after(async () => {
    await other.end();
    await world.end();
  });
  const unpooled = await clientOn(world.url);
  const { idle } = await found(unpooled);
  await unpooled.end();
  const before = await found(other);
  assert.deepEqual(before, {
    zone: "Asia/Tokyo",
    watch: "0",
    idle,
    lock: "0",
    statement: "0",
    style: "ISO, MDY",
    name: "other",
  });
  value(await load(world.store, month(1)));
  const session = await sessionOn(world.pooled);
  value(
    await verifyTables(
      session,
      [address("table:trips/2023-01")],
      () => undefined,
      new AbortController().signal,
    ),
  );
  await session.end();
  assert.deepEqual(await found(other), before);
});

test("within a load the server watches whether its client is there", { skip }, async (t) => {
  const world = await pooledWorld(2);
  t.after(world.end);
  const session = await sessionOn(world.pooled);
  t.after(() => session.end());
  await session.query("BEGIN");
  value(await lockLoad(session, address("table:trips/2023-01")));
  assert.equal((await found(session.client)).watch, "1s");
  await session.query("ROLLBACK");
  assert.equal((await found(session.client)).watch, "0");
});

test("a load that is interrupted while it waits for its turn gives its connection back", {
  skip,
}, async (t) => {
  const world = await pooledWorld(2);
  t.after(world.end);
  const holder = await clientOn(world.url);
  value(await load(world.store, month(1)));
  await holder.query("BEGIN; LOCK TABLE trips IN ACCESS SHARE MODE");
  const impatient = world.another({ patience: { lockMs: 50, pauseMs: 1, tries: 2 } });
  assert.equal(failure(await load(impatient, month(1, [[5]]))).reason, "lock-timeout");
  await holder.query("COMMIT");
  await holder.end();
  value(await load(world.another(), month(1, [[5]])));
  value(await load(world.another(), month(2, [[6]])));
  assert.deepEqual(await world.sql("SELECT id FROM trips ORDER BY id"), [{ id: 5 }, { id: 6 }]);
});
