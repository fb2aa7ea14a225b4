// The one list of Postgres types that rows can be sent as, and which of them a DuckDB type becomes. Knows nothing of bytes or of SQL.
import { type DuckdbType, isKnown, parseDuckdbType } from "./duckdb-type.js";

/**
 * Postgres types by the name that `format_type` gives them. `oid` is from `pg_type.dat`. `carriers` are the DuckDB types (ids)
 * whose values the encoder writes as that type; a SELECT must cast to one of them first.
 */
export const postgresTypes = {
  boolean: { oid: 16, carriers: ["BOOLEAN"] },
  smallint: { oid: 21, carriers: ["SMALLINT"] },
  integer: { oid: 23, carriers: ["INTEGER"] },
  bigint: { oid: 20, carriers: ["BIGINT"] },
  real: { oid: 700, carriers: ["FLOAT"] },
  "double precision": { oid: 701, carriers: ["DOUBLE"] },
  numeric: { oid: 1700, carriers: ["BIGINT", "HUGEINT", "UHUGEINT", "DECIMAL", "VARCHAR"] },
  text: { oid: 25, carriers: ["VARCHAR"] },
  "character varying": { oid: 1043, carriers: ["VARCHAR"] },
  character: { oid: 1042, carriers: ["VARCHAR"] },
  bytea: { oid: 17, carriers: ["BLOB"] },
  uuid: { oid: 2950, carriers: ["UUID"] },
  bit: { oid: 1560, carriers: ["VARCHAR"] },
  "bit varying": { oid: 1562, carriers: ["VARCHAR"] },
  date: { oid: 1082, carriers: ["DATE"] },
  "timestamp without time zone": { oid: 1114, carriers: ["TIMESTAMP"] },
  "timestamp with time zone": { oid: 1184, carriers: ["TIMESTAMP_TZ"] },
  "time without time zone": { oid: 1083, carriers: ["TIME"] },
  "time with time zone": { oid: 1266, carriers: ["TIME_TZ"] },
  interval: { oid: 1186, carriers: ["INTERVAL"] },
  json: { oid: 114, carriers: ["VARCHAR"] },
  jsonb: { oid: 3802, carriers: ["VARCHAR"] },
} as const satisfies Readonly<Record<string, { readonly oid: number; readonly carriers: readonly string[] }>>;

export type PostgresName = keyof typeof postgresTypes;

const aliases: ReadonlyMap<string, PostgresName> = new Map(
  Object.entries({
    bool: "boolean",
    int2: "smallint",
    int4: "integer",
    int: "integer",
    int8: "bigint",
    float4: "real",
    float8: "double precision",
    decimal: "numeric",
    varchar: "character varying",
    char: "character",
    varbit: "bit varying",
    timestamp: "timestamp without time zone",
    timestamptz: "timestamp with time zone",
    time: "time without time zone",
    timetz: "time with time zone",
  } as const),
);

export interface PostgresType {
  readonly name: PostgresName;
  /** `[10, 2]` of `numeric(10,2)`; empty without brackets. */
  readonly modifiers: readonly number[];
  readonly array: boolean;
}

/**
 * Reads a type as Postgres or a person spells it. Nothing for a type that rows cannot be sent as, such as `inet`, and for
 * a time of lower precision than DuckDB's microseconds, such as `timestamp(3)`, because Postgres would round.
 */
export function parsePostgresType(text: string): PostgresType | undefined {
  const parts = /^([a-z0-9 ]+?)\s*(?:\(\s*(-?[\d,\s-]+)\))?((?: with| without)[a-z ]+)?(\[\])?$/.exec(
    text.trim().toLowerCase(),
  );
  if (!parts) return undefined;
  const spelled = `${parts[1]}${parts[3] ?? ""}`;
  const name = Object.hasOwn(postgresTypes, spelled) ? (spelled as PostgresName) : aliases.get(spelled);
  if (!name) return undefined;
  const modifiers = parts[2] ? parts[2].split(",").map(Number) : [];
  if (/^(time|interval)/.test(name) && modifiers.some((digits) => digits < 6)) return undefined;
  return { name, modifiers, array: parts[4] !== undefined };
}

/**
 * The Postgres type that holds every value of a DuckDB type, or nothing where there is none (`GEOMETRY`, `VARIANT`).
 *
 * It depends on the type alone, never on the rows: a list of lists may be ragged, which a Postgres array cannot be, so
 * it is `jsonb`, as are structs, maps and unions.
 */
export function postgresTypeOf(duckdbType: string): string | undefined {
  const type = parseDuckdbType(duckdbType);
  return isKnown(type) ? columnType(type) : undefined;
}

function columnType(type: DuckdbType): string {
  if (type.kind !== "list") return scalarType(type);
  return type.element.kind === "list" || type.element.kind === "nested"
    ? "jsonb"
    : `${scalarType(type.element)}[]`;
}

function scalarType(type: Exclude<DuckdbType, { kind: "list" }>): string {
  switch (type.kind) {
    case "integer":
      return integerType(type.bits, type.signed);
    case "decimal":
      return `numeric(${type.width},${type.scale})`;
    case "float":
      return type.bits === 32 ? "real" : "double precision";
    case "bignum":
      return "numeric";
    case "boolean":
    case "uuid":
    case "date":
    case "interval":
      return type.kind;
    case "timestamp":
      return "timestamp without time zone";
    case "timestamptz":
      return "timestamp with time zone";
    case "time":
      return "time without time zone";
    case "timetz":
      return "time with time zone";
    case "text":
    case "enum":
    case "null":
      return "text";
    case "blob":
      return "bytea";
    case "bits":
      return "bit varying";
    case "json":
    case "nested":
      return "jsonb";
    case "unknown":
      throw new Error(`bug: asked for the type of ${type.text}`);
  }
}

/** Postgres has no unsigned integers: each becomes the next wider type that holds it. */
function integerType(bits: number, signed: boolean): string {
  if (bits < 16 || (bits === 16 && signed)) return "smallint";
  if (bits < 32 || (bits === 32 && signed)) return "integer";
  if (bits < 64 || (bits === 64 && signed)) return "bigint";
  return bits === 64 ? "numeric(20,0)" : "numeric";
}
