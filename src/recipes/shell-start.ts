// Starts a command in a shell: its streams, its environment, its descriptors. Knows nothing of how it ends.
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import type { Child } from "../engine/ports.js";

export interface Wish {
  readonly command: string;
  /** All that it is given. */
  readonly env: NodeJS.ProcessEnv;
  readonly descriptors: Child["descriptors"];
  /** The descriptor that is its stdout where it holds the terminal. */
  readonly terminal: 1 | 2 | undefined;
}

/** Longer than this a text is too long to be one argument of a process: Linux takes 128 KiB, its NUL included. */
const longestArgument = 100_000;

export const isLong = (command: string): boolean => Buffer.byteLength(command) > longestArgument;

/**
 * A command that holds the terminal has our stdin and stays in our process group, since another one may not read from it.
 * Any other leads a group of its own. A long one, with the names of thousands of inputs, is read from a pipe of its own.
 *
 * What Node cannot start is told here or by the event `error`; both are explained by `whyNot`.
 */
export function start({ command, env, descriptors, terminal }: Wish): ChildProcess | Error {
  const long = isLong(command);
  const text = long ? 'eval "exec 3<&-\n$(cat <&3)"' : command;
  const stdio: StdioOptions = terminal ? [0, terminal, 2] : ["ignore", "pipe", "pipe"];
  // Node leaves a descriptor above 2 that is to be ignored closed.
  if (long || descriptors.length > 0) stdio.push(long ? "pipe" : "ignore", ...descriptors);
  let child: ChildProcess;
  try {
    child = spawn("/bin/sh", ["-e", "-c", "--", text], { detached: !terminal, stdio, env });
  } catch (error) {
    if (error instanceof Error && whyNot(error) !== error.message) return error;
    throw error;
  }
  // Without a descriptor to spare there are no streams. A shell that is killed before it has read everything says so by how it ends.
  const pipe = child.stdio?.[3] as Writable | null | undefined;
  if (long) pipe?.on("error", () => {}).end(command);
  return child;
}

const reasons: Readonly<Record<string, string>> = {
  EAGAIN: "there are too many processes (EAGAIN): raise `ulimit -u`, or lower `-j`",
  EMFILE: "too many files are open (EMFILE): raise `ulimit -n`, or lower `-j`",
  ENFILE: "too many files are open on this machine (ENFILE)",
  ENOMEM: "there is not enough memory for another process (ENOMEM)",
  E2BIG: "the environment is too large for a new process (E2BIG)",
};

/** Why a process could not be started, in words. */
export function whyNot(error: NodeJS.ErrnoException): string {
  return reasons[error.code ?? ""] ?? error.message;
}
