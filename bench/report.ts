// What every benchmark answers, and the arithmetic of it. Knows nothing of what is measured or how it is shown.
import { strict as assert } from "node:assert";

export type Unit = "s" | "ms" | "MB" | "rows/s" | "";

/** What one that takes part has taken for one thing, a value a round, in order: the first one is the coldest. */
export interface Figure {
  /** As `dmake` or `make -rR`. */
  readonly who: string;
  /** As `null build`. */
  readonly measure: string;
  readonly unit: Unit;
  readonly values: readonly number[];
}

/** Names one figure of a report. */
export interface Ref {
  readonly who: string;
  readonly measure: string;
}

/**
 * How the median of one figure stands to that of another (`ratio`, `difference` in its unit) or by itself (`value`), and
 * the most that this may be. Without a limit it is only told.
 */
export interface Comparison {
  readonly of: Ref;
  readonly by: "ratio" | "difference" | "value";
  readonly to?: Ref;
  readonly limit?: number;
}

/** The least that a thing can cost, beside what it costs: a row of "where the time goes". */
export interface Floor {
  /** As `nothing to do, 10,000 targets in chains of 3`. */
  readonly what: string;
  /** What the floor is made of, as `start of node, 13,334 stats`. */
  readonly is: string;
  readonly of: Ref;
  readonly floor: Ref;
}

export interface Report {
  readonly name: string;
  /** What was done to what, with its size. */
  readonly what: string;
  /** The one that the others are compared with in the table. */
  readonly subject?: string;
  readonly figures: readonly Figure[];
  readonly comparisons: readonly Comparison[];
  readonly floors: readonly Floor[];
  /** What was checked of the results, and what else is to be known. */
  readonly notes: readonly string[];
  /** Who or what is not in it, and why. */
  readonly skipped: readonly string[];
}

/** The same without the most that anything may be. */
export const withoutBars = (report: Report): Report => ({
  ...report,
  comparisons: report.comparisons.map(({ limit: _, ...rest }) => rest),
});

export function median(values: readonly number[]): number {
  assert(values.length > 0, "bug: a figure without a value");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const isOf = (figure: Figure, { who, measure }: Ref): boolean =>
  figure.who === who && figure.measure === measure;

export const figureOf = (figures: readonly Figure[], ref: Ref): Figure | undefined =>
  figures.find((figure) => isOf(figure, ref));

export function medianOf(figures: readonly Figure[], ref: Ref): number | undefined {
  const figure = figureOf(figures, ref);
  return figure && median(figure.values);
}

/** Of the medians; nothing where a figure is missing, since its peer is. */
export function compared(figures: readonly Figure[], { of, by, to }: Comparison): number | undefined {
  const mine = medianOf(figures, of);
  if (mine === undefined || by === "value") return mine;
  assert(to, `bug: ${of.measure} is compared with nothing`);
  const theirs = medianOf(figures, to);
  if (theirs === undefined) return undefined;
  return by === "ratio" ? mine / theirs : mine - theirs;
}

export type Verdict = "met" | "NOT met" | "not measured" | "no bar";

export function verdictOf(figures: readonly Figure[], comparison: Comparison): Verdict {
  if (comparison.limit === undefined) return "no bar";
  const found = compared(figures, comparison);
  if (found === undefined) return "not measured";
  return found <= comparison.limit ? "met" : "NOT met";
}

/** One point of a curve: so much was asked for, and it cost so much. */
export interface Point {
  readonly size: number;
  readonly cost: number;
}

/**
 * The power of size that a cost grows with from the first point to the last, once what nothing costs is taken off: 1 is
 * linear, 2 quadratic. Nothing if there is no growth to speak of: a cost that is no more than `base`.
 */
export function exponent(points: readonly Point[], base: number): number | undefined {
  const sorted = [...points].sort((a, b) => a.size - b.size);
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (!first || !last || first.size === last.size) return undefined;
  if (first.cost <= base || last.cost <= base) return undefined;
  return Math.log((last.cost - base) / (first.cost - base)) / Math.log(last.size / first.size);
}
