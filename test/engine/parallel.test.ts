// How many recipes run at once, and how few questions are asked: told on a project in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { copies, Gate, makes } from "../rig/recipes.js";
import { given } from "../rig/world.js";

const months = ["01", "02", "03", "04", "05"];

test("-j 3 runs three recipes at once and never a fourth", async () => {
  const gate = new Gate();
  const rules = months.map((month) => copies("raw.csv", `${month}.csv`, { work: gate.work }));
  const world = await given({ "raw.csv": "a", rules });
  const building = world.build(
    months.map((month) => `${month}.csv`),
    { jobs: 3 },
  );
  await gate.arrivals(3);
  assert.deepEqual(gate.waiting, ["01.csv", "02.csv", "03.csv"]);
  for (const month of months) {
    gate.open(`${month}.csv`);
    const left = months.length - months.indexOf(month) - 1;
    await gate.arrivals(Math.min(3, left));
  }
  const report = await building;
  assert.equal(report.summary.made, 5);
  assert.equal(gate.most, 3);
});

test("-j 1 runs one recipe at a time", async () => {
  const gate = new Gate();
  const rules = months.map((month) => copies("raw.csv", `${month}.csv`, { work: gate.work }));
  const world = await given({ "raw.csv": "a", rules });
  const building = world.build(months.map((month) => `${month}.csv`));
  for (const month of months) {
    await gate.arrivals(1);
    gate.open(`${month}.csv`);
  }
  await building;
  assert.equal(gate.most, 1);
});

/** A disk that keeps what was made waiting until it is let through. */
function slowDisk() {
  const waiting = new Map<string, () => void>();
  const disk = (step: string) => new Promise<void>((done) => waiting.set(step, done));
  const letThrough = (step: string) => {
    waiting.get(step)?.();
    waiting.delete(step);
  };
  return { disk, letThrough, waiting };
}

test("while what was made is on its way to the disk others run, but none that reads it", async () => {
  const rules = [
    copies("raw", "a"),
    copies("raw", "b"),
    copies("raw", "c"),
    copies("raw", "d"),
    copies("a", "below"),
  ];
  const world = await given({ raw: "x", rules });
  const { disk, letThrough, waiting } = slowDisk();
  world.files.disk = disk;
  const building = world.build(["below", "b", "c", "d"], { jobs: 2 });
  while (waiting.size < 4) await setImmediate();
  assert.deepEqual(world.jobs.map(({ step }) => step.id).sort(), ["a", "b", "c", "d"]);
  // The last two are waited for: nothing else can run.
  assert.deepEqual([...world.files.patience.values()], [true, true, false, false]);
  assert.equal(world.files.records.size, 0);
  letThrough("a");
  while (!waiting.has("below")) await setImmediate();
  for (const step of ["below", "b", "c", "d"]) letThrough(step);
  const { summary } = await building;
  assert.deepEqual([summary.made, summary.failed], [5, 0]);
});

test("with one job at a time, one target after the other is on the disk", async () => {
  const world = await given({ raw: "x", rules: ["a", "b", "c"].map((name) => copies("raw", name)) });
  const { disk, letThrough, waiting } = slowDisk();
  world.files.disk = disk;
  const building = world.build(["a", "b", "c"], { jobs: 1 });
  for (const step of ["a", "b", "c"]) {
    while (!waiting.has(step)) await setImmediate();
    for (let turns = 0; turns < 20; turns += 1) await setImmediate();
    assert.equal(world.jobs.at(-1)?.step.id, step);
    letThrough(step);
  }
  assert.equal((await building).summary.made, 3);
});

test("no more wait for the disk than it takes at once", async () => {
  const names = Array.from({ length: 40 }, (_, i) => `t${i}`);
  const world = await given({ raw: "x", rules: names.map((name) => copies("raw", name)) });
  const { disk, letThrough, waiting } = slowDisk();
  world.files.disk = disk;
  const building = world.build(names, { jobs: 2 });
  while (waiting.size < 18) await setImmediate();
  for (let turns = 0; turns < 20; turns += 1) await setImmediate();
  // Sixteen at rest, and two that keep their places.
  assert.equal(world.jobs.length, 18);
  assert.deepEqual([...world.files.patience.values()].filter((canWait) => canWait).length, 16);
  const over = building.then(() => true);
  while (!(await Promise.race([over, setImmediate(false)])))
    for (const step of [...waiting.keys()]) letThrough(step);
  assert.equal((await building).summary.made, 40);
});

test("a step starts as soon as its own inputs are done, while others still run", async () => {
  const gate = new Gate();
  const rules = [
    copies("raw.csv", "slow", { work: gate.work }),
    copies("raw.csv", "quick"),
    copies("quick", "below", { work: gate.work }),
  ];
  const world = await given({ "raw.csv": "a", rules });
  const building = world.build(["slow", "below"], { jobs: 2 });
  await gate.arrivals(2);
  assert.deepEqual(gate.waiting, ["slow", "below"]);
  gate.open("below");
  gate.open("slow");
  assert.deepEqual((await building).ran, ["slow", "quick", "below"]);
});

test("a lone recipe gets the whole machine, several share it", async () => {
  const gate = new Gate();
  const rules = months.map((month) => copies("raw.csv", `${month}.csv`, { work: gate.work }));
  const world = await given({ "raw.csv": "a", rules: [...rules, copies("raw.csv", "alone")] });
  await world.build("alone", { jobs: 4, cores: 8 });
  assert.deepEqual(
    world.jobs.map(({ threads }) => threads),
    [8],
  );
  const building = world.build(
    months.map((month) => `${month}.csv`),
    { jobs: 4, cores: 8 },
  );
  for (const month of months) {
    await gate.arrivals(1);
    gate.open(`${month}.csv`);
  }
  await building;
  assert.deepEqual(
    world.jobs.slice(1, 5).map(({ threads }) => threads),
    [2, 2, 2, 2],
  );
});

test("more jobs than processors still get one thread each", async () => {
  const rules = months.map((month) => copies("raw.csv", `${month}.csv`));
  const world = await given({ "raw.csv": "a", rules });
  await world.build(
    months.map((month) => `${month}.csv`),
    { jobs: 8, cores: 2 },
  );
  assert.deepEqual([...new Set(world.jobs.map(({ threads }) => threads))], [1]);
});

test("all partitions are looked at and recalled in one question each", async () => {
  const partitions = makes("table:trips/{month}", { from: ["{month}.csv"], where: { month: months } });
  const rules = [makes("{month}.csv", { from: ["raw.csv"], where: { month: months } }), partitions];
  const world = await given({ "raw.csv": "a", rules });
  const wanted = months.map((month) => `table:trips/${month}`);
  await world.build(wanted);
  assert.deepEqual(world.tables.observed, [wanted]);
  assert.deepEqual(world.tables.recalled, [wanted]);
});

test("files are asked for wave by wave, each name once in a build", async () => {
  const rules = [
    ...months.map((month) => copies("raw.csv", `${month}.csv`)),
    makes("out.csv", { from: months.map((month) => `${month}.csv`) }),
  ];
  const world = await given({ "raw.csv": "a", rules });
  await world.build("out.csv");
  world.files.observed.length = 0;
  world.files.recalled.length = 0;
  const graph = await world.plan("out.csv");
  world.files.observed.length = 0;
  assert(graph.ok);
  await world.run(graph.value);
  const files = months.map((month) => `${month}.csv`);
  assert.deepEqual(world.files.observed, [["raw.csv", ...files], ["out.csv"]]);
  assert.deepEqual(world.files.recalled, [files, ["out.csv"]]);
});

test("a build of files alone asks the database nothing", async () => {
  const world = await given({ "raw.csv": "a", rules: [copies("raw.csv", "out.csv")] });
  await world.build("out.csv");
  assert.deepEqual([world.tables.observed, world.tables.recalled], [[], []]);
});

test("three thousand steps in a row, and three thousand side by side, are built", async () => {
  const names = Array.from({ length: 3_000 }, (_, i) => `step${i}`);
  const row = names.map((name, i) => copies(names[i - 1] ?? "raw.csv", name));
  const side = names.map((name) => copies("raw.csv", `side-${name}`));
  const world = await given({
    "raw.csv": "a",
    rules: [...row, ...side, makes("all", { from: names.map((name) => `side-${name}`) })],
  });
  assert.equal((await world.build(["step2999", "all"], { jobs: 8 })).summary.made, 6_001);
  assert.deepEqual((await world.build(["step2999", "all"], { jobs: 8 })).ran, []);
});
