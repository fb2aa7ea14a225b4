// Finds files and names by globs. Knows nothing of rules or targets.
import { statSync } from "node:fs";
import { createRequire } from "node:module";
import type { Globs } from "../core/inputs.js";
import { isTemporary } from "../stores/file-temporary.js";

// Loaded with the first glob: a project without globs does not pay for it. Planning is synchronous, and so is this.
const load = createRequire(import.meta.url);

/**
 * Globs over the files below `root`, for one plan: what was found once is not looked for again. Names with a leading dot
 * fit only where the glob says the dot; `own`, dmake's folder, and temporary files never do. Wildcards do not lead
 * through symbolic links to folders, since such a link may lead anywhere; one that the glob names is followed.
 */
export function globsBelow(root: string, own: string): Globs {
  const found = new Map<string, readonly string[]>();
  return {
    files(glob) {
      const known = found.get(glob);
      if (known) return known;
      const files = filesOf(glob, root).filter((name) => name !== own && !name.startsWith(`${own}/`));
      found.set(glob, files);
      return files;
    },
    among(glob, names) {
      const fits = matcherOf(glob);
      return names.filter((name) => fits(name));
    },
  };
}

function filesOf(glob: string, root: string): string[] {
  const { globSync } = load("fast-glob") as typeof import("fast-glob");
  const entries = globSync(positive(glob), {
    cwd: root,
    caseSensitiveMatch: true,
    followSymbolicLinks: false,
    // Links to files are files to whoever reads them, which fast-glob would leave out.
    onlyFiles: false,
    objectMode: true,
    suppressErrors: true,
  });
  return entries
    .filter(
      ({ dirent, path }) => dirent.isFile() || (dirent.isSymbolicLink() && leadsToFile(`${root}/${path}`)),
    )
    .map(({ path }) => path)
    .filter((path) => !path.split("/").some(isTemporary) && !path.startsWith("../"))
    .sort();
}

const leadsToFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

const matchers = new Map<string, (name: string) => boolean>();

function matcherOf(glob: string): (name: string) => boolean {
  const known = matchers.get(glob);
  if (known) return known;
  const { matcher } = load("micromatch") as typeof import("micromatch");
  // As fast-glob sets them.
  const fits = matcher(positive(glob), { dot: false, posix: true, strictSlashes: false });
  matchers.set(glob, fits);
  return fits;
}

/** A `!` in front is the beginning of a name: what does not fit could not be listed. */
const positive = (glob: string): string => (/^!(?!\()/.test(glob) ? `\\${glob}` : glob);
