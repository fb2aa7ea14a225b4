// Keeps what is known of every attempt in `.dmake/history.ndjson`, for people to read, and reads it back. Knows nothing of what is stale.
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Ended } from "../core/trace.js";
import type { History } from "../engine/ports.js";

interface HistoryOptions {
  /** `.dmake`, as a path. */
  readonly directory: string;
  /** The id of this run. */
  readonly run: string;
  /** How long the file may become. A test's affair. */
  readonly longestBytes?: number;
  /** Has lines written a moment later, those of all attempts that end meanwhile in one append. Left out, each is written at once. */
  readonly later?: (write: () => void) => void;
}

export interface WrittenHistory extends History {
  /** Writes what was to be written later. To be called before the process ends. */
  flush(): void;
}

/** Some 60 000 attempts; with the file before it, the history of a year of hourly builds of ten targets. */
const longestBytes = 32 * 2 ** 20;

/**
 * The history of a project: one attempt a line, appended, of all runs. When the file is full it becomes
 * `history.old.ndjson` in place of the one before. A disk that refuses costs lines and nothing else: no build may fail
 * for what is only there to be read.
 */
export function createHistory(options: HistoryOptions): WrittenHistory {
  const { run, later = (write) => write() } = options;
  let lines = "";
  const write = () => {
    const text = lines;
    lines = "";
    if (text === "") return;
    try {
      append(options, Buffer.from(text));
    } catch {
      // A full or read-only disk. What was made is recorded elsewhere.
    }
  };
  return {
    note: (ended) => {
      const isFirst = lines === "";
      lines += `${JSON.stringify({ run, ...ended })}\n`;
      if (isFirst) later(write);
    },
    flush: write,
  };
}

/** What is known of every attempt, the newest first. Lines that no dmake wrote whole are passed over. */
export function* attemptsIn(directory: string): Generator<Ended> {
  for (const line of linesIn(directory)) {
    const ended = parsed(line);
    if (ended) yield ended;
  }
}

/** Step → its last attempt, of all runs in this project. */
export function lastAttempts(directory: string): ReadonlyMap<string, Ended> {
  const last = new Map<string, Ended>();
  for (const line of linesIn(directory)) {
    // Of 120 000 lines most are of steps that were seen: to read their names alone takes a tenth of the time.
    const [, name] = namedStep.exec(line) ?? [];
    if (name !== undefined && last.has(JSON.parse(name))) continue;
    const ended = parsed(line);
    if (ended && !last.has(ended.step)) last.set(ended.step, ended);
  }
  return last;
}

/** Within a text of JSON its quotes would have a backslash before them. */
const namedStep = /"step":("(?:[^"\\]|\\.)*")/;

/** The newest first. */
function* linesIn(directory: string): Generator<string> {
  for (const name of ["history.ndjson", "history.old.ndjson"]) {
    const text = textOf(join(directory, name));
    for (let end = text.length; end > 0; ) {
      const start = text.lastIndexOf("\n", end - 1) + 1;
      if (start < end) yield text.slice(start, end);
      end = start - 1;
    }
  }
}

/** Nothing where there is none, or none that can be read: nothing is judged by it. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function parsed(line: string): Ended | undefined {
  try {
    const ended: Partial<Ended> | null = JSON.parse(line);
    return typeof ended?.step === "string" && typeof ended.outcome === "string"
      ? (ended as Ended)
      : undefined;
  } catch {
    return undefined;
  }
}

function append({ directory, longestBytes: most = longestBytes }: HistoryOptions, lines: Buffer): void {
  const path = join(directory, "history.ndjson");
  let descriptor = open(path, directory);
  try {
    if (fstatSync(descriptor).size + lines.length > most && moveAway(path, descriptor)) {
      closeSync(descriptor);
      descriptor = open(path, directory);
    }
    writeSync(descriptor, endsInLine(descriptor) ? lines : Buffer.concat([Buffer.from("\n"), lines]));
  } finally {
    closeSync(descriptor);
  }
}

function open(path: string, directory: string): number {
  try {
    return openSync(path, "a+");
  } catch {
    mkdirSync(directory, { recursive: true });
    return openSync(path, "a+");
  }
}

/** Whether there was something to move. Not if another run has done so since we opened it. */
function moveAway(path: string, descriptor: number): boolean {
  const { ino, size } = fstatSync(descriptor);
  if (size > 0 && statSync(path).ino === ino) renameSync(path, path.replace(/\.ndjson$/, ".old.ndjson"));
  return size > 0;
}

/** A run that was killed, or a full disk, may have left half a line. */
function endsInLine(descriptor: number): boolean {
  const { size } = fstatSync(descriptor);
  if (size === 0) return true;
  const last = Buffer.alloc(1);
  readSync(descriptor, last, 0, 1, size - 1);
  return last[0] === 0x0a;
}
