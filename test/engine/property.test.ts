// What holds of every project, every series of edits and failures, and every -j: drawn at random by fast-check, in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { holds } from "../rig/property.js";
import { type Change, change, nodes } from "../rig/random-nodes.js";
import { RandomProject } from "../rig/random-project.js";
import type { Report } from "../rig/world.js";

const changes = fc.array(change, { maxLength: 4 });
const options = fc.record({ jobs: fc.constantFrom(1, 2, 8), keepGoing: fc.boolean() });
const turn = fc.nat(20);

const sorted = (names: Iterable<string>) => [...names].sort();

/** What -j and the order of things must not change. */
const everyStepOnce = ({ ran, fresh, blocked, summary }: Report, goals: readonly string[]) => {
  const seen = [...ran, ...fresh, ...Object.keys(blocked)];
  assert.equal(new Set(seen).size, seen.length);
  assert.equal(seen.length + summary.notStarted, goals.length);
  const { made, fresh: upToDate, failed, blocked: stuck, notStarted } = summary;
  assert.equal(made + upToDate + failed + stuck + notStarted, goals.length);
};

test("after any series of edits, failures and builds the next whole build equals one from scratch, and runs just what has to run", async () => {
  const series = fc.array(fc.tuple(changes, options), { maxLength: 4 });
  const property = fc.asyncProperty(nodes, series, options, turn, async (all, series, last, turn) => {
    const project = new RandomProject(all, turn);
    for (const [changes, options] of series) {
      for (const one of changes) project.apply(one);
      const before = project.remembered();
      const report = await project.world.build(project.goals, options);
      everyStepOnce(report, project.goals);
      const had = project.hadToRun(before);
      if (report.summary.failed === 0) assert.deepEqual(sorted(report.ran), sorted(had));
      assert.equal(project.world.files.staged.size, 0);
    }
    project.broken.clear();
    const before = project.remembered();
    const final = await project.world.build(project.goals, last);
    assert.equal(final.summary.failed, 0, JSON.stringify(final.failed));
    assert.deepEqual(sorted(final.ran), sorted(project.hadToRun(before)));

    const scratch = project.fromScratch();
    await scratch.world.build(scratch.goals);
    assert.deepEqual(project.contents(), scratch.contents());
    assert.deepEqual(project.world.records(), scratch.world.records());
  });
  await holds(property, 1000);
});

test("a second build runs nothing and writes nothing, whatever came before", async () => {
  const property = fc.asyncProperty(nodes, changes, options, turn, async (all, changes, options, turn) => {
    const project = new RandomProject(all, turn);
    await project.world.build(project.goals);
    for (const one of changes) project.apply(one);
    project.broken.clear();
    await project.world.build(project.goals, options);
    const writes = () => [project.world.files.writes, project.world.tables.writes];
    const before = [writes(), project.contents(), project.world.records()];
    const again = await project.world.build(project.goals, options);
    assert.deepEqual([again.ran, again.summary.fresh], [[], project.goals.length]);
    assert.deepEqual([writes(), project.contents(), project.world.records()], before);
  });
  await holds(property, 500);
});

test("the dry run promises nothing that the build does not do, and forgets nothing that it does", async () => {
  const property = fc.asyncProperty(nodes, changes, turn, async (all, changes, turn) => {
    const project = new RandomProject(all, turn);
    await project.world.build(project.goals);
    for (const one of changes.filter(({ kind }) => kind !== "break")) project.apply(one);
    const { events } = await project.world.preview(project.goals);
    const told = (kind: string) =>
      events.flatMap((event) => (event.event === kind && "step" in event ? [event.step] : []));
    const { ran } = await project.world.build(project.goals);
    const certain = told("would-run").filter((step) => !ran.includes(step));
    const possible = [...told("would-run"), ...told("may-run")];
    const forgotten = ran.filter((step) => !possible.includes(step));
    assert.deepEqual([certain, forgotten], [[], []]);
  });
  await holds(property, 500);
});

test("-j 1 and -j 8 run the same steps and leave the same contents and the same records", async () => {
  const history = fc.array(changes, { minLength: 1, maxLength: 4 });
  const property = fc.asyncProperty(nodes, history, turn, async (all, series, turn) => {
    const [one, eight] = [new RandomProject(all), new RandomProject(all, turn)];
    for (const changes of series) {
      const ran: string[][] = [];
      for (const [project, jobs] of [
        [one, 1],
        [eight, 8],
      ] as const) {
        for (const change of changes as readonly Change[]) project.apply(change);
        ran.push(sorted((await project.world.build(project.goals, { jobs, keepGoing: true })).ran));
      }
      assert.deepEqual(ran[1], ran[0]);
      assert.deepEqual(eight.contents(), one.contents());
      assert.deepEqual(eight.world.records(), one.world.records());
    }
  });
  await holds(property, 400);
});

test("a build that is interrupted at any recipe converges in the next", async () => {
  const property = fc.asyncProperty(nodes, fc.nat(20), fc.constantFrom(1, 2, 8), async (all, at, jobs) => {
    const project = new RandomProject(all);
    const stop = new AbortController();
    project.interruptAt(at % project.goals.length, stop);
    await project.world.build(project.goals, { jobs, signal: stop.signal });
    assert(stop.signal.aborted, "it came to that recipe");
    assert.equal(project.world.files.staged.size, 0);
    await project.world.build(project.goals, { jobs });
    const scratch = project.fromScratch();
    await scratch.world.build(scratch.goals);
    assert.deepEqual(project.contents(), scratch.contents());
  });
  await holds(property, 300);
});
