// What a Datafile imports: the functions that declare rules, domains and parameters. Knows nothing of running them.
import type { ColumnTypes, Command, Compression, CsvOptions } from "./core/rule.js";
import { checkCall } from "./datafile/call.js";
import { scriptRule, shellRule } from "./datafile/code-rule.js";
import { duration, monthsBetween } from "./datafile/domain.js";
import { downloadRule, parquetRule } from "./datafile/file-rule.js";
import { globInput, optionalInput } from "./datafile/input.js";
import { listedValues } from "./datafile/manifest.js";
import type {
  CommandOptions,
  DownloadOptions,
  Duration,
  ParquetOptions,
  Pool,
  PoolPlaces,
  RecipeContext,
  RetryOptions,
  ScriptGiven,
  ScriptOptions,
  ShellGiven,
  TableOptions,
} from "./datafile/options.js";
import { parameter, secretValue } from "./datafile/parameter.js";
import { declarePool } from "./datafile/pool.js";
import type { Dollar } from "./datafile/shell.js";
import type { SqlFileOptions, SqlGiven, SqlTextOptions } from "./datafile/sql-options.js";
import { sqlRule } from "./datafile/sql-rule.js";
import type { Sql, SqlDollar, SqlTable } from "./datafile/sql-template.js";
import { tableRule } from "./datafile/table-rule.js";
import type {
  Bound,
  CheckInput,
  Glob,
  Input,
  InputWild,
  Optional,
  RuleHandle,
  Selection,
  Values,
  Wild,
} from "./datafile/wild.js";

export type {
  ColumnTypes,
  Command,
  CommandOptions,
  Compression,
  CsvOptions,
  Dollar,
  DownloadOptions,
  Duration,
  Glob,
  Input,
  Optional,
  ParquetOptions,
  Pool,
  PoolPlaces,
  RecipeContext,
  RetryOptions,
  RuleHandle,
  ScriptGiven,
  ScriptOptions,
  Selection,
  ShellGiven,
  Sql,
  SqlDollar,
  SqlFileOptions,
  SqlGiven,
  SqlTable,
  SqlTextOptions,
  TableOptions,
  Values,
  Wild,
};

/**
 * Declares files that are downloaded: streamed, hashed and checked, resumed after a cut, tried again with patience,
 * and never published half or as an error page.
 *
 * @example
 * export const raw = download("data/raw/{color}_{month}.csv.gz", {
 *   where: { color: ["yellow", "green"], month: months("2021-01", "2021-06") },
 *   url: ({ color, month }) => `https://example.org/trips/${color}_tripdata_${month}.csv.gz`,
 * });
 */
export function download<
  const P extends string,
  const U extends string = string,
  const A extends Input | readonly Input[] = never,
>(target: P, options: DownloadOptions<P, A, U>): RuleHandle<Bound<P>> {
  checkCall("download", target, options);
  return downloadRule(target, options);
}

/**
 * Declares parquet files made from CSV (also `.gz`, `.zst` from Node 22.15), JSON or parquet. Types are sampled or given, and then
 * hold for every value: a value that does not fit is an error with its line, never rounded or nulled.
 *
 * @example
 * export const trips = parquet("data/{color}_{month}.parquet", { from: raw, columns: { ehail_fee: "DOUBLE" } });
 */
export function parquet<
  const P extends string,
  const I extends Input,
  const A extends Input | readonly Input[] = never,
>(target: P, options: ParquetOptions<Bound<P>, I, A>): RuleHandle<Bound<P>> {
  checkCall("parquet", target, options);
  return parquetRule(target, options);
}

/**
 * Declares tables loaded into Postgres exactly once: `table:NAME` whole, `table:NAME/{wildcard}` as a partition of
 * NAME, whose key column has the wildcard's name. Rows and their record are one transaction.
 *
 * @example
 * export const loaded = table("table:{color}_trips/{month}", { from: trips });
 * export const zones = table("table:zones", { from: "data/zones.csv" });
 */
export function table<
  const P extends `table:${string}`,
  const I extends Input,
  const A extends Input | readonly Input[] = never,
>(target: P, options: TableOptions<Bound<P>, I, A>): RuleHandle<Bound<P>> {
  checkCall("table", target, options);
  return tableRule(target, options);
}

/**
 * Declares a table, a partition or a view that Postgres itself makes of others: one query, whose rows become those of the
 * table or which becomes the view, or statements that leave the table as it is to be. In one transaction with its record,
 * as a load. Values are bound and names quoted, whatever is in them.
 *
 * A table is stale when the content of a table that it is made `from` has changed, when its SQL has, or when somebody has
 * dropped or emptied it; its rows replace the old ones as those of a load do. A single query runs while others read and
 * write. Statements lock what they lock until all of them are through, so that long ones belong into a query.
 *
 * @example
 * export const daily = sql("table:daily/{month}", { from: loaded, key: "day" }, ({ $, input }) => $`
 *   select pickup::date as day, count(*) as trips, sum(fare) as fares from ${input} group by 1`);
 * export const recent = sql("view:recent", { after: daily.all() }, ({ $ }) => $`
 *   select * from ${$.table("daily")} where day > current_date - 30`);
 * export const top = sql("table:top", { from: daily.all(), file: "sql/top.sql", values: { limit: 5 } });
 */
export function sql<
  const P extends `table:${string}` | `view:${string}`,
  const F extends string,
  const I extends Input | readonly Input[] = never,
  const A extends Input | readonly Input[] = never,
  const U extends Input | readonly Input[] = never,
>(target: P, options: SqlFileOptions<Bound<P>, I, A, U, F>): RuleHandle<Bound<P>>;
export function sql<
  const P extends `table:${string}` | `view:${string}`,
  const I extends Input | readonly Input[] = never,
  const A extends Input | readonly Input[] = never,
  const U extends Input | readonly Input[] = never,
>(
  target: P,
  options: SqlTextOptions<Bound<P>, I, A, U>,
  query: (given: SqlGiven<Bound<P>>) => Sql,
): RuleHandle<Bound<P>>;
export function sql(
  target: string,
  options: object,
  query?: (given: SqlGiven<string>) => Sql,
): RuleHandle<string> {
  checkCall("sql", target, options);
  return sqlRule(target, options, query);
}

type OneOrMore = string | readonly string[];
type Named = Readonly<Record<string, unknown>>;

/**
 * Declares files that a shell command makes. Every value in the `$` template is quoted as one word, a list as one
 * word each; the rest is the shell's. Runs with `sh -e`, so that the first command that fails ends it. A target with a
 * `/` at its end is a directory, which is made empty before.
 *
 * @example
 * export const report = sh("data/report.txt", { from: trips.all({ color: "yellow" }) },
 *   ({ $, inputs, output }) => $`wc -c ${inputs} > ${output}`);
 * export const parts = sh("data/parts/", { from: "data/all.csv" },
 *   ({ $, input, output }) => $`split -l 100000 ${input} ${output}/part-`);
 */
export function sh<
  const P extends OneOrMore,
  const I extends Input | readonly Input[] = never,
  const A extends Input | readonly Input[] = never,
  const U extends Input | readonly Input[] = never,
  const V extends Named = Named,
  const D extends boolean = false,
>(
  target: P,
  options: CommandOptions<Bound<P>, I, A, U, V, D>,
  command: (context: ShellGiven<Bound<P>, D>) => Command,
): RuleHandle<Bound<P>> {
  checkCall("sh", target, options, command);
  return shellRule([target].flat(), options, command);
}

/**
 * Declares files that a function makes. It writes to `output` (or `outputs`) and nowhere else; throwing fails the
 * target and keeps the old file. A target with a `/` at its end is a directory, which is made empty before.
 *
 * The target is stale when the function's code changes, or code that it reaches. Of values that are made while the
 * Datafile is read no code shows the changes: name them in `values`.
 *
 * @example
 * export const index = script("data/index.json", { from: trips.all() }, async ({ inputs, output }) => {
 *   await writeFile(output, JSON.stringify(inputs));
 * });
 */
export function script<
  const P extends OneOrMore,
  const I extends Input | readonly Input[] = never,
  const A extends Input | readonly Input[] = never,
  const U extends Input | readonly Input[] = never,
  const V extends Named = Named,
>(
  target: P,
  options: ScriptOptions<Bound<P>, I, A, U, V>,
  run: (context: ScriptGiven<Bound<P>>) => Promise<void> | void,
): RuleHandle<Bound<P>> {
  checkCall("script", target, options, run);
  return scriptRule([target].flat(), options, run);
}

/**
 * An input: all files that fit, and all targets that can be listed and fit, sorted. In the syntax of fast-glob, but that
 * braces are wildcards, which the target must bind: `*` and `?` within a name, `**` for folders, `[a-z]`, `@(a|b)`. The
 * recipe is stale when a name comes or goes; where nothing fits, that is an error, unless it is `optional`.
 *
 * @example
 * export const all = sh("data/{color}.txt", { from: glob("data/raw/{color}_*.csv") },
 *   ({ $, inputs, output }) => $`cat ${inputs} > ${output}`);
 */
export function glob<const P extends string>(pattern: P): Glob<Wild<P>> {
  return globInput(pattern);
}

/**
 * The same input, which need not be there: a recipe is given what is. The target is stale when it comes or goes.
 *
 * @example
 * from: ["config/default.json", optional("config/local.json"), optional(glob("config/extra/*.json"))]
 */
export function optional<const I extends Input>(input: I): Optional<InputWild<I>> {
  return optionalInput(input);
}

/**
 * Values for `where` that are listed in the content of a file, which is built first if a rule makes it. `parse` makes a
 * list of its text; left out, each line with something on it is a value. What is done with the values belongs into
 * `parse`: before the file is built nobody knows them, and looking at them is an error.
 *
 * @example
 * const index = download("data/index.txt", { url: "https://example.org/index.txt" });
 * export const raw = download("data/{month}.csv", {
 *   where: { month: valuesIn(index, (text) => text.match(/\d{4}-\d\d/g) ?? []) },
 *   url: "https://example.org/{month}.csv",
 * });
 */
export function valuesIn<const I extends string | RuleHandle | Selection>(
  input: I & CheckInput<never, I>,
  parse?: (text: string) => readonly string[],
): readonly string[] {
  return listedValues(input, parse);
}

/**
 * All months from the first to the last, both included, as `YYYY-MM`; `"now"` is the current one (UTC).
 *
 * A month that is not over is open: what is downloaded of it is provisional, and the server is asked again in every build
 * (or after its `maxAge`) whether it has more, and once more when the month is over. `openFor` keeps months open after their
 * end, for publishers who come late or correct what they have published.
 *
 * @example
 * months("2021-11", "2022-02")   // "2021-11", "2021-12", "2022-01", "2022-02"
 * months("2019-01", "now", { openFor: "45 days" })
 */
export function months(
  first: string,
  last: string,
  { openFor = 0 }: { readonly openFor?: Duration } = {},
): readonly string[] {
  return monthsBetween(first, last, { nowMs: Date.now(), openForMs: duration(openFor) });
}

/**
 * Declares a pool: at most `size` recipes that take a place of it with the option `pool` run at once, whatever `-j` says.
 * In every module it is the same pool: declare it once, and name it or import it elsewhere.
 *
 * `pool("db", 4)` sets how many recipes may work in the database at once, 8 unless said; every `table` and `sql` takes a place.
 * `cpu` and `console` are there as well and have their sizes by nature.
 *
 * @example
 * const downloads = pool("downloads", 2);   // the server allows two at once
 * export const raw = download("raw/{month}.csv", { url: "https://example.org/{month}.csv", pool: downloads });
 * export const model = sh("model.bin", { from: "all.csv", pool: { cpu: 4 } },
 *   ({ $, input, output }) => $`train --threads 4 ${input} -o ${output}`);
 */
export function pool(name: string, size: number): Pool {
  return declarePool(name, size);
}

/**
 * A parameter: `dmake NAME=VALUE` sets it, otherwise it has the default. Without a default it must be set.
 *
 * @example
 * const source = param("source", "https://example.org/trip-data");
 */
export function param(name: string, fallback?: string): string {
  return parameter(name, fallback);
}

/**
 * A secret, as a token or a password: the variable of this name in the environment, or `dmake NAME=VALUE`. It is shown
 * nowhere and recorded nowhere: what holds it says `***` instead, so that another value is no other recipe. Parameters
 * that are called `token`, `password` and the like are kept as carefully.
 *
 * @example
 * const token = secret("API_TOKEN");
 */
export function secret(name: string): string {
  return secretValue(name);
}
