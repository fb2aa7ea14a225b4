// The file of records as it grows, under several processes: rewritten when most of it is superseded, and nothing is lost. Told on a real folder.
import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, renameSync, truncateSync } from "node:fs";
import { State } from "../../src/stores/state.js";
import { written } from "../../src/stores/state-line.js";
import { takeLock } from "../../src/system/lock.js";
import { filled, stamp, story, trace } from "./state-rig.js";

story("a file that is mostly superseded is rewritten, once, with what holds", async (path) => {
  const state = filled(path);
  for (let i = 0; i < 2_500; i += 1) state.setTrace("busy", trace(String(i)));
  assert(readFileSync(path, "utf8").split("\n").length > 2_500);
  await state.compact();
  assert.equal(readFileSync(path, "utf8").split("\n").length, 5);
  const next = new State(path);
  assert.deepEqual([next.traces.get("busy")?.attempt, next.traces.get("out")?.attempt], ["2499", "1"]);
  assert.deepEqual(next.stamps.get("raw"), stamp);
  assert.equal(existsSync(`${path}.next`), false);
});

story("a file with little to gain, and one that this process did not write, are left alone", async (path) => {
  const state = filled(path);
  state.setTrace("out", trace("2"));
  await state.compact();
  assert.equal(readFileSync(path, "utf8").split("\n").length, 5);
  for (let i = 0; i < 2_500; i += 1) state.setTrace("busy", trace(String(i)));
  const before = readFileSync(path, "utf8");
  await new State(path).compact();
  assert.equal(readFileSync(path, "utf8"), before);
});

story("while another process rewrites the file, this one does not", async (path) => {
  filled(path);
  appendFileSync(path, "garbage\n");
  const before = readFileSync(path, "utf8");
  const lock = await takeLock(`${path}.lock`, 0);
  await new State(path).compact();
  assert.equal(readFileSync(path, "utf8"), before);
  if (lock.kind === "held") lock.release();
  await new State(path).compact();
  assert.notEqual(readFileSync(path, "utf8"), before);
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
  appendFileSync(path, written(["trace", "half", trace("3")]).slice(0, -20));
  assert.equal(one.refresh(), true);
  assert.deepEqual([...one.traces.keys()], ["mine", "theirs"]);
});

story("a file that was cut short or removed behind our back is read anew", (path) => {
  const state = filled(path);
  truncateSync(path, 20);
  new State(path).setStamps([["theirs", stamp]]);
  assert.equal(state.refresh(), true);
  assert.deepEqual(state.stamps.get("theirs"), stamp);
  renameSync(path, `${path}.away`);
  assert.equal(state.refresh(), false);
  new State(path).setTrace("again", trace("2"));
  assert.equal(state.refresh(), true);
  assert.deepEqual(state.traces.get("again"), trace("2"));
});

story("a rewrite keeps what another process has recorded", async (path) => {
  const one = new State(path);
  for (let i = 0; i < 2_500; i += 1) one.setTrace("busy", trace(String(i)));
  new State(path).setTrace("theirs", trace("2"));
  await one.compact();
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
