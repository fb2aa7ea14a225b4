// What the engine asks of the world: stores that hold targets, and runners that carry out recipes. Knows none that exist.
import type { Holder, Result } from "../core/failure.js";
import type { Recipe, Step } from "../core/rule.js";
import type { Because, Digest, Ended, Fact, NamedDigest, Parts, RunFacts, Trace } from "../core/trace.js";

/** How far a running recipe is. `done` and `total` are in `unit`; without a total the end is not known. */
export interface Progress {
  readonly phase: string;
  readonly done: number;
  readonly total?: number;
  readonly unit: "bytes" | "rows";
}

/** Where a recipe puts what it makes. Nothing is visible to others until the store has published it. */
export type Stage =
  | {
      readonly kind: "files";
      /** One temporary path an output, in order, relative to the root. Nothing is there yet, but for an empty directory. */
      readonly paths: readonly string[];
      /** A temporary path for a list of what was read. */
      readonly depfile: string;
      /** `paths` are the final ones: the recipe writes where others read. */
      readonly inPlace?: true;
    }
  | { readonly kind: "table"; readonly writer: TableWriter };

/** A column as Postgres sees it. `type` is a type name that Postgres accepts, as `bigint` or `numeric(10,2)`. */
export interface TableColumn {
  readonly name: string;
  readonly type: string;
}

/** Takes the rows of one table or partition, out of sight, inside the transaction that will publish them. */
export interface TableWriter {
  /**
   * Makes room for rows of these columns, merged with the columns that the table already has.
   * Answers the columns to send, in the order given, with the types to send them as. A type may be other than asked for
   * (the table's own); the sender checks that each value survives the change.
   */
  open(columns: readonly TableColumn[]): Promise<Result<readonly TableColumn[]>>;
  /**
   * Sends bytes in the format of `COPY … WITH (FORMAT binary)`, header and trailer included, with backpressure.
   * Answers the number of rows that the server took.
   */
  copy(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Result<number>>;
}

/** All that a runner is given for one run of one recipe. */
export interface Job {
  readonly step: Step;
  /** The recipe's inputs that are files and are there, as paths relative to the root, which is the current directory. */
  readonly inputs: readonly string[];
  readonly stage: Stage;
  /** The record of the last success if its output is still in place, for conditional requests. */
  readonly previous: Trace | undefined;
  /** How many processor threads the recipe may keep busy, at least 1. */
  readonly threads: number;
  /** Aborts when the user interrupts; a runner then stops soon and answers `interrupted`. */
  readonly signal: AbortSignal;
  /** Text for the target's log, shown when the recipe fails. */
  readonly log: (text: string) => void;
  readonly progress: (progress: Progress) => void;
  /** Brings names up to date that the recipe finds out that it needs, and records that it does. Gives its slot back meanwhile. */
  readonly need: (names: readonly string[]) => Promise<Result<void>>;
  /** What a process that the recipe starts is given besides our environment. */
  readonly child?: Child;
  /** Set where the recipe holds the pool `console`: it is given the terminal, with its stdout as this stream of ours. */
  readonly terminal?: "stdout" | "stderr";
}

/** Variables of the environment by which processes of a run, and of an attempt, are found again, wherever they have gone. */
export const marks = { run: "DMAKE_RUN", attempt: "DMAKE_ATTEMPT", lineage: "DMAKE_LINEAGE" } as const;

/** The steps whose recipes have started this dmake: none of them can be made before it ends. */
export interface Lineage {
  has(step: string): boolean;
  /** What is handed on, as `marks.lineage`, to what the recipe of a step starts. */
  with(step: string): string;
}

/** What processes that recipes start are given by us. */
export interface Child {
  /** Besides the environment of dmake. */
  readonly env: Readonly<Record<string, string>>;
  /** Open descriptors of ours, to become 4, 5 and so on of the child. */
  readonly descriptors: readonly number[];
}

/**
 * Places for recipes that run at once, beyond what a build decides by itself: tokens of a jobserver, the machine's load.
 * Lives for one process.
 */
export interface Slots {
  /** All `count` places at once, or nothing; then what `onFree` was given is called when it is worth asking again. While none is taken, this never answers nothing. */
  take(count: number): Slot | undefined;
  give(slot: Slot): void;
  onFree(ring: () => void): void;
  /** What processes are given, so that they share these places. */
  child(): Child;
}

/** Places that were taken, to be given back once. */
export interface Slot {
  readonly count: number;
}

/** Keeps what is known of every attempt, good or bad, for people: nothing is judged by it. */
export interface History {
  note(ended: Ended): void;
}

/** How a recipe ended well. */
export type Outcome =
  | {
      readonly kind: "made";
      readonly facts: RunFacts;
      /** Digests of the outputs where the runner knows them already, so that nobody has to read the files again. */
      readonly digests?: readonly Digest[];
      /** Names of files that the recipe says it read besides its inputs, relative to the root or absolute. */
      readonly read?: readonly string[];
      /** Those of `read` that were written after the recipe had started. */
      readonly writtenMeanwhile?: readonly string[];
    }
  /** What is published already is still right (the server said "not modified"): nothing was staged. */
  | { readonly kind: "unchanged"; readonly facts: RunFacts };

/** Carries out recipes of one kind. */
export type Runner<R extends Recipe> = (recipe: R, job: Job) => Promise<Result<Outcome>>;

/** One runner for each kind of recipe, loaded when first needed. */
export type Runners = { readonly [K in Recipe["kind"]]: () => Promise<Runner<Extract<Recipe, { kind: K }>>> };

/** What the engine knows of an attempt when it asks for a stage. */
export interface Attempt {
  readonly id: string;
  readonly step: Step;
  readonly recipe: Parts;
  /** As they were when the step was judged. */
  readonly inputs: readonly NamedDigest[];
  readonly because: readonly Because[];
  readonly startedAt: string;
  /** Built although fresh: a store must not answer `already`. */
  readonly forced: boolean;
}

/** A recipe that ended well, and what is to be recorded of it. */
export interface Finished {
  readonly outcome: Outcome;
  readonly durationMs: number;
  /** Those of the attempt, but `unsettled` where one was touched while the recipe ran. */
  readonly inputs: readonly NamedDigest[];
  readonly discovered: readonly NamedDigest[];
}

export interface Published {
  readonly trace: Trace;
  /** Outputs that held what dmake had not made, and where that is now. */
  readonly saved: readonly { readonly output: string; readonly path: string }[];
}

/** How to get a place that somebody else may hold. Left out, it is waited for as long as it takes. */
export interface Waiting {
  /** Without it the waiting cannot be cut short. */
  readonly signal?: AbortSignal;
  /** Whether to fail with `locked` at once. */
  readonly noWait: boolean;
  /** Told once, before the waiting begins. */
  readonly onWait: (holder: Holder) => void;
}

/** A kind of place where targets live, and where their records live with them. */
export interface Store {
  /** What is there now, one fact a name, in order. Reads content only where nothing cheaper answers. */
  observe(names: readonly string[]): Promise<Result<readonly Fact[]>>;
  /** What `observe` would answer as stamps, without reading any content. */
  stamps(names: readonly string[]): Promise<Result<readonly (string | undefined)[]>>;
  /** The record of the last success of the steps, in order. */
  traces(steps: readonly Step[]): Promise<Result<readonly (Trace | undefined)[]>>;
  /**
   * Prepares a place to write, waiting for whoever writes there now. `already`: another process has published the same
   * meanwhile.
   */
  stage(
    attempt: Attempt,
    waiting?: Waiting,
  ): Promise<Result<Stage | { readonly kind: "already"; readonly trace: Trace }>>;
  /** Makes what is staged visible and records it, whole or not at all. What has to be waited for there is, until the signal aborts. */
  publish(
    attempt: Attempt,
    stage: Stage,
    finished: Finished,
    signal?: AbortSignal,
  ): Promise<Result<Published>>;
  /** Records what is there as if it had been made now, for somebody who vouches for it. */
  adopt(attempt: Attempt, waiting?: Waiting): Promise<Result<Trace>>;
  /** Leaves nothing of a stage behind. */
  discard(attempt: Attempt, stage: Stage): Promise<void>;
  close(): Promise<void>;
}
