// The schema that a table is to be in: whether it is there, where rows wait until it is, and making it. Knows nothing of tables' columns.
import { lockSchema } from "./table-locks.js";
import { type Address, ledgerSchema, quoted, relation } from "./table-name.js";
import type { Session } from "./table-session.js";
import type { Side } from "./table-side.js";

async function isThere(session: Session, schema: string): Promise<boolean> {
  const found = await session.query("SELECT FROM pg_namespace WHERE nspname = $1", [schema]);
  return found.length > 0;
}

/** For a side table: the table's own schema, for its default privileges; if that is still to be made, the ledger's meanwhile. */
export const schemaForSide = async (session: Session, { schema }: Address): Promise<string> =>
  (await isThere(session, schema)) ? schema : ledgerSchema;

/** Makes the schema if there is none yet: one at a time, since `IF NOT EXISTS` alone can fail under a race. */
export async function ensureSchema(session: Session, { schema }: Address): Promise<void> {
  if (await isThere(session, schema)) return;
  await lockSchema(session, schema);
  if (!(await isThere(session, schema))) await session.query(`CREATE SCHEMA ${quoted(schema)}`);
}

/** Moves a side table from the ledger's schema into the one that it is meant for, which is made if there is none yet. */
export async function moveHome(session: Session, address: Address, side: Side): Promise<void> {
  if (side.schema === address.schema) return;
  await ensureSchema(session, address);
  await session.query(`ALTER TABLE ${relation(side.schema, side.name)} SET SCHEMA ${quoted(address.schema)}`);
}
