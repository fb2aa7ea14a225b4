// A throw-away project for the embedded server, and processes that visit it. Knows nothing of what a test expects.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";
import type { Failure } from "../../src/core/failure.js";
import { startEmbedded, stopEmbedded } from "../../src/postgres/embedded.js";

export const isRoot = process.getuid?.() === 0;

/** Folders of this file's projects, all removed by `removeProjects`. */
const made: string[] = [];

/** A folder that others may enter, unless it is to be `closed`. */
export function makeProject(
  options: { readonly below?: string; readonly closed?: boolean; readonly owner?: number } = {},
): string {
  const top = realpathSync(mkdtempSync(join(tmpdir(), "dmake-project-")));
  made.push(top);
  if (!options.closed) chmodSync(top, 0o755);
  const root = join(top, options.below ?? "project");
  mkdirSync(root, { recursive: true });
  if (options.owner !== undefined) chownSync(root, options.owner, options.owner);
  return root;
}

/** A project whose database files are there already: a copy, since making them takes a second. */
export function makeUsedProject(template: string): string {
  const root = makeProject();
  execFileSync("cp", ["-a", join(template, ".dmake"), root]);
  return root;
}

export function removeProjects(): void {
  for (const top of made.splice(0)) rmSync(top, { recursive: true, force: true, maxRetries: 5 });
}

/** A project with database files, its server stopped. */
export async function makeTemplate(): Promise<string> {
  const root = makeProject();
  await (await begin(root)).leave([]);
  return root;
}

/** Starts the server and fails the test if that fails. */
export async function begin(root: string, native?: string) {
  const started = await startEmbedded({ root, ...(native !== undefined && { native }) });
  if (!started.ok) throw new Error(JSON.stringify(started.error));
  return started.value;
}

export async function ask(config: pg.ClientConfig | string, statement: string): Promise<unknown> {
  const client = new pg.Client(config);
  client.on("error", () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query({ text: statement, rowMode: "array" });
    return rows[0]?.[0];
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** What the server's own file says: nothing when it has stopped in order. */
export function serverOf(root: string): { readonly pid: number; readonly sockets: string } | undefined {
  const file = join(root, ".dmake/postgres/postmaster.pid");
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, "utf8").split("\n");
  return { pid: Number(lines[0]), sockets: lines[4] ?? "" };
}

/** Ends whatever a failed test has left. */
export async function sweepProject(root: string): Promise<void> {
  const { pid } = serverOf(root) ?? {};
  const stopped = await stopEmbedded({ root }).catch(() => undefined);
  if (pid !== undefined && stopped?.ok && stopped.value === "in-use") process.kill(pid, "SIGINT");
}

export interface Visitor {
  readonly child: ChildProcess;
  /** The next line it prints. */
  heard(): Promise<{ readonly url?: string; readonly did?: string } & Partial<Failure>>;
  /** Tells it what to do and waits until it is done. */
  told(order: string): Promise<void>;
  /** When it has ended and nobody holds its pipes any more. */
  readonly closed: Promise<void>;
}

/** A process of its own, in its own process group, that begins at once to open the project's server. */
export function visit(
  root: string,
  options: { readonly native?: string; readonly uid?: number } = {},
): Visitor {
  const script = fileURLToPath(new URL("embedded-visitor.ts", import.meta.url));
  const as = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
  const tsx = import.meta.resolve("tsx");
  const child = spawn(
    process.execPath,
    ["--import", tsx, script, root, ...(options.native ? [options.native] : [])],
    {
      stdio: ["pipe", "pipe", "inherit"],
      detached: true,
      cwd: dirname(script),
      env: { PATH: process.env.PATH, TMPDIR: tmpdir() },
      ...as,
    },
  );
  const lines: AsyncIterator<string> = (createInterface({ input: child.stdout }) as Interface)[
    Symbol.asyncIterator
  ]();
  const heard = async () => JSON.parse((await lines.next()).value ?? "{}");
  return {
    child,
    heard,
    told: async (order) => {
      child.stdin.write(`${order}\n`);
      const { did } = await heard();
      if (did !== order) throw new Error(`the visitor did ${did} and not ${order}`);
    },
    closed: new Promise((resolve) => child.once("close", () => resolve())),
  };
}
