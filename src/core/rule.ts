// What a Datafile declares: rules with their patterns, domains and recipes, and the steps they become. Knows nothing of files, databases or order.

import type { Place, Result } from "./failure.js";
import type { Domain, Pattern } from "./pattern.js";
import type { Parts } from "./trace.js";

/** The values of a target's wildcards, by name. */
export type Binding = Readonly<Record<string, string>>;

/** How to read text as columns. What is left out is found by looking at the file. */
export interface CsvOptions {
  /** One character, as `;` or a tab. */
  readonly delimiter?: string;
  readonly quote?: string;
  /** Whether the first line names the columns. */
  readonly header?: boolean;
  /** Unquoted texts that mean "no value" besides the empty one, as `NA`. */
  readonly nulls?: readonly string[];
  readonly encoding?: "utf-8" | "latin-1" | "utf-16";
  /** As strptime, as `%d/%m/%Y`. */
  readonly dateFormat?: string;
  readonly timestampFormat?: string;
  /** Lines before the header, or before the first row, that are no data. */
  readonly skip?: number;
  /** Lines that begin with this character are no data. */
  readonly comment?: string;
  /** Names of all columns in order, in place of those of the header: for names that are missing or come twice. `header` says whether there is one to leave out. */
  readonly names?: readonly string[];
  /** Between groups of digits, as the `,` of `1,234.5`. Only groups of three digits count as numbers then. */
  readonly thousands?: string;
  /** `.` unless said. */
  readonly decimal?: "." | ",";
}

/** Column name → DuckDB type, for the columns whose type is not to be taken from the data. */
export type ColumnTypes = Readonly<Record<string, string>>;

/** A column's name in the file → its name from there on. Names that a file does not have are passed over: months differ. */
export type Renames = Readonly<Record<string, string>>;

export type Compression = "zstd" | "snappy" | "gzip" | "uncompressed";

export interface DownloadRecipe {
  readonly kind: "download";
  readonly url: string;
  /** Hex, 64 digits, any case. */
  readonly sha256?: string;
  /** Sent to the first host only. Values are secrets: only the names reach a fingerprint. */
  readonly headers?: Readonly<Record<string, string>>;
  /** After this long the server is asked again whether the file has changed. */
  readonly maxAgeMs?: number;
  /** How long to wait for the server to send anything, at the start and between two chunks. */
  readonly timeoutMs: number;
  /** How often to try again after a failure that may pass. */
  readonly retries: number;
}

export interface ParquetRecipe {
  readonly kind: "parquet";
  /** By the names after `rename`. */
  readonly columns: ColumnTypes;
  readonly rename?: Renames;
  readonly csv: CsvOptions;
  readonly compression: Compression;
}

export interface LoadRecipe {
  readonly kind: "load";
  /** By the names after `rename`. */
  readonly columns: ColumnTypes;
  readonly rename?: Renames;
  readonly csv: CsvOptions;
  /** Name of the key column of a partitioned table; nothing for a whole table. */
  readonly partitionColumn: string | undefined;
  /** What else the Datafile says of the table; left out, nothing. */
  readonly table?: TableDeclaration;
}

/**
 * How new rows take the place of old ones.
 *
 * - `swap`: a partition's table is built aside and attached in the place of the old one.
 * - `delete`: in one unpartitioned table, the rows of the partition are deleted and the new ones inserted.
 * - `replace`: all rows of a whole table are deleted and the new ones inserted.
 * - `merge`: rows with a key that is there take the old row's place, others are added; none is deleted.
 */
export type Strategy = "swap" | "delete" | "replace" | "merge";

/** What a table may become when a file does not fit it; see `table` in index.ts. */
export type Contract = "evolve" | "freeze" | "discard";

export interface IndexDeclaration {
  readonly columns: readonly string[];
  readonly unique?: boolean;
  /** `btree` unless said; `brin`, `hash`, `gin`, `gist`. */
  readonly method?: "btree" | "brin" | "hash" | "gin" | "gist";
}

/** What a Datafile says of a table besides its rows. Everything is checked to be of these types, names may be any text. */
export interface TableDeclaration {
  /** Left out: `swap` for a partition of a partitioned table, `delete` where the table is there unpartitioned, `replace` for a whole table. */
  readonly strategy?: Strategy;
  readonly contract: Contract;
  /** So many rows may be set aside; one more fails the load. */
  readonly maxRejects: number;
  /** The primary key (with the partition column before it in a partitioned table); what `merge` goes by. */
  readonly key?: readonly string[];
  readonly indexes?: readonly IndexDeclaration[];
  readonly comment?: string;
  /** Column → its comment. */
  readonly comments?: Readonly<Record<string, string>>;
  /** Role → privileges, as `SELECT`. */
  readonly grants?: Readonly<Record<string, readonly Privilege[]>>;
  /** The partition column was named by hand: a column of the data of that name is it, and each of its values must be the partition's. */
  readonly ownKey?: true;
}

export type Privilege = "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "TRUNCATE" | "REFERENCES" | "TRIGGER";

/**
 * SQL with values in it: `texts` has one more than `values`, and between each two stands a value. The texts are the
 * Datafile's own, names in them already quoted; a value is bound where Postgres takes parameters and quoted elsewhere.
 */
export interface Statement {
  readonly texts: readonly string[];
  readonly values: readonly (SqlValue | SqlName)[];
  /** What stands for each value in the text that a person wrote, as `:limit`; `${…}` unless said. Errors count by it. */
  readonly written?: readonly string[];
}

export type SqlValue = string | number | boolean | null;

/** A table, partition or view, by the name of its target: what it is called in SQL, the server's catalogue says. */
export interface SqlName {
  readonly target: string;
  /** It stands where its rows are read, and the text gives it no name there. */
  readonly unnamed?: true;
}

/** The names of a step's inputs and outputs. */
export interface SqlNames {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface SqlRecipe {
  readonly kind: "sql";
  /**
   * `text`: pure, rendered for the fingerprint and to run. `file`: its text, with `:name` for each of `values`, is read
   * when it runs; it is among the step's `uses`.
   */
  readonly source:
    | { readonly from: "text"; readonly render: (names: SqlNames) => Result<Statement> }
    | {
        readonly from: "file";
        readonly path: string;
        readonly values: Readonly<Record<string, SqlValue>>;
      };
  /** As for a load. */
  readonly partitionColumn: string | undefined;
  readonly table?: TableDeclaration;
  /** Stands for the text in the fingerprint. */
  readonly version?: string;
}

/** A shell command whose every value is already quoted as one word. */
export interface Command {
  readonly text: string;
}

export interface RecipePaths {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Where a command that was declared with `depfile` says what it read. */
  readonly depfile: string;
}

export interface ShellRecipe {
  readonly kind: "sh";
  /** Pure: rendered once with the final paths for the fingerprint, once with the temporary ones to run. */
  readonly render: (paths: RecipePaths) => Result<Command>;
  /** Whether the command writes a depfile, in the syntax of Make. */
  readonly depfile: boolean;
  /** Stands for the command's text in the fingerprint. */
  readonly version?: string;
  /** Further parts, as `env.MODE`. */
  readonly parts: Parts;
}

/** What a function recipe is given besides `params`, which the Datafile's side fills in. Paths are relative to the root. */
export interface ScriptContext {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly log: (text: string) => void;
  readonly signal: AbortSignal;
  /** Brings these names up to date and notes that the recipe depends on them. Throws what the runner knows how to read. */
  readonly need: (names: readonly string[]) => Promise<void>;
}

export interface ScriptRecipe {
  readonly kind: "script";
  /** Everything that, when it changes, makes the output stale, besides the wildcards' values: `function`, `reaches lib/clean.ts tidy`, `env.MODE`, or `version`. */
  readonly parts: Parts;
  readonly run: (context: ScriptContext) => Promise<void>;
}

export type Recipe = DownloadRecipe | ParquetRecipe | LoadRecipe | SqlRecipe | ShellRecipe | ScriptRecipe;

/** An input as declared: a name with wildcards, all names that a glob fits, or every target of another rule that a selection picks. */
export type InputSpec = (
  | { readonly kind: "pattern"; readonly pattern: Pattern }
  /** Filled in, the pattern is a glob: over the files that are there, and over the targets that can be listed. */
  | { readonly kind: "glob"; readonly pattern: Pattern }
  | { readonly kind: "rule"; readonly rule: Rule }
  | {
      readonly kind: "selection";
      readonly rule: Rule;
      /** Wildcard of that rule → the values picked, each itself a pattern over this rule's wildcards. */
      readonly picks: Readonly<Record<string, readonly Pattern[]>>;
    }
) & {
  /** Need not be there; a recipe is given those that are. */
  readonly optional?: true;
};

/** One declaration of a Datafile. */
export interface Rule {
  /** The name it is exported under, or nothing. */
  readonly name: string | undefined;
  readonly at: Place;
  readonly description?: string;
  /** At least one; all bind the same wildcards. */
  readonly outputs: readonly Pattern[];
  readonly inputs: readonly InputSpec[];
  /** Looked at as inputs are, but not given to the recipe: code, SQL, settings. */
  readonly uses?: readonly InputSpec[];
  /** Built before, but no reason to build again. */
  readonly after: readonly InputSpec[];
  /** When a rewritten parquet file counts as the same: with equal schema and values (unless said), or with equal bytes only. */
  readonly sameness?: "values" | "bytes";
  /** Wildcard → its finite, ordered values. A wildcard without a domain fits any text without `/`. */
  readonly domains: Readonly<Record<string, Domain>>;
  readonly bind: (binding: Binding) => Result<Recipe>;
  /** Pool → how many of its places one run of the recipe takes, all at once. Of `cpu` each takes one unless said. */
  readonly pools?: Readonly<Record<string, number>>;
  /** One attempt may take no longer, waiting for locks and for what it `need`s not counted. */
  readonly timeoutMs?: number;
  /** What a failure that may pass is worth. A download tries again by itself. */
  readonly retries?: Retries;
  /** What its Datafile keeps secret: shown and recorded nowhere. Known whole when the Datafile has been evaluated. */
  readonly secrets?: ReadonlySet<string>;
  /** The recipe writes to the final paths: for tools that cannot do otherwise. Its record is removed before it starts. */
  readonly inPlace?: true;
}

export interface Retries {
  /** How often a recipe that has failed runs again. */
  readonly times: number;
  /** How long to wait before the first time; doubled for each that follows, up to a minute. */
  readonly pauseMs: number;
}

/** A rule with its wildcards bound: one run of a recipe. */
export interface Step {
  /** The name of its first output. */
  readonly id: string;
  readonly rule: Rule;
  readonly binding: Binding;
  /** Given to the recipe, in order, as far as they are there. */
  readonly inputs: readonly string[];
  readonly uses: readonly string[];
  readonly after: readonly string[];
  /** Those of `inputs` and `uses` that need not be there. */
  readonly optional: ReadonlySet<string>;
  readonly outputs: readonly string[];
  /** Those of `outputs` that are directories. */
  readonly directories: ReadonlySet<string>;
  readonly recipe: Recipe;
  /** One of its wildcards has a value that is still going on, as the current month: see `Domain.open`. */
  readonly open?: true;
}
