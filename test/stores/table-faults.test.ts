// The story of loads that break: whatever fails, and wherever, the old rows stay whole and the next load works.
import { strict as assert } from "node:assert";
import { connect, createServer, type Socket } from "node:net";
import { after, test } from "node:test";
import type pg from "pg";
import type { Result } from "../../src/core/failure.js";
import type { Stage } from "../../src/engine/ports.js";
import type { Database } from "../../src/postgres/connect.js";
import {
  attemptFor,
  emptyWorld,
  encoded,
  factOf,
  failure,
  fill,
  gate,
  load,
  made,
  type Rows,
  stopServer,
  value,
  type World,
  watching,
  writerOf,
} from "./table-rig.js";

after(stopServer);

const columns = [{ name: "id", type: "integer" }];
const old: Rows = { target: "table:trips/2023-01", columns, rows: [[1], [2]] };
const fresh: Rows = { ...old, rows: [[3], [4], [5]] };
const never = new AbortController().signal;

/** The old rows, nothing left over, and a load that goes through. */
async function isUnharmed(world: World, rows: Rows = fresh): Promise<void> {
  assert.deepEqual(await world.sql("SELECT id FROM trips ORDER BY id"), [{ id: 1 }, { id: 2 }]);
  assert.deepEqual(await leftovers(world), []);
  assert.notEqual(value(await load(world.another(), rows)), "already");
  assert.deepEqual(await world.sql("SELECT count(*)::int AS rows FROM trips"), [{ rows: rows.rows.length }]);
}

const leftovers = (world: World) =>
  world.sql("SELECT relname FROM pg_class WHERE relname LIKE 'dmake_load%'");

async function loaded(): Promise<World> {
  const world = await emptyWorld();
  value(await load(world.store, old));
  return world;
}

async function staged(world: World, rows: Rows, database = world.database) {
  const store = world.another({ database });
  const attempt = attemptFor(rows);
  const stage = value(await store.stage(attempt));
  assert.ok(stage.kind === "table");
  return { store, attempt, stage: stage as Stage };
}

/** The process on the server that serves this client. */
const backendOf = (client: pg.Client): number => (client as unknown as { processID: number }).processID;

test("a discarded load leaves nothing, however often and however far it was", async (t) => {
  const world = await loaded();
  t.after(world.end);
  for (const far of ["staged", "opened", "copied"]) {
    const { store, attempt, stage } = await staged(world, {
      ...fresh,
      target: `table:new_schema.trips/${far}`,
    });
    if (far === "opened") value(await writerOf(stage).open(columns));
    if (far === "copied") value(await fill(stage, fresh));
    await store.discard(attempt, stage);
    await store.discard(attempt, stage);
  }
  assert.deepEqual(await world.sql("SELECT nspname FROM pg_namespace WHERE nspname = 'new_schema'"), []);
  await isUnharmed(world);
});

test("rows that break on the way are forgotten, and their error comes through", async (t) => {
  const world = await loaded();
  t.after(world.end);
  const { store, attempt, stage } = await staged(world, fresh);
  const answer = value(await writerOf(stage).open(columns));
  async function* broken() {
    yield* encoded(answer, fresh.rows);
    throw new Error("disk on fire");
  }
  await assert.rejects(writerOf(stage).copy(broken(), never), /disk on fire/);
  await store.discard(attempt, stage);
  await isUnharmed(world);
});

test("bytes that the server refuses are a failure", async (t) => {
  const world = await loaded();
  t.after(world.end);
  const { store, attempt, stage } = await staged(world, fresh);
  value(await writerOf(stage).open(columns));
  async function* nonsense() {
    for (let n = 0; n < 100; n++) yield Buffer.alloc(65_536);
  }
  const error = failure(await writerOf(stage).copy(nonsense(), never));
  assert.ok(error.reason === "postgres-error" && error.code === "22P04", JSON.stringify(error));
  assert.equal(failure(await store.publish(attempt, stage, made(3, attempt))).reason, "postgres-error");
  await store.discard(attempt, stage);
  await isUnharmed(world);
});

/** Rows that never end; `begun` is kept once the first are on their way. */
function endless() {
  const begun = gate();
  async function* bytes() {
    yield* encoded(columns, []);
    for (;;) {
      yield Buffer.concat([Buffer.from([0, 1, 0, 0, 0, 4]), Buffer.alloc(4)]);
      begun.open();
      await new Promise(setImmediate);
    }
  }
  /** The head alone: the tail that `encoded` gives would end the rows. */
  async function* open() {
    let first = true;
    for await (const chunk of bytes()) {
      if (first || chunk.length > 2) yield chunk;
      first = false;
    }
  }
  return { bytes: open(), begun: begun.opened };
}

test("an interrupt in the middle of the rows ends the load", async (t) => {
  const world = await loaded();
  t.after(world.end);
  const { store, attempt, stage } = await staged(world, fresh);
  value(await writerOf(stage).open(columns));
  const { bytes, begun } = endless();
  const interrupt = new AbortController();
  const copying = writerOf(stage).copy(bytes, interrupt.signal);
  await begun;
  interrupt.abort();
  assert.deepEqual(failure(await copying), { reason: "interrupted" });
  await store.discard(attempt, stage);
  await isUnharmed(world);
});

test("an interrupt ends a load whose server cannot be reached any more", async (t) => {
  let upstream: Socket | undefined;
  const wire = createServer((client) => {
    upstream = connect(Number(new URL(world.url).port), "127.0.0.1");
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) socket.on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => wire.once("listening", resolve));
  const { port } = wire.address() as { port: number };
  const world = await emptyWorld({
    at: (url) => Object.assign(new URL(url), { port: String(port) }).href,
  });
  t.after(async () => {
    await world.end();
    wire.close();
  });
  value(await load(world.store, old));
  const { store, attempt, stage } = await staged(world, fresh);
  value(await writerOf(stage).open(columns));
  const { bytes, begun } = endless();
  const interrupt = new AbortController();
  const copying = writerOf(stage).copy(bytes, interrupt.signal);
  await begun;
  upstream?.unpipe();
  upstream?.pause();
  interrupt.abort();
  assert.deepEqual(failure(await copying), { reason: "interrupted" });
  await store.discard(attempt, stage);
  upstream?.destroy();
  assert.deepEqual(await world.sql("SELECT id FROM trips ORDER BY id"), [{ id: 1 }, { id: 2 }]);
});

test("a stage can be discarded, and the store closed, while rows are coming in", async (t) => {
  const world = await loaded();
  t.after(world.end);
  for (const way of ["discard", "close"]) {
    const { store, attempt, stage } = await staged(world, fresh);
    value(await writerOf(stage).open(columns));
    const { bytes, begun } = endless();
    const copying = writerOf(stage).copy(bytes, never);
    await begun;
    await (way === "discard" ? store.discard(attempt, stage) : store.close());
    assert.deepEqual(failure(await copying), { reason: "interrupted" });
  }
  await isUnharmed(world);
});

test("a connection that is killed before the first row, and in the middle of the rows", async (t) => {
  const world = await loaded();
  t.after(world.end);
  let backend = 0;
  const database = watching(world.database, (_, client) => {
    backend = backendOf(client);
  });
  for (const far of ["opened", "copying"]) {
    const { store, attempt, stage } = await staged(world, fresh, database);
    value(await writerOf(stage).open(columns));
    const { bytes, begun } = endless();
    const kill = () => world.sql("SELECT pg_terminate_backend($1, 5000)", [backend]);
    if (far === "opened") await kill();
    const copying = writerOf(stage).copy(bytes, never);
    if (far === "copying") await begun.then(kill);
    assert.equal(failure(await copying).reason, "postgres-lost");
    await store.discard(attempt, stage);
  }
  await isUnharmed(world);
});

test("a connection that is killed before any statement of a load", async (t) => {
  const world = await loaded();
  t.after(world.end);
  let statements = 0;
  let killAt = Number.POSITIVE_INFINITY;
  const database = watching(world.database, (sql, client) => {
    // COPY is a stream, which nobody can hold back here; it has a test of its own.
    if (/^(ROLLBACK|COPY)/.test(sql) || ++statements !== killAt) return;
    return world.sql("SELECT pg_terminate_backend($1, 5000)", [backendOf(client)]);
  });
  value(await load(world.another({ database }), { ...old, target: "table:other/1" }));
  const ofOneLoad = statements;
  assert.ok(ofOneLoad > 15, String(ofOneLoad));
  for (killAt = 1; killAt <= ofOneLoad; killAt++) {
    statements = 0;
    const error = failure(await load(world.another({ database }), fresh));
    assert.match(error.reason, /^postgres-(lost|refused)$/, `statement ${killAt}: ${JSON.stringify(error)}`);
    assert.deepEqual(
      await world.sql("SELECT id FROM trips ORDER BY id"),
      [{ id: 1 }, { id: 2 }],
      `statement ${killAt}`,
    );
  }
  await isUnharmed(world);
});

test("a count that differs from what the recipe read is not published", async (t) => {
  const world = await loaded();
  t.after(world.end);
  const { store, attempt, stage } = await staged(world, fresh);
  value(await fill(stage, fresh));
  const error = failure(await store.publish(attempt, stage, made(4, attempt)));
  assert.deepEqual(error, { reason: "rows-lost", table: "trips", expected: 4, found: 3 });
  await store.discard(attempt, stage);
  await isUnharmed(world);
});

test("a reader in the way is waited for, not for ever, and not in front of other readers", async (t) => {
  const world = await loaded();
  t.after(world.end);
  const patience = { lockMs: 20, pauseMs: 1, tries: 3 };
  await world.sql("BEGIN; SELECT count(*) FROM trips");
  const error = failure(await load(world.another({ patience }), fresh));
  assert.ok(
    error.reason === "lock-timeout" && error.target === old.target && error.waitedMs >= 60,
    JSON.stringify(error),
  );
  let tries = 0;
  const database = watching(world.database, (sql) => {
    if (sql.startsWith("ROLLBACK TO") && ++tries === 2) return world.sql("COMMIT");
  });
  const patient = { ...patience, tries: 100 };
  value(await load(world.another({ database, patience: patient }), fresh));
  assert.ok(tries >= 2);
  assert.deepEqual(await world.sql("SELECT count(*)::int AS rows FROM trips"), [{ rows: 3 }]);
});

test("after the server has closed the reading connection, another is opened", async (t) => {
  const world = await loaded();
  t.after(world.end);
  let reader: pg.Client | undefined;
  const database = watching(world.database, (_, client) => {
    reader = client;
  });
  const store = world.another({ database });
  await factOf(store, old.target);
  const gone = new Promise((resolve) => reader?.once("end", resolve));
  await world.sql("SELECT pg_terminate_backend($1, 5000)", [backendOf(reader!)]);
  await gone;
  assert.equal((await factOf(store, old.target)).kind, "present");
});

test("a database that cannot be had is a failure of every question", async () => {
  const unreachable = {
    reason: "postgres-unreachable",
    server: "nowhere",
    code: "ECONNREFUSED",
    message: "no",
  } as const;
  const database = async (): Promise<Result<Database>> => ({ ok: false, error: unreachable });
  const world = await emptyWorld();
  const store = world.another({ database });
  assert.deepEqual(failure(await store.observe([old.target])), unreachable);
  assert.deepEqual(failure(await store.stage(attemptFor(old))), unreachable);
  assert.deepEqual(value(await store.observe([])), []);
  await world.end();
});
