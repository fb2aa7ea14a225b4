// Whether a failed recipe is worth another try, and when. Knows nothing of running it.
import type { Failure } from "./failure.js";
import type { Retries } from "./rule.js";

/** Pauses grow up to this. */
export const longestPauseMs = 60_000;

/** What the world may have done: programs, networks, servers, disks. All else comes out the same from the same files. */
const passing: ReadonlySet<Failure["reason"]> = new Set([
  "exit",
  "cannot-run",
  "threw",
  "timed-out",
  "output-missing",
  "changed-while-read",
  "io",
  "lock-lost",
  "data-engine",
  "download-status",
  "download-network",
  "download-incomplete",
  "download-not-data",
  "postgres-unreachable",
  "postgres-refused",
  "postgres-lost",
  "postgres-error",
  "embedded-unavailable",
  "lock-timeout",
]);

export const mayPass = ({ reason }: Failure): boolean => passing.has(reason);

/** How long to wait before the next try, after so many. */
export const pauseAfter = (tries: number, { pauseMs }: Retries): number =>
  Math.min(pauseMs * 2 ** (tries - 1), longestPauseMs);
