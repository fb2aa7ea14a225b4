// The state file as the store of files uses it: opened when first needed, a disk that refuses a failure. Knows nothing of files but their names.
import { dirname, join } from "node:path";
import type { Warning } from "../core/event.js";
import type { Result } from "../core/failure.js";
import type { Spans } from "../core/spans.js";
import type { Trace } from "../core/trace.js";
import { Gathered } from "./file-gather.js";
import { sync } from "./file-sync.js";
import { guarded, guardedSync } from "./io-failure.js";
import { State } from "./state.js";
import { writeIndex } from "./state-index.js";

export interface RecordsOptions {
  /** Where dmake keeps its own files, relative to the current directory. */
  readonly directory: string;
  /** Without it nothing at all is written: for queries. */
  readonly writable: boolean;
  readonly warn: (warning: Warning) => void;
  readonly spans?: Spans;
  /** From so much on the state file is known by the places of its lines, which are kept. */
  readonly largeBytes?: number;
}

type Recorded = readonly [step: string, trace: Trace];

/** Lives for one process. */
export class Records {
  readonly #options: RecordsOptions;
  readonly #path: string;
  /** Where it is kept what lines stand where. */
  readonly #index: string;
  #state: State | undefined;
  #isNamed = false;
  readonly #intents = new Gathered<Recorded>((all) => this.write((state) => state.intendAll(all)));
  readonly #traces = new Gathered<Recorded>((all) => this.write((state) => state.setTraces(all)));

  constructor(options: RecordsOptions) {
    this.#options = options;
    this.#path = join(options.directory, "state.ndjson");
    this.#index = join(options.directory, "cache", "records");
  }

  /** Throws what the file system does. */
  readonly state = (): State => {
    if (this.#state) return this.#state;
    const read = this.#options.spans?.begin("read state");
    this.#state = new State(this.#path, { ...this.#options, index: this.#index });
    read?.();
    return this.#state;
  };

  /** Whether the file has been read by now. */
  get isRead(): boolean {
    return this.#state !== undefined;
  }

  read<T>(work: (state: State) => T): Result<T> {
    return guardedSync("read", this.#path, () => work(this.state()));
  }

  write<T>(work: (state: State) => T): Result<T> {
    return guardedSync("write", this.#path, () => work(this.state()));
  }

  /** Says what is about to be published: several in one append, each of which is known when it is answered. */
  intend(step: string, trace: Trace): Promise<Result<void>> {
    return this.#intents.add([step, trace]);
  }

  /** Records a success, in one append with others. */
  record(step: string, trace: Trace): Promise<Result<void>> {
    return this.#traces.add([step, trace]);
  }

  /** Sees to it that a power cut cannot take back what was written. */
  async keep(): Promise<Result<void>> {
    return guarded("sync", this.#path, async () => {
      await sync(this.#path);
      if (this.#isNamed) return;
      const folder = dirname(this.#path);
      for (const one of [folder, dirname(folder)]) await sync(one);
      this.#isNamed = true;
    });
  }

  /**
   * Rewrites what is worth it. A disk that refuses leaves the file as it was, which is as good. `last` may still ask for
   * what is recorded, and nobody after it.
   */
  async close(last: () => void): Promise<void> {
    await guarded("write", this.#path, async () => {
      await this.#state?.compact();
      this.#keepIndex();
    });
    last();
    guardedSync("close", this.#path, () => this.#state?.close());
  }

  /** Read anew: of lines that we have written ourselves we have no places. */
  #keepIndex(): void {
    if (!this.#state?.isIndexOld) return;
    const index = this.#index;
    const anew = new State(this.#path, { writable: false, index, largeBytes: 0 });
    const known = anew.indexed();
    if (known) writeIndex(index, this.#path, known);
    anew.close();
  }
}
