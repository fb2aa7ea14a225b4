// A process of its own that loads what it is told to, a line of JSON an order, and answers a line each. Knows nothing of what a proof expects.
import { createInterface } from "node:readline";
import type { Result } from "../../src/core/failure.js";
import type { Store } from "../../src/engine/ports.js";
import { type Database, openDatabase } from "../../src/postgres/connect.js";
import { createTables } from "../../src/stores/tables.js";
import { load, type Rows } from "../stores/table-loads.js";

export interface Order {
  readonly url: string;
  readonly loads: readonly Rows[];
  /** So many at once; one after the other without. */
  readonly jobs?: number;
}

/** What came of a load: `loaded`, `already`, or the failure as JSON. */
export type Answer = readonly string[];

async function obey({ url, loads, jobs = 1 }: Order): Promise<Answer> {
  const database: Promise<Result<Database>> = openDatabase({ root: "/nowhere", env: { DATABASE_URL: url } });
  const store: Store = createTables({
    database: () => database,
    run: { id: `run-${process.pid}`, pid: process.pid, host: "here" },
  });
  const answers: string[] = [];
  const left = loads.map((rows, index) => ({ rows, index }));
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next; next = left.shift()) {
      const done = await load(store, next.rows);
      answers[next.index] = done.ok
        ? done.value === "already"
          ? "already"
          : "loaded"
        : JSON.stringify(done.error);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  await store.close();
  const opened = await database;
  if (opened.ok) await opened.value.close();
  return answers;
}

console.log('"ready"');
for await (const line of createInterface({ input: process.stdin }))
  console.log(JSON.stringify(await obey(JSON.parse(line) as Order)));
