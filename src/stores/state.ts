// The file `.dmake/state.ndjson`: stamps with digests, and the records of successes, one line each, appended. Knows nothing of what they mean.
import type { Warning } from "../core/event.js";
import type { Trace } from "../core/trace.js";
import { takeLock } from "../system/lock.js";
import {
  append,
  makeFolderOf,
  type Position,
  readLines,
  replace,
  seen,
  setAside,
  unshare,
  withFile,
} from "./state-file.js";
import {
  header,
  intentIn,
  isCurrent,
  type Line,
  leftIn,
  lineIn,
  type Made,
  namesOtherBytes,
  type Stamp,
  stampIn,
  stampLine,
  textIn,
  traceIn,
  traceLines,
  versionIn,
  written,
} from "./state-line.js";
import { MadeIndex } from "./state-made.js";
import { Shelf } from "./state-shelf.js";
import { Texts } from "./state-texts.js";

export type { Stamp } from "./state-line.js";

export interface StateOptions {
  /** Without it nothing is written, mended or moved. */
  readonly writable?: boolean;
  readonly warn?: (warning: Warning) => void;
}

/** Dead lines that are worth a rewrite; below that, reading them costs less than a millisecond. */
const slack = 2_000;

/**
 * Lives for one process. Each line carries a checksum: one that is torn, garbled or of another version is dropped, and
 * what it recorded is then stale, never wrongly fresh. An older record that holds again because a later one was lost
 * is true as well: that recipe did make those bytes from those inputs.
 */
export class State {
  readonly stamps = new Shelf(stampIn);
  readonly traces = new Shelf((line) => traceIn(line, this.#texts));
  /** What dmake has made under each name, by all that is recorded. */
  readonly made = new MadeIndex(this.traces);
  readonly #texts = new Texts();
  /** The keys of those texts that the file holds. */
  readonly #textsThere = new Set<string>();
  readonly #path: string;
  readonly #writable: boolean;
  readonly #warn: (warning: Warning) => void;
  #read: Position = { inode: 0n, bytes: 0 };
  #lines = 0;
  #damaged = 0;
  /** What is there is no state of this version: kept aside before anything is written. */
  #foreign = false;
  /** How the file ends: `unended`, with a whole line but for its end; `torn`, with part of one. */
  #tail: "ended" | "unended" | "torn" = "ended";
  #hasWritten = false;

  constructor(path: string, { writable = true, warn = () => {} }: StateOptions = {}) {
    this.#path = path;
    this.#writable = writable;
    this.#warn = warn;
    this.refresh();
    // What looks torn may be a line that another process is writing right now.
    if (this.#tail === "torn") this.refresh();
    if (this.#tail === "torn") this.#damaged += 1;
    if (this.#foreign && !writable) warn({ warning: "state-foreign", path, kept: path });
    if (this.#damaged > 0) warn({ warning: "state-damaged", path, lines: this.#damaged });
  }

  /** Takes in what other processes have written since. Answers whether there was anything. */
  refresh(): boolean {
    const file = seen(this.#path);
    if (file && !file.isFile) this.#foreign = true;
    if (!file?.isFile) return false;
    // Another file: somebody has rewritten it, or cut it short.
    if (file.inode !== this.#read.inode || file.size < this.#read.bytes) this.#begin(file.inode);
    if (file.size === this.#read.bytes) return false;
    withFile(this.#path, "r", (descriptor) => this.#takeFrom(descriptor));
    return true;
  }

  /** Many in one append: 10 000 of their own take half a second. */
  setStamps(stamps: readonly (readonly [name: string, stamp: Stamp])[]): void {
    if (stamps.length > 0) this.#record(() => stamps.map(([name, stamp]) => stampLine(name, stamp)));
  }

  /** Records a success. What the step made before and makes no more is still known to be ours. */
  setTrace(step: string, trace: Trace): void {
    const outputs = new Set(trace.outputs.map(({ name }) => name));
    const gone = this.traces.get(step)?.outputs.filter(({ name }) => !outputs.has(name)) ?? [];
    const left = gone.map((made): Line => ["left", made.name, { ...made, step }]);
    this.#record(() => [...traceLines(step, trace, this.#textsThere), ...left]);
  }

  /** To be called before outputs get their names: should this process die right then, they are still known to be ours. */
  intend(step: string, outputs: readonly Made[]): void {
    this.#record(() => [["intent", step, outputs]]);
  }

  /** Forgets that dmake published anything under this name. */
  forget(name: string): void {
    const steps = new Set(this.made.of(name).map(({ step }) => step));
    this.#record(() => [["no-left", name], ...[...steps].flatMap((step) => this.#linesWithout(name, step))]);
  }

  /** Rewrites the file if most of it is superseded, or some of it damaged. One process at a time: two would lose what is written between. */
  async compact(): Promise<void> {
    if (this.#hasWritten && !this.#foreign) this.refresh();
    if (!this.#isWorthRewriting()) return;
    const lock = await takeLock(`${this.#path}.lock`, 0);
    if (lock.kind === "busy") return;
    try {
      this.refresh();
      if (this.#isWorthRewriting()) replace(this.#path, this.#live(), this.#read);
      this.#damaged = 0;
    } finally {
      lock.release();
    }
  }

  #isWorthRewriting(): boolean {
    if (!this.#writable || this.#foreign) return false;
    const live = this.stamps.size + this.traces.size + this.made.size + this.#texts.size;
    return this.#damaged > 0 || (this.#hasWritten && this.#lines - live >= Math.max(slack, live));
  }

  *#live(): Generator<string> {
    yield header;
    const there = new Set<string>();
    for (const step of this.traces.keys()) {
      const trace = this.traces.get(step);
      for (const line of trace ? traceLines(step, trace, there) : []) {
        if (line[0] === "text") there.add(line[1]);
        yield written(line);
      }
    }
    for (const line of this.made.lines()) yield written(line);
    for (const name of this.stamps.keys()) {
      const stamp = this.stamps.get(name);
      if (stamp) yield written(stampLine(name, stamp));
    }
  }

  #linesWithout(name: string, step: string): Line[] {
    const trace = this.traces.get(step);
    const outputs = trace?.outputs.filter((made) => made.name !== name) ?? [];
    if (!trace || outputs.length === trace.outputs.length) return [];
    return outputs.length === 0
      ? [["no-trace", step]]
      : traceLines(step, { ...trace, outputs }, this.#textsThere);
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
    const tail = this.#tail;
    this.#tail = "torn";
    const after = append(this.#path, (file) => {
      if (file.inode !== this.#read.inode) this.#textsThere.clear();
      const lines = make().map(written);
      for (const line of lines) this.#take(line.slice(0, -1));
      // A torn last line of a killed run must not swallow the first line of this one.
      const opening = file.size === 0 ? header : tail === "ended" ? "" : "\n";
      const text = opening + lines.join("");
      Object.assign(wrote, { inode: file.inode, from: file.size, bytes: Buffer.byteLength(text) });
      wrote.lines = lines.length + (file.size === 0 ? 1 : 0);
      return text;
    });
    this.#tail = "ended";
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
    this.#lines = 0;
    this.#damaged = 0;
    this.#textsThere.clear();
  }

  #takeFrom(descriptor: number): void {
    const isFirst = this.#read.bytes === 0;
    const found = { whole: 0, headers: [] as string[] };
    const { end, rest } = readLines(descriptor, this.#read.bytes, (text) => {
      if (text === "") return;
      this.#lines += 1;
      if (this.#take(text)) found.whole += 1;
      else this.#takeOther(text, found.headers);
    });
    this.#read = { ...this.#read, bytes: end };
    // All of a line but its end may have been written.
    this.#tail = rest === "" ? "ended" : this.#take(rest) ? "unended" : "torn";
    if (!isFirst) return;
    if (this.#tail === "unended") found.whole += 1;
    this.#foreign = found.headers.some((version) => !isCurrent(version)) || this.#isStrange(found, rest);
    if (this.#foreign) this.#forgetAll();
  }

  /** A line that is no record: a header, or a damaged one. */
  #takeOther(text: string, headers: string[]): void {
    const version = versionIn(text);
    if (version === undefined) this.#damaged += 1;
    else headers.push(version);
  }

  /** Whether nothing in the file is ours. A header that is damaged says nothing: whole lines then say whose they are. */
  #isStrange({ whole, headers }: { whole: number; headers: readonly string[] }, rest: string): boolean {
    if (whole > 0 || headers.length > 0) return false;
    return this.#lines > 0 || !header.startsWith(rest);
  }

  #forgetAll(): void {
    this.stamps.clear();
    this.traces.clear();
    this.made.clear();
    this.#damaged = 0;
    this.#tail = "ended";
  }

  /** Takes in one line, or answers that it is damaged. */
  #take(text: string): boolean {
    const line = lineIn(text);
    if (!line) return false;
    const { kind, key } = line;
    switch (kind) {
      case "text":
        this.#texts.set(key, textIn(text));
        this.#textsThere.add(key);
        return true;
      case "trace":
        this.traces.put(key, text);
        this.made.recorded(key, { aliases: namesOtherBytes(text) });
        return true;
      case "intent":
        this.made.intended(key, intentIn(text));
        return true;
      case "left":
        for (const made of leftIn(text)) this.made.leave(made);
        return true;
      case "no-trace":
        this.traces.delete(key);
        return true;
      case "no-left":
        this.made.dropLeft(key);
        return true;
      case "stamp":
        this.stamps.put(key, text);
        return true;
    }
  }
}
