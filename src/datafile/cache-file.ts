// Writes one file of the cache of compiled Datafiles, whole or not at all. Knows nothing of what is in it.
import { readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** What others write now takes milliseconds; what killed runs have left is older than this one day. */
const oldMs = 3_600_000;

export function replace(path: string, text: string): void {
  const next = `${path}.${process.pid}.tmp`;
  writeFileSync(next, text, { mode: 0o600 });
  sweep(dirname(path), basename(next));
  renameSync(next, path);
}

/** Removes what lies there unfinished for long, by the time of a file just written. */
function sweep(folder: string, next: string): void {
  const changedMs = (name: string) =>
    statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
  const now = changedMs(next);
  for (const name of readdirSync(folder))
    if (name.endsWith(".tmp") && changedMs(name) < now - oldMs) rmSync(join(folder, name), { force: true });
}
