// What can go wrong with data on its way: downloads, files, tables, as plain values. Knows nothing of how it is printed.

/** A download did not bring the bytes it should. URLs here are already free of secrets. */
export type DownloadFailure =
  | {
      readonly reason: "unsupported-url";
      readonly url: string;
      /** As `its header `x-key` has a line end in it`; left out where the kind of URL is the problem. */
      readonly problem?: string;
    }
  | { readonly reason: "source-missing"; readonly path: string; readonly url: string }
  | {
      readonly reason: "download-status";
      readonly url: string;
      readonly status: number;
      readonly statusText: string;
      readonly attempts: number;
    }
  | {
      readonly reason: "download-network";
      readonly url: string;
      readonly message: string;
      readonly attempts: number;
    }
  | {
      readonly reason: "download-redirects";
      readonly url: string;
      /** How many redirects were followed; in a circle, those that lead around with the last one. */
      readonly hops: number;
      /** In a circle: the URL that was asked before. */
      readonly backAt?: string;
    }
  | {
      /** `problem` as `from https to http`. */
      readonly reason: "download-redirect-refused";
      readonly url: string;
      readonly to: string;
      readonly problem: string;
    }
  | {
      readonly reason: "download-incomplete";
      readonly url: string;
      readonly expectedBytes: number;
      readonly receivedBytes: number;
      readonly attempts: number;
    }
  | {
      readonly reason: "download-not-data";
      readonly url: string;
      readonly expected: string;
      readonly found: string;
      readonly head: string;
    }
  | {
      readonly reason: "digest-mismatch";
      readonly url: string;
      readonly expected: string;
      readonly found: string;
    };

/** A data file does not hold what it should. `line` counts physical lines from 1, the header included. */
export type DataFailure =
  | {
      readonly reason: "not-that-format";
      readonly file: string;
      readonly expected: string;
      readonly found: string;
    }
  | { readonly reason: "empty-file"; readonly file: string; readonly expected: string }
  | {
      readonly reason: "bad-row";
      readonly file: string;
      readonly line?: number;
      readonly text?: string;
      readonly problem: string;
    }
  | {
      readonly reason: "bad-value";
      readonly file: string;
      readonly line?: number;
      readonly column: string;
      readonly text: string;
      readonly type: string;
      readonly problem?: string;
    }
  | {
      readonly reason: "unknown-column";
      readonly file: string;
      readonly column: string;
      readonly known: readonly string[];
    }
  | {
      readonly reason: "duplicate-column";
      readonly file: string;
      readonly column: string;
      readonly help?: string;
    }
  /** An option of `csv` that cannot be meant. `problem` goes on after its name, as `must be one character`. */
  | {
      readonly reason: "bad-option";
      readonly file: string;
      readonly option: string;
      readonly problem: string;
    }
  /** More rows do not fit than may be set aside. `first` is the first of all; `rows` how many were found before it was given up. */
  | {
      readonly reason: "too-many-rejects";
      readonly file: string;
      readonly maxRejects: number;
      readonly rows: number;
      readonly first: Reject;
    }
  | {
      readonly reason: "unsupported-type";
      readonly file: string;
      readonly column: string;
      readonly type: string;
      readonly help?: string;
    }
  | { readonly reason: "data-engine"; readonly file: string; readonly message: string };

/** A row that was set aside, or would have been. */
export interface Reject {
  /** The physical line where its row begins, counting from 1, header included; of text files, where it is known. */
  readonly line?: number;
  /** Counts rows of data from 1, in files that have no lines. */
  readonly row?: number;
  readonly column?: string;
  /** At most 200 characters of it. */
  readonly value?: string;
  /** As `it is not a whole number`. */
  readonly reason: string;
}

/** Postgres is not there, refuses, or does not fit. `server` never holds a password. */
export type PostgresFailure =
  | {
      readonly reason: "postgres-unreachable";
      readonly server: string;
      readonly code: string;
      readonly message: string;
    }
  | {
      readonly reason: "postgres-refused";
      readonly server: string;
      readonly user: string;
      readonly database: string;
      readonly code: string;
      readonly message: string;
    }
  | { readonly reason: "postgres-lost"; readonly server: string; readonly message: string }
  | {
      readonly reason: "postgres-error";
      readonly code: string;
      readonly message: string;
      readonly detail?: string;
      readonly hint?: string;
      readonly doing: string;
    }
  | { readonly reason: "embedded-unavailable"; readonly problem: string; readonly help: string }
  | { readonly reason: "ledger-newer"; readonly found: number; readonly known: number }
  | {
      readonly reason: "table-shape";
      readonly table: string;
      readonly differences: readonly string[];
      readonly help: string;
      /** The contract that is in the way, if it is not the types themselves. */
      readonly contract?: "freeze" | "discard";
    }
  /** SQL of the user's that Postgres refuses. `line` and `column` count from 1 in `file`, or in the text. */
  | {
      readonly reason: "sql-error";
      readonly file?: string;
      readonly line?: number;
      readonly column?: number;
      /** The line's text. */
      readonly text?: string;
      readonly code: string;
      readonly message: string;
      readonly detail?: string;
      readonly hint?: string;
    }
  | {
      readonly reason: "partition-column-taken";
      readonly table: string;
      readonly column: string;
      readonly file: string;
    }
  | { readonly reason: "lock-timeout"; readonly target: string; readonly waitedMs: number }
  | {
      readonly reason: "rows-lost";
      readonly table: string;
      readonly expected: number;
      readonly found: number;
    };
