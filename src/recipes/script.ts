// Runs a function of the Datafile. Knows nothing of where its outputs end up.
import { setMaxListeners } from "node:events";
import { fail, ok } from "../core/failure.js";
import type { ScriptRecipe } from "../core/rule.js";
import type { Runner } from "../engine/ports.js";

/** How long a function may take to end after an interrupt. */
const graceMs = 10_000;
/** The longest that a timer of Node can take: 24.8 days. */
const longestMs = 2 ** 31 - 1;

/**
 * Whatever the function throws fails the target, and nothing else. After an interrupt its end is awaited for ten seconds,
 * its answer dropped; one that does not end by then goes on unattended until the process ends.
 */
export const runScript: Runner<ScriptRecipe> = async (recipe, job) => {
  const { step, stage, log, signal } = job;
  if (stage.kind !== "files") throw new Error(`bug: ${step.id} is a table made by a function`);
  if (signal.aborted) return fail({ reason: "interrupted" });
  const context = {
    inputs: step.inputs,
    outputs: stage.paths,
    log: (text: string) => log(`${text}\n`),
    signal,
  };
  try {
    await attended(async () => recipe.run(context), signal);
  } catch (error) {
    if (signal.aborted) return fail({ reason: "interrupted" });
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return fail({
      reason: "threw",
      message,
      ...(error instanceof Error && error.stack && { stack: error.stack }),
    });
  }
  return signal.aborted ? fail({ reason: "interrupted" }) : ok({ kind: "made", facts: {} });
};

/** Ends with the work, or the grace after the signal if that is sooner. What the work throws after that is dropped. */
async function attended(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  // Every recipe of a build listens to the same signal: more than ten are no leak.
  setMaxListeners(0, signal);
  // A promise alone does not keep Node from exiting, silently and with 13.
  const alive = setInterval(() => {}, longestMs);
  let grace: NodeJS.Timeout | undefined;
  let stop = () => {};
  const patience = new Promise<void>((resolve) => {
    stop = () => {
      grace = setTimeout(resolve, graceMs);
    };
  });
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([work(), patience]);
  } finally {
    signal.removeEventListener("abort", stop);
    clearInterval(alive);
    clearTimeout(grace);
  }
}
