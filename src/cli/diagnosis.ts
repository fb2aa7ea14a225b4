// One message to a person: what, where, and what to do. Knows nothing of what went wrong.
import { isAbsolute, relative } from "node:path";
import type { Place } from "../core/failure.js";

/** A failure or a warning in words. Lower case, names in backticks, no full stop. */
export interface Diagnosis {
  readonly message: string;
  readonly at?: Place;
  /** The line of the user's text that `at` points into. */
  readonly lineText?: string;
  /** Where to point in it, counting from 1, if that is not the column of `at`. */
  readonly caret?: number;
  /** Further lines, each a sentence of its own. */
  readonly notes?: readonly string[];
  /** What to do; where it can be pasted, it is in backticks. */
  readonly help?: string;
}

/** The whole message, some lines, without a line end. `at` is where the rule is declared that it is about. */
export function messageText(kind: "error" | "warning", diagnosis: Diagnosis, at?: Place): string {
  const place = diagnosis.at ?? at;
  const lines = [`${kind}: ${diagnosis.message}`];
  if (place) lines.push(`  --> ${placeText(place)}`);
  if (diagnosis.lineText !== undefined)
    lines.push(...excerpt(diagnosis.lineText, diagnosis.caret ?? place?.column));
  for (const note of diagnosis.notes ?? []) lines.push(`  ${note}`);
  if (diagnosis.help !== undefined) lines.push(`help: ${diagnosis.help}`);
  return lines.join("\n");
}

export function placeText({ file, line, column }: Place): string {
  const name = isAbsolute(file) ? relative(process.cwd(), file) : file;
  return [name, line, ...(column === undefined ? [] : [column])].join(":");
}

function excerpt(text: string, column: number | undefined): string[] {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  const lines = [`   | ${shown}`];
  if (column !== undefined && column <= 200)
    lines.push(`   | ${shown.slice(0, column - 1).replace(/\S/g, " ")}^`);
  return lines;
}

/** ``, as `a`, `b` ``; nothing for an empty list. */
export const namesText = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ");
