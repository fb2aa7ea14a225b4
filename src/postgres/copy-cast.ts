// The SQL by which a DuckDB column becomes one that fits a Postgres column, or stops the query; never rounds, cuts or overflows in silence. Knows nothing of bytes.
import { type DuckdbType, isKnown, parseDuckdbType } from "./duckdb-type.js";
import { type PostgresType, parsePostgresType } from "./types.js";

/**
 * Writes the SQL for one value. `misfit` gives the SQL that stops the query for a value that does not fit; it is only
 * evaluated for such a value.
 */
export type Cast = (value: string, misfit: (value: string) => string) => string;

/**
 * How a column of a DuckDB type is sent as a Postgres type (both as they spell it themselves), or nothing for a pair
 * that cannot be sent: one whose values mean different things (`timestamp` and `timestamptz`), or are not checkable.
 *
 * A pair that fits for some values only is checked value by value by casting there and back, because DuckDB rounds
 * `0.5` into an integer, `1.005` into two decimals and nanoseconds into microseconds without a word.
 */
export function duckdbCastFor(postgresType: string, duckdbType: string): Cast | undefined {
  const target = parsePostgresType(postgresType);
  const source = parseDuckdbType(duckdbType);
  if (!target || !isKnown(source)) return undefined;
  if (!target.array) return castTo(target, source, duckdbType);
  if (source.kind === "null") return as(`${carrierOf(target)}[]`);
  return source.kind === "list" ? castElements(target, source.element, duckdbType) : undefined;
}

const as =
  (type: string): Cast =>
  (value) =>
    `CAST(${value} AS ${type})`;

/** There and back again: what does not come back the same did not fit. */
const checked =
  (type: string, back: string): Cast =>
  (value, misfit) =>
    `CASE WHEN ${value} IS NULL OR TRY_CAST(TRY_CAST(${value} AS ${type}) AS ${back}) = ${value} ` +
    `THEN TRY_CAST(${value} AS ${type}) ELSE ${misfit(value)} END`;

/** For DuckDB 1.5's TIME_NS, to which a TIME cannot be cast back: TRY_CAST answers null for every value. */
const checkedByText = (type: string): Cast =>
  when((value) => `CAST(CAST(${value} AS ${type}) AS VARCHAR) = CAST(${value} AS VARCHAR)`, as(type));

const when =
  (condition: (value: string) => string, cast: Cast): Cast =>
  (value, misfit) =>
    `CASE WHEN ${value} IS NULL OR ${condition(value)} THEN ${cast(value, misfit)} ELSE ${misfit(value)} END`;

/** A DuckDB array may not nest in a Postgres one: their lengths may differ from row to row. */
function castElements(target: PostgresType, element: DuckdbType, listType: string): Cast | undefined {
  if (element.kind === "list") return undefined;
  const elementType = listType.replace(/\s*\[\d*\]\s*$/, "");
  const cast = castTo(target, element, elementType);
  if (!cast) return undefined;
  return (value, misfit) =>
    `list_transform(CAST(${value} AS ${elementType}[]), lambda x: ${cast("x", misfit)})`;
}

const decimalType = (target: PostgresType): string =>
  `DECIMAL(${target.modifiers[0]},${target.modifiers[1] ?? 0})`;

/** The type to cast an absent value to. */
function carrierOf(target: PostgresType): string {
  switch (target.name) {
    case "boolean":
    case "smallint":
    case "integer":
    case "bigint":
    case "real":
    case "uuid":
    case "date":
    case "interval":
      return target.name.toUpperCase();
    case "double precision":
      return "DOUBLE";
    case "numeric":
      return "BIGINT";
    case "bytea":
      return "BLOB";
    case "timestamp without time zone":
      return "TIMESTAMP";
    case "timestamp with time zone":
      return "TIMESTAMPTZ";
    case "time without time zone":
      return "TIME";
    case "time with time zone":
      return "TIMETZ";
    case "text":
    case "character varying":
    case "character":
    case "bit":
    case "bit varying":
    case "json":
    case "jsonb":
      return "VARCHAR";
  }
}

function castTo(target: PostgresType, source: DuckdbType, sourceType: string): Cast | undefined {
  const carrier = carrierOf(target);
  if (source.kind === "null") return as(carrier);
  switch (target.name) {
    case "smallint":
      return toInteger(16, carrier, source, sourceType);
    case "integer":
      return toInteger(32, carrier, source, sourceType);
    case "bigint":
      return toInteger(64, carrier, source, sourceType);
    case "real":
      return toFloat({ bits: 32, integerBits: 16, digits: 6 }, carrier, source, sourceType);
    case "double precision":
      return toFloat({ bits: 64, integerBits: 32, digits: 15 }, carrier, source, sourceType);
    case "numeric":
      return toNumeric(target, source, sourceType);
    case "text":
      return toText(source);
    case "character varying":
    case "character":
      return toBoundedText(target, source);
    case "json":
    case "jsonb":
      return toJson(source);
    case "timestamp without time zone":
      return toTimestamp(source, sourceType);
    case "date":
      if (source.kind === "timestamp") return checked("DATE", sourceType);
      return source.kind === "date" ? as(carrier) : undefined;
    case "time without time zone":
      if (source.kind !== "time") return undefined;
      return source.unit === "ns" ? checkedByText("TIME") : as(carrier);
    case "uuid":
      if (source.kind === "text")
        return when((value) => `TRY_CAST(${value} AS UUID) IS NOT NULL`, as("UUID"));
      return source.kind === "uuid" ? as(carrier) : undefined;
    case "boolean":
    case "interval":
      return source.kind === target.name ? as(carrier) : undefined;
    case "bytea":
      return source.kind === "blob" ? as(carrier) : undefined;
    case "bit":
    case "bit varying":
      return source.kind === "bits" ? as(carrier) : undefined;
    case "timestamp with time zone":
      return source.kind === "timestamptz" ? as(carrier) : undefined;
    case "time with time zone":
      return source.kind === "timetz" ? as(carrier) : undefined;
  }
}

function toInteger(bits: number, carrier: string, source: DuckdbType, sourceType: string): Cast | undefined {
  if (source.kind === "integer") {
    const fits = source.signed ? source.bits <= bits : source.bits < bits;
    return fits ? as(carrier) : checked(carrier, sourceType);
  }
  return source.kind === "float" || source.kind === "decimal" ? checked(carrier, sourceType) : undefined;
}

interface FloatSize {
  readonly bits: number;
  /** Integers of so many bits are exact. */
  readonly integerBits: number;
  /** Decimals of so many digits come back the same. */
  readonly digits: number;
}

function toFloat(size: FloatSize, carrier: string, source: DuckdbType, sourceType: string): Cast | undefined {
  if (source.kind === "float") return source.bits <= size.bits ? as(carrier) : checked(carrier, sourceType);
  if (source.kind === "integer")
    return source.bits <= size.integerBits ? as(carrier) : checked(carrier, sourceType);
  if (source.kind === "decimal")
    return source.width <= size.digits ? as(carrier) : checked(carrier, sourceType);
  return undefined;
}

/** Postgres rounds to the scale of a `numeric(p,s)` without a word, also in COPY: so the check has to be here. */
function toNumeric(target: PostgresType, source: DuckdbType, sourceType: string): Cast | undefined {
  if (target.modifiers.length === 0) return toAnyNumeric(source, sourceType);
  const [precision = 0, scale = 0] = target.modifiers;
  if (scale < 0 || scale > precision) return undefined;
  const exact = (source.kind === "decimal" && source.scale <= scale) || source.kind === "integer";
  // DuckDB's decimals end at 38 digits. Beyond, what needs no rounding goes as it is and Postgres checks the size.
  if (precision > 38) return exact ? toAnyNumeric(source, sourceType) : undefined;
  if (source.kind !== "integer" && source.kind !== "decimal" && source.kind !== "float") return undefined;
  const type = decimalType(target);
  if (source.kind === "decimal" && exact && source.width - source.scale <= precision - scale) return as(type);
  return exact
    ? when((value) => `TRY_CAST(${value} AS ${type}) IS NOT NULL`, as(type))
    : checked(type, sourceType);
}

function toAnyNumeric(source: DuckdbType, sourceType: string): Cast | undefined {
  if (source.kind === "float" || source.kind === "bignum") return as("VARCHAR");
  if (source.kind === "decimal") return as(sourceType);
  if (source.kind !== "integer") return undefined;
  if (source.bits === 128) return as(sourceType);
  return as(source.bits === 64 && !source.signed ? "HUGEINT" : "BIGINT");
}

function toTimestamp(source: DuckdbType, sourceType: string): Cast | undefined {
  if (source.kind === "date") return checked("TIMESTAMP", "DATE");
  if (source.kind !== "timestamp") return undefined;
  return source.unit === "us" ? as("TIMESTAMP") : checked("TIMESTAMP", sourceType);
}

/** Bytes have no text of their own; everything else reads in Postgres as DuckDB writes it. */
function toText(source: DuckdbType): Cast | undefined {
  if (source.kind === "blob") return undefined;
  return source.kind === "nested" || source.kind === "list" ? toJson(source) : as("VARCHAR");
}

/** Postgres drops spaces beyond the length without a word. */
function toBoundedText(target: PostgresType, source: DuckdbType): Cast | undefined {
  const cast = toText(source);
  const [length] = target.modifiers;
  if (!cast || length === undefined) return cast;
  return (value, misfit) => when(() => `length(${cast(value, misfit)}) <= ${length}`, cast)(value, misfit);
}

function toJson(source: DuckdbType): Cast | undefined {
  // Text that is no JSON is refused by Postgres, which names the row.
  if (source.kind === "json" || source.kind === "text") return as("VARCHAR");
  if (source.kind === "nested" || source.kind === "list")
    return (value) => `CAST(to_json(${value}) AS VARCHAR)`;
  return undefined;
}
