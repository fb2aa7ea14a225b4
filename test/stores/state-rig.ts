// A file of records in a folder of its own, with something in it. Knows nothing of what tests expect.
import { test } from "node:test";
import type { Trace } from "../../src/core/trace.js";
import { State } from "../../src/stores/state.js";
import { Folder } from "../rig/project.js";

export const trace = (attempt: string): Trace => ({
  recipe: { kind: "sh", command: "true" },
  inputs: [{ name: "a\nb", digest: "sha256:1" }],
  outputs: [{ name: "out", digest: "sha256:2" }],
  attempt,
  startedAt: "2024-05-01T12:00:00.000Z",
  checkedAt: "2024-05-01T12:00:00.000Z",
  durationMs: 1,
  facts: { rows: 3 },
});
export const stamp = { size: "1", mtimeNs: "2", ctimeNs: "3", inode: "4", device: "5", digest: "sha256:6" };

/** A test with the path of a file of records that is not there yet. */
export const story = (name: string, work: (path: string, folder: Folder) => void | Promise<void>) =>
  test(name, async () => {
    const folder = new Folder();
    try {
      await work(folder.path(".dmake/state.ndjson"), folder);
    } finally {
      folder.remove();
    }
  });

/** A file with one record and one stamp. */
export function filled(path: string): State {
  const state = new State(path);
  state.setTrace("out", trace("1"));
  state.setStamps([["raw", stamp]]);
  return state;
}
