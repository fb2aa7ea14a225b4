// What is recorded of a run becomes a trace that viewers take: lanes, nesting, microseconds, any text.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Recording } from "../../src/cli/profile-recording.js";
import { traceLines, type Worked } from "../../src/cli/profile-trace.js";
import { checkTrace } from "../rig/trace.js";

const traceOf = (worked: readonly Worked[], waited = []) =>
  checkTrace([...traceLines({ pid: 7, worked, waited })].join("\n"));

const work = (name: string, row: Worked["row"], from: number, until: number): Worked => ({
  ...{ name, row, from, until, args: {} },
});
const job = (row: number, from: number, until: number): Worked => ({
  ...work(`job of ${row}`, row, from, until),
  isJob: true,
});

/** A clock that is set by hand, and what is recorded by it. */
function recordingAt(): { readonly recording: Recording; at(ms: number): Recording } {
  let now = 0;
  const recording = new Recording(() => now);
  return {
    recording,
    at(ms) {
      now = ms;
      return recording;
    },
  };
}

const traceAfter = (recording: Recording) =>
  checkTrace([...traceLines({ pid: 7, ...recording.recorded() })].join("\n"));

test("an empty trace is a trace", () => {
  assert.deepEqual(traceOf([]).lanes, ["engine"]);
});

test("milliseconds become whole microseconds, and what was inside stays inside however that is rounded", () => {
  const { slices } = traceOf([
    work("outer", "engine", 0.0004, 1.0005),
    work("inner", "engine", 0.00049, 1.0005),
  ]);
  assert.deepEqual(
    slices.map(({ name, from, until, within }) => [name, from, until, within]),
    [
      ["outer", 0, 1001, []],
      ["inner", 0, 1001, ["outer"]],
    ],
  );
});

test("jobs share as many lanes as ran at once, and their parts lie in theirs, whatever order they are told in", () => {
  const trace = traceOf([
    work("run", 1, 4, 9),
    job(2, 8, 20),
    job(0, 0, 8),
    work("run", 2, 9, 19),
    work("run", 0, 1, 7),
    job(1, 3, 10),
  ]);
  assert.deepEqual(trace.lanes, ["engine", "job 1", "job 2"]);
  assert.deepEqual(
    trace.slices.map(({ name, lane, within }) => [lane, ...within, name]),
    [
      ["job 1", "job of 0"],
      ["job 1", "job of 0", "run"],
      ["job 1", "job of 2"],
      ["job 1", "job of 2", "run"],
      ["job 2", "job of 1"],
      ["job 2", "job of 1", "run"],
    ],
  );
});

test("what does not nest is beside, and never in another job", () => {
  const trace = traceOf([
    job(0, 0, 10),
    work("need a", 0, 1, 5),
    work("need b", 0, 3, 8),
    job(1, 0, 2),
    work("stat", "engine", 0, 3),
    work("stat", "engine", 2, 5),
    work("hash", "hashing", 0, 5),
    work("hash", "hashing", 5, 6),
    work("hash", "hashing", 1, 4),
  ]);
  assert.deepEqual(trace.lanes, [
    "engine",
    "engine 2",
    "job 1",
    "job 2",
    "beside 1",
    "hashing 1",
    "hashing 2",
  ]);
  assert.deepEqual(
    trace.slices.filter(({ name }) => name.startsWith("need")).map(({ lane, name }) => [lane, name]),
    [
      ["job 1", "need a"],
      ["beside 1", "need b"],
    ],
  );
  assert.equal(trace.slices.filter(({ lane }) => lane === "hashing 1").length, 2);
});

test("names may hold anything that a file name may", () => {
  const name = 'a "b" \\ c/\u2028\u0007ü😀.csv';
  const { slices } = traceOf([{ ...work(name, 0, 0, 1), isJob: true, args: { target: name } }]);
  assert.deepEqual([slices[0]?.name, slices[0]?.args], [name, { target: name }]);
});

test("a step waits in the queue, then has a lane, and its work in the lane is its own", () => {
  const { recording, at } = recordingAt();
  at(1).queued("out.csv");
  at(5).started("out.csv", { recipe: "load" });
  const staged = recording.begin("stage", { target: "out.csv" });
  at(6);
  staged();
  at(7).event({ event: "running", step: "out.csv", attempt: "1", reasons: [] });
  const run = recording.begin("run", { target: "out.csv" });
  at(9).event({ event: "progress", step: "out.csv", phase: "check", done: 0, unit: "rows" });
  const copy = at(12).begin("copy", { target: "out.csv" });
  at(13).event({ event: "progress", step: "out.csv", phase: "load", done: 10, unit: "rows" });
  at(14).event({ event: "progress", step: "out.csv", phase: "load", done: 30, unit: "rows" });
  at(16);
  copy();
  at(17);
  run({ rows: 31 });
  const elsewhere = recording.begin("stat", { files: 2 });
  at(18);
  elsewhere();
  at(20).event({
    event: "done",
    step: "out.csv",
    how: "made",
    durationMs: 1,
    facts: { rows: 31, bytes: 400 },
  });
  const trace = traceAfter(recording);
  assert.deepEqual(
    trace.slices.map(({ lane, within, name, from, until }) => [
      lane,
      [...within, name].join(" > "),
      from,
      until,
    ]),
    [
      ["engine", "stat", 17_000, 18_000],
      ["job 1", "out.csv", 5_000, 20_000],
      ["job 1", "out.csv > stage", 5_000, 6_000],
      ["job 1", "out.csv > run", 7_000, 17_000],
      ["job 1", "out.csv > run > check", 9_000, 12_000],
      ["job 1", "out.csv > run > copy", 12_000, 16_000],
      ["job 1", "out.csv > run > copy > load", 13_000, 16_000],
    ],
  );
  assert.deepEqual([...trace.queued], [["out.csv", 4_000]]);
  const argsOf = (name: string) => trace.slices.find((slice) => slice.name === name)?.args;
  const told = { target: "out.csv", recipe: "load", "queued ms": 4, ended: "made", rows: 31, bytes: 400 };
  assert.deepEqual(argsOf("out.csv"), told);
  assert.deepEqual(
    [argsOf("run"), argsOf("load")],
    [
      { target: "out.csv", rows: 31 },
      { target: "out.csv", rows: 30 },
    ],
  );
});

test("who waits for another dmake, for places after that and for the next try is shown to wait", () => {
  const { recording, at } = recordingAt();
  const holder = { kind: "unknown" } as never;
  at(0).started("x", {});
  const stage = recording.begin("stage", { target: "x" });
  at(1).event({ event: "waiting", step: "x", holder });
  at(5);
  stage();
  recording.staged("x");
  at(8).event({ event: "running", step: "x", attempt: "1", reasons: [] });
  const run = recording.begin("run", { target: "x" });
  at(9);
  run();
  const failure = { reason: "timed-out", afterMs: 1 } as const;
  at(10).event({ event: "retrying", step: "x", failure, tries: 2, of: 2, inMs: 5 });
  at(15).started("x", {});
  const again = recording.begin("stage", { target: "x" });
  at(16);
  again();
  recording.staged("x");
  at(20).event({ event: "failed", step: "x", failure, at: { file: "Datafile.ts", line: 1 } });
  const { slices } = traceAfter(recording);
  assert.deepEqual(
    slices.map(({ within, name, from, until }) => [[...within, name].join(" > "), from, until]),
    [
      ["x", 0, 20_000],
      ["x > stage", 0, 5_000],
      ["x > stage > wait for another dmake", 1_000, 5_000],
      ["x > queue", 5_000, 8_000],
      ["x > run", 8_000, 9_000],
      ["x > wait for the next try", 10_000, 15_000],
      ["x > stage", 15_000, 16_000],
    ],
  );
  assert.equal(slices[0]?.args.ended, "failed: timed-out");
});

test("what is not over when the run is cut ends then; a step that was given up, with the last that it did", () => {
  const { recording, at } = recordingAt();
  at(0).started("runs", {});
  recording.begin("run", { target: "runs" });
  at(1).started("gave-up", {});
  const stage = recording.begin("stage", { target: "gave-up" });
  at(2);
  stage();
  at(3).queued("waits");
  recording.begin("close");
  at(9);
  const trace = traceAfter(recording);
  const ends = Object.fromEntries(trace.slices.map(({ name, until }) => [name, until]));
  assert.deepEqual(ends, { runs: 9_000, run: 9_000, "gave-up": 2_000, stage: 2_000, close: 9_000 });
  assert.deepEqual([...trace.queued], [["waits", 6_000]]);
});

test("a step that two builds of one run make has a job in each", () => {
  const { recording, at } = recordingAt();
  for (const from of [0, 10]) {
    at(from).queued("list");
    at(from + 1).started("list", {});
    at(from + 2).event({ event: "done", step: "list", how: "made", durationMs: 1, facts: {} });
  }
  const { slices, queued } = traceAfter(recording);
  assert.deepEqual(
    slices.map(({ name, lane, from }) => [name, lane, from]),
    [
      ["list", "job 1", 1_000],
      ["list", "job 1", 11_000],
    ],
  );
  assert.equal(queued.size, 1);
});
