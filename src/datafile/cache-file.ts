// Writes one file of the cache of compiled Datafiles, whole or not at all. Knows nothing of what is in it.
import { readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export function replace(path: string, text: string): void {
  sweep(dirname(path));
  const next = `${path}.${process.pid}.tmp`;
  writeFileSync(next, text, { mode: 0o600 });
  renameSync(next, path);
}

/** Removes what killed runs have left half written. One of another container, whose number says nothing here, then keeps nothing this time. */
function sweep(folder: string): void {
  for (const name of readdirSync(folder)) {
    const [, pid] = /\.(\d+)\.tmp$/.exec(name) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(folder, name), { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
