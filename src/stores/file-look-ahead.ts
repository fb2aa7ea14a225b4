// Has many files looked at in a thread of its own, while whoever will ask for them still plans. Knows nothing of steps or records.
import { availableParallelism } from "node:os";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { isAsIn } from "./file-look.js";
import { namesIn, readColumns } from "./untouched-columns.js";

/** A thread takes 40 ms of a second core to start, in which one looks at as many files. */
const worthFiles = 5000;

/** What was seen of a file, by its number in the columns: nothing so far, what the columns say, anything else. */
export const looked = { notYet: 0, untouched: 1, touched: 2 } as const;

interface Work {
  /** Tells our own threads from others in which this module may be loaded. */
  readonly mark: "dmake looks at files";
  readonly path: string;
  readonly seal: number;
  readonly answers: Uint8Array;
}

/**
 * An answer a file: filled from the last to the first by a thread, where there are enough files and a core for it, and by
 * whoever asks for a file that is not looked at yet. Both see the same, so neither waits for the other.
 */
export function lookAhead(path: string, seal: number, files: number): Uint8Array {
  const answers = new Uint8Array(new SharedArrayBuffer(files));
  if (files < worthFiles || availableParallelism() < 2) return answers;
  const work: Work = { mark: "dmake looks at files", path, seal, answers };
  try {
    // Without the flags of this process: a module that it has loaded first may not be found, or be slow.
    const thread = new Worker(new URL(import.meta.url), { workerData: work, execArgv: [] });
    thread.unref();
    // What it has not looked at is looked at without it, and a bug is thrown there.
    thread.on("error", () => undefined);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_WORKER_INIT_FAILED") throw error;
  }
  return answers;
}

function look({ path, seal, answers }: Work): void {
  const columns = readColumns(path);
  // Another process may have put its own in the place of what was read.
  if (columns?.seal !== seal) return;
  for (let step = columns.fileEnds.length - 1; step >= 0; step -= 1) {
    let file: number = step === 0 ? 0 : (columns.fileEnds[step - 1] ?? 0);
    for (const name of namesIn(columns, step)) {
      const number = columns.files[file] ?? 0;
      if (answers[number] === looked.notYet)
        answers[number] = isAsIn(columns.looks, number, name) ? looked.untouched : looked.touched;
      file += 1;
    }
  }
}

const isOurs = (work: unknown): work is Work => (work as Work | null)?.mark === "dmake looks at files";

if (!isMainThread && isOurs(workerData)) look(workerData);
