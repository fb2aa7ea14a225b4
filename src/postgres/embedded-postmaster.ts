// One server process over one data folder: finds it, starts it, stops it, clears what a killed one left. Knows nothing of connections, nor of who else uses it.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chownSync,
  closeSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { getuid, kill, platform } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf, isAlive } from "../system/process.js";
import type { Binaries } from "./embedded-binaries.js";
import { lastWords } from "./embedded-cluster.js";
import { isSameFolder, openLog, replaceFile, type Site } from "./embedded-site.js";
import { type ServerUser, serverEnv } from "./embedded-user.js";

/** What a server has written about itself. */
export interface Postmaster {
  readonly pid: number;
  /** Where its socket is; empty in the first milliseconds. */
  readonly sockets: string;
  readonly ready: boolean;
}

/** The number in the socket's name. No TCP port is opened. */
export const portNumber = 5432;

const pollMs = 5;
const stopMs = 60_000;
const socketPrefix = "dmake-socket-";

const pidFileOf = (data: string): string => join(data, "postmaster.pid");

const readPidFile = (data: string): string[] | undefined => readLines(pidFileOf(data));

function readLines(path: string): string[] | undefined {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

/** The server that runs over these data, ready or not. */
export function findPostmaster(data: string): Postmaster | undefined {
  const lines = readPidFile(data);
  const pid = Number.parseInt(lines?.[0] ?? "", 10);
  if (lines === undefined || !servesFolder(pid, data)) return undefined;
  return { pid, sockets: lines[4] ?? "", ready: lines[7]?.trim() === "ready" };
}

/**
 * A number alone proves nothing: it may be in use again by another program, belong to the data that these were copied
 * from, or to a killed process that nobody has reaped. A server's current directory is its data folder.
 */
function servesFolder(pid: number, data: string): boolean {
  if (!isAlive(pid)) return false;
  if (platform === "linux") return isPostgresIn(pid, data);
  const listed = spawnSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  return listed.stdout.includes(data);
}

function isPostgresIn(pid: number, data: string): boolean {
  if (!isSameFolder(`/proc/${pid}/cwd`, data)) return false;
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "postgres";
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ESRCH") return false;
    throw error;
  }
}

/**
 * Makes way for a new server where the last one was killed, by naming in its pid file a process that cannot exist:
 * PostgreSQL would refuse to start beside a number that is in use again, or not yet reaped (1-2 s, in some containers for
 * ever). The rest of the file stays, by which PostgreSQL finds out whether children of the killed server still write.
 */
export function disownPidFile(site: Site): void {
  const lines = readPidFile(site.data);
  if (lines === undefined) return;
  const { uid, gid } = statSync(site.data);
  const owner = uid === getuid?.() ? undefined : { uid, gid };
  removeSockets(lines[4] ?? "");
  if (lines.length < 2) rmSync(pidFileOf(site.data), { force: true });
  else replaceFile(pidFileOf(site.data), ["2147483646", ...lines.slice(1)].join("\n"), owner);
}

export type Started =
  | { readonly kind: "ready"; readonly postmaster: Postmaster }
  /** The last line of its log says why. */
  | { readonly kind: "ended"; readonly problem: string };

/** Starts a server and waits until it takes connections, or ends, or `deadline` is over; then it is left to go on. */
export async function startPostmaster(
  site: Site,
  binaries: Binaries,
  user: ServerUser,
  deadline: number,
): Promise<Started> {
  const sockets = makeSocketFolder(user.owner);
  const log = openLog(site.log, user.owner);
  const logStart = statSync(site.log).size;
  const [program = "", ...rest] = [...user.prefix, binaries.postgres, "-D", site.data, ...settings(sockets)];
  // Detached: in a session of its own, where no interrupt from our terminal reaches it, and with none of our pipes.
  const child = spawn(program, rest, {
    cwd: "/",
    env: serverEnv(binaries),
    stdio: ["ignore", log, log],
    detached: true,
    ...user.ids,
  });
  closeSync(log);
  let problem: string | undefined;
  child.once("error", (error) => {
    problem = error.message;
  });
  try {
    while (problem === undefined && !hasEnded(child)) {
      const found = findPostmaster(site.data);
      if (found?.ready && found.pid === child.pid) return { kind: "ready", postmaster: found };
      if (performance.now() > deadline) return { kind: "ended", problem: "it is still starting up" };
      await sleep(pollMs);
    }
  } finally {
    child.unref();
  }
  removeSockets(sockets);
  return {
    kind: "ended",
    problem: problem ?? lastWords(readFileSync(site.log).subarray(logStart).toString()),
  };
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/**
 * Given on the command line, so that they hold whatever is in the data folder's own files. With `minimal` a table that is
 * loaded in the transaction that creates it needs no write-ahead log: 1.84 s in place of 1.94 s for 1.3M rows.
 */
function settings(sockets: string): string[] {
  const wanted = {
    listen_addresses: "",
    port: portNumber,
    unix_socket_directories: sockets,
    unix_socket_permissions: "0700",
    wal_level: "minimal",
    max_wal_senders: 0,
    max_logical_replication_workers: 0,
    shared_buffers: "128MB",
    client_connection_check_interval: "1s",
    timezone: "UTC",
    log_timezone: "UTC",
    logging_collector: "off",
    // Whoever is told of an error decides whether it is kept: it may hold a secret.
    log_min_messages: "fatal",
    log_min_error_statement: "panic",
    cluster_name: "dmake",
  };
  return Object.entries(wanted).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** A socket's path may have 103 bytes, and PostgreSQL splits a list of folders at commas. */
function makeSocketFolder(owner: ServerUser["owner"]): string {
  const own = tmpdir();
  // Root's own temporary folder may be closed to the server's user.
  const base = owner === undefined && own.length <= 70 && /^[\w./+-]+$/.test(own) ? own : "/tmp";
  const folder = mkdtempSync(join(base, socketPrefix));
  if (owner) chownSync(folder, owner.uid, owner.gid);
  return folder;
}

/**
 * Removes a socket whose server is gone. The path may come from a file that others can write, so only what we know to be
 * in such a folder is touched; or from a copy of a project, so its server may run: the file beside the socket names it.
 */
function removeSockets(folder: string): void {
  if (!basename(folder).startsWith(socketPrefix)) return;
  const socket = join(folder, `.s.PGSQL.${portNumber}`);
  const [pid = "", data = ""] = readLines(`${socket}.lock`) ?? [];
  if (servesFolder(Number(pid), data)) return;
  for (const path of [socket, `${socket}.lock`]) rmSync(path, { force: true });
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!["ENOENT", "ENOTEMPTY", "EACCES", "EPERM"].includes(codeOf(error) ?? "")) throw error;
  }
}

/**
 * Asks it to end when its clients have left, insists after `patienceMs`, and waits until it is gone. Answers whether it is.
 */
export async function stopPostmaster(
  site: Site,
  { pid, sockets }: Postmaster,
  patienceMs: number,
): Promise<boolean> {
  const begun = performance.now();
  let asked: NodeJS.Signals | undefined;
  // A process that ends loses its current directory a moment before its number.
  let gone = !servesFolder(pid, site.data);
  while (!gone) {
    const waitedMs = performance.now() - begun;
    if (waitedMs > stopMs) return false;
    const due = waitedMs >= patienceMs ? "SIGINT" : "SIGTERM";
    if (asked !== due && servesFolder(pid, site.data)) signal(pid, due);
    asked = due;
    await sleep(pollMs);
    gone = !isAlive(pid);
  }
  removeSockets(sockets);
  return true;
}

/** Ends what a killed server's children still do; without it they could never tell anybody. */
export function endOrphans(site: Site): void {
  if (platform !== "linux") return;
  const serving = readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0 && isPostgresIn(pid, site.data));
  for (const pid of serving) signal(pid, "SIGQUIT");
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    kill(pid, name);
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw error;
  }
}
