// What a Datafile says of columns by their names, held against the columns there are: other names, and types that DuckDB has. Knows nothing of values.
import { fail, ok, type Result } from "../core/failure.js";
import type { ColumnTypes, Renames } from "../core/rule.js";
import { query } from "./query.js";
import type { Session } from "./session.js";

/** A name as it is spelt among others: itself, or the only one that differs by case alone, as publishers change it. */
function spelt(name: string, names: readonly string[]): string | undefined {
  if (names.includes(name)) return name;
  const [only, ...more] = names.filter((other) => other.toLowerCase() === name.toLowerCase());
  return more.length === 0 ? only : undefined;
}

/** The names of a file's columns from here on. Names that it does not have are passed over. */
export function renamedColumns(names: readonly string[], rename: Renames): readonly string[] {
  const wanted = new Map<string, string>();
  for (const [from, to] of Object.entries(rename)) {
    const name = spelt(from, names);
    if (name !== undefined && (name === from || !Object.hasOwn(rename, name))) wanted.set(name, to);
  }
  return names.map((name) => wanted.get(name) ?? name);
}

/** Column name → type as DuckDB spells it (`int8` becomes `BIGINT`). */
export async function resolveTypes(
  session: Session,
  file: string,
  declared: ColumnTypes,
  known: readonly string[],
): Promise<Result<ReadonlyMap<string, string>>> {
  const types = new Map<string, string>();
  for (const [column, written] of Object.entries(declared)) {
    const name = spelt(column, known);
    if (name === undefined) return fail({ reason: "unknown-column", file, column, known });
    const unsupported = { reason: "unsupported-type", file, column, type: written } as const;
    if (!isTypeText(written))
      return fail({ ...unsupported, help: "a type is written as `BIGINT` or `DECIMAL(10,2)`" });
    const answer = await query<{ type: string }>(session, `SELECT typeof(CAST(NULL AS ${written})) AS type`);
    if (!answer.ok) return fail({ ...unsupported, help: answer.message.split("\n").join(" ") });
    types.set(name, answer.rows[0]!.type);
  }
  return ok(types);
}

/** The text goes into SQL as it is, so it may not close the parenthesis that it is put in. */
function isTypeText(text: string): boolean {
  // What is quoted is only names of fields and values of enums.
  const bare = text.replace(/'[\w\s]*'|"[\w\s]*"/g, "");
  if (!/^[\w\s(),[\]]+$/.test(bare)) return false;
  let depth = 0;
  for (const character of bare) {
    if (character === "(") depth++;
    if (character === ")") depth--;
    if (depth < 0) return false;
  }
  return depth === 0;
}
