// A dmake of its own, as far as the embedded server can tell: opens it, then does what it is told on stdin. Knows nothing of tests.
import { createInterface } from "node:readline";
import pg from "pg";
import { keepEmbedded, startEmbedded } from "../../src/postgres/embedded.js";

const [root = "", native] = process.argv.slice(2);
const say = (answer: object) => process.stdout.write(`${JSON.stringify(answer)}\n`);

const started = await startEmbedded({ root, ...(native && { native }) });
if (!started.ok) {
  say(started.error);
  process.exit(1);
}
const server = started.value;
say({ url: server.url });
for await (const order of createInterface({ input: process.stdin })) {
  if (order === "leave") break;
  if (order === "keep") keepEmbedded({ root });
  if (order.startsWith("run ")) await run(order.slice(4));
  say({ did: order });
}
await server.leave([]);
say({ did: "leave" });
process.exit(0);

/** Begins a statement and answers as soon as the server works on it. */
async function run(statement: string): Promise<void> {
  const [worker, watcher] = [new pg.Client(server.config), new pg.Client(server.config)];
  for (const client of [worker, watcher]) client.on("error", () => undefined);
  await Promise.all([worker.connect(), watcher.connect()]);
  worker.query(statement).catch(() => undefined);
  const active = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query = $1 AND state = 'active'";
  while ((await watcher.query(active, [statement])).rows[0].n === 0);
  await watcher.end();
}
