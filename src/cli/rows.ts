// Lines that are a table, with columns that line up. Knows nothing of what they say.
import { onOneLine } from "./words.js";

/** A line of a table: what it is about, its name, what is said of it; then lines of its own below. A name alone may be a sentence. */
export interface Row {
  readonly kind: string;
  readonly name: string;
  readonly said?: string;
  readonly note?: string;
  readonly below?: readonly string[];
}

/** Cells in columns, those whose index is in `right` to the right. Cells that are wider than `widest` are left to stick out. */
export function aligned(
  rows: readonly (readonly string[])[],
  { right, widest }: { readonly right: ReadonlySet<number>; readonly widest: number },
): string[] {
  const texts = rows.map((row) => row.map(onOneLine));
  const widths: number[] = [];
  for (const row of texts)
    for (const [i, text] of row.entries())
      widths[i] = Math.max(widths[i] ?? 0, Math.min(widest, text.length));
  return texts.map((row) =>
    row
      .map((text, i) => (right.has(i) ? text.padStart(widths[i] ?? 0) : text.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

const widestName = 48;

export function table(rows: readonly Row[]): string[] {
  const width = (texts: readonly string[], most: number) =>
    texts.reduce((widest, text) => Math.max(widest, Math.min(most, text.length)), 0);
  const kinds = width(
    rows.map(({ kind }) => kind),
    12,
  );
  const names = width(
    rows.flatMap(({ name, said, note }) =>
      said === undefined && note === undefined ? [] : [onOneLine(name)],
    ),
    widestName,
  );
  const said = width(
    rows.flatMap(({ said = "", note }) => (note === undefined ? [] : [said])),
    40,
  );
  return rows.flatMap((row) => {
    const cells = [row.kind.padEnd(kinds), onOneLine(row.name).padEnd(names)];
    const change = onOneLine(row.said ?? "");
    cells.push(row.note === undefined ? change : change.padEnd(said), row.note ?? "");
    return [`  ${cells.join("  ")}`.trimEnd(), ...(row.below ?? []).map((line) => `    ${line}`)];
  });
}
