// Reads the whole shape of one table from Postgres' catalogues: columns, keys, indexes, comments, rights. Takes no lock, changes nothing, and knows nothing of rows or loads.
import { boundNeedle, listValues } from "./table-catalog.js";
import type { Address } from "./table-name.js";
import type { Row, Session } from "./table-session.js";

export interface Column {
  readonly name: string;
  /** As `format_type` spells it. */
  readonly type: string;
  /** As SQL, if it is not the type's own: `pg_catalog."C"`. */
  readonly collation?: string;
  readonly notNull: boolean;
  /** The expression, if the column has one. */
  readonly default: string | undefined;
  /** Filled by Postgres itself: never sent. */
  readonly computed: boolean;
  /** A generated column: kept, or computed whenever it is read. */
  readonly generated?: "STORED" | "VIRTUAL";
  /** An identity: the sequence that its numbers come from, and whether a number may be given. */
  readonly identity?: { readonly always: boolean; readonly sequence: string };
  readonly comment?: string;
}

/** A named piece of a table's definition, as Postgres prints it. */
interface Part {
  readonly name: string;
  readonly definition: string;
}

export interface Key extends Part {
  readonly primary: boolean;
  readonly columns: readonly string[];
}

/** An index that belongs to no key; `definition` is what follows the table's name. */
export interface Index extends Part {
  readonly unique: boolean;
  readonly method: string;
  /** In order; nothing if it is over an expression, over some of the rows, or otherwise more than a list of columns. */
  readonly columns?: readonly string[];
}

export interface Grant {
  readonly role: string;
  readonly privilege: string;
}

export interface Relation {
  /** `partitioned` only where it is so by LIST of one column, which is then the `key`. */
  readonly kind: "plain" | "partitioned" | "other";
  /** What it is, if it is neither of the first two: `a view`, `partitioned by RANGE (at)`, `the parent of other tables by inheritance`. */
  readonly otherwise: string;
  readonly key: string | undefined;
  readonly columns: readonly Column[];
  readonly checks: readonly Part[];
  /** Primary keys, unique constraints and exclusions. */
  readonly keys: readonly Key[];
  readonly indexes: readonly Index[];
  /** Somebody's own triggers, which may change what is inserted. */
  readonly triggers: boolean;
  /** Tables with foreign keys to it that do something to their rows when a row here is deleted. */
  readonly cascades: readonly string[];
  readonly comment?: string;
  readonly owner: string;
  readonly grants: readonly Grant[];
}

interface ColumnRow {
  readonly name: string;
  readonly type: string;
  readonly collation: string | null;
  readonly notNull: boolean;
  readonly default: string | null;
  readonly generated: string;
  readonly identity: string;
  readonly sequence: string | null;
  readonly comment: string | null;
}

interface RelationRow extends Row {
  readonly relkind: string;
  readonly key: string | null;
  readonly partitioning: string | null;
  readonly columns: readonly ColumnRow[] | null;
  readonly checks: readonly Part[] | null;
  readonly keys: readonly Key[] | null;
  readonly indexes: readonly (Index & { readonly columns: readonly string[] | null })[] | null;
  readonly parent: boolean;
  readonly triggers: boolean;
  readonly cascades: readonly string[] | null;
  readonly comment: string | null;
  readonly owner: string;
  readonly grants: readonly Grant[] | null;
}

// An index that was not finished is none. `INCLUDE`d columns, expressions, predicates, orders and operator classes of its
// own make an index more than its list of columns.
const relationSql = `
  SELECT c.relkind, key.attname AS key, CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partitioning,
         (SELECT json_agg(json_build_object(
                   'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull,
                   'collation', (SELECT quote_ident(cn.nspname) || '.' || quote_ident(co.collname) FROM pg_collation co
                                   JOIN pg_namespace cn ON cn.oid = co.collnamespace JOIN pg_type t ON t.oid = a.atttypid
                                  WHERE co.oid = a.attcollation AND co.oid <> t.typcollation),
                   'default', pg_get_expr(d.adbin, d.adrelid), 'generated', a.attgenerated, 'identity', a.attidentity,
                   'sequence', (SELECT s.objid::regclass::text FROM pg_depend s
                                 WHERE s.classid = 'pg_class'::regclass AND s.refclassid = 'pg_class'::regclass
                                   AND s.refobjid = a.attrelid AND s.refobjsubid = a.attnum AND s.deptype = 'i'
                                   AND a.attidentity <> ''),
                   'comment', col_description(a.attrelid, a.attnum)
                 ) ORDER BY a.attnum)
            FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
         (SELECT json_agg(json_build_object('name', conname, 'definition', pg_get_constraintdef(oid)) ORDER BY conname)
            FROM pg_constraint WHERE conrelid = c.oid AND contype = 'c') AS checks,
         (SELECT json_agg(json_build_object('name', k.conname, 'definition', pg_get_constraintdef(k.oid), 'primary', k.contype = 'p',
                   'columns', (SELECT json_agg(a.attname ORDER BY n) FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, n)
                                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum)) ORDER BY k.conname)
            FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')) AS keys,
         (SELECT json_agg(json_build_object('name', x.relname, 'definition', substr(def, strpos(def, head) + length(head)),
                   'unique', i.indisunique, 'method', am.amname,
                   'columns', CASE WHEN i.indpred IS NULL AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts
                                    AND NOT EXISTS (SELECT FROM unnest(i.indoption) AS o (bits) WHERE bits <> 0) AND NOT i.indisexclusion
                                    AND NOT EXISTS (SELECT FROM unnest(i.indclass) AS oc (oid) JOIN pg_opclass o USING (oid) WHERE NOT o.opcdefault)
                              THEN (SELECT json_agg(a.attname ORDER BY n) FROM unnest(i.indkey) WITH ORDINALITY AS u (attnum, n)
                                      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum) END) ORDER BY x.relname)
            FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am am ON am.oid = x.relam,
                 LATERAL (SELECT pg_get_indexdef(x.oid),
                                 CASE c.relkind WHEN 'p' THEN ' ON ONLY ' ELSE ' ON ' END || quote_ident($1) || '.' || quote_ident($2)) AS t (def, head)
           WHERE i.indrelid = c.oid AND strpos(def, head) > 0 AND (i.indisvalid OR c.relkind = 'p')
             AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = x.oid AND conrelid = c.oid AND contype IN ('p', 'u', 'x'))) AS indexes,
         c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid) AS parent,
         EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal) AS triggers,
         (SELECT json_agg(DISTINCT conrelid::regclass::text) FROM pg_constraint
           WHERE confrelid = c.oid AND contype = 'f' AND confdeltype IN ('c', 'n', 'd')) AS cascades,
         obj_description(c.oid, 'pg_class') AS comment, pg_get_userbyid(c.relowner) AS owner,
         (SELECT json_agg(json_build_object('role', CASE a.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(a.grantee) END,
                                            'privilege', a.privilege_type))
            FROM aclexplode(c.relacl) AS a) AS grants
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_partitioned_table pt ON pt.partrelid = c.oid AND pt.partstrat = 'l' AND pt.partnatts = 1
    LEFT JOIN pg_attribute key ON key.attrelid = c.oid AND key.attnum = pt.partattrs[0]
   WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`;

/** A table's rows are also its children's: to replace all of them would empty those. */
export const inherited = "the parent of other tables by inheritance";

const kinds: Readonly<Record<string, string>> = {
  v: "a view",
  m: "a materialized view",
  f: "a foreign table",
};

/** The shape of a table, or nothing if there is none of that name. */
export async function readRelation(
  session: Session,
  schema: string,
  name: string,
): Promise<Relation | undefined> {
  const [row] = await session.query<RelationRow>(relationSql, [schema, name]);
  if (row === undefined) return undefined;
  const { relkind, key, partitioning, triggers, comment, owner } = row;
  return {
    kind: relkind === "r" && !row.parent ? "plain" : key === null ? "other" : "partitioned",
    otherwise: row.parent ? inherited : (kinds[relkind] ?? `partitioned by ${partitioning}`),
    key: key ?? undefined,
    columns: (row.columns ?? []).map(columnOf),
    checks: row.checks ?? [],
    keys: row.keys ?? [],
    indexes: (row.indexes ?? []).map(({ columns, ...index }) => (columns ? { ...index, columns } : index)),
    triggers,
    cascades: row.cascades ?? [],
    ...(comment !== null && { comment }),
    owner,
    grants: row.grants ?? [],
  };
}

function columnOf({ collation, generated, identity, sequence, comment, ...column }: ColumnRow): Column {
  return {
    name: column.name,
    type: column.type,
    ...(collation !== null && { collation }),
    notNull: column.notNull,
    default: column.default ?? undefined,
    computed: generated !== "" || identity !== "",
    ...(generated !== "" && { generated: generated === "v" ? "VIRTUAL" : "STORED" }),
    ...(identity !== "" && sequence !== null && { identity: { always: identity === "a", sequence } }),
    ...(comment !== null && { comment }),
  };
}

/** A table that is about to be made of columns, with nothing else to it yet. */
export const newRelation = (columns: readonly Column[], key: string | undefined): Relation => ({
  kind: key === undefined ? "plain" : "partitioned",
  otherwise: "",
  key,
  columns,
  checks: [],
  keys: [],
  indexes: [],
  triggers: false,
  cascades: [],
  owner: "",
  grants: [],
});

export interface Partition {
  readonly schema: string;
  readonly name: string;
  /** An ordinary table with this one value: it can be swapped. */
  readonly simple: boolean;
}

/** The partition that takes the address' rows now, whatever its name, or nothing. */
export async function findPartition(session: Session, address: Address): Promise<Partition | undefined> {
  const value = address.partition ?? "";
  const rows = await session.query<{ schema: string; name: string; relkind: string; bound: string }>(
    `SELECT pn.nspname AS schema, p.relname AS name, p.relkind, pg_get_expr(p.relpartbound, p.oid) AS bound
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_inherits i ON i.inhparent = c.oid
       JOIN pg_class p ON p.oid = i.inhrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND strpos(pg_get_expr(p.relpartbound, p.oid), $3) > 0`,
    [address.schema, address.table, boundNeedle(value)],
  );
  for (const { schema, name, relkind, bound } of rows) {
    const values = listValues(bound);
    if (values.includes(value)) return { schema, name, simple: relkind === "r" && values.length === 1 };
  }
  return undefined;
}
