// Where one project keeps its embedded server's files, and how to write them safely. Knows nothing of what is in them.
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Failure, fail } from "../core/failure.js";
import { codeOf } from "../system/process.js";
import type { ServerUser } from "./embedded-user.js";

export interface Site {
  /** `.dmake`, which other parts of dmake use as well. */
  readonly folder: string;
  /** PostgreSQL's data folder. */
  readonly data: string;
  readonly lock: string;
  readonly log: string;
  /** There while the server is to stay up with nobody in it. */
  readonly keep: string;
  /** Links to libraries, where they cannot be in the package. */
  readonly libraries: string;
}

const logLimitBytes = 5_000_000;

/** Absolute and free of symbolic links, since the server runs in another current directory. Makes `.dmake`. */
export function openSite(root: string): Site {
  mkdirSync(join(root, ".dmake"), { recursive: true });
  const folder = realpathSync(join(root, ".dmake"));
  const at = (name: string) => join(folder, name);
  return {
    folder,
    data: at("postgres"),
    lock: at("postgres.lock"),
    log: at("postgres.log"),
    keep: at("postgres.keep"),
    libraries: at("postgres.lib"),
  };
}

/**
 * Replaces a file, whole or not at all. The folder may be one that the server's user can write to: a link that somebody
 * has put there is replaced and never followed, since we may be root.
 */
export function replaceFile(path: string, text: string, owner: ServerUser["owner"]): void {
  const fresh = `${path}.new`;
  rmSync(fresh, { force: true });
  const file = openSync(fresh, "wx", 0o600);
  try {
    writeFileSync(file, text);
    if (owner) fchownSync(file, owner.uid, owner.gid);
  } finally {
    closeSync(file);
  }
  renameSync(fresh, path);
}

/** The server's log, to be written at its end; begun anew once it is over 5 MB. The caller closes it. */
export function openLog(path: string, owner: ServerUser["owner"]): number {
  const file = openSync(
    path,
    constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW,
    0o600,
  );
  if (fstatSync(file).size > logLimitBytes) ftruncateSync(file);
  if (owner) fchownSync(file, owner.uid, owner.gid);
  return file;
}

/** Whether two paths lead to one folder. A path that leads nowhere, or where we may not look, is none. */
export function isSameFolder(one: string, other: string): boolean {
  const [first, second] = [one, other].map((path) => identityOf(path));
  return first !== undefined && first === second;
}

function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch (error) {
    if (["ENOENT", "EACCES", "ENOTDIR", "ESRCH", "EPERM"].includes(codeOf(error) ?? "")) return undefined;
    throw error;
  }
}

/** What the file system refused, as a failure with a remedy; anything else is thrown on. */
export function siteFailure(error: unknown): { readonly ok: false; readonly error: Failure } {
  const code = codeOf(error) ?? "";
  // Of a link, `path` is what it would point to and `dest` where it would lie.
  const { dest, path = ".dmake" } = error as { readonly dest?: string; readonly path?: string };
  const problem = `the file system refuses \`${dest ?? path}\` (${code})`;
  if (["EACCES", "EPERM"].includes(code)) {
    const help =
      'if another user has run dmake here, take `.dmake` over: `sudo chown -R "$(id -un)" .dmake`; or set `DATABASE_URL`';
    return fail({ reason: "embedded-unavailable", problem, help });
  }
  if (
    [
      "EROFS",
      "ENOSPC",
      "EDQUOT",
      "ENOTSUP",
      "EMFILE",
      "ENFILE",
      "EIO",
      "ENOENT",
      "ENOTDIR",
      "EEXIST",
    ].includes(code)
  ) {
    return fail({
      reason: "embedded-unavailable",
      problem,
      help: "make room for `.dmake` there, or set `DATABASE_URL` to a PostgreSQL server of yours",
    });
  }
  throw error;
}
