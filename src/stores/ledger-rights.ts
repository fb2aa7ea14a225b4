// Which rights on the ledger a user lacks, and what an administrator can do about it. Knows nothing of what is recorded.
import type { Failure } from "../core/failure.js";
import { quoted } from "./table-name.js";
import type { Session } from "./table-session.js";

/** A row for each right that this user lacks, and that whoever loads needs. Catalogues only: it may name what is not there. */
export const missingRights = `
  SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
         unnest(CASE WHEN c.relname = 'history' THEN '{SELECT,INSERT}' ELSE '{SELECT,INSERT,UPDATE,DELETE}'::text[] END) AS wanted (right_)
   WHERE n.nspname = 'dmake' AND c.relname IN ('loads', 'history', 'rejects') AND c.relkind = 'r'
     AND NOT has_table_privilege(c.oid, wanted.right_)`;

interface Who {
  readonly me: string;
  readonly database: string;
  /** Of the ledger's tables, or of the empty schema. */
  readonly owner: string | null;
  readonly [column: string]: unknown;
}

const whoSql = `
  SELECT current_user AS me, current_database() AS database,
         coalesce((SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'meta'),
                  pg_get_userbyid(n.nspowner)) AS owner
    FROM (VALUES (1)) AS one LEFT JOIN pg_namespace n ON n.nspname = 'dmake'`;

/** What this user cannot do to the ledger: make one, bring an older one up to date, or write into it. */
export async function lackOfRights(session: Session, wish: "make" | "change" | "use"): Promise<Failure> {
  const [who] = await session.query<Who>(whoSql);
  const { me = "", database = "", owner = null } = who ?? {};
  const said = saidOf(wish, { me, database, owner });
  return {
    reason: "postgres-error",
    code: "42501",
    doing: said.doing,
    message: said.message,
    hint: said.hint,
  };
}

function saidOf(wish: "make" | "change" | "use", { me, database, owner }: Who) {
  switch (wish) {
    case "make":
      return owner === null
        ? {
            doing: "make the ledger",
            message: `\`${me}\` may not create a schema in database \`${database}\`, and the ledger, schema \`dmake\`, is not there yet`,
            hint: `an administrator can run: CREATE SCHEMA dmake AUTHORIZATION ${quoted(me)};`,
          }
        : {
            doing: "make the ledger",
            message: `\`${me}\` may not create tables in schema \`dmake\`, which is \`${owner}\`'s and still empty`,
            hint: `an administrator can run: ALTER SCHEMA dmake OWNER TO ${quoted(me)};`,
          };
    case "change":
      return {
        doing: "bring the ledger up to date",
        message: `the ledger is that of an older dmake and belongs to \`${owner}\`, and only its owner may change its tables; \`${me}\` is not`,
        hint: `let \`${owner}\` load something with this dmake, or an administrator can run: GRANT ${quoted(owner ?? "")} TO ${quoted(me)};`,
      };
    case "use":
      return {
        doing: "use the ledger",
        message: `\`${me}\` needs to read and write the ledger, which belongs to \`${owner}\`: USAGE on schema \`dmake\`, and SELECT, INSERT, UPDATE and DELETE on its tables`,
        hint: `\`${owner}\` or an administrator can run: GRANT USAGE ON SCHEMA dmake TO ${quoted(me)}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA dmake TO ${quoted(me)};`,
      };
  }
}
