// Runs a shell command and says how it ended. Knows nothing of where its outputs end up.
import { randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import { fail, ok, type Result } from "../core/failure.js";
import { depfileName } from "../core/fingerprint.js";
import { redactText } from "../core/redact.js";
import type { ShellRecipe, Step } from "../core/rule.js";
import { type Job, marks, type Outcome, type Runner, type Stage } from "../engine/ports.js";
import { chained, markOf } from "../system/orphans.js";
import { type Command, commandOf, type Ended, failedCommand } from "./shell-command.js";
import { readDepfile } from "./shell-depfile.js";
import { starterFor } from "./shell-elsewhere.js";
import type { Environment } from "./shell-orders.js";
import { endAll, endOf } from "./shell-running.js";
import { changedSince, startOfNow } from "./shell-since.js";
import { isLong, start, whyNot } from "./shell-start.js";

type FileStage = Extract<Stage, { kind: "files" }>;

/** Of a long command, this much is shown. */
const shownCharacters = 400;

export interface ShellOptions {
  /** How many commands this process starts itself before another one does it. Left out, as many as are not worth another process. */
  readonly alone?: number | undefined;
}

/** Ends every command that is still running, and all they started, at once. For a process that is about to exit. */
export const killAll = (): void => endAll();

/**
 * `sh -e`, so that a failing line ends the recipe. stdin is closed; what it prints goes to the target's log. One that holds
 * the console has the terminal instead, and no log. `env` is what it is given besides what its job says, as it is when it starts.
 *
 * The recipe ends when its shell does. What the shell has left running in the background is ended as well, `nohup` or
 * not: a command cannot start a daemon. After an interrupt also what has left its process group, on Linux.
 * Fails with `exit`, `cannot-run`, `interrupted`, or what rendering fails with; and with `bad-depfile` where one that was
 * promised is not there or cannot be read.
 */
export const createShell =
  (env: NodeJS.ProcessEnv, { alone }: ShellOptions = {}): Runner<ShellRecipe> =>
  async (recipe, job) => {
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
    const ended = await carryOut(command, job, { env, alone });
    if (signal.aborted) return fail({ reason: "interrupted" });
    if (ended.code === 0)
      return recipe.depfile ? whatItRead(job.step, stage, since.value) : ok({ kind: "made", facts: {} });
    const shown = shortened(recipe, job, command);
    if (ended.error) return fail({ reason: "cannot-run", command: shown, message: whyNot(ended.error) });
    return fail({ reason: "exit", command: shown, code: ended.code, signal: ended.killedBy });
  };

async function carryOut(
  command: string,
  job: Job,
  { env, alone }: { readonly env: NodeJS.ProcessEnv } & ShellOptions,
): Promise<Ended> {
  const { attempt } = marks;
  const id = job.child?.env[attempt] ?? randomBytes(8).toString("hex");
  const given: NodeJS.ProcessEnv = { ...env, ...job.child?.env, [attempt]: chained(env[attempt], id) };
  const hold = { mark: markOf(attempt, id), grouped: !job.terminal };
  // Of the attempt, whoever starts its command is no part.
  const own = { [marks.run]: given[marks.run], [attempt]: env[attempt] };
  return endOf(begin(command, job, { env: given, alone, own }), hold, job.signal);
}

function begin(
  command: string,
  { child, terminal, log }: Job,
  { env, alone, own }: { readonly env: NodeJS.ProcessEnv; readonly own: Environment } & ShellOptions,
): Command {
  const { descriptors = [] } = child ?? {};
  // A terminal, and a text that is read from a pipe, are ours to give.
  const starter =
    terminal || isLong(command) ? undefined : starterFor({ env, descriptors, marks: own }, alone);
  if (starter) return starter.start({ command, env, log });
  const started = start({ command, env, descriptors, terminal: terminal && (terminal === "stdout" ? 1 : 2) });
  return started instanceof Error ? failedCommand(started) : commandOf(started, log);
}

/** What a command that ended well says it read. */
async function whatItRead(step: Step, stage: FileStage, since: bigint): Promise<Result<Outcome>> {
  const read = await readDepfile(stage.depfile, step, stage.paths);
  if (!read.ok) return read;
  const writtenMeanwhile = read.value.filter((name) => changedSince(name, since));
  return ok({ kind: "made", facts: {}, read: read.value, writtenMeanwhile });
}

/** Shown with the final names: the temporary ones say nothing to a person. */
function shortened(recipe: ShellRecipe, { inputs, step }: Job, command: string): string {
  const shown = recipe.render({ inputs, outputs: step.outputs, depfile: depfileName });
  const text = redactText((shown.ok ? shown.value.text : command).trim(), [...(step.rule.secrets ?? [])]);
  return text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text;
}
