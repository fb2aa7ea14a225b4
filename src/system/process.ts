// Says of a process whether it runs, and when it started. Knows nothing of who asks, or why.
import { readFileSync, readlinkSync } from "node:fs";
import { kill, pid, platform } from "node:process";

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
  if (!isProcOurs()) return undefined;
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

let procIsOurs: boolean | undefined;

/** In a pid namespace to which nobody has mounted its own /proc, that folder numbers the processes of another. */
export function isProcOurs(): boolean {
  procIsOurs ??= platform === "linux" && linkOrNothing("/proc/self") === String(pid);
  return procIsOurs;
}

/** What a link says, and nothing where there is none or it cannot be read. */
export function linkOrNothing(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error ? String(error.code) : undefined;
