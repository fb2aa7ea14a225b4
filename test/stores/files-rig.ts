// Steps, attempts and a project folder for tests of the file store. Knows nothing of what they expect.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { test } from "node:test";
import type { Warning } from "../../src/core/event.js";
import type { Result } from "../../src/core/failure.js";
import type { Step } from "../../src/core/rule.js";
import type { Ended, Trace } from "../../src/core/trace.js";
import type { Attempt, Finished, Outcome, Published, Stage, Store } from "../../src/engine/ports.js";
import { createFiles, type FileStore } from "../../src/stores/files.js";
import { State } from "../../src/stores/state.js";
import { inFolder } from "../rig/project.js";
import { here, made } from "../rig/recipes.js";
import { must } from "../rig/world.js";
import { stamp } from "./state-rig.js";

export const directory = ".dmake";
export const state = `${directory}/state.ndjson`;

/** A test in an empty folder of its own. */
export const story = (
  name: string,
  work: Parameters<typeof inFolder>[0],
  options: { skip?: string | false } = {},
) => test(name, options, () => inFolder(work));

export interface Opening {
  readonly writable?: boolean;
  /** Takes what the store warns of. */
  readonly warn?: (warning: Warning) => void;
  /** Stands for the comparison of two parquet files by their content. */
  readonly sayTheSame?: (one: string, other: string) => Promise<boolean>;
  /** Takes what the store notes of attempts that it did not run. */
  readonly note?: (ended: Ended) => void;
}

/** The store as a new process would open it. */
export const open = ({
  writable = true,
  warn = () => {},
  sayTheSame = async () => false,
  note = () => {},
}: Opening = {}): FileStore => createFiles({ directory, writable, warn, sayTheSame, history: { note } });

/** A step that makes these; a name that ends with a slash is a directory. */
export const stepFor = (...names: string[]): Step => ({
  id: nameOf(names[0]!),
  rule: { name: undefined, at: here, outputs: [], inputs: [], after: [], domains: {}, bind: () => never() },
  binding: {},
  inputs: ["raw.csv"],
  uses: [],
  after: [],
  optional: new Set(),
  outputs: names.map(nameOf),
  directories: new Set(names.filter((name) => name.endsWith("/")).map(nameOf)),
  recipe: { kind: "script", parts: { function: "1" }, run: async () => {} },
});

const nameOf = (text: string): string => text.replace(/\/$/, "");

const never = (): never => {
  throw new Error("not bound in these tests");
};

export const attemptAt = (step: Step): Attempt => ({
  id: randomBytes(8).toString("hex"),
  step,
  recipe: { kind: "script", function: "1" },
  inputs: [{ name: "raw.csv", digest: "sha256:raw" }],
  because: [{ why: "no-record" }],
  startedAt: "2024-05-01T12:00:00.000Z",
  forced: false,
});

/** Stages an attempt and answers where its recipe writes. */
export async function staged(store: Store, attempt: Attempt) {
  const stage = must(await store.stage(attempt));
  if (stage.kind !== "files") throw new Error(`staged as ${stage.kind}`);
  return stage;
}

export const outcome: Outcome = made.ok ? made.value : never();

/** Ends an attempt as the engine does, with inputs that stayed as they were. */
export const ended = (
  store: Store,
  attempt: Attempt,
  stage: Stage,
  finished: Partial<Finished> = {},
): Promise<Result<Published>> =>
  store.publish(attempt, stage, {
    outcome,
    durationMs: 7,
    inputs: attempt.inputs,
    discovered: [],
    ...finished,
  });

/** Makes the outputs of a step with what `write` puts at their stage, as a recipe that goes well does. */
export async function published(
  store: Store,
  step: Step,
  write: (paths: readonly string[]) => void,
): Promise<Result<Published>> {
  const attempt = attemptAt(step);
  const stage = await staged(store, attempt);
  write(stage.paths);
  return ended(store, attempt, stage);
}

/** The same, for whoever only wants the record. */
export async function publish(...[store, step, write]: Parameters<typeof published>): Promise<Result<Trace>> {
  const done = await published(store, step, write);
  return done.ok ? { ok: true, value: done.value.trace } : done;
}

/** The digest of a file that is there, or what else the store says. */
export async function digestOfFile(store: Store, name: string): Promise<string> {
  const [fact] = must(await store.observe([name]));
  return fact?.kind === "present" ? fact.digest : "absent";
}

/** Has the file of records rewritten, which is done when most of it is superseded. */
export async function rewritten(): Promise<void> {
  const records = new State(state);
  for (let i = 0; i < 2_100; i += 1) records.setStamps([["busy", stamp]]);
  const before = statSync(state).ino;
  await records.compact();
  assert.notEqual(statSync(state).ino, before, "rewritten");
}
