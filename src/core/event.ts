// What happens in a build, as plain JSON, for every reader: text, `--json`, a page. Knows nothing of how it is shown.
import type { Failure } from "./failure.js";
import type { RunFacts } from "./trace.js";
import type { Reason } from "./verdict.js";

/** `step` is the name of the step's first output. Durations are in milliseconds. */
export type BuildEvent =
  | { readonly event: "started"; readonly steps: number; readonly jobs: number }
  | { readonly event: "fresh"; readonly step: string }
  | {
      readonly event: "running";
      readonly step: string;
      readonly attempt: string;
      readonly reasons: readonly Reason[];
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
  /** `unchanged`: the recipe ran and found that what is there is still right. `already`: another process made it meanwhile. */
  | {
      readonly event: "done";
      readonly step: string;
      readonly how: "made" | "unchanged" | "already";
      readonly durationMs: number;
      readonly facts: RunFacts;
    }
  | {
      readonly event: "failed";
      readonly step: string;
      readonly failure: Failure;
      readonly at: { readonly file: string; readonly line: number };
    }
  | { readonly event: "blocked"; readonly step: string; readonly by: string }
  | { readonly event: "would-run"; readonly step: string; readonly reasons: readonly Reason[] }
  | { readonly event: "may-run"; readonly step: string; readonly dependsOn: string }
  | ({ readonly event: "finished" } & Summary);

/** How a build ended. Every wanted step is counted once; `notStarted` are those given up after a failure or an interrupt. */
export interface Summary {
  readonly made: number;
  readonly fresh: number;
  readonly failed: number;
  readonly blocked: number;
  readonly notStarted: number;
  /** Of a dry run: the steps that would run, and those that may. */
  readonly wouldRun: number;
  readonly mayRun: number;
  readonly interrupted: boolean;
  readonly durationMs: number;
}

export type Emit = (event: BuildEvent) => void;
