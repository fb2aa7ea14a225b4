// A lock between processes, of one machine or several: a symbolic link that names its holder. Knows nothing of what it guards.
import { randomBytes } from "node:crypto";
import { readlinkSync, renameSync, rmSync, symlinkSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Identity, tokenOf, tokenText } from "./identity.js";
import { Presence } from "./presence.js";
import { codeOf } from "./process.js";

export type Lock =
  | {
      readonly kind: "held";
      /** Lets go. A lock that others have taken over meanwhile is left to them. */
      readonly release: () => void;
      /** Of whom it was taken over, dead: what that one has started may still be at work. */
      readonly tookOver?: Identity;
      /** Whether it is still ours: somebody who could not see for the lease that we live has taken it over. */
      readonly isHeld: () => boolean;
    }
  | { readonly kind: "busy"; readonly holder: Identity };

/** A lock is looked at after these pauses, each half as long again as the one before. */
const firstPauseMs = 10;
const longestPauseMs = 100;
/** To take a dead holder's link away is a matter of microseconds, for which also those wait who will not wait for a lock. */
const removalMs = 1_000;

/** Tells the locks of one process apart. */
let taken = 0;

/**
 * Takes the lock at `path`, waiting at most `waitMs` for whoever holds it, or until the signal. The lock of a run that
 * is over is taken over; `Presence.isGone` says how that is known. Without a presence the holder shows itself in the
 * lock's own folder, for as long as it holds it.
 *
 * A link is made whole or not at all, text included, so a lock without its holder's name is never seen. A dead holder's
 * link is only removed under a second lock, `path~`: two processes that both find it dead cannot remove the link that
 * one of them has made anew meanwhile. Should that process die in turn, its `path~` is taken over through `path~~`.
 *
 * On NFS all of this holds as well: a link is made by one request, which the server carries out for one client only.
 * Where its answer is lost and the request sent again, the client is told that there is a link already; then the link's
 * text says that it is ours. The one weakness is a holder that was cut off for the lease of two minutes and comes back:
 * it may act on what it held until it asks `isHeld`, and its client may answer that from memory for up to a minute.
 */
export async function takeLock(
  path: string,
  waitMs: number,
  presence?: Presence,
  signal?: AbortSignal,
): Promise<Lock> {
  const own = presence ?? new Presence(dirname(path), randomBytes(8).toString("hex"));
  await own.enter();
  const lock = await take(path, waitMs, own, signal);
  if (presence) return lock;
  if (lock.kind === "busy") own.leave();
  return lock.kind === "busy" ? lock : { ...lock, release: () => leaveWith(own, lock.release) };
}

function leaveWith(presence: Presence, release: () => void): void {
  try {
    release();
  } finally {
    presence.leave();
  }
}

async function take(
  path: string,
  waitMs: number,
  presence: Presence,
  signal: AbortSignal | undefined,
): Promise<Lock> {
  const deadline = performance.now() + waitMs;
  taken += 1;
  const own = tokenText(presence.self, { sinceMs: Date.now(), take: taken });
  for (let pauseMs = firstPauseMs; ; ) {
    if (claim(path, own)) return held(path, own);
    const text = linkAt(path);
    if (text === own) return held(path, own);
    if (text === undefined) {
      // Let go right then; an NFS client may say so for a while from memory.
      await sleep(1);
      continue;
    }
    const holder = holderOf(text, presence);
    if ((await presence.isGone(holder)) && (await replaceDead(path, { text, own }, presence)))
      return held(path, own, holder);
    if (performance.now() >= deadline || signal?.aborted) return { kind: "busy", holder };
    await sleep(Math.min(pauseMs, Math.max(deadline - performance.now(), 0)));
    pauseMs = Math.min(pauseMs * 1.5, longestPauseMs);
  }
}

const held = (path: string, own: string, tookOver?: Identity): Lock => ({
  kind: "held",
  ...(tookOver && { tookOver }),
  release: () => {
    removeLink(path, own);
  },
  isHeld: () => linkAt(path) === own,
});

function claim(path: string, own: string): boolean {
  try {
    symlinkSync(own, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    // A file that some tool has made of the link, as it copied the project: nobody's.
    if (codeOf(error) === "EINVAL") return "";
    throw error;
  }
}

/** Removes the link if it says this. A reply that NFS has lost makes it gone at the second asking. */
function removeLink(path: string, text: string): void {
  if (linkAt(path) !== text) return;
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

/** What is no lock of ours is held by nobody: no process has the number 0. */
function holderOf(text: string, presence: Presence): Identity {
  const token = tokenOf(text);
  return token ? presence.whole(token) : { ...presence.self, run: "", pid: 0, started: "", since: "" };
}

/** Removes the lock of a run that is over, and never holds it meanwhile: who does not wait for locks is not to be told of us. */
export async function dropLock(path: string, presence: Presence): Promise<void> {
  await presence.enter();
  const text = linkAt(path);
  if (text !== undefined && (await presence.isGone(holderOf(text, presence))))
    await replaceDead(path, { text, own: undefined }, presence);
}

/**
 * Whether the link of this text is ours now, or gone where it is to be nobody's: in one step, so that nobody is quicker
 * and does not know whose it was. It is not where somebody else is at it, or its holder has shown itself meanwhile.
 */
async function replaceDead(
  path: string,
  { text, own }: { readonly text: string; readonly own: string | undefined },
  presence: Presence,
): Promise<boolean> {
  const next = `${path}~new`;
  const inner = await take(`${path}~`, removalMs, presence, undefined);
  if (inner.kind === "busy") return false;
  try {
    if (!(await presence.isGone(holderOf(text, presence)))) return false;
    if (linkAt(path) !== text) return false;
    if (own === undefined) removeLink(path, text);
    else {
      // Left by one that was killed right here: nobody else is at it.
      rmSync(next, { force: true });
      symlinkSync(own, next);
      renameSync(next, path);
    }
    return true;
  } finally {
    inner.release();
  }
}
