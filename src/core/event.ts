// What happens in a build, as plain JSON, for every reader: text, `--json`, a page. Knows nothing of how it is shown.
import type { Failure, Holder, Place } from "./failure.js";
import type { Reject } from "./failure-data.js";
import type { RunFacts } from "./trace.js";
import type { Reason } from "./verdict.js";

/** `step` is the name of the step's first output. Durations are in milliseconds. */
export type BuildEvent =
  /** Before anything else: it goes on with the `targets` names of an earlier run, so many of which are done. */
  | {
      readonly event: "resuming";
      readonly run: string;
      /** ISO 8601, UTC: when that run began. */
      readonly startedAt: string;
      readonly targets: number;
      readonly fresh: number;
    }
  | { readonly event: "started"; readonly steps: number; readonly jobs: number }
  | { readonly event: "fresh"; readonly step: string }
  | {
      readonly event: "running";
      readonly step: string;
      readonly attempt: string;
      readonly reasons: readonly Reason[];
      /** Counts from 1; more than one where the recipe failed before and is tried again. */
      readonly tries?: number;
      /** It has the terminal to itself. */
      readonly terminal?: true;
    }
  /** Somebody else makes it right now. What is waited for is judged again once it is free. */
  | { readonly event: "waiting"; readonly step: string; readonly holder: Holder }
  /** It failed and is tried again: the try numbered `tries`, of at most `of`, begins in `inMs`. */
  | {
      readonly event: "retrying";
      readonly step: string;
      readonly failure: Failure;
      readonly tries: number;
      readonly of: number;
      readonly inMs: number;
    }
  | {
      readonly event: "progress";
      readonly step: string;
      readonly phase: string;
      readonly done: number;
      readonly total?: number;
      readonly unit: "bytes" | "rows";
    }
  | { readonly event: "output"; readonly step: string; readonly text: string }
  /**
   * `unchanged`: the recipe ran and found that what is there is still right. `already`: another process made it meanwhile.
   * `amended`: what was declared of a table was done to it; its rows stayed.
   */
  | {
      readonly event: "done";
      readonly step: string;
      readonly how: "made" | "unchanged" | "already" | "amended";
      readonly durationMs: number;
      readonly facts: RunFacts;
    }
  | {
      readonly event: "failed";
      readonly step: string;
      readonly failure: Failure;
      readonly at: { readonly file: string; readonly line: number };
    }
  /** `by` is the step that failed, however far up. */
  | { readonly event: "blocked"; readonly step: string; readonly by: string }
  /** Right before `finished`, if there are any: what was given up after a failure or an interrupt. */
  | { readonly event: "not-started"; readonly steps: readonly string[] }
  /** Recipes asked for more while they ran, or a list that was made says what else there is: so many steps there are now. */
  | { readonly event: "grown"; readonly steps: number }
  | ({ readonly event: "warning" } & Warning)
  | { readonly event: "would-run"; readonly step: string; readonly reasons: readonly Reason[] }
  | { readonly event: "may-run"; readonly step: string; readonly dependsOn: string }
  | ({ readonly event: "finished" } & Summary);

/** Something that a person should know, although the work goes on. */
export type Warning =
  /** An output held bytes that dmake had not made; they are now at `path`. */
  | { readonly warning: "output-saved"; readonly output: string; readonly path: string }
  /** An input changed while the recipe of `step` ran, which will run again next time. */
  | { readonly warning: "input-unsettled"; readonly step: string; readonly input: string }
  /**
   * The function at `at` uses `name`, whose value comes to be at run time, so that its changes are not seen. `env`: it
   * is made of nothing but these variables of the environment. `elsewhere`: the function's rule cannot name it.
   */
  | {
      readonly warning: "capture-unseen";
      readonly name: string;
      readonly at: Place;
      readonly env?: readonly string[];
      readonly elsewhere?: true;
    }
  /** So many lines of the state file could not be read; what they recorded is stale. */
  | { readonly warning: "state-damaged"; readonly path: string; readonly lines: number }
  /** The state file is of another version of dmake, and is kept at `kept`. */
  | { readonly warning: "state-foreign"; readonly path: string; readonly kept: string }
  /** Of a query: the values of a wildcard are listed in a target that is not there yet, or that is not up to date. */
  | {
      readonly warning: "list-open";
      readonly wildcard: string;
      readonly manifest: string;
      readonly standing: "missing" | "would-run" | "may-run";
    }
  /** Of a build that keeps going: the values of a wildcard are listed in a target that could not be made, so nothing of the rule at `at` could be planned. */
  | {
      readonly warning: "list-lost";
      readonly wildcard: string;
      readonly manifest: string;
      readonly at: Place;
    }
  /** So many files may be open at once, which is enough for so many recipes. */
  | { readonly warning: "few-files"; readonly limit: number; readonly jobs: number }
  /** Processes that a dead run had left running were ended. */
  | { readonly warning: "orphans-stopped"; readonly holder: Holder; readonly pids: readonly number[] }
  /** A run died while it published these; that was completed, or, where it could not be, they are stale. */
  | { readonly warning: "publish-resumed"; readonly step: string; readonly how: "completed" | "undone" }
  /** A jobserver that cannot be shared: `auth` is what the environment says of it. */
  | { readonly warning: "jobserver-ignored"; readonly auth: string }
  /** Rows that did not fit were set aside, in `dmake.rejects`. */
  | {
      readonly warning: "rows-rejected";
      readonly step: string;
      readonly file: string;
      readonly rows: number;
      readonly first: Reject;
    }
  /** The table was changed so that the file fits, or columns of the file were left out: one text a change, as `column `airport_fee` was added as `double precision``. */
  | { readonly warning: "table-changed"; readonly step: string; readonly changes: readonly string[] }
  /** A file whose time lies in the future is read on every run. */
  | { readonly warning: "future-time"; readonly name: string };

/** How a build ended. Every wanted step is counted once; `notStarted` are those given up after a failure or an interrupt. */
export interface Summary {
  /** Steps whose recipe ran and came to a good end. */
  readonly made: number;
  /** Steps that another dmake made meanwhile. */
  readonly already: number;
  readonly fresh: number;
  readonly failed: number;
  /** Of those that failed, the ones that somebody else held and that were not to be waited for. */
  readonly locked: number;
  readonly blocked: number;
  readonly notStarted: number;
  /** Of a dry run: the steps that would run, and those that may. */
  readonly wouldRun: number;
  readonly mayRun: number;
  readonly interrupted: boolean;
  readonly durationMs: number;
}

export type Emit = (event: BuildEvent) => void;
