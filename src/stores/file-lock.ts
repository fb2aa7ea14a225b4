// One lock a step, so that no two processes make the same files at once. Knows nothing of how files are made or recorded.
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fail, type Holder, ok, type Result } from "../core/failure.js";
import { digestOf } from "../core/fingerprint.js";
import type { Waiting } from "../engine/ports.js";
import { type Identity, tokenOf } from "../system/identity.js";
import { dropLock, type Lock, takeLock } from "../system/lock.js";
import type { Presence } from "../system/presence.js";
import { linkOrNothing } from "../system/process.js";

export interface StepLock {
  /** The run that died with it. */
  readonly tookOver?: Identity;
  release(): void;
  /** To be asked right before what others must not do at the same time: whoever believed us dead has taken it over. */
  isHeld(): boolean;
}

interface LockOptions {
  /** Left out, it is waited for as long as it takes. */
  readonly waiting?: Waiting | undefined;
  readonly presence: Presence;
}

/**
 * Takes the lock of the step of this name, waiting for whoever makes it now. It dies with its process.
 *
 * Fails with `locked` where it may not be waited for, and with `interrupted`.
 */
export async function lockStep(
  directory: string,
  step: string,
  { waiting, presence }: LockOptions,
): Promise<Result<StepLock>> {
  if (waiting?.signal?.aborted) return fail({ reason: "interrupted" });
  const folder = join(directory, "locks");
  mkdirSync(folder, { recursive: true });
  // The name of a step may hold anything and be of any length.
  const path = join(folder, digestOf(step).slice("sha256:".length, "sha256:".length + 32));
  const atOnce = await takeLock(path, 0, presence);
  if (atOnce.kind === "held") return ok(atOnce);
  const holder = holderOf(atOnce.holder);
  if (waiting?.noWait) return fail({ reason: "locked", target: step, holder });
  waiting?.onWait(holder);
  const lock: Lock = await takeLock(path, Number.POSITIVE_INFINITY, presence, waiting?.signal);
  return lock.kind === "held" ? ok(lock) : fail({ reason: "interrupted" });
}

/** Removes the locks that dead runs have left. Those of steps that nobody makes any more would stay for ever. */
export async function sweepLocks(
  directory: string,
  runs: ReadonlySet<string>,
  presence: Presence,
): Promise<void> {
  const folder = join(directory, "locks");
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const path = join(folder, name);
    const text = linkOrNothing(path);
    if (!runs.has((text && tokenOf(text)?.run) ?? "")) continue;
    await dropLock(path, presence);
  }
}

/** What is said of a holder to people. */
export const holderOf = ({ run, pid, host, since }: Identity): Holder => ({
  ...(run !== "" && { run }),
  ...(pid > 0 && { pid }),
  ...(host !== "" && { host }),
  ...(since !== "" && { since }),
});
