// The story of a COMMIT whose answer never came.
import { strict as assert } from "node:assert";
import { connect, createServer } from "node:net";
import { after, test } from "node:test";
import { emptyWorld, failure, load, type Rows, stopServer, value } from "./table-rig.js";

after(stopServer);

const columns = [{ name: "id", type: "integer" }];
const old: Rows = { target: "table:trips/2023-01", columns, rows: [[1], [2]] };
const fresh: Rows = { ...old, rows: [[3], [4], [5]] };

/** Passes bytes on to the server, and cuts a client off right before or right after its COMMIT has been carried out. */
async function cutter(url: string, when: { cut: "before" | "after" | "no" }) {
  const { port } = new URL(url);
  const proxy = createServer((client) => {
    const upstream = connect(Number(port), "127.0.0.1");
    let committing = false;
    client.on("data", (bytes) => {
      committing = when.cut !== "no" && bytes.toString("latin1") === "Q\0\0\0\x0bCOMMIT\0";
      if (committing && when.cut === "before") client.destroy();
      else upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      if (committing) client.destroy();
      else client.write(bytes);
    });
    client.on("close", () => upstream.destroy()).on("error", () => undefined);
    upstream.on("close", () => client.destroy()).on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => proxy.once("listening", resolve));
  return { port: String((proxy.address() as { port: number }).port), close: () => proxy.close() };
}

test("a COMMIT whose answer is lost is looked up by its attempt", async (t) => {
  const when: { cut: "before" | "after" | "no" } = { cut: "no" };
  let port = "";
  const world = await emptyWorld({
    at: (url) => {
      const through = new URL(url);
      through.port = port;
      return through.href;
    },
  });
  const proxy = await cutter(world.url, when);
  port = proxy.port;
  t.after(async () => {
    await world.end();
    proxy.close();
  });
  value(await load(world.store, old));
  when.cut = "before";
  assert.equal(failure(await load(world.store, fresh)).reason, "postgres-lost");
  assert.deepEqual(await world.sql("SELECT id FROM trips ORDER BY id"), [{ id: 1 }, { id: 2 }]);
  when.cut = "after";
  assert.notEqual(value(await load(world.store, fresh)), "already");
  assert.deepEqual(await world.sql("SELECT id FROM trips ORDER BY id"), [{ id: 3 }, { id: 4 }, { id: 5 }]);
  assert.equal((await world.sql("SELECT FROM dmake.history")).length, 2);
});
