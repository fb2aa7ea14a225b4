// Has large files read in threads of their own, when there are enough of them to be worth the threads. Knows nothing of what is remembered.
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import type { EndSpan, Spans } from "../core/spans.js";
import { type Reading, readInTurns, readNow } from "./file-hash.js";

/**
 * Two threads take 55 ms to start and then 0.39 s a GB, where one takes 0.68: they win from 200 MB on.
 * Below that, and for a file that is alone, no thread is started.
 */
const worthBytes = 256 << 20;
/** More would only make the disk seek. */
const threadsAtMost = 4;

interface Work {
  readonly path: string;
  readonly bytes: number;
  readonly done: (reading: Reading) => void;
  readonly failed: (error: unknown) => void;
  /** Set while it is read, if somebody wants to know how long that takes. */
  ended?: EndSpan | undefined;
}

type Answer = { readonly reading: Reading } | { readonly code: string };

/** Lives for one process, which it does not keep alive when nothing is being read. */
export class HashThreads {
  readonly #waiting: Work[] = [];
  /** Thread → what it reads. */
  readonly #threads = new Map<Worker, Work | undefined>();
  readonly #closing = new AbortController();
  /** What is being read without a thread. */
  #here: Promise<void> | undefined;
  #canStart = availableParallelism() > 1;
  readonly #spans: Spans | undefined;

  constructor(spans?: Spans) {
    this.#spans = spans;
  }

  /** How many have been started and still live. */
  get started(): number {
    return this.#threads.size;
  }

  /** Reads a file of about so many bytes when it is its turn. Rejects with what the file system throws. */
  read(path: string, bytes: number): Promise<Reading> {
    return new Promise((done, failed) => {
      this.#waiting.push({ path, bytes, done, failed });
      this.#next();
    });
  }

  /** Ends the threads. What is still being read is `stopped`. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const work of [...this.#waiting.splice(0), ...this.#threads.values()])
      work?.done({ kind: "stopped" });
    const threads = [...this.#threads.keys()];
    this.#threads.clear();
    await Promise.all([this.#here, ...threads.map((thread) => thread.terminate())]);
  }

  #next(): void {
    if (this.#closing.signal.aborted) {
      for (const work of this.#waiting.splice(0)) work.done({ kind: "stopped" });
      return;
    }
    if (this.#isWorthThreads()) this.#start();
    for (const [thread, busy] of this.#threads) {
      const work = busy ? undefined : this.#waiting.shift();
      if (work) this.#give(thread, work);
    }
    if (this.#threads.size > 0 || this.#here) return;
    const work = this.#waiting.shift();
    if (work) this.#here = this.#readHere(work);
  }

  #isWorthThreads(): boolean {
    if (!this.#canStart || this.#threads.size > 0 || this.#waiting.length < 2) return false;
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes, 0) >= worthBytes;
  }

  #start(): void {
    const count = Math.min(availableParallelism(), threadsAtMost);
    for (let i = 0; i < count; i += 1) {
      const thread = newThread();
      if (!thread) {
        this.#canStart = false;
        return;
      }
      thread.unref();
      thread.on("message", (answer: Answer) => this.#take(thread, answer));
      thread.on("error", () => this.#lose(thread));
      thread.on("exit", () => this.#lose(thread));
      this.#threads.set(thread, undefined);
    }
  }

  #give(thread: Worker, work: Work): void {
    this.#threads.set(thread, work);
    work.ended = this.#spans?.beside("hash", { file: work.path, bytes: work.bytes });
    thread.ref();
    thread.postMessage(work.path);
  }

  #take(thread: Worker, answer: Answer): void {
    const work = this.#threads.get(thread);
    if (!work) return;
    this.#threads.set(thread, undefined);
    thread.unref();
    work.ended?.();
    if ("reading" in answer) work.done(answer.reading);
    else work.failed(Object.assign(new Error(answer.code), { code: answer.code }));
    this.#next();
  }

  /** A thread that could not be started, as in a container that allows no more: its work is done without, and so is the rest. */
  #lose(thread: Worker): void {
    if (!this.#threads.has(thread)) return;
    const work = this.#threads.get(thread);
    this.#threads.delete(thread);
    this.#canStart = false;
    if (work) this.#waiting.unshift(work);
    this.#next();
  }

  async #readHere({ path, bytes, done, failed }: Work): Promise<void> {
    const ended = this.#spans?.beside("hash", { file: path, bytes });
    await readInTurns(path, this.#closing.signal).then(done, failed);
    ended?.();
    this.#here = undefined;
    this.#next();
  }
}

/** Tells our own threads from others in which this module may be loaded. */
const mark = "dmake reads files";

/** Nothing where the system allows no more threads. */
function newThread(): Worker | undefined {
  try {
    // Without the flags of this process: a module that it has loaded first may not be found, or be slow.
    return new Worker(new URL(import.meta.url), { workerData: mark, execArgv: [] });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_WORKER_INIT_FAILED") return undefined;
    throw error;
  }
}

/** What the thread does. Errors of the file system go back as codes; a bug ends the thread, and is thrown where the file is then read. */
function answer(path: string): Answer {
  try {
    return { reading: readNow(path) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code !== "string") throw error;
    return { code };
  }
}

if (!isMainThread && workerData === mark)
  parentPort?.on("message", (path: string) => parentPort?.postMessage(answer(path)));
