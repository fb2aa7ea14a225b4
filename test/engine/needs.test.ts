// Dependencies that are found while recipes run: made when they are asked for, recorded, and compared the next time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fail } from "../../src/core/failure.js";
import type { Rule } from "../../src/core/rule.js";
import {
  copies,
  exit,
  fails,
  Gate,
  joins,
  made,
  makes,
  needsWhatIsListed,
  put,
  type Work,
} from "../rig/recipes.js";
import { given } from "../rig/world.js";

/** `out` needs the names that `list` holds. */
const lister = makes("out", { from: ["list"], work: needsWhatIsListed });

test("what a recipe asks for is made first, and is recorded with it", async () => {
  const world = await given({ list: "x y", "x.raw": "1", y: "2", rules: [lister, copies("x.raw", "x")] });
  const report = await world.build("out");
  assert.deepEqual(report.ran, ["out", "x"]);
  assert.equal(world.read("out"), "1\n2");
  assert.deepEqual(
    world.files.records.get("out")?.discovered?.map(({ name }) => name),
    ["x", "y"],
  );
  assert.deepEqual((await world.build("out")).ran, []);
});

test("what was discovered is brought up to date before it is compared, and only a change of it runs the recipe", async () => {
  const half = makes("x", {
    from: ["x.raw"],
    work: async (job, desk) => {
      await put(job, desk, () => desk.read("x.raw").slice(0, 1));
      return made;
    },
  });
  const world = await given({ list: "x", "x.raw": "1a", rules: [lister, half] });
  await world.build("out");
  world.edit("x.raw", "1b");
  assert.deepEqual((await world.build("out")).ran, ["x"]);
  world.edit("x.raw", "2b");
  const report = await world.build("out");
  assert.deepEqual([report.ran, report.because.out], [["x", "out"], ["input-changed"]]);
  assert.equal(world.read("out"), "2");
});

test("what is not needed any more is not made, once the recipe has a reason of its own to run", async () => {
  const world = await given({ list: "x", "x.raw": "1", y: "2", rules: [lister, copies("x.raw", "x")] });
  await world.build("out");
  world.edit("list", "y");
  world.edit("x.raw", "other");
  assert.deepEqual((await world.build("out")).ran, ["out"]);
  world.edit("x.raw", "another");
  assert.deepEqual((await world.build("out")).ran, [], "x is nothing to it now");
});

test("a discovered file that is gone, and one that no rule can make any more, are reasons and no errors", async () => {
  const tolerant: Work = async (job, desk) => {
    await job.need(["x"]);
    await put(job, desk, () => desk.read("x") || "nothing");
    return made;
  };
  const out = makes("out", { from: ["list"], work: tolerant });
  const world = await given({ list: "", "x.raw": "1", rules: [out, copies("x.raw", "x")] });
  await world.build("out");
  world.remove("x.raw");
  const report = await world.build("out", { keepGoing: true });
  assert.deepEqual(report.failed, { x: "no-rule" });
  world.declare([out]);
  world.remove("x");
  assert.deepEqual((await world.build("out")).because.out, ["input-changed"]);
  assert.equal(world.read("out"), "nothing");
  assert.deepEqual((await world.build("out")).ran, [], "that there is nothing is recorded too");
  world.edit("x", "back");
  assert.deepEqual((await world.build("out")).ran, ["out"]);
});

test("a recipe that waits gives its slot back: with -j 1 what it needs still runs", async () => {
  const deep = [
    makes("a", { from: ["list-a"], work: needsWhatIsListed }),
    makes("b", { from: ["list-b"], work: needsWhatIsListed }),
    copies("raw", "c"),
  ];
  const world = await given({ "list-a": "b", "list-b": "c", raw: "1", rules: deep });
  const report = await world.build("a", { jobs: 1 });
  assert.deepEqual([report.ran, report.summary.made], [["a", "b", "c"], 3]);
  assert.equal(world.read("a"), "1");
});

test("while it waits no more recipes run than may", async () => {
  const gate = new Gate();
  const parts = ["p1", "p2", "p3"].map((name) => makes(name, { from: ["raw"], work: gate.work }));
  const world = await given({ list: "p1 p2 p3", raw: "1", rules: [lister, ...parts] });
  const building = world.build("out", { jobs: 2 });
  for (const open of ["p1", "p2", "p3"]) {
    await gate.arrivals(1);
    gate.open(open);
  }
  assert.equal((await building).summary.made, 4);
  assert.equal(gate.most, 2);
});

test("a recipe that goes on takes the slot that another one would have begun in", async () => {
  const gate = new Gate();
  const waits: Work = async (job, desk) => {
    const answer = await job.need(["x"]);
    return answer.ok ? gate.work(job, desk) : answer;
  };
  const rules = [
    makes("out", { work: waits }),
    copies("raw", "x"),
    makes("user", { from: ["x"], work: gate.work }),
  ];
  const world = await given({ raw: "1", rules });
  const building = world.build(["out", "user"], { jobs: 1 });
  for (const next of ["out", "user"]) {
    await gate.arrivals(1);
    gate.open(next);
  }
  assert.equal((await building).summary.made, 3);
  assert.equal(gate.most, 1);
});

test("a recipe whose needs are made in the moment in which another one fails goes on to its end", async () => {
  const failing = makes("bad", {
    work: async () => {
      while (!world.files.records.has("x")) await Promise.resolve();
      return { ok: false, error: { reason: "output-missing", output: "bad" } };
    },
  });
  // Its user is looked at before anything is started, and by then the other one has failed.
  const rules = [lister, copies("raw", "x"), copies("x", "user"), failing];
  const world = await given({ list: "x", raw: "1", rules });
  const report = await world.build(["out", "bad", "user"], { jobs: 2 });
  assert.deepEqual([report.failed, report.summary.made], [{ bad: "output-missing" }, 2]);
});

test("two things asked for at once, by two calls that nobody waits for in between, are both made", async () => {
  const both: Work = async (job, desk) => {
    await Promise.all([job.need(["x"]), job.need(["y"])]);
    await put(job, desk, () => desk.read("x") + desk.read("y"));
    return made;
  };
  const rules = [makes("out", { work: both }), copies("raw", "x"), copies("raw", "y")];
  const world = await given({ raw: "1", rules });
  await world.build("out", { jobs: 4 });
  assert.equal(world.read("out"), "11");
});

test("recipes that need one another are refused with the loop, whichever way it closes", async () => {
  const asks =
    (name: string): Work =>
    async (job) => {
      const answer = await job.need([name]);
      return answer.ok ? made : answer;
    };
  const loops: readonly (readonly Rule[])[] = [
    [makes("a", { work: asks("a") })],
    [makes("a", { work: asks("b") }), makes("b", { work: asks("a") })],
    [makes("a", { work: asks("b") }), makes("b", { from: ["a"] })],
    [makes("a", { work: asks("b") }), makes("b", { from: ["c"] }), makes("c", { work: asks("a") })],
  ];
  for (const rules of loops) {
    const world = await given({ rules });
    const report = await world.build("a", { keepGoing: true });
    const cycles = report.events.flatMap((event) =>
      event.event === "failed" && event.failure.reason === "cycle" ? [event.failure.path] : [],
    );
    assert.equal(cycles.length, 1, JSON.stringify(report.failed));
    assert.equal(cycles[0]?.[0], cycles[0]?.at(-1));
    assert.equal(report.summary.made, 0);
  }
});

test("what fails below fails the one that needs it, and its users are blocked", async () => {
  const bad = makes("x", { work: async () => ({ ok: false, error: { reason: "interrupted" } }) });
  const world = await given({ list: "x", rules: [lister, bad, copies("out", "user")] });
  const report = await world.build("user");
  assert.deepEqual(report.failed, { x: "interrupted", out: "need-failed" });
  assert.deepEqual(report.blocked, { user: "out" });
  assert.equal(report.summary.failed, 2);
});

test("a recipe that goes on without what it could not have runs again, until it has it", async () => {
  const tolerant: Work = async (job, desk) => {
    const answer = await job.need(["x"]);
    await put(job, desk, () => (answer.ok ? desk.read("x") : "without"));
    return made;
  };
  const rules = (work: Work) => [makes("out", { work: tolerant }), makes("x", { from: ["raw"], work })];
  const world = await given({ raw: "1", rules: rules(fails) });
  const first = await world.build("out", { keepGoing: true });
  assert.deepEqual([first.failed, world.read("out")], [{ x: "exit" }, "without"]);
  world.declare(rules(joins));
  assert.deepEqual((await world.build("out")).because.out, ["input-changed"]);
  assert.equal(world.read("out"), "1");
  assert.deepEqual((await world.build("out")).ran, []);
});

test("what is needed and not there fails by name", async () => {
  const world = await given({ list: "nowhere", rules: [lister] });
  assert.deepEqual((await world.build("out")).failed, { out: "no-rule" });
});

test("what fails elsewhere wakes a recipe whose needs will not be started any more", async () => {
  const gate = new Gate();
  const failing = makes("bad", {
    work: async (job, desk) => {
      await gate.work(job, desk);
      return { ok: false, error: { reason: "output-missing", output: "bad" } };
    },
  });
  const slow = makes("x", { from: ["y"], work: joins });
  const y = makes("y", { work: gate.work });
  const world = await given({ list: "x", rules: [lister, slow, y, failing] });
  const building = world.build(["out", "bad"], { jobs: 3 });
  await gate.arrivals(2);
  gate.open("bad");
  gate.open("y");
  const report = await building;
  assert.deepEqual(report.failed, { bad: "output-missing", out: "need-failed" });
  assert.equal(report.summary.notStarted, 1);
});

test("the dry run judges what was discovered, and what hangs on it is uncertain", async () => {
  const world = await given({ list: "x", "x.raw": "1", rules: [lister, copies("x.raw", "x")] });
  await world.build("out");
  world.edit("x.raw", "2");
  const { events, summary } = await world.preview("out");
  assert.deepEqual(
    events.map((event) => ("step" in event ? [event.event, event.step] : [])),
    [
      ["would-run", "x"],
      ["may-run", "out"],
    ],
  );
  assert.deepEqual([summary.wouldRun, summary.mayRun], [1, 1]);
});

/** Says that it has read these files, as a depfile would. */
const reads =
  (read: readonly string[], writtenMeanwhile: readonly string[] = []): Work =>
  async (job, desk) => {
    await put(job, desk, () => read.map(desk.read).join());
    return { ok: true, value: { kind: "made", facts: {}, read, writtenMeanwhile } };
  };

test("what a command says that it has read counts from then on", async () => {
  const world = await given({ "a.h": "1", rules: [makes("out", { work: reads(["a.h"]) })] });
  await world.build("out");
  assert.deepEqual((await world.build("out")).ran, []);
  world.edit("a.h", "2");
  assert.deepEqual((await world.build("out")).because.out, ["input-changed"]);
});

test("a file that was written while the command read it is read again the next time", async () => {
  const world = await given({ "a.h": "1", rules: [makes("out", { work: reads(["a.h"], ["a.h"]) })] });
  assert.deepEqual((await world.build("out")).warnings, ["input-unsettled"]);
  assert.deepEqual((await world.build("out")).ran, ["out"]);
});

test("a command that reads what a rule makes has to declare it: it may have read the old one", async () => {
  const gen = copies("raw", "gen.h");
  const undeclared = makes("out", { work: reads(["gen.h"]) });
  const world = await given({ raw: "1", rules: [gen, undeclared] });
  await world.build("gen.h");
  assert.deepEqual((await world.build("out")).failed, { out: "undeclared-input" });
  assert.deepEqual((await world.build(["gen.h", "out"])).failed, { out: "undeclared-input" }, "by chance");
  for (const declared of [{ after: ["gen.h"] }, { from: ["gen.h"] }]) {
    world.declare([gen, makes("out", { ...declared, work: reads(["gen.h"]) })]);
    assert.deepEqual((await world.build("out")).failed, {});
  }
  world.edit("raw", "2");
  await world.build("out");
  assert.equal(world.read("out"), "2");
});

test("a function that goes on without what it could not have ends the same each time", async () => {
  const goesOn: Work = async (job, desk) => {
    const answer = await job.need(["x"]);
    await put(job, desk, () => (answer.ok ? desk.read("x") : "without"));
    return made;
  };
  let isBroken = false;
  const x: Work = (job, desk) => (isBroken ? fail(exit) : joins(job, desk));
  const world = await given({
    raw: "1",
    rules: [makes("out", { work: goesOn }), copies("raw", "x", { work: x })],
  });
  await world.build("out");
  isBroken = true;
  world.edit("raw", "2");
  for (const _round of [1, 2]) {
    const report = await world.build("out", { keepGoing: true });
    const { made: built, failed, blocked } = report.summary;
    assert.deepEqual({ built, failed, blocked }, { built: 1, failed: 1, blocked: 0 });
    assert.equal(world.read("out"), "without");
  }
});
