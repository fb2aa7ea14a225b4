// Projects that are killed, starved and crowded: the real program run in them, and what a folder holds before and after. Knows nothing of what is expected.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const preload = fileURLToPath(new URL("faults-preload.mjs", import.meta.url));

/** What hangs for so long is a difference of its own. */
const patienceMs = 60_000;

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** All that it printed. */
  readonly text: string;
  readonly ms: number;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
  /** Whether this was among what it has printed so far. */
  readonly said: (text: string) => boolean;
}

/** Where to die: at the n-th change, right before it, after half of it, or right after. */
export interface Death {
  readonly at: number;
  readonly how: "before" | "half" | "after";
}

interface Start {
  readonly binary: string;
  readonly cwd: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Where changes are listed: all of them, or, with a death, the one. */
  readonly list?: string;
  readonly death?: Death;
  /** Words before the program, as those of `sh -c 'ulimit …; exec "$@"' sh`. */
  readonly under?: readonly string[];
}

/** The environment of a run, without what chooses a database or belongs to the tests. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(PG|DATABASE_URL|NODE_|MAKE|DMAKE_|npm_|CI$)/i.test(name),
    ),
  );

/** Starts dmake in a project. */
export function start({ binary, cwd, args, env, list, death, under = [] }: Start): Started {
  const faults: NodeJS.ProcessEnv = {
    ...(list !== undefined && { DMAKE_FAULT_LIST: list }),
    ...(death && { DMAKE_FAULT_AT: String(death.at), DMAKE_FAULT_HOW: death.how }),
  };
  const watched = list === undefined ? [] : ["--import", preload];
  const [command = "", ...rest] = [...under, process.execPath, ...watched, binary, ...args];
  const began = performance.now();
  const child = spawn(command, rest, {
    cwd,
    env: { ...environment(), NO_COLOR: "1", ...faults, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
  const timer = setTimeout(() => {
    text += `\n(killed by the test after ${patienceMs / 1000} s)\n`;
    child.kill("SIGKILL");
    for (const stream of [child.stdout, child.stderr]) stream.destroy();
  }, patienceMs);
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once("error", reject);
    // Recipes of a killed run live on and hold its pipes: not waited for.
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      const finish = () => resolve({ code, signal, text, ms: performance.now() - began });
      if (signal === "SIGKILL") setImmediate(finish);
      else child.once("close", finish);
    });
  });
  return { child, ended, said: (part) => text.includes(part) };
}

export const run = (options: Start): Promise<Ran> => start(options).ended;

export type Sources = Readonly<Record<string, string>>;

/** Writes files below a folder. */
export function writeAll(folder: string, files: Sources): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

/** Makes `to` the same as `from`, with its times. */
export function copyProject(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
}

/** Path → what is there, as a digest. */
export type Snapshot = ReadonlyMap<string, string>;

/** Everything below a folder but what is dmake's own. Folders count only by what is in them. */
export const snapshot = (folder: string): Snapshot =>
  new Map(pathsIn(folder, (name) => name === ".dmake").map((path) => [path, contentOf(join(folder, path))]));

/** The paths of all files of dmake's own. */
export const ownFiles = (folder: string): readonly string[] =>
  pathsIn(join(folder, ".dmake"), () => false).filter((path) => !untouched.test(path));

/** There once everything has lain still for long enough; half of it is taken away by whoever writes it next. */
const untouched = /^cache\/(untouched|records)(\.next)?$/;

function contentOf(path: string): string {
  const stats = lstatSync(path);
  if (stats.isSymbolicLink()) return `→ ${readlinkSync(path)}`;
  return createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 12);
}

function pathsIn(folder: string, isLeftOut: (name: string) => boolean, below = ""): string[] {
  const entries = readdirIfThere(join(folder, below));
  return entries
    .filter(({ name }) => below !== "" || !isLeftOut(name))
    .flatMap((entry) => {
      const path = join(below, entry.name);
      return entry.isDirectory() ? pathsIn(folder, isLeftOut, path) : [path];
    })
    .sort();
}

function readdirIfThere(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** In which paths two snapshots differ, a line each. */
export function differencesOf(found: Snapshot, expected: Snapshot): string[] {
  const names = new Set([...found.keys(), ...expected.keys()]);
  return [...names].sort().flatMap((name) => {
    const [now, then] = [found.get(name) ?? "nothing", expected.get(name) ?? "nothing"];
    return now === then ? [] : [`${name}: ${now} in place of ${then}`];
  });
}

/** What is left of attempts that are over. */
export const temporariesIn = (folder: string): readonly string[] =>
  pathsIn(folder, (name) => name === ".dmake").filter((path) => /\.dmake-[0-9a-f]+\./.test(path));

/** Every process that carries this mark in its environment, but not ourselves. */
export function marked(mark: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => textOf(`/proc/${name}/environ`).includes(mark))
    .map(Number);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // Gone meanwhile.
    return "";
  }
}

/** Every process that says of itself that it has left its group. */
export const strangers = (): readonly number[] => marked("FAULTS_STRANGER=1");
