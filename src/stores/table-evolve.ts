// Makes a side table and the table it is meant for fit one another, by ALTER of both. Knows nothing of how rows are published.
import { ok, type Result } from "../core/failure.js";
import type { TableColumn } from "../engine/ports.js";
import type { Loading } from "./table-loading.js";
import { type Address, quoted, relation } from "./table-name.js";
import { type Column, type Relation, readRelation } from "./table-relation.js";
import { type Session, sqlState } from "./table-session.js";
import { clashing, type Fit, type FitOptions, fit, misfit, typeHelp } from "./table-shape.js";
import { definitionOf, type Side } from "./table-side.js";
import { collationIn, holds, sameType, typed } from "./table-types.js";

/** As `fit`; where nothing but types is in the way, it is looked whether the table has any values of them. */
export async function fitTo(
  session: Session,
  address: Address,
  table: Relation | undefined,
  source: readonly TableColumn[],
  options: FitOptions,
): Promise<Result<Fit>> {
  const first = fit(address, table, source, options);
  if (first.ok || table === undefined || options.contract !== "evolve") return first;
  const columns = clashing(table, source, options);
  if (columns.length === 0) return first;
  // A lock that is taken after a savepoint goes with it: a load keeps none on the table before it publishes.
  await session.query("SAVEPOINT dmake_look");
  const empty = await withoutValues(session, address, columns);
  await session.query("ROLLBACK TO SAVEPOINT dmake_look");
  await session.query("RELEASE SAVEPOINT dmake_look");
  return fit(address, table, source, { ...options, empty });
}

/** Which columns hold no value, in a table that has rows: one without rows says what it is to hold by its types alone. */
async function withoutValues(
  session: Session,
  { schema, table }: Address,
  columns: readonly string[],
): Promise<ReadonlySet<string>> {
  const from = relation(schema, table);
  const asked = columns.map((name) => `EXISTS (SELECT FROM ${from} WHERE ${quoted(name)} IS NOT NULL)`);
  const [row] = await session.query<{ rows: boolean; values: readonly boolean[] }>(
    `SELECT EXISTS (SELECT FROM ${from}) AS rows, ARRAY[${asked.join(", ")}] AS values`,
  );
  return new Set(row?.rows ? columns.filter((_, index) => !row.values[index]) : []);
}

/**
 * Compares a filled side table with the table that its rows are meant for, as both are now, and gives its columns their
 * names there. The table is read anew, under the lock of its publishers: another load may have made or changed it since
 * the side table was opened.
 */
export async function refit(loading: Loading, table: Relation | undefined): Promise<Result<Fit>> {
  const { session, address, side, columns, declaration, ownKey } = loading;
  const have = await columnsOf(session, side);
  const source = columns.map((name) => {
    const { type } = have.find((column) => column.name === name)!;
    return { name, type, ...(loading.unseen.has(name) && { unseen: true as const }) };
  });
  const { widened } = loading;
  const options = { contract: declaration.contract, key: loading.key, ownKey, widened };
  const fitted = await fitTo(session, address, table, source, options);
  if (!fitted.ok) return fitted;
  const clauses = fitted.value.placed.flatMap(({ source: name, type, collation, unseen }) => {
    const from = have.find((column) => column.name === name)!;
    if (unseen && !sameType(type, from.type))
      return [`ALTER COLUMN ${quoted(name)} TYPE ${typed({ type, collation })} USING NULL::${type}`];
    // A query's columns have whatever collations it gives them. Of two different ones ATTACH and comparisons make errors.
    const wanted = { type: from.type, ...collationIn({ type, collation }, from.type) };
    return table === undefined || wanted.collation === from.collation
      ? []
      : [`ALTER COLUMN ${quoted(name)} TYPE ${typed(wanted)}`];
  });
  if (clauses.length > 0) await alter(session, side, clauses.join(", "));
  for (const { source: name, name: wanted } of fitted.value.placed)
    if (name !== wanted) await alter(session, side, `RENAME COLUMN ${quoted(name)} TO ${quoted(wanted)}`);
  return fitted;
}

const alter = (session: Session, { schema, name }: Side, clauses: string): Promise<unknown> =>
  session.query(`ALTER TABLE ${relation(schema, name)} ${clauses}`);

const columnsOf = async (session: Session, { schema, name }: Side): Promise<readonly Column[]> =>
  (await readRelation(session, schema, name))?.columns ?? [];

/** The columns of a table once it has grown. */
export function grownColumns(table: Relation, { added, grown, retyped }: Fit): readonly Column[] {
  const types = new Map([...grown, ...retyped].map(({ name, type }) => [name, type]));
  const emptied = new Set(retyped.map(({ name }) => name));
  return [
    ...table.columns.map(({ collation, ...column }) => {
      const type = types.get(column.name) ?? column.type;
      return {
        ...column,
        type,
        ...collationIn({ type: column.type, collation }, type),
        default: emptied.has(column.name) ? undefined : column.default,
      };
    }),
    ...added.map(({ name, type }) => ({ name, type, notNull: false, default: undefined, computed: false })),
  ];
}

export const grows = ({ added, grown, retyped }: Fit): boolean =>
  added.length + grown.length + retyped.length > 0;

/** Makes the table grow, under an ACCESS EXCLUSIVE lock that the caller holds. */
export async function grow(
  session: Session,
  address: Address,
  { added, grown, retyped }: Fit,
): Promise<Result<void>> {
  const clauses = [
    ...added.map(({ name, type }) => `ADD COLUMN ${quoted(name)} ${type}`),
    ...grown.map((column) => `ALTER COLUMN ${quoted(column.name)} TYPE ${typed(column)}`),
    ...retyped.flatMap((column) => {
      const name = quoted(column.name);
      const dropped = column.default ? [`ALTER COLUMN ${name} DROP DEFAULT`] : [];
      return [...dropped, `ALTER COLUMN ${name} TYPE ${typed(column)} USING NULL::${column.type}`];
    }),
  ];
  if (clauses.length === 0) return ok(undefined);
  const exact = await staysExact(session, address, grown);
  if (!exact.ok) return exact;
  if (retyped.length > 0) {
    // Looked at again now that nobody can write, straight into a partition neither: a value that somebody has added
    // meanwhile would be lost. ALTER is about to lock them all in any case.
    await session.query(`LOCK TABLE ${relation(address.schema, address.table)} IN ACCESS EXCLUSIVE MODE`);
    const names = retyped.map(({ name }) => name);
    const empty = await withoutValues(session, address, names);
    const filled = names.find((name) => !empty.has(name));
    if (filled !== undefined)
      return misfit(address, [`\`${filled}\` has been given a value meanwhile`], typeHelp);
  }
  try {
    await session.query(`ALTER TABLE ${relation(address.schema, address.table)} ${clauses.join(", ")}`);
  } catch (error) {
    return notAlterable(address, error);
  }
  return ok(undefined);
}

/** Whether all values of the table survive a change to a type that does not hold all of their own. */
async function staysExact(session: Session, address: Address, grown: Fit["grown"]): Promise<Result<void>> {
  for (const { name, type, from } of grown) {
    if (holds(type, from)) continue;
    const column = quoted(name);
    const [lossy] = await session.query<{ value: string }>(
      `SELECT ${column}::text AS value FROM ${relation(address.schema, address.table)} WHERE ${column}::${type}::${from} <> ${column} LIMIT 1`,
    );
    if (lossy !== undefined)
      return misfit(
        address,
        [`\`${name}\` has fractions now, and \`${lossy.value}\` in the table is no \`${type}\``],
        `ALTER TABLE ${relation(address.schema, address.table)} ALTER COLUMN ${column} TYPE numeric`,
      );
  }
  return ok(undefined);
}

/** A type that a view, a rule, a policy or the partitioning rests on. */
function notAlterable(address: Address, error: unknown): Result<never> {
  const { message, detail } = error as { message: string; detail?: string };
  if (sqlState(error) !== "0A000" && sqlState(error) !== "42P16") throw error;
  const help = `drop what rests on the column, load, and make it again; or ${typeHelp}`;
  return misfit(address, [`${message}${detail ? `: ${detail}` : ""}`], help);
}

/**
 * Gives the side table all that ATTACH wants a partition to have (columns, types, NOT NULL, CHECKs), and the keys and
 * indexes that it would otherwise build while readers wait.
 */
export async function conform(
  { session, address, side, key }: Loading,
  parent: Relation,
  fitted: Fit,
): Promise<Result<void>> {
  const wanted = grownColumns(parent, fitted);
  const sent = new Set(fitted.placed.map(({ name }) => name));
  const have = await columnsOf(session, side);
  const clauses: string[] = [];
  for (const column of have)
    if (!wanted.some(({ name }) => name === column.name)) clauses.push(`DROP COLUMN ${quoted(column.name)}`);
  for (const column of wanted) {
    const into = have.find(({ name }) => name === column.name);
    if (column.name === key && into) continue;
    if (!sent.has(column.name)) clauses.push(...unsent(column, into));
    else {
      const lossy = await firstLoss(session, side, into!, column.type);
      if (lossy !== undefined) return misfit(address, [lossy], typeHelp);
      if (!sameType(into!.type, column.type))
        clauses.push(`ALTER COLUMN ${quoted(column.name)} TYPE ${typed(column)}`);
      if (column.notNull && !into!.notNull) clauses.push(`ALTER COLUMN ${quoted(column.name)} SET NOT NULL`);
    }
  }
  clauses.push(
    ...parent.checks.map(({ name, definition }) => `ADD CONSTRAINT ${quoted(name)} ${definition}`),
  );
  clauses.push(...parent.keys.map(({ definition }) => `ADD ${definition}`));
  if (clauses.length > 0) await alter(session, side, clauses.join(", "));
  const table = relation(side.schema, side.name);
  for (const { unique, definition } of parent.indexes)
    await session.query(`CREATE ${unique ? "UNIQUE " : ""}INDEX ON ${table}${definition}`);
  // Numbered by now; the partition is numbered by its parent.
  for (const { name, identity } of wanted)
    if (identity && !sent.has(name)) await alter(session, side, `ALTER COLUMN ${quoted(name)} DROP DEFAULT`);
  return ok(undefined);
}

/** A column that is filled by the table itself, and may have come to be so since the side table was made. */
function unsent(column: Column, into: Column | undefined): readonly string[] {
  const same =
    into &&
    sameType(into.type, column.type) &&
    into.collation === column.collation &&
    into.generated === column.generated &&
    (column.identity ? into.default !== undefined : into.default === column.default);
  if (same)
    return column.notNull && !into.notNull ? [`ALTER COLUMN ${quoted(column.name)} SET NOT NULL`] : [];
  const added = `ADD COLUMN ${definitionOf(column)}`;
  return into ? [`DROP COLUMN ${quoted(column.name)}`, added] : [added];
}

/** Says which value would not survive the change of a type, of columns whose rows are to be inserted as they are. */
export async function anyLoss({ session, address, side }: Loading, { placed }: Fit): Promise<Result<void>> {
  const have = await columnsOf(session, side);
  for (const { name, type } of placed) {
    const lossy = await firstLoss(session, side, have.find((column) => column.name === name)!, type);
    if (lossy !== undefined) return misfit(address, [lossy], typeHelp);
  }
  return ok(undefined);
}

/**
 * Says which value would not survive a change of type. Only where a type could not be foreseen when the rows were sent:
 * two loads made the table at once, one of them saying `bigint` and the other `double precision`; or a query says its own.
 */
async function firstLoss(
  session: Session,
  side: Side,
  { name, type }: Column,
  into: string,
): Promise<string | undefined> {
  if (holds(into, type)) return undefined;
  const column = quoted(name);
  try {
    const [lossy] = await session.query<{ value: string }>(
      `SELECT ${column}::text AS value FROM ${relation(side.schema, side.name)}
        WHERE ${column}::${into}::${type} IS DISTINCT FROM ${column} LIMIT 1`,
    );
    return lossy && `\`${name}\` is \`${into}\` in the table, which cannot hold \`${lossy.value}\``;
  } catch (error) {
    // No such cast, or not of some value.
    if (!/^(22...|42846)$/.test(sqlState(error) ?? "")) throw error;
    return `\`${name}\` is \`${into}\` in the table: ${(error as Error).message}`;
  }
}
