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
  return statOf(id)[0] !== "Z";
}

/** When a process started, in ticks since boot: with its number, this names it for good. Nothing where it cannot be known. */
export const startTimeOf = (id: number): string | undefined => statOf(id)[19];

/**
 * What Linux says of a process, from the third field of its `stat` on: state, parent, group, and so on; the twentieth is
 * the start. Nothing where nothing is known: it is gone, hidden by the mount options of /proc, or of another system.
 */
export function statOf(id: number): readonly string[] {
  if (!isProcOurs()) return [];
  try {
    const text = readFileSync(`/proc/${id}/stat`, "latin1");
    // The second field is the program's name in brackets and may hold anything, brackets and spaces too.
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
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
