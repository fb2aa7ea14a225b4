// How the columns of a source become those that a table takes, value by value: the SQL that sends them, and what it asks of each value. Knows nothing of files or connections.
import { strict as assert } from "node:assert";
import { fail, ok, type Result } from "../core/failure.js";
import type { CsvOptions } from "../core/rule.js";
import { plainNumber } from "../duckdb/number-text.js";
import { readingFor } from "../duckdb/sample.js";
import { quoteIdentifier, quoteText } from "../duckdb/session.js";
import type { Demand } from "../duckdb/sift.js";
import type { Source, SourceColumn } from "../duckdb/source.js";
import { valueSql } from "../duckdb/text-checks.js";
import type { TableColumn } from "../engine/ports.js";
import { type Cast, duckdbCastFor } from "../postgres/copy-cast.js";
import { parsePostgresType } from "../postgres/types.js";

/** A partition's own key: every row has to have this value in this column of the source. */
export interface OwnKey {
  readonly column: string;
  readonly value: string;
}

/** What is sent, and what is asked of it. */
export interface Fit {
  /** SQL text yielding the table's columns in order, from a SELECT that yields the source's; running it is an error where a demand is not met. */
  readonly selectFrom: (select: string) => string;
  /** Of the values that are sent, and of the key. */
  readonly demands: readonly Demand[];
  /** Columns of the source that are sent, or that a demand is made of. */
  readonly used: ReadonlySet<string>;
}

/** Begins the message of the error that the SELECT raises for a value that a demand refuses. */
export const misfitMark = "dmake-misfit";

const shownText = 200;

/** The column that the table's `name` is filled from: the same, but perhaps for upper and lower case. */
function columnOf({ columns, file }: Source, name: string): SourceColumn {
  const column =
    columns.find((other) => other.name === name) ??
    columns.find((other) => other.name.toLowerCase() === name.toLowerCase());
  assert(column, `bug: the table wants \`${name}\`, which ${file} does not have`);
  return column;
}

export interface FitOptions {
  readonly csv: CsvOptions;
  readonly key: OwnKey | undefined;
  /** Whether a column of text may be read as what the table has. */
  readonly isOpen: (column: SourceColumn) => boolean;
}

/** The pairs of types that have no cast are told all at once. `table` is named in failures. */
export function fitTo(
  source: Source,
  table: string,
  columns: readonly TableColumn[],
  { csv, key, isOpen }: FitOptions,
): Result<Fit> {
  const differences: string[] = [];
  const demands: Demand[] = [];
  const used = new Set<string>();
  const keyColumn = key && source.columns.find(({ name }) => name === key.column);
  if (key && keyColumn) {
    demands.push(keyDemand(keyColumn, key.value));
    used.add(keyColumn.name);
  }
  const expressions = columns.map(({ name, type, required }) => {
    const column = columnOf(source, name);
    used.add(column.name);
    const cast = castFor(column, type, isOpen(column) ? csv : undefined);
    if (!cast)
      differences.push(
        `\`${name}\` is \`${column.type}\` in \`${source.file}\` and \`${type}\` in the table`,
      );
    const value = quoteIdentifier(column.name);
    const at = demands.length;
    const demand = cast && demandOf(column, type, cast);
    if (demand) demands.push(demand);
    const sent = cast?.(value, (misfit) => misfitSql(at, misfit)) ?? value;
    if (!required) return `${sent} AS ${quoteIdentifier(name)}`;
    demands.push(requiredDemand(column, type));
    return `CASE WHEN ${value} IS NULL THEN ${misfitSql(demands.length - 1, "''")} ELSE ${sent} END AS ${quoteIdentifier(name)}`;
  });
  if (differences.length > 0) {
    const help =
      'give the columns their types in the Datafile, as `columns: { amount: "DOUBLE" }`, or change the table with ALTER TABLE';
    return fail({ reason: "table-shape", table, differences, help });
  }
  const where = keyColumn ? ` WHERE ${keySql(demands[0]!)}` : "";
  const selectFrom = (select: string) => `SELECT ${expressions.join(", ")} FROM (${select})${where}`;
  return ok({ selectFrom, demands, used });
}

const misfitSql = (demand: number, value: string): string =>
  `error('${misfitMark}:${demand}:' || left(CAST(${value} AS VARCHAR), ${shownText}))`;

/** Compared in the column's own type: `1` and `01` are one number and two texts. */
function keyDemand({ name, type }: SourceColumn, value: string): Demand {
  const wanted = valueSql(quoteText(value), { type, chosen: "declared" });
  return {
    column: name,
    refuses: (sql) => `coalesce(${sql} <> ${wanted}, true)`,
    problem: `is not \`${value}\`, which the partition's rows all have`,
    type,
  };
}

const requiredDemand = ({ name: column }: SourceColumn, type: string): Demand => ({
  column,
  refuses: (value) => `${value} IS NULL`,
  problem: "is missing, and the table's column is NOT NULL",
  type,
});

/** A condition that holds for every row, or stops the query: the column itself may not be sent. */
function keySql({ column, refuses }: Demand): string {
  const value = quoteIdentifier(column);
  return `CASE WHEN ${refuses(value)} THEN ${misfitSql(0, `coalesce(CAST(${value} AS VARCHAR), '')`)} ELSE true END`;
}

/** Nothing where every value of the column fits. */
function demandOf({ name: column, type: from }: SourceColumn, type: string, cast: Cast): Demand | undefined {
  let isChecked = false;
  const nothing = () => {
    isChecked = true;
    return "NULL";
  };
  cast("x", nothing);
  if (!isChecked) return undefined;
  const isList = parsePostgresType(type)?.array;
  return {
    column,
    // An element that does not fit becomes a null, which is not counted; a null that is one is none more.
    refuses: isList
      ? (value) => `list_count(${cast(value, nothing)}) <> list_count(${value})`
      : (value) => `(${value} IS NOT NULL AND ${cast(value, nothing)} IS NULL)`,
    problem:
      duckdbCastFor(type, from) === undefined
        ? `is no value of the table's \`${type}\``
        : `does not fit the table's \`${type}\` without being rounded or cut`,
    type,
  };
}

/** Texts that no text in Postgres can be: the server, or whoever encodes them, would stop at them. */
export function nulDemands(source: Source, columns: readonly TableColumn[]): readonly Demand[] {
  return columns.flatMap(({ name, type }) => {
    const column = columnOf(source, name);
    if (column.type !== "VARCHAR") return [];
    const problem = "holds the character NUL, which no text in Postgres can";
    return [{ column: column.name, refuses: (value) => `contains(${value}, chr(0))`, problem, type }];
  });
}

/**
 * What has no cast of its own: texts are read as what the table has, value by value, if `csv` is there, which says how.
 * A column without a value should hold nothing but nulls, whatever its type, and then has to.
 */
function castFor(
  { type: from, unseen }: SourceColumn,
  type: string,
  csv: CsvOptions | undefined,
): Cast | undefined {
  const asText = () => (from === "VARCHAR" && csv ? castText(type, csv) : undefined);
  return duckdbCastFor(type, from) ?? asText() ?? (unseen ? castNulls(type) : undefined);
}

function castText(type: string, csv: CsvOptions): Cast | undefined {
  if (type === "numeric") return castNumber(csv);
  const textType = textTypeFor(type);
  const cast = textType && duckdbCastFor(type, textType);
  if (!cast) return undefined;
  const reading = readingFor(textType, csv);
  return (value, misfit) => {
    const sent = cast(valueSql(value, reading), () => "NULL");
    return `coalesce(${sent}, CASE WHEN ${value} IS NOT NULL THEN ${misfit(value)} END)`;
  };
}

/** Digits of any number, as they are but for how they are grouped and pointed. */
function castNumber(csv: CsvOptions): Cast {
  const { digits } = readingFor("DOUBLE", csv);
  return (value, misfit) => {
    const text = digits ? plainNumber(value, digits) : value;
    return (
      `CASE WHEN regexp_full_match(${text}, '\\s*-?(0|[1-9]\\d*)(\\.\\d+)?([eE][+-]?\\d{1,3})?\\s*') THEN trim(${text}) ` +
      `WHEN ${value} IS NOT NULL THEN ${misfit(value)} END`
    );
  };
}

/** The DuckDB type in which a text is read for a column of this type; nothing where text is not read as such. */
function textTypeFor(type: string): string | undefined {
  const parsed = parsePostgresType(type);
  if (!parsed || parsed.array) return undefined;
  const [precision = 0, scale = 0] = parsed.modifiers;
  switch (parsed.name) {
    case "smallint":
    case "integer":
    case "bigint":
    case "boolean":
    case "date":
      return parsed.name.toUpperCase();
    case "real":
      return "FLOAT";
    case "double precision":
      return "DOUBLE";
    case "numeric":
      return precision > 0 && precision <= 38 && scale >= 0 && scale <= precision
        ? `DECIMAL(${precision},${scale})`
        : undefined;
    case "timestamp without time zone":
      return "TIMESTAMP";
    case "timestamp with time zone":
      return "TIMESTAMP WITH TIME ZONE";
    case "time without time zone":
      return "TIME";
    default:
      return undefined;
  }
}

function castNulls(type: string): Cast | undefined {
  const cast = duckdbCastFor(type, '"NULL"');
  return (
    cast && ((value, misfit) => cast(`CASE WHEN ${value} IS NOT NULL THEN ${misfit(value)} END`, misfit))
  );
}
