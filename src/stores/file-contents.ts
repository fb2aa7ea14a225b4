// What is at names of this disk: files, and directories as one content. Reads only what was touched. Knows nothing of targets or who made them.
import { constants } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Warning } from "../core/event.js";
import { fail, ok, type Result } from "../core/failure.js";
import type { Spans } from "../core/spans.js";
import type { Digest } from "../core/trace.js";
import { chunkBytes, type Reading, readNow } from "./file-hash.js";
import { HashThreads } from "./file-hash-threads.js";
import { filesOf, type Stamps, untouched } from "./file-known.js";
import {
  DiskClock,
  isUntouched,
  isWorthReading,
  type Look,
  shown,
  statOf,
  textOf,
  textOfStats,
} from "./file-look.js";
import { digestOfTree, noContent, stampOfTree, type Tree, walk } from "./file-tree.js";
import { guarded, guardedSync, ioFailure } from "./io-failure.js";
import type { Stamp, State } from "./state.js";

/** What is at a name. `digest` is of the bytes, or of the tree. Equal stamps: not even touched in between. */
export type Seen =
  | { readonly kind: "absent" }
  | { readonly kind: "present"; readonly digest: Digest; readonly stamp: string };

interface ContentsOptions {
  /** Where dmake keeps its own files, relative to the current directory. */
  readonly directory: string;
  /** Without it nothing at all is written: for queries. */
  readonly writable: boolean;
  readonly state: () => State;
  readonly warn: (warning: Warning) => void;
  readonly spans?: Spans;
}

/** What is done with digests that had to be read. */
type Purpose = "remember" | "once";

const nothing: Seen = { kind: "absent" };
/** A key that is pressed, or another recipe's output, is answered within this. */
const breathMs = 50;

/** Lives for one process. Digests are remembered with the file's stamp, so that an untouched file is not read again. */
export class Contents {
  readonly #options: ContentsOptions;
  #clock: DiskClock;
  readonly #threads: HashThreads;
  /** Written many at a time. */
  readonly #unwritten: (readonly [string, Stamp])[] = [];
  #hasWarned = false;

  constructor(options: ContentsOptions) {
    this.#options = options;
    this.#clock = new DiskClock(options.directory);
    this.#threads = new HashThreads(options.spans);
  }

  /**
   * What is at each name, in order. Symbolic links are followed where they are the name, and taken for what they are
   * inside a directory. What is written to while it is read is read once more, and then a failure.
   */
  async observe(names: readonly string[]): Promise<Result<readonly Seen[]>> {
    const { spans } = this.#options;
    const stated = spans?.begin("stat", { files: names.length });
    const untouched = this.#untouched(names);
    stated?.();
    if (!untouched.ok) return untouched;
    const unread = names.filter((_, i) => !untouched.value[i]);
    const hashed = unread.length > 0 ? spans?.begin("hash", { files: unread.length }) : undefined;
    const read = unread.length > 0 ? await this.#readAll(unread, "remember") : ok([]);
    hashed?.();
    const noted = this.#writeStamps();
    if (!read.ok) return read;
    if (!noted.ok) return noted;
    const rest = read.value.values();
    return ok(untouched.value.map((seen) => seen ?? rest.next().value ?? nothing));
  }

  /** What is at each name without reading any content: a text that differs if anything was touched, and nothing where nothing is. */
  stampsOf(names: readonly string[]): Result<readonly (string | undefined)[]> {
    const stamps: (string | undefined)[] = [];
    for (const name of names) {
      const stamp = stampOf(name);
      if (!stamp.ok) return stamp;
      stamps.push(stamp.value);
    }
    return ok(stamps);
  }

  /**
   * Has the digests of small files remembered that have been left alone for long enough by now: what was hashed right
   * after it had been written may have been written again since, and nobody could tell. Reads them again.
   */
  async remember(names: readonly string[]): Promise<Result<void>> {
    const stamps = names.length > 0 ? this.#stamps() : ok(undefined);
    if (!stamps.ok || !stamps.value) return stamps as Result<void>;
    const { value: known } = stamps;
    // Of now: that of the beginning is older than all that was made.
    this.#clock = new DiskClock(this.#options.directory);
    const unread = guardedSync("look at", this.#options.directory, () =>
      names.filter((name) => isWorthReading(name, known.get(name), this.#clock)),
    );
    const read = unread.ok ? await this.#readAll(unread.value, "remember") : unread;
    const noted = this.#writeStamps();
    return read.ok ? noted : read;
  }

  /** The digest of a file or directory that will soon have another name, so that its stamp is not worth remembering. */
  async digestOf(path: string): Promise<Result<Digest>> {
    const read = await this.#readAll([path], "once");
    if (!read.ok) return read;
    const [seen] = read.value;
    return seen?.kind === "present"
      ? ok(seen.digest)
      : fail({ reason: "io", doing: "read", path, code: "ENOENT" });
  }

  /** Ends the threads that read. What is still being read is `interrupted`. */
  close(): Promise<void> {
    return this.#threads.close();
  }

  /** What can be said without reading anything. Nothing where that is not enough. */
  #untouched(names: readonly string[]): Result<readonly (Seen | undefined)[]> {
    const stamps = this.#stamps();
    if (!stamps.ok) return stamps;
    const seen: (Seen | undefined)[] = [];
    let at = "";
    // One for all: a guard, a closure and a result for each name would cost a fifth of a look.
    try {
      for (at of names) seen.push(untouched(at, stamps.value));
    } catch (error) {
      return fail(ioFailure("look at", shown(at), error));
    }
    return ok(seen);
  }

  async #readAll(names: readonly string[], purpose: Purpose): Promise<Result<readonly Seen[]>> {
    const found: (Result<Seen> | Promise<Result<Seen>>)[] = [];
    let rested = performance.now();
    for (const name of names) {
      found.push(this.#read(name, purpose));
      if (performance.now() - rested < breathMs) continue;
      const noted = this.#writeStamps();
      if (!noted.ok) return noted;
      await setImmediate();
      rested = performance.now();
    }
    const seen: Seen[] = [];
    for (const one of await Promise.all(found)) {
      if (!one.ok) return one;
      seen.push(one.value);
    }
    return ok(seen);
  }

  #read(name: string, purpose: Purpose): Result<Seen> | Promise<Result<Seen>> {
    const stats = guardedSync("look at", shown(name), () => statOf(name));
    if (!stats.ok) return stats;
    if (!stats.value) return ok(nothing);
    const mode = Number(stats.value.mode);
    switch (mode & constants.S_IFMT) {
      case constants.S_IFREG:
        return stats.value.size > chunkBytes
          ? this.#readLarge(name, Number(stats.value.size), purpose)
          : this.#readSmall(name, purpose);
      case constants.S_IFDIR:
        return this.#readTree(name, purpose);
      default:
        return fail(noContent(name, mode));
    }
  }

  #readSmall(name: string, purpose: Purpose): Result<Seen> {
    const reading = guardedSync("read", shown(name), () => {
      const first = readNow(name);
      return isUnsure(first) ? readNow(name) : first;
    });
    return reading.ok ? this.#seen(name, reading.value, purpose) : reading;
  }

  async #readLarge(name: string, bytes: number, purpose: Purpose): Promise<Result<Seen>> {
    const reading = await guarded("read", shown(name), async () => {
      const first = await this.#threads.read(name, bytes);
      return isUnsure(first) ? this.#threads.read(name, bytes) : first;
    });
    const seen = reading.ok ? this.#seen(name, reading.value, purpose) : reading;
    const noted = this.#writeStamps();
    return noted.ok ? seen : noted;
  }

  #seen(name: string, reading: Reading, purpose: Purpose): Result<Seen> {
    switch (reading.kind) {
      case "gone":
        return ok(nothing);
      case "moved":
        return fail({ reason: "changed-while-read", path: shown(name) });
      case "stopped":
        return fail({ reason: "interrupted" });
      case "whole": {
        const { digest, look } = reading;
        const noted = purpose === "remember" ? this.#remember(name, look, digest) : ok(undefined);
        return noted.ok ? ok({ kind: "present", digest, stamp: textOf(look) }) : noted;
      }
    }
  }

  /** Of a directory two looks, before its files are read and after, have to agree on all of it. */
  async #readTree(name: string, purpose: Purpose): Promise<Result<Seen>> {
    for (let tries = 0; tries < 2; tries += 1) {
      const tree = walk(name);
      if (!tree.ok) return tree;
      const digests = await this.#digestsIn(tree.value, purpose);
      if (!digests.ok) return digests;
      const after = walk(name);
      if (!after.ok) return after;
      const stamp = stampOfTree(tree.value);
      const isRead = digests.value.size === filesOf(tree.value).length;
      const isStill = !tree.value.isMoving && !after.value.isMoving && stampOfTree(after.value) === stamp;
      if (isRead && isStill)
        return ok({ kind: "present", digest: digestOfTree(tree.value, digests.value), stamp });
    }
    const left = guardedSync("look at", shown(name), () => statOf(name));
    if (!left.ok) return left;
    return left.value ? fail({ reason: "changed-while-read", path: shown(name) }) : ok(nothing);
  }

  /** Name → digest of the files of a directory, but of those that vanish meanwhile. */
  async #digestsIn(tree: Tree, purpose: Purpose): Promise<Result<ReadonlyMap<string, Digest>>> {
    const stamps = this.#stamps();
    if (!stamps.ok) return stamps;
    const digests = new Map<string, Digest>();
    const unread: string[] = [];
    for (const { name, stats } of filesOf(tree)) {
      const stamp = stamps.value.get(name);
      if (stamp && isUntouched(stats, stamp)) digests.set(name, stamp.digest);
      else unread.push(name);
    }
    const read = await this.#readAll(unread, purpose);
    if (!read.ok) return read;
    for (const [i, seen] of read.value.entries())
      if (seen.kind === "present") digests.set(unread[i] ?? "", seen.digest);
    return ok(digests);
  }

  #remember(name: string, look: Look, digest: Digest): Result<void> {
    const { directory, writable, warn } = this.#options;
    if (!writable) return ok(undefined);
    return guardedSync("write in", directory, () => {
      if (this.#clock.isSettled(look)) this.#unwritten.push([name, { ...look, digest }]);
      else if (!this.#hasWarned && this.#clock.isFuture(look)) {
        this.#hasWarned = true;
        warn({ warning: "future-time", name: shown(name) });
      }
    });
  }

  /** Also after a failure: what was read before it need not be read again. */
  #writeStamps(): Result<void> {
    if (this.#unwritten.length === 0) return ok(undefined);
    const { directory, state } = this.#options;
    return guardedSync("write", join(directory, "state.ndjson"), () =>
      state().setStamps(this.#unwritten.splice(0)),
    );
  }

  #stamps(): Result<Stamps> {
    const { directory, state } = this.#options;
    return guardedSync("read", join(directory, "state.ndjson"), () => state().stamps);
  }
}

const isUnsure = ({ kind }: Reading): boolean => kind === "gone" || kind === "moved";

function stampOf(name: string): Result<string | undefined> {
  const stats = guardedSync("look at", shown(name), () => statOf(name));
  if (!stats.ok) return stats;
  if (!stats.value?.isDirectory()) return ok(stats.value && textOfStats(stats.value));
  const tree = walk(name);
  return tree.ok ? ok(stampOfTree(tree.value)) : tree;
}
