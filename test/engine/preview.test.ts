// What the dry run says: what would run, what may, and that it leaves no trace. Told on a project in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { copies, makes } from "../rig/recipes.js";
import { given } from "../rig/world.js";

const chain = [copies("raw.csv", "mid.csv"), copies("mid.csv", "out.csv")];

test("what is below a step that would run may run: its input may turn out the same", async () => {
  const world = await given({ "raw.csv": "a", rules: chain });
  await world.build("out.csv");
  world.edit("raw.csv", "b");
  const { events, summary } = await world.preview("out.csv");
  assert.deepEqual(
    events.map(({ event }) => event),
    ["would-run", "may-run"],
  );
  assert.deepEqual(events[1], { event: "may-run", step: "out.csv", dependsOn: "mid.csv" });
  assert.deepEqual([summary.wouldRun, summary.mayRun, summary.fresh], [1, 1, 0]);
});

test("what may run leaves what is below it as uncertain as itself", async () => {
  const world = await given({ raw: "1", rules: [copies("raw", "a"), copies("a", "b"), copies("b", "c")] });
  await world.build("c");
  world.edit("raw", "2");
  const { events } = await world.preview("c");
  assert.deepEqual(
    events.map(({ event }) => event),
    ["would-run", "may-run", "may-run"],
  );
});

test("a dry run writes nothing and runs nothing", async () => {
  const world = await given({ "raw.csv": "a", rules: chain });
  await world.preview("out.csv");
  assert.deepEqual([world.read("mid.csv"), world.jobs.length, world.files.records.size], [undefined, 0, 0]);
  assert.equal(world.files.staged.size, 0);
});

test("what is missing or has another recipe would run whatever its inputs become", async () => {
  const world = await given({ "raw.csv": "a", rules: chain });
  const first = await world.preview("out.csv");
  assert.deepEqual(first.because, {
    "mid.csv": ["output-missing", "no-record"],
    "out.csv": ["output-missing", "no-record"],
  });
  await world.build("out.csv");
  world.declare([
    copies("raw.csv", "mid.csv", { version: "2" }),
    copies("mid.csv", "out.csv", { version: "2" }),
  ]);
  assert.deepEqual((await world.preview("out.csv")).because, {
    "mid.csv": ["recipe-changed"],
    "out.csv": ["recipe-changed"],
  });
});

test("a source that has changed is a certain reason, although another input is not known yet", async () => {
  const rules = [copies("raw.csv", "mid.csv"), makes("out.csv", { from: ["mid.csv", "zones.csv"] })];
  const world = await given({ "raw.csv": "a", "zones.csv": "z", rules });
  await world.build("out.csv");
  world.edit("raw.csv", "b");
  world.edit("zones.csv", "y");
  assert.deepEqual((await world.preview("out.csv")).because, {
    "mid.csv": ["input-changed"],
    "out.csv": ["input-changed"],
  });
});

test("order-only inputs make nothing uncertain", async () => {
  const rules = [copies("ddl.sql", "schema"), copies("raw.csv", "out.csv", { after: ["schema"] })];
  const world = await given({ "ddl.sql": "1", "raw.csv": "a", rules });
  await world.build("out.csv");
  world.edit("ddl.sql", "2");
  assert.deepEqual((await world.preview("out.csv")).fresh, ["out.csv"]);
});

test("a question ends at the first step that would run, and finds everything fresh after a build", async () => {
  const world = await given({ "raw.csv": "a", rules: chain });
  assert.equal((await world.preview("out.csv", { question: true })).summary.wouldRun, 1);
  await world.build("out.csv");
  const { summary } = await world.preview("out.csv", { question: true });
  assert.deepEqual([summary.wouldRun, summary.mayRun, summary.fresh], [0, 0, 2]);
});

test("forced, everything would run", async () => {
  const world = await given({ "raw.csv": "a", rules: chain });
  await world.build("out.csv");
  const { because } = await world.preview("out.csv", { forced: true });
  assert.deepEqual(because, { "mid.csv": ["forced"], "out.csv": ["forced"] });
});

test("what the dry run promises is what the build does", async () => {
  const world = await given({ "raw.csv": "a", "b.csv": "b", rules: [...chain, copies("b.csv", "c.csv")] });
  await world.build(["out.csv", "c.csv"]);
  world.edit("b.csv", "bb");
  world.remove("out.csv");
  const { because } = await world.preview(["out.csv", "c.csv"]);
  assert.deepEqual(because, (await world.build(["out.csv", "c.csv"])).because);
});
