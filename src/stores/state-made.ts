// What dmake has made under each name, by all records together: rules are renamed and regrouped, their files stay. Knows nothing of files on disk.
import type { Digest, Trace } from "../core/trace.js";
import { intentIn, type Line, type Made, type MadeBy } from "./state-line.js";
import type { Shelf } from "./state-shelf.js";

/** All but what the traces say themselves. */
export interface SavedMade {
  readonly intents: ReadonlyMap<string, readonly string[]>;
  readonly left: ReadonlyMap<string, MadeBy>;
  readonly aliased: readonly string[];
}

/** Lives as long as the state it belongs to. Traces are read from their lines only for questions that need all of them. */
export class MadeIndex {
  readonly #traces: Shelf<Trace>;
  /** Step → the lines of what it was about to publish since it was last recorded. */
  readonly #intents = new Map<string, string[]>();
  /** Name → what a step made that makes it no more. */
  readonly #left = new Map<string, MadeBy>();
  /** Those steps whose output keeps the digest of other bytes: few. */
  readonly #aliased: StepsByName;
  #all: StepsByName | undefined;

  constructor(traces: Shelf<Trace>) {
    this.#traces = traces;
    this.#aliased = new StepsByName(traces);
  }

  recorded(step: string, { aliases }: { readonly aliases: boolean }): void {
    this.#intents.delete(step);
    this.#all?.add(step);
    if (aliases) this.#aliased.add(step);
  }

  intended(step: string, line: string): void {
    const lines = this.#intents.get(step);
    if (lines) lines.push(line);
    else this.#intents.set(step, [line]);
  }

  leave(made: MadeBy): void {
    this.#left.set(made.name, made);
  }

  dropLeft(name: string): void {
    this.#left.delete(name);
  }

  clear(): void {
    this.#intents.clear();
    this.#left.clear();
  }

  saved(): SavedMade {
    return { intents: this.#intents, left: this.#left, aliased: this.#aliased.steps() };
  }

  load({ intents, left, aliased }: SavedMade): void {
    for (const [step, lines] of intents) this.#intents.set(step, [...lines]);
    for (const [name, made] of left) this.#left.set(name, made);
    for (const step of aliased) this.#aliased.add(step);
  }

  /** What a file with these bytes says: what was recorded of them, or else themselves. */
  meaning(name: string, bytes: Digest): Digest {
    if (this.#aliased.isEmpty && this.#left.size === 0) return bytes;
    const left = this.#left.get(name);
    const made = [...this.#aliased.of(name), ...(left ? [left] : [])];
    return made.find((one) => one.bytes === bytes)?.digest ?? bytes;
  }

  /** Everything that is recorded to have been made under a name, by whatever step. */
  of(name: string): readonly MadeBy[] {
    const left = this.#left.get(name);
    const found: MadeBy[] = [...this.#everything().of(name), ...(left ? [left] : [])];
    for (const step of this.#intents.keys())
      for (const made of this.#intendedBy(step)) if (made.name === name) found.push({ ...made, step });
    return found;
  }

  /** All names that were published, each once. */
  names(): ReadonlySet<string> {
    return new Set([...this.#everything().names(), ...this.#left.keys()]);
  }

  /** How many lines `lines` gives. */
  get size(): number {
    return this.#intents.size + this.#left.size;
  }

  /** What has to be written besides the traces. */
  *lines(): Generator<Line> {
    for (const step of this.#intents.keys()) yield ["intent", step, this.#intendedBy(step)];
    for (const [name, made] of this.#left) yield ["left", name, made];
  }

  /** Each once: an intent is repeated when it is completed or the file rewritten. */
  #intendedBy(step: string): readonly Made[] {
    const outputs = (this.#intents.get(step) ?? []).flatMap(intentIn);
    const keyOf = ({ name, digest, bytes }: Made) => JSON.stringify([name, digest, bytes]);
    return [...new Map(outputs.map((made) => [keyOf(made), made])).values()];
  }

  /** Reads all traces, once: 0.6 s for 100 000. Only a file that its own step did not make, or the list of orphans, is worth that. */
  #everything(): StepsByName {
    if (!this.#all) {
      this.#all = new StepsByName(this.#traces);
      for (const step of this.#traces.keys()) this.#all.add(step);
    }
    return this.#all;
  }
}

/** Which steps' traces list a name. A step that no longer does is found out when it is asked for. */
class StepsByName {
  readonly #traces: Shelf<Trace>;
  readonly #steps = new Map<string, Set<string>>();
  /** Steps whose traces have not been read yet. */
  readonly #unread = new Set<string>();

  constructor(traces: Shelf<Trace>) {
    this.#traces = traces;
  }

  add(step: string): void {
    this.#unread.add(step);
  }

  /** All that were added. */
  steps(): readonly string[] {
    return [...new Set([...this.#unread, ...[...this.#steps.values()].flatMap((steps) => [...steps])])];
  }

  get isEmpty(): boolean {
    return this.#unread.size === 0 && this.#steps.size === 0;
  }

  *of(name: string): Generator<MadeBy> {
    this.#readAll();
    for (const step of this.#steps.get(name) ?? []) {
      const made = this.#traces.get(step)?.outputs.find((output) => output.name === name);
      if (made) yield { ...made, step };
    }
  }

  *names(): Generator<string> {
    this.#readAll();
    for (const [name, steps] of this.#steps)
      if ([...steps].some((step) => this.#traces.get(step)?.outputs.some((made) => made.name === name)))
        yield name;
  }

  #readAll(): void {
    for (const step of this.#unread)
      for (const { name } of this.#traces.get(step)?.outputs ?? []) {
        const steps = this.#steps.get(name);
        if (steps) steps.add(step);
        else this.#steps.set(name, new Set([step]));
      }
    this.#unread.clear();
  }
}
