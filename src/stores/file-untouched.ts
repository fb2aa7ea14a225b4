// Keeps which steps were fresh, with what all their files looked like, in columns that are read in one go: `.dmake/cache/untouched`. Knows nothing of why a step is fresh.
import { join } from "node:path";
import type { Noted, Untouched } from "../engine/ports.js";
import { isAsIn, type Look } from "./file-look.js";
import { lookAhead, looked } from "./file-look-ahead.js";
import type { Records } from "./file-records.js";
import { guardedSync } from "./io-failure.js";
import { readLines, seen, withFile } from "./state-file.js";
import { lineIn } from "./state-line.js";
import {
  type Columns,
  ColumnsWriter,
  idOf,
  indexOf,
  isAt,
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

/** Lives for one process. Read when first asked, written when it is closed. */
export class UntouchedFiles implements Untouched {
  readonly #path: string;
  readonly #statePath: string;
  readonly #writable: boolean;
  readonly #records: Records;
  #columns: Sealed | undefined;
  #isRead = false;
  /** Steps that somebody has made or forgotten since. */
  #outdated: ReadonlySet<string> = new Set();
  /** Where the next step is expected: most are asked for in the order in which they were noted. */
  #next = 0;
  #byStep: Map<string, number> | undefined;
  /** What was seen of each file. */
  #looked: Uint8Array | undefined;
  #noted: readonly Noted[] = [];

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

  get isAny(): boolean {
    return (this.#read()?.textEnds.length ?? 0) > 0;
  }

  /** Whether nothing was being published when the records were last written to, as far as can be told without reading them all. */
  get hasNoIntents(): boolean {
    return !this.#records.isRead && this.#read() !== undefined;
  }

  holds(words: readonly string[], names: readonly string[]): boolean {
    const columns = this.#read();
    const step = columns ? this.#find(columns, words) : undefined;
    if (!columns || step === undefined) return false;
    const from = step === 0 ? 0 : (columns.fileEnds[step - 1] ?? 0);
    for (let i = 0; i < names.length; i += 1)
      if (!this.#isUntouched(columns, columns.files[from + i] ?? 0, names[i] ?? "")) return false;
    return true;
  }

  keep(noted: readonly Noted[]): void {
    this.#noted = noted;
  }

  /** Writes what was noted. A disk that refuses costs the next run some time, and this one nothing. */
  close(): void {
    if (!this.#writable || this.#noted.length === 0) return;
    guardedSync("write", this.#path, () => {
      const state = this.#records.state();
      // What is being published right now may be stale in a moment, and would be looked at by nobody.
      if (state.intents.steps().length > 0) return;
      const columns = this.#read();
      const writer = new ColumnsWriter(state.position);
      for (const one of this.#noted) this.#add(one, columns, writer);
      if (columns) this.#addOthers(columns, writer);
      writeColumns(this.#path, writer.columns());
    });
  }

  #add({ words, names, facts }: Noted, columns: Columns | undefined, writer: ColumnsWriter): void {
    if (!facts) {
      const step = columns && this.#find(columns, words);
      if (columns && step !== undefined) writer.copy(columns, step);
      return;
    }
    const { stamps, made } = this.#records.state();
    const looks: Look[] = [];
    for (const [i, name] of names.entries()) {
      const [stamp, fact] = [stamps.get(name), facts[i]];
      // What was read a moment ago may be written again without its time moving: it has no stamp yet.
      if (!stamp || fact?.kind !== "present" || made.meaning(name, stamp.digest) !== fact.digest) return;
      looks.push(stamp);
    }
    if (words.every((word) => !word.includes("\0"))) writer.add(words.join("\0"), names, looks);
  }

  /** Steps of other goals stay as they are. */
  #addOthers(columns: Columns, writer: ColumnsWriter): void {
    for (let step = 0; step < columns.textEnds.length; step += 1)
      if (!this.#outdated.has(idOf(textOf(columns, step)))) writer.copy(columns, step);
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
    this.#outdated = since;
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
