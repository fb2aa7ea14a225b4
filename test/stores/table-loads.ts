// Loads in one line, as the engine does them, and a COPY encoder for integers and text. Knows nothing of recipes, or of what server there is.
import { strict as assert } from "node:assert";
import { type Failure, ok, type Result } from "../../src/core/failure.js";
import type { Reject } from "../../src/core/failure-data.js";
import { recipeParts } from "../../src/core/fingerprint.js";
import type { LoadRecipe, Rule, Step, TableDeclaration } from "../../src/core/rule.js";
import type { Parts, Trace } from "../../src/core/trace.js";
import type {
  Attempt,
  Finished,
  Published,
  Stage,
  Store,
  TableColumn,
  TableWriter,
} from "../../src/engine/ports.js";

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
  /** What the Datafile says of the table; the recipe's parts are then as the engine has them. */
  readonly table?: Partial<TableDeclaration>;
  readonly previous?: Trace;
  readonly rejects?: readonly Reject[];
}

let attempts = 0;

/** What the engine would say of a load of these rows. */
export function attemptFor(rows: Rows, { forced = false }: { forced?: boolean } = {}): Attempt {
  const recipe: LoadRecipe = {
    kind: "load",
    columns: {},
    csv: {},
    partitionColumn: rows.partitionColumn ?? (rows.target.includes("/") ? "month" : undefined),
    ...(rows.table && { table: { contract: "evolve", maxRejects: 0, ...rows.table } }),
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
  const parts = rows.table ? value(recipeParts(step, [])) : { kind: "load" };
  return {
    id: rows.attempt ?? `attempt-${++attempts}`,
    step,
    recipe: rows.recipe ?? parts,
    inputs: [{ name: "data/rows.parquet", digest: rows.digest ?? `sha256:${JSON.stringify(rows.rows)}` }],
    because: [{ why: "no-record" }],
    startedAt: new Date().toISOString(),
    forced,
    ...(rows.previous && { previous: rows.previous }),
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
export const made = (rows: number, { inputs }: Pick<Attempt, "inputs">, rejects = 0): Finished => ({
  outcome: { kind: "made", facts: { rows, ...(rejects > 0 && { rejects }) } },
  durationMs: 12.5,
  inputs,
  discovered: [],
});

const never = new AbortController().signal;

export function writerOf(stage: Stage | { kind: "already" }): TableWriter {
  assert(stage.kind === "table", `staged as ${stage.kind}`);
  return stage.writer;
}

/** Fills an open stage with the columns that it wants; answers what the server says to the copy. */
export async function fill(stage: Stage, rows: Rows): Promise<Result<number>> {
  const writer = writerOf(stage);
  const columns = await writer.open(rows.columns);
  if (!columns.ok) return columns;
  if (rows.rejects) {
    const kept = await writer.reject("data/rows.parquet", rows.rejects);
    if (!kept.ok) return kept;
  }
  const places = columns.value.map(({ name }) => rows.columns.findIndex((column) => column.name === name));
  const cells = rows.rows.map((row) => places.map((place) => row[place] ?? null));
  return writer.copy(encoded(columns.value, cells), never);
}

/** Stage, fill, publish, as the engine does it; a failure is discarded. */
export async function load(
  store: Store,
  rows: Rows,
  options: { forced?: boolean } = {},
): Promise<Result<Trace | "already">> {
  const published = await publish(store, rows, options);
  if (!published.ok || published.value === "already") return published as Result<"already">;
  return ok(published.value.trace);
}

/** The same, with all that is said of it. */
export async function publish(
  store: Store,
  rows: Rows,
  options: { forced?: boolean } = {},
): Promise<Result<Published | "already">> {
  const attempt = attemptFor(rows, options);
  const stage = await store.stage(attempt);
  if (!stage.ok) return stage;
  if (stage.value.kind === "already") return ok("already");
  const filled = await fill(stage.value, rows);
  const finished = made(rows.rows.length, attempt, rows.rejects?.length);
  const published = filled.ok ? await store.publish(attempt, stage.value, finished) : filled;
  if (!published.ok) await store.discard(attempt, stage.value);
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
