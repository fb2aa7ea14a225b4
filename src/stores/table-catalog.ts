// Small questions to Postgres' catalogues: names, columns, bounds, definitions. Changes nothing, and knows nothing of loads.
import { fail, ok, type Result } from "../core/failure.js";
import { ledgerSchema } from "./table-name.js";
import type { Session } from "./table-session.js";

/**
 * The first schema of the search path that exists, as `current_schema()`, but for the ledger's own: for a user called
 * `dmake` the path `"$user", public` would lead there as soon as there is a ledger.
 */
export async function readDefaultSchema(session: Session): Promise<Result<string>> {
  const [row] = await session.query<{ schema: string }>(
    "SELECT schema FROM unnest(current_schemas(false)) WITH ORDINALITY AS path (schema, n) WHERE schema <> $1 ORDER BY n LIMIT 1",
    [ledgerSchema],
  );
  if (row !== undefined) return ok(row.schema);
  return fail({
    reason: "usage",
    message: "no schema of the search path exists; write `table:SCHEMA.NAME`",
  });
}

/** A value as it stands in a printed bound, between quotes if it is not a number, with `standard_conforming_strings` on. */
export const boundNeedle = (value: string): string => value.replaceAll("'", "''");

/** `FOR VALUES IN ('a', 'it''s', 7)` → `a`, `it's` and `7`. Other kinds of bounds have no values. */
export function listValues(bound: string): readonly string[] {
  const list = /^FOR VALUES IN \((.*)\)$/s.exec(bound)?.[1];
  if (list === undefined) return [];
  // Bare, NULL is no value that a partition's name could say.
  return [...list.matchAll(/'((?:[^']|'')*)'|[^',\s]+/g)].flatMap(([bare, inner]) =>
    inner === undefined && bare === "NULL" ? [] : [inner?.replaceAll("''", "'") ?? bare],
  );
}

/** Whether a table, view, index or type has the name already. */
export async function nameTaken(session: Session, schema: string, name: string): Promise<boolean> {
  const rows = await session.query(
    `SELECT FROM pg_namespace n WHERE n.nspname = $1
        AND (EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = $2)
          OR EXISTS (SELECT FROM pg_type WHERE typnamespace = n.oid AND typname = $2))`,
    [schema, name],
  );
  return rows.length > 0;
}

/**
 * As SQL, for the `oid` of a view: a digest of what it selects. Of its rule as Postgres keeps it: how `pg_get_viewdef` prints
 * one depends on the search path of whoever asks, and on the names that columns have by now.
 */
export const definitionSql = (oid: string): string =>
  `SELECT md5(ev_action::text) FROM pg_rewrite WHERE ev_class = ${oid} AND rulename = '_RETURN'`;

/** What the mark of a view holds, so that it can be told from one that somebody has put in its place. */
export async function readDefinition(
  session: Session,
  schema: string,
  name: string,
): Promise<string | undefined> {
  const [row] = await session.query<{ definition: string | null }>(
    `SELECT (${definitionSql("c.oid")}) AS definition
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'v'`,
    [schema, name],
  );
  return row?.definition ?? undefined;
}

/** A table's columns in order, with their types as `format_type` spells them. */
export async function readColumns(
  session: Session,
  schema: string,
  name: string,
): Promise<readonly { readonly name: string; readonly type: string }[]> {
  return session.query<{ name: string; type: string }>(
    `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [schema, name],
  );
}
