// Says what a response means that is no file: a status, what its page tells, and whether to come again. Knows nothing of ranges or of files.
import { STATUS_CODES } from "node:http";
import type { Failure } from "../core/failure.js";
import { printable } from "../core/magic.js";
import { redactUrl } from "../core/redact.js";
import type { Exchange, Take } from "./download-exchange.js";
import { retryAfterMs } from "./download-headers.js";
import type { Answer } from "./download-request.js";

const passingStatuses: readonly number[] = [408, 425, 429, 500, 502, 503, 504];

/** How much of a page is told, and how much is read for it: a secret that is cut in two would not be found. */
const toldLetters = 512;
const readBytes = 4096;
/** A page that drips is not waited for. */
const pageMs = 2_000;

export type Refusal =
  | { readonly kind: "hopeless"; readonly failure: Failure }
  | { readonly kind: "passing"; readonly failure: Failure; readonly retryAfterMs?: number };

export interface Telling {
  readonly attempts: number;
  readonly redact: (text: string) => string;
  readonly log: (text: string) => void;
}

export async function refusal(
  { url, exchange }: Answer,
  { attempts, redact, log }: Telling,
): Promise<Refusal> {
  const { status, headers } = exchange;
  const statusText = STATUS_CODES[status] ?? "";
  const shown = redact(redactUrl(url.href));
  const failure: Failure = { reason: "download-status", url: shown, status, statusText, attempts };
  if (!passingStatuses.includes(status)) {
    const said = redact(await firstText(exchange)).slice(0, toldLetters);
    if (said !== "") log(`the server says: ${said}\n`);
    return { kind: "hopeless", failure };
  }
  exchange.discard();
  const after = retryAfterMs(headers, Date.now());
  return { kind: "passing", failure, ...(after !== undefined && { retryAfterMs: after }) };
}

/** What an error page says, as far as it is likely to matter. A page that is cut says less. */
async function firstText(exchange: Exchange): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const take: Take = (chunk) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= readBytes) exchange.discard();
    return undefined;
  };
  const enough = setTimeout(() => exchange.discard(), pageMs);
  await exchange.pour(take).catch(() => {});
  clearTimeout(enough);
  return printable(Buffer.concat(chunks).subarray(0, readBytes));
}
