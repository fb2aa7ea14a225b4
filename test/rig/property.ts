// Checks a property over many drawn cases, and says how to draw the one again that broke it. Knows nothing of what is drawn.
import fc from "fast-check";

/** Set to what a failure has printed, they draw that one case again. */
const seedVariable = "DMAKE_SEED";
const pathVariable = "DMAKE_PATH";

/** Throws the shrunk counterexample, with the line that replays it. */
export async function holds<T>(property: fc.IAsyncProperty<T>, numRuns: number): Promise<void> {
  const { [seedVariable]: seed, [pathVariable]: path } = process.env;
  const found = await fc.check(property, {
    numRuns,
    ...(seed && { seed: Number(seed) }),
    ...(path && { path, endOnFailure: true }),
  });
  if (!found.failed) return;
  const file = /\/(test\/[^\s()]*\.test\.ts)/.exec(new Error("only for its stack").stack ?? "")?.[1];
  const replay = `${seedVariable}=${found.seed} ${pathVariable}=${found.counterexamplePath} node --import tsx --test ${file ?? "FILE"}`;
  throw new Error(`after ${found.numRuns} cases: ${fc.stringify(found.counterexample)}\nreplay: ${replay}`, {
    cause: found.errorInstance,
  });
}
