// A build runs what is stale and nothing else: told on a project in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ok } from "../../src/core/failure.js";
import { copies, joins, made, makes, put } from "../rig/recipes.js";
import { given } from "../rig/world.js";

const chain = [copies("raw.csv", "mid.csv"), copies("mid.csv", "out.csv")];

test("a first build makes everything that the target needs, inputs first", async () => {
  const world = await given({ "raw.csv": "a,b", rules: [...chain, copies("raw.csv", "other.csv")] });
  const report = await world.build("out.csv");
  assert.deepEqual(report.ran, ["mid.csv", "out.csv"]);
  assert.equal(world.read("out.csv"), "a,b");
  assert.equal(world.read("other.csv"), undefined);
  assert.deepEqual(report.because, {
    "mid.csv": ["output-missing", "no-record"],
    "out.csv": ["output-missing", "no-record"],
  });
});

test("a second build runs nothing, and says that each step is fresh", async () => {
  const world = await given({ "raw.csv": "a,b", rules: chain });
  await world.build("out.csv");
  const again = await world.build("out.csv");
  assert.deepEqual(again.ran, []);
  assert.deepEqual(again.fresh, ["mid.csv", "out.csv"]);
  assert.deepEqual([again.summary.made, again.summary.fresh], [0, 2]);
});

test("an edit that leaves the same bytes rebuilds nothing downstream", async () => {
  const world = await given({ "raw.csv": "a,b", rules: chain });
  await world.build("out.csv");
  world.edit("raw.csv", "a,b");
  assert.deepEqual((await world.build("out.csv")).ran, []);
});

test("a step that makes the same bytes from other ones stops the change there", async () => {
  const rounds = makes("mid.csv", {
    from: ["raw.csv"],
    work: async (job, desk) => {
      await put(job, desk, () => String(Math.round(Number(desk.read("raw.csv")))));
      return made;
    },
  });
  const world = await given({ "raw.csv": "1.1", rules: [rounds, copies("mid.csv", "out.csv")] });
  await world.build("out.csv");
  world.edit("raw.csv", "1.2");
  const second = await world.build("out.csv");
  assert.deepEqual(second.ran, ["mid.csv"]);
  assert.deepEqual(second.fresh, ["out.csv"]);
  assert.deepEqual((await world.build("out.csv")).ran, []);
});

test("a change that is taken back before the next build is no change", async () => {
  const world = await given({ "raw.csv": "old", rules: chain });
  await world.build("out.csv");
  world.edit("raw.csv", "new");
  world.edit("raw.csv", "old");
  assert.deepEqual((await world.build("out.csv")).ran, []);
});

test("an edited recipe runs its own step, and those below only if the result differs", async () => {
  const world = await given({ "raw.csv": "a", rules: chain });
  await world.build("out.csv");
  world.declare([copies("raw.csv", "mid.csv", { version: "2" }), chain[1]!]);
  const report = await world.build("out.csv");
  assert.deepEqual(report.ran, ["mid.csv"]);
  assert.deepEqual(report.because["mid.csv"], ["recipe-changed"]);
});

test("an output that was removed or edited by hand is made again", async () => {
  const world = await given({ "raw.csv": "a", rules: chain });
  await world.build("out.csv");
  world.remove("out.csv");
  assert.deepEqual((await world.build("out.csv")).because, { "out.csv": ["output-missing"] });
  world.edit("mid.csv", "poison");
  const mended = await world.build("out.csv");
  assert.deepEqual(mended.because, { "mid.csv": ["output-edited"] });
  assert.equal(world.read("mid.csv"), "a");
});

test("an input that changes while the recipe runs leaves the step stale for the next build", async () => {
  let meanwhile = true;
  const slow = makes("mid.csv", {
    from: ["raw.csv"],
    work: async (job, desk) => {
      const result = await joins(job, desk);
      if (meanwhile) desk.edit("raw.csv", "second");
      meanwhile = false;
      return result;
    },
  });
  const world = await given({ "raw.csv": "first", rules: [slow, chain[1]!] });
  await world.build("out.csv");
  assert.equal(world.read("out.csv"), "first");
  const next = await world.build("out.csv");
  assert.deepEqual(next.because["mid.csv"], ["input-changed"]);
  assert.equal(world.read("out.csv"), "second");
  assert.deepEqual((await world.build("out.csv")).ran, []);
});

test("a recipe that finds nothing new refreshes the record and stops the change there", async () => {
  let calls = 0;
  const asks = makes("mid.csv", {
    from: ["raw.csv"],
    work: async (job, desk) => {
      calls += 1;
      return calls === 1 ? joins(job, desk) : ok({ kind: "unchanged", facts: { etag: '"2"' } });
    },
  });
  const world = await given({ "raw.csv": "a", rules: [asks, chain[1]!] });
  await world.build("out.csv");
  world.edit("raw.csv", "b");
  const second = await world.build("out.csv");
  assert.deepEqual(second.ran, ["mid.csv"]);
  const done = second.events.find((event) => event.event === "done");
  assert.deepEqual(done?.event === "done" && [done.how, done.facts], ["unchanged", { etag: '"2"' }]);
  assert.deepEqual((await world.build("out.csv")).ran, []);
});

test("what another process has just made is taken as it is, and its recipe does not run here", async () => {
  const world = await given({ "raw.csv": "a", rules: chain });
  await world.build("out.csv");
  const theirs = world.files.records.get("mid.csv")!;
  world.remove("mid.csv");
  world.files.records.delete("mid.csv");
  const before = world.jobs.length;
  world.files.already = ({ step }) => (step.id === "mid.csv" ? theirs : undefined);
  const report = await world.build("out.csv");
  assert.equal(world.jobs.length, before);
  assert.deepEqual(report.fresh, ["out.csv"]);
  const done = report.events.find((event) => event.event === "done");
  assert.equal(done?.event === "done" && done.how, "already");
});

test("a forced build runs everything, fresh or not, and asks no store whether it was made already", async () => {
  const world = await given({ "raw.csv": "a", rules: chain });
  await world.build("out.csv");
  world.files.already = ({ step }) => world.files.records.get(step.id);
  const report = await world.build("out.csv", { forced: true });
  assert.deepEqual(report.because, { "mid.csv": ["forced"], "out.csv": ["forced"] });
  assert.equal(world.jobs.length, 4);
});

test("a recipe gets the last record for asking whether anything is new, unless its output is not what was recorded", async () => {
  const world = await given({ "raw.csv": "a", rules: chain });
  const previous = () => world.jobs.at(-1)?.previous;
  await world.build("mid.csv");
  assert.equal(previous(), undefined);
  world.edit("raw.csv", "b");
  const recorded = world.files.records.get("mid.csv");
  await world.build("mid.csv");
  assert.equal(previous(), recorded);
  world.edit("mid.csv", "by hand");
  await world.build("mid.csv");
  assert.equal(previous(), undefined);
  world.remove("mid.csv");
  await world.build("mid.csv");
  assert.equal(previous(), undefined);
  await world.build("mid.csv", { forced: true });
  assert.equal(previous(), undefined);
});

test("order-only inputs are built before, and are no reason to run", async () => {
  const rules = [
    makes("schema.txt", { from: ["ddl.sql"] }),
    copies("raw.csv", "out.csv", { after: ["schema.txt"] }),
  ];
  const world = await given({ "ddl.sql": "1", "raw.csv": "a", rules });
  assert.deepEqual((await world.build("out.csv")).ran, ["schema.txt", "out.csv"]);
  world.edit("ddl.sql", "2");
  assert.deepEqual((await world.build("out.csv")).ran, ["schema.txt"]);
});

test("outputs that are made together are made once, whichever of them are asked for", async () => {
  const rules = [
    makes(["a.csv", "b.csv"], { from: ["raw.csv"] }),
    makes("out.csv", { from: ["b.csv", "a.csv"] }),
  ];
  const world = await given({ "raw.csv": "x", rules });
  assert.deepEqual((await world.build(["b.csv", "out.csv", "a.csv"])).ran, ["a.csv", "out.csv"]);
  world.remove("b.csv");
  assert.deepEqual((await world.build("a.csv")).because, { "a.csv": ["output-missing"] });
});

test("a recipe that makes one output of two publishes none", async () => {
  const half = makes(["a.csv", "b.csv"], {
    from: ["raw.csv"],
    work: (job, desk) => {
      if (job.stage.kind === "files") desk.write(job.stage.paths[0]!, "half");
      return made;
    },
  });
  const world = await given({ "raw.csv": "x", "a.csv": "good", rules: [half] });
  assert.deepEqual((await world.build("a.csv")).failed, { "a.csv": "output-missing" });
  assert.equal(world.read("a.csv"), "good");
  assert.equal(world.files.staged.size, 0);
});

test("inputs in another order are another recipe, for it is given them by position", async () => {
  const world = await given({ a: "1", b: "2", rules: [makes("out", { from: ["a", "b"] })] });
  await world.build("out");
  world.declare([makes("out", { from: ["b", "a"] })]);
  assert.deepEqual((await world.build("out")).because, { out: ["inputs-reordered"] });
  assert.equal(world.read("out"), "2\n1");
  assert.deepEqual((await world.build("out")).ran, []);
});

test("an input that vanishes after the build began fails its step and is never taken for unchanged", async () => {
  const world = await given({ "raw.csv": "a", rules: chain });
  await world.build("out.csv");
  const graph = await world.plan("out.csv");
  world.remove("raw.csv");
  assert(graph.ok);
  assert.deepEqual((await world.run(graph.value)).failed, { "mid.csv": "no-rule" });
});

test("a source that is not there is refused before anything runs, with what was meant", async () => {
  const world = await given({ "raw.csv": "a", rules: [copies("raww.csv", "mid.csv")] });
  assert.deepEqual(await world.plan("mid.csv"), {
    ok: false,
    error: {
      reason: "no-rule",
      target: "raww.csv",
      neededBy: "mid.csv",
      at: { file: "/project/Datafile.ts", line: 1 },
      suggestions: ["raw.csv"],
    },
  });
});
