// What a partition's own table has of its own, and hands on to the one that takes its place; and what rests on it, so that it has to stay. Knows nothing of rows.
import { literal, quoted, relation } from "./table-name.js";
import type { Grant, Partition } from "./table-relation.js";
import type { Row, Session } from "./table-session.js";
import type { Side } from "./table-side.js";

interface Own {
  readonly name: string;
  readonly definition: string;
}

interface Acl extends Grant {
  readonly column?: string;
  readonly grantable: boolean;
}

/** What a partition's table has that its parent does not give it. */
interface KeptRow extends Row {
  readonly owner: string;
  /** As `fillfactor=70`, those of its TOAST table with `toast.` before them. */
  readonly options: readonly string[];
  readonly tablespace: string | null;
  readonly hasAcl: boolean;
  readonly acl: readonly Acl[];
  readonly comment: string | null;
  readonly comments: readonly { readonly column: string; readonly text: string }[];
  readonly checks: readonly Own[];
  readonly keys: readonly Own[];
  /** `definition` is what follows the table's name, `UNIQUE` left out. */
  readonly indexes: readonly (Own & { readonly unique: boolean })[];
  /** Something else would break or be lost with the table. */
  readonly needed: boolean;
}

export type Kept = KeptRow;

// What is needed by others: views and functions on the table or its row type, foreign keys to it, triggers, rules, policies,
// publications, statistics and sequences of its own. A parent's triggers and foreign keys are given to each partition.
const keptSql = `
  SELECT pg_get_userbyid(c.relowner) AS owner,
         coalesce(c.reloptions, '{}') || ARRAY(SELECT 'toast.' || o FROM pg_class x, unnest(x.reloptions) AS o WHERE x.oid = c.reltoastrelid) AS options,
         (SELECT spcname FROM pg_tablespace WHERE oid = c.reltablespace) AS tablespace,
         c.relacl IS NOT NULL AS "hasAcl",
         (SELECT coalesce(json_agg(json_build_object('column', g.column, 'role', CASE g.grantee WHEN 0 THEN 'public' ELSE pg_get_userbyid(g.grantee) END,
                                            'privilege', g.privilege_type, 'grantable', g.is_grantable)), '[]')
            FROM (SELECT NULL AS "column", a.* FROM aclexplode(c.relacl) AS a WHERE a.grantee <> c.relowner
                   UNION ALL
                  SELECT t.attname, a.* FROM pg_attribute t, aclexplode(t.attacl) AS a
                   WHERE t.attrelid = c.oid AND NOT t.attisdropped) AS g) AS acl,
         obj_description(c.oid, 'pg_class') AS comment,
         (SELECT coalesce(json_agg(json_build_object('column', attname, 'text', text)), '[]')
            FROM pg_attribute, LATERAL (SELECT col_description(attrelid, attnum)) AS d (text)
           WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND text IS NOT NULL) AS comments,
         (SELECT coalesce(json_agg(json_build_object('name', conname, 'definition', pg_get_constraintdef(oid))), '[]')
            FROM pg_constraint WHERE conrelid = c.oid AND contype = 'c' AND coninhcount = 0) AS checks,
         (SELECT coalesce(json_agg(json_build_object('name', conname, 'definition', pg_get_constraintdef(oid))), '[]')
            FROM pg_constraint WHERE conrelid = c.oid AND contype IN ('p', 'u', 'x') AND conparentid = 0) AS keys,
         (SELECT coalesce(json_agg(json_build_object('name', x.relname, 'unique', i.indisunique, 'definition', substr(def, strpos(def, head) + length(head)))), '[]')
            FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid,
                 LATERAL (SELECT pg_get_indexdef(x.oid), ' ON ' || quote_ident($1) || '.' || quote_ident($2)) AS t (def, head)
           WHERE i.indrelid = c.oid AND i.indisvalid AND strpos(def, head) > 0 AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = x.oid)
             AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = x.oid AND conrelid = c.oid)) AS indexes,
         c.relrowsecurity
           OR EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.deptype = 'n'
                         AND NOT (d.classid = 'pg_constraint'::regclass AND d.objid IN (SELECT oid FROM pg_constraint WHERE conrelid = c.oid))
                         AND NOT (d.classid = 'pg_attrdef'::regclass AND d.objid IN (SELECT oid FROM pg_attrdef WHERE adrelid = c.oid)))
           OR EXISTS (SELECT FROM pg_depend d JOIN pg_type t ON t.oid = d.refobjid
                       WHERE d.refclassid = 'pg_type'::regclass AND d.deptype = 'n' AND c.reltype IN (t.oid, t.typelem))
           OR EXISTS (SELECT FROM pg_depend d JOIN pg_class s ON s.oid = d.objid
                       WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND s.relkind = 'S')
           OR EXISTS (SELECT FROM pg_constraint WHERE confrelid = c.oid AND contype = 'f')
           OR EXISTS (SELECT FROM pg_constraint WHERE conrelid = c.oid AND contype = 'f' AND conparentid = 0)
           OR EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal AND tgparentid = 0)
           OR EXISTS (SELECT FROM pg_rewrite WHERE ev_class = c.oid)
           OR EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)
           OR EXISTS (SELECT FROM pg_publication_rel WHERE prrelid = c.oid)
           OR EXISTS (SELECT FROM pg_statistic_ext WHERE stxrelid = c.oid) AS needed
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1 AND c.relname = $2`;

export async function readKept(session: Session, { schema, name }: Partition): Promise<Kept | undefined> {
  const [row] = await session.query<KeptRow>(keptSql, [schema, name]);
  return row;
}

/**
 * Gives a side table all that the old partition has of its own: options, checks, keys, indexes, column comments, owner and
 * rights. Before any other table is locked: what takes long here keeps nobody out.
 */
export async function handOn(
  session: Session,
  { schema, name }: Side,
  kept: Kept,
  grants: readonly Grant[],
): Promise<void> {
  const table = relation(schema, name);
  const clauses = [
    ...(kept.options.length > 0 ? [`SET (${kept.options.map(option).join(", ")})`] : []),
    ...kept.checks.map((own) => `ADD CONSTRAINT ${quoted(own.name)} ${own.definition}`),
    ...kept.keys.map(({ definition }, n) => `ADD CONSTRAINT ${quoted(keyName(name, n))} ${definition}`),
  ];
  if (clauses.length > 0) await session.query(`ALTER TABLE ${table} ${clauses.join(", ")}`);
  if (kept.tablespace !== null)
    await session.query(`ALTER TABLE ${table} SET TABLESPACE ${quoted(kept.tablespace)}`);
  for (const [n, { unique, definition }] of kept.indexes.entries())
    await session.query(
      `CREATE ${unique ? "UNIQUE " : ""}INDEX ${quoted(indexName(name, n))} ON ${table}${definition}`,
    );
  for (const { column, text } of kept.comments)
    await session.query(`COMMENT ON COLUMN ${table}.${quoted(column)} IS ${literal(text)}`);
  for (const statement of rights(table, kept, grants)) await session.query(statement);
}

const keyName = (side: string, n: number): string => `${side}_k${n}`;
const indexName = (side: string, n: number): string => `${side}_i${n}`;

/** `toast.fillfactor=70`: names are Postgres' own, values are texts. */
function option(text: string): string {
  const equals = text.indexOf("=");
  return `${text.slice(0, equals)} = ${literal(text.slice(equals + 1))}`;
}

function* rights(table: string, kept: Kept, grants: readonly Grant[]): Generator<string> {
  const given = (grant: Grant): boolean =>
    kept.acl.some(
      ({ column, role, privilege }) => column == null && role === grant.role && privilege === grant.privilege,
    );
  // What the default privileges give to new tables only.
  if (kept.hasAcl)
    for (const grant of grants)
      if (grant.role !== kept.owner && !given(grant))
        yield `REVOKE ${grant.privilege} ON ${table} FROM ${roleName(grant.role)}`;
  yield `ALTER TABLE ${table} OWNER TO ${quoted(kept.owner)}`;
  for (const { column, role, privilege, grantable } of kept.acl) {
    const what = column == null ? privilege : `${privilege} (${quoted(column)})`;
    yield `GRANT ${what} ON ${table} TO ${roleName(role)}${grantable ? " WITH GRANT OPTION" : ""}`;
  }
}

/** `public` is no role, and no role may be called so. */
export const roleName = (role: string): string => (role.toLowerCase() === "public" ? "PUBLIC" : quoted(role));

/** Once the old table is gone and the new one has its name: gives keys and indexes the names that a person would look for. */
export async function rename(
  session: Session,
  { schema, name }: Side,
  side: string,
  kept: Kept | undefined,
): Promise<void> {
  const given = new Map([
    ...(kept?.keys ?? []).map((own, n) => [keyName(side, n), own.name] as const),
    ...(kept?.indexes ?? []).map((own, n) => [indexName(side, n), own.name] as const),
  ]);
  const rows = await session.query<{ found: string; wanted: string; taken: boolean }>(
    `SELECT x.relname AS found, w.wanted, EXISTS (SELECT FROM pg_class o WHERE o.relnamespace = x.relnamespace AND o.relname = w.wanted) AS taken
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_index i ON i.indrelid = c.oid
       JOIN pg_class x ON x.oid = i.indexrelid,
            LATERAL (SELECT coalesce($4::jsonb ->> x.relname, $2 || substr(x.relname, length($3) + 1))::name::text) AS w (wanted)
      WHERE n.nspname = $1 AND c.relname = $2 AND starts_with(x.relname, $3)`,
    [schema, name, side, JSON.stringify(Object.fromEntries(given))],
  );
  for (const { found, wanted, taken } of rows)
    if (!taken) await session.query(`ALTER INDEX ${relation(schema, found)} RENAME TO ${quoted(wanted)}`);
}
