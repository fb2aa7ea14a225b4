// Targets that are files of this disk: looked at, written aside, renamed into place, recorded in `.dmake/`. Knows nothing of rules or recipes.
import { ok, type Result } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import { isTableName } from "../core/target.js";
import type { Fact, Trace } from "../core/trace.js";
import { judge, named } from "../core/verdict.js";
import type { Attempt, Finished, Published, Stage, Store } from "../engine/ports.js";
import { Contents } from "./file-contents.js";
import { lockStep } from "./file-lock.js";
import { findOrphans, type Orphan, removeOrphan } from "./file-orphans.js";
import { leaveInPlace, putInPlace } from "./file-place.js";
import { type Before, clear, makeRoom, removeAll } from "./file-publish.js";
import { adopted, traceOf } from "./file-record.js";
import { Records, type RecordsOptions } from "./file-records.js";
import { type Bench, checkFree, factsOf } from "./file-replace.js";
import { Sweeper } from "./file-temporary.js";
import { guarded, guardedSync } from "./io-failure.js";

export type { Orphan } from "./file-orphans.js";

interface FilesOptions extends RecordsOptions {
  /** Whether two parquet files have the same schema and values. */
  readonly sayTheSame: (one: string, other: string) => Promise<boolean>;
}

export interface FileStore extends Store {
  /** What records say that dmake made, that no rule makes any more, and that is still there. */
  orphans(isMade: (name: string) => boolean): Promise<Result<readonly Orphan[]>>;
  /** Removes an orphan and what is recorded of it, unless somebody has changed it: then the answer is false. */
  removeOrphan(orphan: Orphan): Promise<Result<boolean>>;
}

/** An attempt that has its stage. */
interface Going {
  readonly before: readonly Before[];
  readonly release: () => void;
}

/** The store of files, relative to the current directory. */
export const createFiles = (options: FilesOptions): FileStore => new Files(options);

/** Lives for one process. */
class Files implements FileStore {
  readonly #directory: string;
  readonly #records: Records;
  readonly #contents: Contents;
  readonly #bench: Bench;
  readonly #going = new Map<string, Going>();
  readonly #sweeper = new Sweeper();
  /** Step → the attempt whose record whoever asks us knows. */
  readonly #told = new Map<string, string | undefined>();

  constructor({ sayTheSame, ...options }: FilesOptions) {
    this.#directory = options.directory;
    this.#records = new Records(options);
    this.#contents = new Contents({ ...options, state: this.#records.state });
    this.#bench = {
      directory: this.#directory,
      contents: this.#contents,
      records: this.#records,
      sayTheSame,
    };
  }

  async observe(names: readonly string[]): Promise<Result<readonly Fact[]>> {
    const seen = await this.#contents.observe(names);
    if (!seen.ok) return seen;
    return factsOf(names, seen.value, this.#records);
  }

  async stamps(names: readonly string[]): Promise<Result<readonly (string | undefined)[]>> {
    return this.#contents.stampsOf(names);
  }

  async traces(steps: readonly Step[]): Promise<Result<readonly (Trace | undefined)[]>> {
    return this.#records.read((state) =>
      steps.map(({ id }) => {
        const trace = state.traces.get(id);
        this.#told.set(id, trace?.attempt);
        return trace;
      }),
    );
  }

  async stage(
    attempt: Attempt,
    signal?: AbortSignal,
  ): Promise<Result<Stage | { readonly kind: "already"; readonly trace: Trace }>> {
    const locked = await this.#lock(attempt.step.id, signal);
    if (!locked.ok) return locked;
    const stage = await this.#stageLocked(attempt, locked.value);
    if (!stage.ok || stage.value.kind === "already") locked.value();
    return stage;
  }

  async publish(attempt: Attempt, stage: Stage, finished: Finished): Promise<Result<Published>> {
    const { step } = attempt;
    if (stage.kind !== "files") throw new Error(`bug: ${step.id} is a file staged as a table`);
    const previous = this.#records.read((state) => state.traces.get(step.id));
    if (!previous.ok) return previous;
    const { outcome } = finished;
    const before = this.#going.get(attempt.id)?.before ?? [];
    const placed =
      outcome.kind === "made"
        ? await putInPlace(attempt, { stage, outcome, before }, this.#bench)
        : leaveInPlace(step, previous.value, { before, contents: this.#bench.contents });
    if (!placed.ok) return placed;
    const { outputs, saved, aside } = placed.value;
    const trace = traceOf(attempt, finished, { outputs, previous: previous.value });
    const noted = this.#record(step, trace);
    if (!noted.ok) return noted;
    const removed = await removeAll(aside);
    if (!removed.ok) return removed;
    await this.discard(attempt, stage);
    return ok({ trace, saved });
  }

  async adopt(attempt: Attempt): Promise<Result<Trace>> {
    const locked = await this.#lock(attempt.step.id, undefined);
    if (!locked.ok) return locked;
    try {
      const trace = await adopted(attempt, this.#bench);
      const noted = trace.ok ? this.#record(attempt.step, trace.value) : trace;
      return noted.ok ? trace : noted;
    } finally {
      locked.value();
    }
  }

  async orphans(isMade: (name: string) => boolean): Promise<Result<readonly Orphan[]>> {
    return findOrphans(isMade, this.#bench);
  }

  async removeOrphan(orphan: Orphan): Promise<Result<boolean>> {
    const locked = await this.#lock(orphan.step, undefined);
    if (!locked.ok) return locked;
    try {
      return await removeOrphan(orphan, this.#bench);
    } finally {
      locked.value();
    }
  }

  async discard(attempt: Attempt, stage: Stage): Promise<void> {
    if (stage.kind === "files") clear(stage);
    this.#going.get(attempt.id)?.release();
    this.#going.delete(attempt.id);
  }

  async close(): Promise<void> {
    await this.#contents.close();
    await this.#records.close();
  }

  #record(step: Step, trace: Trace): Result<void> {
    this.#told.set(step.id, trace.attempt);
    return this.#records.write((state) => state.setTrace(step.id, trace));
  }

  async #lock(step: string, signal: AbortSignal | undefined): Promise<Result<() => void>> {
    const locked = await guarded("lock", this.#directory, () => lockStep(this.#directory, step, signal));
    const lock = locked.ok ? locked.value : locked;
    if (!lock.ok) return lock;
    // What others have recorded while we waited, or since we judged.
    const news = this.#records.read((state) => state.refresh());
    if (news.ok) return lock;
    lock.value();
    return news;
  }

  async #stageLocked(attempt: Attempt, release: () => void): ReturnType<Store["stage"]> {
    const { step } = attempt;
    const made = await this.#madeMeanwhile(attempt);
    if (!made.ok) return made;
    if (made.value) return ok({ kind: "already", trace: made.value });
    const free = await checkFree(step, this.#bench);
    if (!free.ok) return free;
    const swept = guardedSync("sweep the folder of", step.id, () => this.#sweeper.sweep(step.outputs));
    if (!swept.ok) return swept;
    const before = this.#contents.stampsOf(step.outputs);
    if (!before.ok) return before;
    const stage = guardedSync("make the folder of", step.id, () => makeRoom(step, attempt.id));
    if (stage.ok) this.#going.set(attempt.id, { before: before.value, release });
    return stage;
  }

  /** The record of another process that made just this while we waited for its lock, or since we judged. */
  async #madeMeanwhile(attempt: Attempt): Promise<Result<Trace | undefined>> {
    const { step, recipe, inputs, startedAt, forced } = attempt;
    const recorded = this.#records.read((state) => state.traces.get(step.id));
    if (!recorded.ok) return recorded;
    const trace = recorded.value;
    const isNews = this.#told.has(step.id) && this.#told.get(step.id) !== trace?.attempt;
    if (!trace || !isNews || forced) return ok(undefined);
    const before = trace.discovered ?? [];
    // Only the engine can ask for tables; it judges again next time.
    if (before.some(({ name }) => isTableName(name))) return ok(undefined);
    const outputs = await this.observe(step.outputs);
    const found = outputs.ok ? await this.observe(before.map(({ name }) => name)) : outputs;
    if (!outputs.ok) return outputs;
    if (!found.ok) return found;
    const discovered = found.value.map((fact, i) => named(before[i]?.name ?? "", fact));
    const evidence = {
      step,
      recipe,
      inputs,
      discovered,
      outputs: outputs.value,
      trace,
      forced,
      nowMs: Date.parse(startedAt),
    };
    return ok(judge(evidence).kind === "fresh" ? trace : undefined);
  }
}
