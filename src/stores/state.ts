// The file `.dmake/state.ndjson`: stamps with digests, and the records of successes, one line each, appended. Knows nothing of what they mean.
import type { Warning } from "../core/event.js";
import type { Trace } from "../core/trace.js";
import { takeLock } from "../system/lock.js";
import {
  append,
  makeFolderOf,
  type Position,
  replace,
  seen,
  setAside,
  unshare,
  withFile,
} from "./state-file.js";
import { type StateIndex, takeIndex } from "./state-index.js";
import { Kept } from "./state-kept.js";
import {
  header,
  intentsLines,
  type Line,
  leftLines,
  linesWithout,
  type MadeBy,
  type Recorded,
  type Stamp,
  stampLine,
  successLines,
  written,
} from "./state-line.js";
import { isForeign, isIndexOld, largeBytes, type StateOptions, takeLines } from "./state-reading.js";

export type { Stamp } from "./state-line.js";

/** Dead lines that are worth a rewrite; below that, reading them costs less than a millisecond. */
const slack = 2_000;

/**
 * Lives for one process. Each line carries a checksum: one that is torn, garbled or of another version is dropped, and
 * what it recorded is then stale, never wrongly fresh. An older record that holds again because a later one was lost
 * is true as well: that recipe did make those bytes from those inputs.
 */
export class State {
  readonly #kept = new Kept();
  readonly stamps = this.#kept.stamps;
  readonly traces = this.#kept.traces;
  /** What dmake has made under each name, by all that is recorded. */
  readonly made = this.#kept.made;
  /** What was to be published when its process was last heard of. */
  readonly intents = this.#kept.intents;
  /** Steps of which somebody else has written since this was made, or whose record was dropped. */
  readonly news = new Set<string>();
  /** Step → what this process has written as an intent into the file that is there. */
  readonly #intended = new Map<string, Trace>();
  /** The keys of those texts that the file holds. */
  readonly #textsThere = new Set<string>();
  readonly #path: string;
  readonly #writable: boolean;
  readonly #warn: (warning: Warning) => void;
  readonly #largeBytes: number;
  #isOpen = false;
  /** How far what is kept of the places of lines reaches. */
  #indexed = 0;
  #read: Position = { inode: 0n, bytes: 0 };
  #lines = 0;
  #damaged = 0;
  /** What is there is no state of this version: kept aside before anything is written. */
  #foreign = false;
  /** How the file ends: `unended`, with a whole line but for its end; `torn`, with part of one. */
  #tail: "ended" | "unended" | "torn" = "ended";
  #hasWritten = false;

  constructor(path: string, options: StateOptions = {}) {
    const { writable = true, warn = () => {}, index, largeBytes: large = largeBytes } = options;
    this.#path = path;
    this.#largeBytes = large;
    this.#writable = writable;
    this.#warn = warn;
    if (index !== undefined) this.#begunAt(takeIndex(index, path, this.#kept));
    this.refresh();
    // What looks torn may be a line that another process is writing right now.
    if (this.#tail === "torn") this.refresh();
    if (this.#tail === "torn") this.#damaged += 1;
    if (this.#foreign && !writable) warn({ warning: "state-foreign", path, kept: path });
    if (this.#damaged > 0) warn({ warning: "state-damaged", path, lines: this.#damaged });
    this.#isOpen = true;
  }

  /** Whether it is worth keeping anew where the lines of the file stand. */
  get isIndexOld(): boolean {
    return this.#writable && isIndexOld(this.#read.bytes, this.#indexed, this.#largeBytes);
  }

  /** Where all lines stand. Nothing where there is damage: then it is told of by whoever reads the file next. */
  indexed(): StateIndex | undefined {
    if (this.#damaged > 0 || this.#foreign || this.#tail !== "ended") return undefined;
    const kept = this.#kept.saved();
    return kept && { ...this.#read, lines: this.#lines, kept };
  }

  /** Gives back what is held of the file. Nothing may be asked for after that. */
  close(): void {
    this.#kept.source.close();
  }

  /** How far the file has been read. */
  get position(): Position {
    return this.#read;
  }

  /** Takes in what other processes have written since. Answers whether there was anything. */
  refresh(): boolean {
    const file = seen(this.#path);
    if (file && !file.isFile) this.#foreign = true;
    if (!file?.isFile) return false;
    // Another file: somebody has rewritten it, or cut it short.
    if (file.inode !== this.#read.inode || file.size < this.#read.bytes) this.#begin(file.inode);
    if (file.size === this.#read.bytes) return false;
    if (file.size - this.#read.bytes >= this.#largeBytes) this.#takeFrom(this.#kept.source.open(this.#path));
    else withFile(this.#path, "r", (descriptor) => this.#takeFrom({ descriptor }));
    return true;
  }

  /** Many in one append: 10 000 of their own take half a second. */
  setStamps(stamps: readonly (readonly [name: string, stamp: Stamp])[]): void {
    if (stamps.length > 0) this.#record(() => stamps.map(([name, stamp]) => stampLine(name, stamp)));
  }

  readonly setTrace = (...one: Recorded): void => this.setTraces([one]);

  /** Records successes, in one append. What the steps made before and make no more is still known to be ours. */
  setTraces(all: readonly Recorded[]): void {
    const left = leftLines(all, this.traces);
    this.#record(() => [...successLines(all, this.#intended, this.#textsThere), ...left]);
    for (const [step] of all) this.#intended.delete(step);
  }

  readonly intend = (...one: Recorded): void => this.intendAll([one]);

  /**
   * To be called before outputs get their names: should this process die right then, they are still known to be ours,
   * and the next one can give the rest of them their names and record the trace.
   */
  intendAll(all: readonly Recorded[]): void {
    this.#record(() => intentsLines(all, this.#textsThere));
    for (const [step, trace] of all) this.#intended.set(step, trace);
  }

  /** Gives up what an attempt intended. What of it has its name is still known to be ours. */
  dropIntent(step: string, attempt: string): void {
    this.#record(() => [["no-intent", step, attempt]]);
    this.#intended.delete(step);
  }

  /** Forgets a success, and not that dmake made what it made. */
  dropTrace(step: string): void {
    const outputs = this.traces.get(step)?.outputs ?? [];
    const left = outputs.map((made): Line => ["left", made.name, { ...made, step }]);
    if (outputs.length > 0) this.#record(() => [...left, ["no-trace", step]]);
    this.news.add(step);
  }

  /** What dmake has made and keeps no record of is dmake's all the same. */
  leave(made: MadeBy): void {
    this.#record(() => [["left", made.name, made]]);
  }

  /** Forgets that dmake published anything under this name. */
  forget(name: string): void {
    const steps = new Set(this.made.of(name).map(({ step }) => step));
    const without = (step: string) => linesWithout(name, [step, this.traces.get(step)], this.#textsThere);
    this.#record(() => [["no-left", name], ...[...steps].flatMap(without)]);
  }

  /** Rewrites the file if most of it is superseded, or some of it damaged. One process at a time: two would lose what is written between. */
  async compact(): Promise<void> {
    if (this.#hasWritten && !this.#foreign) this.refresh();
    if (!this.#isWorthRewriting()) return;
    const lock = await takeLock(`${this.#path}.lock`, 0);
    if (lock.kind === "busy") return;
    try {
      this.refresh();
      if (this.#isWorthRewriting()) replace(this.#path, this.#kept.lines(), this.#read);
      this.#damaged = 0;
    } finally {
      lock.release();
    }
  }

  #isWorthRewriting(): boolean {
    if (!this.#writable || this.#foreign) return false;
    const live = this.#kept.size;
    return this.#damaged > 0 || (this.#hasWritten && this.#lines - live >= Math.max(slack, live));
  }

  /** Appends lines and takes them in, as if they had been read. They depend on what the file holds already. */
  #record(make: () => readonly Line[]): void {
    if (!this.#writable) throw new Error(`bug: a query writes to ${this.#path}`);
    // Again, should another process have replaced the file between its being opened and written to.
    while (!this.#append(make));
  }

  #append(make: () => readonly Line[]): boolean {
    this.#prepare();
    const wrote = { inode: 0n, from: 0, bytes: 0, lines: 0 };
    let lines: readonly string[] = [];
    const tail = this.#tail;
    this.#tail = "torn";
    const after = append(this.#path, (file) => {
      if (file.inode !== this.#read.inode) this.#forgetWritten();
      lines = make().map(written);
      // A torn last line of a killed run must not swallow the first line of this one.
      const opening = file.size === 0 ? header : tail === "ended" ? "" : "\n";
      const text = opening + lines.join("");
      Object.assign(wrote, { inode: file.inode, from: file.size, bytes: Buffer.byteLength(text) });
      wrote.lines = lines.length + (file.size === 0 ? 1 : 0);
      return text;
    });
    this.#tail = "ended";
    // Not before: what a full disk did not take was never recorded.
    for (const line of lines) this.#take(line.slice(0, -1));
    if (after?.inode !== wrote.inode) return false;
    this.#skipOwn(wrote, after.size);
    return true;
  }

  /** What this process has just written need not be read again, if nobody else has written meanwhile. */
  #skipOwn(wrote: { inode: bigint; from: number; bytes: number; lines: number }, size: number): void {
    const isKnown = wrote.from === 0 || (wrote.inode === this.#read.inode && wrote.from === this.#read.bytes);
    if (!isKnown || size !== wrote.from + wrote.bytes) return;
    this.#lines = (wrote.from === 0 ? 0 : this.#lines) + wrote.lines;
    this.#read = { inode: wrote.inode, bytes: size };
  }

  /** Makes room for the file. What is no state of this version is kept aside, unless another process has done so meanwhile. */
  #prepare(): void {
    const isFirst = !this.#hasWritten;
    this.#hasWritten = true;
    if (!isFirst && !this.#foreign) return;
    makeFolderOf(this.#path);
    const file = seen(this.#path);
    if (!this.#foreign) {
      if (file?.isFile && file.isShared) unshare(this.#path);
      return;
    }
    this.#foreign = false;
    if (!file || (file.isFile && file.inode !== this.#read.inode)) return;
    this.#warn({ warning: "state-foreign", path: this.#path, kept: setAside(this.#path) });
  }

  #begin(inode: bigint): void {
    this.#read = { inode, bytes: 0 };
    this.#indexed = 0;
    this.#lines = 0;
    this.#damaged = 0;
    this.#forgetWritten();
  }

  /** Another file may lack what this process has written. */
  #forgetWritten(): void {
    this.#textsThere.clear();
    this.#intended.clear();
  }

  /** With a `base`, lines are known by their places, counted from there. */
  #takeFrom(from: { readonly descriptor: number; readonly base?: number }): void {
    const isFirst = this.#read.bytes === 0;
    const taken = takeLines(this.#kept, { ...from, bytes: this.#read.bytes }, (kind, key) => {
      if (kind === "text") this.#textsThere.add(key);
      else if (kind !== "stamp" && this.#isOpen) this.news.add(key);
    });
    this.#lines += taken.lines;
    this.#damaged += taken.damaged;
    this.#read = { ...this.#read, bytes: taken.end };
    // All of a line but its end may have been written.
    const isWhole = taken.rest !== "" && this.#take(taken.rest);
    this.#tail = taken.rest === "" ? "ended" : isWhole ? "unended" : "torn";
    if (!isFirst) return;
    this.#foreign = isForeign(isWhole ? { ...taken, whole: taken.whole + 1 } : taken);
    if (this.#foreign) this.#forgetAll();
  }

  #forgetAll(): void {
    this.#kept.clear();
    this.#damaged = 0;
    this.#tail = "ended";
  }

  /** Takes in one line, or answers that it is damaged. */
  #take(text: string): boolean {
    const line = this.#kept.take(text);
    if (line?.kind === "text") this.#textsThere.add(line.key);
    return line !== undefined;
  }

  #begunAt(known: StateIndex | undefined): void {
    if (!known) return;
    for (const key of this.#kept.textKeys()) this.#textsThere.add(key);
    this.#read = { inode: known.inode, bytes: known.bytes };
    this.#lines = known.lines;
    this.#indexed = known.bytes;
  }
}
