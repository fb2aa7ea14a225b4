// Shows reports: as a table for people, as a line of JSON, as rows of Markdown. Knows nothing of how anything was measured.
import type { Machine } from "./peers.js";
import {
  type Comparison,
  compared,
  type Figure,
  figureOf,
  median,
  medianOf,
  type Ref,
  type Report,
  type Unit,
  verdictOf,
} from "./report.js";

/** Three digits that say something. */
export function shown(value: number, unit: Unit): string {
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  const text = size >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toFixed(digits);
  return unit === "" ? text : `${text} ${unit}`;
}

/** The median, and from the least to the most if there was more than one round. */
function cellOf(figure: Figure): string {
  const { values, unit } = figure;
  const middle = shown(median(values), unit);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return least === most ? middle : `${middle} (${shown(least, "")}–${shown(most, "")})`;
}

const unique = (all: readonly string[]): readonly string[] => [...new Set(all)];

/** ` ×3.10`: so many times as much is what the subject takes. Nothing of counts, and of what was too short to be measured. */
function timesOf({ unit, values }: Figure, mine: number | undefined): string {
  const theirs = median(values);
  return mine === undefined || unit === "" || theirs === 0 ? "" : ` ×${(mine / theirs).toFixed(2)}`;
}

/** A column for each who took part, a row for each measure; behind a peer's figure, how many times as much the subject takes. */
export function tableOf({ figures, subject }: Report): readonly (readonly string[])[] {
  const whos = unique(figures.map(({ who }) => who));
  const rows = unique(figures.map(({ measure }) => measure)).map((measure) => {
    const mine = subject === undefined ? undefined : medianOf(figures, { who: subject, measure });
    return [
      measure,
      ...whos.map((who) => {
        const figure = figureOf(figures, { who, measure });
        return figure ? cellOf(figure) + timesOf(figure, who === subject ? undefined : mine) : "–";
      }),
    ];
  });
  return [["", ...whos], ...rows];
}

/** Columns that line up. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, n) => cell.padEnd(widths[n]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const nameOf = ({ who, measure }: Ref): string => `${who}, ${measure}`;

/** `dmake, null build against ninja: ratio 3.10, bar 2: NOT met`. */
export function comparisonLine({ figures }: Report, comparison: Comparison): string {
  const { of, to, by, limit } = comparison;
  const found = compared(figures, comparison);
  const unit = by === "ratio" ? "" : (figureOf(figures, of)?.unit ?? "");
  const measure = to === undefined || to.measure === of.measure ? "" : `, ${to.measure}`;
  const against = to === undefined ? "" : ` ${by === "ratio" ? "against" : "over"} ${to.who}${measure}`;
  const value = found === undefined ? "not measured" : shown(found, unit);
  const bar = limit === undefined ? "" : `, bar ${shown(limit, unit)}: ${verdictOf(figures, comparison)}`;
  return `${nameOf(of)}${against}: ${by === "ratio" && found !== undefined ? "ratio " : ""}${value}${bar}`;
}

export function textOf(report: Report): string {
  const { name, what, figures, comparisons, notes, skipped } = report;
  if (figures.length === 0) return skipped.map((one) => `skipped: ${one}`).join("\n");
  const lines = [`\n${name}: ${what}`, aligned(tableOf(report))];
  for (const comparison of comparisons) lines.push(comparisonLine(report, comparison));
  for (const note of notes) lines.push(note);
  for (const one of skipped) lines.push(`skipped: ${one}`);
  return lines.join("\n");
}

/** One line, whole in itself: the medians, the ratios and the machine are in it too. */
export function jsonOf(report: Report, machine: Machine): string {
  const figures = report.figures.map((figure) => ({ ...figure, median: median(figure.values) }));
  const comparisons = report.comparisons.map((comparison) => ({
    ...comparison,
    found: compared(report.figures, comparison),
    verdict: verdictOf(report.figures, comparison),
  }));
  return JSON.stringify({ ...report, figures, comparisons, machine });
}

const markdownRow = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
const markdown = (rows: readonly (readonly string[])[]): string =>
  [rows[0]!, rows[0]!.map(() => "---"), ...rows.slice(1)].map(markdownRow).join("\n");

const [begin, end] = ["<!-- results -->", "<!-- end of results -->"];

/** `text` with the rows between its two marks, or only the rows where there are none. */
export function placed(text: string, rows: string): string {
  const [from, to] = [text.indexOf(begin!), text.indexOf(end!)];
  if (from < 0 || to < from) return rows;
  return `${text.slice(0, from + begin!.length)}\n\n${rows}\n${text.slice(to)}`;
}

const roundsOf = (figures: readonly Figure[], ref: Ref): string =>
  String(figureOf(figures, ref)?.values.length ?? 0);

/** `AMD EPYC, 2 cores, 24 GB, Node 20.19.0, load 0.3 before`. */
export const machineLine = ({ cpu, cores, memoryGB, node, load }: Machine): string =>
  `${cpu}, ${cores} cores, ${memoryGB} GB, Node ${node}, load ${load} before`;

/** The bars, and every benchmark's table, and where the time goes. */
export function markdownOf(reports: readonly Report[], machine: Machine): string {
  const measured = reports.filter(({ figures }) => figures.length > 0);
  const bars = reports.flatMap((report) =>
    report.comparisons
      .filter(({ limit }) => limit !== undefined)
      .map((comparison) => {
        const { of, by } = comparison;
        const unit = by === "ratio" ? "" : (figureOf(report.figures, of)?.unit ?? "");
        const found = compared(report.figures, comparison);
        const to = comparison.to ? nameOf(comparison.to) : "–";
        return [
          report.name,
          nameOf(of),
          to,
          found === undefined ? "–" : shown(found, unit),
          `${shown(comparison.limit!, unit)}`,
          verdictOf(report.figures, comparison),
          roundsOf(report.figures, of),
        ];
      }),
  );
  const floors = reports.flatMap((report) =>
    report.floors.flatMap(({ what, is, of, floor }) => {
      const figure = figureOf(report.figures, of);
      const [mine, least] = [of, floor].map((ref) => medianOf(report.figures, ref));
      if (!figure || mine === undefined || least === undefined) return [];
      const cells = [
        is,
        shown(least, figure.unit),
        shown(mine, figure.unit),
        `${(mine / least).toFixed(2)}×`,
      ];
      return [[what, ...cells]];
    }),
  );
  const peers = Object.entries(machine.peers).map((pair) => pair.join(" "));
  const sections = [
    `${machineLine(machine)}; ${peers.join(", ")}; ${machine.date.slice(0, 10)}`,
    `### Bars\n\n${markdown([["benchmark", "figure", "against", "found", "bar", "", "rounds"], ...bars])}`,
    `### Floors\n\n${markdown([["figure", "the floor", "floor", "dmake", "times"], ...floors])}`,
    ...measured.map((report) => `### ${report.name}\n\n${report.what}\n\n${markdown(tableOf(report))}`),
  ];
  return `${sections.join("\n\n")}\n`;
}
