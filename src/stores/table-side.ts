// The side table of a load: created beside the table that its rows are meant for, and given the partition's value. Knows nothing of how rows come in, or go on.
import { ok, type Result } from "../core/failure.js";
import type { Strategy } from "../core/rule.js";
import { schemaForSide } from "./table-home.js";
import { type Address, literal, quoted, relation } from "./table-name.js";
import { nameOf } from "./table-plan.js";
import type { Column, Relation } from "./table-relation.js";
import { type Session, sqlState } from "./table-session.js";
import { misfit } from "./table-shape.js";
import { typed } from "./table-types.js";

/** Where the rows are until they are published. */
export interface Side {
  readonly schema: string;
  readonly name: string;
}

/** Says of each row of a side table that it is of the partition. */
export const partitionCheck = "dmake_partition";

interface Room {
  readonly placed: readonly Pick<Column, "name" | "type" | "collation">[];
  readonly table: Relation | undefined;
  readonly strategy: Strategy;
  readonly key: string | undefined;
  /** With its collation. */
  readonly keyType: string;
}

/**
 * A table that will be a partition has all columns of its parent, in the parent's order; from any other the rows are taken.
 */
export async function createSide(
  session: Session,
  address: Address,
  name: string,
  room: Room,
): Promise<Side> {
  const side = { schema: await schemaForSide(session, address), name };
  await session.query(
    `CREATE TABLE ${relation(side.schema, name)} (${definitions(address, room).join(", ")})`,
  );
  return side;
}

function definitions(
  { partition = "" }: Address,
  { placed, table, strategy, key, keyType }: Room,
): readonly string[] {
  const existing = table?.columns ?? [];
  const keyed = key === undefined ? [] : [keyDefinition(key, keyType, partition)];
  const sent = (column: Room["placed"][number]): string => {
    if (column.name === key) return keyDefinition(key, keyType, partition);
    const notNull = existing.find(({ name }) => name === column.name)?.notNull;
    return `${quoted(column.name)} ${typed(column)}${notNull ? " NOT NULL" : ""}`;
  };
  const checked = key === undefined ? [] : [keyCheck(key, partition)];
  if (table === undefined || strategy !== "swap") {
    const own = placed.some(({ name }) => name === key);
    return [...(own ? [] : keyed), ...placed.map(sent), ...checked];
  }
  const inOrder = existing.map((column) => {
    if (column.name === key) return keyDefinition(key, keyType, partition);
    const found = placed.find(({ name }) => name === column.name);
    return found ? sent(found) : definitionOf(column);
  });
  const more = placed.filter(({ name }) => !existing.some((column) => column.name === name));
  return [...inOrder, ...more.map(sent), ...checked];
}

const keyDefinition = (key: string, type: string, value: string): string =>
  `${quoted(key)} ${type} NOT NULL DEFAULT ${literal(value)}`;

/** Says what the partition's bound says, so that ATTACH believes it: 0.3 ms; without it, a scan (122 ms for 2M rows). */
const keyCheck = (key: string, value: string): string =>
  `CONSTRAINT ${partitionCheck} CHECK (${quoted(key)} = ${literal(value)})`;

/** A column that is not sent, as a partition has to have it. An identity's numbers come from the sequence of its parent. */
export function definitionOf(column: Column): string {
  const { name, notNull, default: value, generated, identity } = column;
  const filled = generated
    ? ` GENERATED ALWAYS AS (${value}) ${generated}`
    : identity
      ? ` DEFAULT nextval(${literal(identity.sequence)}::regclass)`
      : value === undefined
        ? ""
        : ` DEFAULT ${value}`;
  return `${quoted(name)} ${typed(column)}${filled}${notNull ? " NOT NULL" : ""}`;
}

/** Gives a side table that somebody else has made the partition column, or the CHECK of it. */
export async function ensureKey(
  session: Session,
  { partition = "" }: Address,
  { schema, name }: Side,
  { key, type, made }: { key: string; type: string; made: Relation },
): Promise<void> {
  if (made.checks.some((check) => check.name === partitionCheck)) return;
  const there = made.columns.some((column) => column.name === key);
  const column = there
    ? `ALTER COLUMN ${quoted(key)} SET NOT NULL`
    : `ADD COLUMN ${keyDefinition(key, type, partition)}`;
  await session.query(`ALTER TABLE ${relation(schema, name)} ${column}, ADD ${keyCheck(key, partition)}`);
}

/**
 * Whether the partition's name is a value of its column's type, spelt as Postgres spells it: in a type other than text one
 * value has many spellings, and `2023-1` would not find `2023-01`.
 */
export async function keyFits(
  session: Session,
  address: Address,
  { key, type, strategy }: { key: string; type: string; strategy: Strategy },
): Promise<Result<void>> {
  if (type === "text") return ok(undefined);
  const { partition = "" } = address;
  const help = `spell the partition as Postgres spells a \`${type}\`, as \`table:${nameOf(address)}/${examples[type] ?? "…"}\`, or let \`partitionColumn\` in the Datafile name another column`;
  const is = `the partition column \`${key}\` is \`${type}\``;
  const spelling = await spellingOf(session, partition, type);
  if (spelling === partition && strategy === "swap" && isPadded(partition, type))
    return misfit(
      address,
      [`${is}, in which a partition's \`${partition}\` is filled up with spaces and not found again`],
      `make the table anew with \`${key}\` as \`text\` or \`varchar\`, or let \`partitionColumn\` in the Datafile name another column`,
    );
  if (spelling === partition) return ok(undefined);
  if (spelling === undefined) return misfit(address, [`${is}, and \`${partition}\` is none`], help);
  return misfit(address, [`${is}, in which \`${partition}\` is spelt \`${spelling}\``], help);
}

/** In a bound, that is: a cast to text takes the spaces off again. */
function isPadded(value: string, type: string): boolean {
  const length = /^character\((\d+)\)$/.exec(type)?.[1];
  return length !== undefined && [...value].length < Number(length);
}

const examples: Readonly<Record<string, string>> = {
  date: "2023-01-01",
  integer: "2023",
  bigint: "2023",
  smallint: "2023",
  boolean: "true",
};

async function spellingOf(session: Session, value: string, type: string): Promise<string | undefined> {
  await session.query("SAVEPOINT dmake_key");
  try {
    const [row] = await session.query<{ spelling: string }>(
      `SELECT (${literal(value)}::text)::${type}::text AS spelling`,
    );
    return row?.spelling;
  } catch (error) {
    // Class 22: it is no value of that type.
    if (!sqlState(error)?.startsWith("22")) throw error;
    return undefined;
  } finally {
    await session.query("ROLLBACK TO SAVEPOINT dmake_key");
    await session.query("RELEASE SAVEPOINT dmake_key");
  }
}
