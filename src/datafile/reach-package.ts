// Finds which version of a package a project has installed. Knows nothing of code.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { digestOf } from "../core/fingerprint.js";

/** A file that was looked at, and the digest of what it held; nothing where it was not there. */
export interface Looked {
  readonly path: string;
  readonly digest?: string;
}

export interface Installed {
  /** `unknown` where the package is not found, or says no version. */
  readonly version: string;
  /** While these are as they were, so is the version. */
  readonly looked: readonly Looked[];
}

/** Looks where Node would: in the `node_modules` of the folder and of those above it. */
export function installed(name: string, folder: string): Installed {
  const looked: Looked[] = [];
  for (let at = folder; ; at = dirname(at)) {
    const path = join(at, "node_modules", name, "package.json");
    const bytes = bytesOf(path);
    looked.push({ path, ...(bytes && { digest: digestOf(bytes) }) });
    if (bytes) return { version: versionIn(bytes.toString()), looked };
    if (dirname(at) === at) return { version: "unknown", looked };
  }
}

export const isAsLooked = ({ path, digest }: Looked): boolean => {
  const bytes = bytesOf(path);
  return (bytes && digestOf(bytes)) === digest;
};

function bytesOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function versionIn(text: string): string {
  try {
    const { version } = (JSON.parse(text) ?? {}) as { readonly version?: unknown };
    return typeof version === "string" ? version : "unknown";
  } catch {
    return "unknown";
  }
}
