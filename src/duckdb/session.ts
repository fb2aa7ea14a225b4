// One DuckDB in memory for one recipe: threads, memory and spill folder bounded, no way to the network. Knows nothing of files to read or rows to write.
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";

/** Enough for two threads to work at full speed; with 256 MB two threads ran at the speed of one (measured: 1.46 s against 0.93 s). */
const defaultMemoryLimitMb = 1024;

export interface Session {
  readonly connection: DuckDBConnection;
  /** Absolute; for spilled and unpacked data. Goes when the session is closed. */
  readonly folder: string;
  /** Ends the database and removes its folder. No query may be running: its promise would never settle. */
  close(): void;
}

export interface SessionOptions {
  /** The project's root, where `.dmake/tmp` is. The current directory if left out. */
  readonly root?: string;
  readonly threads: number;
  readonly memoryLimitMb?: number;
  /** Whether `connection.progress` says how far a query is. Streams are better without: a thread that waits for rows asks over and over. */
  readonly progress?: boolean;
}

/** Opens a database of its own, so that two recipes at work in one process share neither memory limit nor fate. */
export async function openSession({
  root = ".",
  threads,
  memoryLimitMb,
  progress = false,
}: SessionOptions): Promise<Session> {
  const parent = resolve(root, ".dmake/tmp");
  mkdirSync(parent, { recursive: true });
  sweep(parent);
  const folder = mkdtempSync(join(parent, `${ownPrefix}${process.pid}-`));
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  try {
    const instance = await DuckDBInstance.create(":memory:", {
      threads: String(threads),
      memory_limit: `${memoryLimitMb ?? defaultMemoryLimitMb}MB`,
      temp_directory: folder,
      autoinstall_known_extensions: "false",
      autoload_known_extensions: "false",
      allow_community_extensions: "false",
      allow_persistent_secrets: "false",
      preserve_insertion_order: "true",
    });
    const connection = await instance.connect();
    // A timestamp without an offset must not mean another instant on another machine.
    await connection.run("SET TimeZone = 'UTC'");
    // `connection.progress` stays empty otherwise; nothing is printed.
    if (progress)
      await connection.run("SET enable_progress_bar = true; SET enable_progress_bar_print = false");
    const close = () => {
      connection.closeSync();
      instance.closeSync();
      removeFolder();
    };
    return { connection, folder, close };
  } catch (error) {
    removeFolder();
    throw error;
  }
}

/** Machines that share a disk, as containers do, have process ids of their own. */
const ownPrefix = `duckdb-${hostname().replace(/[^\w.]/g, "_")}-`;

/** What a killed process of this machine has left, which may be gigabytes, goes. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const owner = name.startsWith(ownPrefix) ? /^\d+/.exec(name.slice(ownPrefix.length)) : null;
    if (owner && !isAlive(Number(owner[0]))) rmSync(join(parent, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: somebody else's, and alive.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

export const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Refuses NUL, which no SQL text can hold. */
export function quoteText(text: string): string {
  if (text.includes("\0")) throw new Error("bug: a text with NUL reached SQL");
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * A path as DuckDB's readers take it: absolute, so that it can be no URL and no `~`, and with `*`, `?` and `[` as
 * themselves. Unescaped, `we[i]rd*.csv` reads `weird1.csv`.
 */
export const quotePath = (path: string): string => quoteText(resolve(path).replace(/[*?[]/g, "[$&]"));
