// What is remembered of a success and what is seen now: the two things that a verdict compares. Knows nothing of where either is kept.
import type { Failure } from "./failure.js";

/** `sha256:` and 64 hex digits, or one of the two marks below. Always compared whole, so that the algorithm can change one day. */
export type Digest = string;

/** Recorded of an optional input that was not there. */
export const absent: Digest = "absent";

/** Recorded of an input that changed while its recipe ran: nobody knows which bytes were read. No content has this digest. */
export const unsettled: Digest = "unsettled";

/** What is seen of a file, a folder, a table or a partition now. */
export type Fact =
  | { readonly kind: "absent" }
  | {
      readonly kind: "present";
      readonly digest: Digest;
      /** Equal stamps: nobody has written in between. Nothing where the store cannot tell without reading. */
      readonly stamp?: string;
    };

/** Named parts of a recipe: what it depends on besides its inputs, so that a difference can be named. No part holds a secret. */
export type Parts = Readonly<Record<string, string>>;

/** What a recipe tells about what it made. Everything here is shown to people and holds no secret. */
export interface RunFacts {
  readonly rows?: number;
  readonly bytes?: number;
  /** Rows that did not fit and were set aside. */
  readonly rejects?: number;
  /** Where a download came from, and the validators that the server gave with it. */
  readonly url?: string;
  readonly etag?: string;
  readonly lastModified?: string;
}

/** The record of one success: everything its freshness depends on, by name. */
export interface Trace {
  /** Named parts of the recipe, as `url`, `columns.ehail_fee`, `command`. */
  readonly recipe: Parts;
  /** Everything declared that was looked at: inputs in order, then `uses`; an optional one that was not there is `absent`. */
  readonly inputs: readonly NamedDigest[];
  /** What the recipe found out that it needs, while it ran. */
  readonly discovered?: readonly NamedDigest[];
  readonly outputs: readonly MadeDigest[];
  /** Why it ran. */
  readonly because?: readonly Because[];
  /** Unique to one run of one recipe. */
  readonly attempt: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** ISO 8601, UTC: when the content was last known to be what the source has. */
  readonly checkedAt: string;
  readonly durationMs: number;
  readonly facts: RunFacts;
  /** Made while a value of its wildcards was still going on: its source is asked again, once after that is over. */
  readonly provisional?: true;
}

/** Where something comes from that a recipe read, however far up: a download with its validators, or a file that no rule makes. */
export interface Origin {
  /** Of the file, as the Datafile has it. */
  readonly name: string;
  readonly digest: Digest;
  /** Free of secrets. */
  readonly url?: string;
  readonly etag?: string;
  readonly lastModified?: string;
  /** When it was last known to be what the source has. ISO 8601, UTC. */
  readonly checkedAt?: string;
}

export interface NamedDigest {
  readonly name: string;
  readonly digest: Digest;
}

/** An output. Its `digest` stands for what it says, to all who read it. */
export interface MadeDigest extends NamedDigest {
  /**
   * What its bytes hash to, where that is another digest: a parquet file that was rewritten with the same schema and
   * values keeps the digest that it had, so that nothing below it runs.
   */
  readonly bytes?: Digest;
}

/** A reason in short, for `why` of something further down: `{ why: "recipe-changed", about: "command" }`. */
export interface Because {
  readonly why: string;
  /** The part, input or output that the reason is about. */
  readonly about?: string;
}

/** One attempt of a recipe and its end, for people to read; nothing is judged by it. */
export interface Ended {
  /** Left out: the run that notes it. */
  readonly run?: string;
  readonly step: string;
  readonly attempt: string;
  /** Counts from 1; more than one where a recipe that failed was tried again. */
  readonly tries: number;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** Left out where nobody was there to measure it. */
  readonly durationMs?: number;
  /** `killed`: its dmake died before it could say. */
  readonly outcome: "made" | "unchanged" | "amended" | "failed" | "interrupted" | "killed";
  readonly failure?: Failure;
  readonly facts?: RunFacts;
  readonly because: readonly Because[];
}
