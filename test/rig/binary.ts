// A project in a temporary folder, and the real binary run in it. Knows nothing of what dmake does.
import { type ChildProcessByStdio, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  watch,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../..", import.meta.url));
export const binary = join(repository, "dist/cli/main.js");

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Project {
  readonly root: string;
  path(name: string): string;
  write(name: string, content: string | Uint8Array): void;
  read(name: string): string;
  /** Waits until a file in the top folder holds something, and answers that. */
  written(name: string): Promise<string>;
  /** Runs dmake to its end. */
  run(...args: string[]): Promise<Ran>;
  /** Starts dmake. */
  start(...args: string[]): Running;
  /** Runs a script of the shell in which `dmake` is the binary, to its end. */
  shell(script: string): Promise<Ran>;
  /** Ends its embedded server and removes the folder. */
  remove(): Promise<void>;
}

export interface Running {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly ended: Promise<Ran>;
  /** Waits for a line of stdout, or fails when the program ends without it. */
  line(matches: (line: string) => boolean): Promise<string>;
  /** The same of stderr. */
  errorLine(matches: (line: string) => boolean): Promise<string>;
}

/** An environment without the variables that choose a database. */
function environment(extra: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|DATABASE_URL|NODE_TEST|CI$)/.test(name));
  return { ...Object.fromEntries(kept), NO_COLOR: "1", ...extra };
}

/** A project with these files; `env` is added to the environment of every run. */
export function createProject(
  files: Readonly<Record<string, string | Uint8Array>>,
  options: { readonly env?: NodeJS.ProcessEnv } = {},
): Project {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "dmake-project-")));
  const path = (name: string) => join(root, name);
  const read = (name: string) => readFileSync(path(name), "utf8");
  const write: Project["write"] = (name, content) => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), content);
  };
  for (const [name, content] of Object.entries(files)) write(name, content);
  const env = environment(options.env ?? {});
  const start: Project["start"] = (...args) =>
    launch(process.execPath, [binary, ...args], { cwd: root, env });
  const shell: Project["shell"] = (script) => {
    const text = `dmake() { "$NODE" "$DMAKE" "$@"; }\n${script}`;
    const told = { ...env, NODE: process.execPath, DMAKE: binary };
    return launch("/bin/sh", ["-c", text], { cwd: root, env: told }).ended;
  };
  return {
    root,
    path,
    write,
    read,
    async written(name) {
      const watcher = watch(root);
      while (!existsSync(path(name)) || read(name) === "")
        await new Promise((resolve) => watcher.once("change", resolve));
      watcher.close();
      return read(name);
    },
    run: (...args) => start(...args).ended,
    start,
    shell,
    async remove() {
      await start("db", "--stop").ended;
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** The repository's own demo: its Datafile and its sample of real rows. */
export function demoProject(options: { readonly env?: NodeJS.ProcessEnv } = {}): Project {
  const project = createProject({ "Datafile.ts": readFileSync(join(repository, "Datafile.ts")) }, options);
  cpSync(join(repository, "data/sample"), project.path("data/sample"), { recursive: true });
  return project;
}

function launch(
  program: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Running {
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ran>((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  const lineOf = (stream: Readable, text: () => string) => (matches: (line: string) => boolean) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = text().split("\n").slice(0, -1).find(matches);
        if (found !== undefined) resolve(found);
      };
      stream.on("data", look);
      child.once("close", () =>
        reject(new Error(`ended without the line that was waited for:\n${stdout}${stderr}`)),
      );
      look();
    });
  const line = lineOf(child.stdout, () => stdout);
  return { child, ended, line, errorLine: lineOf(child.stderr, () => stderr) };
}

/** The same for one test, and gone with it. */
export function projectIn(
  t: TestContext,
  files: Readonly<Record<string, string | Uint8Array>>,
  options: { readonly env?: NodeJS.ProcessEnv } = {},
): Project {
  const project = createProject(files, options);
  t.after(() => project.remove());
  return project;
}

/** Lines that dmake printed, with their durations taken out. */
export const plain = (text: string): string[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/\s+[\d.]+ s$/, "").replace(/ \([\d.]+ s\)$/, ""));
