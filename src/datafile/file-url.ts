// One spelling for each `file:` URL, so that another spelling of the same file is no other recipe. Knows nothing of what is there.
import { relative, resolve, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Place } from "../core/failure.js";
import { DeclarationError } from "./session.js";

/**
 * `file:./data/x`, `file:data/x` and `file:///root/data/x` are all `file:data/x`; a file outside the root keeps an
 * absolute URL, and what is no `file:` URL of this machine stays as it is.
 */
export function plainFileUrl(url: string, root: string, at: Place): string {
  if (!/^file:/i.test(url)) return url;
  const path = pathOf(url, root, at);
  if (path === undefined) return url;
  const name = relative(root, path);
  if (name === "" || name.split(sep)[0] === "..") return pathToFileURL(path).href;
  // As little is escaped as can be, so that a URL that was plain already is the same text.
  return `file:${encodeURI(name).replaceAll("#", "%23").replaceAll("?", "%3F")}`;
}

function pathOf(url: string, root: string, at: Place): string | undefined {
  const rest = url.slice("file:".length);
  try {
    if (/^[\\/]/.test(rest)) return fileURLToPath(url);
    return resolve(root, decodeURIComponent(rest));
  } catch (error) {
    if (!(error instanceof URIError)) return undefined;
    const problem = `\`${url}\`: in a \`file:\` URL a \`%\` is written \`%25\``;
    throw new DeclarationError({ reason: "bad-rule", problem, at });
  }
}
