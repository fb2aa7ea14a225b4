// What of a Source parquet keeps as it is, what has to become another type first, and what it cannot hold. Knows nothing of files.

import { fail, ok, type Result } from "../core/failure.js";
import type { DataFailure } from "../core/failure-data.js";
import type { ColumnTypes } from "../core/rule.js";
import { shown } from "./find-value.js";
import { quoteIdentifier, quoteText } from "./session.js";
import type { Source, SourceColumn } from "./source.js";

/** The widest integer of parquet: DuckDB writes HUGEINT and UHUGEINT, which it lacks, as DOUBLE without a word. */
const widest = "DECIMAL(38,0)";

/** What DuckDB's message holds when an integer has more digits than `widest`; the column's index and the value follow. */
const tooWide = "dmake:too-wide";

/**
 * Types whose every value comes back from parquet. Three come back under another name: TIMESTAMP_S and TIMESTAMP_MS as
 * TIMESTAMP, ENUM as VARCHAR. Left out, because DuckDB 1.5 writes without a word: TIMETZ without its offset, INTERVAL
 * without its microseconds, UNION as a STRUCT, BIT, BIGNUM and TIME_NS as text, GEOMETRY with a reference system it
 * never had.
 */
const kept = new RegExp(
  `(^| )(BOOLEAN|U?(TINYINT|SMALLINT|INTEGER|BIGINT)|FLOAT|DOUBLE|DECIMAL|VARCHAR|JSON|BLOB|UUID|ENUM|DATE|TIME|` +
    `TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?|STRUCT|MAP)$`,
);

/** Field names and the values of an ENUM, which may spell a type. */
const quoted = /"(?:[^"]|"")*"|'(?:[^']|'')*'/g;

const isHuge = (type: string): boolean => /^U?HUGEINT$/.test(type);

/** With DECIMAL for each HUGEINT in it, however deep. */
const narrowed = (type: string): string =>
  type.replace(new RegExp(`${quoted.source}|\\bU?HUGEINT(?=[),[]|$)`, "g"), (found) =>
    isHuge(found) ? widest : found,
  );

const isKept = (type: string): boolean =>
  type
    .replace(quoted, "")
    .split(/[(),[\]]/)
    .every((part) => /^\s*\d*\s*$/.test(part) || kept.test(part.trim()));

/**
 * `source` as parquet can hold it: HUGEINT and UHUGEINT become DECIMAL(38,0), a value of 39 digits being an error; the
 * other types stay. A type that parquet would change the values of is refused, unless the column comes from parquet as
 * it is. `declared` are the types that the Datafile gives.
 */
export function forParquet(source: Source, declared: ColumnTypes): Result<Source> {
  const { file, format, columns } = source;
  const suspects = columns.filter(({ name }) => format !== "parquet" || Object.hasOwn(declared, name));
  const lost = suspects.find(({ type }) => !isKept(narrowed(type)));
  if (lost) {
    const help = `parquet does not keep its values as they are, but keeps them as text: \`columns: { ${JSON.stringify(lost.name)}: "VARCHAR" }\``;
    return fail({ reason: "unsupported-type", file, column: lost.name, type: lost.type, help });
  }
  const types = columns.map(({ type }) => narrowed(type));
  if (columns.every(({ type }, index) => types[index] === type)) return ok(source);
  return ok({
    ...source,
    columns: columns.map(({ name }, index) => ({ name, type: types[index]! })),
    select: `SELECT ${columns.map((column, index) => narrow(column, types[index]!, index)).join(", ")} FROM (${source.select})`,
    explain: async (error) => tooWideIn(source, error) ?? source.explain(error),
  });
}

/** Within a list or struct a value that is too wide is DuckDB's own error: of JSON's integers none is. */
function narrow({ name, type }: SourceColumn, to: string, index: number): string {
  const value = quoteIdentifier(name);
  if (to === type) return value;
  if (!isHuge(type)) return `CAST(${value} AS ${to}) AS ${value}`;
  const refused = `error(${quoteText(`${tooWide} ${index} `)} || CAST(${value} AS VARCHAR))`;
  return `coalesce(TRY_CAST(${value} AS ${to}), CASE WHEN ${value} IS NOT NULL THEN ${refused} END) AS ${value}`;
}

function tooWideIn({ file, columns }: Source, error: unknown): DataFailure | undefined {
  const found = error instanceof Error && new RegExp(`${tooWide} (\\d+) (-?\\d+)`).exec(error.message);
  if (!found) return undefined;
  const problem = "it has more than the 38 digits that parquet keeps";
  return {
    reason: "bad-value",
    file,
    column: columns[Number(found[1])]!.name,
    text: shown(found[2]!),
    type: widest,
    problem,
  };
}
