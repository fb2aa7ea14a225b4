// Finds a place of SQL that was sent in the text that a person wrote, where names of values stood for them. Knows nothing of SQL.
import type { Statement } from "./rule.js";

export interface StatementPlace {
  /** Counts from 1. */
  readonly line: number;
  /** Counts from 1, as editors do. */
  readonly column: number;
  /** The line's text. */
  readonly text: string;
}

/** What stands for a value where nothing else is said. */
const usuallyWritten = "${…}";

/** The text as it was written. */
export const writtenText = ({ texts, values, written = [] }: Statement): string =>
  texts.map((text, i) => text + (i < values.length ? (written[i] ?? usuallyWritten) : "")).join("");

/**
 * `sent` has what each value became; `position` counts whole characters of the sent text from 0, as Postgres does. A place
 * within a value is that of its name.
 */
export function placeOf(statement: Statement, sent: readonly string[], position: number): StatementPlace {
  const { texts, values, written = [] } = statement;
  let left = position;
  let offset = 0;
  for (const [i, text] of texts.entries()) {
    const characters = [...text];
    if (left <= characters.length && (left < characters.length || i === values.length)) {
      offset += characters.slice(0, left).join("").length;
      break;
    }
    left -= characters.length;
    offset += text.length;
    const length = [...(sent[i] ?? "")].length;
    if (left < length || i === values.length) break;
    left -= length;
    offset += (written[i] ?? usuallyWritten).length;
  }
  return placeAt(writtenText(statement), offset);
}

/** Of an offset in a text. */
export function placeAt(text: string, offset: number): StatementPlace {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf("\n") + 1;
  const end = text.indexOf("\n", start);
  return {
    line: before.split("\n").length,
    column: before.length - start + 1,
    text: text.slice(start, end < 0 ? undefined : end).replace(/\r$/, ""),
  };
}
