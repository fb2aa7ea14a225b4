// Says how a build ended: what failed, what was not built because of that, and how much there was of everything. Knows nothing of streams.
import type { BuildEvent, Summary } from "../core/event.js";
import { diagnoseInShort } from "./diagnose.js";
import { durationText, onOneLine, someNames } from "./words.js";

/** Failures that lie further back than this have left the screen of a small terminal. */
const screenLines = 24;
/** More than this is no summary. */
const mostLines = 20;

/** What went wrong in a build, in the order in which it did. Lives for one build. */
export class Mishaps {
  readonly #failed: string[] = [];
  readonly #blocked = new Map<string, string[]>();
  #notStarted: readonly string[] = [];
  #firstAt: number | undefined;

  /** `line` is the number of the last line that tells of it. */
  failed({ step, failure }: Extract<BuildEvent, { event: "failed" }>, line: number): void {
    this.#firstAt ??= line;
    this.#failed.push(`failed: ${onOneLine(step)}: ${diagnoseInShort(failure)}`);
  }

  blocked({ step, by }: Extract<BuildEvent, { event: "blocked" }>): void {
    const steps = this.#blocked.get(by);
    if (steps) steps.push(step);
    else this.#blocked.set(by, [step]);
  }

  notStarted({ steps }: Extract<BuildEvent, { event: "not-started" }>): void {
    this.#notStarted = [...this.#notStarted, ...steps];
  }

  /**
   * The last lines before the summary. Failures are named again where they have left the screen; after an interrupt, what
   * else was not built goes without saying.
   */
  lines({ interrupted }: Summary, line: number): readonly string[] {
    const gone = this.#firstAt !== undefined && line - this.#firstAt > screenLines;
    const failed = gone ? shortened(this.#failed) : [];
    if (interrupted) return failed;
    const blocked = [...this.#blocked].map(
      ([by, steps]) => `not built because of ${onOneLine(by)}: ${someNames(steps)}`,
    );
    const open = this.#notStarted.length > 0 ? [`not started: ${someNames(this.#notStarted)}`] : [];
    return [...failed, ...shortened(blocked), ...open];
  }
}

const shortened = (lines: readonly string[]): readonly string[] =>
  lines.length <= mostLines + 1
    ? lines
    : [...lines.slice(0, mostLines), `and ${lines.length - mostLines} more`];

/** One line: how many ended how, and how long it took. */
export function summaryText(summary: Summary): string {
  const { made, already, fresh, failed, locked, blocked, notStarted, interrupted, durationMs } = summary;
  const { wouldRun, mayRun } = summary;
  const count = (many: number, what: string) => (many > 0 && !interrupted ? [`${many} ${what}`] : []);
  const open = notStarted + (interrupted ? failed + blocked : 0);
  const parts = [
    ...(wouldRun + mayRun > 0 ? [`${wouldRun} would run`, `${mayRun} may run`] : []),
    ...(made > 0 ? [`built ${made}`] : []),
    ...(already > 0 ? [`${already} made by another dmake`] : []),
    ...(fresh > 0 ? [`${fresh} up to date`] : []),
    ...count(failed - locked, "failed"),
    ...count(locked, "held by another dmake"),
    ...count(blocked, "not built because of that"),
    ...(open > 0 || interrupted ? [`${open} not finished`] : []),
  ];
  return `${interrupted ? "interrupted: " : ""}${parts.join(", ") || "nothing to do"} (${durationText(durationMs)})`;
}
