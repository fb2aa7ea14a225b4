// The mark that a load leaves on a table or view, in its COMMENT, below what a person says there. Pure; knows nothing of connections.
import type { Digest } from "../core/trace.js";

/** What a partition's table, a whole table or a view says of itself, as JSON on the last line of its comment. */
export interface Mark {
  /** Format of the comment. */
  readonly dmake: 1;
  readonly target: string;
  /** Of recipe and inputs: the idempotency key of the load. */
  readonly fingerprint: Digest;
  /** Of what the load says. Marks of a dmake before version 2 of the ledger have none; the fingerprint stands for it then. */
  readonly content?: Digest;
  readonly attempt: string;
  /** Of a view there are none. */
  readonly rows: number;
  /** Of a view: what `readDefinition` says of it. */
  readonly definition?: string;
}

/** As SQL: whether a comment may have a mark, for those queries that look further only then. */
export const mayBeMarked = (comment: string): string => String.raw`${comment} ~ '(^|\n)\{"dmake"[^\n]*$'`;

const markLine = /(?:^|\n)(\{"dmake"[^\n]*)$/;

export function readMark(comment: string | null): Mark | undefined {
  const line = markLine.exec(comment ?? "")?.[1];
  if (line === undefined) return undefined;
  try {
    const mark = JSON.parse(line) as Partial<Mark>;
    const { dmake, fingerprint, content = "", rows } = mark;
    const strings = typeof fingerprint === "string" && typeof content === "string";
    return dmake === 1 && strings && typeof rows === "number" ? (mark as Mark) : undefined;
  } catch {
    // Somebody's own words that begin like ours.
    return undefined;
  }
}

/** The comment without the mark, if there is anything else. */
export function readWords(comment: string | null): string | undefined {
  const words = readMark(comment) ? (comment ?? "").replace(markLine, "") : (comment ?? "");
  return words === "" ? undefined : words;
}

/** `words`: what the Datafile says of the table. */
export const writeMark = (mark: Mark, words = ""): string =>
  (words === "" ? "" : `${words}\n`) + JSON.stringify(mark);
