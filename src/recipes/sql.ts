// Runs the SQL of a rule: read, values in place, handed to the database. Knows nothing of transactions, partitions or ledgers.
import { strict as assert } from "node:assert";
import { readFile } from "node:fs/promises";
import { fail, ok, type Result } from "../core/failure.js";
import type { SqlRecipe, Statement } from "../core/rule.js";
import { isRelationName, isViewName } from "../core/target.js";
import type { Job, Outcome, QueryWriter, Runner } from "../engine/ports.js";
import { type Named, nameHint, statementOfFile } from "./sql-file.js";
import { type Read, readSql } from "./sql-reading.js";

/** One query's rows become those of the table, or it becomes the view; statements are run as they are. */
export const runSql: Runner<SqlRecipe> = async (recipe, job) => {
  assert(job.stage.kind === "query", `bug: ${job.step.id} is made by SQL and staged as ${job.stage.kind}`);
  const { writer } = job.stage;
  const made = await (recipe.source.from === "file"
    ? runFile(recipe.source, job, writer)
    : runText(recipe.source, job, writer));
  if (!made.ok) return made;
  return ok({ kind: "made", facts: made.value === undefined ? {} : { rows: made.value } } satisfies Outcome);
};

type Source<F extends SqlRecipe["source"]["from"]> = Extract<SqlRecipe["source"], { readonly from: F }>;
type Rows = Promise<Result<number | undefined>>;

async function runText({ render }: Source<"text">, job: Job, writer: QueryWriter): Rows {
  const statement = render({ inputs: inputsOf(job), outputs: job.step.outputs });
  return statement.ok ? run(statement.value, job, writer) : statement;
}

/** All that are there, in order: as in the fingerprint. */
function inputsOf({ step, inputs, tables = step.inputs.filter(isRelationName) }: Job): readonly string[] {
  const there = new Set([...inputs, ...tables]);
  return step.inputs.filter((name) => there.has(name));
}

async function runFile({ path, values }: Source<"file">, job: Job, writer: QueryWriter): Rows {
  const text = await readText(path);
  if (!text.ok) return text;
  const named = namesFor(job, values);
  const statement = await statementOfFile(text.value, named, path);
  if (!statement.ok) return statement;
  const made = await run(statement.value, job, writer);
  if (made.ok || made.error.reason !== "sql-error") return made;
  const hint = made.error.code === "42601" ? await nameHint(text.value, named) : undefined;
  return fail({ ...made.error, file: path, ...(hint !== undefined && { hint }) });
}

function namesFor(job: Job, values: Source<"file">["values"]): Named {
  const [input] = inputsOf(job);
  const [output = ""] = job.step.outputs;
  return { ...values, ...(input !== undefined && { input: { target: input } }), output: { target: output } };
}

async function readText(path: string): Promise<Result<string>> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && typeof error.code === "string")) throw error;
    return fail({ reason: "io", doing: "read", path, code: error.code });
  }
  try {
    // A mark of byte order at its beginning is no SQL, and is left out.
    return ok(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return fail({ reason: "sql-error", file: path, code: "22021", message: "the file is not UTF-8" });
  }
}

async function run(statement: Statement, job: Job, writer: QueryWriter): Rows {
  const read = await readSql(statement);
  if (!read.ok) return read;
  if (job.signal.aborted) return fail({ reason: "interrupted" });
  const refused = refusedForView(read.value, job);
  if (refused) return fail(refused);
  const { kind, statement: sql } = read.value;
  return kind === "query" ? writer.query(sql, job.signal) : writer.run(sql, job.signal);
}

function refusedForView({ kind }: Read, { step }: Job) {
  if (kind === "query" || !isViewName(step.id)) return undefined;
  const message = `\`${step.id}\` is a view, which is one query that changes nothing`;
  const hint = "make a table of it, or a rule for each";
  return { reason: "sql-error", code: "42601", message, hint } as const;
}
