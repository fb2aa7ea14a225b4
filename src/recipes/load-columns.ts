// Says which columns to ask a table for, and refuses names and types that Postgres does not have. Knows nothing of rows.
import { fail, ok, type Result } from "../core/failure.js";
import type { Source } from "../duckdb/source.js";
import type { TableColumn } from "../engine/ports.js";
import { postgresTypeOf } from "../postgres/types.js";

/** Postgres cuts longer names without a word (NAMEDATALEN is 64, with the closing NUL). */
const nameBytes = 63;

const shownName = 200;

export interface Key {
  /** The partition column's name. */
  readonly column: string | undefined;
  /** A column of the data of that name is it. */
  readonly own: boolean;
}

/** The columns of `source` as Postgres would have them. `table` is named in failures. */
export function columnsFor(
  { file, format, columns, raw }: Source,
  table: string,
  key: Key,
): Result<readonly TableColumn[]> {
  const seen = new Set<string>();
  const wanted: TableColumn[] = [];
  for (const [index, { name, type, unseen }] of columns.entries()) {
    if (name === key.column && !key.own)
      return fail({ reason: "partition-column-taken", table, column: name, file });
    if (seen.has(name)) return fail({ reason: "duplicate-column", file, column: name });
    const unfit = unfitName(name);
    if (unfit) {
      const differences = [`\`${name.slice(0, shownName)}\` in \`${file}\` ${unfit}`];
      const help = "give the column another name with `rename`, or in the file by a rule before this one";
      return fail({ reason: "table-shape", table, differences, help });
    }
    const postgresType = postgresTypeOf(type);
    if (postgresType === undefined) {
      const help = `Postgres has no such type; load it as text, with \`columns: { ${JSON.stringify(name)}: "VARCHAR" }\``;
      return fail({ reason: "unsupported-type", file, column: name, type, help });
    }
    seen.add(name);
    const isSampled = format === "csv" && !unseen && raw.columns[index]?.reading.chosen === "sampled";
    wanted.push({
      name,
      type: postgresType,
      ...(unseen && { unseen }),
      ...(isSampled && { sampled: true }),
    });
  }
  return ok(wanted);
}

function unfitName(name: string): string | undefined {
  if (name === "") return "is a column without a name";
  if (name.includes("\0")) return "has the character NUL in its name";
  const bytes = Buffer.byteLength(name);
  return bytes > nameBytes ? `has a name of ${bytes} bytes, of which Postgres keeps ${nameBytes}` : undefined;
}
