// Asks one URL for its bytes, through redirects, and answers with the first response that is none. Knows nothing of files, retries or resuming.
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { redactUrl } from "../core/redact.js";
import type { Exchange, Line } from "./download-exchange.js";
import { header } from "./download-headers.js";

const maxHops = 10;
const redirects: readonly number[] = [301, 302, 303, 307, 308];
export interface Ask {
  readonly url: URL;
  /** The user's own, which may be secrets: only the first origin gets them. Names in any case. */
  readonly own: Readonly<Record<string, string>>;
  /** What this download sends wherever it is led: ranges and validators. Names in lower case. */
  readonly protocol: Readonly<Record<string, string>>;
  readonly line: Line;
  readonly log: (text: string) => void;
  /** Free of secrets, whatever a server echoes in a `Location`. */
  readonly redact: (text: string) => string;
}

export interface Answer {
  readonly url: URL;
  /** Has to be poured or discarded. */
  readonly exchange: Exchange;
}

/** Follows at most ten redirects. Throws what the network does; fails for a redirect that must not be followed. */
export async function get(ask: Ask): Promise<Result<Answer>> {
  const seen = new Set<string>();
  let url = ask.url;
  let home = true;
  for (;;) {
    seen.add(url.href);
    const exchange = await ask.line.get(url, headersFor(ask, url, home));
    const location = header(exchange.headers, "location");
    if (!redirects.includes(exchange.status) || location === undefined) return ok({ url, exchange });
    exchange.discard();
    const shown = (href: string) => ask.redact(redactUrl(href));
    const next = nextHop(url, location, shown);
    if (!next.ok) return next;
    const failure = { reason: "download-redirects" as const, url: shown(ask.url.href) };
    if (seen.has(next.value.href))
      return fail({ ...failure, hops: seen.size, backAt: shown(next.value.href) });
    if (seen.size > maxHops) return fail({ ...failure, hops: maxHops });
    ask.log(`redirected to ${shown(next.value.href)}\n`);
    // Once away from home a redirect back is somebody else's doing, and gets no credentials either.
    home &&= next.value.origin === ask.url.origin;
    url = next.value;
  }
}

/** Where a redirect leads. Refuses to leave encryption behind, and to leave the web. */
export function nextHop(from: URL, location: string, shown = redactUrl): Result<URL> {
  const refused = (problem: string, to: string): { ok: false; error: Failure } =>
    fail({ reason: "download-redirect-refused", url: shown(from.href), to: shown(to), problem });
  if (!URL.canParse(location, from.href)) return refused("not a URL", location);
  const to = new URL(location, from);
  to.hash = "";
  if (!isWeb(to)) return refused("not http or https", to.href);
  if (from.protocol === "https:" && to.protocol === "http:") return refused("from https to http", to.href);
  return ok(to);
}

/**
 * Why a request cannot be sent as it is meant: a line end would begin another header, and a URL loses its line ends without
 * a word. Names the header, never its value.
 */
export function unsendable(url: string, own: Readonly<Record<string, string>>): string | undefined {
  if (controls.test(url) || url.includes("\t")) return "it has a line end or another control character in it";
  for (const [name, value] of Object.entries(own)) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) return `${JSON.stringify(name)} is no name of a header`;
    if (controls.test(value))
      return `its header \`${name}\` has a line end or another control character in it`;
    if (/[\u0100-\uffff]/.test(value))
      return `its header \`${name}\` has a character in it that is not Latin-1`;
  }
  return undefined;
}

/** All but the tab, which headers may hold. */
const controls = /[^\P{Cc}\t]/u;

export const isWeb = (url: URL): boolean => url.protocol === "https:" || url.protocol === "http:";

/** Names that the download itself sets or that would break it; the user's values for them are not sent. */
const reserved =
  /^(range|if-.*|accept-encoding|connection|content-length|transfer-encoding|expect|upgrade|te|keep-alive)$/;

function headersFor(ask: Ask, url: URL, home: boolean): Record<string, string> {
  const headers: Record<string, string> = { "user-agent": "dmake", accept: "*/*" };
  if (url.username !== "" || url.password !== "") headers.authorization = basic(url);
  else if (home && (ask.url.username !== "" || ask.url.password !== ""))
    headers.authorization = basic(ask.url);
  for (const [name, value] of home ? Object.entries(ask.own) : []) {
    const lower = name.toLowerCase();
    if (!reserved.test(lower)) headers[lower] = value;
  }
  return { ...headers, "accept-encoding": "identity", ...ask.protocol };
}

/** What says who we are to the host of a URL with user and password in it. */
export function basic({ username, password }: URL): string {
  return `Basic ${Buffer.from(`${unescaped(username)}:${unescaped(password)}`).toString("base64")}`;
}

/** A `%` that begins no escape is meant as one. */
const unescaped = (text: string): string =>
  text.replace(/(%[0-9a-f]{2})+/gi, (escaped) => Buffer.from(escaped.replaceAll("%", ""), "hex").toString());
