// Turns what `pg` throws into failures. Knows nothing of what was tried, but for the words it is given.
import pg from "pg";
import type { Failure } from "../core/failure.js";

export interface Where {
  readonly server: string;
  readonly user: string;
  readonly database: string;
}

const unreachable =
  /^(ECONNREFUSED|ENOTFOUND|EAI_\w+|ETIMEDOUT|EHOST\w+|ENET\w+|EADDRNOTAVAIL|ENOENT|EACCES|EINVAL)$/;
const cut = /^(ECONNRESET|EPIPE|ECONNABORTED)$/;
/** Node's and OpenSSL's words for a certificate or a handshake that does not do. */
const tls = /CERT|^UNABLE_TO_|^ERR_(SSL|TLS)_|SELF_SIGNED|^HOSTNAME_MISMATCH$/;
/** The server was stopped, crashed, or ended our session: class 08, and the shutdown and timeout codes. */
const lostStates = /^(08...|57P0[1245]|25P0[34])$/;
/** Wrong name or password, no such database, no room, not up: 57P03 is a server that starts or stops. */
const refusedStates = /^(28...|3D000|53300|57P03)$/;

/** Rethrows what is neither PostgreSQL's nor the network's: that is a bug. */
export function failureOf(error: unknown, where: Where, doing: string): Failure {
  if (error instanceof pg.DatabaseError) return fromServer(error, where, doing);
  if (!(error instanceof Error)) throw error;
  const { server } = where;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const message = messageOf(error);
  if (unreachable.test(code) || tls.test(code))
    return { reason: "postgres-unreachable", server, code, message };
  if (cut.test(code) || /^Connection terminated|not queryable$/.test(message))
    return { reason: "postgres-lost", server, message };
  if (message === "timeout expired" || /due to connection timeout$/.test(message)) {
    return { reason: "postgres-unreachable", server, code: "ETIMEDOUT", message: "no answer in time" };
  }
  if (/SSL connection/.test(message)) return { reason: "postgres-unreachable", server, code: "SSL", message };
  if (message.startsWith("SASL")) return refused(where, "28P01", passwordProblem(message));
  throw error;
}

/** The same, while connecting: whatever the server says then is a refusal. */
export function refusalOf(error: unknown, where: Where): Failure {
  if (error instanceof pg.DatabaseError) return refused(where, error.code ?? "", error.message);
  const failure = failureOf(error, where, "connect");
  if (failure.reason !== "postgres-lost") return failure;
  return {
    reason: "postgres-unreachable",
    server: where.server,
    code: "ECONNRESET",
    message: failure.message,
  };
}

function fromServer(
  { code = "", message, detail, hint }: pg.DatabaseError,
  where: Where,
  doing: string,
): Failure {
  if (lostStates.test(code)) return { reason: "postgres-lost", server: where.server, message };
  if (refusedStates.test(code)) return refused(where, code, message);
  return { reason: "postgres-error", code, message, ...(detail && { detail }), ...(hint && { hint }), doing };
}

const refused = ({ server, user, database }: Where, code: string, message: string): Failure => ({
  reason: "postgres-refused",
  server,
  user,
  database,
  code,
  message,
});

function passwordProblem(message: string): string {
  if (/client password must be/.test(message)) return "the server asks for a password, and none was given";
  return "the server and dmake could not agree on how to check the password";
}

/** A host with several addresses fails with one error for each, and an empty message. */
function messageOf(error: Error): string {
  if (error.message !== "" || !(error instanceof AggregateError)) return error.message;
  return error.errors.map((one) => (one instanceof Error ? one.message : String(one))).join("; ");
}
