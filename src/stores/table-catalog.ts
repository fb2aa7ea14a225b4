// Reads from Postgres' catalogues what tables and partitions there are, without a lock on any of them. Changes nothing, and knows nothing of loads.
import { digestOf } from "../core/fingerprint.js";
import type { Digest, Fact } from "../core/trace.js";
import type { Address } from "./table-name.js";
import type { Row, Session } from "./table-session.js";

/** What a partition's table (or a whole table) says of itself in its COMMENT, as JSON. */
interface Mark {
  /** Format of the comment. */
  readonly dmake: 1;
  readonly target: string;
  /** Of recipe and inputs: the idempotency key of the load. */
  readonly fingerprint: Digest;
  /** Of what the load says. Marks of a dmake before version 2 of the ledger have none; the fingerprint stands for it then. */
  readonly content?: Digest;
  readonly attempt: string;
  readonly rows: number;
}

/** A table or partition as it is found. */
export interface Found {
  readonly fact: Fact;
  /** Nothing where dmake has not loaded it, or where what was loaded is not there any more. */
  readonly mark?: Mark;
}

/** Stands for the content of a table that is there but that dmake has not loaded: differs from every other digest. */
const unrecorded: Digest = digestOf("a table that dmake has not loaded");

export interface ExistingColumn {
  readonly name: string;
  /** As `format_type` spells it. */
  readonly type: string;
  readonly notNull: boolean;
  /** The expression, if the column has one. */
  readonly default: string | undefined;
  /** Filled by Postgres itself: never sent. */
  readonly computed: boolean;
}

/** A named piece of a table's definition, as Postgres prints it. */
export interface Part {
  readonly name: string;
  readonly definition: string;
}

export interface ExistingTable {
  /** `partitioned` only where it is so by LIST of one column, which is then the `key`. */
  readonly kind: "plain" | "partitioned" | "other";
  readonly key: string | undefined;
  readonly columns: readonly ExistingColumn[];
  readonly checks: readonly Part[];
  /** Primary keys and unique constraints. */
  readonly keys: readonly Part[];
  /** Other indexes; `definition` is what follows the table's name. */
  readonly indexes: readonly Part[];
  /** Somebody's own triggers, which may change what is inserted. */
  readonly triggers: boolean;
}

interface ExistingPartition {
  readonly schema: string;
  readonly name: string;
  /** An ordinary table with this one value: it can be swapped. */
  readonly simple: boolean;
}

interface RelationRow extends Row {
  readonly schema: string;
  readonly table: string;
  readonly bound: string | null;
  readonly comment: string | null;
  readonly bytes: string | null;
}

// One query for any number of tables and partitions: a round trip each would cost more than all of it.
// The size is asked for only where the comment may be ours: it looks at the file, and waits for whoever has the table locked.
const relationsSql = `
  SELECT n.nspname AS schema, c.relname AS table, pg_get_expr(p.relpartbound, p.oid) AS bound, d.comment,
         CASE WHEN d.comment LIKE '{"dmake"%' THEN pg_relation_size(coalesce(p.oid, c.oid)) END AS bytes
    FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
    JOIN pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    LEFT JOIN pg_inherits i ON i.inhparent = c.oid AND c.relkind = 'p'
    LEFT JOIN pg_class p ON p.oid = i.inhrelid
   CROSS JOIN LATERAL (SELECT obj_description(coalesce(p.oid, c.oid), 'pg_class')) AS d (comment)
   WHERE $3::text IS NULL OR strpos(pg_get_expr(p.relpartbound, p.oid), $3) > 0`;

/** What is there of the addresses, in order, by one query. */
export async function readFound(session: Session, addresses: readonly Address[]): Promise<readonly Found[]> {
  if (addresses.length === 0) return [];
  const tables = new Map(
    addresses.map((address) => [JSON.stringify([address.schema, address.table]), address]),
  );
  const [only] = addresses;
  const needle = addresses.length === 1 && only?.partition !== undefined ? boundText(only.partition) : null;
  const wanted = [...tables.values()];
  const rows = await session.query<RelationRow>(relationsSql, [
    wanted.map(({ schema }) => schema),
    wanted.map(({ table }) => table),
    needle,
  ]);
  const found = new Map<string, Found>();
  for (const row of rows) {
    const whole = placeOf(row.schema, row.table, undefined);
    if (row.bound === null) found.set(whole, foundIn(row));
    // A partitioned table, asked for as a whole: it is there, and not as we would have made it.
    else if (!found.has(whole)) found.set(whole, strange);
    for (const value of listValues(row.bound ?? ""))
      found.set(placeOf(row.schema, row.table, value), foundIn(row));
  }
  return addresses.map(
    ({ schema, table, partition }) => found.get(placeOf(schema, table, partition)) ?? nothing,
  );
}

const placeOf = (schema: string, table: string, partition: string | undefined): string =>
  JSON.stringify([schema, table, partition]);

const nothing: Found = { fact: { kind: "absent" } };
const strange: Found = { fact: { kind: "present", digest: unrecorded } };

/** A table of ours that lost its file's content was truncated behind our back: what was loaded is not there. */
function foundIn({ comment, bytes }: RelationRow): Found {
  const mark = readMark(comment);
  if (mark === undefined) return strange;
  if (mark.rows > 0 && bytes === "0") return nothing;
  return { fact: { kind: "present", digest: mark.content ?? mark.fingerprint }, mark };
}

function readMark(comment: string | null): Mark | undefined {
  if (comment === null || !comment.startsWith('{"dmake"')) return undefined;
  try {
    const mark = JSON.parse(comment) as Partial<Mark>;
    const { dmake, fingerprint, content = "", rows } = mark;
    const strings = typeof fingerprint === "string" && typeof content === "string";
    return dmake === 1 && strings && typeof rows === "number" ? (mark as Mark) : undefined;
  } catch {
    // Somebody's own words that begin like ours.
    return undefined;
  }
}

export const writeMark = (mark: Mark): string => JSON.stringify(mark);

/** A value as it stands in a printed bound, with `standard_conforming_strings` on. */
const boundText = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/** `FOR VALUES IN ('a', 'it''s')` → `a` and `it's`. Other kinds of bounds have no values. */
function listValues(bound: string): readonly string[] {
  const list = /^FOR VALUES IN \((.*)\)$/s.exec(bound)?.[1];
  if (list === undefined) return [];
  return [...list.matchAll(/'((?:[^']|'')*)'|[^',\s]+/g)].map(
    ([bare, inner]) => inner?.replaceAll("''", "'") ?? bare,
  );
}

interface TableRow extends Row {
  readonly relkind: string;
  readonly key: string | null;
  readonly columns: readonly {
    name: string;
    type: string;
    notNull: boolean;
    default: string | null;
    computed: boolean;
  }[];
  readonly checks: readonly Part[] | null;
  readonly keys: readonly Part[] | null;
  readonly indexes: readonly Part[] | null;
  readonly triggers: boolean;
}

// A generated column's expression is in pg_attrdef too, so `default` counts only where the column is not computed.
const tableSql = `
  SELECT c.relkind, key.attname AS key,
         (SELECT json_agg(json_build_object(
                   'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull,
                   'default', pg_get_expr(d.adbin, d.adrelid), 'computed', a.attgenerated <> '' OR a.attidentity <> ''
                 ) ORDER BY a.attnum)
            FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
         (SELECT json_agg(json_build_object('name', conname, 'definition', pg_get_constraintdef(oid)))
            FROM pg_constraint WHERE conrelid = c.oid AND contype = 'c') AS checks,
         (SELECT json_agg(json_build_object('name', conname, 'definition', pg_get_constraintdef(oid)))
            FROM pg_constraint WHERE conrelid = c.oid AND contype IN ('p', 'u')) AS keys,
         (SELECT json_agg(json_build_object('name', x.relname, 'definition', substr(def, strpos(def, head) + length(head))))
            FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid,
                 LATERAL (SELECT pg_get_indexdef(x.oid), ' ON ONLY ' || quote_ident($1) || '.' || quote_ident($2)) AS t (def, head)
           WHERE i.indrelid = c.oid AND strpos(def, head) > 0 AND NOT i.indisunique) AS indexes,
         EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal) AS triggers
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_partitioned_table pt ON pt.partrelid = c.oid AND pt.partstrat = 'l' AND pt.partnatts = 1
    LEFT JOIN pg_attribute key ON key.attrelid = c.oid AND key.attnum = pt.partattrs[0]
   WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`;

/** The shape of a table, or nothing if there is none of that name. */
export async function readTable(
  session: Session,
  schema: string,
  name: string,
): Promise<ExistingTable | undefined> {
  const [row] = await session.query<TableRow>(tableSql, [schema, name]);
  if (row === undefined) return undefined;
  const kind = row.relkind === "r" ? "plain" : row.key === null ? "other" : "partitioned";
  return {
    kind,
    key: row.key ?? undefined,
    columns: (row.columns ?? []).map((column) => ({ ...column, default: column.default ?? undefined })),
    checks: row.checks ?? [],
    keys: row.keys ?? [],
    indexes: row.indexes ?? [],
    triggers: row.triggers,
  };
}

/** The partition that takes the address' rows now, whatever its name, or nothing. */
export async function readPartition(
  session: Session,
  address: Address,
): Promise<ExistingPartition | undefined> {
  const rows = await session.query<{ schema: string; name: string; relkind: string; bound: string }>(
    `SELECT pn.nspname AS schema, p.relname AS name, p.relkind, pg_get_expr(p.relpartbound, p.oid) AS bound
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_inherits i ON i.inhparent = c.oid
       JOIN pg_class p ON p.oid = i.inhrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND strpos(pg_get_expr(p.relpartbound, p.oid), $3) > 0`,
    [address.schema, address.table, boundText(address.partition ?? "")],
  );
  for (const { schema, name, relkind, bound } of rows) {
    const values = listValues(bound);
    if (values.includes(address.partition ?? ""))
      return { schema, name, simple: relkind === "r" && values.length === 1 };
  }
  return undefined;
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
