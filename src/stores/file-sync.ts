// Makes the disk keep what was written, power cuts included. Knows nothing of what it is.
import { closeSync, fsync, openSync, readdirSync, statSync } from "node:fs";
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
