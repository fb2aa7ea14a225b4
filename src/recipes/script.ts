// Runs a function of the Datafile. Knows nothing of where its outputs end up.
import { fail, ok } from "../core/failure.js";
import type { ScriptRecipe } from "../core/rule.js";
import type { Runner } from "../engine/ports.js";

/** Whatever the function throws fails the target, and nothing else. After an interrupt its end is awaited, its answer dropped. */
export const runScript: Runner<ScriptRecipe> = async (recipe, job) => {
  const { step, stage, log, signal } = job;
  if (stage.kind !== "files") throw new Error(`bug: ${step.id} is a table made by a function`);
  if (signal.aborted) return fail({ reason: "interrupted" });
  try {
    await recipe.run({ inputs: step.inputs, outputs: stage.paths, log: (text) => log(`${text}\n`), signal });
  } catch (error) {
    if (signal.aborted) return fail({ reason: "interrupted" });
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return fail({
      reason: "threw",
      message,
      ...(error instanceof Error && error.stack && { stack: error.stack }),
    });
  }
  return ok({ kind: "made", facts: {} });
};
