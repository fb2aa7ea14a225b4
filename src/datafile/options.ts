// What each function of a Datafile is given: options, and what recipes see. Knows nothing at run time: there is no code here.
import type { ColumnTypes, Compression, CsvOptions } from "../core/rule.js";
import type { Dollar } from "./shell.js";
import type { Bound, CheckInput, CheckValues, Paths, Values } from "./wild.js";

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

/** When a parquet file that was rewritten counts as the same, so that nothing below it runs. */
interface Same {
  /**
   * `"values"`, unless said: with the same schema, and the same rows in the same order. `"bytes"`: only if not a byte
   * of it differs.
   */
  readonly sameness?: "values" | "bytes";
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

export interface ParquetOptions<W extends string, I, A> extends FromOne<W, I, A>, Same {
  /** Column → DuckDB type, for columns whose type is not to be taken from the data. Every value is checked either way. */
  readonly columns?: ColumnTypes;
  /** How to read text; left out, it is found by looking. */
  readonly csv?: CsvOptions;
  /** `zstd` unless said. */
  readonly compression?: Compression;
}

export interface TableOptions<W extends string, I, A> extends FromOne<W, I, A> {
  /** Column → DuckDB type, as for `parquet`. */
  readonly columns?: ColumnTypes;
  readonly csv?: CsvOptions;
  /** The key column of a partitioned table; the wildcard after the `/` unless said. */
  readonly partitionColumn?: string;
}

/** What `sh` and `script` take alike: `I` are the inputs, `A` those of `after`, `U` those of `uses`, `V` the values. */
interface CodeOptions<W extends string, I, A, U, V> extends Common<W, A>, Same {
  /** Names, rules, selections of rules, globs, and any of these as `optional`. */
  readonly from?: I & CheckInput<W, I>;
  /**
   * Read by the recipe and not given to it: code, SQL, settings. The target is stale when one of them changes.
   *
   * @example
   * uses: ["sql/clean.sql", "lib/clean.py"]
   */
  readonly uses?: U & CheckInput<W, U>;
  /**
   * Variables of the environment that the recipe reads. The target is stale when one of them changes; only digests of
   * their values are kept.
   *
   * @example
   * env: ["MODE"]
   */
  readonly env?: readonly string[];
  /**
   * Values made while the Datafile is read that the recipe uses, by name: whatever JSON can say. The target is stale
   * when one of them changes; only digests are kept.
   *
   * @example
   * values: { limit, config }
   */
  readonly values?: V & CheckValues<V>;
}

export interface CommandOptions<W extends string, I, A, U = never, V = object, D = boolean>
  extends CodeOptions<W, I, A, U, V> {
  /** Stands for the command in place of its text: the target is stale when this changes, and not when the text does. */
  readonly version?: string;
  /**
   * Whether the command writes to `depfile` what else it has read, as compilers do: `output: name name …`. The target is
   * stale when one of these files changes.
   *
   * @example
   * sh("bin/clean", { from: "src/clean.c", depfile: true },
   *   ({ $, input, output, depfile }) => $`cc -MMD -MF ${depfile} -o ${output} ${input}`);
   */
  readonly depfile?: D;
}

export interface ScriptOptions<W extends string, I, A, U = never, V = object>
  extends CodeOptions<W, I, A, U, V> {
  /** Stands for the code in place of its text: the target is stale when this changes, and not when the code does. */
  readonly version?: string;
}

/** What `sh` and `script` recipes see. Paths are relative to the Datafile, which is the current directory. */
export interface RecipeContext<W extends string> {
  /** Of optional inputs, those that are there. */
  readonly inputs: readonly string[];
  /** The first input. */
  readonly input: string;
  /**
   * Where to write, one path a target: temporary ones, renamed into place when the recipe has succeeded. Where the
   * target is a directory, an empty one is there.
   */
  readonly outputs: readonly string[];
  /** The first output. */
  readonly output: string;
  /** The values of the target's wildcards. */
  readonly params: Values<W>;
}

/** What a command is made of. */
export type ShellGiven<W extends string, D> = RecipeContext<W> & {
  /** Quotes every value as one word. */
  readonly $: Dollar;
} & ([D] extends [true]
    ? {
        /** Where the command is to write what it has read, in the syntax of Make. */
        readonly depfile: string;
      }
    : unknown);

/** What a function is given. */
export interface ScriptGiven<W extends string> extends RecipeContext<W> {
  /** A line for the target's log. */
  readonly log: (text: string) => void;
  /** Aborts when the build is interrupted. */
  readonly signal: AbortSignal;
  /**
   * Brings targets up to date that turn out to be needed, and answers their paths once they are there; of a table there
   * is none. The target is stale when one of them changes. Takes names of targets, and of files in the project.
   *
   * @example
   * const [config, rows] = await need("config/x.json", "data/a.csv");
   */
  readonly need: <const N extends readonly string[]>(...names: N) => Promise<Paths<N>>;
}
