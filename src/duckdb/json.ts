// A JSON file, an array or one object a line, as a Source. Knows nothing of CSV.
import { open } from "node:fs/promises";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { renamedColumns, resolveTypes } from "./declared.js";
import { badValue, badValueAt, checked, findValue, type TypedColumn } from "./find-value.js";
import { prepareText, type Unpacked } from "./prepare.js";
import { plainMessage, query } from "./query.js";
import { sampleTypes } from "./sample.js";
import { quoteIdentifier, quotePath, quoteText, type Session } from "./session.js";
import type { Source, SourceOptions } from "./source.js";
import { isNested, type Reading } from "./text-checks.js";

const largestObject = 64 * 1024 * 1024;

const integer = /^U?((TINY|SMALL|BIG|HUGE)INT|INTEGER)$/;
/** In these DuckDB would cut a fraction, round digits away or drop an offset; so they are read as text and checked. */
const readAsText = /^(U?((TINY|SMALL|BIG|HUGE)INT|INTEGER)|DOUBLE|FLOAT|DECIMAL\(.*|DATE|TIME.*)$/;
const temporal = /(^|[ (])(DATE|TIMESTAMP(_\w+| WITH TIME ZONE)?|TIME|UUID)(?=[),[]|$)/g;

/**
 * Opens a JSON file. The whole file is looked at for names and types, since a key that first comes late would be an error.
 * Nested values keep their shape, as STRUCT and LIST; numbers in them are typed by DuckDB, texts stay texts.
 */
export async function openJson(
  session: Session,
  file: string,
  { path: packed, head }: Unpacked,
  options: SourceOptions,
): Promise<Result<Source>> {
  const prepared = await prepareText(session, packed, head, options.csv.encoding, { signal: options.signal });
  if (!prepared.ok) return fail({ ...prepared.error, ...("file" in prepared.error && { file }) });
  const { path } = prepared.value;
  const shape = await outerShape(path);
  if (shape === "empty") return fail({ reason: "empty-file", file, expected: "JSON objects" });
  if (shape === "cut")
    return fail({ reason: "not-that-format", file, expected: "json", found: "JSON that ends in the middle" });
  const reader = (more: string) =>
    `read_json(${quotePath(path)}, format = '${shape}', records = true, maximum_object_size = ${largestObject}, ` +
    `hive_partitioning = false, filename = false, union_by_name = false, ${more})`;
  const columns = await columnsOf(session, file, reader, options);
  if (!columns.ok) return columns;
  const fields = columns.value.map(
    ({ key, type, isText }) => `${quoteText(key)}: ${quoteText(isText ? "VARCHAR" : type)}`,
  );
  const named = columns.value.map(({ key, name }) => `${quoteIdentifier(key)} AS ${quoteIdentifier(name)}`);
  const from = `(SELECT ${named.join(", ")} FROM ${reader(`columns = {${fields.join(", ")}}`)})`;
  const texts = columns.value.filter(({ isText }) => isText);
  const sampled = await sampleTypes(session, from, texts, options.csv, (error) =>
    explainJson(session, file, from, [], error),
  );
  if (!sampled.ok) return sampled;
  const typed = new Map(sampled.value.map((column) => [column.name, column]));
  return ok({
    file,
    format: "json",
    columns: columns.value.map(({ name, type, unseen }) => ({
      name,
      type: typed.get(name)?.reading.type ?? type,
      ...(unseen && { unseen }),
    })),
    select: `SELECT ${columns.value.map(({ name }) => (typed.has(name) ? checked(typed.get(name)!) : quoteIdentifier(name))).join(", ")} FROM ${from}`,
    rows: undefined,
    explain: (error) => explainJson(session, file, from, sampled.value, error),
    raw: {
      from,
      columns: columns.value.map((column) => typed.get(column.name) ?? asStored(column)),
      rejects: [],
    },
  });
}

const asStored = ({ name, type }: JsonColumn): TypedColumn => ({
  name,
  stored: type,
  reading: { type, chosen: "declared" },
});

/** DuckDB takes an array that is cut short for a whole one. */
async function outerShape(path: string): Promise<"array" | "auto" | "cut" | "empty"> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    const length = Math.min(size, 4096);
    const first = await handle.read(Buffer.alloc(length), 0, length, 0);
    const last = await handle.read(Buffer.alloc(length), 0, length, size - length);
    const begin = first.buffer
      .toString("utf8")
      .replace(/^\uFEFF/, "")
      .trim();
    if (begin === "" || /^\[\s*\]$/.test(begin)) return "empty";
    if (!begin.startsWith("[")) return "auto";
    return last.buffer.toString("utf8").trim().endsWith("]") ? "array" : "cut";
  } finally {
    await handle.close();
  }
}

interface JsonColumn {
  /** In the file. */
  readonly key: string;
  readonly name: string;
  readonly type: string;
  /** Read as text and checked; the others DuckDB reads as they are. */
  readonly isText: boolean;
  readonly declared: string | undefined;
  readonly known?: Reading;
  readonly unseen?: true;
}

async function columnsOf(
  session: Session,
  file: string,
  reader: (more: string) => string,
  { columns: declared, rename = {} }: SourceOptions,
): Promise<Result<readonly JsonColumn[]>> {
  const all = "sample_size = -1, convert_strings_to_integers = false, map_inference_threshold = -1";
  const found = await query<{ column_name: string; column_type: string }>(
    session,
    `DESCRIBE SELECT * FROM ${reader(all)}`,
  );
  if (!found.ok) return fail(asRow(file, found.message));
  const keys = found.rows.map(({ column_name }) => column_name);
  const names = renamedColumns(keys, rename);
  const lower = names.map((name) => name.toLowerCase());
  const twice = names.find((name, at) => lower.indexOf(name.toLowerCase()) < at);
  if (twice !== undefined) return fail({ reason: "duplicate-column", file, column: twice });
  const types = await resolveTypes(session, file, declared, names);
  if (!types.ok) return types;
  for (const [column, type] of types.value) {
    if (isNested(type))
      return fail({
        reason: "unsupported-type",
        file,
        column,
        type,
        help: "nested types are taken from the data",
      });
  }
  const unseen = await unseenKeys(session, reader, found.rows);
  return ok(
    found.rows.map(({ column_name: key, column_type }, at): JsonColumn => {
      const type = types.value.get(names[at]!);
      if (type === undefined && unseen.has(key))
        return { key, name: names[at]!, type: "VARCHAR", isText: false, declared: undefined, unseen: true };
      return { key, ...jsonColumn(names[at]!, column_type, type) };
    }),
  );
}

/** DuckDB calls JSON what is null everywhere, and what is of more than one type. */
async function unseenKeys(
  session: Session,
  reader: (more: string) => string,
  found: readonly { readonly column_name: string; readonly column_type: string }[],
): Promise<ReadonlySet<string>> {
  const inQuestion = found
    .filter(({ column_type }) => column_type === "JSON")
    .map(({ column_name }) => column_name);
  if (inQuestion.length === 0) return new Set();
  const columns = inQuestion.map((key) => `${quoteText(key)}: 'VARCHAR'`).join(", ");
  const counts = inQuestion.map((key, at) => `count(${quoteIdentifier(key)}) AS n${at}`).join(", ");
  const answer = await query<Record<string, bigint>>(
    session,
    `SELECT ${counts} FROM ${reader(`columns = {${columns}}`)}`,
  );
  return new Set(answer.ok ? inQuestion.filter((_, at) => answer.rows[0]![`n${at}`] === 0n) : []);
}

function jsonColumn(name: string, found: string, declared: string | undefined): Omit<JsonColumn, "key"> {
  if (declared !== undefined) return { name, type: declared, isText: declared !== "JSON", declared };
  // A JSON text stays one: `"007"` is no number. What looks like a UUID may be one in this file only.
  if (found === "VARCHAR" || found === "UUID") return { name, type: "VARCHAR", isText: false, declared };
  if (isNested(found)) return { name, type: found.replace(temporal, "$1VARCHAR"), isText: false, declared };
  // All values have been looked at for these. A DOUBLE is checked as if sampled: DuckDB takes 2^64 + 1 for one.
  if (found === "DOUBLE")
    return { name, type: found, isText: true, declared, known: { type: found, chosen: "sampled" } };
  return {
    name,
    type: found,
    isText: readAsText.test(found),
    declared: integer.test(found) ? found : undefined,
  };
}

async function explainJson(
  session: Session,
  file: string,
  from: string,
  columns: readonly TypedColumn[],
  error: unknown,
): Promise<Failure> {
  const message = plainMessage(error);
  if (/INTERRUPT/i.test(message)) return { reason: "interrupted" };
  const found = message.includes(badValue) ? await findValue(session, from, columns) : undefined;
  return found ? badValueAt(file, columns[found.index]!, found.text, {}) : asRow(file, message);
}

function asRow(file: string, message: string): Failure {
  const line = /in (?:line|record\/value) (\d+)/.exec(message)?.[1];
  const first = message.split("\n")[0]!;
  if (line === undefined) return { reason: "data-engine", file, message: first };
  return {
    reason: "bad-row",
    file,
    line: Number(line),
    problem: first.replace(/^.*?in (line|record\/value) \d+: */, ""),
  };
}
