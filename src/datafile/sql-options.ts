// What `sql` is given: its options, and what its template sees. Knows nothing at run time: there is no code here.
import type { SqlValue } from "../core/rule.js";
import type { Common, Patience, TableShape } from "./options.js";
import type { SqlDollar, SqlTable } from "./sql-template.js";
import type { CheckInput, Values } from "./wild.js";

/** What every `sql` takes: `I` are the inputs, `A` those of `after`, `U` those of `uses`. */
export interface SqlOptions<W extends string, I, A, U = never> extends Common<W, A>, Patience, TableShape {
  /**
   * The tables, partitions, views and files that it reads. The target is stale when one of them changes: a table when its
   * content does, however it was loaded.
   */
  readonly from?: I & CheckInput<W, I>;
  /** Looked at as inputs are and not given to it. */
  readonly uses?: U & CheckInput<W, U>;
}

/** Beside SQL that is told in the Datafile. */
export interface SqlTextOptions<W extends string, I, A, U = never> extends SqlOptions<W, I, A, U> {
  /** Stands for the SQL in place of its text: the target is stale when this changes, and not when the text does. */
  readonly version?: string;
}

/** `F` is the file's name. */
export interface SqlFileOptions<W extends string, I, A, U, F> extends SqlOptions<W, I, A, U> {
  /**
   * The SQL, with `:name` for each value, wildcard, `:input` and `:output`; `:'name'` for a value as a text, `:"name"`
   * for a value as a name. They are bound or quoted, never part of the text. The target is stale when the file changes.
   */
  readonly file: F & CheckInput<W, F>;
  /**
   * Values for the file, besides those of the wildcards.
   *
   * @example
   * sql("table:top", { from: trips, file: "sql/top.sql", values: { limit: 5 } });
   */
  readonly values?: Readonly<Record<string, SqlValue>>;
}

/** What the function of an `sql` is given. */
export interface SqlGiven<W extends string> {
  /** Binds every value, and quotes every name. */
  readonly $: SqlDollar;
  /** Of optional inputs, those that are there. Of a partition it is its rows alone. */
  readonly inputs: readonly SqlTable[];
  /** The first input. */
  readonly input: SqlTable;
  /** What is made: for statements, since a single query's rows go there by themselves. */
  readonly output: SqlTable;
  /** The values of the target's wildcards. */
  readonly params: Values<W>;
}
