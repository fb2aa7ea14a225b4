// Targets that are files of this disk: looked at, written aside, renamed into place, recorded in `.dmake/`. Knows nothing of rules or recipes.
import { randomBytes } from "node:crypto";
import { ok, type Result } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import type { Fact, MadeDigest, Trace } from "../core/trace.js";
import type { Attempt, Finished, History, Published, Stage, Store, Waiting } from "../engine/ports.js";
import { Presence } from "../system/presence.js";
import { Contents } from "./file-contents.js";
import { Gate, isTrivial } from "./file-gather.js";
import { giveWay, ownUp, takeAsMade } from "./file-in-place.js";
import { checkInside } from "./file-inside.js";
import { lockStep, type StepLock, sweepLocks } from "./file-lock.js";
import { isFresh } from "./file-meanwhile.js";
import { findOrphans, type Orphan, removeOrphan } from "./file-orphans.js";
import { type InPlace, leaveInPlace, putInPlace } from "./file-place.js";
import { type Before, clear, type FileStage, makeRoom, stageOf } from "./file-publish.js";
import { adopted, traceOf } from "./file-record.js";
import { Records, type RecordsOptions } from "./file-records.js";
import { recoverAll, stopOrphans } from "./file-recover.js";
import { removeAll } from "./file-rename.js";
import { type Bench, checkFree, factsOf } from "./file-replace.js";
import { resume } from "./file-resume.js";
import { Runs } from "./file-runs.js";
import { Sweeper } from "./file-temporary.js";
import { UntouchedFiles } from "./file-untouched.js";
import { guarded, guardedSync } from "./io-failure.js";

export type { Orphan } from "./file-orphans.js";

interface FilesOptions extends RecordsOptions {
  /** Whether two parquet files have the same schema and values. */
  readonly sayTheSame: (one: string, other: string) => Promise<boolean>;
  /** By what other runs know that this one lives. Left out, the store has its own, for as long as it is open. */
  readonly presence?: Presence;
  /** Is told of attempts that died with their run. */
  readonly history?: History;
}

export interface FileStore extends Store {
  /** Ends, completes, undoes and removes what runs that died have left. To be called before a build; never by a query. */
  recover(signal: AbortSignal): Promise<Result<void>>;
  /** What records say that dmake made, that no rule makes any more, and that is still there. */
  orphans(isMade: (name: string) => boolean): Promise<Result<readonly Orphan[]>>;
  /** Removes an orphan and what is recorded of it, unless somebody has changed it: then the answer is false. */
  removeOrphan(orphan: Orphan, waiting?: Waiting): Promise<Result<boolean>>;
}

/** An attempt that has its stage. */
interface Going {
  readonly lock: StepLock;
  readonly before: readonly Before[];
  /** What was recorded when it began. */
  readonly previous: Trace | undefined;
  /** Of a recipe that writes in place: what was saved before it began. */
  readonly saved: Published["saved"];
}

/** The store of files, relative to the current directory. */
export const createFiles = (options: FilesOptions): FileStore => new Files(options);

/** Lives for one process. */
class Files implements FileStore {
  readonly #directory: string;
  readonly #records: Records;
  readonly #contents: Contents;
  readonly #bench: Bench;
  readonly #presence: Presence;
  /** Made here, and so to be ended here. */
  readonly #ownPresence: Presence | undefined;
  readonly #runs: Runs;
  readonly untouched: UntouchedFiles;
  readonly #going = new Map<string, Going>();
  readonly #sweeper = new Sweeper();
  /** Step → the attempt whose record whoever asks us knows. */
  readonly #told = new Map<string, string | undefined>();

  constructor({ sayTheSame, presence, history, ...options }: FilesOptions) {
    const { directory, warn } = options;
    this.#directory = directory;
    this.#records = new Records(options);
    this.untouched = new UntouchedFiles({ ...options, records: this.#records });
    this.#contents = new Contents({ ...options, state: this.#records.state });
    this.#presence = presence ?? new Presence(directory, randomBytes(8).toString("hex"));
    this.#ownPresence = presence ? undefined : this.#presence;
    this.#runs = new Runs(this.#presence);
    this.#bench = {
      directory,
      contents: this.#contents,
      records: this.#records,
      gate: new Gate(),
      sayTheSame,
      warn,
      spans: options.spans,
      history: history ?? { note: () => {} },
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
    waiting?: Waiting,
  ): Promise<Result<Stage | { readonly kind: "already"; readonly trace: Trace }>> {
    const locked = await this.#lock(attempt.step.id, waiting);
    if (!locked.ok) return locked;
    const stage = await this.#stageLocked(attempt, locked.value);
    if (!stage.ok || stage.value.kind === "already") letGo(locked.value);
    return stage;
  }

  async publish(attempt: Attempt, stage: Stage, finished: Finished): Promise<Result<Published>> {
    const { step } = attempt;
    if (stage.kind !== "files") throw new Error(`bug: ${step.id} is a file staged as a table`);
    const going = this.#going.get(attempt.id);
    if (!going) throw new Error(`bug: ${step.id} is published without a stage`);
    const place = () => this.#place(attempt, { stage, finished, going });
    const tried = await guarded("publish", step.id, place);
    const placed = tried.ok ? tried.value : tried;
    if (!placed.ok) return placed;
    const { trace, saved, aside } = placed.value;
    const committed = this.#bench.spans?.begin("commit", { target: step.id });
    const noted = await this.#record(step, trace);
    committed?.();
    if (!noted.ok) return noted;
    // What stays is swept when it is made again.
    await removeAll(aside);
    await this.discard(attempt, stage);
    return ok({ trace, saved: [...going.saved, ...saved] });
  }

  async adopt(attempt: Attempt, waiting?: Waiting): Promise<Result<Trace>> {
    return this.#withLock(attempt.step.id, waiting, async () => {
      const trace = await adopted(attempt, this.#bench);
      const noted = trace.ok ? await this.#record(attempt.step, trace.value) : trace;
      return noted.ok ? trace : noted;
    });
  }

  async orphans(isMade: (name: string) => boolean): Promise<Result<readonly Orphan[]>> {
    return findOrphans(isMade, this.#bench);
  }

  async removeOrphan(orphan: Orphan, waiting?: Waiting): Promise<Result<boolean>> {
    return this.#withLock(orphan.step, waiting, () => removeOrphan(orphan, this.#bench));
  }

  async recover(signal: AbortSignal): Promise<Result<void>> {
    const lock = (step: string, waiting: Waiting) => this.#lock(step, waiting);
    const sweep = (runs: ReadonlySet<string>) => sweepLocks(this.#directory, runs, this.#presence);
    const hasNoIntents = () => this.untouched.hasNoIntents;
    const tools = { bench: this.#bench, runs: this.#runs, lock, sweepLocks: sweep, hasNoIntents };
    return recoverAll(tools, signal);
  }

  /** Whatever the disk answers: the lock is given back, and what failed before is what is told. */
  async discard(attempt: Attempt, stage: Stage): Promise<void> {
    if (stage.kind === "files") clear(stage);
    const going = this.#going.get(attempt.id);
    this.#going.delete(attempt.id);
    if (!going) return;
    if (attempt.step.rule.inPlace) await ownUp(attempt.step, this.#bench);
    letGo(going.lock);
  }

  async close(): Promise<void> {
    await this.#contents.remember(this.untouched.made);
    await this.#contents.close();
    await this.#records.close(() => this.untouched.close());
    guardedSync("close", this.#directory, () => this.#runs.close());
    guardedSync("close", this.#directory, () => this.#ownPresence?.leave());
  }

  async #place(
    attempt: Attempt,
    parts: { readonly stage: FileStage; readonly finished: Finished; readonly going: Going },
  ): Promise<Result<InPlace>> {
    const { stage, finished, going } = parts;
    const { previous, before } = going;
    const { outcome } = finished;
    const isHeld = () => going.lock.isHeld();
    const record = (outputs: readonly MadeDigest[]) => traceOf(attempt, finished, { outputs, previous });
    if (outcome.kind === "made") {
      const { atRest = () => false } = finished;
      const canWait = () => atRest() && isTrivial(finished);
      const making = { stage, outcome, before, isHeld, atRest: canWait, traceOf: record };
      return (stage.inPlace ? takeAsMade : putInPlace)(attempt, making, this.#bench);
    }
    const outputs = leaveInPlace(attempt.step, previous, { before, contents: this.#contents });
    return outputs.ok ? ok({ trace: record(outputs.value), saved: [], aside: [] }) : outputs;
  }

  async #record(step: Step, trace: Trace): Promise<Result<void>> {
    const noted = await this.#records.record(step.id, trace);
    if (noted.ok) this.#told.set(step.id, trace.attempt);
    this.untouched.recorded(step.id);
    return noted;
  }

  async #withLock<T>(
    step: string,
    waiting: Waiting | undefined,
    work: () => Promise<Result<T>>,
  ): Promise<Result<T>> {
    const locked = await this.#lock(step, waiting);
    if (!locked.ok) return locked;
    try {
      return await work();
    } finally {
      letGo(locked.value);
    }
  }

  /** What a run that died was publishing of the step is completed or undone first. */
  async #lock(step: string, waiting: Waiting | undefined): Promise<Result<StepLock>> {
    const options = { waiting, presence: this.#presence };
    const locked = await guarded("lock", this.#directory, () => lockStep(this.#directory, step, options));
    const lock = locked.ok ? locked.value : locked;
    if (!lock.ok) return lock;
    const { tookOver } = lock.value;
    if (tookOver) await stopOrphans([tookOver], this.#bench, waiting?.signal);
    // What others have recorded while we waited, or since we judged.
    const news = this.#records.read((state) => state.refresh());
    const ready = news.ok ? await resume(step, this.#bench) : news;
    if (ready.ok) return lock;
    letGo(lock.value);
    return ready;
  }

  async #stageLocked(attempt: Attempt, lock: StepLock): ReturnType<Store["stage"]> {
    const { step } = attempt;
    const made = await this.#madeMeanwhile(attempt);
    if (!made.ok) return made;
    if (made.value) return ok({ kind: "already", trace: made.value });
    const previous = this.#records.read((state) => state.traces.get(step.id));
    if (!previous.ok) return previous;
    const free = await this.#checkFree(step);
    if (!free.ok) return free;
    const written = guardedSync("write in", this.#directory, () => this.#runs.staged(attempt));
    if (!written.ok) return written;
    const stage = stageOf(step, attempt.id);
    const saved = stage.inPlace ? await giveWay(attempt, this.#bench) : ok([]);
    if (!saved.ok) return saved;
    const before = this.#contents.stampsOf(step.outputs);
    if (!before.ok) return before;
    const room = makeRoom(step, stage);
    if (!room.ok) clear(stage);
    else
      this.#going.set(attempt.id, {
        lock,
        before: before.value,
        previous: previous.value,
        saved: saved.value,
      });
    return room.ok ? ok(stage) : room;
  }

  /** Whether the outputs may be written where they are, and nothing of dead attempts lies beside them. */
  async #checkFree(step: Step): Promise<Result<void>> {
    const inside = checkInside(step);
    if (!inside.ok) return inside;
    const free = await checkFree(step, this.#bench);
    if (!free.ok) return free;
    return guardedSync("sweep the folder of", step.id, () => this.#sweeper.sweep(step.outputs));
  }

  /** The record of another process that made just this while we waited for its lock, or since we judged. */
  async #madeMeanwhile(attempt: Attempt): Promise<Result<Trace | undefined>> {
    const { id } = attempt.step;
    const recorded = this.#records.read((state) => state.traces.get(id));
    if (!recorded.ok) return recorded;
    const trace = recorded.value;
    const isNews = this.#told.has(id) && this.#told.get(id) !== trace?.attempt;
    if (!trace || !isNews || attempt.forced) return ok(undefined);
    const fresh = await isFresh(attempt, trace, (names) => this.observe(names));
    return fresh.ok ? ok(fresh.value ? trace : undefined) : fresh;
  }
}

/** What cannot be given back dies with us. */
function letGo(lock: StepLock): void {
  guardedSync("unlock", "", () => lock.release());
}
