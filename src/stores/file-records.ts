// The state file as the store of files uses it: opened when first needed, a disk that refuses a failure. Knows nothing of files but their names.
import { dirname, join } from "node:path";
import type { Warning } from "../core/event.js";
import type { Result } from "../core/failure.js";
import type { Spans } from "../core/spans.js";
import { sync } from "./file-sync.js";
import { guarded, guardedSync } from "./io-failure.js";
import { State } from "./state.js";

export interface RecordsOptions {
  /** Where dmake keeps its own files, relative to the current directory. */
  readonly directory: string;
  /** Without it nothing at all is written: for queries. */
  readonly writable: boolean;
  readonly warn: (warning: Warning) => void;
  readonly spans?: Spans;
}

/** Lives for one process. */
export class Records {
  readonly #options: RecordsOptions;
  readonly #path: string;
  #state: State | undefined;
  #isNamed = false;

  constructor(options: RecordsOptions) {
    this.#options = options;
    this.#path = join(options.directory, "state.ndjson");
  }

  /** Throws what the file system does. */
  readonly state = (): State => {
    if (this.#state) return this.#state;
    const read = this.#options.spans?.begin("read state");
    const index = join(this.#options.directory, "cache", "records");
    this.#state = new State(this.#path, { ...this.#options, index });
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

  /** Rewrites what is worth it. A disk that refuses leaves the file as it was, which is as good. */
  async compact(): Promise<void> {
    await guarded("write", this.#path, async () => {
      await this.#state?.compact();
      this.#state?.keepIndex();
    });
  }

  /** Nothing may be asked for after that. */
  close(): void {
    guardedSync("close", this.#path, () => this.#state?.close());
  }
}
