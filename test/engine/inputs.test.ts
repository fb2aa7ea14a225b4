// Inputs of every kind and the outputs that go together: directories, optional ones, globs, code that a recipe uses, bytes that a person made.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ok } from "../../src/core/failure.js";
import { copies, glob, joins, made, makes, maybe, put, type Work } from "../rig/recipes.js";
import { given } from "../rig/world.js";

/** Writes one file for each word of its input into its directory. */
const splits: Work = async (job, desk) => {
  const { stage, step } = job;
  if (stage.kind !== "files") throw new Error("makes files");
  for (const word of desk.read(step.inputs[0] ?? "").split(" "))
    desk.write(`${stage.paths[0]}/${word.charAt(0)}`, word);
  return made;
};
const parts = makes("parts/", { from: ["raw"], work: splits });

test("a directory is one output: what was in it before and is not made any more is gone", async () => {
  const world = await given({ raw: "a1 b1", rules: [parts] });
  await world.build("parts");
  assert.deepEqual([world.read("parts/a"), world.read("parts/b")], ["a1", "b1"]);
  world.edit("raw", "b2");
  await world.build("parts");
  assert.deepEqual([world.read("parts/a"), world.read("parts/b")], [undefined, "b2"]);
  assert.deepEqual((await world.build("parts")).ran, []);
});

test("a directory in which anything was changed, added or removed is made again", async () => {
  for (const change of ["edit", "add", "remove"] as const) {
    const world = await given({ raw: "a1 b1", rules: [parts] });
    await world.build("parts");
    if (change === "remove") world.remove("parts/a");
    else world.edit(change === "edit" ? "parts/a" : "parts/z", "by hand");
    assert.deepEqual((await world.build("parts")).because, { parts: ["output-edited"] });
    assert.deepEqual([world.read("parts/a"), world.read("parts/z")], ["a1", undefined]);
  }
});

test("a file in a directory that a rule makes is there once the directory is, and stops the wave by itself", async () => {
  const world = await given({ raw: "a1 b1", rules: [parts, copies("parts/a", "out")] });
  assert.deepEqual((await world.build("out")).ran, ["parts", "out"]);
  world.edit("raw", "a1 b2");
  const report = await world.build("out");
  assert.deepEqual([report.ran, report.fresh], [["parts"], ["out"]]);
  world.edit("raw", "b2");
  assert.deepEqual((await world.build("out")).failed, { out: "no-rule" });
});

test("an optional input may be missing, and is a reason when it comes, changes and goes", async () => {
  const world = await given({ a: "1", rules: [makes("out", { from: ["a", maybe("b")] })] });
  await world.build("out");
  assert.deepEqual(world.jobs.at(-1)?.inputs, ["a"]);
  assert.deepEqual((await world.build("out")).ran, []);
  for (const change of [() => world.edit("b", "2"), () => world.edit("b", "3"), () => world.remove("b")]) {
    change();
    assert.deepEqual((await world.build("out")).because, { out: ["input-changed"] });
    assert.deepEqual(world.jobs.at(-1)?.inputs, world.read("b") === undefined ? ["a"] : ["a", "b"]);
    assert.deepEqual((await world.build("out")).ran, []);
  }
});

test("an optional input that a rule makes is made as any other", async () => {
  const world = await given({ raw: "1", rules: [makes("out", { from: [maybe("b")] }), copies("raw", "b")] });
  assert.deepEqual((await world.build("out")).ran, ["b", "out"]);
});

test("a glob takes what is there and what can be made, in one order; what comes and goes is a reason", async () => {
  const rules = [makes("out", { from: [glob("in/*.csv")] }), copies("raw", "in/m.csv")];
  const world = await given({ raw: "m", "in/z.csv": "z", "in/a.csv": "a", "in/a.txt": "no", rules });
  await world.build("out");
  assert.equal(world.read("out"), "a\nm\nz");
  assert.deepEqual((await world.build("out")).ran, []);
  world.edit("in/b.csv", "b");
  assert.deepEqual((await world.build("out")).because, { out: ["input-added"] });
  world.remove("in/z.csv");
  assert.deepEqual((await world.build("out")).because, { out: ["input-removed"] });
  assert.equal(world.read("out"), "a\nb\nm");
});

test("a glob does not take the target itself, whose file is there after the first build", async () => {
  const world = await given({ "a.csv": "a", rules: [makes("all.csv", { from: [glob("*.csv")] })] });
  await world.build("all.csv");
  assert.deepEqual((await world.build("all.csv")).ran, []);
  assert.equal(world.read("all.csv"), "a");
});

test("what a recipe uses makes it stale and is not given to it", async () => {
  const world = await given({
    a: "1",
    "q.sql": "x",
    rules: [makes("out", { from: ["a"], uses: ["q.sql"] })],
  });
  await world.build("out");
  assert.deepEqual(world.jobs.at(-1)?.inputs, ["a"]);
  world.edit("q.sql", "y");
  assert.deepEqual((await world.build("out")).because, { out: ["input-changed"] });
});

test("bytes that somebody put where a target belongs are kept aside, with a warning", async () => {
  const world = await given({ raw: "made", out: "by hand", rules: [copies("raw", "out")] });
  const first = await world.build("out");
  assert.deepEqual(
    [first.warnings, world.files.saved],
    [["output-saved"], [{ name: "out", text: "by hand" }]],
  );
  world.edit("out", "edited");
  const second = await world.build("out");
  assert.deepEqual([second.because.out, second.warnings], [["output-edited"], ["output-saved"]]);
  assert.equal(world.read("out"), "made");
});

test("a target becomes a source and back: untouched it is fresh, edited it is made again", async () => {
  const rules = [copies("raw", "mid"), copies("mid", "out")];
  const world = await given({ raw: "1", rules });
  await world.build("out");
  world.declare([copies("mid", "out")]);
  assert.deepEqual((await world.build("out")).ran, []);
  world.declare(rules);
  assert.deepEqual((await world.build("out")).ran, [], "nobody has touched it");
  world.declare([copies("mid", "out")]);
  world.edit("mid", "mine");
  assert.deepEqual((await world.build("out")).ran, ["out"]);
  assert.equal(world.read("out"), "mine");
  world.declare(rules);
  assert.deepEqual((await world.build("out")).because, { mid: ["output-edited"], out: ["input-changed"] });
  assert.deepEqual([world.read("out"), world.files.saved.at(-1)?.text], ["1", "mine"]);
});

test("what is adopted is fresh as it is, until something that it was made from changes", async () => {
  const world = await given({
    raw: "1",
    mid: "by hand",
    rules: [copies("raw", "mid"), copies("mid", "out")],
  });
  assert((await world.adopt("mid")).ok);
  assert.deepEqual((await world.build("out")).ran, ["out"]);
  assert.equal(world.read("out"), "by hand");
  world.edit("raw", "2");
  assert.deepEqual((await world.build("out")).because, { mid: ["input-changed"], out: ["input-changed"] });
});

test("what is not there cannot be adopted", async () => {
  const world = await given({ raw: "1", rules: [copies("raw", "mid")] });
  assert.deepEqual(await world.adopt("mid"), {
    ok: false,
    error: {
      reason: "usage",
      message: "`mid` is not there, so there is nothing to record",
      help: "dmake mid",
    },
  });
});

test("an input that is touched while the recipe runs may have been read half: it runs again", async () => {
  for (const text of ["1", "2"]) {
    let first = true;
    const work: Work = async (job, desk) => {
      if (first) {
        // There and back again: what it contains in the end says nothing of what was read.
        desk.edit("raw", "other");
        desk.edit("raw", text);
        first = false;
      }
      return joins(job, desk);
    };
    const world = await given({ raw: "1", rules: [makes("out", { from: ["raw"], work })] });
    const report = await world.build("out");
    assert.deepEqual([report.ran, report.warnings], [["out"], ["input-unsettled"]]);
    assert.deepEqual((await world.build("out")).because, { out: ["input-changed"] });
    assert.deepEqual((await world.build("out")).ran, []);
  }
});

test("an input that is touched while its reader waits for a slot is noticed as well", async () => {
  const touches = makes("a", {
    work: async (job, desk) => {
      desk.edit("raw", "1");
      await put(job, desk, () => "a");
      return made;
    },
  });
  const world = await given({ raw: "1", rules: [touches, copies("raw", "b")] });
  assert.deepEqual((await world.build(["a", "b"], { jobs: 1 })).warnings, ["input-unsettled"]);
});

test("a recipe that makes one thing of two is run once for all who use either", async () => {
  let runs = 0;
  const twins = makes(["x", "y"], {
    from: ["raw"],
    work: async (job, desk) => {
      runs += 1;
      await put(job, desk, (output) => output + desk.read("raw"));
      return ok({ kind: "made", facts: {} });
    },
  });
  const world = await given({ raw: "1", rules: [twins, copies("x", "ux"), copies("y", "uy")] });
  await world.build(["ux", "uy"], { jobs: 4 });
  assert.equal(runs, 1);
  world.remove("y");
  const report = await world.build(["ux", "uy"], { jobs: 4 });
  assert.deepEqual([report.ran, runs], [["x"], 2]);
});
