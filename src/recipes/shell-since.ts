// Says which files were written after a command had started, by the file system's own clock. Knows nothing of commands.
import { closeSync, fstatSync, lstatSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { fail, ok, type Result } from "../core/failure.js";

/** No file system that a kernel keeps itself ticks more slowly than this; ext4, xfs and tmpfs tick every 4 ms, or 10. */
const longestTickMs = 25;

/**
 * A time of change, in ns, that everything written from now on has reached, and nothing that was written before: what was
 * built a moment ago was not written meanwhile. Waits for the clock of files to tick, by writing at `probe`, where
 * nothing is left. With a slower clock (1 s on some network file systems) what was written in this very tick counts as
 * written after it.
 */
export async function startOfNow(probe: string): Promise<Result<bigint>> {
  try {
    const file = openSync(probe, "wx");
    try {
      const before = touched(file);
      const until = performance.now() + longestTickMs;
      let now = before;
      while (now === before && performance.now() < until) {
        await wait(1);
        now = touched(file);
      }
      return ok(now);
    } finally {
      closeSync(file);
      rmSync(probe, { force: true });
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) throw error;
    return fail({ reason: "io", doing: "write", path: probe, code });
  }
}

function touched(file: number): bigint {
  writeSync(file, ".");
  return fstatSync(file, { bigint: true }).ctimeNs;
}

/**
 * Whether a file was written or renamed to its name since then: the time of change is the kernel's, and `cp -p` or
 * `touch -d` cannot set it back. What is not there was not: a compiler names headers that it has looked for in vain, and
 * that they are absent is what it has read.
 */
export const changedSince = (path: string, since: bigint): boolean =>
  [lstatSync, statSync].some((look) => changeOf(path, look) >= since);

/** In ns; before all time for what is not there, endless for what cannot be looked at. */
function changeOf(path: string, look: typeof lstatSync): bigint | number {
  try {
    return look(path, { bigint: true, throwIfNoEntry: false })?.ctimeNs ?? Number.NEGATIVE_INFINITY;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR") return Number.NEGATIVE_INFINITY;
    if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) throw error;
    return Number.POSITIVE_INFINITY;
  }
}
