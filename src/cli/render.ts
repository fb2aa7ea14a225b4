// Shows the events of a build as lines of text or of JSON. Knows nothing of building.
import type { BuildEvent, Summary } from "../core/event.js";
import type { Failure, Place } from "../core/failure.js";
import { diagnose } from "./diagnose.js";
import { warningText } from "./warn.js";
import { durationText, factsText, onOneLine, reasonsText } from "./words.js";

/** Where lines go. `transient` replaces the last transient line, and is nothing where there is no terminal. */
export interface Screen {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  readonly transient: ((line: string) => void) | undefined;
  /** Whether what goes to `out` may be coloured. */
  readonly coloured: boolean;
}

export interface Renderer {
  /** The steps that will be told of next, for columns that line up. */
  readonly expect: (steps: readonly { readonly id: string }[]) => void;
  readonly event: (event: BuildEvent) => void;
  readonly failure: (failure: Failure, at?: Place) => void;
  /** What is being waited for while nothing runs. */
  readonly notice: (text: string) => void;
  readonly close: () => void;
}

/** Every event as one line of JSON on stdout; an error that ends the run as `{"event":"error"}`. */
export function jsonRenderer(screen: Screen): Renderer {
  const write = (value: unknown) => screen.out(JSON.stringify(value));
  return {
    expect: () => undefined,
    event: write,
    failure: (failure, at) => write({ event: "error", failure, ...(at && { at }) }),
    notice: () => undefined,
    close: () => undefined,
  };
}

/** Errors and warnings alone: for verbs whose answer is no build. */
export function messageRenderer(screen: Screen): Renderer {
  const event = (one: BuildEvent) => one.event === "warning" && screen.err(warningText(one));
  return { ...quietRenderer(screen), event };
}

/** Nothing but errors: `-q` answers with its exit code. */
export function quietRenderer(screen: Screen): Renderer {
  return {
    expect: () => undefined,
    event: () => undefined,
    failure: (failure, at) => screen.err(diagnose(failure, at)),
    notice: () => undefined,
    close: () => undefined,
  };
}

interface Running {
  readonly since: number;
  progress: string;
  output: string;
}

const refreshMs = 100;

/** One line a finished step, failures at once and whole, one line at the end. On a terminal a line for what runs. */
export class TextRenderer implements Renderer {
  readonly #screen: Screen;
  #width = 0;
  readonly #running = new Map<string, Running>();
  readonly #timer: NodeJS.Timeout | undefined;
  #notice = "";
  #total = 0;
  #settled = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
    if (screen.transient) this.#timer = setInterval(() => this.#refresh(), refreshMs).unref();
  }

  readonly expect: Renderer["expect"] = (steps) => {
    for (const { id } of steps) this.#width = Math.max(this.#width, Math.min(64, id.length));
  };

  readonly event = (event: BuildEvent): void => {
    switch (event.event) {
      case "started":
        this.#total = event.steps;
        this.#settled = 0;
        break;
      case "grown":
        this.#total = event.steps;
        break;
      case "warning":
        this.#screen.err(warningText(event));
        break;
      case "running":
        this.#running.set(event.step, { since: performance.now(), progress: "", output: "" });
        break;
      case "progress":
        this.#change(event.step, (one) => {
          one.progress = progressText(event);
        });
        break;
      case "output":
        this.#change(event.step, (one) => {
          one.output += event.text;
        });
        break;
      case "fresh":
      case "blocked":
        this.#settled += 1;
        break;
      case "done":
        this.#settled += 1;
        this.#running.delete(event.step);
        this.#screen.out(this.#doneLine(event));
        break;
      case "failed":
        this.#settled += 1;
        if (event.failure.reason !== "interrupted")
          this.#screen.err(failedText(event, this.#running.get(event.step)?.output ?? ""));
        this.#running.delete(event.step);
        break;
      case "would-run":
        this.#screen.out(
          `would run  ${onOneLine(event.step).padEnd(this.#width)}  ${reasonsText(event.reasons)}`,
        );
        break;
      case "may-run":
        this.#screen.out(
          `may run    ${onOneLine(event.step).padEnd(this.#width)}  depends on \`${onOneLine(event.dependsOn)}\``,
        );
        break;
      case "finished":
        this.close();
        this.#screen.out(summaryText(event));
    }
  };

  readonly failure = (failure: Failure, at?: Place): void => {
    this.close();
    this.#screen.err(diagnose(failure, at));
  };

  readonly notice = (text: string): void => {
    this.#notice = text;
    this.#refresh();
  };

  readonly close = (): void => {
    clearInterval(this.#timer);
    this.#screen.transient?.("");
  };

  #change(step: string, change: (one: Running) => void): void {
    const one = this.#running.get(step);
    if (one) change(one);
  }

  #refresh(): void {
    this.#screen.transient?.(this.#running.size > 0 ? runningText(this.#running) : this.#notice);
  }

  #doneLine(event: Extract<BuildEvent, { event: "done" }>): string {
    const count = `${String(this.#settled).padStart(String(this.#total).length)}/${this.#total}`;
    return `${count}  ${onOneLine(event.step).padEnd(this.#width)}  ${doneText(event)}  ${durationText(event.durationMs)}`;
  }
}

function doneText({ how, facts }: Extract<BuildEvent, { event: "done" }>): string {
  if (how === "already") return "made by another dmake meanwhile";
  const text = factsText(facts);
  return (how === "unchanged" ? `not modified ${text}`.trimEnd() : text).padEnd(24);
}

/** The recipe's whole output, then what went wrong. */
function failedText({ step, failure, at }: Extract<BuildEvent, { event: "failed" }>, output: string): string {
  const shown = output.trimEnd();
  return `failed: ${onOneLine(step)}\n${shown === "" ? "" : `${shown.replace(/^/gm, "  | ")}\n`}${diagnose(failure, at)}`;
}

function progressText({ done, total, unit, phase }: Extract<BuildEvent, { event: "progress" }>): string {
  if (total !== undefined && total > 0) return `${Math.min(100, Math.floor((100 * done) / total))}%`;
  return done > 0 ? factsText(unit === "rows" ? { rows: done } : { bytes: done }) : phase;
}

function runningText(running: ReadonlyMap<string, Running>): string {
  const now = performance.now();
  return [...running]
    .map(([step, { since, progress }]) =>
      `${step} ${progress} ${((now - since) / 1000).toFixed(1)} s`.replace("  ", " "),
    )
    .join(" · ");
}

function summaryText(summary: Summary): string {
  const { made, fresh, failed, blocked, notStarted, wouldRun, mayRun, interrupted, durationMs } = summary;
  const parts = [
    ...(wouldRun + mayRun > 0 ? [`${wouldRun} would run`, `${mayRun} may run`] : []),
    ...(made > 0 ? [`built ${made}`] : []),
    ...(fresh > 0 ? [`${fresh} up to date`] : []),
    ...(failed > 0 && !interrupted ? [`${failed} failed`] : []),
    ...(blocked > 0 && !interrupted ? [`${blocked} not built because of that`] : []),
    ...(notStarted > 0 || interrupted
      ? [`${notStarted + (interrupted ? failed + blocked : 0)} not finished`]
      : []),
  ];
  return `${interrupted ? "interrupted: " : ""}${parts.join(", ") || "nothing to do"} (${durationText(durationMs)})`;
}
