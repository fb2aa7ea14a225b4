// What is remembered of a success and what is seen now: the two things that a verdict compares. Knows nothing of where either is kept.

/** `sha256:` and 64 hex digits. Always compared whole, so that the algorithm can change one day. */
export type Digest = string;

/** What is seen of a file or a table partition now. */
export type Fact = { readonly kind: "absent" } | { readonly kind: "present"; readonly digest: Digest };

/** What a recipe tells about what it made. Everything here is shown to people and holds no secret. */
export interface RunFacts {
  readonly rows?: number;
  readonly bytes?: number;
  /** Where a download came from, and the validators that the server gave with it. */
  readonly url?: string;
  readonly etag?: string;
  readonly lastModified?: string;
}

/** The record of one success: everything its freshness depends on, by name. */
export interface Trace {
  /** Named parts of the recipe, as `url`, `columns.ehail_fee`, `command`. */
  readonly recipe: Readonly<Record<string, string>>;
  readonly inputs: readonly NamedDigest[];
  readonly outputs: readonly NamedDigest[];
  /** Unique to one run of one recipe. */
  readonly attempt: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** ISO 8601, UTC: when the content was last known to be what the source has. */
  readonly checkedAt: string;
  readonly durationMs: number;
  readonly facts: RunFacts;
}

export interface NamedDigest {
  readonly name: string;
  readonly digest: Digest;
}
