// Every expected failure as a plain value: what went wrong, with what is needed to say so. Knows nothing of how it is printed.
import type { DataFailure, DownloadFailure, PostgresFailure } from "./failure-data.js";

/** A place in a text that a person wrote. `line` and `column` count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column?: number;
}

/** Either a value or the reason why there is none. Bugs are thrown, never returned. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: Failure };

export const ok = <T>(value: T): Result<T> => ({ ok: true, value });
export const fail = (error: Failure): { readonly ok: false; readonly error: Failure } => ({
  ok: false,
  error,
});

/** A run of dmake that holds what another wants, as far as it is known. */
export interface Holder {
  readonly run?: string;
  readonly pid?: number;
  readonly host?: string;
  /** ISO 8601, UTC: when it took what it holds. */
  readonly since?: string;
}

export type Failure =
  | UsageFailure
  | DatafileFailure
  | RuleFailure
  | DownloadFailure
  | DataFailure
  | PostgresFailure
  | RecipeFailure;

/** The command line asks for something that cannot be. */
export type UsageFailure =
  | { readonly reason: "usage"; readonly message: string; readonly help?: string }
  | { readonly reason: "unknown-parameter"; readonly name: string; readonly known: readonly string[] };

/** The Datafile could not be read or evaluated. */
export type DatafileFailure =
  | {
      readonly reason: "no-datafile";
      readonly directory: string;
      readonly looked: readonly string[];
      readonly above?: string;
    }
  | {
      readonly reason: "datafile-syntax";
      readonly at: Place;
      readonly message: string;
      readonly lineText?: string;
    }
  | {
      readonly reason: "datafile-import";
      readonly at?: Place;
      readonly specifier: string;
      readonly message: string;
      /** Set when the module is there and lacks this name. */
      readonly name?: string;
      /** Names that it has and that are near. */
      readonly suggestions?: readonly string[];
    }
  | {
      readonly reason: "datafile-threw";
      readonly at?: Place;
      readonly message: string;
      readonly lineText?: string;
    }
  | { readonly reason: "nothing-to-build"; readonly file: string; readonly goals: readonly string[] };

/** The rules contradict one another, or do not reach what is asked for. */
export type RuleFailure =
  | { readonly reason: "bad-pattern"; readonly pattern: string; readonly problem: string; readonly at: Place }
  | { readonly reason: "bad-rule"; readonly problem: string; readonly at: Place; readonly help?: string }
  | {
      readonly reason: "unbound-wildcard";
      readonly wildcard: string;
      readonly where: string;
      readonly target: string;
      readonly at: Place;
    }
  | { readonly reason: "outside-root"; readonly path: string; readonly at?: Place }
  | {
      readonly reason: "two-producers";
      readonly output: string;
      readonly first: Place;
      readonly second: Place;
    }
  | {
      readonly reason: "ambiguous";
      readonly target: string;
      readonly rules: readonly { readonly pattern: string; readonly at: Place }[];
    }
  /** One rule makes a directory, and another something in it; or one a file where another needs a directory. */
  | {
      readonly reason: "overlap";
      readonly output: string;
      readonly inside: string;
      readonly first: Place;
      readonly second: Place;
    }
  /** The values of a wildcard are listed in a target that has to be built first. Asked for by whoever plans. */
  | {
      readonly reason: "needs-manifest";
      readonly manifest: string;
      readonly wildcard: string;
      readonly at: Place;
    }
  | { readonly reason: "glob-empty"; readonly glob: string; readonly neededBy: string; readonly at: Place }
  | { readonly reason: "cycle"; readonly path: readonly string[]; readonly at: Place }
  | {
      /** No rule makes it and it is not on disk. `neededBy` is absent when the command line asked for it. */
      readonly reason: "no-rule";
      readonly target: string;
      readonly neededBy?: string;
      readonly at?: Place;
      readonly suggestions: readonly string[];
      /** Set when a pattern would fit but for one value outside its domain. */
      readonly outsideDomain?: {
        readonly wildcard: string;
        readonly value: string;
        readonly domain: readonly string[];
        readonly at: Place;
      };
    };

/** A recipe did not do its work. */
export type RecipeFailure =
  | {
      readonly reason: "exit";
      readonly command: string;
      readonly code: number | null;
      readonly signal: string | null;
    }
  | { readonly reason: "cannot-run"; readonly command: string; readonly message: string }
  | { readonly reason: "threw"; readonly message: string; readonly at?: Place; readonly stack?: string }
  | { readonly reason: "output-missing"; readonly output: string }
  /** The recipe made a file where the target is a directory, or the other way round. */
  | { readonly reason: "output-kind"; readonly output: string; readonly found: "file" | "directory" }
  /** What `need` asked for could not be made; why was told where it failed. */
  | { readonly reason: "need-failed"; readonly needed: string }
  /** A depfile names something that a rule makes and that was not built before: what was read may have been stale. */
  | { readonly reason: "undeclared-input"; readonly input: string; readonly maker: Place }
  | { readonly reason: "bad-depfile"; readonly path: string; readonly problem: string }
  /** Two looks while it was read did not agree, twice. */
  | { readonly reason: "changed-while-read"; readonly path: string }
  | { readonly reason: "wrote-final-path"; readonly output: string }
  /** Somebody else makes it right now, and we were told not to wait. */
  | { readonly reason: "locked"; readonly target: string; readonly holder: Holder }
  /** The recipe that makes it has started this dmake. */
  | { readonly reason: "recursion"; readonly target: string }
  /** Another process took over our lock, because it believed us dead: nothing was published. */
  | { readonly reason: "lock-lost"; readonly target: string }
  | { readonly reason: "timed-out"; readonly afterMs: number }
  | { readonly reason: "interrupted" }
  | { readonly reason: "io"; readonly doing: string; readonly path: string; readonly code: string };
