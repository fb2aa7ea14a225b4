// Digests the code of a package that lies in the project, or beside it, and is only linked from `node_modules`. Knows nothing of who uses it.
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../core/fingerprint.js";

/** A folder of code that a person works on, so that its version says nothing. */
export interface Code {
  /** Absolute, with no link in it. */
  readonly folder: string;
  /** While this is the same, so is the digest: the files need not be read. */
  readonly stamp: string;
  readonly digest: string;
}

/** The folder that a package is linked to, of where it really is; nothing where it is installed, as by pnpm in a store of its own. */
export function linkedTo(real: string, root: string): string | undefined {
  // A project that is linked into itself holds its own data and dmake's files.
  return /(^|[\\/])node_modules([\\/]|$)/.test(real) || `${realpathSync(root)}/`.startsWith(`${real}/`)
    ? undefined
    : real;
}

export function codeIn(folder: string): Code {
  const files = filesIn(folder);
  return { folder, stamp: stampOf(files), digest: contentOf(folder, files) };
}

export function isSameCode({ folder, stamp, digest }: Code): boolean {
  const files = filesIn(folder);
  return stampOf(files) === stamp || contentOf(folder, files) === digest;
}

const stampOf = (files: readonly string[]): string =>
  digestOf(
    files
      .map((path) => {
        const found = statSync(path, { bigint: true, throwIfNoEntry: false });
        return `${path} ${found?.ino} ${found?.size} ${found?.mtimeNs} ${found?.ctimeNs}`;
      })
      .join("\n"),
  );

/** Without the folder's own path: a moved project stays fresh. */
const contentOf = (folder: string, files: readonly string[]): string =>
  digestOf(files.map((path) => `${path.slice(folder.length)} ${digestOf(bytesOf(path))}`).join("\n"));

function bytesOf(path: string): Buffer | string {
  try {
    return readFileSync(path);
  } catch {
    return "";
  }
}

function filesIn(folder: string): readonly string[] {
  const found: string[] = [];
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop())
    for (const entry of entriesIn(at)) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) {
        if (entry.name !== "node_modules" && !entry.name.startsWith(".")) folders.push(path);
      } else if (/\.([cm]?[jt]sx?|json|node|wasm)$/.test(entry.name)) found.push(path);
    }
  return found.sort();
}

function entriesIn(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
