// Says in words what the file system refused, and what a person can do about it. Knows nothing of what it was for.
import { existsSync, statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Failure } from "../core/failure.js";
import { shellWord } from "../core/word.js";
import type { Diagnosis } from "./diagnosis.js";
import { openFilesLimit } from "./limits.js";
import { bytesText } from "./words.js";

type IoFailure = Extract<Failure, { reason: "io" }>;

export function ioDiagnosis({ doing, path, code }: IoFailure): Diagnosis {
  const text = texts[code];
  const message = `cannot ${doing} \`${path}\`: ${text === undefined ? code : `${text} (${code})`}`;
  const help = helpFor(path, code);
  return help === undefined ? { message } : { message, help };
}

const texts: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EBUSY: "it is in use",
  EDQUOT: "the disk quota is used up",
  EEXIST: "it is there already",
  EIO: "the disk or its connection is broken",
  EISDIR: "it is a folder",
  ELOOP: "symbolic links that lead in a circle",
  EMFILE: "too many open files",
  ENAMETOOLONG: "the name is too long",
  ENFILE: "too many open files on this machine",
  ENOENT: "it is not there",
  ENOSPC: "the disk is full",
  ENOTDIR: "a part of the path is a file",
  ENOTEMPTY: "the folder is not empty",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
  ESTALE: "the file server has lost track of it",
  ETXTBSY: "it is being run",
  EXDEV: "it lies on another file system",
};

/** One sentence with what to do, where there is something. */
function helpFor(path: string, code: string): string | undefined {
  switch (code) {
    case "ENOSPC":
      return `free some space${spaceText(path)}, then run dmake again: what is done stays done`;
    case "EDQUOT":
      return "free some space of yours (`quota` shows how much there is), then run dmake again: what is done stays done";
    case "EACCES":
      return `who may is shown by \`ls -ld ${shellWord(dirname(path))} ${shellWord(path)}\``;
    case "EPERM":
      return `is it another user's, or protected? \`ls -ld ${shellWord(path)}\``;
    case "EROFS":
      return "mount it for writing, or work on a copy of the project; `dmake -n` and `dmake why` need not write";
    case "EMFILE":
      return `run less at once with \`-j\`, or allow more open files${limitText()}: \`ulimit -n 4096\``;
    case "ENFILE":
      return "the whole machine has too many open files: end some programs, or run less at once with `-j`";
    case "ENAMETOOLONG":
      return "most file systems take 255 bytes a name, of which dmake needs up to 30 for the file that it writes first";
    case "EXDEV":
      return "dmake renames within a folder: is a folder of the target a link or a mount that changed meanwhile?";
    case "EIO":
      return "see what the system says of it: `dmesg | tail`";
    case "ENOTDIR":
      return "move the file that is in the way, or rename the target";
    case "EISDIR":
      return "a target that is a folder ends in `/`; otherwise move the folder that is in the way";
    case "ESTALE":
      return "was it replaced on the file server? run dmake again; if that does not help, mount it anew";
    case "ELOOP":
      return `where they lead is shown by \`ls -l ${shellWord(path)}\``;
    default:
      return undefined;
  }
}

/** Where the file system is full, and how much is left to somebody who is not root. */
function spaceText(path: string): string {
  let folder = resolve(path);
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder);
  try {
    const { bavail, bsize } = statfsSync(folder);
    return ` on the disk of \`${folder}\` (${bytesText(bavail * bsize)} left)`;
  } catch {
    // Said without the number: this is about something else that went wrong.
    return "";
  }
}

function limitText(): string {
  const limit = openFilesLimit();
  return limit === undefined ? "" : ` (now ${limit})`;
}
