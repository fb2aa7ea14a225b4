// What every benchmark answers, and the arithmetic of it. Knows nothing of what is measured or how it is shown.

export interface Case {
  readonly name: string;
  /** One figure a round, in order: the first one is the coldest. */
  readonly seconds: readonly number[];
}

/** How the median of one case compares with that of another, and the most that it may be. */
export interface Ratio {
  readonly of: string;
  readonly to: string;
  readonly bar: number;
}

export interface Report {
  readonly name: string;
  readonly what: string;
  readonly cases: readonly Case[];
  readonly ratios: readonly Ratio[];
  readonly notes: readonly string[];
  /** Why nothing was measured. */
  readonly skipped?: string;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Of the medians. */
export function ratioOf({ cases }: Report, { of, to }: Ratio): number {
  const [mine, theirs] = [of, to].map((name) => median(cases.find((one) => one.name === name)!.seconds));
  return mine! / theirs!;
}
