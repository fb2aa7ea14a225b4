// Loads one parquet, CSV or JSON file into the table that a writer stands for: types, checks, rows, counts. Knows nothing of transactions, partitions or ledgers.
import { strict as assert } from "node:assert";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { LoadRecipe } from "../core/rule.js";
import { parseTarget } from "../core/target.js";
import { openSession, quoteIdentifier, type Session } from "../duckdb/session.js";
import { openSource, type Source } from "../duckdb/source.js";
import type { Job, Outcome, Runner, TableColumn, TableWriter } from "../engine/ports.js";
import { CopyValueError } from "../postgres/copy-binary.js";
import { duckdbCastFor } from "../postgres/copy-cast.js";
import { postgresTypeOf } from "../postgres/types.js";
import { Rows } from "./load-rows.js";

/** Postgres cuts longer names without a word (NAMEDATALEN is 64, with the closing NUL). */
const nameBytes = 63;

/** Enough of a value to recognise it by. */
const shownText = 200;

/** Begins the message of the error that the SELECT raises for a value that does not fit its column in the table. */
const misfitMark = "dmake-misfit";

interface Load {
  readonly job: Job;
  readonly writer: TableWriter;
  readonly table: string;
  readonly session: Session;
  readonly source: Source;
}

/**
 * Sends every row of the one input, or fails: each value arrives as it is or stops the load, and the server's count has
 * to be that of the rows sent and that of the file. Column names keep their case, as in the file.
 */
export const runLoad: Runner<LoadRecipe> = async (recipe, job) => {
  assert(job.stage.kind === "table", `bug: ${job.step.id} is loaded into files`);
  const { writer } = job.stage;
  const file = onlyInput(job);
  if (!file.ok) return file;
  if (job.signal.aborted) return fail({ reason: "interrupted" });
  const session = await openSession({ threads: job.threads });
  const interrupt = () => session.connection.interrupt();
  job.signal.addEventListener("abort", interrupt);
  try {
    const source = await openSource(session, file.value, { ...recipe, signal: job.signal });
    if (job.signal.aborted) return fail({ reason: "interrupted" });
    if (!source.ok) return source;
    return await load(recipe, { job, writer, table: tableOf(job), session, source: source.value });
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
  const target = parseTarget(step.id);
  assert(target.ok && target.value.kind === "table", `bug: ${step.id} is no table`);
  const { schema, table } = target.value;
  return schema === undefined ? table : `${schema}.${table}`;
}

async function load({ partitionColumn }: LoadRecipe, work: Load): Promise<Result<Outcome>> {
  const wanted = columnsFor(work, partitionColumn);
  if (!wanted.ok) return wanted;
  const columns = await work.writer.open(wanted.value);
  if (!columns.ok) return columns;
  const select = selectFor(work, columns.value);
  if (!select.ok) return select;
  if (work.job.signal.aborted) return fail({ reason: "interrupted" });
  return send(work, columns.value, select.value);
}

/** The columns to ask the table for. */
function columnsFor(
  { source, table }: Load,
  partitionColumn: string | undefined,
): Result<readonly TableColumn[]> {
  const { file, columns } = source;
  const seen = new Set<string>();
  const wanted: TableColumn[] = [];
  for (const { name, type } of columns) {
    if (name === partitionColumn)
      return fail({ reason: "partition-column-taken", table, column: name, file });
    if (seen.has(name)) return fail({ reason: "duplicate-column", file, column: name });
    const unfit = unfitName(name);
    if (unfit) {
      const help =
        "give the column another name in the file, as with a `sh` or `parquet` rule before this one";
      return fail({
        reason: "table-shape",
        table,
        differences: [`\`${name.slice(0, shownText)}\` in \`${file}\` ${unfit}`],
        help,
      });
    }
    const postgresType = postgresTypeOf(type);
    if (postgresType === undefined) {
      const help = `Postgres has no such type; load it as text, with \`columns: { ${JSON.stringify(name)}: "VARCHAR" }\``;
      return fail({ reason: "unsupported-type", file, column: name, type, help });
    }
    seen.add(name);
    wanted.push({ name, type: postgresType });
  }
  return ok(wanted);
}

function unfitName(name: string): string | undefined {
  if (name === "") return "is a column without a name";
  if (name.includes("\0")) return "has the character NUL in its name";
  const bytes = Buffer.byteLength(name);
  return bytes > nameBytes ? `has a name of ${bytes} bytes, of which Postgres keeps ${nameBytes}` : undefined;
}

/** Casts each column to what the table has. The pairs that have no cast are told all at once. */
function selectFor({ source, table }: Load, columns: readonly TableColumn[]): Result<string> {
  const differences: string[] = [];
  const expressions = columns.map(({ name, type }, index) => {
    const column = source.columns.find((other) => other.name === name);
    assert(column, `bug: the table wants \`${name}\`, which ${source.file} does not have`);
    const cast = duckdbCastFor(type, column.type);
    if (!cast)
      differences.push(
        `\`${name}\` is \`${column.type}\` in \`${source.file}\` and \`${type}\` in the table`,
      );
    const value = quoteIdentifier(name);
    return `${cast?.(value, (misfit) => misfitSql(index, misfit)) ?? value} AS ${value}`;
  });
  if (differences.length === 0) return ok(`SELECT ${expressions.join(", ")} FROM (${source.select})`);
  const help =
    'give the columns their types in the Datafile, as `columns: { amount: "DOUBLE" }`, or change the table with ALTER TABLE';
  return fail({ reason: "table-shape", table, differences, help });
}

const misfitSql = (column: number, value: string): string =>
  `error('${misfitMark}:${column}:' || left(CAST(${value} AS VARCHAR), ${shownText}))`;

async function send(work: Load, columns: readonly TableColumn[], select: string): Promise<Result<Outcome>> {
  const { job, writer, session, source, table } = work;
  const total = source.rows === undefined ? {} : { total: source.rows };
  const report = (done: number) => job.progress({ phase: "load", done, unit: "rows", ...total });
  const typed = columns.map(({ name, type }) => ({ name, postgresType: type }));
  const rows = new Rows(session.connection, select, typed, report);
  const taken = await copied(writer, rows, job.signal);
  if (job.signal.aborted) session.connection.interrupt();
  await rows.settle();
  if (job.signal.aborted) return fail({ reason: "interrupted" });
  if (rows.broken) return fail(await meaning(rows.broken.error, columns, source));
  if (!taken.ok) return taken;
  const lost = [taken.value, source.rows ?? rows.sent].find((count) => count !== rows.sent);
  if (lost !== undefined)
    return fail({ reason: "rows-lost", table, expected: source.rows ?? rows.sent, found: taken.value });
  return ok({ kind: "made", facts: { rows: rows.sent, bytes: rows.bytes } });
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

async function meaning(error: unknown, columns: readonly TableColumn[], source: Source): Promise<Failure> {
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
  const { name, type } = columns[Number(misfit[1])]!;
  return {
    reason: "bad-value",
    file,
    column: name,
    text: misfit[2]!,
    type,
    problem: `does not fit the table's \`${type}\` without being rounded or cut`,
  };
}
