// The proof that a server may be restarted in the middle of a load: dmake says clearly that it failed, or that it went well after all, and either is true.
import { strict as assert } from "node:assert";
import { test } from "node:test";
import type { Result } from "../../src/core/failure.js";
import type { Stage } from "../../src/engine/ports.js";
import { projectIn } from "../rig/binary.js";
import { onEachServer } from "../rig/each-server.js";
import type { Ending, TestServer } from "../rig/postgres.js";
import { attemptFor, encoded, load, type Rows, value, writerOf } from "../stores/table-loads.js";
import { generationIn, generationOf, type Sight, sightSql, type Way, ways } from "./loads.js";
import { emptyWorld, isCommit, type Wire, type World, wireTo } from "./rig.js";

const endings: readonly Ending[] = ["fast", "immediate", "killed"];

/** When the server goes: amid the rows; when it is told of the record; before, while, or after it is told to commit. */
const points = ["rows", "record", "before COMMIT", "with COMMIT", "after COMMIT"] as const;
type Point = (typeof points)[number];

const isRecord = (bytes: Buffer): boolean => bytes.includes("INSERT INTO dmake.history");

/** Restarts the server once, at that point of what goes by on the wire. Answers when it is up again. */
function restartAt(
  wire: Wire,
  server: TestServer,
  point: Exclude<Point, "rows">,
  how: Ending,
): () => Promise<void> {
  let restarted: Promise<void> | undefined;
  const restart = (): Promise<void> => {
    restarted ??= server.restart(how);
    return restarted;
  };
  let committing = false;
  wire.look = async (bytes, from) => {
    if (restarted) return bytes;
    if (from === "server") {
      if (!(committing && point === "after COMMIT")) return bytes;
      await restart();
      return undefined;
    }
    if (point === "record" ? isRecord(bytes) : isCommit(bytes)) {
      committing = point === "after COMMIT";
      if (point === "with COMMIT") void restart();
      else if (!committing) await restart();
    }
    return bytes;
  };
  return restart;
}

/** The load as the engine does it, whose rows stop coming once the first are on their way; then the server is restarted. */
async function restartAmidRows(
  world: World,
  load: Rows,
  restart: () => Promise<void>,
): Promise<Result<unknown>> {
  const store = world.store();
  const attempt = attemptFor(load);
  const stage = value(await store.stage(attempt)) as Stage;
  const opened = value(await writerOf(stage).open(load.columns));
  let restarted = Promise.resolve();
  async function* rows() {
    for await (const chunk of encoded(opened, load.rows)) if (chunk.length > 2) yield chunk;
    restarted = restart();
    await new Promise(() => undefined);
  }
  const copied = await writerOf(stage).copy(rows(), new AbortController().signal);
  await restarted;
  await store.discard(attempt, stage);
  return copied;
}

async function seen(world: World, way: Way): Promise<number | undefined> {
  const [sight] = await world.sql<Sight & Record<string, unknown>>(sightSql(way));
  return generationIn(way, sight!);
}

onEachServer((server) => {
  for (const how of endings)
    for (const [turn, point] of points.entries()) {
      const way = ways[(turn + endings.indexOf(how)) % ways.length]!;
      test(`${how}, ${point} (${way.strategy})`, async (t) => {
        const world = await emptyWorld(server());
        const wire = await wireTo(world.url);
        t.after(async () => {
          await world.end();
          wire.close();
        });
        value(await load(world.store(), generationOf(way, 1)));
        const fresh = generationOf(way, 2);
        let done: Result<unknown>;
        if (point === "rows") done = await restartAmidRows(world, fresh, () => server().restart(how));
        else {
          const restarted = restartAt(wire, server(), point, how);
          done = await load(world.store({ url: wire.url }), fresh);
          await restarted();
        }
        if (point === "after COMMIT") assert.ok(done.ok, JSON.stringify(done));
        else if (point !== "with COMMIT") assert.ok(!done.ok, "it went well without a server");
        if (!done.ok) {
          const { error } = done;
          assert.ok(
            error.reason === "postgres-lost" || error.reason === "postgres-unreachable",
            JSON.stringify(error),
          );
          assert.match(`${error.server} ${error.message}`, /^127\.0\.0\.1:\d+\/\w+ ./);
        }
        assert.equal(await seen(world, way), done.ok ? 2 : 1, "what was said is true");
        const again = value(await load(world.store(), generationOf(way, 2, { by: "-again" })));
        assert.equal(again === "already", done.ok);
        assert.equal(await seen(world, way), 2);
        const history = await world.sql("SELECT FROM dmake.history");
        assert.equal(history.length, 2, "nothing came through twice");
        assert.deepEqual(await world.sql("SELECT FROM pg_class WHERE relname LIKE 'dmake_load%'"), []);
        t.diagnostic(done.ok ? "it went well" : `${done.error.reason}`);
      });
    }

  test("a reader of the store's own goes on after a restart", async (t) => {
    const world = await emptyWorld(server());
    t.after(world.end);
    const [way] = ways;
    const store = world.store();
    value(await load(store, generationOf(way!, 1)));
    await server().restart("immediate");
    for (;;) {
      // Once it may say that the connection is lost; that is what had happened.
      const found = await store.observe([way!.target]);
      if (!found.ok) assert.equal(found.error.reason, "postgres-lost");
      else {
        assert.equal(found.value[0]?.kind, "present");
        break;
      }
    }
    assert.equal(value(await load(store, generationOf(way!, 1))), "already");
  });

  test("the program says that the connection was lost, and what to do; and the next run is right", async (t) => {
    const world = await emptyWorld(server());
    const wire = await wireTo(world.url);
    t.after(async () => {
      await world.end();
      wire.close();
    });
    const project = projectIn(
      t,
      {
        "Datafile.ts": `import { table } from "dmake";
export default table("table:trips/{month}", { from: "in/{month}.csv", where: { month: ["2024-01"] } });
`,
        "in/2024-01.csv": "id,name\n1,one\n2,two\n",
      },
      { env: { DATABASE_URL: wire.url } },
    );
    const restarted = restartAt(wire, server(), "record", "fast");
    const failed = await project.run();
    await restarted();
    assert.equal(failed.code, 1, failed.stderr);
    assert.match(failed.stderr, /error: the connection to Postgres at `127\.0\.0\.1:\d+\/\w+` was lost: /);
    assert.match(failed.stderr, /help: nothing half done is visible: run the same command again/);
    assert.deepEqual(await world.sql("SELECT to_regclass('trips')"), [{ to_regclass: null }]);
    const again = await project.run();
    assert.equal(again.code, 0, again.stderr);
    assert.deepEqual(await world.sql("SELECT count(*)::int AS rows FROM trips"), [{ rows: 2 }]);
    assert.equal((await world.sql("SELECT FROM dmake.history")).length, 1);
  });
});
