// The types that a Datafile gives for columns, checked against the columns there are and the types DuckDB has. Knows nothing of values.
import { fail, ok, type Result } from "../core/failure.js";
import type { ColumnTypes } from "../core/rule.js";
import { query } from "./query.js";
import type { Session } from "./session.js";

/** Column name → type as DuckDB spells it (`int8` becomes `BIGINT`). */
export async function resolveTypes(
  session: Session,
  file: string,
  declared: ColumnTypes,
  known: readonly string[],
): Promise<Result<ReadonlyMap<string, string>>> {
  const types = new Map<string, string>();
  for (const [column, written] of Object.entries(declared)) {
    if (!known.includes(column)) return fail({ reason: "unknown-column", file, column, known });
    const unsupported = { reason: "unsupported-type", file, column, type: written } as const;
    if (!isTypeText(written))
      return fail({ ...unsupported, help: "a type is written as `BIGINT` or `DECIMAL(10,2)`" });
    const answer = await query<{ type: string }>(session, `SELECT typeof(CAST(NULL AS ${written})) AS type`);
    if (!answer.ok) return fail({ ...unsupported, help: answer.message.split("\n").join(" ") });
    types.set(column, answer.rows[0]!.type);
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
