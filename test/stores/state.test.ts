// The file of records: what is damaged is dropped, never believed. Told on a real folder.
import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { Trace } from "../../src/core/trace.js";
import { State } from "../../src/stores/state.js";
import { Folder } from "../rig/project.js";

const trace = (attempt: string): Trace => ({
  recipe: { kind: "sh", command: "true" },
  inputs: [{ name: "a\nb", digest: "sha256:1" }],
  outputs: [{ name: "out", digest: "sha256:2" }],
  attempt,
  startedAt: "2024-05-01T12:00:00.000Z",
  checkedAt: "2024-05-01T12:00:00.000Z",
  durationMs: 1,
  facts: { rows: 3 },
});
const stamp = { size: "1", mtimeNs: "2", ctimeNs: "3", inode: "4", device: "5", digest: "sha256:6" };

const story = (name: string, work: (path: string, folder: Folder) => void) =>
  test(name, () => {
    const folder = new Folder();
    try {
      work(folder.path(".dmake/state.ndjson"), folder);
    } finally {
      folder.remove();
    }
  });

/** A file with one record and one stamp. */
function filled(path: string): State {
  const state = new State(path);
  state.setTrace("out", trace("1"));
  state.setStamp("raw", stamp);
  return state;
}

story("what one process records the next one reads", (path) => {
  filled(path);
  const next = new State(path);
  assert.deepEqual(next.traces.get("out"), trace("1"));
  assert.deepEqual(next.stamps.get("raw"), stamp);
});

story("reading alone writes nothing", (path, folder) => {
  new State(path);
  assert.deepEqual(folder.list(), []);
});

story("of two records of one step the later holds", (path) => {
  filled(path).setTrace("out", trace("2"));
  assert.equal(new State(path).traces.get("out")?.attempt, "2");
});

story("a line that was torn by a kill is dropped, and what follows it is kept", (path) => {
  filled(path);
  const whole = readFileSync(path, "utf8");
  for (let cut = whole.indexOf("\n") + 2; cut < whole.length; cut += 7) {
    writeFileSync(path, whole.slice(0, cut));
    const torn = new State(path);
    torn.setTrace("next", trace("3"));
    const next = new State(path);
    assert.equal(next.traces.get("next")?.attempt, "3", `cut at ${cut}`);
    assert.equal(next.traces.get("out")?.attempt, torn.traces.get("out")?.attempt);
    if (next.stamps.get("raw")) assert.deepEqual(next.stamps.get("raw"), stamp);
  }
});

story("a header that was torn by a kill costs the records and nothing else", (path) => {
  filled(path);
  const whole = readFileSync(path, "utf8");
  for (let cut = 0; cut <= whole.indexOf("\n"); cut += 1) {
    writeFileSync(path, whole.slice(0, cut));
    const torn = new State(path);
    assert.equal(torn.traces.size, 0);
    torn.setTrace("next", trace("3"));
    assert.equal(new State(path).traces.get("next")?.attempt, "3", `cut at ${cut}`);
  }
});

story("lines that are no records are dropped, whatever they hold", (path) => {
  filled(path);
  const garbage = [
    "",
    "null",
    "[]",
    "{}",
    "42",
    '"x"',
    "\0\0\0",
    '["trace"]',
    '["trace","x"]',
    '["trace","x",null]',
    '["trace","x",{}]',
    '["trace","x",{"recipe":null,"inputs":[],"outputs":[],"checkedAt":"","facts":{}}]',
    '["trace","x",{"recipe":{},"inputs":[null],"outputs":[],"checkedAt":"","facts":{}}]',
    '["trace","x",{"recipe":{},"inputs":[],"outputs":[{"name":1}],"checkedAt":"","facts":{}}]',
    '["trace","x",{"recipe":{},"inputs":[],"outputs":[],"checkedAt":"","facts":null}]',
    '["trace",1,{"recipe":{},"inputs":[],"outputs":[],"checkedAt":"","facts":{}}]',
    '["stamp","x"]',
    '["stamp","x",1,2,3,4,5,6]',
    '["lease","x"]',
    "<<<<<<< HEAD",
    "[[[[",
  ];
  appendFileSync(path, `${garbage.join("\n")}\n`);
  appendFileSync(path, `${JSON.stringify(["trace", "last", trace("9")])}\n`);
  const state = new State(path);
  assert.deepEqual([...state.traces.keys()], ["out", "last"]);
  assert.deepEqual([...state.stamps.keys()], ["raw"]);
});

for (const first of ['["dmake-state",99]', '["dmake-state"]', "something else", "", '{"dmake-state":1}'])
  story(
    `a file that begins with ${first || "nothing"} is of another version: kept aside, and everything is stale`,
    (path) => {
      filled(path);
      const body = readFileSync(path, "utf8").split("\n").slice(1).join("\n");
      const foreign = `${first}\n${body}`;
      writeFileSync(path, foreign);
      const state = new State(path);
      assert.equal(state.traces.size, 0);
      assert.equal(readFileSync(path, "utf8"), foreign);
      state.setTrace("new", trace("1"));
      assert.equal(readFileSync(`${path}.old`, "utf8"), foreign);
      assert.deepEqual([...new State(path).traces.keys()], ["new"]);
    },
  );

story("a file that is mostly superseded is rewritten, once, with what holds", (path) => {
  const state = filled(path);
  for (let i = 0; i < 2_500; i += 1) state.setTrace("busy", trace(String(i)));
  assert(readFileSync(path, "utf8").split("\n").length > 2_500);
  state.compact();
  assert.equal(readFileSync(path, "utf8").split("\n").length, 5);
  const next = new State(path);
  assert.deepEqual([next.traces.get("busy")?.attempt, next.traces.get("out")?.attempt], ["2499", "1"]);
  assert.deepEqual(next.stamps.get("raw"), stamp);
  assert.equal(existsSync(`${path}.${process.pid}.tmp`), false);
});

story("a file with little to gain, and one that this process did not write, are left alone", (path) => {
  const state = filled(path);
  state.setTrace("out", trace("2"));
  state.compact();
  assert.equal(readFileSync(path, "utf8").split("\n").length, 5);
  for (let i = 0; i < 2_500; i += 1) state.setTrace("busy", trace(String(i)));
  const before = readFileSync(path, "utf8");
  new State(path).compact();
  assert.equal(readFileSync(path, "utf8"), before);
});

story("two processes that record at once lose nothing", (path) => {
  const [one, other] = [new State(path), new State(path)];
  for (let i = 0; i < 50; i += 1) {
    one.setTrace(`one${i}`, trace("1"));
    other.setTrace(`other${i}`, trace("2"));
  }
  assert.equal(new State(path).traces.size, 100);
});

story("what another process has recorded since is taken in when asked for, each line once", (path) => {
  const one = new State(path);
  one.setTrace("mine", trace("1"));
  assert.equal(new State(path).refresh(), false);
  one.refresh();
  new State(path).setTrace("theirs", trace("2"));
  appendFileSync(path, '["trace","half",{"recipe"');
  assert.equal(one.refresh(), true);
  assert.deepEqual([...one.traces.keys()], ["mine", "theirs"]);
});

story("a file that was cut short or removed behind our back is read anew", (path) => {
  const state = filled(path);
  state.refresh();
  truncateSync(path, 20);
  state.refresh();
  rmSync(path);
  assert.equal(state.refresh(), false);
});

story("a rewrite keeps what another process has recorded", (path) => {
  const one = new State(path);
  for (let i = 0; i < 2_500; i += 1) one.setTrace("busy", trace(String(i)));
  new State(path).setTrace("theirs", trace("2"));
  one.compact();
  assert.deepEqual([...new State(path).traces.keys()].sort(), ["busy", "theirs"]);
  one.setTrace("after", trace("3"));
  assert.equal(one.refresh(), true);
  assert.deepEqual([...new State(path).traces.keys()].sort(), ["after", "busy", "theirs"]);
});

story("ten thousand records that are each followed by a look at the news take no time", (path) => {
  const state = new State(path);
  for (let i = 0; i < 10_000; i += 1) {
    state.setTrace(`step${i}`, trace("1"));
    state.refresh();
  }
  assert.equal(new State(path).traces.size, 10_000);
});

story("names of any kind come back as they went in", (path) => {
  const names = ["a\nb", 'q"u', "ü\u2028", "__proto__", "constructor", "\ud800 alone"];
  const state = new State(path);
  for (const name of names) state.setTrace(name, trace(name));
  assert.deepEqual([...new State(path).traces.keys()], names);
});
