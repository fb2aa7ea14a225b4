// All that the lines of a state file say together, whatever order they were read in pieces. Knows nothing of the file.
import { Intents, type PendingIntent } from "./state-intents.js";
import {
  header,
  intentLines,
  type Line,
  leftIn,
  lineAt,
  lineIn,
  namesOtherBytes,
  stampIn,
  stampLine,
  textIn,
  traceIn,
  traceLines,
  written,
} from "./state-line.js";
import { MadeIndex, type SavedMade } from "./state-made.js";
import type { Place, PlaceColumns } from "./state-places.js";
import { Shelf } from "./state-shelf.js";
import { LineSource } from "./state-source.js";
import { Texts } from "./state-texts.js";

/** What a file says, as the places of its lines and what few lines there are that cannot be told by one. */
export interface SavedKept {
  readonly stamps: PlaceColumns;
  readonly traces: PlaceColumns;
  readonly made: SavedMade;
  readonly intents: ReadonlyMap<string, PendingIntent>;
  readonly texts: ReadonlyMap<string, string | Place>;
}

/** Lives as long as the state it belongs to. */
export class Kept {
  /** From what lines are read again whose places are all that is kept of them. */
  readonly source = new LineSource();
  readonly #texts = new Texts((key, place) => this.#textAt(key, place));
  readonly stamps = new Shelf(this.source, stampIn);
  readonly traces = new Shelf(this.source, (line) => traceIn(line, this.#texts));
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
    if (line) this.#take(line.kind, line.key, { line: text, place: undefined });
    return line;
  }

  /** The same with a line that `source` can read again at a place. */
  takeAt(bytes: Buffer, place: Place): { readonly kind: Line[0]; readonly key: string } | undefined {
    const line = lineAt(bytes);
    // Nearly half of all lines, and nothing of them is looked at now.
    if (line?.kind === "stamp") this.stamps.put(line.key, place);
    else if (line) this.#take(line.kind, line.key, { line: bytes.toString(), place });
    return line;
  }

  #take(kind: Line[0], key: string, read: PendingIntent): void {
    const { line: text, place } = read;
    switch (kind) {
      case "text":
        this.#texts.set(key, place ?? textIn(text));
        break;
      case "trace":
        this.#recorded(key, read);
        break;
      case "intent":
        this.made.intended(key, text);
        this.intents.put(key, text, place);
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

  #recorded(step: string, read: PendingIntent | undefined): void {
    if (!read) return;
    this.intents.delete(step);
    this.traces.put(step, read.place ?? read.line);
    this.made.recorded(step, { aliases: namesOtherBytes(read.line) });
  }

  #textAt(key: string, place: Place): string | undefined {
    const text = this.source.line(place);
    const line = lineIn(text);
    return line?.kind === "text" && line.key === key ? textIn(text) : undefined;
  }

  /** All of it by places, or nothing where something was taken in without one. */
  saved(): SavedKept | undefined {
    const [stamps, traces] = [this.stamps.columns(), this.traces.columns()];
    if (!stamps || !traces || this.source.files > 1) return undefined;
    const [made, intents] = [this.made.saved(), this.intents.saved()];
    return { stamps, traces, made, intents, texts: this.#texts.saved() };
  }

  /** Takes over what was saved of a file that `source` has opened as its first. */
  load({ stamps, traces, made, intents, texts }: SavedKept): void {
    this.stamps.load(stamps);
    this.traces.load(traces);
    this.made.load(made);
    this.intents.load(intents);
    for (const [key, text] of texts) this.#texts.set(key, text);
  }

  textKeys(): IterableIterator<string> {
    return this.#texts.keys();
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
