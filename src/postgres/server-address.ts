// Reads from the environment which PostgreSQL server is meant. Knows nothing of whether it is there, nor of the embedded one.
import pg from "pg";
import { type Failure, fail, ok, type Result } from "../core/failure.js";

export interface Address {
  /** As `localhost:5432/warehouse`. */
  readonly server: string;
  readonly user: string;
  readonly database: string;
  /** Complete, with the password if there is one. */
  readonly url: string;
  readonly config: pg.ClientConfig;
}

const connectMs = 10_000;

/**
 * `DATABASE_URL`, or else any of `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE`; nothing where none is set.
 * What is left out, `sslmode` and password files (`PGPASSFILE`, `~/.pgpass`) are as in `pg`, so the host is `localhost`
 * by default. `PGSERVICE` is not read: alone it is an error, so that nobody loads into another database than he means.
 */
export function readAddress(env: NodeJS.ProcessEnv): Result<Address | undefined> {
  if (env.DATABASE_URL) return fromUrl(env.DATABASE_URL, env);
  const { PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE, PGSERVICE } = env;
  if (PGHOST || PGPORT || PGUSER || PGPASSWORD || PGDATABASE) return fromVariables(env);
  if (PGSERVICE)
    return fail(
      bad(
        "`PGSERVICE` is set, and dmake does not read service files",
        "set `DATABASE_URL` instead, or unset `PGSERVICE`",
      ),
    );
  return ok(undefined);
}

function fromUrl(url: string, env: NodeJS.ProcessEnv): Result<Address> {
  const problem = problemIn(url);
  if (problem) return fail(bad(`\`DATABASE_URL\` ${problem}`, urlHelp));
  const named = /[?&]connect_timeout=(\d+)/.exec(url)?.[1];
  return addressOf({ connectionString: url }, url, connectTimeout(named ?? env.PGCONNECT_TIMEOUT));
}

const urlHelp =
  "write it as `postgresql://user:password@host:5432/database`; in the password `@ : / ? # %` are written `%40 %3A %2F %3F %23 %25`";

/**
 * A password with a bare `/`, `?` or `#` in it may still parse, with its first half as the port: then the rest, and so
 * what dmake would show as host and database, holds the password.
 */
function problemIn(text: string): string | undefined {
  if (!/^postgres(ql)?:\/\//.test(text)) return "does not begin with `postgresql://`";
  const authority = /^\w+:\/\/([^/?#]*)/.exec(text)?.[1] ?? "";
  const rest = text.slice(text.indexOf("://") + 3 + authority.length);
  const [path = "", query = ""] = rest.split("?", 2);
  if (
    /[@#]/.test(path) ||
    rest.includes("#") ||
    (query.includes("@") && !authority.includes("@") && !/(^|&)user=/.test(query))
  )
    return "has a `@` or `#` where none can be";
  const hosts = authority.slice(authority.lastIndexOf("@") + 1);
  if (hosts.includes(",")) return "names several hosts, and dmake knows only one";
  return undefined;
}

function fromVariables(env: NodeJS.ProcessEnv): Result<Address> {
  const {
    PGHOST: host = "localhost",
    PGPORT: port = "5432",
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: database,
  } = env;
  if (!/^\d{1,5}$/.test(port)) return fail(bad("`PGPORT` is not a number", "set it to a port, as `5432`"));
  if (host.includes(","))
    return fail(bad("`PGHOST` names several hosts, and dmake knows only one", "set it to one of them"));
  const config = {
    host,
    port: Number(port),
    ...(user && { user }),
    ...(password && { password }),
    ...(database && { database }),
  };
  return addressOf(config, undefined, connectTimeout(env.PGCONNECT_TIMEOUT));
}

/** Seconds, as libpq reads them. Ten when nothing is said, since a host behind a firewall else takes two minutes to fail. */
function connectTimeout(seconds: string | undefined): number {
  const given = Number(seconds);
  return Number.isFinite(given) && given > 0 ? given * 1000 : connectMs;
}

/** Lets `pg` fill in what is left out, and shows what it will use. */
function addressOf(
  given: pg.ClientConfig,
  url: string | undefined,
  connectionTimeoutMillis: number,
): Result<Address> {
  const config = { ...given, connectionTimeoutMillis, keepAlive: true, application_name: "dmake" };
  let client: pg.Client;
  try {
    client = new pg.Client(config);
  } catch (error) {
    return fail(unreadable(error));
  }
  const { host, port, user = "", database = user } = client;
  if (!(port > 0 && port < 65_536))
    return fail(bad("the port of the PostgreSQL server is not a number from 1 to 65535", urlHelp));
  const server = `${host}:${port}/${database}`;
  return ok({ server, user, database, url: url ?? urlOf(client), config });
}

/** `pg` reads certificates from files, and takes what is no URL apart with `URL`. Its messages may repeat the text, so ours do not. */
function unreadable(error: unknown): Failure {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT" || code === "EACCES") {
    const path = error instanceof Error && "path" in error ? String(error.path) : "";
    return bad(
      `a certificate that \`DATABASE_URL\` names cannot be read: \`${path}\` (${code})`,
      "correct `sslrootcert`, `sslcert` or `sslkey` in it",
    );
  }
  if (code === "ERR_INVALID_URL" || error instanceof URIError)
    return bad("`DATABASE_URL` is not a URL", urlHelp);
  if (error instanceof Error && /^(Invalid|sslnegotiation|SECURITY WARNING)/.test(error.message))
    return bad("`DATABASE_URL` asks for something that is not possible", urlHelp);
  throw error;
}

function urlOf({ host, port, user = "", password, database = "" }: pg.Client): string {
  const encode = encodeURIComponent;
  const who = password ? `${encode(user)}:${encode(password)}` : encode(user);
  const name = encode(database);
  if (host.startsWith("/")) return `postgresql://${who}@/${name}?host=${encode(host)}&port=${port}`;
  return `postgresql://${who}@${host.includes(":") ? `[${host}]` : host}:${port}/${name}`;
}

const bad = (message: string, help: string): Failure => ({ reason: "usage", message, help });
