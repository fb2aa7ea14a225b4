// What the engine asks of the world: stores that hold targets, and runners that carry out recipes. Knows none that exist.
import type { Holder, Result } from "../core/failure.js";
import type { Reject } from "../core/failure-data.js";
import type { Recipe, Statement, Step } from "../core/rule.js";
import type {
  Because,
  Digest,
  Ended,
  Fact,
  NamedDigest,
  Origin,
  Parts,
  RunFacts,
  Trace,
} from "../core/trace.js";

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
  | { readonly kind: "table"; readonly writer: TableWriter }
  | { readonly kind: "query"; readonly writer: QueryWriter };

/** A column as Postgres sees it. `type` is a type name that Postgres accepts, as `bigint` or `numeric(10,2)`. */
export interface TableColumn {
  readonly name: string;
  readonly type: string;
  /** The source has shown no value of it, so that its type says nothing: it takes whatever type the table has. */
  readonly unseen?: true;
  /** The source says only what its first rows look like: a narrower integer that the table has stays, and each value is checked. */
  readonly sampled?: true;
  /** Of a column that a table takes: it is NOT NULL there, so that the sender can say which row has none. */
  readonly required?: true;
}

/** Takes the rows of one table or partition, out of sight, inside the transaction that will publish them. */
export interface TableWriter {
  /**
   * Makes room for rows of these columns, merged with the columns that the table already has.
   * Answers the columns to send, in the order given, with the types to send them as. A type may be other than asked for
   * (the table's own); the sender checks that each value survives the change. A column that is asked for and not among
   * them is not wanted (contract `discard`, or a key that the table fills itself).
   */
  open(columns: readonly TableColumn[]): Promise<Result<readonly TableColumn[]>>;
  /**
   * Takes some of the columns that `open` answered as these types instead, to which the table grows when the rows are
   * published. Before `copy`, for values that the table's own types do not hold.
   */
  widen(columns: readonly TableColumn[]): Promise<Result<void>>;
  /**
   * Sends bytes in the format of `COPY … WITH (FORMAT binary)`, header and trailer included, with backpressure.
   * Answers the number of rows that the server took.
   */
  copy(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Result<number>>;
  /** Keeps rows that were set aside with the record of the load. Once, before or after `copy`. */
  reject(file: string, rows: readonly Reject[]): Promise<Result<void>>;
}

/**
 * Has the database itself make the rows of a table or partition, or a view, inside the transaction that will publish it.
 * An `sql-error` of it counts lines and columns by the text that a person wrote.
 */
export interface QueryWriter {
  /** Takes one query, whose rows become those of the table or partition, or which becomes the view. Answers the rows, of a view none. */
  query(statement: Statement, signal: AbortSignal): Promise<Result<number | undefined>>;
  /** Runs statements that leave the table as it is to be: then it must be there. Answers its rows. */
  run(statements: Statement, signal: AbortSignal): Promise<Result<number>>;
}

/** All that a runner is given for one run of one recipe. */
export interface Job {
  readonly step: Step;
  /** The recipe's inputs that are files and are there, as paths relative to the root, which is the current directory. */
  readonly inputs: readonly string[];
  /** Those that are tables or views and are there; left out, all of them are. */
  readonly tables?: readonly string[];
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
      /** The first of the rows that were set aside, if there are any, and the file that they are of. */
      readonly rejected?: { readonly file: string; readonly first: Reject };
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
  /** The record of the last success. */
  readonly previous?: Trace;
  /** What it is made of is still going on: the record is provisional. */
  readonly provisional?: true;
}

/** A recipe that ended well, and what is to be recorded of it. */
export interface Finished {
  readonly outcome: Outcome;
  readonly durationMs: number;
  /** Those of the attempt, but `unsettled` where one was touched while the recipe ran. */
  readonly inputs: readonly NamedDigest[];
  readonly discovered: readonly NamedDigest[];
  /** To be called when only the disk is still waited for: another recipe may run meanwhile. Answers whether others do. */
  readonly atRest?: () => boolean;
  /** Where the inputs come from, however far up; for people. */
  readonly origins?: readonly Origin[];
}

export interface Published {
  readonly trace: Trace;
  /** What was changed of the table so that the rows fit, in words; left out: nothing. */
  readonly changes?: readonly string[];
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

/** What a comparison of content with the record found. */
export interface Verified {
  readonly name: string;
  /**
   * `same` · `changed`: rows were added, deleted or changed · `missing`: recorded, and not there any more · `unrecorded`:
   * nothing is known of it · `unknown`: it cannot be compared, for the reason in `problem`.
   */
  readonly state: "same" | "changed" | "missing" | "unrecorded" | "unknown";
  readonly recordedRows?: number;
  readonly foundRows?: number;
  readonly problem?: string;
}

/**
 * A step that is fresh: the words that say what it is, the first its name; all names that it looks at, and what was seen
 * of them. Of one that was untouched the first word alone.
 */
export interface Noted {
  readonly words: readonly string[];
  readonly names: readonly string[];
  readonly facts?: readonly Fact[];
  /** It was made just now: its files are as recorded, and nobody has looked at them since. */
  readonly isMade?: true;
}

/** Which steps were fresh when they were last judged, and what all their files looked like then. */
export interface Untouched {
  /** Looks at files from now on, ahead of being asked; what was seen before counts no more. */
  lookAhead(): void;
  /** What was seen before counts no more: recipes have run meanwhile. */
  lookAnew(): void;
  /** Whether there is anything to ask for. */
  readonly isAny: boolean;
  /** Whether the step of these words was noted as fresh, and none of its files was touched since; `anew`, by a look right now. */
  holds(words: readonly string[], names: readonly string[], anew?: boolean): boolean;
  /** Notes all steps of a build that are fresh. Those whose files cannot be told by their stamps yet are left out. */
  keep(noted: readonly Noted[]): void;
}

/** A kind of place where targets live, and where their records live with them. */
export interface Store {
  /** Left out, every step has to be judged. */
  readonly untouched?: Untouched;
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
  /**
   * Does what is newly declared of something that is there, whose content stays: indexes, comments and grants of a table.
   * Asked where nothing but parts that begin with `table.` has changed. Nothing: it has to be made anew.
   */
  amend?(attempt: Attempt, waiting?: Waiting): Promise<Result<Trace | undefined>>;
  /** Compares the content of what is there with what was recorded when it was made, in order. Reads all of it. */
  verify?(
    names: readonly string[],
    report: (one: Verified) => void,
    signal: AbortSignal,
  ): Promise<Result<void>>;
  /** Leaves nothing of a stage behind. */
  discard(attempt: Attempt, stage: Stage): Promise<void>;
  close(): Promise<void>;
}
