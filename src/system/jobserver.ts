// The jobserver of GNU make: what MAKEFLAGS says of it, and tokens in a FIFO, somebody else's or our own. Knows nothing of who wants the tokens.
import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pid } from "node:process";
import { codeOf, isAlive, linkOrNothing, startTimeOf } from "./process.js";

export type Env = Readonly<Record<string, string | undefined>>;

/** Where a dmake finds the FIFO of the dmake above it when the make between them can only be told of descriptors. */
export const fifoVariable = "DMAKE_JOBSERVER";

/** What GNU make itself fills its jobserver with. */
export const plus = "+".charCodeAt(0);

/** A pipe holds 64 KiB, a small one 4: nobody runs more recipes at once. */
const mostTokens = 4096;

/** MAKEFLAGS taken apart: what concerns the jobserver, and all else as it stands. */
interface Makeflags {
  readonly kept: readonly string[];
  /** From `--` on: variables. */
  readonly definitions: readonly string[];
  /** The last one said counts, as in GNU make. */
  readonly jobs?: number;
  readonly auth?: string;
}

function readMakeflags(text = ""): Makeflags {
  // A backslash keeps what follows it in the word.
  const words: readonly string[] = text.match(/(?:\\.|[^\\\s])+/gs) ?? [];
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  const kept: string[] = [];
  let jobs: number | undefined;
  let auth: string | undefined;
  for (let at = 0; at < end; at++) {
    const word = words[at] ?? "";
    const count = /^(?:-j|--jobs=?)(\d*)$/.exec(word)?.[1];
    const server = /^--jobserver-(?:auth|fds)=(.*)$/s.exec(word)?.[1];
    if (server !== undefined) auth = server;
    else if (count === undefined) kept.push(word);
    else if (count === "" && /^\d+$/.test(words[at + 1] ?? "")) jobs = Number(words[++at]);
    else jobs = count === "" ? undefined : Number(count);
  }
  return {
    kept,
    definitions: words.slice(end),
    ...(jobs !== undefined && { jobs }),
    ...(auth !== undefined && { auth }),
  };
}

/** The same flags, but with this jobserver, or with none. */
export function writeMakeflags(text: string | undefined, server?: { jobs: number; auth: string }): string {
  const { kept, definitions } = readMakeflags(text);
  const own = server ? [`-j${server.jobs}`, `--jobserver-auth=${server.auth}`] : [];
  // The first word, unless it begins with a dash, is a bundle of short flags: without one, a space stands in its place.
  return [kept.join(" "), ...own, ...definitions].join(" ");
}

/** The jobserver that the environment names, as GNU make writes it: `fifo:PATH`, or two descriptors. */
export function authIn(env: Env): string | undefined {
  const { auth } = readMakeflags(env.MAKEFLAGS);
  if (auth?.startsWith("fifo:")) return auth;
  return env[fifoVariable] || auth;
}

/** Whether the `make` that started us, or the one on our PATH, can be told of a FIFO by its name: those before 4.4 die of it. */
export const namesFifo = (env: Env): boolean =>
  readMakeflags(env.MAKEFLAGS).auth?.startsWith("fifo:") ?? false;

/** The `-j` of the build whose jobserver we can share. */
export function jobsIn(env: Env): number | undefined {
  return authIn(env)?.startsWith("fifo:") ? readMakeflags(env.MAKEFLAGS).jobs : undefined;
}

/** Tokens in a FIFO, taken without ever waiting. Lives until `close`, which leaves the tokens as they are. */
export class Fifo {
  readonly path: string;
  readonly #descriptor: number;
  readonly #byte = new Uint8Array(1);

  private constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  /** Nothing where no FIFO is, or none that we may use. */
  static open(path: string): Fifo | undefined {
    try {
      if (!statSync(path).isFIFO()) return undefined;
      // For reading and writing, so that it is never without a reader or a writer while we live.
      return new Fifo(path, openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return undefined;
    }
  }

  /** The very byte has to be given back: GNU make may tell tokens apart one day. */
  take(): number | undefined {
    return this.#read(this.#byte) === 0 ? undefined : this.#byte[0];
  }

  give(token: number): void {
    writeSync(this.#descriptor, Uint8Array.of(token));
  }

  /** Makes it hold so many new tokens and no others: a process that was killed keeps its own for ever. */
  refill(count: number): void {
    const bytes = new Uint8Array(mostTokens);
    while (this.#read(bytes) === bytes.length);
    writeSync(this.#descriptor, bytes.fill(plus).subarray(0, Math.min(count, mostTokens)));
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #read(bytes: Uint8Array): number {
    try {
      return readSync(this.#descriptor, bytes);
    } catch (error) {
      if (codeOf(error) === "EAGAIN") return 0;
      throw error;
    }
  }
}

/** A FIFO of our own in a folder of its own, which goes with it. */
export interface OwnFifo {
  readonly fifo: Fifo;
  /** Whether the `make` on the PATH can be told of it by its name. */
  readonly named: boolean;
  remove(): void;
}

/** GNU make expands `$`, and takes a backslash or a space for the end of a word. */
const tellable = /^[\w./+,@%~:-]+$/;

/**
 * Makes a FIFO without tokens, readable only by us. Nothing where there is no `mkfifo`, or no folder for it; recipes then share
 * no places, and that is all.
 */
export function makeFifo(env: Env): OwnFifo | undefined {
  const parent = tmpdir();
  if (!tellable.test(parent)) return undefined;
  let folder: string;
  try {
    sweep(parent);
    folder = mkdtempSync(join(parent, `${folderName(namespaceOf(), pid, startTimeOf(pid))}-`));
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const path = join(folder, "fifo");
  const named = mkfifo(path, env);
  const fifo = named === undefined ? undefined : Fifo.open(path);
  if (fifo && named !== undefined) return { fifo, named, remove };
  remove();
  return undefined;
}

/** One process for both, 6 ms (measured on two busy cores): nothing where there is no `mkfifo`. Answers whether `make` knows FIFOs by name; so does a missing one. */
function mkfifo(path: string, env: Env): boolean | undefined {
  const script = 'mkfifo -m 600 "$0" || exit 1; make --version || :';
  const { MAKEFLAGS: _, ...bare } = env;
  const { status, stdout } = spawnSync("/bin/sh", ["-c", script, path], {
    env: bare,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    timeout: 10_000,
  });
  if (status !== 0) return undefined;
  return knowsFifos(stdout);
}

/** By the first line of `make --version`. What is no GNU make ignores MAKEFLAGS' jobserver, in any form. */
export function knowsFifos(version: string): boolean {
  const [, major, minor] = /^GNU Make (\d+)\.(\d+)/.exec(version) ?? [];
  return major === undefined || Number(major) > 4 || (Number(major) === 4 && Number(minor) >= 4);
}

const folderName = (namespace: string, id: number, started: string | undefined): string =>
  `dmake-jobs-${namespace}-${id}-${started ?? 0}`;

/** Process numbers mean nothing in another container, which may share our folder for temporary files. */
function namespaceOf(): string {
  return /\d+/.exec(linkOrNothing("/proc/self/ns/pid") ?? "")?.[0] ?? "0";
}

/** Removes what killed runs of ours have left. */
function sweep(parent: string): void {
  const own = namespaceOf();
  for (const name of readdirSync(parent)) {
    const [, namespace, id, started] = /^dmake-jobs-(\d+)-(\d+)-(\d+)-\w+$/.exec(name) ?? [];
    if (namespace !== own || isRunning(Number(id), started)) continue;
    try {
      rmSync(join(parent, name), { recursive: true, force: true });
    } catch (error) {
      // Another user's: not ours to remove.
      if (codeOf(error) === undefined) throw error;
    }
  }
}

function isRunning(id: number, started: string | undefined): boolean {
  if (!isAlive(id)) return false;
  const now = startTimeOf(id);
  return now === undefined || started === "0" || now === started;
}
