// Keeps what somebody else has made before dmake replaces it: `.dmake/saved/`, by content. Knows nothing of why it is replaced.
import { linkSync, lstatSync, mkdirSync, realpathSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { cp } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ok, type Result } from "../core/failure.js";
import type { Digest } from "../core/trace.js";
import type { Bench } from "./file-replace.js";
import { sync, syncTree } from "./file-sync.js";
import { guarded, guardedSync } from "./io-failure.js";

/** What a file system answers that cannot link the two, and may be able to copy. */
const cannotLink: readonly unknown[] = [
  "EXDEV",
  "EPERM",
  "EACCES",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EMLINK",
];

type Keeping = Pick<Bench, "directory" | "contents">;

/** `copy`: for what will be written to where it is. */
type Manner = "move" | "copy";

/**
 * Keeps what is at `output` now, which hashes to `digest`, and answers where. A file stays at its place as well, so
 * that there is no moment without it; a directory, which cannot be linked, leaves its place unless it is copied.
 */
export async function save(
  output: string,
  digest: Digest,
  keeping: Keeping,
  manner: Manner = "move",
): Promise<Result<string>> {
  const short = digest.slice("sha256:".length, "sha256:".length + 12);
  for (let i = 1; ; i += 1) {
    const path = join(keeping.directory, "saved", i === 1 ? short : `${short}-${i}`, output);
    const there = await isThere(path, digest, keeping);
    if (!there.ok) return there;
    if (there.value === "same") return ok(path);
    if (there.value === "other") continue;
    const kept = await guarded("save", output, () => keep(output, path, manner));
    return kept.ok ? ok(path) : kept;
  }
}

/** Saved before, if nobody has touched it since: whoever looks at a saved file may well edit it. */
async function isThere(
  path: string,
  digest: Digest,
  { contents }: Keeping,
): Promise<Result<"nothing" | "same" | "other">> {
  if (!lstatSync(path, { throwIfNoEntry: false })) return ok("nothing");
  const found = await contents.digestOf(path);
  if (!found.ok) return found;
  return ok(found.value === digest ? "same" : "other");
}

async function keep(output: string, path: string, manner: Manner): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const stats = lstatSync(output);
  if (manner === "copy") await copy(realpathSync(output), path);
  // What a link leads to stays where it is.
  else if (stats.isSymbolicLink()) symlinkSync(realpathSync(output), path);
  else if (!isMoved(() => (stats.isDirectory() ? renameSync : linkSync)(output, path)))
    await copy(output, path);
  await sync(dirname(path));
}

function isMoved(move: () => void): boolean {
  try {
    move();
    return true;
  } catch (error) {
    if (cannotLink.includes((error as NodeJS.ErrnoException).code)) return false;
    throw error;
  }
}

/** Whole or not at all: a saved path is taken for what its name says. */
async function copy(output: string, path: string): Promise<void> {
  const next = `${path}.tmp`;
  rmSync(next, { recursive: true, force: true });
  try {
    await cp(output, next, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    await syncTree(next);
    renameSync(next, path);
  } catch (error) {
    // Half a copy is of no use, least of all on a full disk. What went wrong first is what is told.
    guardedSync("remove", next, () => rmSync(next, { recursive: true, force: true }));
    throw error;
  }
}
