// All that the lines of a state file say together, whatever order they were read in pieces. Knows nothing of the file.
import { Intents } from "./state-intents.js";
import {
  header,
  intentLines,
  type Line,
  leftIn,
  lineIn,
  namesOtherBytes,
  stampIn,
  stampLine,
  textIn,
  traceIn,
  traceLines,
  written,
} from "./state-line.js";
import { MadeIndex } from "./state-made.js";
import { Shelf } from "./state-shelf.js";
import { Texts } from "./state-texts.js";

/** Lives as long as the state it belongs to. */
export class Kept {
  readonly #texts = new Texts();
  readonly stamps = new Shelf(stampIn);
  readonly traces = new Shelf((line) => traceIn(line, this.#texts));
  readonly made = new MadeIndex(this.traces);
  readonly intents = new Intents(this.#texts);

  /** How many lines, about, a file has that says no more than it must. */
  get size(): number {
    return this.stamps.size + this.traces.size + this.made.size + this.intents.size + this.#texts.size;
  }

  clear(): void {
    this.stamps.clear();
    this.traces.clear();
    this.made.clear();
    this.intents.clear();
  }

  /** Takes in one line. Answers what it is, or nothing where it is damaged. */
  take(text: string): { readonly kind: Line[0]; readonly key: string } | undefined {
    const line = lineIn(text);
    if (line) this.#take(line.kind, line.key, text);
    return line;
  }

  #take(kind: Line[0], key: string, text: string): void {
    switch (kind) {
      case "text":
        this.#texts.set(key, textIn(text));
        break;
      case "trace":
        this.#recorded(key, text);
        break;
      case "intent":
        this.made.intended(key, text);
        this.intents.put(key, text);
        break;
      case "made":
        this.#recorded(key, this.intents.end(key, text));
        break;
      case "no-intent":
        this.intents.end(key, text);
        break;
      case "left":
        for (const made of leftIn(text)) this.made.leave(made);
        break;
      case "no-trace":
        this.traces.delete(key);
        break;
      case "no-left":
        this.made.dropLeft(key);
        break;
      case "stamp":
        this.stamps.put(key, text);
        break;
    }
  }

  #recorded(step: string, text: string | undefined): void {
    if (text === undefined) return;
    this.intents.delete(step);
    this.traces.put(step, text);
    this.made.recorded(step, { aliases: namesOtherBytes(text) });
  }

  /** A whole file that says the same. */
  *lines(): Generator<string> {
    yield header;
    for (const line of this.#allLines()) yield written(line);
  }

  *#allLines(): Generator<Line> {
    const there = new Set<string>();
    const noted = (lines: readonly Line[]): readonly Line[] => {
      for (const [kind, key] of lines) if (kind === "text") there.add(key);
      return lines;
    };
    for (const step of this.traces.keys()) {
      const trace = this.traces.get(step);
      if (trace) yield* noted(traceLines(step, trace, there));
    }
    yield* this.made.lines();
    for (const step of this.intents.steps()) {
      const trace = this.intents.get(step);
      if (trace) yield* noted(intentLines(step, trace, there));
    }
    for (const name of this.stamps.keys()) {
      const stamp = this.stamps.get(name);
      if (stamp) yield stampLine(name, stamp);
    }
  }
}
