// Turns recipes and inputs into named parts and digests that can be compared. Knows nothing of files, records or verdicts.
import { createHash } from "node:crypto";
import type { Digest, NamedDigest } from "./trace.js";

export const digestOf = (text: string | Uint8Array): Digest =>
  `sha256:${createHash("sha256").update(text).digest("hex")}`;

/**
 * One digest for everything that an output was made from. Two runs with the same key make the same rows, so it is
 * the idempotency key of a load, and stands for the content of a partition.
 */
export function fingerprintOf(recipe: Readonly<Record<string, string>>, inputs: readonly NamedDigest[]): Digest {
  const parts = Object.keys(recipe)
    .sort()
    .map((name) => [name, recipe[name]]);
  return digestOf(JSON.stringify([parts, inputs.map(({ name, digest }) => [name, digest])]));
}
