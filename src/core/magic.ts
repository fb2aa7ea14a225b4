// Says what a file is from its first bytes and what its name promises, and whether the two agree. Knows nothing of where the bytes are.
import { constants, gunzipSync } from "node:zlib";

/** What the first bytes of a file say that it is. */
export type Magic =
  | "parquet"
  | "gzip"
  | "zstd"
  | "zip"
  | "bzip2"
  | "xz"
  | "pdf"
  | "html"
  | "xml"
  | "json"
  | "git-lfs pointer"
  | "text"
  | "binary"
  | "empty";

/** What the end of a file's name says that it is. */
export type Promised =
  | "parquet"
  | "gzip"
  | "zstd"
  | "zip"
  | "bzip2"
  | "xz"
  | "pdf"
  | "html"
  | "xml"
  | "json"
  | "csv"
  | "text";

/** The name says `expected`, the bytes say `found`. Both are words for a message. */
export interface Contradiction {
  readonly expected: Promised;
  readonly found: Magic | "parquet without its end" | "damaged gzip";
}

/** How many of a file's first bytes `contradiction` wants to see: enough for the comments some error pages begin with. */
export const headBytes = 4096;
/** How many of its last bytes: the closing word of a parquet file. */
export const tailBytes = 4;

/** The first bytes of formats that have their own. `PARE` is a parquet file with an encrypted footer. */
const signatures: readonly (readonly [Magic, readonly number[]])[] = [
  ["parquet", [0x50, 0x41, 0x52, 0x31]],
  ["parquet", [0x50, 0x41, 0x52, 0x45]],
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["zip", [0x50, 0x4b, 0x03, 0x04]],
  ["zip", [0x50, 0x4b, 0x05, 0x06]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["pdf", [0x25, 0x50, 0x44, 0x46, 0x2d]],
];

const startsWith = (bytes: Uint8Array, wanted: readonly number[]): boolean =>
  bytes.length >= wanted.length && wanted.every((byte, at) => bytes[at] === byte);

/**
 * What a file is, going by its first bytes. The more of them the better, up to `headBytes`; none at all is `empty`.
 * Text is anything that is not mostly control characters, in UTF-8, Latin-1 or UTF-16.
 */
export function magicOf(head: Uint8Array): Magic {
  if (head.length === 0) return "empty";
  const signed = signatures.find(([, wanted]) => startsWith(head, wanted));
  if (signed) return signed[0];
  const text = decode(head);
  if (text === undefined) return "binary";
  return markupOf(text.trimStart()) ?? "text";
}

function markupOf(text: string): Magic | undefined {
  if (/^version https?:\/\/git-(lfs|media)\.[^\n]*\/v\d/.test(text)) return "git-lfs pointer";
  const bare = text.replace(/^(<!--[\s\S]*?(-->|$)\s*)+/, "");
  if (/^<(!doctype\s+html|html|head|body|title|meta|script)\b/i.test(bare)) return "html";
  if (/^<\?xml[\s?]/i.test(bare)) return /<!doctype\s+html|<html[\s>]/i.test(bare) ? "html" : "xml";
  // A header such as `<TICKER>,<DATE>` is a CSV of some exchanges; markup closes what it opens.
  if (/^<[a-z_][\w.:-]*(\s[^<>]*)?>/i.test(bare) && /<\/[a-z_]|\/>/i.test(bare)) return "xml";
  // Objects only: `[1]` and `"a"` may as well begin a row of a CSV without header.
  if (/^(\[\s*)?\{\s*(\}\s*$|"([^"\\]|\\.)*"\s*:)/.test(bare)) return "json";
  return undefined;
}

/** Nothing for bytes that are no text. UTF-16 is told by its mark, or by the NULs that western text has in it. */
function decode(head: Uint8Array): string | undefined {
  const even = head.subarray(0, head.length & ~1);
  if (startsWith(head, [0xff, 0xfe])) return Buffer.from(even.subarray(2)).toString("utf16le");
  if (startsWith(head, [0xfe, 0xff])) return Buffer.from(even.subarray(2)).swap16().toString("utf16le");
  if (head.length >= 8 && zerosAt(head, 1) > 0.9 && zerosAt(head, 0) === 0)
    return Buffer.from(even).toString("utf16le");
  if (head.length >= 8 && zerosAt(head, 0) > 0.9 && zerosAt(head, 1) === 0)
    return Buffer.from(even).swap16().toString("utf16le");
  // Random bytes are 9 % control characters; a text with a stray NUL is left for the reader, who can name its line.
  if (controls(head) > head.length * 0.05) return undefined;
  return new TextDecoder("utf-8").decode(head);
}

/** The share of NULs among the bytes at even (0) or odd (1) places. */
function zerosAt(bytes: Uint8Array, parity: 0 | 1): number {
  let zeros = 0;
  for (let at = parity; at < bytes.length; at += 2) if (bytes[at] === 0) zeros++;
  return zeros / Math.max(1, Math.floor((bytes.length + 1 - parity) / 2));
}

/** Characters that no table of text has much of. Tab to CR, ESC, the separators 1C to 1F and 01, which Hive uses, do not count. */
function controls(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) {
    if (byte < 0x20 && !(byte >= 0x09 && byte <= 0x0d) && byte !== 0x01 && byte < 0x1a) count++;
  }
  return count;
}

const promises: Readonly<Record<string, Promised>> = {
  parquet: "parquet",
  pq: "parquet",
  gz: "gzip",
  gzip: "gzip",
  tgz: "gzip",
  zst: "zstd",
  zstd: "zstd",
  zip: "zip",
  xlsx: "zip",
  bz2: "bzip2",
  xz: "xz",
  pdf: "pdf",
  html: "html",
  htm: "html",
  xml: "xml",
  json: "json",
  geojson: "json",
  ndjson: "json",
  jsonl: "json",
  csv: "csv",
  tsv: "csv",
  psv: "csv",
  tab: "csv",
  txt: "text",
};

/** What each promise is kept by. Text that is no table and text that is one look alike, and an empty table is still a table. */
const keptBy: Readonly<Record<Promised, readonly Magic[]>> = {
  parquet: ["parquet"],
  gzip: ["gzip"],
  zstd: ["zstd"],
  zip: ["zip"],
  bzip2: ["bzip2"],
  xz: ["xz"],
  pdf: ["pdf"],
  html: ["html", "xml", "text"],
  xml: ["xml", "html", "text"],
  json: ["json", "text"],
  csv: ["text", "empty"],
  text: ["text", "json", "empty"],
};

/** What a name's extensions promise, the outermost first: `a.csv.gz` is gzip around csv. An extension not known ends the list. */
export function promisedBy(name: string): readonly Promised[] {
  const parts = name
    .slice(name.lastIndexOf("/") + 1)
    .toLowerCase()
    .split(".")
    .slice(1)
    .reverse();
  const unknown = parts.findIndex((part) => promises[part] === undefined);
  return parts.slice(0, unknown < 0 ? parts.length : unknown).map((part) => promises[part]!);
}

/**
 * Where what a file is called and what it is cannot both be true, as a web page called `.parquet`.
 *
 * `head` holds the first bytes, `headBytes` of them if there are as many; `tail` the last ones, without which a parquet
 * file that is cut short passes. Looks through gzip: a web page in a `.csv.gz` is found. A name that promises nothing is never wrong.
 */
export function contradiction(name: string, head: Uint8Array, tail?: Uint8Array): Contradiction | undefined {
  const [outer, inner] = promisedBy(name);
  if (outer === undefined) return undefined;
  const found = magicOf(head);
  if (!keptBy[outer].includes(found)) return { expected: outer, found };
  if (found === "parquet" && tail && !startsWith(tail.subarray(-4), [...head.subarray(0, 4)]))
    return { expected: outer, found: "parquet without its end" };
  if (found !== "gzip") return undefined;
  const content = gunzipHead(head);
  if (content === undefined) return { expected: outer, found: "damaged gzip" };
  if (inner === undefined) return undefined;
  const within = magicOf(content);
  return keptBy[inner].includes(within) ? undefined : { expected: inner, found: within };
}

/** The first bytes of what a gzip file holds, from its own first bytes. Nothing where they are no valid gzip. */
export function gunzipHead(head: Uint8Array): Uint8Array | undefined {
  try {
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, headBytes);
  } catch {
    return undefined;
  }
}

/** The characters that can be shown of the beginning of a file, on one line. */
export const printable = (head: Uint8Array): string =>
  new TextDecoder()
    .decode(head)
    .replace(/[^\p{L}\p{N}\p{P}\p{S} ]+/gu, " ")
    .trim();
