// How the cost of nothing to do grows with the number of targets, as exponents. Knows nothing of how it was measured.
import { type Comparison, exponent, type Figure, medianOf, type Report } from "./report.js";

/** More than this is not linear: noise of a tenth or two at both ends of one decade is 0.1. */
const linear = 1.1;

/** A node that does nothing: what it costs does not grow. */
const empty = "node -e 0";

interface Sized {
  readonly size: number;
  readonly report: Report;
}

/** One row for each who was measured at two sizes or more. */
export function scalingOf(name: string, reports: readonly Sized[]): Report {
  const columns = ["null build", "null build, cpu", "null build, peak", "full build"];
  const whos = [...new Set(reports.flatMap(({ report }) => report.figures.map(({ who }) => who)))].filter(
    (who) => who !== empty,
  );
  const sizes = reports.map(({ size }) => size);
  const figures = whos.flatMap((who) =>
    columns.flatMap((measure): Figure[] => {
      const points = reports.flatMap(({ size, report }) => {
        const cost = medianOf(report.figures, { who, measure });
        return cost === undefined ? [] : [{ size, cost }];
      });
      const found = exponent(points, baseOf(who, measure, reports));
      return found === undefined ? [] : [{ who, measure, unit: "", values: [found] }];
    }),
  );
  const bar = (measure: string): Comparison => ({
    of: { who: "dmake", measure },
    by: "value",
    limit: linear,
  });
  return {
    name: `${name} scaling`,
    what: `the power of the number of targets that the cost grows with, ${sizes.join(" → ")}; 1 is linear`,
    figures,
    comparisons: [bar("null build"), bar("null build, peak")],
    floors: [],
    notes: ["of dmake and of the bare node, what an empty node takes is taken off first"],
    skipped: [],
  };
}

/** What is taken off: nothing of those that no node runs. */
function baseOf(who: string, measure: string, reports: readonly Sized[]): number {
  if (who !== "dmake" && who !== "bare node") return 0;
  const smallest = reports[0]!.report.figures;
  return medianOf(smallest, { who: empty, measure: measure.replace("full", "null") }) ?? 0;
}
