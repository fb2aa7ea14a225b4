// A Contents over the current folder as a new process would have it, with its state and warnings at hand. Knows nothing of what tests expect.
import assert from "node:assert/strict";
import { truncateSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Warning } from "../../src/core/event.js";
import { ok, type Result } from "../../src/core/failure.js";
import { Contents, type Seen } from "../../src/stores/file-contents.js";
import { lookOf, statOf } from "../../src/stores/file-look.js";
import { walk } from "../../src/stores/file-tree.js";
import { State } from "../../src/stores/state.js";
import { must } from "../rig/world.js";

const directory = ".dmake";

/** Files that nobody has touched for longer than two seconds, as none that a test makes can be. */
export const settled = {
  file: fileURLToPath(new URL("../../package.json", import.meta.url)),
  directory: fileURLToPath(new URL("../data/broken", import.meta.url)),
};

export function open({ writable = true } = {}) {
  let state: State | undefined;
  const opened = () => {
    state ??= new State(`${directory}/state.ndjson`, { writable });
    return state;
  };
  const warnings: Warning[] = [];
  const warn = (warning: Warning) => warnings.push(warning);
  return {
    contents: new Contents({ directory, writable, state: opened, warn }),
    warnings,
    get state() {
      return opened();
    },
  };
}

/** Digest, or `absent`. */
export async function look(name: string, { contents } = open()): Promise<string> {
  return digestIn(await contents.observe([name]));
}

export function digestIn(result: Result<readonly Seen[]>): string {
  const [seen] = must(result);
  return seen?.kind === "present" ? seen.digest : "absent";
}

/** What would have been recorded of a file or of each in a directory, had it been there for long: a digest that shows whether it is believed. */
export function vouch(state: State, name: string, digest: (name: string) => string): void {
  const stats = statOf(name);
  const tree = stats?.isDirectory() ? walk(name) : ok({ entries: [{ kind: "file", name, stats }] });
  assert(stats && tree.ok);
  for (const entry of tree.value.entries)
    if (entry.stats && (entry.kind === "file" || entry.kind === "executable"))
      state.setStamps([[entry.name, { ...lookOf(entry.stats), digest: digest(entry.name) }]]);
}

/** How many stamps the state has on disk. */
export const stampsIn = (text: string): number =>
  text.split("\n").filter((line) => line.includes('"stamp"')).length;

/** Of zeros that take no room on the disk. */
export function sparseFile(name: string, bytes: number): string {
  writeFileSync(name, "");
  truncateSync(name, bytes);
  return name;
}
