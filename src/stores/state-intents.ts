// Steps that were about to publish when they were last heard of, with what is to be recorded of them then. Knows nothing of what became of their files.
import type { Trace } from "../core/trace.js";
import { isOfAttempt, isWhole, traceIn } from "./state-line.js";
import type { Place } from "./state-places.js";
import type { Texts } from "./state-texts.js";

export interface PendingIntent {
  readonly line: string;
  /** Where the line can be read again. */
  readonly place: Place | undefined;
}

/** Lives as long as the state it belongs to. Nearly all intents are ended by the next line but a few: they are kept as text. */
export class Intents {
  readonly #texts: Texts;
  readonly #pending = new Map<string, PendingIntent>();

  constructor(texts: Texts) {
    this.#texts = texts;
  }

  get size(): number {
    return this.#pending.size;
  }

  put(step: string, line: string, place?: Place): void {
    if (isWhole(line)) this.#pending.set(step, { line, place });
    else this.#pending.delete(step);
  }

  /** What a line ends: the intent of its own attempt, or nothing. */
  end(step: string, line: string): PendingIntent | undefined {
    const intent = this.#pending.get(step);
    if (intent === undefined || !isOfAttempt(intent.line, line)) return undefined;
    this.#pending.delete(step);
    return intent;
  }

  /** A record says more than any intent before it. */
  delete(step: string): void {
    this.#pending.delete(step);
  }

  clear(): void {
    this.#pending.clear();
  }

  steps(): readonly string[] {
    return [...this.#pending.keys()];
  }

  /** What is to be recorded once the step's outputs have their names. */
  get(step: string): Trace | undefined {
    const intent = this.#pending.get(step);
    return intent && traceIn(intent.line, this.#texts);
  }

  saved(): ReadonlyMap<string, PendingIntent> {
    return this.#pending;
  }

  load(saved: ReadonlyMap<string, PendingIntent>): void {
    for (const [step, intent] of saved) this.#pending.set(step, intent);
  }
}
