// What dmake made and no rule makes any more: found by the records, removed only as it was made. Knows nothing of rules.
import { lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ok, type Result } from "../core/failure.js";
import type { Digest } from "../core/trace.js";
import { isInProject } from "./file-inside.js";
import { kindOf } from "./file-publish.js";
import { removeAll } from "./file-rename.js";
import type { Bench } from "./file-replace.js";
import { guardedSync } from "./io-failure.js";

export interface Orphan {
  readonly name: string;
  /** The step that made it. */
  readonly step: string;
  /** `edited`: it is not, or not only, what dmake made. */
  readonly state: "unmodified" | "edited";
  /** What dmake made: what its bytes, or its tree, hashed to. */
  readonly recorded: Digest;
  /** How much is there, in bytes. */
  readonly bytes: number;
}

/** All orphans that are still there, sorted by name. */
export async function findOrphans(
  isMade: (name: string) => boolean,
  { contents, records, directory }: Bench,
): Promise<Result<readonly Orphan[]>> {
  const names = records.read((state) => {
    state.refresh();
    return [...state.made.names()].filter((name) => isInProject(name, directory) && !isMade(name)).sort();
  });
  if (!names.ok) return names;
  const seen = await contents.observe(names.value);
  if (!seen.ok) return seen;
  const orphans: Orphan[] = [];
  for (const [i, name] of names.value.entries()) {
    const there = seen.value[i];
    if (there?.kind !== "present") continue;
    const orphan = orphanAt(name, there.digest, { isMade, records });
    if (!orphan.ok) return orphan;
    if (orphan.value) orphans.push(orphan.value);
  }
  return ok(orphans);
}

function orphanAt(
  name: string,
  digest: Digest,
  { isMade, records }: Pick<Bench, "records"> & { readonly isMade: (name: string) => boolean },
): Result<Orphan | undefined> {
  const kind = guardedSync("look at", name, () => kindOf(name));
  if (!kind.ok) return kind;
  const made = records.read((state) => {
    // A rule makes something inside it now: the directory itself is no longer one thing.
    const isInside = (one: string) => one.startsWith(`${name}/`) && isMade(one);
    if (kind.value === "directory" && [...state.made.names()].some(isInside)) return undefined;
    const all = state.made.of(name);
    return all.find((one) => (one.bytes ?? one.digest) === digest) ?? all[0];
  });
  if (!made.ok || !made.value) return made.ok ? ok(undefined) : made;
  const { step, bytes: recorded = made.value.digest } = made.value;
  const size = guardedSync("look at", name, () => sizeOf(name));
  if (!size.ok) return size;
  const state = recorded === digest ? "unmodified" : "edited";
  return ok({ name, step, state, recorded, bytes: size.value });
}

/** To be called with the lock of its step. Answers whether it was there as dmake had made it, and is gone now. */
export async function removeOrphan(
  { name, recorded }: Orphan,
  { contents, records }: Bench,
): Promise<Result<boolean>> {
  const seen = await contents.observe([name]);
  if (!seen.ok) return seen;
  const [there] = seen.value;
  if (there?.kind === "present" && there.digest !== recorded) return ok(false);
  const removed = await removeAll([name]);
  if (!removed.ok) return removed;
  const forgotten = records.write((state) => state.forget(name));
  return forgotten.ok ? ok(there?.kind === "present") : forgotten;
}

function sizeOf(path: string): number {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.size;
  let bytes = 0;
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) bytes += lstatSync(join(entry.parentPath, entry.name)).size;
  return bytes;
}
