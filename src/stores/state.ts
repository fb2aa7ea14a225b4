// The file `.dmake/state.ndjson`: stamps with digests, and the records of successes, one line each, appended. Knows nothing of what they mean.
import {
  appendFileSync,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import type { Digest, Trace } from "../core/trace.js";

/** What a file looked like when its digest was taken. All but the digest are compared for equality only, as exact decimal text. */
export interface Stamp {
  readonly size: string;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
  readonly inode: string;
  readonly device: string;
  readonly digest: Digest;
}

type Line =
  | readonly ["dmake-state", number]
  | readonly ["stamp", string, string, string, string, string, string, Digest]
  | readonly ["trace", string, Trace];

const format = 1;
const header: Line = ["dmake-state", format];
/** Dead lines that are worth a rewrite; below that, reading them costs less than a millisecond. */
const slack = 2_000;

/**
 * Lives for one process. An append is one write of whole lines, so that a kill leaves at most one torn last line; such
 * a line, or any other that cannot be read, is dropped: what it recorded is then stale, never wrongly fresh.
 */
export class State {
  readonly stamps = new Map<string, Stamp>();
  readonly traces = new Map<string, Trace>();
  readonly #path: string;
  /** How much of which file has been read: up to the end of a whole line. */
  #read = { inode: 0n, bytes: 0 };
  #lines = 0;
  #ready = false;
  #torn = false;
  #foreign = false;

  constructor(path: string) {
    this.#path = path;
    this.refresh();
  }

  /** Takes in what other processes have written since. Answers whether there was anything. */
  refresh(): boolean {
    const stats = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    if (!stats) return false;
    // Another file: somebody has rewritten it, or cut it short.
    if (stats.ino !== this.#read.inode || stats.size < BigInt(this.#read.bytes)) {
      this.#read = { inode: stats.ino, bytes: 0 };
      this.#lines = 0;
    }
    if (stats.size === BigInt(this.#read.bytes)) return false;
    this.#takeAll(textFrom(this.#path, this.#read.bytes));
    return true;
  }

  setStamp(name: string, stamp: Stamp): void {
    this.stamps.set(name, stamp);
    const { size, mtimeNs, ctimeNs, inode, device, digest } = stamp;
    this.#append(["stamp", name, size, mtimeNs, ctimeNs, inode, device, digest]);
  }

  setTrace(step: string, trace: Trace): void {
    this.traces.set(step, trace);
    this.#append(["trace", step, trace]);
  }

  /** Rewrites the file if most of it is superseded. */
  compact(): void {
    if (this.#ready) this.refresh();
    const live = this.stamps.size + this.traces.size;
    if (!this.#ready || this.#lines - live < Math.max(slack, live)) return;
    const lines: Line[] = [header];
    for (const [name, s] of this.stamps)
      lines.push(["stamp", name, s.size, s.mtimeNs, s.ctimeNs, s.inode, s.device, s.digest]);
    for (const [step, trace] of this.traces) lines.push(["trace", step, trace]);
    const next = `${this.#path}.${process.pid}.tmp`;
    writeFileSync(next, lines.map(written).join(""));
    renameSync(next, this.#path);
  }

  #append(line: Line): void {
    if (!this.#ready) this.#open();
    // Counted when it is read again, with what others have appended.
    appendFileSync(this.#path, written(line));
  }

  #open(): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    // Of another version of dmake: kept aside for a person to see, and everything is stale.
    if (this.#foreign) renameSync(this.#path, `${this.#path}.old`);
    // A torn last line of a killed run must not swallow the first line of this one.
    if (this.#torn) appendFileSync(this.#path, "\n");
    if (this.#foreign || this.#lines === 0) appendFileSync(this.#path, written(header));
    this.#ready = true;
  }

  #takeAll(text: string): void {
    const lines = text.split("\n");
    const rest = lines.pop() ?? "";
    if (this.#read.bytes === 0) {
      const opening = parsed(lines[0] ?? rest);
      this.#foreign = opening?.[0] !== "dmake-state" || opening[1] !== format;
    }
    this.#read.bytes += Buffer.byteLength(text) - Buffer.byteLength(rest);
    // A foreign file is put aside whole, so nothing of it is torn.
    this.#torn = !this.#foreign && rest !== "";
    if (this.#foreign) return;
    for (const text of lines) {
      const line = parsed(text);
      if (line) this.#take(line);
      this.#lines += 1;
    }
  }

  #take(line: Line): void {
    switch (line[0]) {
      case "dmake-state":
        return;
      case "stamp": {
        const [, name, size, mtimeNs, ctimeNs, inode, device, digest] = line;
        this.stamps.set(name, { size, mtimeNs, ctimeNs, inode, device, digest });
        return;
      }
      case "trace":
        this.traces.set(line[1], line[2]);
    }
  }
}

/** What a file holds from a byte on. Read whole, 10 000 records would be read 10 000 times over in one build. */
function textFrom(path: string, start: number): string {
  const descriptor = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(fstatSync(descriptor).size - start);
    return bytes.toString("utf8", 0, readSync(descriptor, bytes, 0, bytes.length, start));
  } finally {
    closeSync(descriptor);
  }
}

const written = (line: Line): string => `${JSON.stringify(line)}\n`;

function parsed(text: string): Line | undefined {
  try {
    const line: unknown = JSON.parse(text);
    return Array.isArray(line) && isLine(line) ? line : undefined;
  } catch {
    return undefined;
  }
}

function isLine(line: readonly unknown[]): line is Line {
  if (line[0] === "stamp") return line.length === 8 && line.every((field) => typeof field === "string");
  if (line[0] === "trace") return typeof line[1] === "string" && isTrace(line[2]);
  return line[0] === "dmake-state";
}

function isTrace(value: unknown): value is Trace {
  const trace = value as Partial<Trace> | null;
  return (
    typeof trace === "object" &&
    trace !== null &&
    typeof trace.recipe === "object" &&
    trace.recipe !== null &&
    areDigests(trace.inputs) &&
    areDigests(trace.outputs) &&
    typeof trace.checkedAt === "string" &&
    typeof trace.facts === "object" &&
    trace.facts !== null
  );
}

const areDigests = (list: unknown): boolean =>
  Array.isArray(list) &&
  list.every((one) => typeof one?.name === "string" && typeof one?.digest === "string");
