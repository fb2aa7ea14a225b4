// Runs a shell command in a process group of its own. Knows nothing of where its outputs end up.
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import { fail, ok, type Result } from "../core/failure.js";
import { redactText } from "../core/redact.js";
import type { ShellRecipe } from "../core/rule.js";
import type { Job, Outcome, Runner } from "../engine/ports.js";

/** How long a command may take to end by itself after SIGTERM. */
const graceMs = 10_000;
/** Of a long command, this much is shown. */
const shownCharacters = 400;

/** `sh -e`, so that a failing line ends the recipe. stdin is closed; what it prints goes to the target's log. */
export const runShell: Runner<ShellRecipe> = async (recipe, job) => {
  if (job.stage.kind !== "files") throw new Error(`bug: ${job.step.id} is a table made by a command`);
  const rendered = recipe.render({ inputs: job.step.inputs, outputs: job.stage.paths });
  if (!rendered.ok) return rendered;
  const command = rendered.value.text;
  if (job.signal.aborted) return fail({ reason: "interrupted" });
  const child = start(command);
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", job.log);
  const stop = () => killGroup(child);
  job.signal.addEventListener("abort", stop, { once: true });
  try {
    return await ended(child, shortened(recipe, job, command), job.signal);
  } finally {
    job.signal.removeEventListener("abort", stop);
  }
};

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
function shortened(recipe: ShellRecipe, { step }: Job, command: string): string {
  const shown = recipe.render({ inputs: step.inputs, outputs: step.outputs });
  const text = redactText((shown.ok ? shown.value.text : command).trim(), []);
  return text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text;
}

function ended(child: ChildProcess, command: string, signal: AbortSignal): Promise<Result<Outcome>> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(fail({ reason: "cannot-run", command, message: error.message })));
    child.once("close", (code, killedBy) => {
      if (signal.aborted) resolve(fail({ reason: "interrupted" }));
      else if (code === 0) resolve(ok({ kind: "made", facts: {} }));
      else resolve(fail({ reason: "exit", command, code, signal: killedBy }));
    });
  });
}

/**
 * SIGTERM to the command and everything it started; SIGKILL to what is left after the grace, or once the command
 * itself is gone and nobody listens to the rest any more.
 */
function killGroup(child: ChildProcess): void {
  const { pid } = child;
  if (pid === undefined) return;
  const send = (signal: NodeJS.Signals) => {
    try {
      process.kill(-pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };
  send("SIGTERM");
  const last = setTimeout(() => send("SIGKILL"), graceMs);
  child.once("close", () => {
    clearTimeout(last);
    send("SIGKILL");
  });
}
