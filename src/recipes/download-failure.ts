// Turns what the file system and the network throw into failures, and says which may pass. Knows nothing of requests.

import type { Failure } from "../core/failure.js";
import { errors } from "./download-client.js";

const codeOf = (error: unknown): string | undefined => {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  // undici 7.30 forgets the codes of its parser.
  if (error instanceof errors.HTTPParserError) return "HPE_";
  return typeof code === "string" ? code : undefined;
};

/** A failure for an error of the file system; anything else is a bug and thrown on. */
export function ioFailure(doing: string, path: string, error: unknown): Failure {
  const code = codeOf(error);
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) throw error;
  return { reason: "io", doing, path, code };
}

/** What went wrong between here and a server. `passing` where trying again may help. */
export interface NetworkProblem {
  readonly message: string;
  readonly passing: boolean;
}

/** Names that do not exist, certificates that are not trusted and headers that are too long stay so; a name server that cannot be asked (`EAI_AGAIN`) may answer later. */
const lasting =
  /^(ENOTFOUND|EPROTO|UND_ERR_INVALID_ARG|UND_ERR_HEADERS_OVERFLOW|ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|INVALID_)/;
const passing =
  /^(UND_ERR_|HPE_|E[A-Z]+$|EAI_|Z_|ERR__ERROR_|ERR_BROTLI|ERR_ZSTD|ZSTD_|ERR_STREAM_PREMATURE_CLOSE)/;

/** Nothing for an error that does not come from the network or a decoder: that is a bug. */
export function networkProblem(error: unknown): NetworkProblem | undefined {
  const code = codeOf(error);
  if (code === undefined) return undefined;
  const isLasting = lasting.test(code);
  if (!isLasting && !passing.test(code)) return undefined;
  return { message: describe(error as Error, code), passing: !isLasting };
}

/** Both addresses of a host refused: Node's error for that has no message of its own. */
function describe(error: Error, code: string): string {
  const message =
    error.message || (error instanceof AggregateError ? (error.errors[0] as Error).message : "");
  if (code.startsWith("Z_")) return `the body is not encoded as the server says: ${message}`;
  return message.includes(code) || /^(UND_ERR_|HPE_)/.test(code) ? message : `${message} (${code})`;
}
