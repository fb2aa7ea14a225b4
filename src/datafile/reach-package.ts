// Finds which version of a package a project has installed. Knows nothing of code.
import { readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { digestOf } from "../core/fingerprint.js";
import { type Code, codeIn, isSameCode, linkedTo } from "./reach-linked.js";

/** A file that was looked at, and the digest of what it held; nothing where it was not there. */
export interface Looked {
  readonly path: string;
  readonly digest?: string;
  /** Where the folder of a file that was there really is. */
  readonly real?: string;
  /** What the package is linked to whose `package.json` this is. */
  readonly code?: Code;
}

export interface Installed {
  /** `unknown` where the package is not found, or says no version. That of a linked one is followed by a digest of its code. */
  readonly version: string;
  /** While these are as they were, so is the version. */
  readonly looked: readonly Looked[];
}

/** Looks where Node would: in the `node_modules` of the folder and of those above it. */
export function installed(name: string, root: string): Installed {
  const looked: Looked[] = [];
  const version = lookFor(name, { from: root, root, looked });
  const digests = looked.flatMap(({ code }) => code?.digest ?? []).sort();
  if (digests.length === 0) return { version, looked };
  return { version: `${version} ${digestOf(digests.join())}`, looked };
}

interface Search {
  readonly from: string;
  readonly root: string;
  /** What has been looked at so far. */
  readonly looked: Looked[];
}

function lookFor(name: string, { from, root, looked }: Search): string {
  for (let at = from; ; at = dirname(at)) {
    const path = join(at, "node_modules", name, "package.json");
    const bytes = bytesOf(path);
    const text = bytes?.toString() ?? "";
    const real = realOf(dirname(path));
    const folder = bytes && real !== undefined ? linkedTo(real, root) : undefined;
    const isNew = !looked.some(({ code }) => code && code.folder === folder);
    const code = folder !== undefined && isNew ? codeIn(folder) : undefined;
    const there = bytes && { digest: digestOf(bytes), ...(real !== undefined && { real }) };
    looked.push({ path, ...there, ...(code && { code }) });
    // What it depends on may be linked as well.
    if (code) for (const other of dependenciesIn(text)) lookFor(other, { from: code.folder, root, looked });
    if (bytes) return versionIn(text);
    if (dirname(at) === at) return "unknown";
  }
}

export const isAsLooked = ({ path, digest, real, code }: Looked): boolean => {
  const bytes = bytesOf(path);
  if ((bytes && digestOf(bytes)) !== digest) return false;
  if (bytes && realOf(dirname(path)) !== real) return false;
  return code === undefined || isSameCode(code);
};

function realOf(folder: string): string | undefined {
  try {
    return realpathSync.native(folder);
  } catch {
    return undefined;
  }
}

function bytesOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function versionIn(text: string): string {
  const { version } = objectIn(text);
  return typeof version === "string" ? version : "unknown";
}

const dependenciesIn = (text: string): readonly string[] =>
  ["dependencies", "peerDependencies", "optionalDependencies"].flatMap((kind) => {
    const names = objectIn(text)[kind];
    return typeof names === "object" && names !== null ? Object.keys(names) : [];
  });

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
