// Makes the disk keep what was written, power cuts included. Knows nothing of what it is.
import { closeSync, fsync, openSync, readdirSync, statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import pLimit from "p-limit";

/** A disk answers several as fast as one; each holds an open file. */
const syncsAtOnce = 8;
const fsyncLater = promisify(fsync);

/** A file, or a folder's list of names. Others work meanwhile: a file of gigabytes takes seconds. */
export async function sync(path: string | Buffer): Promise<void> {
  const descriptor = openSync(path, "r");
  try {
    await fsyncLater(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

interface Syncing {
  readonly now: Promise<void>;
  hasBegun: boolean;
  next?: Promise<void>;
}

/** Folder → the sync of its names that runs or is about to, and the one that follows it. */
const syncing = new Map<string, Syncing>();

/**
 * A folder's list of names, as it is now. Many who ask at once share one: 10 000 outputs of one folder are on the disk
 * after some hundred. One begins when the turn of the event loop is over, for those who were brought to the disk together
 * ask in one turn; once it has begun, it may have missed what was renamed since.
 */
export function syncFolder(path: string): Promise<void> {
  const running = syncing.get(path);
  if (!running) return begin(path);
  if (!running.hasBegun) return running.now;
  running.next ??= running.now.then(
    () => begin(path),
    () => begin(path),
  );
  return running.next;
}

function begin(path: string): Promise<void> {
  const turn = setImmediate().then(() => {
    own.hasBegun = true;
    return sync(path);
  });
  const own: Syncing = { now: turn, hasBegun: false };
  syncing.set(path, own);
  const over = () => {
    // Somebody who has asked meanwhile begins anew, and is then what runs.
    if (syncing.get(path) === own) syncing.delete(path);
  };
  own.now.then(over, over);
  return own.now;
}

/** A file, or a directory with everything in it. What a link inside leads to is not part of it. */
export async function syncTree(path: string): Promise<void> {
  if (!statSync(path).isDirectory()) return sync(path);
  const limit = pLimit(syncsAtOnce);
  await Promise.all(everythingIn(path).map((one) => limit(() => sync(one))));
}

/** Names are bytes: a recipe may write any. */
function everythingIn(root: string): readonly Buffer[] {
  const found: Buffer[] = [];
  const folders = [Buffer.from(root)];
  for (let folder = folders.pop(); folder; folder = folders.pop()) {
    found.push(folder);
    for (const entry of readdirSync(folder, { withFileTypes: true, encoding: "buffer" })) {
      const path = Buffer.concat([folder, Buffer.from("/"), entry.name]);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile()) found.push(path);
    }
  }
  return found;
}
