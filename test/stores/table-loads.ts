// Loads in one line, as the engine does them, and a COPY encoder for integers and text. Knows nothing of recipes, or of what server there is.
import { strict as assert } from "node:assert";
import { type Failure, ok, type Result } from "../../src/core/failure.js";
import type { LoadRecipe, Rule, Step } from "../../src/core/rule.js";
import type { Parts, Trace } from "../../src/core/trace.js";
import type { Attempt, Finished, Stage, Store, TableColumn, TableWriter } from "../../src/engine/ports.js";

export type Cell = string | number | null;

/** Some rows, and where they go. */
export interface Rows {
  readonly target: string;
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly Cell[])[];
  /** Digest of the one input; the rows themselves if it is not given. */
  readonly digest?: string;
  readonly attempt?: string;
  readonly partitionColumn?: string;
  /** Named parts of the recipe, if they matter. */
  readonly recipe?: Parts;
}

let attempts = 0;

/** What the engine would say of a load of these rows. */
export function attemptFor(rows: Rows, { forced = false }: { forced?: boolean } = {}): Attempt {
  const recipe: LoadRecipe = {
    kind: "load",
    columns: {},
    csv: {},
    partitionColumn: rows.partitionColumn ?? (rows.target.includes("/") ? "month" : undefined),
  };
  const step: Step = {
    id: rows.target,
    rule: {} as Rule,
    binding: {},
    inputs: ["data/rows.parquet"],
    uses: [],
    after: [],
    optional: new Set(),
    outputs: [rows.target],
    directories: new Set(),
    recipe,
  };
  return {
    id: rows.attempt ?? `attempt-${++attempts}`,
    step,
    recipe: rows.recipe ?? { kind: "load" },
    inputs: [{ name: "data/rows.parquet", digest: rows.digest ?? `sha256:${JSON.stringify(rows.rows)}` }],
    because: [{ why: "no-record" }],
    startedAt: new Date().toISOString(),
    forced,
  };
}

export const value = <T>(result: Result<T>): T => {
  assert(result.ok, result.ok ? "" : JSON.stringify(result.error));
  return result.value;
};

export const failure = (result: Result<unknown>): Failure => {
  assert(!result.ok, "it went well");
  return result.error;
};

/** What the engine says of a recipe that ended well, and that nothing got in the way of. */
export const made = (rows: number, { inputs }: Pick<Attempt, "inputs">): Finished => ({
  outcome: { kind: "made", facts: { rows } },
  durationMs: 12.5,
  inputs,
  discovered: [],
});

const never = new AbortController().signal;

export function writerOf(stage: Stage | { kind: "already" }): TableWriter {
  assert(stage.kind === "table", `staged as ${stage.kind}`);
  return stage.writer;
}

/** Fills an open stage; answers what the server says to the copy. */
export async function fill(stage: Stage, rows: Rows): Promise<Result<number>> {
  const writer = writerOf(stage);
  const columns = await writer.open(rows.columns);
  return columns.ok ? writer.copy(encoded(columns.value, rows.rows), never) : columns;
}

/** Stage, fill, publish, as the engine does it; a failure is discarded. */
export async function load(
  store: Store,
  rows: Rows,
  options: { forced?: boolean } = {},
): Promise<Result<Trace | "already">> {
  const attempt = attemptFor(rows, options);
  const stage = await store.stage(attempt);
  if (!stage.ok) return stage;
  if (stage.value.kind === "already") return ok("already");
  const filled = await fill(stage.value, rows);
  const published = filled.ok
    ? await store.publish(attempt, stage.value, made(rows.rows.length, attempt))
    : filled;
  if (published.ok) return ok(published.value.trace);
  await store.discard(attempt, stage.value);
  return published;
}

/** COPY's binary format: a head, for each row the number of columns and each value with its length, and a tail. */
export async function* encoded(
  columns: readonly TableColumn[],
  rows: readonly (readonly Cell[])[],
): AsyncGenerator<Buffer> {
  yield Buffer.concat([Buffer.from("PGCOPY\n\xff\r\n\0", "latin1"), Buffer.alloc(8)]);
  for (let at = 0; at < rows.length; at += 1000)
    yield Buffer.concat(
      rows
        .slice(at, at + 1000)
        .flatMap((row) => [
          int(2, row.length),
          ...row.map((cell, index) => cellBytes(cell, columns[index]!.type)),
        ]),
    );
  yield int(2, -1);
}

function int(bytes: number, number: number | bigint): Buffer {
  const buffer = Buffer.alloc(bytes);
  if (bytes === 8) buffer.writeBigInt64BE(BigInt(number));
  else buffer.writeIntBE(Number(number), 0, bytes);
  return buffer;
}

function cellBytes(cell: Cell, type: string): Buffer {
  if (cell === null) return int(4, -1);
  const bytes = plainBytes(cell, type);
  return Buffer.concat([int(4, bytes.length), bytes]);
}

function plainBytes(cell: string | number, type: string): Buffer {
  const size = { smallint: 2, integer: 4, bigint: 8 }[type];
  if (size !== undefined) return int(size, Number(cell));
  if (type !== "double precision") return Buffer.from(String(cell));
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleBE(Number(cell));
  return buffer;
}
