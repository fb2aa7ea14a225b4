// Reads the text of a DuckDB type, as `STRUCT("a b" DECIMAL(9,2)[])[3]`, into a tree. Knows nothing of Postgres.

/** `unknown` holds the text of what has no meaning here. A struct, map or union is `nested` with the types inside it. */
export type DuckdbType =
  | { readonly kind: "integer"; readonly bits: 8 | 16 | 32 | 64 | 128; readonly signed: boolean }
  | { readonly kind: "decimal"; readonly width: number; readonly scale: number }
  | { readonly kind: "float"; readonly bits: 32 | 64 }
  | { readonly kind: "timestamp"; readonly unit: "s" | "ms" | "us" | "ns" }
  | { readonly kind: "time"; readonly unit: "us" | "ns" }
  | { readonly kind: "list"; readonly element: DuckdbType }
  | { readonly kind: "nested"; readonly members: readonly DuckdbType[] }
  | { readonly kind: "unknown"; readonly text: string }
  | { readonly kind: PlainKind };

type PlainKind =
  | "boolean"
  | "text"
  | "enum"
  | "json"
  | "blob"
  | "uuid"
  | "bits"
  | "bignum"
  | "date"
  | "timestamptz"
  | "timetz"
  | "interval"
  | "null";

const integer = (bits: 8 | 16 | 32 | 64 | 128, signed: boolean): DuckdbType => ({
  kind: "integer",
  bits,
  signed,
});
const plain = (kind: PlainKind): DuckdbType => ({ kind });

/** As DuckDB spells its own types (`typeof`, `DESCRIBE`), and the aliases that a person may write. */
const named: Readonly<Record<string, DuckdbType>> = {
  BOOLEAN: plain("boolean"),
  BOOL: plain("boolean"),
  TINYINT: integer(8, true),
  SMALLINT: integer(16, true),
  INTEGER: integer(32, true),
  INT: integer(32, true),
  BIGINT: integer(64, true),
  HUGEINT: integer(128, true),
  UTINYINT: integer(8, false),
  USMALLINT: integer(16, false),
  UINTEGER: integer(32, false),
  UBIGINT: integer(64, false),
  UHUGEINT: integer(128, false),
  FLOAT: { kind: "float", bits: 32 },
  REAL: { kind: "float", bits: 32 },
  DOUBLE: { kind: "float", bits: 64 },
  DECIMAL: { kind: "decimal", width: 18, scale: 3 },
  NUMERIC: { kind: "decimal", width: 18, scale: 3 },
  VARCHAR: plain("text"),
  TEXT: plain("text"),
  STRING: plain("text"),
  JSON: plain("json"),
  BLOB: plain("blob"),
  BYTEA: plain("blob"),
  UUID: plain("uuid"),
  BIT: plain("bits"),
  BIGNUM: plain("bignum"),
  DATE: plain("date"),
  TIMESTAMP: { kind: "timestamp", unit: "us" },
  DATETIME: { kind: "timestamp", unit: "us" },
  TIMESTAMP_S: { kind: "timestamp", unit: "s" },
  TIMESTAMP_MS: { kind: "timestamp", unit: "ms" },
  TIMESTAMP_NS: { kind: "timestamp", unit: "ns" },
  TIMESTAMPTZ: plain("timestamptz"),
  "TIMESTAMP WITH TIME ZONE": plain("timestamptz"),
  TIME: { kind: "time", unit: "us" },
  TIME_NS: { kind: "time", unit: "ns" },
  TIMETZ: plain("timetz"),
  "TIME WITH TIME ZONE": plain("timetz"),
  INTERVAL: plain("interval"),
  NULL: plain("null"),
};

/** Never fails: what cannot be read is `unknown`. */
export function parseDuckdbType(text: string): DuckdbType {
  const trimmed = text.trim();
  const list = /^(.*)\[\d*\]$/s.exec(trimmed);
  if (list) return { kind: "list", element: parseDuckdbType(list[1]!) };
  const call = /^(\w+)\s*\((.*)\)$/s.exec(trimmed);
  if (call) return parametrised(trimmed, call[1]!.toUpperCase(), splitTop(call[2]!, ","));
  return named[trimmed.replace(/^"NULL"$/, "NULL").toUpperCase()] ?? { kind: "unknown", text: trimmed };
}

function parametrised(text: string, name: string, parts: readonly string[]): DuckdbType {
  if (name === "DECIMAL" || name === "NUMERIC") {
    return { kind: "decimal", width: Number(parts[0]), scale: Number(parts[1] ?? 0) };
  }
  if (name === "ENUM") return plain("enum");
  if (name === "VARCHAR") return plain("text");
  if (name === "MAP" && parts.length === 2) return { kind: "nested", members: parts.map(parseDuckdbType) };
  if (name === "STRUCT" || name === "UNION") {
    const members = parts.map((part) => parseDuckdbType(splitTop(part.trim(), " ").slice(1).join(" ")));
    return { kind: "nested", members };
  }
  return { kind: "unknown", text };
}

/** Splits where the separator stands outside of brackets and quotes; a doubled quote closes and opens again. */
function splitTop(text: string, separator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quote = "";
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at]!;
    if (quote) quote = letter === quote ? "" : quote;
    else if (letter === '"' || letter === "'") quote = letter;
    else if (letter === "(" || letter === "[") depth++;
    else if (letter === ")" || letter === "]") depth--;
    else if (letter === separator && depth === 0) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...parts, text.slice(start)];
}

/** Whether every type inside is one that can be read. */
export function isKnown(type: DuckdbType): boolean {
  if (type.kind === "unknown") return false;
  if (type.kind === "list") return isKnown(type.element);
  return type.kind !== "nested" || type.members.every(isKnown);
}
