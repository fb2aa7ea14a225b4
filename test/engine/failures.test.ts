// What a failure, an interrupt or a database that is not there leaves behind: told on a project in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Failure, fail } from "../../src/core/failure.js";
import { copies, exit, fails, Gate, joins, made, makes, put, type Work } from "../rig/recipes.js";
import { given } from "../rig/world.js";

const diamond = (work: Work) => [
  copies("raw.csv", "left.csv", { work }),
  copies("raw.csv", "right.csv"),
  makes("out.csv", { from: ["left.csv", "right.csv"] }),
  copies("out.csv", "last.csv"),
];

test("a failed step keeps its old output and leaves nothing staged", async () => {
  let broken = false;
  const work: Work = (job, desk) => (broken ? fails(job, desk) : joins(job, desk));
  const world = await given({ "raw.csv": "old", rules: [copies("raw.csv", "out.csv", { work })] });
  await world.build("out.csv");
  broken = true;
  world.edit("raw.csv", "new");
  const report = await world.build("out.csv");
  assert.deepEqual(report.failed, { "out.csv": "exit" });
  assert.equal(world.read("out.csv"), "old");
  assert.equal(world.files.staged.size, 0);
  broken = false;
  assert.deepEqual((await world.build("out.csv")).because, { "out.csv": ["input-changed"] });
  assert.equal(world.read("out.csv"), "new");
});

test("the first failure stops the build: nothing new is started", async () => {
  const world = await given({ "raw.csv": "a", rules: diamond(fails) });
  const report = await world.build("last.csv");
  assert.deepEqual(report.ran, ["left.csv"]);
  assert.deepEqual(report.blocked, { "out.csv": "left.csv", "last.csv": "left.csv" });
  const { made, failed, blocked, notStarted } = report.summary;
  assert.deepEqual({ made, failed, blocked, notStarted }, { made: 0, failed: 1, blocked: 2, notStarted: 1 });
});

test("what runs beside a failing step ends, is published and recorded", async () => {
  const gate = new Gate();
  const rules = [
    copies("raw.csv", "left.csv", {
      work: async (job, desk) => {
        await gate.work(job, desk);
        return fails(job, desk);
      },
    }),
    copies("raw.csv", "right.csv", { work: gate.work }),
    makes("out.csv", { from: ["right.csv"] }),
  ];
  const world = await given({ "raw.csv": "a", rules });
  const building = world.build(["left.csv", "out.csv"], { jobs: 2 });
  await gate.arrivals(2);
  gate.open("left.csv");
  gate.open("right.csv");
  const report = await building;
  assert.deepEqual(report.failed, { "left.csv": "exit" });
  assert.equal(world.read("right.csv"), "a");
  assert.equal(report.summary.made, 1);
  assert.deepEqual((await world.build("out.csv")).ran, ["out.csv"]);
});

test("with -k everything that does not depend on the failure is built", async () => {
  const world = await given({ "raw.csv": "a", rules: diamond(fails) });
  const report = await world.build("last.csv", { keepGoing: true });
  assert.deepEqual(report.ran, ["left.csv", "right.csv"]);
  assert.deepEqual(report.blocked, { "out.csv": "left.csv", "last.csv": "left.csv" });
  const { made, failed, blocked, notStarted } = report.summary;
  assert.deepEqual({ made, failed, blocked, notStarted }, { made: 1, failed: 1, blocked: 2, notStarted: 0 });
});

test("a failed order-only input blocks as well", async () => {
  const rules = [
    copies("raw.csv", "schema", { work: fails }),
    copies("raw.csv", "out", { after: ["schema"] }),
  ];
  const world = await given({ "raw.csv": "a", rules });
  assert.deepEqual((await world.build("out", { keepGoing: true })).blocked, { out: "schema" });
});

test("a step that two failures block is told once", async () => {
  const rules = [
    copies("raw.csv", "a", { work: fails }),
    copies("raw.csv", "b", { work: fails }),
    makes("out", { from: ["a", "b"] }),
  ];
  const world = await given({ "raw.csv": "x", rules });
  const report = await world.build("out", { keepGoing: true });
  assert.equal(report.events.filter(({ event }) => event === "blocked").length, 1);
  assert.equal(report.summary.blocked, 1);
});

test("a failure names the place of the rule", async () => {
  const rules = [copies("raw.csv", "out.csv", { work: fails, line: 14 })];
  const world = await given({ "raw.csv": "a", rules });
  const failed = (await world.build("out.csv")).events.find((event) => event.event === "failed");
  assert.deepEqual(failed, {
    event: "failed",
    step: "out.csv",
    failure: exit,
    at: { file: "/project/Datafile.ts", line: 14 },
  });
});

test("an interrupt lets nothing new start, and what was running is neither published nor recorded", async () => {
  const gate = new Gate();
  const rules = [
    copies("raw.csv", "a", { work: gate.work }),
    copies("raw.csv", "b"),
    makes("out", { from: ["a", "b"] }),
  ];
  const world = await given({ "raw.csv": "x", rules });
  const stop = new AbortController();
  const building = world.build("out", { signal: stop.signal });
  await gate.arrivals(1);
  stop.abort();
  gate.open("a");
  const report = await building;
  assert.deepEqual([report.summary.interrupted, report.ran], [true, ["a"]]);
  assert.deepEqual(report.failed, { a: "interrupted" });
  assert.deepEqual([world.read("a"), world.files.records.size, world.files.staged.size], [undefined, 0, 0]);
});

test("an interrupt before the first step judges nothing and runs nothing", async () => {
  const world = await given({ "raw.csv": "x", rules: [copies("raw.csv", "a")] });
  const graph = await world.plan("a");
  assert(graph.ok);
  const asked = world.files.observed.length;
  const report = await world.run(graph.value, { signal: AbortSignal.abort() });
  assert.deepEqual([report.ran, report.summary.notStarted], [[], 1]);
  assert.equal(world.files.observed.length, asked);
});

const unreachable: Failure = {
  reason: "postgres-unreachable",
  server: "localhost:5432",
  code: "ECONNREFUSED",
  message: "connect ECONNREFUSED",
};
const loads = [
  copies("raw.csv", "data.parquet"),
  copies("data.parquet", "table:trips"),
  makes("table:report", { from: ["data.parquet"], after: ["table:trips"] }),
  copies("raw.csv", "table:plain"),
  copies("raw.csv", "copy.csv"),
];
const everything = ["table:report", "table:plain", "copy.csv"];

test("a database that is not there is known before anything runs, and said once", async () => {
  const world = await given({ "raw.csv": "a", rules: loads });
  world.tables.unreachable = unreachable;
  const report = await world.build(everything);
  assert.deepEqual([report.ran, report.summary.failed], [[], 1]);
  assert.equal(world.tables.observed.length, 1);
});

test("with -k files are still built while the database is away, and each table fails or is blocked once", async () => {
  const world = await given({ "raw.csv": "a", rules: loads });
  world.tables.unreachable = unreachable;
  const report = await world.build(everything, { keepGoing: true, jobs: 2 });
  assert.deepEqual([...report.ran].sort(), ["copy.csv", "data.parquet"]);
  assert.deepEqual(report.failed, {
    "table:trips": "postgres-unreachable",
    "table:plain": "postgres-unreachable",
  });
  assert.deepEqual(report.blocked, { "table:report": "table:trips" });
  const { made, failed, blocked, notStarted } = report.summary;
  assert.deepEqual({ made, failed, blocked, notStarted }, { made: 2, failed: 2, blocked: 1, notStarted: 0 });
});

test("a file that cannot be looked at fails the steps that need it, and no others", async () => {
  const rules = [copies("raw.csv", "a"), copies("raw.csv", "b"), copies("raw.csv", "c")];
  const world = await given({ "raw.csv": "x", rules });
  world.files.broken.set("b", { reason: "io", doing: "look at", path: "b", code: "EISDIR" });
  const report = await world.build(["a", "b", "c"], { keepGoing: true });
  assert.deepEqual(report.failed, { b: "io" });
  assert.deepEqual(report.ran, ["a", "c"]);
});

test("a table's rows are seen only when its recipe has ended well", async () => {
  let broken = true;
  const work: Work = async (job, desk) => {
    await put(job, desk, () => "rows");
    return broken ? fail(exit) : joins(job, desk);
  };
  const world = await given({ "raw.csv": "x", rules: [copies("raw.csv", "table:trips", { work })] });
  assert.deepEqual((await world.build("table:trips")).failed, { "table:trips": "exit" });
  assert.equal(world.read("table:trips"), undefined);
  broken = false;
  await world.build("table:trips");
  assert.equal(world.read("table:trips"), "x");
  assert.deepEqual((await world.build("table:trips")).ran, []);
});

test("what is blocked names the step that failed, however far up", async () => {
  const rules = [
    copies("raw", "bad", { work: () => fail(exit) }),
    copies("bad", "middle"),
    copies("middle", "found"),
    makes("late", {
      work: async (job) => {
        const answer = await job.need(["found"]);
        return answer.ok ? made : answer;
      },
    }),
  ];
  const world = await given({ raw: "x", rules });
  const report = await world.build(["middle", "late"], { keepGoing: true });
  assert.deepEqual(report.blocked, { middle: "bad", found: "bad" });
});

test("a bug in a recipe's runner is thrown on, after what runs beside it has ended, and is never silence", async () => {
  const gate = new Gate();
  const broken: Work = async (job, desk) => {
    await gate.work(job, desk);
    throw new TypeError("a bug");
  };
  const rules = [
    copies("raw", "broken", { work: broken }),
    copies("raw", "beside", { work: gate.work }),
    copies("raw", "late"),
  ];
  const world = await given({ raw: "a", rules });
  const building = world.build(["broken", "beside", "late"], { jobs: 2, keepGoing: true });
  await gate.arrivals(2);
  gate.open("broken");
  await new Promise(setImmediate);
  gate.open("beside");
  await assert.rejects(building, /a bug/);
  assert.deepEqual([world.read("beside"), world.read("late")], ["a", undefined]);
});
