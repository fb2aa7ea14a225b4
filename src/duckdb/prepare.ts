// Makes a text file readable by DuckDB without loss: what it is checked by its first bytes, unpacked whole, in UTF-8. Knows nothing of columns.
import { createReadStream, createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Transform, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as zlib from "node:zlib";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { contradiction, headBytes, magicOf, tailBytes } from "../core/magic.js";
import type { CsvOptions } from "../core/rule.js";
import { LineEnds } from "./line-ends.js";
import type { Session } from "./session.js";

export interface Prepared {
  /** Plain UTF-8: the file itself, or a copy in the session's folder. */
  readonly path: string;
  readonly lineEnds: LineEnds;
}

const chunkBytes = 1 << 20;
const beginningBytes = 256 * 1024;

/** What the name promises must be what the bytes are. `bytes` are the first ones, for whoever goes on reading. */
export async function checkedHead(file: string): Promise<Result<Buffer>> {
  const handle = await open(file).catch((error: NodeJS.ErrnoException) => error);
  if (handle instanceof Error)
    return fail({ reason: "io", doing: "read", path: file, code: handle.code ?? handle.message });
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    const tail = await handle.read(Buffer.alloc(tailBytes), 0, tailBytes, Math.max(0, size - tailBytes));
    const head = buffer.subarray(0, bytesRead);
    const wrong = contradiction(file, head, tail.buffer.subarray(0, tail.bytesRead));
    if (wrong && wrong.found !== "empty")
      return fail({ reason: "not-that-format", file, expected: wrong.expected, found: wrong.found });
    return ok(head);
  } finally {
    await handle.close();
  }
}

/**
 * DuckDB reads a gzip or zstd file that is cut short, or whose checksum is wrong, to its end without a word: rows are
 * lost. So packed files are unpacked here, by zlib, which checks both; DuckDB then reads the plain copy with all its
 * threads, which makes up for most of the time. The copy needs the file's unpacked size on disk.
 */
export async function prepareText(
  session: Session,
  file: string,
  head: Buffer,
  encoding: CsvOptions["encoding"],
  signal?: AbortSignal,
): Promise<Result<Prepared>> {
  const decoding = decodersOf(file, head, encoding, chunkBytes);
  if (!decoding.ok) return decoding;
  const lineEnds = new LineEnds();
  const path = decoding.value.length > 0 ? join(session.folder, `${crypto.randomUUID()}.txt`) : file;
  const source = createReadStream(file, { highWaterMark: chunkBytes });
  const sink = path === file ? nowhere() : createWriteStream(path, { highWaterMark: chunkBytes });
  try {
    await pipeline([source, ...decoding.value, observe(lineEnds), sink], signal ? { signal } : {});
    return ok({ path, lineEnds });
  } catch (error) {
    return fail(asFailure(file, error, signal));
  }
}

export interface Beginning {
  readonly text: string;
  /** Whether it is all there is. */
  readonly whole: boolean;
}

/** The first 256 kB, unpacked and decoded; a character cut in two at the end comes out as another. */
export async function firstText(
  file: string,
  head: Buffer,
  encoding: CsvOptions["encoding"],
): Promise<Result<Beginning>> {
  const decoding = decodersOf(file, head, encoding, beginningBytes);
  if (!decoding.ok) return decoding;
  const chunks: Buffer[] = [];
  let length = 0;
  const enough = new AbortController();
  const collect = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > beginningBytes) enough.abort();
      done();
    },
  });
  try {
    const source = createReadStream(file, { highWaterMark: beginningBytes });
    await pipeline([source, ...decoding.value, collect], { signal: enough.signal });
  } catch (error) {
    if (!enough.signal.aborted) return fail(asFailure(file, error));
  }
  const text = Buffer.concat(chunks).toString("utf8", 0, beginningBytes);
  return ok({ text, whole: !enough.signal.aborted });
}

/** Whether DuckDB can read the file's text as it is, unpacking it itself. */
export const isUtf8 = (head: Buffer, encoding: CsvOptions["encoding"]): boolean =>
  encodingOf(head, encoding) === "utf-8";

const encodingOf = (head: Buffer, encoding: CsvOptions["encoding"]): NonNullable<CsvOptions["encoding"]> =>
  encoding ?? (magicOf(head) === "text" && isUtf16(head) ? "utf-16" : "utf-8");

/** What has to be done with a file's bytes to make them plain UTF-8, in order. */
function decodersOf(
  file: string,
  head: Buffer,
  encoding: CsvOptions["encoding"],
  chunkSize: number,
): Result<readonly Transform[]> {
  const magic = magicOf(head);
  const unpack = unpacker(magic, chunkSize);
  if (magic === "zstd" && !unpack) {
    const message = "reading zstd needs Node 22.15 or newer: unpack it with `zstd -d`";
    return fail({ reason: "data-engine", file, message });
  }
  const decode = decoder(encodingOf(head, encoding), head);
  return ok([unpack, decode].filter((stage) => stage !== undefined));
}

function unpacker(magic: string, chunkSize: number): Transform | undefined {
  if (magic === "gzip") return zlib.createGunzip({ chunkSize });
  // Since Node 22.15; the types are those of Node 20.
  const { createZstdDecompress } = zlib as { createZstdDecompress?: (options: object) => Transform };
  return magic === "zstd" ? createZstdDecompress?.({ chunkSize }) : undefined;
}

const isUtf16 = (head: Buffer): boolean =>
  (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff);

/** Nothing for UTF-8, which DuckDB checks itself. Of UTF-16, little-endian is meant unless a mark says otherwise. */
function decoder(encoding: NonNullable<CsvOptions["encoding"]>, head: Buffer): Transform | undefined {
  if (encoding === "utf-8") return undefined;
  const bigEndian = head[0] === 0xfe && head[1] === 0xff;
  const utf16 =
    encoding === "utf-16" ? new TextDecoder(bigEndian ? "utf-16be" : "utf-16le", { fatal: true }) : undefined;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        done(null, utf16 ? utf16.decode(chunk, { stream: true }) : chunk.toString("latin1"));
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done) {
      try {
        done(null, utf16?.decode());
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

const nowhere = (): Writable => new Writable({ write: (_chunk, _encoding, done) => done() });

function observe(lineEnds: LineEnds): Transform {
  return new Transform({
    highWaterMark: chunkBytes,
    transform(chunk: Buffer, _encoding, done) {
      lineEnds.note(chunk);
      done(null, chunk);
    },
  });
}

function asFailure(file: string, error: unknown, signal?: AbortSignal): Failure {
  if (signal?.aborted) return { reason: "interrupted" };
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "Z_BUF_ERROR")
    return { reason: "not-that-format", file, expected: "gzip", found: "gzip that ends in the middle" };
  if (code?.startsWith("Z_") || code?.startsWith("ZSTD_"))
    return {
      reason: "not-that-format",
      file,
      expected: "a whole one",
      found: `a damaged packed file (${message})`,
    };
  if (code === "ERR_ENCODING_INVALID_ENCODED_DATA")
    return { reason: "bad-row", file, problem: "it holds bytes that are no UTF-16" };
  if (code) return { reason: "io", doing: "unpack", path: file, code };
  throw error;
}
