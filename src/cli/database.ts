// The verbs `db` and `sql`: a way into the project's database. Knows nothing of targets.
import { dirname, resolve } from "node:path";
import type { QueryArrayResult } from "pg";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { diagnose } from "./diagnose.js";
import type { DbCommand, SqlCommand } from "./options.js";
import { type Ending, enterProject, type Surroundings } from "./project.js";
import { onOneLine } from "./words.js";
import { lazyDatabase, usesEmbedded } from "./world.js";

/** The folder whose database is meant. An embedded one is a project's, so a folder without a Datafile has none. */
async function projectOf(
  command: Pick<DbCommand, "directory" | "datafile">,
  { env, changeDirectory }: Surroundings,
): Promise<Result<string>> {
  if (!(await usesEmbedded(env))) return ok(resolve(command.directory ?? "."));
  const datafile = enterProject(command, changeDirectory);
  return datafile.ok ? ok(dirname(datafile.value)) : datafile;
}

function refused(failure: Failure, { screen }: Surroundings): Ending {
  screen.err(diagnose(failure));
  return "refused";
}

function ended(result: Result<void>, { screen }: Surroundings): Ending {
  if (result.ok) return "good";
  screen.err(diagnose(result.error));
  return "failed";
}

/** Prints the URL. The embedded server is started if need be and stays up until `dmake db --stop`. */
export async function runDb(command: DbCommand, around: Surroundings): Promise<Ending> {
  const root = await projectOf(command, around);
  if (!root.ok) return refused(root.error, around);
  return ended(command.stop ? await stop(root.value, around) : await show(root.value, around), around);
}

async function show(root: string, { env, screen }: Surroundings): Promise<Result<void>> {
  const database = lazyDatabase({ root, env });
  const opened = await database.open();
  if (!opened.ok) return opened;
  try {
    if (await usesEmbedded(env)) (await import("../postgres/embedded.js")).keepEmbedded({ root });
    screen.out(opened.value.url);
    return ok(undefined);
  } finally {
    await database.close();
  }
}

async function stop(root: string, { screen }: Surroundings): Promise<Result<void>> {
  const { stopEmbedded } = await import("../postgres/embedded.js");
  const stopped = await stopEmbedded({ root });
  if (!stopped.ok) return stopped;
  screen.out(
    {
      stopped: "stopped",
      "not-running": "it was not running",
      "in-use": "still in use: it stops when the last one leaves",
    }[stopped.value],
  );
  return ok(undefined);
}

/** Runs SQL and prints the rows of each statement as a table, or as one JSON object each. */
export async function runSql(command: SqlCommand, around: Surroundings): Promise<Ending> {
  const root = await projectOf(command, around);
  if (!root.ok) return refused(root.error, around);
  const database = lazyDatabase({ root: root.value, env: around.env });
  const signal = around.interruptible();
  const opened = await database.open();
  if (!opened.ok) return ended(opened, around);
  const leave = () => void database.close();
  signal.addEventListener("abort", leave, { once: true });
  try {
    const client = await opened.value.client();
    if (!client.ok) return ended(client, around);
    const { pathWithoutLedger } = await import("../stores/table-name.js");
    await client.value.query(`SELECT ${pathWithoutLedger(false)}`);
    // Several statements answer a list of results, which the types of pg do not say.
    const answer: unknown = await client.value.query({
      text: command.statement,
      rowMode: "array",
      // Values as the server writes them: nothing is rounded or moved to another time zone on the way to the screen.
      types: { getTypeParser: () => (value: string) => value },
    });
    for (const result of [answer].flat() as Answer[])
      for (const line of command.json ? jsonLines(result) : textLines(result)) around.screen.out(line);
    await client.value.end();
    return "good";
  } catch (error) {
    if (signal.aborted) return "failed";
    return ended(fail(opened.value.failure(error, "run the statement")), around);
  } finally {
    await database.close();
  }
}

type Answer = Pick<QueryArrayResult<(string | null)[]>, "rows" | "fields" | "command" | "rowCount">;

const jsonLines = ({ fields, rows }: Answer): string[] => rows.map((row) => jsonObject(fields, row));

function textLines({ fields, rows, command, rowCount }: Answer): string[] {
  if (fields.length > 0)
    return tableLines(
      fields.map(({ name }) => name),
      rows,
    );
  return command ? [`${command}${rowCount === null ? "" : ` ${rowCount}`}`] : [];
}

/** int8, int2, int4, json, float4, float8, numeric, jsonb: what the server writes is JSON already. */
const jsonTypes = new Set([20, 21, 23, 114, 700, 701, 1700, 3802]);
const boolType = 16;

/** One row as JSON. Numbers keep every digit, which `JSON.stringify` of a JavaScript number would not. */
function jsonObject(
  fields: readonly { readonly name: string; readonly dataTypeID: number }[],
  row: readonly (string | null)[],
): string {
  const members = fields.map(({ name, dataTypeID }, i) => {
    const text = row[i] ?? null;
    return `${JSON.stringify(name)}:${jsonValue(text, dataTypeID)}`;
  });
  return `{${members.join(",")}}`;
}

function jsonValue(text: string | null, type: number): string {
  if (text === null) return "null";
  if (type === boolType) return text === "t" ? "true" : "false";
  return jsonTypes.has(type) && !/^-?(NaN|Infinity)$/.test(text) ? text : JSON.stringify(text);
}

/** A header, a rule, the rows; numbers to the right. */
function tableLines(names: readonly string[], rows: Answer["rows"]): string[] {
  const texts = rows.map((row) => row.map((value) => (value === null ? "NULL" : onOneLine(value))));
  const widths = names.map((name) => name.length);
  const numeric = names.map(() => true);
  for (const row of texts)
    for (const [i, text] of row.entries()) {
      widths[i] = Math.max(widths[i] ?? 0, text.length);
      numeric[i] &&= /^(-?[\d.]*|NULL)$/.test(text);
    }
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join(" | ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("-+-");
  return [line(names), rule, ...texts.map(line), `(${rows.length} ${rows.length === 1 ? "row" : "rows"})`];
}
