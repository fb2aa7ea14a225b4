// What every strategy of publishing is given, and what all of them do alike: checks of rows, columns to insert, the declaration. Knows nothing of locks or of what is done under them.
import { isDeepStrictEqual } from "node:util";
import { fail, ok, type Result } from "../core/failure.js";
import type { TableDeclaration } from "../core/rule.js";
import type { Digest, Parts } from "../core/trace.js";
import { type Checksum, checksumOf } from "./table-checksum.js";
import { declaredIn, nothingWanted, type Wanted, type Work, wantedOf, workFor } from "./table-declared.js";
import { grownColumns } from "./table-evolve.js";
import type { Loading } from "./table-loading.js";
import type { Patience } from "./table-locks.js";
import { type Address, quoted } from "./table-name.js";
import { type Column, newRelation, type Relation } from "./table-relation.js";
import type { Session } from "./table-session.js";
import type { Fit } from "./table-shape.js";
import type { Side } from "./table-side.js";

/** A load whose rows are in its side table, and whose table is as it was found under the lock of its publishers. */
export interface Publishing {
  readonly loading: Loading;
  readonly patience: Patience;
  /** Nothing where the load has to make it. */
  readonly table: Relation | undefined;
  readonly fitted: Fit;
  /** The columns of the table once it has taken the rows. */
  readonly columns: readonly Column[];
  readonly work: Work;
  readonly wanted: Wanted;
  readonly before: Wanted;
  /** The comment of a table that holds the rows of this load and no others. */
  readonly mark: (content: Digest, words?: string) => string;
}

export interface Placed {
  readonly content: Digest;
  readonly checksum: Checksum;
}

/** What a Datafile declares of a table of some columns, and what was declared of it before, by the parts that were recorded. */
export function declaredOn(
  address: Address,
  declaration: TableDeclaration,
  last: Parts | undefined,
  place: { readonly columns: readonly string[]; readonly partitioned: string | undefined },
): Result<Pick<Publishing, "wanted" | "before">> {
  const at = { address, ...place };
  const wanted = wantedOf(at, declaration);
  if (!wanted.ok) return wanted;
  // What was declared of columns that are gone has gone with them.
  const before = wantedOf(at, declaredIn(last));
  return ok({ wanted: wanted.value, before: before.ok ? before.value : nothingWanted });
}

/** The same for a load, with what has to be done. */
export function declared(
  { address, declaration, attempt, key }: Loading,
  table: Relation | undefined,
  columns: readonly Column[],
  partitioned: boolean,
): Result<Pick<Publishing, "work" | "wanted" | "before">> {
  const names = columns.map(({ name }) => name);
  const parent = partitioned ? key : undefined;
  const on = declaredOn(address, declaration, attempt.previous?.recipe, {
    columns: names,
    partitioned: parent,
  });
  if (!on.ok) return on;
  const { wanted, before } = on.value;
  const work = workFor(address, table ?? newRelation(columns, parent), wanted, before);
  return work.ok ? ok({ work: work.value, wanted, before }) : work;
}

/** Roles that rights are to be given to have to be there. */
export async function checkRoles(
  session: Session,
  grants: Readonly<Record<string, readonly string[]>> = {},
): Promise<Result<void>> {
  const roles = Object.keys(grants).filter((role) => role.toLowerCase() !== "public");
  if (roles.length === 0) return ok(undefined);
  const missing = await session.query<{ role: string }>(
    "SELECT role FROM unnest($1::text[]) AS role WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role)",
    [roles],
  );
  const [first] = missing;
  if (first === undefined) return ok(undefined);
  const names = missing.map(({ role }) => `\`${role}\``).join(", ");
  return fail({
    reason: "usage",
    message: `\`grants\` names ${names}, which ${missing.length === 1 ? "is no role" : "are no roles"} of this server`,
    help: `make it, as \`CREATE ROLE ${quoted(first.role)}\`, or take it out of \`grants\` in the Datafile`,
  });
}

/** The columns of a table once it has taken the rows of a side table. */
export const columnsAfter = (
  table: Relation | undefined,
  side: readonly Column[],
  fitted: Fit,
): readonly Column[] => (table === undefined ? side : grownColumns(table, fitted));

/** The columns that rows are inserted into, each with the expression that makes it of the side table's, there called `s`. */
export function insertion({ loading: { key }, fitted: { placed } }: Publishing) {
  const sent = placed.map(({ name, type }) => ({ name, value: `s.${quoted(name)}::${type}` }));
  const keyed = key === undefined || placed.some(({ name }) => name === key);
  const all = keyed ? sent : [{ name: key, value: `s.${quoted(key)}` }, ...sent];
  return {
    into: all.map(({ name }) => quoted(name)).join(", "),
    from: all.map(({ value }) => value).join(", "),
  };
}

/**
 * The checksum of the rows as they will be, by one pass over the side table, while nobody else's table is locked, unless it
 * was made already of the same columns as the same types. Its count has to be that of the rows that the server took.
 */
export async function sumSide(
  { loading, columns }: Publishing,
  names: readonly string[],
  side: Side = loading.side,
): Promise<Result<Checksum>> {
  const over = columns
    .filter(({ name }) => names.includes(name) && name !== loading.key)
    .map(({ name, type }) => ({ name, type }));
  const { checksum: made } = loading.copied;
  const isMade = made !== undefined && side === loading.side && isDeepStrictEqual(made.columns, over);
  const checksum = isMade ? made : await checksumOf(loading.session, side, over);
  return countAgrees(loading, checksum.rows) ?? ok(checksum);
}

/** Nothing if all rows that were sent are there. */
export function countAgrees({ address, copied }: Loading, found: number): Result<never> | undefined {
  if (found === copied.rows) return undefined;
  return fail({ reason: "rows-lost", table: address.table, expected: copied.rows, found });
}
