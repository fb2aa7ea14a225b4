// Two processes at one file of records, at the worst moments: nothing that was written is lost. Told on a real folder.
import assert from "node:assert/strict";
import fs, { appendFileSync, copyFileSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { mock, test } from "node:test";
import { guardedSync } from "../../src/stores/io-failure.js";
import { State } from "../../src/stores/state.js";
import { append, readLines, replace, withFile } from "../../src/stores/state-file.js";
import { Folder } from "../rig/project.js";
import { failureOf } from "../rig/world.js";
import { stamp } from "./state-rig.js";

const story = (name: string, work: (path: string) => void) =>
  test(name, () => {
    const folder = new Folder();
    try {
      work(folder.path("state.ndjson"));
    } finally {
      mock.restoreAll();
      syncBuiltinESMExports();
      folder.remove();
    }
  });

const trace = {
  recipe: { kind: "script", text: "x".repeat(500) },
  inputs: [],
  outputs: [],
  attempt: "1",
  startedAt: "2024-05-01T12:00:00.000Z",
  checkedAt: "2024-05-01T12:00:00.000Z",
  durationMs: 1,
  facts: {},
};

/** Once, right before something is written to a file that was opened by number. */
function beforeNextWrite(meddle: () => void): void {
  const real = fs.writeSync as (...args: unknown[]) => number;
  mock.method(fs, "writeSync", (...args: unknown[]) => {
    mock.restoreAll();
    syncBuiltinESMExports();
    meddle();
    return real(...args);
  });
  syncBuiltinESMExports();
}

story("what is appended while the file is rewritten comes into the new one", (path) => {
  writeFileSync(path, "old\n");
  const { ino, size } = statSync(path, { bigint: true });
  function* lines() {
    yield "new\n";
    appendFileSync(path, "late\ntorn");
  }
  replace(path, lines(), { inode: ino, bytes: Number(size) });
  assert.equal(readFileSync(path, "utf8"), "new\nlate\n");
});

story("a record that is written while another process replaces the file is written again", (path) => {
  const state = new State(path);
  state.setTrace("before", trace);
  beforeNextWrite(() => {
    copyFileSync(path, `${path}.other`);
    renameSync(`${path}.other`, path);
  });
  state.setTrace("meanwhile", trace);
  state.setStamps([["after", stamp]]);
  const next = new State(path);
  assert.deepEqual([...next.traces.keys()], ["before", "meanwhile"]);
  assert.deepEqual([...next.stamps.keys()], ["after"]);
});

story("so it is where the file was removed, with the texts that it needs", (path) => {
  const state = new State(path);
  state.setTrace("before", trace);
  renameSync(path, `${path}.away`);
  state.setTrace("after", trace);
  assert.deepEqual(new State(path).traces.get("after"), trace);
});

story("a line that a full disk cut short is a failure, and swallows nothing", (path) => {
  const state = new State(path);
  state.setStamps([["before", stamp]]);
  const real = fs.writeSync as (...args: unknown[]) => number;
  mock.method(fs, "writeSync", (descriptor: number, bytes: Buffer) => real(descriptor, bytes, 0, 20));
  syncBuiltinESMExports();
  const written = guardedSync("write", path, () => state.setStamps([["cut", stamp]]));
  assert.equal(failureOf(written, "io").code, "ENOSPC");
  mock.restoreAll();
  syncBuiltinESMExports();
  state.setStamps([["after", stamp]]);
  assert.deepEqual([...new State(path).stamps.keys()], ["before", "after"]);
});

story(
  "what another process has written in between is read, and what this one has is not read twice",
  (path) => {
    const [one, other] = [new State(path), new State(path)];
    one.setStamps([["a", stamp]]);
    assert.equal(one.refresh(), false);
    other.setStamps([["b", stamp]]);
    one.setStamps([["c", stamp]]);
    assert.equal(one.refresh(), true);
    assert.deepEqual([...one.stamps.keys()].sort(), ["a", "b", "c"]);
  },
);

story("lines of any length are read whole", (path) => {
  const lines = ["x".repeat(9_000_000), "", "日本".repeat(1_000_000), "y"];
  writeFileSync(path, `${lines.join("\n")}\nrest`);
  const found: string[] = [];
  const { end, rest } = withFile(path, "r", (file) => readLines(file, 0, (line) => found.push(line)));
  assert.deepEqual([found.map((line) => line.length), rest], [lines.map((line) => line.length), "rest"]);
  assert.equal(end, statSync(path).size - "rest".length);
  assert(found.every((line, i) => line === lines[i]));
});

story("an append tells what is there afterwards", (path) => {
  assert.equal(append(path, ({ size }) => `${size}\n`)?.size, 2);
  assert.equal(append(path, ({ size }) => `${size}\n`)?.size, 4);
  assert.equal(readFileSync(path, "utf8"), "0\n2\n");
});
