// Makes a text file readable by DuckDB without loss: what it is checked by its first bytes, unpacked whole, in UTF-8. Knows nothing of columns.
import { createReadStream, createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Readable, Transform, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as zlib from "node:zlib";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { contradiction, gunzipHead, headBytes, magicOf, tailBytes } from "../core/magic.js";
import type { CsvOptions } from "../core/rule.js";
import type { Spellings } from "./csv-spelling.js";
import { LineEnds } from "./line-ends.js";
import type { Session } from "./session.js";
import { DamagedZstd, unzstd } from "./unzstd.js";

export interface Prepared {
  /** Plain UTF-8: the file itself, or a copy in the session's folder. */
  readonly path: string;
  readonly lineEnds: LineEnds;
}

interface Watched {
  /** Ends the unpacking. */
  readonly signal?: AbortSignal | undefined;
  /** As `LineEnds` takes it. */
  readonly quote?: string;
  /** To be told of all bytes, and of their end. */
  readonly spellings?: Spellings | undefined;
}

const chunkBytes = 1 << 20;
const beginningBytes = 256 * 1024;

/** What the name promises must be what the bytes are. The answer is the first of them, for whoever goes on reading. */
export async function checkedHead(file: string): Promise<Result<Buffer>> {
  const read = await readHead(file);
  if (!read.ok) return read;
  const { head, tail } = read.value;
  const wrong = contradiction(file, head, tail);
  if (wrong && wrong.found !== "empty")
    return fail({ reason: "not-that-format", file, expected: wrong.expected, found: wrong.found });
  return ok(head);
}

async function readHead(file: string): Promise<Result<{ readonly head: Buffer; readonly tail: Buffer }>> {
  const handle = await open(file).catch((error: NodeJS.ErrnoException) => error);
  if (handle instanceof Error)
    return fail({ reason: "io", doing: "read", path: file, code: handle.code ?? handle.message });
  try {
    const { size } = await handle.stat();
    const head = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    const tail = await handle.read(Buffer.alloc(tailBytes), 0, tailBytes, Math.max(0, size - tailBytes));
    return ok({
      head: head.buffer.subarray(0, head.bytesRead),
      tail: tail.buffer.subarray(0, tail.bytesRead),
    });
  } finally {
    await handle.close();
  }
}

/** A file and where its bytes are, as they are to be read on. */
export interface Unpacked {
  readonly path: string;
  readonly head: Buffer;
}

/**
 * A zstd file is unpacked whole before anything else is done with it, since its beginning cannot be had alone. Others
 * stay as they are.
 */
export async function withoutZstd(
  session: Session,
  file: string,
  head: Buffer,
  signal?: AbortSignal,
): Promise<Result<Unpacked>> {
  if (magicOf(head) !== "zstd") return ok({ path: file, head });
  const path = join(session.folder, `${crypto.randomUUID()}.txt`);
  try {
    await pipeline([Readable.from(unzstd(file)), createWriteStream(path)], signal ? { signal } : {});
  } catch (error) {
    return fail(asFailure(file, error, signal));
  }
  const inside = await readHead(path);
  if (!inside.ok) return inside;
  const found = magicOf(inside.value.head);
  // The name without `.zst` must be kept as the name of a file that is not packed.
  const wrong = contradiction(file.replace(/\.\w+$/, ""), inside.value.head);
  return wrong && found !== "empty"
    ? fail({ reason: "not-that-format", file, expected: wrong.expected, found: wrong.found })
    : ok({ path, head: inside.value.head });
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
  { signal, quote, spellings }: Watched,
): Promise<Result<Prepared>> {
  const decoding = decodersOf(head, encoding, chunkBytes);
  const lineEnds = new LineEnds(quote);
  const path = decoding.length > 0 ? join(session.folder, `${crypto.randomUUID()}.txt`) : file;
  const source = createReadStream(file, { highWaterMark: chunkBytes });
  const sink = path === file ? nowhere() : createWriteStream(path, { highWaterMark: chunkBytes });
  try {
    await pipeline([source, ...decoding, observe(lineEnds, spellings), sink], signal ? { signal } : {});
    spellings?.end();
    const behind = await bytesBehind(file, decoding[0]);
    return behind ? fail(behind) : ok({ path, lineEnds });
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
  const decoding = decodersOf(head, encoding, beginningBytes);
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
    await pipeline([source, ...decoding, collect], { signal: enough.signal });
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
  encoding ?? (isUtf16(unpackedHead(head)) ? "utf-16" : "utf-8");

const unpackedHead = (head: Buffer): Uint8Array =>
  magicOf(head) === "gzip" ? (gunzipHead(head) ?? head) : head;

/** What has to be done with a file's bytes to make them plain UTF-8, in order. */
function decodersOf(
  head: Buffer,
  encoding: CsvOptions["encoding"],
  chunkSize: number,
): readonly (Transform | zlib.Gunzip)[] {
  const unpack = magicOf(head) === "gzip" ? zlib.createGunzip({ chunkSize }) : undefined;
  const decode = decoder(encodingOf(head, encoding), unpackedHead(head));
  return [unpack, decode].filter((stage) => stage !== undefined);
}

/**
 * zlib unpacks member after member, and stops without a word at a zero byte: what pads the file is nothing, but another
 * member may follow.
 */
async function bytesBehind(
  file: string,
  unpack: Transform | zlib.Gunzip | undefined,
): Promise<Failure | undefined> {
  if (!unpack || !("bytesWritten" in unpack)) return undefined;
  for await (const chunk of createReadStream(file, { start: unpack.bytesWritten }))
    if ((chunk as Buffer).some((byte) => byte !== 0))
      return {
        reason: "not-that-format",
        file,
        expected: "gzip",
        found: "gzip with something else behind it",
      };
  return undefined;
}

const isUtf16 = (head: Uint8Array): boolean =>
  (head[0] === 0xff && head[1] === 0xfe) || (head[0] === 0xfe && head[1] === 0xff);

/** Nothing for UTF-8, which DuckDB checks itself. Of UTF-16, little-endian is meant unless a mark says otherwise. */
function decoder(encoding: NonNullable<CsvOptions["encoding"]>, head: Uint8Array): Transform | undefined {
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

function observe(lineEnds: LineEnds, spellings: Spellings | undefined): Transform {
  return new Transform({
    highWaterMark: chunkBytes,
    transform(chunk: Buffer, _encoding, done) {
      lineEnds.note(chunk);
      spellings?.note(chunk);
      done(null, chunk);
    },
  });
}

function asFailure(file: string, error: unknown, signal?: AbortSignal): Failure {
  if (signal?.aborted) return { reason: "interrupted" };
  if (error instanceof DamagedZstd)
    return { reason: "not-that-format", file, expected: "zstd", found: `damaged zstd (${error.message})` };
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "Z_BUF_ERROR")
    return { reason: "not-that-format", file, expected: "gzip", found: "gzip that ends in the middle" };
  if (code?.startsWith("Z_"))
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
