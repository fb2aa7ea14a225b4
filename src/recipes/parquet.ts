// Makes a parquet file of one CSV, JSON or parquet file, by DuckDB, every value checked. Knows nothing of other recipes or of where the file ends up.
import { open, rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { ParquetRecipe } from "../core/rule.js";
import { forParquet } from "../duckdb/parquet-types.js";
import { query } from "../duckdb/query.js";
import { openSession, quotePath, quoteText, type Session } from "../duckdb/session.js";
import { openSource } from "../duckdb/source.js";
import type { Job, Outcome, Runner } from "../engine/ports.js";

const progressEveryMs = 200;
/** An interrupt that comes just before a query begins is lost, so it is sent until it is heard. */
const interruptEveryMs = 20;

/**
 * Runs a `parquet` recipe: reads its one input, writes its one staged path, and takes neither's word for it: the file
 * must begin and end as parquet does, and its footer must count the rows that DuckDB says it wrote.
 *
 * Every value is in the file as it was read. Integers beyond 64 bits are written as DECIMAL(38,0), since parquet has no
 * wider ones: one of 39 digits fails. ENUM comes back as VARCHAR, TIMESTAMP_S and TIMESTAMP_MS as TIMESTAMP. Refused
 * as `unsupported-type` are INTERVAL, TIMETZ, TIME_NS, BIT, BIGNUM and GEOMETRY, which are kept as VARCHAR if so declared.
 */
export const runParquet: Runner<ParquetRecipe> = async (recipe, job) => {
  const paths = job.stage.kind === "files" ? job.stage.paths : [];
  if (job.inputs.length !== 1 || paths.length !== 1) {
    const problem = `\`parquet\` makes one file from one file, not ${paths.length} from ${job.inputs.length}`;
    return fail({ reason: "bad-rule", problem, at: job.step.rule.at });
  }
  if (job.signal.aborted) return fail({ reason: "interrupted" });
  const output = paths[0]!;
  const session = await openSession({ threads: job.threads, progress: true });
  const ended = new AbortController();
  job.signal.addEventListener("abort", () => interruptUntil(session, ended.signal), { signal: ended.signal });
  try {
    const made = await convert(session, recipe, job, { input: job.inputs[0]!, output });
    if (made.ok) return made;
    await rm(output, { force: true });
    return fail(job.signal.aborted ? { reason: "interrupted" } : made.error);
  } finally {
    ended.abort();
    session.close();
  }
};

function interruptUntil(session: Session, ended: AbortSignal): void {
  session.connection.interrupt();
  const again = setInterval(() => session.connection.interrupt(), interruptEveryMs);
  ended.addEventListener("abort", () => clearInterval(again));
}

async function convert(
  session: Session,
  { columns, rename, csv, compression }: ParquetRecipe,
  job: Job,
  { input, output }: { readonly input: string; readonly output: string },
): Promise<Result<Outcome>> {
  const opened = await openSource(session, input, { columns, rename, csv, signal: job.signal });
  if (!opened.ok) return opened;
  if (job.signal.aborted) return fail({ reason: "interrupted" });
  const source = forParquet(opened.value, columns);
  if (!source.ok) return source;
  const { select, explain } = source.value;
  const { size } = await stat(input);
  const ticking = setInterval(() => tell(session, job, size), progressEveryMs);
  try {
    // Without USE_TMP_FILE DuckDB writes `tmp_…` beside the stage, which a killed process leaves behind.
    const copy = `COPY (${select}) TO ${quoteText(resolve(output))} (FORMAT parquet, COMPRESSION ${compression}, USE_TMP_FILE false)`;
    const reader = await session.connection.runAndReadAll(copy);
    return await verified(session, output, Number(reader.getRows()[0]![0]));
  } catch (error) {
    return fail(job.signal.aborted ? { reason: "interrupted" } : await explain(error));
  } finally {
    clearInterval(ticking);
  }
}

/** DuckDB guesses how many rows there will be, but knows how much of the file it has read. */
function tell({ connection }: Session, job: Job, total: number): void {
  const { percentage } = connection.progress;
  if (percentage > 0)
    job.progress({ phase: "converting", done: Math.round((percentage / 100) * total), total, unit: "bytes" });
}

async function verified(session: Session, output: string, rows: number): Promise<Result<Outcome>> {
  const broken = (message: string): Failure => ({ reason: "data-engine", file: output, message });
  const { size: bytes } = await stat(output);
  if (!(await isWhole(output, bytes)))
    return fail(broken("the parquet file that was written does not end as one"));
  const answer = await query<{ num_rows: bigint }>(
    session,
    `SELECT num_rows FROM parquet_file_metadata(${quotePath(output)})`,
  );
  if (!answer.ok) return fail(broken(answer.message));
  const found = Number(answer.rows[0]!.num_rows);
  if (found !== rows) return fail(broken(`${rows} rows were written, ${found} are in the file`));
  return ok({ kind: "made", facts: { rows, bytes } });
}

async function isWhole(path: string, bytes: number): Promise<boolean> {
  const handle = await open(path);
  try {
    const ends = Buffer.alloc(8);
    await handle.read(ends, 0, 4, 0);
    await handle.read(ends, 4, 4, Math.max(0, bytes - 4));
    return ends.toString("latin1") === "PAR1PAR1";
  } finally {
    await handle.close();
  }
}
