// Reads what a server says about the bytes it sends: validators, ranges, encodings, when to come again. Knows nothing of sockets or files.

/** Header names in lower case, as undici gives them. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** What tells one version of a remote file from another. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

export function header(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  const text = (Array.isArray(value) ? value.join(", ") : value)?.trim();
  return text === "" ? undefined : text;
}

/** What can be sent back as it came. */
const sendable = (value: string | undefined): string | undefined =>
  value !== undefined && /^[\x20-\x7e]+$/.test(value) ? value : undefined;

export function validatorsOf(headers: Headers): Validators {
  const etag = sendable(header(headers, "etag"));
  const lastModified = sendable(header(headers, "last-modified"));
  return { ...(etag && { etag }), ...(lastModified && { lastModified }) };
}

export function contentLength(headers: Headers): number | undefined {
  const text = header(headers, "content-length");
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/**
 * What to send as `If-Range` when the rest of this response is asked for, or nothing where the server gave no way to be sure that
 * the rest belongs to it. A date is only sure where the file had not changed in the second of the response (RFC 9110, 8.8.2.2).
 */
export function ifRangeOf(headers: Headers): string | undefined {
  if (header(headers, "accept-ranges")?.toLowerCase() === "none") return undefined;
  const { etag, lastModified } = validatorsOf(headers);
  if (headers.etag !== undefined) return /^"[^"]*"$/.test(etag ?? "") ? etag : undefined;
  const age = Date.parse(header(headers, "date") ?? "") - Date.parse(lastModified ?? "");
  return age >= 1000 ? lastModified : undefined;
}

/** Bytes `first` to `last` of `total`; the total may be unknown. */
export interface ContentRange {
  readonly first: number;
  readonly last: number;
  readonly total: number | undefined;
}

export function contentRange(headers: Headers): ContentRange | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(header(headers, "content-range") ?? "");
  if (!match) return undefined;
  const [first, last, total] = [
    Number(match[1]),
    Number(match[2]),
    match[3] === "*" ? undefined : Number(match[3]),
  ];
  return first <= last && (total === undefined || last < total) ? { first, last, total } : undefined;
}

/** Whether nothing but the end of the connection says where the body ends: a cut looks the same. */
export const isOpenEnded = (headers: Headers): boolean =>
  header(headers, "content-length") === undefined && header(headers, "transfer-encoding") === undefined;

/** An encoding of the connection, not of the file, that nobody asked for and that is not taken off. */
export const transferCoding = (headers: Headers): string | undefined =>
  header(headers, "transfer-encoding")
    ?.split(",")
    .map((name) => name.trim())
    .find((name) => !/^chunked$/i.test(name));

/** The encodings on top of the file's own bytes, in the order they were put on. `aws-chunked` is an upload's, kept by mistake. */
export function contentCodings(headers: Headers): readonly string[] {
  const names = (header(headers, "content-encoding") ?? "").toLowerCase().split(",");
  return names
    .map((name) => name.trim().replace(/^x-gzip$/, "gzip"))
    .filter((name) => name !== "" && name !== "identity" && name !== "aws-chunked");
}

/** How long the server asks to be left alone, in milliseconds. A date counts from the server's own clock where it tells it. */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const text = header(headers, "retry-after");
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const told = Date.parse(header(headers, "date") ?? "");
  const wait = Date.parse(text) - (Number.isNaN(told) ? nowMs : told);
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}
