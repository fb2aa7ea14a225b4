// What a person reads while a build waits, tries again or gives the terminal away, and at its end: event by event.
import assert from "node:assert/strict";
import { test } from "node:test";
import { TextRenderer } from "../../src/cli/render-text.js";
import type { BuildEvent, Summary } from "../../src/core/event.js";
import type { Failure } from "../../src/core/failure.js";

interface Shown {
  readonly on: "out" | "err" | "line";
  readonly text: string;
}

/** A renderer, and everything that it has shown by now. */
function rendering({ terminal = false } = {}) {
  const shown: Shown[] = [];
  const write = (on: Shown["on"]) => (text: string) => void shown.push({ on, text });
  const renderer = new TextRenderer({
    out: write("out"),
    err: write("err"),
    transient: terminal ? write("line") : undefined,
    coloured: false,
  });
  const texts = (on?: Shown["on"]) => shown.filter((one) => !on || one.on === on).map(({ text }) => text);
  const tell = (...events: readonly BuildEvent[]) => events.forEach((event) => void renderer.event(event));
  return { renderer, texts, tell };
}

const nothing: Summary = {
  made: 0,
  already: 0,
  fresh: 0,
  failed: 0,
  locked: 0,
  blocked: 0,
  notStarted: 0,
  wouldRun: 0,
  mayRun: 0,
  interrupted: false,
  durationMs: 0,
};

const started = (steps: number): BuildEvent => ({ event: "started", steps, jobs: 2 });
const running = (step: string, more: { tries?: number; terminal?: true } = {}): BuildEvent => ({
  ...{ event: "running", step, attempt: "a", reasons: [] },
  ...more,
});
const output = (step: string, text: string): BuildEvent => ({ event: "output", step, text });
const done = (step: string): BuildEvent => ({ event: "done", step, how: "made", durationMs: 5, facts: {} });
const exit: Failure = { reason: "exit", command: "false", code: 7, signal: null };
const failed = (step: string, failure: Failure = exit): BuildEvent => ({
  ...{ event: "failed", step, failure },
  at: { file: "Datafile.ts", line: 3 },
});
const finished = (summary: Partial<Summary>): BuildEvent => ({ event: "finished", ...nothing, ...summary });

/** Noon of today, where the test runs. */
const noon = new Date(new Date().setHours(12, 3, 11, 0)).toISOString();
const holder = { run: "3f2a9c0155667788", pid: 4711, host: "vm", since: noon };

test("whom a step waits for is said once, as far as it is known", () => {
  const { renderer, texts, tell } = rendering();
  renderer.expect([{ id: "out.txt" }]);
  tell(started(2), { event: "waiting", step: "out.txt", holder });
  assert.deepEqual(texts("err"), ["waiting for run 3f2a9c01… (pid 4711, vm) since 12:03:11: out.txt"]);
  const before = new Date(Date.now() - 50 * 3_600_000).setHours(7, 0, 9, 0);
  tell(
    { event: "waiting", step: "b", holder: { ...holder, since: new Date(before).toISOString() } },
    { event: "waiting", step: "c", holder: { host: "vm" } },
    { event: "waiting", step: "d", holder: {} },
  );
  const [, other, ...unknown] = texts("err");
  assert.match(other ?? "", /since \d{4}-\d\d-\d\d 07:00:09: b$/);
  assert.deepEqual(unknown, ["waiting for another process (vm): c", "waiting for another process: d"]);
  tell({ event: "done", step: "out.txt", how: "already", durationMs: 40, facts: {} });
  tell(finished({ already: 1, fresh: 1 }));
  assert.deepEqual(texts("out"), [
    "1/2  out.txt  made by another dmake meanwhile",
    "1 made by another dmake, 1 up to date (0.00 s)",
  ]);
});

test("on a terminal, a line says for whom and how long, and goes with the waiting", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { renderer, texts, tell } = rendering({ terminal: true });
  tell(started(1), { event: "waiting", step: "out.txt", holder });
  t.mock.timers.tick(100);
  assert.match(texts("line").at(-1) ?? "", /^out\.txt waits for run 3f2a9c01… \(pid 4711, vm\) \d\.\d s$/);
  tell(running("out.txt"));
  t.mock.timers.tick(100);
  assert.match(texts("line").at(-1) ?? "", /^out\.txt \d\.\d s$/);
  tell(done("out.txt"));
  renderer.close();
});

test("a try that failed is told with its whole output, why, and when the next begins", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { texts, tell } = rendering({ terminal: true });
  tell(started(1), running("out.txt"), output("out.txt", "one\n"), output("out.txt", "two\n"), {
    ...{ event: "retrying", step: "out.txt", failure: exit },
    ...{ tries: 2, of: 4, inMs: 1500 },
  });
  assert.deepEqual(texts("err"), [
    "retrying: out.txt, try 2/4 in 1.50 s: the command exited with 7\n  | one\n  | two",
  ]);
  t.mock.timers.tick(100);
  assert.match(texts("line").at(-1) ?? "", /^out\.txt try 2\/4 in 1\.\d s$/);
  tell(running("out.txt", { tries: 2 }));
  t.mock.timers.tick(100);
  assert.match(texts("line").at(-1) ?? "", /^out\.txt try 2\/4 0\.\d s$/);
  tell(output("out.txt", "three\n"), failed("out.txt"), finished({ failed: 1 }));
  // The output of the try before was shown then.
  assert.equal(
    texts("err")[1],
    "failed: out.txt\n  | three\nerror: the command exited with 7\n  $ false".replace(
      "\n  $",
      "\n  --> Datafile.ts:3\n  $",
    ),
  );
});

test("a recipe that has the terminal has it alone: all else is told when it ends, in order", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { texts, tell } = rendering({ terminal: true });
  tell(started(4), running("ask", { terminal: true }), running("b"), done("b"), failed("c"));
  tell({ event: "waiting", step: "d", holder: {} });
  t.mock.timers.tick(300);
  assert.deepEqual(texts(), [""]);
  tell(done("ask"));
  assert.deepEqual(
    texts().map((text) =>
      text
        .split("\n")[0]
        ?.trimEnd()
        .replace(/\s+[\d.]+ s$/, ""),
    ),
    ["", "1/4  b", "failed: c", "waiting for another process: d", "3/4  ask"],
  );
  t.mock.timers.tick(100);
  assert.match(texts("line").at(-1) ?? "", /^d waits for another process /);
});

test("what was kept for a recipe with the terminal is shown however it ends", () => {
  for (const end of [
    failed("ask", { reason: "interrupted" }),
    failed("ask"),
    { ...{ event: "retrying", step: "ask", failure: exit }, ...{ tries: 2, of: 2, inMs: 0 } } as BuildEvent,
    finished({ interrupted: true }),
  ]) {
    const { texts, tell } = rendering();
    tell(started(2), running("ask", { terminal: true }), done("b"));
    assert.deepEqual(texts(), []);
    tell(end);
    assert.match(texts("out")[0] ?? "", /^1\/2 {2}b/);
  }
});

const blocked = (step: string, by: string): BuildEvent => ({ event: "blocked", step, by });

test("the end names what was not built because of what, and what was not started", () => {
  const { texts, tell } = rendering();
  tell(started(60), failed("a"), failed("z"));
  for (let i = 1; i <= 42; i++) tell(blocked(`a/${i}`, "a"));
  tell(blocked("z/1", "z"), { event: "not-started", steps: ["x", "y"] });
  tell(finished({ failed: 2, blocked: 43, notStarted: 2, made: 13 }));
  assert.deepEqual(texts("err").slice(2), [
    "not built because of a: a/1, a/2, a/3, a/4, a/5 and 37 more",
    "not built because of z: z/1",
    "not started: x, y",
  ]);
  assert.deepEqual(texts("out"), [
    "built 13, 2 failed, 43 not built because of that, 2 not finished (0.00 s)",
  ]);
});

test("failures that have left the screen are named again, each in a line", () => {
  const { texts, tell } = rendering();
  const far = (lines: number) => {
    for (let i = 0; i < lines; i++) tell(done(String(i)));
  };
  tell(started(99), failed("early"));
  far(30);
  tell(failed("late", { reason: "locked", target: "late", holder: {} }), finished({ failed: 2, locked: 1 }));
  assert.deepEqual(texts("err").slice(2), [
    "failed: early: the command exited with 7",
    "failed: late: `late` is being made by another process",
  ]);
  assert.equal(texts("out").at(-1), "1 failed, 1 held by another dmake (0.00 s)");
});

test("failures that are still to be seen are not told twice", () => {
  const { texts, tell } = rendering();
  tell(started(9), failed("a"));
  for (let i = 0; i < 9; i++) tell(done(String(i)));
  tell(finished({ failed: 1 }));
  assert.equal(texts("err").length, 1);
});

test("after an interrupt nobody is told what was not started", () => {
  const { texts, tell } = rendering();
  tell(started(9), failed("a", { reason: "interrupted" }), blocked("b", "a"));
  tell(
    { event: "not-started", steps: ["c", "d"] },
    finished({ failed: 1, blocked: 1, notStarted: 2, interrupted: true }),
  );
  assert.deepEqual(texts(), ["interrupted: 4 not finished (0.00 s)"]);
});

test("hundreds of failures are no summary", () => {
  const { texts, tell } = rendering();
  tell(started(500));
  for (let i = 0; i < 100; i++) tell(failed(`f${i}`), blocked(`b${i}`, `f${i}`));
  tell(finished({ failed: 100, blocked: 100 }));
  const end = texts("err").slice(100);
  assert.deepEqual([end.length, end[20], end[41]], [42, "and 80 more", "and 80 more"]);
});
