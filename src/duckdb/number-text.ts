// Numbers as people group and point them, `1.234,5`, as the plain texts that casts take. Knows nothing of types.
import { quoteText } from "./session.js";

/** How numbers are written, where it is not as `1234.5`. */
export interface Digits {
  /** Between groups of three digits. */
  readonly thousands?: string;
  readonly decimal: "." | ",";
}

/** A number of groups, or one without any; its exponent. As RE2 and as JavaScript take it. */
function patternOf({ thousands, decimal }: Digits): string {
  const literal = (text: string) => `[${text === "^" || text === "\\" || text === "]" ? `\\${text}` : text}]`;
  const grouped = thousands === undefined ? "" : `\\d{1,3}(${literal(thousands)}\\d{3})+|`;
  return `\\s*[+-]?(${grouped}\\d*)(${literal(decimal)}\\d*)?([eE][+-]?\\d+)?\\s*`;
}

/** SQL for `text` as a cast takes it; null where it holds digits and is no number so written. */
export function plainNumber(text: string, digits: Digits): string {
  const { thousands, decimal } = digits;
  const ungrouped = thousands === undefined ? text : `replace(${text}, ${quoteText(thousands)}, '')`;
  const plain = decimal === "." ? ungrouped : `replace(${ungrouped}, ${quoteText(decimal)}, '.')`;
  return (
    `CASE WHEN regexp_full_match(${text}, ${quoteText(patternOf(digits))}) THEN ${plain} ` +
    `WHEN NOT regexp_matches(${text}, '\\d') THEN ${text} END`
  );
}
