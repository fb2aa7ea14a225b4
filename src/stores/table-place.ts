// Finds the table in which the rows of a target lie, by the catalogue, without a lock. Knows nothing of what is recorded.
import { boundNeedle, listValues } from "./table-catalog.js";
import type { Address } from "./table-name.js";
import type { Row, Session } from "./table-session.js";

/** Where rows lie. */
export interface Place extends Row {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: "r" | "v";
  /** A partition of the table, and its bound. */
  readonly part: boolean;
  readonly bound: string | null;
}

const placesSql = `
  SELECT c.oid::int8::float8 AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind, false AS part, NULL AS bound
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'v')
   UNION ALL
  SELECT p.oid::int8::float8, pn.nspname, p.relname, p.relkind, true, pg_get_expr(p.relpartbound, p.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_inherits i ON i.inhparent = c.oid
    JOIN pg_class p ON p.oid = i.inhrelid AND p.relkind = 'r' JOIN pg_namespace pn ON pn.oid = p.relnamespace
   WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'p'
     AND (strpos(pg_get_expr(p.relpartbound, p.oid), $3) > 0 OR pg_get_expr(p.relpartbound, p.oid) IS NULL)`;

/**
 * The table that has the rows of an address, or the view. A partition's rows may lie among others in one table. `moved`: a
 * partition was being replaced, so that it has to be asked again.
 *
 * What the catalogue's rows say is as of the query's snapshot, but a bound is printed only while its table is there.
 */
export async function placeOf(
  session: Session,
  { schema, table, partition }: Address,
): Promise<Place | undefined | "moved"> {
  const places = await session.query<Place>(placesSql, [schema, table, boundNeedle(partition ?? "")]);
  const found = places.find(({ part, bound }) =>
    part ? partition !== undefined && listValues(bound ?? "").includes(partition) : true,
  );
  return found ?? (places.some(({ part, bound }) => part && bound === null) ? "moved" : undefined);
}
