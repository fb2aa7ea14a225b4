// A process of its own that loads what it is told to by one line of JSON, and says how far it is. Knows nothing of what a test expects.
import { createInterface } from "node:readline";
import type { Stage } from "../../src/engine/ports.js";
import { openDatabase } from "../../src/postgres/connect.js";
import { createTables } from "../../src/stores/tables.js";
import { attemptFor, encoded, fill, made, type Rows, value, writerOf } from "./table-loads.js";

export interface Order {
  readonly url: string;
  readonly run: string;
  readonly rows: Rows;
  /** The rows never end. */
  readonly endless?: boolean;
}

async function* endless(rows: Rows) {
  for await (const chunk of encoded(rows.columns, rows.rows)) if (chunk.length > 2) yield chunk;
  console.log("copying");
  await new Promise(() => setInterval(() => undefined, 3_600_000));
}

async function obey({ url, run, rows, endless: never }: Order): Promise<void> {
  const database = openDatabase({ root: "/nowhere", env: { DATABASE_URL: url } });
  const store = createTables({ database: () => database, run: { id: run, pid: process.pid, host: "here" } });
  const attempt = attemptFor(rows);
  const stage = value(await store.stage(attempt)) as Stage;
  if (never) {
    const columns = value(await writerOf(stage).open(rows.columns));
    await writerOf(stage).copy(endless({ ...rows, columns }), new AbortController().signal);
  }
  value(await fill(stage, rows));
  console.log("copied");
  value(await store.publish(attempt, stage, made(rows.rows.length, attempt)));
  console.log("published");
  await store.close();
  await value(await database).close();
}

console.log("ready");
createInterface({ input: process.stdin }).once("line", (line) => {
  process.stdin.destroy();
  void obey(JSON.parse(line) as Order);
});
