// A table that takes rows: the smallest writer there can be, over one connection to a real server. Knows nothing of partitions or ledgers.
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { from } from "pg-copy-streams";
import { fail, ok } from "../../src/core/failure.js";
import type { Reject } from "../../src/core/failure-data.js";
import type { TableColumn, TableWriter } from "../../src/engine/ports.js";

export interface TestTable extends TableWriter {
  /** What was asked for at `open`. */
  readonly asked: readonly TableColumn[];
  /** What was set aside, with the file it is of. */
  readonly rejected: readonly { readonly file: string; readonly rows: readonly Reject[] }[];
  readonly client: pg.Client;
  /** Everything in the table as Postgres writes it, by the first column: a heap does not keep the order of its rows. */
  texts(): Promise<(string | null)[][]>;
  end(): Promise<void>;
}

/** Makes a new table when opened; with `types`, its columns have these instead of those asked for. */
export async function testTable(
  url: string,
  name: string,
  types: Readonly<Record<string, string>> = {},
): Promise<TestTable> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query("SET timezone = 'UTC'");
  await client.query("SET extra_float_digits = 1");
  const table = pg.escapeIdentifier(name);
  let columns: readonly TableColumn[] = [];
  let asked: readonly TableColumn[] = [];
  const rejected: TestTable["rejected"][number][] = [];
  const names = () => columns.map((column) => pg.escapeIdentifier(column.name)).join(", ");
  return {
    client,
    get asked() {
      return asked;
    },
    get rejected() {
      return rejected;
    },
    reject: async (file, rows) => {
      rejected.push({ file, rows });
      return ok(undefined);
    },
    open: async (wanted) => {
      asked = wanted;
      columns = wanted.map((column) => ({ ...column, type: types[column.name] ?? column.type }));
      const definitions = columns.map((column) => `${pg.escapeIdentifier(column.name)} ${column.type}`);
      await client.query(`DROP TABLE IF EXISTS ${table}`);
      await client.query(`CREATE TABLE ${table} (${definitions.join(", ")})`);
      return ok(columns);
    },
    widen: async (wider) => {
      for (const { name: column, type } of wider)
        await client.query(`ALTER TABLE ${table} ALTER COLUMN ${pg.escapeIdentifier(column)} TYPE ${type}`);
      columns = columns.map((one) => wider.find(({ name: column }) => column === one.name) ?? one);
      return ok(undefined);
    },
    copy: async (bytes, signal) => {
      const copying = client.query(from(`COPY ${table} (${names()}) FROM STDIN WITH (FORMAT binary)`));
      try {
        await pipeline(bytes, copying, { signal });
        return ok(copying.rowCount);
      } catch (error) {
        // Only then is the COPY over: a client that is ended before never ends.
        await client.query("SELECT");
        if (signal.aborted) return fail({ reason: "interrupted" });
        if (!(error instanceof pg.DatabaseError)) throw error;
        const { code = "", message } = error;
        return fail({
          reason: "postgres-error",
          code,
          message: `${message} (${error.where ?? ""})`,
          doing: "copying",
        });
      }
    },
    texts: async () => {
      const casts = columns.map((column) => `${pg.escapeIdentifier(column.name)}::text`).join(", ");
      const first = pg.escapeIdentifier(columns[0]!.name);
      const { rows } = await client.query({
        text: `SELECT ${casts} FROM ${table} ORDER BY ${table}.${first}`,
        rowMode: "array",
      });
      return rows as (string | null)[][];
    },
    end: () => client.end(),
  };
}
