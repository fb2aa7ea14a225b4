// Runs one process to its end and says what it took: time, processor time, memory. Knows nothing of what it does.
import { spawn } from "node:child_process";
import { accessSync, closeSync, constants, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Besides `plainEnvironment`. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface Ran {
  /** From just before the start to the exit, by a clock that only goes forward. */
  readonly seconds: number;
  /** User and system time of the process and of all those it has waited for. */
  readonly cpuSeconds: number | undefined;
  /** The largest resident set of any one of them. */
  readonly peakBytes: number | undefined;
  readonly code: number | null;
  /** What it has said, standard output and standard error together. */
  readonly output: string;
}

/** GNU time, which asks the kernel what a child has used. Costs a millisecond, for everybody alike. */
const gnuTime = "/usr/bin/time";

export const canAccount = ((): boolean => {
  try {
    accessSync(gnuTime, constants.X_OK);
    return true;
  } catch {
    return false;
  }
})();

/** A process gets so long to end by itself before it is killed. */
const graceMs = 10_000;

/** Nothing of the caller's that could change what is measured, such as a database or options for node. */
const plainEnvironment = (): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  TMPDIR: tmpdir(),
  LC_ALL: "C.UTF-8",
  NO_COLOR: "1",
});

let runs = 0;

/** Fails only if the program cannot be started, or if `signal` is aborted: it and its group are then ended first. */
export async function runOnce(command: Command, signal: AbortSignal): Promise<Ran> {
  signal.throwIfAborted();
  const base = join(tmpdir(), `dmake-bench-${process.pid}-${runs++}`);
  const [said, accounts] = [`${base}.out`, `${base}.time`];
  const file = openSync(said, "w");
  try {
    const start = performance.now();
    const code = await ended(launch(command, accounts, file), signal);
    const seconds = (performance.now() - start) / 1000;
    return { seconds, code, output: readFileSync(said, "utf8"), ...accounted(accounts) };
  } finally {
    closeSync(file);
    for (const path of [said, accounts]) rmSync(path, { force: true });
  }
}

function launch({ program, args, cwd, env = {} }: Command, accounts: string, file: number) {
  const all = canAccount ? ["-q", "-o", accounts, "-f", "%U %S %M", program, ...args] : args;
  // A group of its own, so that it can be ended with all that it has started.
  return spawn(canAccount ? gnuTime : program, all, {
    cwd,
    env: { ...plainEnvironment(), ...env },
    stdio: ["ignore", file, file],
    detached: true,
  });
}

async function ended(child: ReturnType<typeof launch>, signal: AbortSignal): Promise<number | null> {
  let patience: NodeJS.Timeout | undefined;
  const stop = () => {
    // Not SIGTERM, which would end GNU time and leave what it waits for.
    tell(child, "SIGINT");
    patience = setTimeout(() => tell(child, "SIGKILL"), graceMs);
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject).once("exit", resolve);
    });
    // What a shell has put in the background does not hear SIGINT.
    if (signal.aborted) tell(child, "SIGKILL");
    signal.throwIfAborted();
    return code;
  } finally {
    clearTimeout(patience);
    signal.removeEventListener("abort", stop);
  }
}

/** To all of its group that are still there. */
function tell({ pid }: ReturnType<typeof launch>, how: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, how);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function accounted(path: string): Pick<Ran, "cpuSeconds" | "peakBytes"> {
  if (!canAccount) return { cpuSeconds: undefined, peakBytes: undefined };
  const [user, system, kilobytes] = readFileSync(path, "utf8").trim().split(" ").map(Number);
  return { cpuSeconds: user! + system!, peakBytes: kilobytes! * 1024 };
}
