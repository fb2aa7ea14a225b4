// Names with wildcards: parsing, matching, filling in. Knows nothing of rules or of what is on disk.

/** A finite, ordered set of values for one wildcard. */
export interface Domain {
  readonly values: readonly string[];
}

/** A parsed name such as `data/{color}_{month}.csv`: literal texts with a wildcard between each two. */
export interface Pattern {
  readonly text: string;
  /** One more than `wildcards`. */
  readonly literals: readonly string[];
  /** In order of appearance; a name may come twice. */
  readonly wildcards: readonly string[];
}
