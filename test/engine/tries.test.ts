// Recipes that are tried again or cut off: told on a project in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { BuildEvent } from "../../src/core/event.js";
import { fail } from "../../src/core/failure.js";
import { copies, exit, Gate, joins, made, makes, put, type Work } from "../rig/recipes.js";
import { given } from "../rig/world.js";

/** Fails so often, and then works. */
function flaky(failures: number): Work {
  let left = failures;
  return (job, desk) => {
    left -= 1;
    return left >= 0 ? fail(exit) : joins(job, desk);
  };
}

const soon = { times: 2, pauseMs: 0 };
const steps = (events: readonly BuildEvent[], kind: BuildEvent["event"]) =>
  events.flatMap((event) => (event.event === kind && "step" in event ? [event.step] : []));

test("a recipe that fails is tried again as often as its rule says, each time by a new attempt", async () => {
  const rules = [copies("raw", "out", { work: flaky(2), retries: soon })];
  const world = await given({ raw: "a", rules });
  const report = await world.build("out");
  assert.equal(world.read("out"), "a");
  assert.equal(report.summary.made, 1);
  assert.deepEqual(
    world.history.map(({ tries, outcome, failure }) => [tries, outcome, failure?.reason]),
    [
      [1, "failed", "exit"],
      [2, "failed", "exit"],
      [3, "made", undefined],
    ],
  );
  assert.equal(new Set(world.history.map(({ attempt }) => attempt)).size, 3);
});

test("when all tries have failed the step fails once, with the last failure", async () => {
  const rules = [copies("raw", "out", { work: flaky(9), retries: soon })];
  const world = await given({ raw: "a", rules });
  const report = await world.build("out");
  assert.deepEqual(report.failed, { out: "exit" });
  assert.deepEqual([report.summary.failed, world.history.length], [1, 3]);
  const told = report.events.filter(({ event }) => event === "retrying");
  assert.deepEqual(
    told.map((event) => event.event === "retrying" && [event.tries, event.of]),
    [
      [2, 3],
      [3, 3],
    ],
  );
});

test("what another try cannot change is not tried again", async () => {
  const work: Work = () => fail({ reason: "wrote-final-path", output: "out" });
  const world = await given({ raw: "a", rules: [copies("raw", "out", { work, retries: soon })] });
  await world.build("out");
  assert.equal(world.history.length, 1);
});

test("the pause doubles with each try, and others run meanwhile", async () => {
  const pauses: number[] = [];
  const rules = [
    copies("raw", "out", { work: flaky(3), retries: { times: 3, pauseMs: 20 } }),
    copies("raw", "other"),
  ];
  const world = await given({ raw: "a", rules });
  const emit = (event: BuildEvent) => event.event === "retrying" && pauses.push(event.inMs);
  const report = await world.build(["out", "other"], { jobs: 1, emit });
  assert.deepEqual(pauses, [20, 40, 80]);
  assert.equal(steps(report.events, "done")[0], "other");
});

test("a failure elsewhere ends the waiting for a next try", async () => {
  const gate = new Gate();
  const never = { times: 5, pauseMs: 3_600_000 };
  const failing: Work = async (job, desk) => {
    await gate.work(job, desk);
    return fail(exit);
  };
  const rules = [
    copies("raw", "flaky", { work: flaky(9), retries: never }),
    copies("raw", "bad", { work: failing }),
  ];
  const world = await given({ raw: "a", rules });
  const building = world.build(["flaky", "bad"], { jobs: 2 });
  await gate.arrivals(1);
  gate.open("bad");
  const report = await building;
  assert.deepEqual(report.failed, { flaky: "exit", bad: "exit" });
});

test("a recipe that takes longer than its timeout is cut off and may be tried again", async () => {
  let tries = 0;
  const work: Work = async (job, desk) => {
    tries += 1;
    if (tries > 1) return joins(job, desk);
    await new Promise((aborted) => job.signal.addEventListener("abort", aborted));
    return fail({ reason: "interrupted" });
  };
  const world = await given({
    raw: "a",
    rules: [copies("raw", "out", { work, timeoutMs: 20, retries: soon })],
  });
  const report = await world.build("out");
  assert.deepEqual(
    world.history.map(({ outcome, failure }) => [outcome, failure?.reason]),
    [
      ["failed", "timed-out"],
      ["made", undefined],
    ],
  );
  assert.equal(report.summary.made, 1);
});

test("the time a recipe waits for what it needs is not its own", async () => {
  const work: Work = async (job, desk) => {
    const answer = await job.need(["slow"]);
    if (!answer.ok) return answer;
    await put(job, desk, () => desk.read("slow"));
    return job.signal.aborted ? fail({ reason: "interrupted" }) : made;
  };
  const slow: Work = async (job, desk) => {
    await new Promise((later) => setTimeout(later, 400));
    return joins(job, desk);
  };
  const rules = [makes("out", { work, timeoutMs: 300 }), copies("raw", "slow", { work: slow })];
  const world = await given({ raw: "a", rules });
  assert.equal((await world.build("out")).summary.made, 2);
});

test("waiting for two things that overlap is on nobody's clock", async () => {
  const slowly: Work = async (job, desk) => {
    await new Promise((later) => setTimeout(later, 500));
    return joins(job, desk);
  };
  const both: Work = async (job, desk) => {
    const first = job.need(["x"]);
    await new Promise((later) => setTimeout(later, 350));
    await Promise.all([first, job.need(["y"])]);
    if (job.signal.aborted) return fail({ reason: "interrupted" });
    await put(job, desk, () => desk.read("y"));
    return made;
  };
  const rules = [
    makes("out", { work: both, timeoutMs: 300 }),
    copies("raw", "x", { work: slowly }),
    copies("raw", "y", { work: slowly }),
  ];
  const world = await given({ raw: "1", rules });
  assert.equal((await world.build("out")).summary.made, 3);
});

test("what is wrong with the data is not tried again", async () => {
  const work: Work = () => fail({ reason: "bad-value", file: "raw", column: "a", text: "x", type: "BIGINT" });
  const world = await given({ raw: "a", rules: [copies("raw", "out", { work, retries: soon })] });
  await world.build("out");
  assert.equal(world.history.length, 1);
});

test("many that wait for their next try are no leak", async () => {
  const warned: Error[] = [];
  const onWarning = (warning: Error) => void warned.push(warning);
  process.on("warning", onWarning);
  const names = Array.from({ length: 15 }, (_, i) => `out${i}`);
  const work = () => flaky(1);
  const rules = names.map((name) =>
    copies("raw", name, { work: work(), retries: { times: 1, pauseMs: 30 } }),
  );
  const world = await given({ raw: "a", rules });
  assert.equal((await world.build(names, { keepGoing: true })).summary.made, 15);
  await new Promise(setImmediate);
  process.off("warning", onWarning);
  assert.deepEqual(warned, []);
});
