// A lock between processes on one machine: a symbolic link that names its holder. Knows nothing of what it guards.
import { randomBytes } from "node:crypto";
import { readFileSync, readlinkSync, symlinkSync, unlinkSync } from "node:fs";
import { kill, pid, platform } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

export type Lock =
  | { readonly kind: "held"; readonly release: () => void }
  | { readonly kind: "busy"; readonly pid: number };

const pollMs = 10;

/**
 * Takes the lock at `path`, waiting at most `waitMs` for whoever holds it. The lock of a dead process is taken over.
 *
 * A link is made whole or not at all, text included, so a lock without its holder's name is never seen. A dead holder's
 * link is only removed under a second lock, `path~`: two processes that both find it dead cannot remove the link that
 * one of them has made anew meanwhile. Should that process die in turn, its `path~` is taken over through `path~~`.
 */
export async function takeLock(path: string, waitMs: number): Promise<Lock> {
  const own = `${pid}:${startTimeOf(pid) ?? ""}:${randomBytes(6).toString("hex")}`;
  const deadline = performance.now() + waitMs;
  for (;;) {
    if (claim(path, own)) return { kind: "held", release: () => release(path, own) };
    const holder = holderOf(path);
    if (holder === undefined) continue;
    if (isGone(holder)) await removeDead(path, deadline - performance.now());
    else if (performance.now() > deadline) return { kind: "busy", pid: Number(holder.split(":")[0]) };
    else await sleep(pollMs);
  }
}

function claim(path: string, own: string): boolean {
  try {
    symlinkSync(own, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

function holderOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

async function removeDead(path: string, waitMs: number): Promise<void> {
  const inner = await takeLock(`${path}~`, Math.max(waitMs, 0));
  if (inner.kind === "busy") return;
  const holder = holderOf(path);
  if (holder !== undefined && isGone(holder)) unlinkSync(path);
  inner.release();
}

/** A lock that somebody has removed by hand and taken since is left to them. */
function release(path: string, own: string): void {
  if (holderOf(path) === own) unlinkSync(path);
}

function isGone(holder: string): boolean {
  const [id, started] = holder.split(":");
  if (!isAlive(Number(id))) return true;
  const now = startTimeOf(Number(id));
  return started !== "" && now !== undefined && now !== started;
}

/** Whether a process of this number runs, whoever owns it. One that has ended and only waits to be reaped does not. */
export function isAlive(id: number): boolean {
  if (!Number.isSafeInteger(id) || id <= 0) return false;
  try {
    kill(id, 0);
  } catch (error) {
    if (codeOf(error) !== "EPERM") return false;
  }
  return statusOf(id)?.state !== "Z";
}

/** When a process started, in ticks since boot: with its number, this names it for good. Nothing where it cannot be known. */
export const startTimeOf = (id: number): string | undefined => statusOf(id)?.started;

function statusOf(id: number): { readonly state: string; readonly started: string } | undefined {
  if (platform !== "linux") return undefined;
  try {
    const text = readFileSync(`/proc/${id}/stat`, "latin1");
    // Field 2 is the program's name in brackets and may hold anything, brackets and spaces too; 3 is the state, 22 the start.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", started: fields[19] ?? "" };
  } catch {
    // Gone meanwhile, or hidden by the mount options of /proc: both mean that nothing is known.
    return undefined;
  }
}

export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error ? String(error.code) : undefined;
