// A statement as it is sent: values bound or quoted, names looked up, and the server's complaints with their place in the text that was written. Knows nothing of what it makes.
import pg from "pg";
import { type Failure, ok, type Result } from "../core/failure.js";
import type { SqlName, SqlValue, Statement } from "../core/rule.js";
import { placeOf } from "../core/statement-place.js";
import { literal } from "./table-name.js";

/** What is sent, and how long its pieces are. */
export interface Sent {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  readonly statement: Statement;
  /** What each value became. */
  readonly pieces: readonly string[];
}

/** More cannot be bound to one statement: they are counted in 16 bits. */
const mostParameters = 65_535;

/** `bound`: where Postgres takes parameters, in a query. Elsewhere values are quoted. */
export async function sentOf(
  statement: Statement,
  how: "bound" | "quoted",
  nameOf: (name: SqlName) => Promise<Result<string>>,
): Promise<Result<Sent>> {
  const parameters: unknown[] = [];
  const pieces: string[] = [];
  const isBound = how === "bound" && statement.values.length <= mostParameters;
  for (const value of statement.values) {
    if (typeof value === "object" && value !== null) {
      const name = await nameOf(value);
      if (!name.ok) return name;
      pieces.push(name.value);
    } else if (isBound) {
      parameters.push(value);
      pieces.push(`$${parameters.length}${castOf(value)}`);
    } else pieces.push(literalOf(value));
  }
  const sql = statement.texts.map((text, i) => text + (pieces[i] ?? "")).join("");
  return ok({ sql, parameters, statement, pieces });
}

/** A parameter is of the type that a number written there would be of; a text is of the one that its place asks for, as `'…'`. */
function castOf(value: SqlValue): string {
  if (typeof value === "boolean") return "::boolean";
  if (typeof value !== "number") return "";
  if (!Number.isInteger(value)) return "::numeric";
  return Math.abs(value) < 2 ** 31 ? "::integer" : "::bigint";
}

/** As SQL. In brackets, lest `- -1` become a comment; with a space before, lest `u&` in front of it be taken for its own. */
function literalOf(value: SqlValue): string {
  if (value === null) return "NULL";
  if (typeof value === "string") return ` ${literal(value)}`;
  return typeof value === "number" && value < 0 ? `(${value})` : String(value);
}

/** What may pass when it is tried again, or is not about the SQL: a deadlock, a lock, no room, a server that ends. */
const passing = /^(40...|55P03|57...|53...|08...|58...|25P0[34])$/;

/** What the server says of a statement that stood behind `prefix`; nothing if it is not about the statement. */
export function sqlFailure(error: unknown, sent: Sent, prefix = ""): Failure | undefined {
  if (!(error instanceof pg.DatabaseError) || passing.test(error.code ?? "")) return undefined;
  const { code = "", message, detail, hint, position } = error;
  const at = position === undefined ? -1 : Number(position) - 1 - [...prefix].length;
  return {
    reason: "sql-error",
    ...(at >= 0 && placeOf(sent.statement, sent.pieces, at)),
    code,
    message,
    ...(detail && { detail }),
    ...(hint && { hint }),
  };
}
