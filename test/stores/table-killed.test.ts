// The story of a dmake that is killed while it loads, at every message it sends: the rows are the old or the new ones, the ledger says which, and the next load goes through.
import { strict as assert } from "node:assert";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Holder } from "../../src/core/failure.js";
import { lockNumber, lockSpaces } from "../../src/stores/table-name.js";
import type { Order } from "./table-child.js";
import {
  attemptFor,
  emptyWorld,
  gate,
  load,
  type Rows,
  stopServer,
  untilWaiting,
  value,
  type World,
} from "./table-rig.js";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "dmake-killed-"));
// Compiled once: through a loader each child would take three times as long to start.
const program = join(home, "test/stores/child.mjs");
await build({
  entryPoints: [join(repository, "test/stores/table-child.ts")],
  outfile: program,
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  logLevel: "error",
});
symlinkSync(join(repository, "node_modules"), join(home, "node_modules"));
cpSync(join(repository, "package.json"), join(home, "package.json"));

interface Child {
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  readonly ended: Promise<unknown>;
  /** Resolves once it has said the word. */
  said(word: string): Promise<void>;
  kill(): Promise<unknown>;
}

function startChild(): Child {
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const words = new Map<string, ReturnType<typeof gate>>();
  const gateOf = (word: string) => words.get(word) ?? words.set(word, gate()).get(word)!;
  createInterface({ input: child.stdout }).on("line", (word) => gateOf(word).open());
  return {
    process: child,
    ended,
    said: (word) => gateOf(word).opened,
    kill: () => {
      child.kill("SIGKILL");
      return ended;
    },
  };
}

// Always one ahead, so that it starts up while the one before is at work.
let next: Child = startChild();
after(async () => {
  await next.kill();
  rmSync(home, { recursive: true, force: true });
  await stopServer();
});

function sendOut(order: Omit<Order, "run">): Child {
  const child = next;
  next = startChild();
  child.process.stdin.end(`${JSON.stringify({ ...order, run: "killed" })}\n`);
  return child;
}

const textIn = (bytes: Buffer) =>
  bytes
    .subarray(5)
    .toString("latin1")
    .replace(/[^ -~]+/g, " ")
    .trim()
    .slice(0, 60);

/** What ends a group of messages that the server answers or takes; those of a query with values come with their Sync. */
const ends = "QSdcfpX";

/** Cuts what a client sends into such groups. The first message has no letter. */
function grouped(onGroup: (bytes: Buffer, letter: string) => void) {
  let bytes = Buffer.alloc(0);
  let [from, started] = [0, false];
  return (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    for (;;) {
      const head = started ? 1 : 0;
      if (bytes.length < from + head + 4) return;
      const until = from + head + bytes.readUInt32BE(from + head);
      if (bytes.length < until) return;
      const letter = started ? String.fromCharCode(bytes[from]!) : "start";
      started = true;
      from = until;
      if (letter !== "start" && !ends.includes(letter)) continue;
      onGroup(bytes.subarray(0, until), letter);
      bytes = bytes.subarray(until);
      from = 0;
    }
  };
}

/**
 * Passes everything on to the server until the group numbered `killAt`, which it still gets. Then `kill` is called, when the
 * server has answered if it answers such a message, and the client never hears of it.
 */
async function gallows(url: string) {
  const { port } = new URL(url);
  const trial = { killAt: Number.POSITIVE_INFINITY, seen: 0, texts: [] as string[], kill: () => {} };
  const proxy = createServer((client: Socket) => {
    const upstream = connect(Number(port), "127.0.0.1");
    let condemned = false;
    const pass = grouped((bytes, letter) => {
      if (condemned) return;
      trial.seen++;
      trial.texts.push(`${letter} ${textIn(bytes)}`);
      condemned = trial.seen === trial.killAt;
      upstream.write(bytes);
      if (condemned && "dfX".includes(letter)) trial.kill();
    });
    client.on("data", pass);
    upstream.on("data", (bytes) => (condemned ? trial.kill() : client.write(bytes)));
    client.on("close", () => upstream.destroy()).on("error", () => undefined);
    upstream.on("close", () => client.destroy()).on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => proxy.once("listening", resolve));
  const through = new URL(url);
  through.port = String((proxy.address() as { port: number }).port);
  return { trial, url: through.href, close: () => proxy.close() };
}

const columns = [{ name: "id", type: "integer" }];

/** Rows that no other generation has. */
const generation = (target: string, n: number): Rows => ({
  target,
  columns,
  rows: [[n * 10], [n * 10 + 1], [n * 10 + 2]],
  attempt: `generation-${n}`,
});

const idsOf = ({ rows }: Rows) => rows.map(([id]) => ({ id }));

/** What a table holds and what the ledger says of it, side by side. */
async function state(world: World, table: string) {
  const [ids, loads, history] = [
    await world.sql(`SELECT id FROM ${table} ORDER BY id`),
    await world.sql("SELECT attempt, rows::int AS rows FROM dmake.loads WHERE table_name = $1", [table]),
    await world.sql("SELECT attempt FROM dmake.history WHERE table_name = $1 ORDER BY id DESC LIMIT 1", [
      table,
    ]),
  ];
  return { ids, attempt: loads[0]?.attempt, rows: loads[0]?.rows, last: history[0]?.attempt };
}

const whole = (rows: Rows) => ({
  ids: idsOf(rows),
  attempt: rows.attempt,
  rows: rows.rows.length,
  last: rows.attempt,
});

// A whole table is another way to publish, and the same way to get there.
for (const { target, from } of [
  { target: "table:trips/2023-01", from: "Q BEGIN" },
  { target: "table:zones", from: "c" },
])
  test(`${target}: killed at every message of a load`, async (t) => {
    const world = await emptyWorld();
    const { trial, url, close } = await gallows(world.url);
    t.after(async () => {
      await world.end();
      close();
    });
    const table = /table:(\w+)/.exec(target)![1]!;
    value(await load(world.store, generation(target, 0)));

    trial.seen = 0;
    await sendOut({ url, rows: generation(target, 1) }).ended;
    const [points, conversation] = [trial.seen, [...trial.texts]];
    assert.deepEqual(await state(world, table), whole(generation(target, 1)));
    const commits = conversation.indexOf("Q COMMIT") + 1;
    assert.ok(commits > 20, conversation.join("\n"));

    const started = performance.now();
    let committed = 0;
    let old = generation(target, 1);
    const first = conversation.findIndex((text) => text.startsWith(from)) + 1;
    assert.ok(first > 0, conversation.join("\n"));
    for (let point = first; point <= points; point++) {
      const fresh = generation(target, point + 1);
      const child = sendOut({ url, rows: fresh });
      Object.assign(trial, { seen: 0, killAt: point, kill: () => child.process.kill("SIGKILL") });
      await child.ended;
      assert.equal(trial.seen, point, `${point} is never reached`);
      const message = `killed at ${point}: ${conversation[point - 1]}`;
      const found = await state(world, table);
      const isNew = found.attempt === fresh.attempt;
      assert.deepEqual(found, whole(isNew ? fresh : old), message);
      assert.equal(isNew, point >= commits, message);
      if (isNew) committed++;

      const again = value(await load(world.another(), fresh));
      assert.equal(again === "already", isNew, message);
      assert.deepEqual(await state(world, table), whole(fresh), message);
      assert.deepEqual(await world.sql("SELECT FROM pg_class WHERE relname LIKE 'dmake_load%'"), [], message);
      old = fresh;
    }
    assert.equal((await world.sql("SELECT FROM dmake.history")).length, points - first + 3);
    t.diagnostic(
      `${points - first + 1} points, ${committed} of them from COMMIT on: ${Math.round(performance.now() - started)} ms`,
    );
  });

/** The next load, as far as it has its lock: how long that took, and whom it was told of. It waits for 20 s at most. */
async function nextLoad(world: World, rows: Rows) {
  const store = world.another();
  const holders: Holder[] = [];
  const started = performance.now();
  const signal = AbortSignal.timeout(20_000);
  const onWait = (holder: Holder) => holders.push(holder);
  const attempt = attemptFor(rows);
  const stage = value(await store.stage(attempt, { signal, noWait: false, onWait }));
  const waitedMs = performance.now() - started;
  assert.ok(stage.kind === "table");
  await store.discard(attempt, stage);
  return { holders, waitedMs };
}

test("killed amid its rows, it frees its lock at once", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const target = "table:trips/2023-01";
  value(await load(world.store, generation(target, 0)));
  const child = sendOut({ url: world.url, rows: generation(target, 1), endless: true });
  await child.said("copying");
  await child.kill();
  const { waitedMs } = await nextLoad(world, generation(target, 2));
  assert.ok(waitedMs < 5_000, `waited for ${waitedMs} ms`);
  assert.deepEqual(await state(world, "trips"), whole(generation(target, 0)));
  value(await load(world.another(), generation(target, 2)));
  assert.deepEqual(await state(world, "trips"), whole(generation(target, 2)));
  t.diagnostic(`waited for ${Math.round(waitedMs)} ms`);
});

test("killed while the server works for it, it frees its lock as soon as the server looks", async (t) => {
  const world = await emptyWorld();
  t.after(world.end);
  const [version] = await world.sql("SELECT current_setting('server_version_num')::int AS number");
  if (Number(version?.number) < 140_000) return t.skip("this server cannot tell that its client is gone");
  const target = "table:trips/2023-01";
  value(await load(world.store, generation(target, 0)));
  await world.sql("BEGIN");
  await world.sql("SELECT pg_advisory_xact_lock($1, $2)", [lockSpaces.table, lockNumber("public", "trips")]);
  const child = sendOut({ url: world.url, rows: generation(target, 1) });
  await child.said("copied");
  await untilWaiting(world);
  await child.kill();
  const { holders, waitedMs } = await nextLoad(world, generation(target, 2));
  assert.ok(waitedMs < 10_000, `waited for ${waitedMs} ms`);
  for (const { run, pid } of holders) assert.deepEqual([run, pid], ["killed", child.process.pid]);
  await world.sql("COMMIT");
  assert.deepEqual(await state(world, "trips"), whole(generation(target, 0)));
  t.diagnostic(`waited for ${Math.round(waitedMs)} ms`);
});
