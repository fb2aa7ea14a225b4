// What a Datafile declares: rules with their patterns, domains and recipes, and the steps they become. Knows nothing of files, databases or order.

import type { Place, Result } from "./failure.js";
import type { Domain, Pattern } from "./pattern.js";

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

export interface ShellRecipe {
  readonly kind: "sh";
  /** Pure: rendered once with the final paths for the fingerprint, once with the temporary ones to run. */
  readonly render: (paths: {
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
  }) => Result<Command>;
}

/** What a function recipe is given besides `params`, which the Datafile's side fills in. Paths are relative to the root. */
export interface ScriptContext {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly log: (text: string) => void;
  readonly signal: AbortSignal;
}

export interface ScriptRecipe {
  readonly kind: "script";
  /** Everything that, when edited, makes the output stale. */
  readonly source: string;
  /** The Datafile's parameters, any of which the function may look at: name → digest of the value, which may be a secret. */
  readonly parameters?: Readonly<Record<string, string>>;
  readonly run: (context: ScriptContext) => Promise<void>;
}

export type Recipe = DownloadRecipe | ParquetRecipe | LoadRecipe | ShellRecipe | ScriptRecipe;

/** An input as declared: a name with wildcards, or every target of another rule that a selection picks. */
export type InputSpec =
  | { readonly kind: "pattern"; readonly pattern: Pattern }
  | { readonly kind: "rule"; readonly rule: Rule }
  | {
      readonly kind: "selection";
      readonly rule: Rule;
      /** Wildcard of that rule → the values picked, each itself a pattern over this rule's wildcards. */
      readonly picks: Readonly<Record<string, readonly Pattern[]>>;
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
  /** Built before, but no reason to build again. */
  readonly after: readonly InputSpec[];
  /** Wildcard → its finite, ordered values. A wildcard without a domain fits any text without `/`. */
  readonly domains: Readonly<Record<string, Domain>>;
  readonly bind: (binding: Binding) => Result<Recipe>;
}

/** A rule with its wildcards bound: one run of a recipe. */
export interface Step {
  /** The name of its first output. */
  readonly id: string;
  readonly rule: Rule;
  readonly binding: Binding;
  readonly inputs: readonly string[];
  readonly after: readonly string[];
  readonly outputs: readonly string[];
  readonly recipe: Recipe;
}
