// Phases of a profile: how long each took by itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { selfSeconds, type TraceEvent } from "../../bench/phases.js";

const lane = (tid: number, name: string): TraceEvent => ({
  ...{ name: "thread_name", ph: "M", ts: 0, tid },
  args: { name },
});
const phase = (name: string, from: number, to: number, tid = 1): TraceEvent => ({
  ...{ name, ph: "X", tid },
  ...{ ts: from * 1e6, dur: (to - from) * 1e6 },
});

const secondsOf = (...events: readonly TraceEvent[]) =>
  Object.fromEntries(selfSeconds([lane(1, "engine"), lane(2, "recipe 1"), ...events]));

test("what happens within a phase is taken off it, once, however deep", () => {
  assert.deepEqual(
    secondsOf(phase("judge", 0, 10), phase("hash", 2, 6), phase("read", 3, 4), phase("stat", 7, 8)),
    { judge: 5, hash: 3, read: 1, stat: 1 },
  );
});

test("phases of one name add up, and those one after another are not within each other", () => {
  assert.deepEqual(secondsOf(phase("stat", 0, 1), phase("judge", 1, 3), phase("stat", 3, 5)), {
    stat: 3,
    judge: 2,
  });
});

test("a phase that begins with the one around it is within it, in whatever order they are written", () => {
  assert.deepEqual(secondsOf(phase("compile", 0, 2), phase("load Datafile", 0, 5)), {
    "load Datafile": 3,
    compile: 2,
  });
});

test("all phases together are as long as the lane was busy, and other lanes do not count", () => {
  const all = secondsOf(
    phase("start", 0, 3),
    phase("judge", 4, 9),
    phase("stat", 5, 6),
    phase("run", 0, 100, 2),
  );
  assert.equal(
    Object.values(all).reduce((sum, one) => sum + one, 0),
    8,
  );
});
