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
}

/** Column name → DuckDB type, for the columns whose type is not to be taken from the data. */
export type ColumnTypes = Readonly<Record<string, string>>;

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
  readonly columns: ColumnTypes;
  readonly csv: CsvOptions;
  readonly compression: Compression;
}

export interface LoadRecipe {
  readonly kind: "load";
  readonly columns: ColumnTypes;
  readonly csv: CsvOptions;
  /** Name of the key column of a partitioned table; nothing for a whole table. */
  readonly partitionColumn: string | undefined;
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

export type Recipe = DownloadRecipe | ParquetRecipe | LoadRecipe | ShellRecipe | ScriptRecipe;

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
}
