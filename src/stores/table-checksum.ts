// One checksum for the rows of a table or of a part of it, whatever order they lie in, made by the server. Knows nothing of the ledger, or of what rows ought to be there.
import { ok, type Result } from "../core/failure.js";
import { literal, quoted, relation } from "./table-name.js";
import { type Row, type Session, sqlState } from "./table-session.js";

/** A column, and the type that its values are taken as, as `format_type` spells it. */
export interface ChecksumColumn {
  readonly name: string;
  readonly type: string;
}

export interface Checksum {
  readonly rows: number;
  /** Begins with the name of its algorithm and a colon; equal texts are of equal rows. */
  readonly text: string;
  readonly columns: readonly ChecksumColumn[];
}

/** All rows of a table, or those with one value in one column. */
export interface ChecksumRange {
  readonly schema: string;
  readonly name: string;
  readonly where?: { readonly column: string; readonly value: string };
}

//  record64  hash_record_extended of each row's columns, hashed once more; summed up. PostgreSQL 14+
//  hash64    the same twice, with seeds 0 and 1. What releases before this one recorded, and is compared still
//  text64    hashtextextended of each row's text, with seeds 0 and 1; summed up. Before PostgreSQL 14
//
// A row's own hash is 31 × (31 × h(a) + h(b)) + h(c): summed up alone it would not see two rows change places in one column.
// So it is hashed again, here as the seed, all of whose 64 bits count: of a number that is hashed 32 do, which is why hash64
// needed two. Rows that have changed keep the sum of 64-bit hashes by one chance in 2^64. That is for accidents, and not for
// somebody who means to deceive: whoever may write to the table may write to the ledger. The seed is not 0, since a hash of
// zero is its seed, and of null 0.
const rowSeed = "7640891576956012809";
const algorithms = {
  record64: (values) => [`hashint8extended(1, hash_record_extended(ROW(${values.join(", ")}), ${rowSeed}))`],
  hash64: (values) =>
    bothSeeds(
      (seed) => `hashint8extended(hash_record_extended(ROW(${values.join(", ")}), ${seed}), ${seed})`,
    ),
  text64: (values) =>
    bothSeeds((seed) => `hashtextextended(ROW(${values.join(", ")})::text COLLATE "C", ${seed})`),
} as const satisfies Record<string, (values: readonly string[]) => readonly string[]>;
type Algorithm = keyof typeof algorithms;

function bothSeeds(hash: (seed: number) => string): readonly string[] {
  return [hash(0), hash(1)];
}

// Not among them: enums (hashed by their OIDs), `time with time zone` (midnight as null), `interval` (a month as 30 days) and jsonb (by XOR).
/** Types that Postgres hashes by value, on whatever server and in whatever session. */
const hashed =
  /^(smallint|integer|real|double precision|boolean|date|uuid)(\[\])*$|^(bytea|inet|cidr|macaddr8?|time(\(\d\))? without time zone|timestamp(\(\d\))? with(out)? time zone)$/;
/** Hashed by their collation's idea of what is equal, unless told otherwise. */
const texts = /^(text|character varying|character)(\(\d+\))?(\[\])*$/;
const decimals = /^numeric(\([\d,-]+\))?$/;

// How values become text is a matter of the session. For this transaction only.
const plainTextSql = `
  SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true), set_config('IntervalStyle', 'postgres', true),
         set_config('extra_float_digits', '1', true), set_config('bytea_output', 'hex', true), set_config('xmlbinary', 'base64', true),
         set_config('lc_monetary', 'C', true), current_setting('server_version_num')::int >= 140000 AS hashes`;

const prepare = async (session: Session): Promise<Algorithm> => {
  const [row] = await session.query<{ hashes: boolean }>(plainTextSql);
  return row?.hashes ? "record64" : "text64";
};

/**
 * The checksum of rows, in the caller's transaction, by one pass over them, which PostgreSQL shares out among workers: for 1.3M
 * rows of 18 columns some 1.1 s of the server's processors, of which counting alone takes 0.13 s; hash64 took 2.0 s
 * (measured). The same for the same rows in any order, in any table, on any PostgreSQL from version 14 on. A column of
 * another type is taken as its values will be once they are of this one. Equal values count as the same however they are
 * written: 0 and -0, 1.0 and 1.00, but not `a` and `A`.
 */
export async function checksumOf(
  session: Session,
  from: ChecksumRange,
  columns: readonly ChecksumColumn[],
): Promise<Checksum> {
  const algorithm = await prepare(session);
  const values = columns.flatMap(({ name, type }) => valuesOf(`${quoted(name)}::${type}`, type, algorithm));
  const [row] = await session.query<SumRow>(sumSql(from, algorithm, values, []));
  return { rows: Number(row!.rows), text: textOf(algorithm, row!), columns };
}

interface SumRow extends Row {
  readonly rows: string;
  /** As many as the algorithm has. */
  readonly sums: readonly string[];
  /** Rows of which a value is none of the type that it had. */
  readonly misfits: string;
}

const textOf = (algorithm: Algorithm, { rows, sums }: SumRow): string => [algorithm, rows, ...sums].join(":");

/** The number of rows that a checksum was made over, by its text. */
export const rowsOf = (text: string): number => Number(text.split(":")[1]);

function sumSql(
  { schema, name, where }: ChecksumRange,
  algorithm: Algorithm,
  values: readonly string[],
  misfits: readonly string[],
): string {
  const sums = algorithms[algorithm](values).map((hash) => `coalesce(sum(${hash}), 0)`);
  const range = where === undefined ? "" : ` WHERE ${quoted(where.column)} = ${literal(where.value)}`;
  const wrong = misfits.length === 0 ? "0::bigint" : `count(*) FILTER (WHERE ${misfits.join(" OR ")})`;
  return `
    SELECT count(*) AS rows, ARRAY[${sums.join(", ")}]::text[] AS sums, ${wrong} AS misfits
      FROM ${relation(schema, name)}${range}`;
}

/** Whether an earlier value is got back by a cast to its type; of others it is the text that is hashed. */
const isCast = (type: string): boolean =>
  [hashed, texts, decimals].some((kind) => kind.test(type)) || type === "bigint";

/** What is hashed of a value of a type. */
function valuesOf(value: string, type: string, algorithm: Algorithm): readonly string[] {
  if (algorithm === "text64") return [value];
  if (hashed.test(type)) return [value];
  if (texts.test(type)) return [`${value} COLLATE "C"`];
  // Postgres hashes the upper half of a bigint XOR its lower half, a decimal without its sign, and NaN as infinity.
  if (type === "bigint") return [value, `(${value} >> 32)`];
  if (type === "numeric") return [value, `(${value} < 0)`, `(${value} = 'Infinity')`];
  if (decimals.test(type)) return [value, `(${value} < 0)`];
  return [`${value}::text COLLATE "C"`];
}

/** What a comparison with an earlier checksum found. */
export type Comparison =
  | { readonly kind: "same"; readonly rows: number }
  /** Without a count where a value is none of its type any more. */
  | { readonly kind: "changed"; readonly rows?: number }
  /** Columns that it was made over are gone. */
  | { readonly kind: "dropped"; readonly columns: readonly string[] }
  /** Made by an algorithm that is not known here. */
  | { readonly kind: "unknown-algorithm"; readonly algorithm: string };

/**
 * Whether the rows are still those of an earlier checksum. Columns that were added since are passed over; of columns that
 * have been given another type, each value is taken as the type that it had, and has to be such a value.
 */
export async function compareChecksum(
  session: Session,
  from: ChecksumRange,
  recorded: Omit<Checksum, "rows">,
): Promise<Result<Comparison>> {
  const algorithm = recorded.text.slice(0, recorded.text.indexOf(":"));
  if (!isKnown(algorithm)) return ok({ kind: "unknown-algorithm", algorithm });
  const key = from.where?.column;
  const needed =
    key === undefined || recorded.columns.some(({ name }) => name === key)
      ? recorded.columns
      : [...recorded.columns, { name: key, type: "text" }];
  const now = await readTypes(session, from, needed);
  const dropped = needed.map(({ name }) => name).filter((name) => !now.has(name));
  if (dropped.length > 0) return ok({ kind: "dropped", columns: dropped });
  await prepare(session);
  const values: string[] = [];
  const misfits: string[] = [];
  for (const { name, type } of recorded.columns) {
    const column = quoted(name);
    const found = now.get(name)!;
    if (found.type === type || !isCast(type)) values.push(...valuesOf(column, type, algorithm));
    else {
      // By way of its text where Postgres has no cast: a column without any value may have become of any type.
      const back = `(${column}${found.castable ? "" : "::text"}::${type})`;
      values.push(...valuesOf(back, type, algorithm));
      const again = `${back}${found.back ? "" : "::text"}::${found.type}`;
      misfits.push(`${column}::text COLLATE "C" IS DISTINCT FROM (${again})::text COLLATE "C"`);
    }
  }
  return counted(session, sumSql(from, algorithm, values, misfits), (row) =>
    row.misfits === "0" && textOf(algorithm, row) === recorded.text ? "same" : "changed",
  );
}

/** A value that is none of its recorded type any more stops the query: that is an answer, and the transaction goes on. */
async function counted(
  session: Session,
  sql: string,
  judge: (row: SumRow) => "same" | "changed",
): Promise<Result<Comparison>> {
  await session.query("SAVEPOINT dmake_checksum");
  try {
    const [row] = await session.query<SumRow>(sql);
    await session.query("RELEASE SAVEPOINT dmake_checksum");
    return ok({ kind: judge(row!), rows: Number(row!.rows) });
  } catch (error) {
    if (!sqlState(error)?.startsWith("22")) throw error;
    await session.query("ROLLBACK TO SAVEPOINT dmake_checksum");
    return ok({ kind: "changed" });
  }
}

const isKnown = (algorithm: string): algorithm is Algorithm => Object.hasOwn(algorithms, algorithm);

interface TypeNow extends Row {
  readonly name: string;
  readonly type: string;
  /** Postgres casts the present type to the recorded one, and the recorded one back. */
  readonly castable: boolean;
  readonly back: boolean;
}

const typesSql = `
  SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
         a.atttypid = to_regtype(w.type) OR EXISTS (SELECT FROM pg_cast WHERE castsource = a.atttypid AND casttarget = to_regtype(w.type)) AS castable,
         a.atttypid = to_regtype(w.type) OR EXISTS (SELECT FROM pg_cast WHERE castsource = to_regtype(w.type) AND casttarget = a.atttypid) AS back
    FROM unnest($3::text[], $4::text[]) AS w (name, type)
    JOIN pg_attribute a ON a.attname = w.name AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname = $1 AND c.relname = $2`;

async function readTypes(
  session: Session,
  { schema, name }: ChecksumRange,
  columns: readonly ChecksumColumn[],
): Promise<ReadonlyMap<string, TypeNow>> {
  const rows = await session.query<TypeNow>(typesSql, [
    schema,
    name,
    columns.map((column) => column.name),
    columns.map((column) => column.type),
  ]);
  return new Map(rows.map((row) => [row.name, row]));
}
