// Runs the statements that a declaration comes to, and gives new indexes and keys names that are free. Knows nothing of what is declared.
import type { Session } from "./table-session.js";

/** What makes an index or a key: the names that it may have, the nicest first, and the statement that gives it one. */
export interface Naming {
  readonly names: readonly string[];
  readonly under: (name: string) => string;
}

export type WorkStatement = string | Naming;

/** One after the other, so that a name which one of them takes or gives up is taken or free for the next. */
export async function carryOut(
  session: Session,
  schema: string,
  statements: readonly WorkStatement[],
): Promise<void> {
  for (const statement of statements)
    await session.query(
      typeof statement === "string"
        ? statement
        : statement.under(await freeName(session, schema, statement.names)),
    );
}

/**
 * The first name that no table, index or key of the schema has: a table that was renamed keeps its indexes' names, and
 * another table's name may end as this one's columns begin. If all are taken, the last, for Postgres to refuse.
 */
async function freeName(session: Session, schema: string, names: readonly string[]): Promise<string> {
  const [row] = await session.query<{ name: string }>(
    `SELECT w.name FROM pg_namespace n, unnest($2::text[]) WITH ORDINALITY AS w (name, i)
      WHERE n.nspname = $1 AND NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = w.name)
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE connamespace = n.oid AND conname = w.name)
      ORDER BY w.i LIMIT 1`,
    [schema, names],
  );
  return row?.name ?? names.at(-1)!;
}
