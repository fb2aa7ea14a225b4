// Chooses types for columns of text by trying each on a sample of rows. Knows nothing of where the text comes from.
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { CsvOptions } from "../core/rule.js";
import type { TypedColumn } from "./find-value.js";
import { plainNumber } from "./number-text.js";
import { query } from "./query.js";
import { quoteIdentifier, type Session } from "./session.js";
import { type Reading, valueSql } from "./text-checks.js";

/** As many rows as DuckDB's own sniffer looks at. */
const sampleRows = 20_480;
/** A glance at these rules out most types, so that few questions reach DuckDB: planning 160 of them took 80 ms. */
const glanceRows = 100;

const table = "dmake_sample";

export interface Wish {
  readonly name: string;
  /** As DuckDB spells it, where the type is not to be taken from the values. */
  readonly declared: string | undefined;
  /** Where nothing is left to find out. */
  readonly known?: Reading;
}

export interface SampledColumn extends TypedColumn {
  /** No value of it is in the sample, and nobody gave a type. */
  readonly unseen?: true;
}

const text: Reading = { type: "VARCHAR", chosen: "sampled" };

/** In the order of preference, each with what a text must at least look like. */
const guesses: readonly (readonly [string, RegExp])[] = [
  ["BOOLEAN", /^(true|false)$/i],
  ["BIGINT", /^\s*-?\d+\s*$/],
  ["HUGEINT", /^\s*-?\d+\s*$/],
  ["DOUBLE", /^\s*[+-]?(\.?\d|nan|inf)/i],
  ["DATE", /^\d{4,6}-\d\d-\d\d$/],
  ["TIMESTAMP", /^\s*\d{4,6}-/],
  ["TIMESTAMP WITH TIME ZONE", /^\s*\d{4,6}-.*:/],
  ["TIME", /^\s*\d{1,2}:/],
];

/**
 * Types for the columns that `from` (SQL text yielding VARCHARs of these names) has: for each the first guess that all
 * values of the sample fit. A column without a value in the sample, or whose values fit no type, stays VARCHAR; so do
 * dates in another order than year, month, day, and numbers with a zero in front: post codes and the like.
 */
export async function sampleTypes(
  session: Session,
  from: string,
  wishes: readonly Wish[],
  csv: CsvOptions,
  explain: (message: string) => Promise<Failure>,
): Promise<Result<readonly SampledColumn[]>> {
  const sampled = wishes.filter(({ declared, known }) =>
    known ? false : declared === undefined || formatFor(declared, csv) !== undefined,
  );
  const unseenNames = new Set<string>();
  const readings = new Map(
    wishes.map((wish) => [wish.name, wish.known ?? declaredReading(wish, csv) ?? text]),
  );
  if (sampled.length > 0) {
    const names = sampled.map(({ name }) => quoteIdentifier(name)).join(", ");
    const create = `CREATE OR REPLACE TEMP TABLE ${table} AS SELECT ${names} FROM ${from} LIMIT ${sampleRows}`;
    const made = await query(session, create);
    if (!made.ok) return fail(await explain(made.message));
    const seen = await seenColumns(session, sampled);
    if (!seen.ok) return fail(await explain(seen.message));
    const problem = await choose(
      session,
      sampled.filter(({ name }) => seen.names.has(name)),
      csv,
      readings,
    );
    if (problem !== undefined) return fail(await explain(problem));
    const unseen = sampled.filter(({ name, declared }) => declared === undefined && !seen.names.has(name));
    for (const { name } of unseen) unseenNames.add(name);
  }
  return ok(
    wishes.map(({ name }) => ({
      name,
      reading: readings.get(name)!,
      ...(unseenNames.has(name) && { unseen: true as const }),
    })),
  );
}

type Seen =
  | { readonly ok: true; readonly names: ReadonlySet<string> }
  | { readonly ok: false; readonly message: string };

async function seenColumns(session: Session, wishes: readonly Wish[]): Promise<Seen> {
  const counts = wishes.map(({ name }, at) => `count(${quoteIdentifier(name)}) > 0 AS v${at}`);
  const answer = await query<Record<string, boolean>>(session, `SELECT ${counts.join(", ")} FROM ${table}`);
  if (!answer.ok) return answer;
  return {
    ok: true,
    names: new Set(wishes.flatMap(({ name }, at) => (answer.rows[0]![`v${at}`] ? [name] : []))),
  };
}

function declaredReading({ declared }: Wish, csv: CsvOptions): Reading | undefined {
  if (declared === undefined) return undefined;
  const format = formatFor(declared, csv);
  return {
    type: declared,
    chosen: "declared",
    ...(format !== undefined && { format }),
    ...digitsFor(declared, csv),
  };
}

const numeric = /^(U?((TINY|SMALL|BIG|HUGE)INT|INTEGER)|BIGNUM|DOUBLE|FLOAT|DECIMAL\(.*)$/;

function digitsFor(type: string, { thousands, decimal }: CsvOptions): Pick<Reading, "digits"> {
  if (!numeric.test(type) || (thousands === undefined && decimal !== ",")) return {};
  return { digits: { decimal: decimal ?? ".", ...(thousands !== undefined && { thousands }) } };
}

function formatFor(type: string, csv: CsvOptions): string | undefined {
  if (type === "DATE") return csv.dateFormat;
  return type.startsWith("TIMESTAMP") ? csv.timestampFormat : undefined;
}

/** How texts of a file are read for a column whose type is known from elsewhere: as strictly as if it were guessed. */
export function readingFor(type: string, csv: CsvOptions): Reading {
  const format = formatFor(type, csv);
  return { type, chosen: "sampled", ...(format !== undefined && { format }), ...digitsFor(type, csv) };
}

/** Fills in `readings`; answers what DuckDB says against it. */
async function choose(
  session: Session,
  wishes: readonly Wish[],
  csv: CsvOptions,
  readings: Map<string, Reading>,
): Promise<string | undefined> {
  const glance = await query<Record<string, string | null>>(session, `FROM ${table} LIMIT ${glanceRows}`);
  if (!glance.ok) return glance.message;
  let open = wishes.map((wish) => ({
    name: wish.name,
    left: candidates(
      wish,
      csv,
      glance.rows.flatMap((row) => row[wish.name] ?? []),
    ),
  }));
  for (;;) {
    open = open.filter(({ left }) => left.length > 0);
    if (open.length === 0) break;
    const questions = open.map(
      ({ name, left }, at) => `${verdictOn(quoteIdentifier(name), left[0]!)} AS v${at}`,
    );
    const answer = await query<Record<string, boolean>>(
      session,
      `SELECT ${questions.join(", ")} FROM ${table}`,
    );
    if (!answer.ok) return answer.message;
    open = open.flatMap(({ name, left: [first, ...left] }, at) => {
      if (answer.rows[0]![`v${at}`] !== true) return [{ name, left }];
      readings.set(name, first!);
      return [];
    });
  }
  await query(session, `DROP TABLE ${table}`);
  return undefined;
}

/** What to try on the whole sample. Of a declared type it is only in question whether the format is meant for this column. */
function candidates(wish: Wish, csv: CsvOptions, values: readonly string[]): readonly Reading[] {
  const declared = declaredReading(wish, csv);
  if (declared) return [declared, { type: declared.type, chosen: "declared" }];
  const guessed = guesses.map(([type, look]) => ({
    look,
    reading: { type, chosen: "sampled", ...digitsFor(type, csv) } as Reading,
  }));
  const fitting = guessed.filter(
    ({ look, reading }) => reading.digits || values.every((value) => look.test(value)),
  );
  return [...byFormat(csv), ...fitting.map(({ reading }) => reading)];
}

function byFormat({ dateFormat, timestampFormat }: CsvOptions): readonly Reading[] {
  const readings: Reading[] = [];
  if (timestampFormat !== undefined)
    readings.push({ type: typeOfFormat(timestampFormat), chosen: "sampled", format: timestampFormat });
  if (dateFormat !== undefined) readings.push({ type: "DATE", chosen: "sampled", format: dateFormat });
  return readings;
}

function typeOfFormat(format: string): string {
  if (/%z/i.test(format)) return "TIMESTAMP WITH TIME ZONE";
  return format.includes("%n") ? "TIMESTAMP_NS" : "TIMESTAMP";
}

function verdictOn(written: string, reading: Reading): string {
  const fits = `bool_and(${written} IS NULL OR ${valueSql(written, reading)} IS NOT NULL) AND count(${written}) > 0`;
  if (reading.type !== "DOUBLE" || reading.chosen === "declared") return `(${fits})`;
  // A column of nothing but `nan` and `inf` is text: somebody's name, or a code. So is one with `1e3` in it: machines
  // write an exponent with a sign or after a point, identifiers do not.
  const text = reading.digits ? plainNumber(written, reading.digits) : written;
  const number = `bool_or(isfinite(TRY_CAST(${text} AS DOUBLE)))`;
  const code = `coalesce(bool_or(regexp_full_match(${text}, '\\s*[+-]?\\d+[eE]\\d+\\s*')), false)`;
  return `(${fits} AND ${number} AND NOT ${code})`;
}
