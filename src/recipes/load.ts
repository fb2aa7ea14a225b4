// Loads one parquet, CSV or JSON file into the table that a writer stands for: types, checks, rows, counts. Knows nothing of transactions, partitions or ledgers.
import { strict as assert } from "node:assert";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { LoadRecipe, TableDeclaration } from "../core/rule.js";
import { parseTarget } from "../core/target.js";
import { query } from "../duckdb/query.js";
import { openSession, quoteIdentifier, type Session } from "../duckdb/session.js";
import { firstRefused, type SiftedRows, sift } from "../duckdb/sift.js";
import { openSource, type Source, type SourceColumn } from "../duckdb/source.js";
import type { Job, Outcome, Runner, TableColumn, TableWriter } from "../engine/ports.js";
import { CopyValueError } from "../postgres/copy-binary.js";
import { columnsFor } from "./load-columns.js";
import { type Fit, fitTo, misfitMark, nulDemands } from "./load-fit.js";
import { Rows } from "./load-rows.js";

/** Enough of a value to recognise it by. */
const shownText = 200;

interface Load {
  readonly job: Job;
  readonly writer: TableWriter;
  /** As failures name it. */
  readonly table: string;
  readonly session: Session;
  readonly source: Source;
  readonly maxRejects: number;
}

/** What a Datafile that says nothing of its table means. */
const undeclared: TableDeclaration = { contract: "evolve", maxRejects: 0 };

/**
 * Sends every row of the one input, or fails: each value arrives as it is or stops the load, and the server's count has
 * to be that of the rows sent and that of the file. Column names keep their case, as in the file.
 *
 * Where `maxRejects` allows it, rows that do not fit are set aside before any is sent, and handed to the writer with
 * what is wrong with them: rows sent and rows set aside are all rows there are.
 */
export const runLoad: Runner<LoadRecipe> = async (recipe, job) => {
  assert(job.stage.kind === "table", `bug: ${job.step.id} is loaded into files`);
  const { writer } = job.stage;
  const file = onlyInput(job);
  if (!file.ok) return file;
  if (job.signal.aborted) return fail({ reason: "interrupted" });
  const { columns, csv, rename, table: { maxRejects } = undeclared } = recipe;
  const session = await openSession({ threads: job.threads });
  const interrupt = () => session.connection.interrupt();
  job.signal.addEventListener("abort", interrupt);
  try {
    const { signal } = job;
    const source = await openSource(session, file.value, { columns, csv, rename, maxRejects, signal });
    if (job.signal.aborted) return fail({ reason: "interrupted" });
    if (!source.ok) return source;
    return await load(recipe, {
      job,
      writer,
      table: tableOf(job),
      session,
      source: source.value,
      maxRejects,
    });
  } finally {
    job.signal.removeEventListener("abort", interrupt);
    session.close();
  }
};

function onlyInput({ inputs, step }: Job): Result<string> {
  const [file, ...more] = inputs;
  if (file !== undefined && more.length === 0) return ok(file);
  const problem = `a table is loaded from one file, and this one has ${inputs.length === 0 ? "none" : `${inputs.length}: ${inputs.map((name) => `\`${name}\``).join(", ")}`}`;
  const help =
    "bind each file to a partition of its own by a wildcard, or put them into one with a `parquet` rule first";
  return fail({ reason: "bad-rule", problem, at: step.rule.at, help });
}

function tableOf({ step }: Job): string {
  const { schema, table } = targetOf(step.id);
  return schema === undefined ? table : `${schema}.${table}`;
}

function targetOf(id: string) {
  const target = parseTarget(id);
  assert(target.ok && target.value.kind === "table", `bug: ${id} is no table`);
  return target.value;
}

async function load(
  { partitionColumn, columns: declared, csv, table: { ownKey, contract } = undeclared }: LoadRecipe,
  work: Load,
): Promise<Result<Outcome>> {
  const { job, writer, source, table, maxRejects } = work;
  const wanted = columnsFor(source, table, { column: partitionColumn, own: ownKey === true });
  if (!wanted.ok) return wanted;
  const opened = await writer.open(wanted.value);
  const columns = opened.ok && contract === "evolve" ? await widened(work, opened.value) : opened;
  if (!columns.ok) return columns;
  const { partition } = targetOf(job.step.id);
  const key =
    ownKey && partitionColumn !== undefined && partition !== undefined
      ? { column: partitionColumn, value: partition }
      : undefined;
  // A value among the first may have made texts of a column that has a type elsewhere: then it is that value's row that does not fit.
  const isOpen = ({ name, unseen }: SourceColumn) =>
    source.format === "csv" && (unseen === true || (maxRejects > 0 && !Object.hasOwn(declared, name)));
  const fit = fitTo(source, table, columns.value, { csv, key, isOpen });
  if (!fit.ok) return fit;
  if (job.signal.aborted) return fail({ reason: "interrupted" });
  const sifted = await sifting(work, columns.value, fit.value);
  if (job.signal.aborted) return fail({ reason: "interrupted" });
  if (!sifted.ok) return sifted;
  return send(work, columns.value, fit.value, sifted.value);
}

/**
 * Publishers write whole numbers now as `bigint` and now as `double precision`, and neither type holds the other: the
 * table keeps its `bigint` as long as the source has no fractions, which takes a look at those columns alone.
 */
async function widened(
  { session, source, writer }: Load,
  columns: readonly TableColumn[],
): Promise<Result<readonly TableColumn[]>> {
  const doubles = columns.filter(({ name, type }) => {
    const from = source.columns.find((column) => column.name.toLowerCase() === name.toLowerCase())?.type;
    return type === "bigint" && (from === "DOUBLE" || from === "FLOAT");
  });
  if (doubles.length === 0) return ok(columns);
  const asked = doubles.map(({ name }, i) => {
    const value = quoteIdentifier(name);
    return `coalesce(bool_or(isfinite(${value}) AND ${value} <> trunc(${value})), false) AS c${i}`;
  });
  const looked = await query<Record<string, boolean>>(
    session,
    `SELECT ${asked.join(", ")} FROM (${source.select})`,
  );
  // What cannot be read is met again, and told, when the rows are sent.
  const wide = looked.ok ? doubles.filter((_, i) => looked.rows[0]?.[`c${i}`] === true) : [];
  if (wide.length === 0) return ok(columns);
  const types = wide.map(({ name }) => ({ name, type: "double precision" }));
  const taken = await writer.widen(types);
  if (!taken.ok) return taken;
  const names = new Set(wide.map(({ name }) => name));
  return ok(columns.map((one) => (names.has(one.name) ? { ...one, type: "double precision" } : one)));
}

/** What is to be sent; without a number of rows where nobody has counted them. */
type Sending = Pick<SiftedRows, "select" | "rejects"> & { readonly rows: number | undefined };

async function sifting(
  { job, session, source, maxRejects, writer }: Load,
  columns: readonly TableColumn[],
  { demands, used }: Fit,
): Promise<Result<Sending>> {
  const { file, select, rows } = source;
  if (maxRejects === 0) return ok({ select, rows, rejects: [] });
  job.progress({ phase: "check", done: 0, unit: "rows", ...(rows !== undefined && { total: rows }) });
  const sifted = await sift(session, source, {
    columns: used,
    demands: [...demands, ...nulDemands(source, columns)],
    maxRejects,
  });
  if (!sifted.ok || sifted.value.rejects.length === 0) return sifted;
  const kept = await writer.reject(file, sifted.value.rejects);
  return kept.ok ? sifted : kept;
}

async function send(
  work: Load,
  columns: readonly TableColumn[],
  fit: Fit,
  { select, rows: expected, rejects }: Sending,
): Promise<Result<Outcome>> {
  const { job, writer, session, source, table } = work;
  const total = expected === undefined ? {} : { total: expected };
  const report = (done: number) => job.progress({ phase: "load", done, unit: "rows", ...total });
  const typed = columns.map(({ name, type }) => ({ name, postgresType: type }));
  const rows = new Rows(session.connection, fit.selectFrom(select), typed, report);
  const taken = await copied(writer, rows, job.signal);
  if (job.signal.aborted) session.connection.interrupt();
  await rows.settle();
  if (job.signal.aborted) return fail({ reason: "interrupted" });
  if (rows.broken) return fail(await meaning(rows.broken.error, session, source, fit));
  if (!taken.ok) return taken;
  const lost = [taken.value, expected ?? rows.sent].find((count) => count !== rows.sent);
  if (lost !== undefined)
    return fail({ reason: "rows-lost", table, expected: expected ?? rows.sent, found: taken.value });
  const [first] = rejects;
  return ok({
    kind: "made",
    facts: { rows: rows.sent, bytes: rows.bytes, ...(first && { rejects: rejects.length }) },
    ...(first && { rejected: { file: source.file, first } }),
  });
}

/** When the rows break, a writer may throw what they threw or answer what the server says to their end: `rows.broken` tells. */
async function copied(writer: TableWriter, rows: Rows, signal: AbortSignal): Promise<Result<number>> {
  try {
    return await writer.copy(rows, signal);
  } catch (error) {
    if (rows.broken?.error === error || signal.aborted) return fail({ reason: "interrupted" });
    throw error;
  }
}

async function meaning(error: unknown, session: Session, source: Source, fit: Fit): Promise<Failure> {
  const { file } = source;
  // DuckDB throws plain errors; the others are bugs.
  if (error instanceof assert.AssertionError || error instanceof TypeError || error instanceof RangeError)
    throw error;
  if (error instanceof CopyValueError) {
    const { column, row, text, problem } = error;
    return {
      reason: "bad-value",
      file,
      column: column.name,
      text: text.slice(0, shownText),
      type: column.postgresType,
      problem: `row ${row} ${problem}`,
    };
  }
  const misfit = new RegExp(`${misfitMark}:(\\d+):(.*)`, "s").exec(
    error instanceof Error ? error.message : "",
  );
  if (!misfit) return source.explain(error);
  // DuckDB, with several threads, may have met another one first.
  const found = await firstRefused(session, source, fit.demands);
  const { column, type, problem } = found?.demand ?? fit.demands[Number(misfit[1])]!;
  const text = (found ? found.text : misfit[2]!) ?? "";
  const line = found?.line === undefined ? {} : { line: found.line };
  return { reason: "bad-value", file, ...line, column, text: text.slice(0, shownText), type, problem };
}
