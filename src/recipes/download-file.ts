// Copies a file of this machine into a sink. Knows nothing of networks or of what the bytes mean.
import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { ioFailure } from "./download-failure.js";
import type { HashedFile } from "./download-sink.js";

/** 1 GB took 1.3 s with a megabyte at a time and 2.0 s with a quarter of one (2 busy cores, memory file system). */
const chunkBytes = 1024 * 1024;

export interface Copy {
  readonly path: string;
  /** As shown to people. */
  readonly url: string;
  readonly retries: number;
  readonly signal: AbortSignal;
  readonly log: (text: string) => void;
  readonly progress: (done: number, total: number) => void;
}

/**
 * The path of a `file:` URL; nothing for one of another machine. `file:data/raw` without a slash is relative to the root, where the URL
 * standard would take it for `/data/raw`.
 */
export function pathOf(url: string): string | undefined {
  const relative = /^file:(?![\\/])(.+)$/i.exec(url)?.[1];
  try {
    const path = relative === undefined ? fileURLToPath(url) : decodeURIComponent(relative);
    return path.includes("\0") ? undefined : path;
  } catch (error) {
    if (error instanceof TypeError || error instanceof URIError) return undefined;
    throw error;
  }
}

/** Copies the file whole. One that changes meanwhile is copied again, and is a failure if it does not settle. */
export async function copyFile(copy: Copy, sink: HashedFile): Promise<Result<void>> {
  const { path, url, retries, signal, log } = copy;
  for (let tries = 0; ; tries++) {
    const done = await attempt(copy, sink);
    if (signal.aborted) return fail({ reason: "interrupted" });
    if (!done.ok)
      return done.error.reason === "io" && done.error.code === "ENOENT"
        ? fail({ reason: "source-missing", path, url })
        : done;
    if (done.value.settled) return ok(undefined);
    if (tries >= retries)
      return fail({
        reason: "download-incomplete",
        url,
        expectedBytes: done.value.size,
        receivedBytes: sink.length,
        attempts: tries + 1,
      });
    log("the file changed while it was copied; copying it again\n");
    await sink.restart();
  }
}

const stamps = ["size", "mtimeNs", "ctimeNs", "ino", "dev"] as const;

async function attempt(copy: Copy, sink: HashedFile): Promise<Result<{ settled: boolean; size: number }>> {
  const { path, url } = copy;
  const noFile: Failure = { reason: "unsupported-url", url, problem: "it is no regular file" };
  try {
    // Before it is opened: some devices do something when they are. A pipe that is put there meanwhile is not waited for.
    const there = await stat(path);
    if (there.isDirectory()) return fail({ reason: "io", doing: "read", path, code: "EISDIR" });
    if (!there.isFile()) return fail(noFile);
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const before = await file.stat({ bigint: true });
      if (!before.isFile()) return fail(noFile);
      const failed = await pour(file, sink, copy, Number(before.size));
      if (failed) return failed;
      const after = await stat(path, { bigint: true });
      const same = stamps.every((stamp) => before[stamp] === after[stamp]);
      return ok({ settled: same && BigInt(sink.length) === after.size, size: Number(after.size) });
    } finally {
      await file.close();
    }
  } catch (error) {
    return fail(ioFailure("read", path, error));
  }
}

async function pour(file: FileHandle, sink: HashedFile, { signal, progress }: Copy, size: number) {
  for (;;) {
    // One byte more than it should have tells that it has grown. Some of `/proc` say 0 and have no end.
    const wanted = Math.min(chunkBytes, size + 1 - sink.length);
    if (wanted <= 0) return undefined;
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafeSlow(wanted), 0, wanted);
    if (bytesRead === 0 || signal.aborted) return undefined;
    const room = sink.write(buffer.subarray(0, bytesRead));
    if (room) await room;
    if (sink.failure) return fail(sink.failure);
    progress(sink.length, size);
  }
}
