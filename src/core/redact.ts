// Takes the secrets out of URLs and texts before anybody is shown them. Knows nothing of where a text will be shown.

const mask = "***";

/** Names of query values that are secrets, in lower case and without `_`, `-` and the like. */
const secretName = new RegExp(
  `^(${[
    "(x?(api|access|account|app|application|auth|client|function|functions|licen[cs]e|master|private|secret|service|shared|signing|storage|subscription|user))?key(id)?",
    ".*(token|signature|secret|password|passwd|passphrase|credentials?)",
    "sig|pwd|pass|pw|auth|authorization|jwt|bearer|session(id)?|awsaccesskeyid|googleaccessid|keypairid",
  ].join("|")})$`,
);

/** Whether what is called so is a secret, as `API_KEY`, `token`, `db-password`. */
export const isSecretName = (name: string): boolean =>
  secretName.test(
    decoded(name)
      .toLowerCase()
      .replace(/[^a-z0-9]/g, ""),
  );

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}

/** A URL as its secret-bearing parts. Joined they are the URL again, but for tabs and line ends, which no URL reader sees. */
interface Parts {
  readonly scheme: string;
  /** Without the `@`; nothing where there is none. */
  readonly userinfo: string | undefined;
  /** Host and path. */
  readonly place: string;
  /** Query and fragment, cut before and after each of `?&;#`. */
  readonly fields: readonly string[];
}

function partsOf(url: string): Parts {
  const text = url.replace(/[\t\r\n]/g, "").trim();
  const scheme = /^(file:|[a-z][a-z0-9+.-]*:[\\/]*|[\\/]{2})/i.exec(text)?.[0] ?? "";
  const rest = text.slice(scheme.length);
  const authority = /^file:$/i.test(scheme) ? "" : /^[^\\/?#]*/.exec(rest)![0];
  // A password with an unescaped `/`, `?` or `#` is no valid URL, and still a password: its host then ends in no port.
  const torn = !authority.includes("@") && /:(?!\d*$)/.test(authority.replace(/^\[[^\]]*\]/, ""));
  const at = torn ? rest.lastIndexOf("@") : authority.lastIndexOf("@");
  const shown = rest.slice(at + 1);
  const query = shown.search(/[?#]/);
  const end = query < 0 ? shown.length : query;
  return {
    scheme,
    userinfo: at < 0 ? undefined : rest.slice(0, at),
    place: shown.slice(0, end),
    fields: shown.slice(end).split(/([?&;#])/),
  };
}

/** Name and value of one field of a query; nothing where there is no value. */
function fieldOf(text: string): { readonly name: string; readonly value: string } | undefined {
  const equals = text.indexOf("=");
  return equals < 0 || equals === text.length - 1
    ? undefined
    : { name: text.slice(0, equals), value: text.slice(equals + 1) };
}

/**
 * A URL that can be shown and kept: user and password, and the query values that are secrets by their name (tokens,
 * signatures, keys, passwords), are `***`. The rest stays readable. Takes any text and never throws; a text that is no URL comes back
 * much as it is.
 */
export function redactUrl(url: string): string {
  const { scheme, userinfo, place, fields } = partsOf(url);
  const shown = fields.map((text) => {
    const field = fieldOf(text);
    return field && isSecretName(field.name) ? `${field.name}=${mask}` : text;
  });
  return `${scheme}${userinfo === undefined ? "" : `${mask}@`}${place}${shown.join("")}`;
}

/** The secrets that a URL holds, as they are written in it and as they are meant. */
export function secretsIn(url: string): string[] {
  const { userinfo, fields } = partsOf(url);
  const values = fields
    .map(fieldOf)
    .flatMap((field) => (field && isSecretName(field.name) ? [field.value] : []));
  if (userinfo !== undefined) {
    const colon = userinfo.indexOf(":");
    // A user without a password is often a token.
    values.push(userinfo, colon < 0 ? userinfo : userinfo.slice(colon + 1));
  }
  return [...new Set(values.flatMap((value) => [value, decoded(value)]))].filter((value) => value !== "");
}

/**
 * A text that can be shown: each of the secrets is `***`, and so is what is secret in any URL in it.
 * Secrets of one or two characters are left, since they would take every such character of the text along.
 */
export function redactText(text: string, secrets: readonly string[]): string {
  if (secrets.length === 0 && !text.includes("://")) return text;
  const longest = [...secrets].filter((secret) => secret.length > 2).sort((a, b) => b.length - a.length);
  const bare = longest.reduce((shown, secret) => shown.replaceAll(secret, mask), text);
  return bare.replace(/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>`]+/gi, redactUrl);
}

/** The same plain JSON, with the secrets taken out of every text in it, and what is secret in any URL. */
export function redactAll<T>(value: T, secrets: ReadonlySet<string>): T {
  const list = [...secrets];
  const redacted = (one: unknown): unknown => {
    if (typeof one === "string") return redactText(one, list);
    if (Array.isArray(one)) return one.map(redacted);
    if (typeof one !== "object" || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([name, inside]) => [name, redacted(inside)]));
  };
  return redacted(value) as T;
}
