// Values kept in the cache in the form in which V8 reads them fastest, sealed, so that a damaged one is never believed. Knows nothing of what they are.
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { deserialize, serialize } from "node:v8";
import { crc32 } from "node:zlib";

/** What was written, with its seal, or nothing of a file that is not there, damaged or of another version of Node. What it is, is for the caller to check. */
export function readSealed(path: string): { readonly value: unknown; readonly seal: number } | undefined {
  try {
    const bytes = readFileSync(path);
    const body = bytes.subarray(4);
    if (bytes.length < 4) return undefined;
    const seal = bytes.readUInt32LE(0);
    return crc32(body) === seal ? { value: deserialize(body), seal } : undefined;
  } catch {
    return undefined;
  }
}

/** What a killed process has left half written is in nobody's way after so long. */
const abandonedMs = 60_000;

/** Not synced: after a power cut it is damaged, and known to be. While another process writes, that one's is as good. */
export function writeSealed(path: string, value: unknown): void {
  const body = serialize(value);
  const seal = Buffer.alloc(4);
  seal.writeUInt32LE(crc32(body), 0);
  const next = `${path}.next`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const there = statSync(next, { throwIfNoEntry: false });
  if (there && Date.now() - there.mtimeMs > abandonedMs) rmSync(next, { force: true });
  let isOurs = false;
  try {
    // Its owner's alone, as the Datafile's copy beside it: commands are in it.
    const descriptor = openSync(next, "wx", 0o600);
    isOurs = true;
    try {
      writeFileSync(descriptor, Buffer.concat([seal, body]));
    } finally {
      closeSync(descriptor);
    }
    renameSync(next, path);
  } catch (error) {
    if (isOurs) rmSync(next, { force: true });
    else if ((error as NodeJS.ErrnoException).code === "EEXIST") return;
    throw error;
  }
}
