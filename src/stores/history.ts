// Keeps what is known of every attempt in `.dmake/history.ndjson`, for people to read. Knows nothing of what is stale.
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
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
}

/** Some 60 000 attempts; with the file before it, the history of a year of hourly builds of ten targets. */
const longestBytes = 32 * 2 ** 20;

/**
 * The history of a project: one attempt a line, appended, of all runs. When the file is full it becomes
 * `history.old.ndjson` in place of the one before. A disk that refuses costs lines and nothing else: no build may fail
 * for what is only there to be read.
 */
export function createHistory(options: HistoryOptions): History {
  return {
    note: (ended) => {
      try {
        append(options, ended);
      } catch {
        // A full or read-only disk. What was made is recorded elsewhere.
      }
    },
  };
}

function append({ directory, run, longestBytes: most = longestBytes }: HistoryOptions, ended: Ended): void {
  const path = join(directory, "history.ndjson");
  const line = Buffer.from(`${JSON.stringify({ run, ...ended })}\n`);
  let descriptor = open(path, directory);
  try {
    if (fstatSync(descriptor).size + line.length > most && moveAway(path, descriptor)) {
      closeSync(descriptor);
      descriptor = open(path, directory);
    }
    writeSync(descriptor, endsInLine(descriptor) ? line : Buffer.concat([Buffer.from("\n"), line]));
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
