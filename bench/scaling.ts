// How the cost of nothing to do grows with the number of targets, as exponents. Knows nothing of how it was measured.
import { type Comparison, exponent, type Figure, medianOf, type Report } from "./report.js";

/** More than this is not linear: noise of a tenth or two at both ends of one decade is 0.1. */
const linear = 1.1;

/** A node that does nothing: what it costs does not grow. */
const empty = "node -e 0";

const columns = ["null build", "null build, cpu", "null build, peak", "full build"];

interface Sized {
  readonly size: number;
  readonly report: Report;
}

/** From the smallest size to the largest; and from the last but one, where what is paid once counts for little. */
export function scalingOf(name: string, reports: readonly Sized[]): Report {
  const sizes = reports.map(({ size }) => size);
  const figures = figuresOf(reports, "");
  const last = `, ${sizes.slice(-2).join(" → ")}`;
  if (reports.length > 2) figures.push(...figuresOf(reports.slice(-2), last));
  const bars = ["null build", "null build, peak"].flatMap((measure): Comparison[] =>
    (reports.length > 2 ? ["", last] : [""]).map((step) => ({
      of: { who: "dmake", measure: measure + step },
      by: "value",
      limit: linear,
    })),
  );
  return {
    name: `${name} scaling`,
    what: `the power of the number of targets that the cost grows with, ${sizes.join(" → ")}; 1 is linear`,
    figures,
    comparisons: bars,
    floors: [],
    notes: ["of dmake and of the bare node, what an empty node takes is taken off first"],
    skipped: [],
  };
}

function figuresOf(reports: readonly Sized[], step: string): Figure[] {
  const whos = [...new Set(reports.flatMap(({ report }) => report.figures.map(({ who }) => who)))];
  return columns.flatMap((measure) =>
    whos
      .filter((who) => who !== empty)
      .flatMap((who): Figure[] => {
        const points = reports.flatMap(({ size, report }) => {
          const cost = medianOf(report.figures, { who, measure });
          return cost === undefined ? [] : [{ size, cost }];
        });
        const found = exponent(points, baseOf(who, measure, reports));
        return found === undefined ? [] : [{ who, measure: measure + step, unit: "", values: [found] }];
      }),
  );
}

/** What is taken off: nothing of those that no node runs. */
function baseOf(who: string, measure: string, reports: readonly Sized[]): number {
  if (who !== "dmake" && who !== "bare node") return 0;
  const smallest = reports[0]!.report.figures;
  return medianOf(smallest, { who: empty, measure: measure.replace("full", "null") }) ?? 0;
}
