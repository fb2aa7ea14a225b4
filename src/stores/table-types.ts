// Which Postgres type can hold every value of which other, exactly. Pure; knows nothing of tables or of DuckDB.

/** A type name taken apart: `numeric(10,2)[]` is base `numeric`, arguments 10 and 2, an array. */
interface Type {
  readonly base: string;
  readonly args: readonly number[];
  readonly array: boolean;
}

const aliases: Readonly<Record<string, string>> = {
  int2: "smallint",
  int: "integer",
  int4: "integer",
  int8: "bigint",
  float4: "real",
  float8: "double precision",
  float: "double precision",
  decimal: "numeric",
  bool: "boolean",
  varchar: "character varying",
  char: "character",
  bpchar: "character",
  timestamp: "timestamp without time zone",
  timestamptz: "timestamp with time zone",
  time: "time without time zone",
  timetz: "time with time zone",
};

function parse(text: string): Type {
  const plain = text.trim().toLowerCase().replace(/\s+/g, " ");
  const array = plain.endsWith("[]");
  const element = plain.replace(/(\[\])+$/, "");
  const args = /\(([-\d, ]+)\)/.exec(element)?.[1]?.split(",").map(Number) ?? [];
  const base = element.replace(/ ?\([-\d, ]+\)/, "");
  return { base: aliases[base] ?? base, args, array };
}

/** Decimal digits that always fit an integer column's values: -32768 has 5, and so on. */
const digits: Readonly<Record<string, number>> = { smallint: 5, integer: 10, bigint: 19 };
const isIntegerBase = (base: string): boolean => base in digits;
export const isInteger = (type: string): boolean => {
  const { base, array } = parse(type);
  return !array && isIntegerBase(base);
};
const isNumber = (base: string): boolean =>
  isIntegerBase(base) || base === "numeric" || base === "real" || base === "double precision";
const isText = (base: string): boolean =>
  base === "text" || base === "character varying" || base === "character";

interface Typed {
  readonly type: string;
  readonly collation?: string | undefined;
}

/** The collation of a column, which has one of its own, once it has another type: a text that grows keeps it. */
export const collationIn = ({ type, collation }: Typed, into: string): { readonly collation?: string } =>
  collation !== undefined && (sameType(type, into) || isText(parse(into).base)) ? { collation } : {};

/** A column's type as a definition has it, with its collation. */
export const typed = ({ type, collation }: Typed): string =>
  collation === undefined ? type : `${type} COLLATE ${collation}`;

/** Digits before and after the point; unbounded for a bare `numeric`, which keeps whatever it is given. */
function decimal({ base, args }: Type): { whole: number; scale: number } {
  if (isIntegerBase(base)) return { whole: digits[base]!, scale: 0 };
  const [precision, scale = 0] = args;
  return precision === undefined
    ? { whole: Number.POSITIVE_INFINITY, scale: Number.POSITIVE_INFINITY }
    : { whole: precision - scale, scale };
}

/** Whether two spellings mean one type: `int8` and `bigint`. */
export function sameType(one: string, other: string): boolean {
  const [a, b] = [parse(one), parse(other)];
  return a.base === b.base && a.array === b.array && a.args.join() === b.args.join();
}

/**
 * Whether every value of `narrow` is a value of `wide`, exactly. So `double precision` holds `integer` but not `bigint`
 * (integers above 2^53 have no double of their own), `timestamp` holds `date`, and `text` holds whatever has one spelling:
 * integers, decimals, UUIDs. A time zone is neither invented nor dropped.
 */
export function holds(wide: string, narrow: string): boolean {
  if (sameType(wide, narrow)) return true;
  const [to, from] = [parse(wide), parse(narrow)];
  return to.array === from.array && baseHolds(to, from);
}

function baseHolds(to: Type, from: Type): boolean {
  switch (to.base) {
    case "integer":
    case "bigint":
      return isIntegerBase(from.base) && digits[from.base]! <= digits[to.base]!;
    case "numeric": {
      if (!isIntegerBase(from.base) && from.base !== "numeric") return false;
      const [room, need] = [decimal(to), decimal(from)];
      return room.whole >= need.whole && room.scale >= need.scale;
    }
    case "real":
      return from.base === "smallint";
    case "double precision":
      return from.base === "real" || from.base === "integer" || from.base === "smallint";
    case "timestamp without time zone":
      return from.base === "date" ? true : from.base === to.base && precision(from) <= precision(to);
    case "timestamp with time zone":
    case "time without time zone":
    case "time with time zone":
      return from.base === to.base && precision(from) <= precision(to);
    case "text":
      return isText(from.base) || isIntegerBase(from.base) || from.base === "numeric" || from.base === "uuid";
    case "character varying": {
      const length = to.args[0] ?? Number.POSITIVE_INFINITY;
      return (
        isText(from.base) && from.base !== "character" && (from.args[0] ?? Number.POSITIVE_INFINITY) <= length
      );
    }
    default:
      return false;
  }
}

/** Microseconds are all that Postgres keeps. */
const precision = ({ args }: Type): number => args[0] ?? 6;

/**
 * The type of a table's column once rows of a source's type go into it, or nothing if the two do not go together.
 *
 * The table keeps its type if that holds the source's; else it grows to one that holds both, where there is one. Numbers
 * stay numbers and times stay times: a column never turns into text because one file has text in it. Between numbers that
 * have no such type (`bigint` and `double precision`: publishers write whole counts now as the one, now as the other) the
 * table keeps its own, and whoever sends the rows checks that each value survives the way there and back.
 */
export function merged(table: string, source: string): string | undefined {
  if (holds(table, source)) return table;
  const [have, come] = [parse(table), parse(source)];
  if (isText(come.base) && !isText(have.base)) return undefined;
  if (holds(source, table)) return source;
  if (have.array || come.array || !isNumber(have.base) || !isNumber(come.base)) return undefined;
  const double = "double precision";
  return holds(double, table) && holds(double, source) ? double : (commonDecimal(have, come) ?? table);
}

/** Of a `numeric` that names its precision. */
const maxPrecision = 1000;

function commonDecimal(one: Type, other: Type): string | undefined {
  const exact = ({ base }: Type): boolean => isIntegerBase(base) || base === "numeric";
  if (!exact(one) || !exact(other)) return undefined;
  const [a, b] = [decimal(one), decimal(other)];
  const scale = Math.max(a.scale, b.scale);
  const total = Math.max(a.whole, b.whole) + scale;
  return total > maxPrecision ? "numeric" : `numeric(${total},${scale})`;
}
