// Targets that are files of this disk: looked at, written aside, renamed into place, recorded in `.dmake/`. Knows nothing of rules or recipes.
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import pLimit from "p-limit";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import type { Digest, Fact, Trace } from "../core/trace.js";
import { judge } from "../core/verdict.js";
import type { Attempt, Outcome, Stage, Store } from "../engine/ports.js";
import { lockStep } from "./file-lock.js";
import { diskClock, hash, isSame, isSettled, type Look, lookAt } from "./file-look.js";
import { Sweeper, temporaryPath } from "./file-temporary.js";
import { guarded, guardedSync } from "./io-failure.js";
import { type Stamp, State } from "./state.js";

/** Two at once fill two cores, and more would only make the disk seek. */
const hashesAtOnce = 2;

interface FilesOptions {
  /** Where dmake keeps its own files, relative to the current directory. */
  readonly directory: string;
  /** Without it nothing at all is written: for queries. */
  readonly writable: boolean;
}

/** An attempt that has its stage. */
interface Going {
  /** What each final path looked like before the recipe started. */
  readonly before: readonly (Look | undefined)[];
  readonly release: () => void;
}

/** The store of files, relative to the current directory. */
export const createFiles = (options: FilesOptions): Store => new Files(options);

/** Lives for one process. Digests are remembered with the file's stamp, so that an untouched file is not read again. */
class Files implements Store {
  readonly #options: FilesOptions;
  readonly #path: string;
  readonly #limit = pLimit(hashesAtOnce);
  readonly #going = new Map<string, Going>();
  readonly #sweeper = new Sweeper();
  #state: State | undefined;
  #clock: bigint | undefined;

  constructor(options: FilesOptions) {
    this.#options = options;
    this.#path = join(options.directory, "state.ndjson");
  }

  async observe(names: readonly string[]): Promise<Result<readonly Fact[]>> {
    const stamps = this.#recorded("read", (state) => names.map((name) => state.stamps.get(name)));
    if (!stamps.ok) return stamps;
    const facts = await Promise.all(names.map((name, i) => this.#observeOne(name, stamps.value[i])));
    const failed = facts.find((fact) => !fact.ok);
    return failed && !failed.ok ? failed : ok(facts.flatMap((fact) => (fact.ok ? [fact.value] : [])));
  }

  async traces(steps: readonly Step[]): Promise<Result<readonly (Trace | undefined)[]>> {
    return this.#recorded("read", (state) => steps.map((step) => state.traces.get(step.id)));
  }

  async stage(
    attempt: Attempt,
    signal?: AbortSignal,
  ): Promise<Result<Stage | { readonly kind: "already"; readonly trace: Trace }>> {
    const { directory } = this.#options;
    const locked = await guarded("lock", directory, () => lockStep(directory, attempt.step, signal));
    const lock = locked.ok ? locked.value : locked;
    if (!lock.ok) return lock;
    const release = lock.value;
    const stage = await this.#stageLocked(attempt, release);
    if (!stage.ok || stage.value.kind === "already") release();
    return stage;
  }

  async #stageLocked(attempt: Attempt, release: () => void): ReturnType<Store["stage"]> {
    const made = await this.#madeMeanwhile(attempt);
    if (!made.ok) return made;
    if (made.value) return ok({ kind: "already", trace: made.value });
    const { outputs } = attempt.step;
    const swept = guardedSync("sweep the folder of", outputs[0] ?? "", () => this.#sweeper.sweep(outputs));
    if (!swept.ok) return swept;
    const before = guardedSync("make the folder of", outputs[0] ?? "", () => {
      for (const output of outputs) mkdirSync(dirname(output), { recursive: true });
      return outputs.map(lookAt);
    });
    if (!before.ok) return before;
    this.#going.set(attempt.id, { before: before.value, release });
    return ok({ kind: "files", paths: outputs.map((output) => temporaryPath(output, attempt.id)) });
  }

  /** The record of another process that made just this while we waited for its lock, or since we judged. */
  async #madeMeanwhile(attempt: Attempt): Promise<Result<Trace | undefined>> {
    const { step, recipe, inputs, startedAt, forced } = attempt;
    const news = this.#recorded("read", (state) => state.refresh());
    if (!news.ok) return news;
    const trace = news.value && !forced ? this.#state?.traces.get(step.id) : undefined;
    if (!trace) return ok(undefined);
    const outputs = await this.observe(step.outputs);
    if (!outputs.ok) return outputs;
    const evidence = {
      step,
      recipe,
      inputs,
      outputs: outputs.value,
      trace,
      forced,
      nowMs: Date.parse(startedAt),
    };
    return ok(judge(evidence).kind === "fresh" ? trace : undefined);
  }

  async publish(
    attempt: Attempt,
    stage: Stage,
    outcome: Outcome,
    durationMs: number,
  ): Promise<Result<Trace>> {
    const { step } = attempt;
    const before = this.#going.get(attempt.id)?.before ?? [];
    const previous = this.#recorded("read", (state) => state.traces.get(step.id));
    if (!previous.ok) return previous;
    const digests =
      outcome.kind === "unchanged"
        ? ok(recordedDigests(step, previous.value))
        : await publishFiles(step, stage, { outcome, before, limit: this.#limit });
    if (!digests.ok) return digests;
    const trace = traceOf(attempt, digests.value, outcome, { durationMs, previous: previous.value });
    const noted = this.#recorded("write", (state) => state.setTrace(step.id, trace));
    this.#letGo(attempt);
    return noted.ok ? ok(trace) : noted;
  }

  async discard(attempt: Attempt, stage: Stage): Promise<void> {
    if (stage.kind === "files")
      for (const path of stage.paths) rmSync(path, { recursive: true, force: true });
    this.#letGo(attempt);
  }

  async close(): Promise<void> {
    if (this.#options.writable) this.#state?.compact();
  }

  #letGo(attempt: Attempt): void {
    this.#going.get(attempt.id)?.release();
    this.#going.delete(attempt.id);
  }

  /** Works on the state, which is read when first needed: a disk that refuses is then a failure like any other. */
  #recorded<T>(doing: "read" | "write", work: (state: State) => T): Result<T> {
    return guardedSync(doing, this.#path, () => {
      this.#state ??= new State(this.#path);
      return work(this.#state);
    });
  }

  #observeOne(name: string, stamp: Stamp | undefined): Result<Fact> | Promise<Result<Fact>> {
    const look = guardedSync("look at", name, () => lookAt(name));
    if (!look.ok) return look;
    if (!look.value) return ok({ kind: "absent" });
    return stamp && isSame(stamp, look.value)
      ? ok({ kind: "present", digest: stamp.digest })
      : this.#digest(name, look.value);
  }

  async #digest(name: string, look: Look): Promise<Result<Fact>> {
    const found = await guarded("read", name, () => this.#limit(() => hash(name)));
    if (!found.ok) return found;
    const noted = this.#recorded("write", (state) => {
      if (this.#options.writable && this.#isSettled(look) && isSame(look, lookAt(name)))
        state.setStamp(name, { ...look, digest: found.value });
    });
    return noted.ok ? ok({ kind: "present", digest: found.value }) : noted;
  }

  #isSettled(look: Look): boolean {
    this.#clock ??= diskClock(this.#options.directory);
    return isSettled(look, this.#clock);
  }
}

interface Publishing {
  readonly outcome: Extract<Outcome, { kind: "made" }>;
  readonly before: Going["before"];
  readonly limit: <T>(work: () => Promise<T>) => Promise<T>;
}

async function publishFiles(
  step: Step,
  stage: Stage,
  { outcome, before, limit }: Publishing,
): Promise<Result<Digest[]>> {
  if (stage.kind !== "files") throw new Error(`bug: ${step.id} is a file staged as a table`);
  const digests: Digest[] = [];
  for (const [i, path] of stage.paths.entries()) {
    const output = step.outputs[i] ?? "";
    const checked = guardedSync("look at", output, () => checkWritten(output, path, before[i]));
    if (!checked.ok) return checked;
    if (checked.value) return fail(checked.value);
    const known = outcome.digests?.[i];
    const digest = await guarded("read", output, async () => known ?? (await limit(() => hash(path))));
    if (!digest.ok) return digest;
    digests.push(digest.value);
  }
  return guardedSync("publish", step.id, () => {
    for (const path of stage.paths) sync(path);
    for (const [i, path] of stage.paths.entries()) renameSync(path, step.outputs[i] ?? "");
    for (const folder of new Set(step.outputs.map((output) => dirname(output)))) sync(folder);
    return digests;
  });
}

function checkWritten(output: string, path: string, before: Look | undefined): Failure | undefined {
  const now = lookAt(output);
  // Not the time of its last change of status: a backup, a chmod or a new hard link writes nothing.
  const same = now?.size === before?.size && now?.mtimeNs === before?.mtimeNs && now?.inode === before?.inode;
  if (!same) return { reason: "wrote-final-path", output };
  return lookAt(path) ? undefined : { reason: "output-missing", output };
}

function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

const recordedDigests = (step: Step, previous: Trace | undefined): Digest[] => {
  const recorded = new Map(previous?.outputs.map(({ name, digest }) => [name, digest]));
  return step.outputs.map((output) => recorded.get(output) ?? "");
};

function traceOf(
  attempt: Attempt,
  digests: readonly Digest[],
  outcome: Outcome,
  { durationMs, previous }: { readonly durationMs: number; readonly previous: Trace | undefined },
): Trace {
  return {
    recipe: attempt.recipe,
    inputs: attempt.inputs,
    outputs: attempt.step.outputs.map((name, i) => ({ name, digest: digests[i] ?? "" })),
    attempt: attempt.id,
    startedAt: attempt.startedAt,
    checkedAt: attempt.startedAt,
    durationMs,
    facts: outcome.kind === "unchanged" ? { ...previous?.facts, ...outcome.facts } : outcome.facts,
  };
}
