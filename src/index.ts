// What a Datafile imports: the functions that declare rules, domains and parameters. Knows nothing of running them.
import type { Place } from "./core/failure.js";
import { digestOf } from "./core/fingerprint.js";
import type { Binding, ColumnTypes, Command, Compression, CsvOptions } from "./core/rule.js";
import { checkCall } from "./datafile/call.js";
import { declare, guard, onlyFiles, textOf, unboundIn } from "./datafile/declare.js";
import { duration, monthsBetween } from "./datafile/domain.js";
import { plainFileUrl } from "./datafile/file-url.js";
import { DeclarationError, session } from "./datafile/session.js";
import { type Dollar, dollar, isCommand, quotePath } from "./datafile/shell.js";
import { tableRule } from "./datafile/table-rule.js";
import type { Bound, CheckInput, Input, RuleHandle, Selection, Values, Wild } from "./datafile/wild.js";

export type {
  ColumnTypes,
  Command,
  Compression,
  CsvOptions,
  Dollar,
  Input,
  RuleHandle,
  Selection,
  Values,
  Wild,
};

/** The values that wildcards may have, by wildcard. Makes a rule finite, so that its name is a goal. */
type Where<W extends string> = [W] extends [never]
  ? { readonly [name: string]: never }
  : { readonly [Name in W]?: readonly string[] };

interface Common<W extends string, A> {
  /**
   * Wildcard → the values it may have, in order. Left out, a wildcard takes them from the rules in `from`; with none
   * there either, the rule still builds when asked for by name, but is listed nowhere and in no goal.
   */
  readonly where?: Where<W>;
  /** Built before, but no reason to build again. */
  readonly after?: A & CheckInput<W, A>;
}

interface FromOne<W extends string, I, A> extends Common<W, A> {
  /** The input: a name, whose wildcards the target must bind, or a rule. */
  readonly from: I & CheckInput<W, I>;
}

/** A length of time: `"90 s"`, `"15 minutes"`, `"12 h"`, `"7 days"`, or milliseconds. */
export type Duration = string | number;

export interface DownloadOptions<P extends string, A, U = string> extends Common<Bound<P>, A> {
  /**
   * `https:`, `http:` or `file:`, as text with wildcards or as a function of their values. `file:some/path` without a
   * leading slash is relative to the Datafile; a local file is watched by content, as any input.
   */
  readonly url: (U & CheckInput<Bound<P>, U>) | ((values: Values<Bound<P>>) => string);
  /** What the bytes must hash to, as 64 hex digits. */
  readonly sha256?: string | ((values: Values<Bound<P>>) => string | undefined);
  /** Request headers, sent to the URL's own host only. Their values are kept out of logs and records. */
  readonly headers?: Readonly<Record<string, string>>;
  /** After this long the server is asked again (with `If-None-Match`); left out, a file that is there stays. */
  readonly maxAge?: Duration;
  /** How long the server may be silent; 30 s unless said. */
  readonly timeout?: Duration;
  /** How often to try again after a failure that may pass (network, 429, 5xx); 5 unless said. */
  readonly retries?: number;
}

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
  const { url, sha256, headers, maxAge, timeout, retries } = options;
  const { root } = session();
  const timeoutMs = duration(timeout ?? "30 s");
  const maxAgeMs = maxAge === undefined ? undefined : duration(maxAge);
  return declare({
    targets: [target],
    options: { ...options, from: [] },
    check: (outputs, at) => onlyFiles(outputs, at) ?? unboundIn(url, outputs[0], at),
    recipe: (binding, at) => {
      const values = binding as Values<Bound<P>>;
      const expected = typeof sha256 === "function" ? sha256(values) : sha256;
      return {
        kind: "download",
        url: plainFileUrl(textOf(url as string | ((values: Binding) => string), binding, at), root, at),
        ...(expected && { sha256: expected }),
        ...(headers && { headers }),
        ...(maxAgeMs !== undefined && { maxAgeMs }),
        timeoutMs,
        retries: retries ?? 5,
      };
    },
  });
}

export interface ParquetOptions<W extends string, I, A> extends FromOne<W, I, A> {
  /** Column → DuckDB type, for columns whose type is not to be taken from the data. Every value is checked either way. */
  readonly columns?: ColumnTypes;
  /** How to read text; left out, it is found by looking. */
  readonly csv?: CsvOptions;
  /** `zstd` unless said. */
  readonly compression?: Compression;
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
  const { columns = {}, csv = {}, compression = "zstd" } = options;
  return declare({
    targets: [target],
    options,
    recipe: () => ({ kind: "parquet", columns, csv, compression }),
  });
}

export interface TableOptions<W extends string, I, A> extends FromOne<W, I, A> {
  /** Column → DuckDB type, as for `parquet`. */
  readonly columns?: ColumnTypes;
  readonly csv?: CsvOptions;
  /** The key column of a partitioned table; the wildcard after the `/` unless said. */
  readonly partitionColumn?: string;
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

type OneOrMore = string | readonly string[];

/** What `sh` and `script` recipes see. Paths are relative to the Datafile, which is the current directory. */
export interface RecipeContext<W extends string> {
  readonly inputs: readonly string[];
  /** The first input. */
  readonly input: string;
  /** Where to write, one path a target: temporary ones, renamed into place when the recipe has succeeded. */
  readonly outputs: readonly string[];
  /** The first output. */
  readonly output: string;
  /** The values of the target's wildcards. */
  readonly params: Values<W>;
}

export interface CommandOptions<W extends string, I, A> extends Common<W, A> {
  /** Names, rules and selections of rules. */
  readonly from?: I & CheckInput<W, I>;
}

/**
 * Declares files that a shell command makes. Every value in the `$` template is quoted as one word, a list as one
 * word each; the rest is the shell's. Runs with `sh -e`, so that the first command that fails ends it.
 *
 * @example
 * export const report = sh("data/report.txt", { from: trips.all({ color: "yellow" }) },
 *   ({ $, inputs, output }) => $`wc -c ${inputs} > ${output}`);
 */
export function sh<
  const P extends OneOrMore,
  const I extends Input | readonly Input[] = never,
  const A extends Input | readonly Input[] = never,
>(
  target: P,
  options: CommandOptions<Bound<P>, I, A>,
  command: (context: RecipeContext<Bound<P>> & { readonly $: Dollar }) => Command,
): RuleHandle<Bound<P>> {
  checkCall("sh", target, options, command);
  return declare({
    targets: [target].flat(),
    options,
    recipe: (binding, at) => ({
      kind: "sh",
      render: (paths) => guard(() => commandOf(command({ ...contextOf(paths, binding), $: dollar }), at), at),
    }),
  });
}

/** A text that was put together by hand has no quotes around its values, so only what `$` made is run. */
function commandOf(made: unknown, at: Place): Command {
  if (isCommand(made)) return made;
  const problem = "its function answers no command, which is what `$` makes of a template";
  throw new DeclarationError({
    reason: "bad-rule",
    problem,
    at,
    help: "({ $, output }) => $`date > ${output}`",
  });
}

export interface ScriptOptions<W extends string, I, A> extends CommandOptions<W, I, A> {
  /** Stands for the code in place of its text: the target is stale when this changes, and not when the code does. */
  readonly version?: string;
}

/**
 * Declares files that a function makes. It writes to `output` (or `outputs`) and nowhere else; throwing fails the
 * target and keeps the old file.
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
>(
  target: P,
  options: ScriptOptions<Bound<P>, I, A>,
  run: (
    context: RecipeContext<Bound<P>> & { readonly log: (text: string) => void; readonly signal: AbortSignal },
  ) => Promise<void> | void,
): RuleHandle<Bound<P>> {
  checkCall("script", target, options, run);
  const { version } = options;
  const { code, parameters } = session();
  // Whatever the function calls may be anywhere in the project's code, so all of that code is its source.
  const source = version === undefined ? code : `version ${version}`;
  return declare({
    targets: [target].flat(),
    options,
    recipe: (binding) => ({
      kind: "script",
      source,
      // Read when the rule is bound: some may be declared only after it.
      parameters: Object.fromEntries(parameters.map(({ name, value }) => [name, digestOf(value)])),
      run: async ({ log, signal, ...paths }) => run({ ...contextOf(paths, binding), log, signal }),
    }),
  });
}

function contextOf<W extends string>(
  paths: { readonly inputs: readonly string[]; readonly outputs: readonly string[] },
  binding: Binding,
): RecipeContext<W> {
  const inputs = paths.inputs.map(quotePath);
  const outputs = paths.outputs.map(quotePath);
  return { inputs, input: inputs[0] ?? "", outputs, output: outputs[0] ?? "", params: binding as Values<W> };
}

/**
 * All months from the first to the last, both included, as `YYYY-MM`.
 *
 * @example
 * months("2021-11", "2022-02")   // "2021-11", "2021-12", "2022-01", "2022-02"
 */
export function months(first: string, last: string): readonly string[] {
  return monthsBetween(first, last);
}

/**
 * A parameter: `dmake NAME=VALUE` sets it, otherwise it has the default. Without a default it must be set.
 *
 * @example
 * const source = param("source", "https://example.org/trip-data");
 */
export function param(name: string, fallback?: string): string {
  const { given, parameters } = session();
  const value = Object.hasOwn(given, name) ? given[name] : fallback;
  if (value === undefined) {
    const message = `the Datafile needs a value for \`${name}\``;
    throw new DeclarationError({ reason: "usage", message, help: `dmake ${name}=…` });
  }
  parameters.push({ name, value });
  return value;
}
