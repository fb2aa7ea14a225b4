// Steps, attempts and a project folder for tests of the file store. Knows nothing of what they expect.
import { randomBytes } from "node:crypto";
import type { Result } from "../../src/core/failure.js";
import type { Step } from "../../src/core/rule.js";
import type { Trace } from "../../src/core/trace.js";
import type { Attempt, Outcome, Store } from "../../src/engine/ports.js";
import { createFiles } from "../../src/stores/files.js";
import { here, made } from "../rig/recipes.js";
import { must } from "../rig/world.js";

export const directory = ".dmake";
export const state = `${directory}/state.ndjson`;

/** The store as a new process would open it. */
export const open = (writable = true): Store => createFiles({ directory, writable });

export const stepFor = (...outputs: string[]): Step => ({
  id: outputs[0]!,
  rule: { name: undefined, at: here, outputs: [], inputs: [], after: [], domains: {}, bind: () => never() },
  binding: {},
  inputs: ["raw.csv"],
  after: [],
  outputs,
  recipe: { kind: "script", source: "1", run: async () => {} },
});

const never = (): never => {
  throw new Error("not bound in these tests");
};

export const attemptAt = (step: Step): Attempt => ({
  id: randomBytes(8).toString("hex"),
  step,
  recipe: { kind: "script", source: "1" },
  inputs: [{ name: "raw.csv", digest: "sha256:raw" }],
  startedAt: "2024-05-01T12:00:00.000Z",
  forced: false,
});

/** Stages an attempt and answers where its recipe writes. */
export async function staged(store: Store, attempt: Attempt) {
  const stage = must(await store.stage(attempt, new AbortController().signal));
  if (stage.kind !== "files") throw new Error(`staged as ${stage.kind}`);
  return stage;
}

export const outcome: Outcome = made.ok ? made.value : never();

/** Makes the outputs of a step with these contents, as a recipe that goes well does. */
export async function publish(
  store: Store,
  step: Step,
  write: (paths: readonly string[]) => void,
): Promise<Result<Trace>> {
  const attempt = attemptAt(step);
  const stage = await staged(store, attempt);
  write(stage.paths);
  return store.publish(attempt, stage, outcome, 7);
}

/** The digest of a file that is there, or what else the store says. */
export async function digestOfFile(store: Store, name: string): Promise<string> {
  const [fact] = must(await store.observe([name]));
  return fact?.kind === "present" ? fact.digest : "absent";
}
