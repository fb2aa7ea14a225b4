// One lock a step, so that no two processes make the same files at once. Knows nothing of how files are made or recorded.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fail, ok, type Result } from "../core/failure.js";
import { digestOf } from "../core/fingerprint.js";
import { takeLock } from "../system/lock.js";

/** How long a waiting process may take to notice that it is interrupted. */
const patienceMs = 200;

/** Waits for whoever makes the step of this name now, as long as it takes. Answers how to let go; the lock dies with its process. */
export async function lockStep(
  directory: string,
  step: string,
  signal: AbortSignal | undefined,
): Promise<Result<() => void>> {
  const folder = join(directory, "locks");
  mkdirSync(folder, { recursive: true });
  // The name of a step may hold anything and be of any length.
  const path = join(folder, digestOf(step).slice("sha256:".length, "sha256:".length + 32));
  while (!signal?.aborted) {
    const lock = await takeLock(path, patienceMs);
    if (lock.kind === "held") return ok(lock.release);
  }
  return fail({ reason: "interrupted" });
}
