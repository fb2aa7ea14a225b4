// Makes a project's database files, once, and says who may connect to them. Knows nothing of running servers.
import { spawn } from "node:child_process";
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { getuid } from "node:process";
import { fail, ok, type Result } from "../core/failure.js";
import type { Binaries } from "./embedded-binaries.js";
import { replaceFile, type Site } from "./embedded-site.js";
import { giveTo, type ServerUser, serverEnv, whyNotRunning } from "./embedded-user.js";

/** The database and its owner, who may do everything in it. */
export const ownerName = "dmake";

const initPrefix = "postgres.init-";

/** Leaves whole database files that fit the programs, made now if there were none, and ready to be served to `user`. */
export async function prepareCluster(
  site: Site,
  binaries: Binaries,
  user: ServerUser,
): Promise<Result<void>> {
  sweep(site);
  if (existsSync(join(site.data, "PG_VERSION"))) {
    const usable = checkCluster(site, binaries);
    if (!usable.ok) return usable;
    giveTo(user, site.data);
  } else {
    const made = await makeCluster(site, binaries, user);
    if (!made.ok) return made;
  }
  replaceFile(join(site.data, "pg_hba.conf"), "local all all peer map=dmake\n", user.owner);
  const map = user.admits.map((name) => `dmake "${name}" ${ownerName}\n`);
  replaceFile(join(site.data, "pg_ident.conf"), map.join(""), user.owner);
  return ok(undefined);
}

function checkCluster(site: Site, binaries: Binaries): Result<void> {
  const found = readFileSync(join(site.data, "PG_VERSION"), "utf8").trim();
  if (found !== binaries.major) {
    return fail({
      reason: "embedded-unavailable",
      problem: `\`.dmake/postgres\` was made by PostgreSQL ${found}, and this dmake brings PostgreSQL ${binaries.major}`,
      help: "go back to the dmake that made it, or move `.dmake/postgres` away: its tables are then loaded anew",
    });
  }
  const uid = getuid?.();
  const { uid: owner } = statSync(site.data);
  if (uid === 0 || uid === undefined || uid === owner) return ok(undefined);
  return fail({
    reason: "embedded-unavailable",
    problem: `\`.dmake/postgres\` belongs to another user (number ${owner}; this one is ${uid})`,
    help: 'take it over with `sudo chown -R "$(id -un)" .dmake`, or set `DATABASE_URL` to a PostgreSQL server of yours',
  });
}

/**
 * Made aside and moved into place, so that what is there is whole whenever we are killed.
 *
 * Texts sort by code point (`C`), which no upgrade of a library changes under an index; `C.UTF-8` adds upper and lower
 * case beyond ASCII.
 */
async function makeCluster(site: Site, binaries: Binaries, user: ServerUser): Promise<Result<void>> {
  const aside = mkdtempSync(join(site.folder, initPrefix));
  if (user.owner) chownSync(aside, user.owner.uid, user.owner.gid);
  const text = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
  const access = [`--username=${ownerName}`, "--auth=peer"];
  const ended = await run(
    [...user.prefix, binaries.initdb, "-D", aside, ...access, ...text, "--no-instructions"],
    binaries,
    user,
  );
  if (ended.code !== 0) {
    rmSync(aside, { recursive: true, force: true, maxRetries: 3 });
    const broken = whyNotRunning(binaries);
    if (broken) return broken;
    return fail({
      reason: "embedded-unavailable",
      problem: `its database files could not be made: ${ended.problem}`,
      help: startHelp,
    });
  }
  try {
    renameSync(aside, site.data);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true, maxRetries: 3 });
    if (!existsSync(site.data)) throw error;
    const problem = "`.dmake/postgres` is there but holds no database";
    return fail({ reason: "embedded-unavailable", problem, help: "move it away; it is made anew" });
  }
  syncFolder(site.folder);
  return ok(undefined);
}

export const startHelp = "see `.dmake/postgres.log`, or set `DATABASE_URL` to a PostgreSQL server of yours";

function run(
  command: readonly string[],
  binaries: Binaries,
  user: ServerUser,
): Promise<{ readonly code: number | null; readonly problem: string }> {
  return new Promise((resolve) => {
    const [program = "", ...rest] = command;
    // In a session of its own: an interrupt from the terminal is ours to handle.
    const child = spawn(program, rest, {
      cwd: "/",
      env: serverEnv(binaries),
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
      ...user.ids,
    });
    let text = "";
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      text = (text + chunk).slice(-4000);
    });
    child.once("error", (error) => resolve({ code: null, problem: error.message }));
    child.once("close", (code) => resolve({ code, problem: lastWords(text) }));
  });
}

/** The line of a log that says why it ends. */
export function lastWords(text: string): string {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const wanted =
    lines.findLast((line) => /\b(FATAL|PANIC|error):/.test(line)) ?? lines.at(-1) ?? "no reason given";
  return wanted.replace(/^.*?\b(FATAL|PANIC|error):\s*/, "");
}

/** What runs that were killed while they made database files have left behind. */
function sweep(site: Site): void {
  for (const name of readdirSync(site.folder))
    if (name.startsWith(initPrefix))
      rmSync(join(site.folder, name), { recursive: true, force: true, maxRetries: 3 });
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
