// Whether a failed recipe is worth another try, and when. Knows nothing of running it.
import type { Failure } from "./failure.js";
import type { Retries } from "./rule.js";

const longestPauseMs = 60_000;

/** What another try cannot change: mistakes of the Datafile, and what was told to stop. */
const final: ReadonlySet<Failure["reason"]> = new Set([
  "interrupted",
  "locked",
  "need-failed",
  "wrote-final-path",
  "undeclared-input",
  "outside-root",
  "bad-rule",
  "no-rule",
  "usage",
  "cycle",
  "table-shape",
  "partition-column-taken",
  "ledger-newer",
  "unknown-column",
  "duplicate-column",
  "unsupported-type",
]);

export const mayPass = ({ reason }: Failure): boolean => !final.has(reason);

/** How long to wait before the next try, after so many. */
export const pauseAfter = (tries: number, { pauseMs }: Retries): number =>
  Math.min(pauseMs * 2 ** (tries - 1), longestPauseMs);
