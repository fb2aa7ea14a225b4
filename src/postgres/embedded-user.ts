// Decides as which operating-system user the embedded server runs, and how to become it. Knows nothing of PostgreSQL but that it refuses root.
import { spawnSync } from "node:child_process";
import { existsSync, lchownSync, lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { getuid, platform } from "node:process";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Binaries } from "./embedded-binaries.js";

/** How to run the server's programs, and who may talk to it. */
export interface ServerUser {
  /** Words to put before a command. */
  readonly prefix: readonly string[];
  /** For `spawn`; nothing where the user stays the same or `prefix` sees to it. */
  readonly ids: { readonly uid: number; readonly gid: number } | undefined;
  /** Who has to own what the server writes. Nothing where that is us anyway. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** The users who may connect, by the names that the server sees. */
  readonly admits: readonly string[];
}

interface Account {
  /** Nothing for a number that is in use here but not listed. */
  readonly name: string | undefined;
  readonly uid: number;
  readonly gid: number;
}

const useOther = "set `DATABASE_URL` to a PostgreSQL server that runs elsewhere";

/**
 * An ordinary user runs the server as himself. Root cannot: as root it runs as the owner of the data or of the project
 * if that is somebody else, otherwise as `nobody`. The programs or the data may lie where that user cannot go (a project
 * in `/root`, mode 0700): then with one capability kept, to pass closed folders, which works in a plain Docker container
 * too; or else as root under another number in a user namespace. The namespace also serves a number without an account.
 */
export function chooseUser(
  binaries: Binaries,
  paths: { readonly folder: string; readonly data: string },
): Result<ServerUser> {
  const accounts = readAccounts();
  const uid = getuid?.() ?? -1;
  const candidates = uid === 0 ? forRoot(accounts, paths) : forPlainUser(accounts, uid);
  const chosen = candidates.find((user) => canRun(user, binaries, paths.folder));
  if (chosen) return ok(chosen);
  const broken = whyNotRunning(binaries);
  if (broken) return broken;
  return fail({ reason: "embedded-unavailable", ...(uid === 0 ? rootIsStuck : numberIsUnknown(uid)) });
}

const rootIsStuck = {
  problem:
    "PostgreSQL does not run as root, and no other user could run it here: its programs or the project lie in a folder closed to others",
  help: `run dmake as an ordinary user, move the project to a folder that others may enter, or ${useOther}`,
};

const numberIsUnknown = (uid: number) => ({
  problem: `this user's number, ${uid}, has no account on this machine, and PostgreSQL needs one`,
  help: `add it to /etc/passwd, or ${useOther}`,
});

/** A failure where the programs do not run at all, as on systems without the GNU C library. Takes 7 ms. */
export function whyNotRunning(
  binaries: Binaries,
): { readonly ok: false; readonly error: Failure } | undefined {
  const tried = spawnSync(binaries.postgres, ["--version"], { env: serverEnv(binaries), encoding: "utf8" });
  if (tried.status === 0) return undefined;
  const words = tried.error?.message ?? tried.stderr.trim();
  return fail({
    reason: "embedded-unavailable",
    problem: `its programs do not run on this system (${words})`,
    help: `they need the GNU C library (Debian, Ubuntu, Fedora; not Alpine); otherwise ${useOther}`,
  });
}

function forPlainUser(accounts: readonly Account[], uid: number): ServerUser[] {
  const name = nameOf(accounts, uid);
  if (name === undefined) return namespaced(accounts);
  return [{ prefix: [], ids: undefined, owner: undefined, admits: [name, "root"] }];
}

function forRoot(
  accounts: readonly Account[],
  { folder, data }: { readonly folder: string; readonly data: string },
): ServerUser[] {
  const project = ownerOf(dirname(folder), accounts);
  // initdb looks its user's name up, the server does not: data that is there already may belong to a bare number.
  const owner =
    ownerOf(data, accounts) ?? (project?.name ? project : accounts.find(({ name }) => name === "nobody"));
  const namespaces = namespaced(accounts).map((user) => ({ ...user, owner: { uid: 0, gid: 0 } }));
  if (owner === undefined) return namespaces;
  const { uid, gid } = owner;
  const admits = owner.name === undefined || owner.name === "nobody" ? ["root"] : ["root", owner.name];
  const become = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  const capable = ["setpriv", ...become, "--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
  return [
    { prefix: [], ids: { uid, gid }, owner: { uid, gid }, admits },
    { prefix: capable, ids: undefined, owner: { uid, gid }, admits },
    ...namespaces,
  ];
}

/**
 * Users that a namespace does not map all look like `nobody` in there, so we must look like somebody else: otherwise the
 * server could not tell us from a stranger.
 */
function namespaced(accounts: readonly Account[]): ServerUser[] {
  const mask = accounts.find(({ name, uid }) => uid !== 0 && uid !== 65534 && name !== "nobody");
  if (mask?.name === undefined) return [];
  const prefix = ["unshare", "--user", `--map-user=${mask.uid}`, `--map-group=${mask.gid}`];
  return [{ prefix, ids: undefined, owner: undefined, admits: [mask.name] }];
}

/** Tried, not reasoned out: access lists, mount options and missing libraries all count. Takes 7 ms. */
function canRun(user: ServerUser, binaries: Binaries, folder: string): boolean {
  if (user.prefix.length === 0 && user.ids === undefined) return true;
  const script = 'cd "$1" && exec "$2" --version';
  const [command = "", ...rest] = [...user.prefix, "/bin/sh", "-c", script, "sh", folder, binaries.postgres];
  const tried = spawnSync(command, rest, {
    cwd: "/",
    env: serverEnv(binaries),
    stdio: "ignore",
    ...user.ids,
  });
  return tried.status === 0;
}

/** Nothing of ours: our settings (`PGDATA`…) would change the server, and our secrets are none of its business. */
export const serverEnv = (binaries: Binaries): Record<string, string> => ({
  ...binaries.env,
  PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
  LC_ALL: "C",
  TZ: "UTC",
});

/** Gives everything under `path` to the server's user, where it is not his yet. 1,000 files, 30 ms, once. */
export function giveTo(user: ServerUser, path: string): void {
  if (user.owner === undefined || lstatSync(path).uid === user.owner.uid) return;
  const { uid, gid } = user.owner;
  for (const entry of readdirSync(path, { recursive: true, encoding: "utf8" }))
    lchownSync(join(path, entry), uid, gid);
  // Last, so that a run cut short is taken up again.
  lchownSync(path, uid, gid);
}

function ownerOf(path: string, accounts: readonly Account[]): Account | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.uid === 0) return undefined;
  return accounts.find(({ uid }) => uid === found.uid) ?? { name: undefined, uid: found.uid, gid: found.gid };
}

function nameOf(accounts: readonly Account[], uid: number): string | undefined {
  try {
    return userInfo().username;
  } catch {
    // The number has no account, not even in a directory service that /etc/passwd does not list.
    return accounts.find((account) => account.uid === uid)?.name;
  }
}

function readAccounts(): Account[] {
  if (platform !== "linux" || !existsSync("/etc/passwd")) return [];
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  return lines.flatMap((line) => {
    const [name = "", , uid = "", gid = ""] = line.split(":");
    return name !== "" && /^\d+$/.test(uid) && /^\d+$/.test(gid)
      ? [{ name, uid: Number(uid), gid: Number(gid) }]
      : [];
  });
}
