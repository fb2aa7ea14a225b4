// Loads of files of a temporary folder into a table of a real server. Knows nothing of what a test expects.
import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { type Failure, ok, type Result } from "../../src/core/failure.js";
import type { LoadRecipe, Rule, Step, TableDeclaration } from "../../src/core/rule.js";
import type { Outcome, TableWriter } from "../../src/engine/ports.js";
import { runLoad } from "../../src/recipes/load.js";
import { startServer } from "../rig/postgres.js";
import { type TestTable, testTable } from "../rig/table.js";
import { plain } from "./jobs.js";

export interface Loading {
  readonly file: string;
  readonly recipe?: Partial<LoadRecipe>;
  readonly table?: Partial<TableDeclaration>;
  /** Types that the table has, whatever is asked for. */
  readonly types?: Readonly<Record<string, string>>;
  /** Done otherwise than the table does it. */
  readonly writer?: (table: TestTable) => Partial<TableWriter>;
  readonly partition?: string;
}

export interface Loaded {
  readonly result: Result<Outcome>;
  readonly table: TestTable;
}

export interface Loads {
  /** Into a new table each time; an older one is no longer there. */
  load(loading: Loading): Promise<Loaded>;
  failure(loading: Loading): Promise<Failure>;
  parquet(name: string, query: string): Promise<string>;
  end(): Promise<void>;
}

/** The current folder is a new one until the end. */
export async function loads(): Promise<Loads> {
  const home = process.cwd();
  const folder = mkdtempSync(join(tmpdir(), "dmake-load-"));
  process.chdir(folder);
  const server = await startServer();
  let table: TestTable | undefined;
  const load: Loads["load"] = async ({
    file,
    recipe,
    table: declared,
    types,
    writer,
    partition = "2023-01",
  }) => {
    await table?.end();
    const fresh = await testTable(server.url, "trips", types);
    table = fresh;
    const { open, widen, copy, reject } = fresh;
    const job = jobOf(
      file,
      { kind: "load", columns: {}, csv: {}, partitionColumn: "month", ...recipe, ...tableOf(declared) },
      { open, widen, copy, reject, ...writer?.(fresh) },
      partition,
    );
    return { result: await runLoad(job.recipe, job.job), table: fresh };
  };
  return {
    load,
    failure: async (loading) => {
      const { result } = await load(loading);
      assert(!result.ok, JSON.stringify(result));
      return result.error;
    },
    parquet: async (name, query) => {
      const instance = await DuckDBInstance.create(":memory:");
      const connection = await instance.connect();
      await connection.run(`COPY (${query}) TO '${join(folder, name)}' (FORMAT parquet)`);
      connection.closeSync();
      instance.closeSync();
      return name;
    },
    end: async () => {
      await table?.end();
      await server.stop();
      process.chdir(home);
      rmSync(folder, { recursive: true });
    },
  };
}

const tableOf = (declared: Partial<TableDeclaration> | undefined) =>
  declared && { table: { contract: "evolve", maxRejects: 0, ...declared } as const };

function jobOf(file: string, recipe: LoadRecipe, writer: TableWriter, partition: string) {
  const rule: Rule = {
    name: "loaded",
    at: { file: "Datafile.ts", line: 7 },
    outputs: [],
    inputs: [],
    after: [],
    domains: {},
    bind: () => ok(recipe),
  };
  const id = `table:trips/${partition}`;
  const step: Step = {
    ...plain,
    id,
    rule,
    binding: { month: partition },
    inputs: [file],
    outputs: [id],
    recipe,
  };
  const job = {
    step,
    inputs: [file],
    stage: { kind: "table", writer } as const,
    previous: undefined,
    threads: 2,
    signal: new AbortController().signal,
    log: () => undefined,
    progress: () => undefined,
    need: async () => ok(undefined),
  };
  return { recipe, job };
}
