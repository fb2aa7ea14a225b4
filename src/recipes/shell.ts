// Runs a shell command in a process group of its own. Knows nothing of where its outputs end up.
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { setMaxListeners } from "node:events";
import type { Writable } from "node:stream";
import { setImmediate as turn, setTimeout as wait } from "node:timers/promises";
import { fail, ok, type Result } from "../core/failure.js";
import { depfileName } from "../core/fingerprint.js";
import { redactText } from "../core/redact.js";
import type { ShellRecipe, Step } from "../core/rule.js";
import type { Job, Outcome, Runner, Stage } from "../engine/ports.js";
import { readDepfile } from "./shell-depfile.js";
import { changedSince, startOfNow } from "./shell-since.js";

type FileStage = Extract<Stage, { kind: "files" }>;

/** How long a command may take to end by itself after SIGTERM. */
const graceMs = 10_000;
/** How long what a command has left running may take to end after SIGTERM. */
const leftoverGraceMs = 200;
/** Once the command has ended, silence for so long means that all it printed is read. */
const quietMs = 100;
/** Whoever prints on and on after the command has ended is listened to no longer than this. */
const drainMs = 1_000;
/** Of a long command, this much is shown. */
const shownCharacters = 400;

/** The leaders of all process groups that have not been ended yet. */
const live = new Set<number>();

/** Ends every command that is still running, and all they started, at once. For a process that is about to exit. */
export function killAll(): void {
  for (const leader of live) send(leader, "SIGKILL");
}

/**
 * `sh -e`, so that a failing line ends the recipe. stdin is closed; what it prints goes to the target's log.
 *
 * The recipe ends when its shell does. What the shell has left running in the background is ended as well, `nohup` or
 * not: a command cannot start a daemon. Fails with `exit`, `cannot-run`, `interrupted`, or what rendering fails with; and
 * with `bad-depfile` where one that was promised is not there or cannot be read.
 */
export const runShell: Runner<ShellRecipe> = async (recipe, job) => {
  const { stage, inputs, signal } = job;
  if (stage.kind !== "files") throw new Error(`bug: ${job.step.id} is a table made by a command`);
  const rendered = recipe.render({ inputs, outputs: stage.paths, depfile: stage.depfile });
  if (!rendered.ok) return rendered;
  const command = rendered.value.text;
  const since = recipe.depfile ? await startOfNow(stage.depfile) : ok(0n);
  if (!since.ok) return since;
  if (signal.aborted) return fail({ reason: "interrupted" });
  // Every recipe of a build listens to the same signal: more than ten are no leak.
  setMaxListeners(0, signal);
  const child = start(command);
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", job.log);
  const ended = await endOf(child, signal);
  if (signal.aborted) return fail({ reason: "interrupted" });
  if (ended.code === 0)
    return recipe.depfile ? whatItRead(job.step, stage, since.value) : ok({ kind: "made", facts: {} });
  const shown = shortened(recipe, job, command);
  if (ended.error) return fail({ reason: "cannot-run", command: shown, message: ended.error.message });
  return fail({ reason: "exit", command: shown, code: ended.code, signal: ended.killedBy });
};

/** What a command that ended well says it read. */
async function whatItRead(step: Step, stage: FileStage, since: bigint): Promise<Result<Outcome>> {
  const read = await readDepfile(stage.depfile, step, stage.paths);
  if (!read.ok) return read;
  const writtenMeanwhile = read.value.filter((name) => changedSince(name, since));
  return ok({ kind: "made", facts: {}, read: read.value, writtenMeanwhile });
}

/** Longer than this a text is too long to be one argument of a process: Linux takes 128 KiB, its NUL included. */
const longestArgument = 100_000;

/** Starts the command. A long one, with the names of thousands of inputs, is read from a pipe of its own. */
function start(command: string): ChildProcess {
  const long = Buffer.byteLength(command) > longestArgument;
  const text = long ? 'eval "exec 3<&-\n$(cat <&3)"' : command;
  const pipes: StdioOptions = long ? ["ignore", "pipe", "pipe", "pipe"] : ["ignore", "pipe", "pipe"];
  const child: ChildProcess = spawn("/bin/sh", ["-e", "-c", "--", text], { detached: true, stdio: pipes });
  const pipe = child.stdio[3] as Writable | null | undefined;
  // A shell that is killed before it has read everything says so by how it ends.
  pipe?.on("error", () => {}).end(command);
  return child;
}

/** Shown with the final names: the temporary ones say nothing to a person. */
function shortened(recipe: ShellRecipe, { inputs, step }: Job, command: string): string {
  const shown = recipe.render({ inputs, outputs: step.outputs, depfile: depfileName });
  const text = redactText((shown.ok ? shown.value.text : command).trim(), []);
  return text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text;
}

interface Ended {
  readonly code: number | null;
  readonly killedBy: NodeJS.Signals | null;
  /** Why it could not be started. */
  readonly error?: Error;
}

/** Waits for the end of a command, and sees to that of everything it started. The signal asks all of them to end. */
async function endOf(child: ChildProcess, signal: AbortSignal): Promise<Ended> {
  const { pid } = child;
  const closed = new Promise<true>((resolve) => child.once("close", () => resolve(true)));
  const exited = new Promise<Ended>((resolve) => {
    child.once("error", (error) => resolve({ code: null, killedBy: null, error }));
    child.once("exit", (code, killedBy) => resolve({ code, killedBy }));
  });
  if (pid === undefined) return exited;
  live.add(pid);
  let last: NodeJS.Timeout | undefined;
  const stop = () => {
    send(pid, "SIGTERM");
    last = setTimeout(() => send(pid, "SIGKILL"), graceMs);
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    const ended = await exited;
    await drained(child, closed);
    await endLeftovers(pid);
    return ended;
  } finally {
    signal.removeEventListener("abort", stop);
    clearTimeout(last);
    live.delete(pid);
  }
}

/** Reads what a command that has ended has printed. Somebody it left behind may hold its pipes open for ever. */
async function drained(child: ChildProcess, closed: Promise<true>): Promise<void> {
  const until = performance.now() + drainMs;
  let heard = true;
  const onData = () => {
    heard = true;
  };
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", onData);
  while (heard && performance.now() < until) {
    heard = false;
    if (await Promise.race([closed, silence()])) break;
  }
  for (const stream of child.stdio) stream?.destroy();
}

async function silence(): Promise<false> {
  await wait(quietMs, undefined, { ref: false });
  // Of a process that was busy all the while, the timers come before what is waiting in its pipes.
  await turn();
  return false;
}

/** SIGTERM, then SIGKILL. In most cases there is nobody, and this takes no time. */
async function endLeftovers(leader: number): Promise<void> {
  if (!send(leader, "SIGTERM")) return;
  const until = performance.now() + leftoverGraceMs;
  while (performance.now() < until) {
    await wait(10);
    if (!send(leader, 0)) return;
  }
  send(leader, "SIGKILL");
}

/** Whether there is anybody in the group to hear it. macOS answers EPERM for a group of which only zombies are left. */
function send(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-leader, signal);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ESRCH" || code === "EPERM") return false;
    throw error;
  }
}
