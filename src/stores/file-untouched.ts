// Keeps which steps were fresh, with what all their files looked like, in columns that are read in one go: `.dmake/cache/untouched`. Knows nothing of why a step is fresh.
import { join } from "node:path";
import type { Noted, Untouched } from "../engine/ports.js";
import { isAsIn, type Look } from "./file-look.js";
import { lookAhead, looked } from "./file-look-ahead.js";
import type { Records } from "./file-records.js";
import { guardedSync } from "./io-failure.js";
import { readLines, seen, withFile } from "./state-file.js";
import { lineIn, type Stamp } from "./state-line.js";
import {
  type Columns,
  ColumnsWriter,
  idOf,
  indexOf,
  isAt,
  isCalled,
  numbersOfLook,
  readColumns,
  type Sealed,
  textOf,
  writeColumns,
} from "./untouched-columns.js";

interface Options {
  /** Where dmake keeps its own files, relative to the current directory. */
  readonly directory: string;
  readonly writable: boolean;
  readonly records: Records;
}

/**
 * To judge a step takes 50 µs, and to write one 4: while less than this share of all is new, it is judged again for some
 * time and written later.
 */
const worthShare = 128;

/** Lives for one process. Read when first asked, written when it is closed. */
export class UntouchedFiles implements Untouched {
  readonly #path: string;
  readonly #statePath: string;
  readonly #writable: boolean;
  readonly #records: Records;
  #columns: Sealed | undefined;
  #isRead = false;
  /** Steps that somebody has made or forgotten since. */
  readonly #outdated = new Set<string>();
  /** Where the next step is expected: most are asked for in the order in which they were noted. */
  #next = 0;
  #byStep: Map<string, number> | undefined;
  /** What was seen of each file. */
  #looked: Uint8Array | undefined;
  #noted: readonly Noted[] = [];
  /** Stamps that were read to be noted: most names are both made and read. */
  readonly #stamps = new Map<string, Stamp>();
  #copyNext = 0;

  constructor({ directory, writable, records }: Options) {
    this.#path = join(directory, "cache", "untouched");
    this.#statePath = join(directory, "state.ndjson");
    this.#writable = writable;
    this.#records = records;
  }

  lookAhead(): void {
    const columns = this.#read();
    if (columns) this.#looked = lookAhead(this.#path, columns.seal, columns.looks.length / numbersOfLook);
  }

  lookAnew(): void {
    this.#looked = undefined;
  }

  get isAny(): boolean {
    return (this.#read()?.textEnds.length ?? 0) > 0;
  }

  /** Whether nothing was being published when the records were last written to, as far as can be told without reading them all. */
  get hasNoIntents(): boolean {
    return !this.#records.isRead && this.#read() !== undefined;
  }

  holds(words: readonly string[], names: readonly string[], anew = false): boolean {
    const columns = this.#read();
    const step = columns ? this.#find(columns, words) : undefined;
    if (!columns || step === undefined) return false;
    const from = step === 0 ? 0 : (columns.fileEnds[step - 1] ?? 0);
    for (let i = 0; i < names.length; i += 1) {
      const [file, name] = [columns.files[from + i] ?? 0, names[i] ?? ""];
      if (!(anew ? isAsIn(columns.looks, file, name) : this.#isUntouched(columns, file, name))) return false;
    }
    return true;
  }

  keep(noted: readonly Noted[]): void {
    this.#noted = noted;
  }

  /** A step has another record from now on: what was noted of it holds no more. */
  recorded(step: string): void {
    this.#outdated.add(step);
  }

  /** The files of steps that were made just now, each once: what they hold is not known for certain yet. */
  get made(): readonly string[] {
    return [...new Set(this.#noted.flatMap(({ names, isMade }) => (isMade ? names : [])))];
  }

  /** Writes what was noted. A disk that refuses costs the next run some time, and this one nothing. */
  close(): void {
    if (!this.#writable || this.#noted.length === 0) return;
    guardedSync("write", this.#path, () => {
      const state = this.#records.state();
      // What is being published right now may be stale in a moment, and would be looked at by nobody.
      if (state.intents.steps().length > 0) return;
      const columns = this.#read();
      const looks = new Map<Noted, readonly Look[]>();
      for (const one of this.#noted) {
        // What others have made meanwhile may have been of another recipe.
        const found = one.facts && !state.news.has(one.words[0] ?? "") && this.#looksOf(one);
        if (found) looks.set(one, found);
      }
      const there = columns?.textEnds.length ?? 0;
      if (looks.size === 0 || looks.size * worthShare < there) return;
      for (const step of state.news) this.#outdated.add(step);
      const writer = new ColumnsWriter(state.position, columns);
      for (const one of this.#noted) {
        const found = looks.get(one);
        if (found) writer.add(one.words.join("\0"), one.names, found);
        else if (columns && !one.facts) this.#copy(columns, one, writer);
      }
      // Steps of other goals stay as they are.
      for (let step = 0; step < there; step += 1)
        if (columns && !this.#isOutdated(columns, step)) writer.copy(step);
      writeColumns(this.#path, writer.columns());
    });
  }

  /** What the files of a step look like that holds just what its verdict was about, or nothing where that cannot be told. */
  #looksOf({ words, names, facts = [] }: Noted): readonly Look[] | undefined {
    const { stamps, made } = this.#records.state();
    const looks: Look[] = [];
    for (const [i, name] of names.entries()) {
      const fact = facts[i];
      let stamp = this.#stamps.get(name);
      if (!stamp) {
        stamp = stamps.get(name);
        if (stamp) this.#stamps.set(name, stamp);
      }
      // What was read a moment ago may be written again without its time moving: it has no stamp yet.
      if (!stamp || fact?.kind !== "present" || made.meaning(name, stamp.digest) !== fact.digest)
        return undefined;
      looks.push(stamp);
    }
    return words.every((word) => !word.includes("\0")) ? looks : undefined;
  }

  #copy(columns: Columns, { words: [id = ""] }: Noted, writer: ColumnsWriter): void {
    const next = this.#copyNext;
    this.#byStep ??= isCalled(columns, next, id) ? undefined : indexOf(columns);
    const step = isCalled(columns, next, id) ? next : this.#byStep?.get(id);
    if (step === undefined || this.#isOutdated(columns, step)) return;
    this.#copyNext = step + 1;
    writer.copy(step);
  }

  #isOutdated(columns: Columns, step: number): boolean {
    return this.#outdated.size > 0 && this.#outdated.has(idOf(textOf(columns, step)));
  }

  #find(columns: Columns, words: readonly string[]): number | undefined {
    const [id = ""] = words;
    let step: number | undefined = this.#next;
    if (!isAt(columns, step, words)) {
      this.#byStep ??= indexOf(columns);
      step = this.#byStep.get(id);
      if (step === undefined || !isAt(columns, step, words)) return undefined;
    }
    this.#next = step + 1;
    return this.#outdated.size > 0 && this.#outdated.has(id) ? undefined : step;
  }

  #isUntouched({ looks }: Columns, file: number, name: string): boolean {
    this.#looked ??= new Uint8Array(looks.length / numbersOfLook);
    const known = this.#looked[file];
    if (known) return known === looked.untouched;
    const same = isAsIn(looks, file, name);
    this.#looked[file] = same ? looked.untouched : looked.touched;
    return same;
  }

  #read(): Sealed | undefined {
    if (this.#isRead) return this.#columns;
    this.#isRead = true;
    const columns = readColumns(this.#path);
    const since = columns && changesSince(this.#statePath, columns);
    if (!columns || !since) return undefined;
    this.#columns = columns;
    for (const step of since) this.#outdated.add(step);
    return columns;
  }
}

/** The steps that lines of the state file mean that were written later; nothing if it cannot be told from them alone what holds. */
function changesSince(path: string, { inode, bytes }: Columns): ReadonlySet<string> | undefined {
  const file = seen(path);
  if (!file?.isFile || file.inode !== inode || file.size < bytes) return undefined;
  const steps = new Set<string>();
  const intended = new Set<string>();
  let isKnown = true;
  if (file.size > bytes)
    withFile(path, "r", (descriptor) => {
      const { rest } = readLines(descriptor, bytes, (text) => {
        const line = text === "" ? undefined : lineIn(text);
        if (line?.kind === "left" || line?.kind === "no-left" || (!line && text !== "")) isKnown = false;
        if (!line || line.kind === "stamp" || line.kind === "text") return;
        steps.add(line.key);
        if (line.kind === "intent") intended.add(line.key);
        else intended.delete(line.key);
      });
      if (rest !== "") isKnown = false;
    });
  return isKnown && intended.size === 0 ? steps : undefined;
}
