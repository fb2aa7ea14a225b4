// Names one run of dmake so that any other can tell later whether it still lives. Knows nothing of how that is found out.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { pid } from "node:process";
import { linkOrNothing, startTimeOf } from "./process.js";

/** A run of dmake: which process of which machine. What cannot be known is empty. */
export interface Identity {
  /** 16 hexadecimal digits; empty for one that left no file in `.dmake/runs`. */
  readonly run: string;
  /** As numbered in its own pid namespace. */
  readonly pid: number;
  /** When its process started, in ticks since boot, by `/proc/PID/stat`. */
  readonly started: string;
  /** The kernel's id of this boot. Containers on one machine share it. */
  readonly boot: string;
  /** The pid namespace in which `pid` counts, and the time namespace in which `started` does, by their inodes. */
  readonly namespace: string;
  readonly host: string;
  /** ISO 8601, UTC: when the run began, or took the lock that says this. */
  readonly since: string;
  /** How the kernel numbers the file system that `.dmake` is on: where two agree, a socket there means the same to both. */
  readonly device: string;
}

const runId = /^[0-9a-f]{16}$/;

/** Whether this can name a run: ids found in files become parts of paths. */
export const isRunId = (text: string): boolean => runId.test(text);

let here: Pick<Identity, "pid" | "started" | "boot" | "namespace" | "host"> | undefined;

/** This process, as a run of the given id. */
export function ownIdentity(run: string, device: string): Identity {
  here ??= {
    pid,
    started: startTimeOf(pid) ?? "",
    boot: bootId(),
    namespace: ["pid", "time"]
      .map((kind) => linkOrNothing(`/proc/self/ns/${kind}`) ?? "")
      .join(" ")
      .trim(),
    host: hostname(),
  };
  return { run, ...here, since: new Date().toISOString(), device };
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    // Only Linux has it; hidden in some sandboxes.
    return "";
  }
}

/** What is known of a run by its id alone. */
export const unknownIdentity = (run: string): Identity => ({
  run,
  pid: 0,
  started: "",
  boot: "",
  namespace: "",
  host: "",
  since: "",
  device: "",
});

/** Reads an identity from JSON; nothing where the text is none. */
export function identityOf(text: string): Identity | undefined {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof said !== "object" || said === null || Array.isArray(said)) return undefined;
  const found = said as Readonly<Record<string, unknown>>;
  const word = (name: string) => (typeof found[name] === "string" ? found[name] : "");
  if (!isRunId(word("run")) || !Number.isSafeInteger(found.pid)) return undefined;
  return {
    run: word("run"),
    pid: Number(found.pid),
    started: word("started"),
    boot: word("boot"),
    namespace: word("namespace"),
    host: word("host"),
    since: word("since"),
    device: word("device"),
  };
}

/** What a lock says of its holder. */
export interface Token extends Pick<Identity, "run" | "pid" | "started" | "since"> {
  /** Stands for the kernel and the namespaces in which `pid` and `started` count. */
  readonly view: string;
}

/**
 * What a lock says: `<run>.<view>.<pid>.<started>.<since>.<take>`, the numbers in base 36.
 *
 * Not the whole identity, which is in the run's file: a link of at most 59 bytes fits into its inode. On ext4 a longer
 * one needs a block of its own, and making and removing it took 200 µs instead of 20 (2 cores, all busy).
 */
export const tokenText = (holder: Identity, { sinceMs, take }: { sinceMs: number; take: number }): string =>
  [
    holder.run,
    viewOf(holder),
    ...[holder.pid, Number(holder.started), sinceMs, take].map((n) => n.toString(36)),
  ].join(".");

/** Reads what a lock says; nothing where the text is none of ours. */
export function tokenOf(text: string): Token | undefined {
  const [run = "", view = "", ...numbers] = text.split(".");
  const [pid = Number.NaN, started = 0, sinceMs = 0, take = Number.NaN] = numbers.map((n) =>
    Number.parseInt(n, 36),
  );
  if (!isRunId(run) || !Number.isSafeInteger(pid) || !Number.isSafeInteger(take)) return undefined;
  const since = new Date(sinceMs);
  return {
    run,
    view,
    pid,
    started: started > 0 ? String(started) : "",
    since: Number.isNaN(since.getTime()) ? "" : since.toISOString(),
  };
}

/** 48 bits of a hash. Where boots have no id, the machine's name stands for them. */
export const viewOf = ({ boot, host, namespace }: Identity): string =>
  createHash("sha256")
    .update(`${boot || host} ${namespace}`)
    .digest("base64url")
    .slice(0, 8);
