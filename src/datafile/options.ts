// What each function of a Datafile is given: options, and what recipes see. Knows nothing at run time: there is no code here.
import type {
  ColumnTypes,
  Compression,
  Contract,
  CsvOptions,
  IndexDeclaration,
  Privilege,
  Renames,
  Strategy,
} from "../core/rule.js";
import type { Dollar } from "./shell.js";
import type { Bound, CheckInput, CheckValues, Paths, Values } from "./wild.js";

/** The values that wildcards may have, by wildcard. Makes a rule finite, so that its name is a goal. */
type Where<W extends string> = [W] extends [never]
  ? { readonly [name: string]: never }
  : { readonly [Name in W]?: readonly string[] };

/**
 * Places of a thing that recipes share and of which there are only so many: `pool("downloads", 2)`. Stands for itself in
 * the option `pool`, and for its name in `{ [downloads.name]: 2 }`.
 */
export interface Pool {
  readonly kind: "pool";
  readonly name: string;
  /** How many places it has. */
  readonly size: number;
}

/** Pools of which a recipe takes one place each, or pools by name with how many it takes. */
export type PoolPlaces = string | Pool | readonly (string | Pool)[] | { readonly [name: string]: number };

export interface Common<W extends string, A> {
  /**
   * Wildcard → the values it may have, in order. Left out, a wildcard takes them from the rules in `from`; with none
   * there either, the rule still builds when asked for by name, but is listed nowhere and in no goal.
   */
  readonly where?: Where<W>;
  /** Built before, but no reason to build again. */
  readonly after?: A & CheckInput<W, A>;
  /**
   * What one run of the recipe takes of the pools, all at once: so many recipes run at a time as have places. Besides
   * the pools that the Datafile declares there are
   * - `cpu`: as many places as `-j` says, of which every recipe takes one unless said; asking for more takes all of them.
   *   For recipes that use several cores themselves.
   * - `db`: 8 places, unless declared otherwise. Every `table` and every `sql` takes one.
   * - `console`: one place. The recipe has the terminal to itself and can ask there; all others have no stdin. For `sh`
   *   and `script` only.
   *
   * No reason to build again when it changes.
   *
   * @example
   * pool: downloads                      // one place of `export const downloads = pool("downloads", 2)`
   * pool: [downloads, "db"]              // one of each
   * pool: { downloads: 2, cpu: 4 }       // so many
   */
  readonly pool?: PoolPlaces;
}

/** How long a recipe may take, and whether it is tried again. Of a `download` both mean something else. */
export interface Patience {
  /**
   * How long one run of the recipe may take; then it is stopped and has failed. Without it, as long as it takes. What
   * it waits for does not count: places in pools, other dmakes, targets that it `need`s. No reason to build again when
   * it changes.
   *
   * @example
   * timeout: "10 min"
   */
  readonly timeout?: Duration;
  /**
   * How often a recipe that has failed runs again, each time from the beginning; not at all unless said. It waits a
   * second before the first time, or `pause`, and twice as long before each that follows, up to a minute. Mistakes of
   * the Datafile are not tried again. No reason to build again when it changes.
   *
   * @example
   * retries: 3
   * retries: { times: 5, pause: "10 s" }
   */
  readonly retries?: number | RetryOptions;
}

export interface RetryOptions {
  /** How often it runs again, from 0. */
  readonly times: number;
  /** How long to wait before the first time: 1 s unless said, a minute at most. */
  readonly pause?: Duration;
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
  /**
   * How long the server may be silent; 30 s unless said. Other rules limit how long the recipe takes: a download may take
   * as long as it likes, as long as bytes come.
   */
  readonly timeout?: Duration;
  /**
   * How often to try again after a failure that may pass (network, 429, 5xx); 5 unless said. Other rules begin anew: a
   * download goes on where it was cut, and waits as long as the server says, so that it has no `pause` either.
   */
  readonly retries?: number;
}

export interface ParquetOptions<W extends string, I, A> extends FromOne<W, I, A>, Same, Patience {
  /** Column → DuckDB type, for columns whose type is not to be taken from the data. Every value is checked either way. */
  readonly columns?: ColumnTypes;
  /**
   * Column of the file → its name from there on, where publishers have changed their minds. A name that a file does not
   * have is passed over; `columns` goes by the new names.
   *
   * @example
   * rename: { "Province/State": "province", Province_State: "province" }
   */
  readonly rename?: Renames;
  /** How to read text; left out, it is found by looking. */
  readonly csv?: CsvOptions;
  /** `zstd` unless said. */
  readonly compression?: Compression;
}

export interface TableOptions<W extends string, I, A> extends FromOne<W, I, A>, Patience, TableShape {
  /** Column → DuckDB type, as for `parquet`. */
  readonly columns?: ColumnTypes;
  /** Column of the file → column of the table, as for `parquet`. */
  readonly rename?: Renames;
  readonly csv?: CsvOptions;
  /**
   * So many rows of a file may be set aside that do not fit (fields too many or too few, a value that is none of its
   * column's type), into `dmake.rejects`, with line, column, value and reason; one more fails the load. None unless said.
   */
  readonly maxRejects?: number;
}

/** What is said of a table besides its rows. All but `partitionColumn`, `strategy`, `contract` and the `key` of a merge is done to a table that is there without loading it anew. */
export interface TableShape {
  /**
   * The key column of a partitioned table; the wildcard after the `/` unless said. A column of the data of that name is
   * an error, unless it is named here: then it is the key, and all its values must be the partition's.
   */
  readonly partitionColumn?: string;
  /**
   * How new rows take the place of old ones. Left out: `swap` for a partition, `delete` where its table is there and not
   * partitioned, `replace` for a whole table.
   * - `swap`: the partition is built aside and attached in the place of the old one; readers wait for milliseconds.
   * - `delete`: in one table that is not partitioned, the partition's rows are deleted and the new ones inserted.
   * - `replace`: all rows are deleted and the new ones inserted.
   * - `merge`: rows whose `key` is there take the old row's place, others are added, none is deleted. Loaded by
   *   partitions, a row of an older partition never overwrites one of a newer.
   */
  readonly strategy?: Strategy;
  /**
   * What the table may become when rows come that do not fit it.
   * - `evolve`, unless said: new columns are added, types widened where that loses nothing; nothing is dropped, renamed or
   *   narrowed.
   * - `freeze`: the load fails, and says every difference.
   * - `discard`: new columns are left out, types stay.
   */
  readonly contract?: Contract;
  /** The primary key, and what `merge` goes by. In a partitioned table the partition column comes before it. */
  readonly key?: string | readonly string[];
  /**
   * Indexes: a column, several, or an object that says more.
   *
   * @example
   * indexes: ["pickup_datetime", ["PULocationID", "DOLocationID"], { columns: ["id"], unique: true }]
   */
  readonly indexes?: readonly (string | readonly string[] | IndexDeclaration)[];
  /** The table's comment. */
  readonly comment?: string;
  /** Column → its comment. */
  readonly comments?: Readonly<Record<string, string>>;
  /**
   * Role → what it may do.
   *
   * @example
   * grants: { reader: "SELECT", app: ["SELECT", "INSERT"] }
   */
  readonly grants?: Readonly<Record<string, Privilege | readonly Privilege[]>>;
}

/** What `sh` and `script` take alike: `I` are the inputs, `A` those of `after`, `U` those of `uses`, `V` the values. */
interface CodeOptions<W extends string, I, A, U, V> extends Common<W, A>, Same, Patience {
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
  /**
   * The recipe is given the final paths, with what is there already: a directory is not emptied. For tools that cannot
   * write anywhere else, or that bring up to date what they made before. All that dmake promises of other targets is
   * off: others see the target half made, a failure leaves it so, and what comes out may depend on what was there. It
   * is then stale, and made again. With this, a file that was rewritten is the same only if its bytes are. The target
   * is stale when this changes.
   *
   * @example
   * sh("mirror/", { inPlace: true }, ({ $, output }) => $`rsync -a --delete example.org::data/ ${output}/`);
   */
  readonly inPlace?: boolean;
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
   * target is a directory, an empty one is there. With `inPlace`, the targets themselves.
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
