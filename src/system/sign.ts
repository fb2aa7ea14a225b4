// What the file of a run shows of it: its first line, and the time at which it last moved. Knows nothing of what follows from that.
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readFileSync, statSync } from "node:fs";
import { codeOf } from "./process.js";

/** A pipe that somebody has put in the place of a file is not waited for. */
const atOnce = constants.O_RDONLY | constants.O_NONBLOCK;

/** What the file of a run says, as it is now. Throws what the disk does. */
export function textOf(path: string): string {
  const descriptor = openSync(path, atOnce);
  try {
    return readFileSync(descriptor, "utf8");
  } finally {
    closeSync(descriptor);
  }
}

/** Nothing of a file that cannot be read. */
export function firstLineOf(path: string): string {
  try {
    return textOf(path).split("\n", 1)[0] ?? "";
  } catch {
    return "";
  }
}

interface Sign {
  readonly text: string;
  readonly atMs?: number;
}

const noFile: Sign = { text: "" };

/** The last sign of life that a run's file shows; nothing if it cannot be seen now. */
export function signOf(path: string): Sign | undefined {
  try {
    return signIn(statOpened(path));
  } catch (error) {
    return codeOf(error) === "ENOENT" ? noFile : undefined;
  }
}

const signIn = ({ ino, mtimeNs, mtimeMs }: BigIntStats): Sign => ({
  text: `${ino} ${mtimeNs}`,
  atMs: Number(mtimeMs),
});

/** NFS shows what it has in mind to whoever only looks, and asks for whoever opens. */
function statOpened(path: string): BigIntStats {
  let descriptor: number;
  try {
    descriptor = openSync(path, atOnce);
  } catch (error) {
    // Another user's, and closed to us.
    if (codeOf(error) === "EACCES") return statSync(path, { bigint: true });
    throw error;
  }
  try {
    return fstatSync(descriptor, { bigint: true });
  } finally {
    closeSync(descriptor);
  }
}
