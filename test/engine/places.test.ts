// Recipes that wait for their turn: for another dmake, for one of the machine's places, for room in a pool. Told on a project in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fail } from "../../src/core/failure.js";
import type { Slot, Slots } from "../../src/engine/ports.js";
import { copies, exit, Gate, makes, type Work } from "../rig/recipes.js";
import { given, type World } from "../rig/world.js";

/** A step that another dmake makes until `finish` is called. */
function heldElsewhere(world: World, step: string): () => void {
  let finish = () => {};
  const free = new Promise<void>((resolve) => {
    finish = resolve;
  });
  world.files.locked.set(step, { holder: { run: "ab12", pid: 4711 }, free });
  return () => {
    world.files.locked.delete(step);
    finish();
  };
}

test("what another dmake makes is waited for without a place, and said so", async () => {
  const world = await given({ raw: "a", rules: [copies("raw", "held"), copies("raw", "free")] });
  const finish = heldElsewhere(world, "held");
  const report = await world.build(["held", "free"], {
    jobs: 1,
    emit: (event) => event.event === "done" && event.step === "free" && finish(),
  });
  const waits = report.events.find(({ event }) => event === "waiting");
  assert.deepEqual(waits, { event: "waiting", step: "held", holder: { run: "ab12", pid: 4711 } });
  assert.deepEqual(report.ran, ["free", "held"]);
  assert.equal(report.summary.made, 2);
});

test("after the waiting the step is judged again: fresh by now, it is not run", async () => {
  const world = await given({ raw: "a", rules: [copies("raw", "held")] });
  await world.build("held");
  const trace = world.files.records.get("held");
  assert(trace);
  world.edit("raw", "b");
  const finish = heldElsewhere(world, "held");
  const building = world.build("held", {
    emit: (event) => {
      if (event.event !== "waiting") return;
      // The other one undoes the change, so that the record holds again.
      world.edit("raw", "a");
      finish();
    },
  });
  const report = await building;
  assert.deepEqual(report.ran, []);
  assert.deepEqual([report.summary.made, report.summary.already], [0, 1]);
});

test("an input that changed during the waiting is read as it is by then", async () => {
  const world = await given({ raw: "a", rules: [copies("raw", "held")] });
  const finish = heldElsewhere(world, "held");
  await world.build("held", {
    emit: (event) => {
      if (event.event !== "waiting") return;
      world.edit("raw", "b");
      finish();
    },
  });
  assert.equal(world.read("held"), "b");
  const again = await world.build("held");
  assert.deepEqual(again.ran, []);
});

test("told not to wait, a held step fails with who holds it", async () => {
  const world = await given({ raw: "a", rules: [copies("raw", "held"), copies("held", "below")] });
  heldElsewhere(world, "held");
  const report = await world.build("below", { noWait: true });
  assert.deepEqual([report.failed, report.blocked], [{ held: "locked" }, { below: "held" }]);
  assert.deepEqual([report.summary.failed, report.summary.locked], [1, 1]);
});

test("an interrupt ends the waiting: what never began is not started, and nothing failed", async () => {
  const interrupt = new AbortController();
  const world = await given({ raw: "a", rules: [copies("raw", "held")] });
  heldElsewhere(world, "held");
  const report = await world.build("held", {
    signal: interrupt.signal,
    // Later, when the build has nothing to do but to wait.
    emit: ({ event }) => event === "waiting" && setImmediate(() => interrupt.abort()),
  });
  assert.deepEqual([report.failed, report.summary.notStarted, report.summary.interrupted], [{}, 1, true]);
  assert.deepEqual(
    report.events.find(({ event }) => event === "not-started"),
    {
      event: "not-started",
      steps: ["held"],
    },
  );
});

test("a failure elsewhere ends the waiting too", async () => {
  const gate = new Gate();
  const failing: Work = async (job, desk) => {
    await gate.work(job, desk);
    return fail(exit);
  };
  const world = await given({
    raw: "a",
    rules: [copies("raw", "held"), copies("raw", "bad", { work: failing })],
  });
  heldElsewhere(world, "held");
  const building = world.build(["held", "bad"], { jobs: 2 });
  await gate.arrivals(1);
  gate.open("bad");
  const report = await building;
  assert.deepEqual([report.failed, report.summary.notStarted], [{ bad: "exit" }, 1]);
});

test("a step whose recipe has started this dmake fails at once: to wait for it would be for ever", async () => {
  const world = await given({ raw: "a", rules: [copies("raw", "held")] });
  heldElsewhere(world, "held");
  const lineage = { has: (step: string) => step === "held", with: () => "" };
  const report = await world.build("held", { lineage });
  assert.deepEqual([report.failed, report.summary.locked], [{ held: "recursion" }, 0]);
});

/** Slots of which a test says how many there are. */
class Counted implements Slots {
  taken = 0;
  most = 0;
  free: number;
  #ring = () => {};

  constructor(free: number) {
    this.free = free;
  }

  take(count: number): Slot | undefined {
    if (this.taken > 0 && count > this.free) return undefined;
    this.free -= count;
    this.taken += count;
    this.most = Math.max(this.most, this.taken);
    return { count };
  }

  give({ count }: Slot): void {
    this.free += count;
    this.taken -= count;
    this.#ring();
  }

  onFree(ring: () => void): void {
    this.#ring = ring;
  }

  child() {
    return { env: {}, descriptors: [] };
  }
}

test("where others share the machine's places, no more recipes run than there are places, and all are given back", async () => {
  const gate = new Gate();
  const names = ["a", "b", "c", "d"];
  const world = await given({
    raw: "x",
    rules: names.map((name) => copies("raw", name, { work: gate.work })),
  });
  const slots = new Counted(2);
  const building = world.build(names, { jobs: 4, slots });
  for (const name of names) {
    await gate.arrivals(1);
    gate.open(name);
  }
  await building;
  assert.deepEqual([gate.most, slots.most, slots.taken, slots.free], [2, 2, 0, 2]);
});

test("a recipe that waits for what it needs gives its slot back, and one that fails does too", async () => {
  const work: Work = async (job) => {
    const answer = await job.need(["x"]);
    return answer.ok ? fail(exit) : answer;
  };
  const world = await given({ raw: "1", rules: [makes("out", { work }), copies("raw", "x")] });
  const slots = new Counted(1);
  const report = await world.build("out", { jobs: 4, slots });
  assert.deepEqual([report.failed, slots.taken, slots.free, slots.most], [{ out: "exit" }, 0, 1, 1]);
});

test("a pool of one lets one recipe run at a time, beside others", async () => {
  const gate = new Gate();
  const pools = { net: 1 };
  const rules = [
    ...["n1", "n2"].map((name) => copies("raw", name, { work: gate.work, pools })),
    copies("raw", "other", { work: gate.work }),
  ];
  const world = await given({ raw: "x", rules });
  const building = world.build(["n1", "n2", "other"], { jobs: 4, pools: new Map([["net", 1]]) });
  await gate.arrivals(2);
  assert.deepEqual(gate.waiting, ["n1", "other"]);
  gate.open("n1");
  gate.open("other");
  await gate.arrivals(1);
  gate.open("n2");
  assert.equal((await building).summary.made, 3);
});

test("only a recipe that holds the pool `console` is given the terminal", async () => {
  const rules = [copies("raw", "asks", { pools: { console: 1 } }), copies("raw", "quiet")];
  const world = await given({ raw: "x", rules });
  const report = await world.build(["asks", "quiet"], {
    pools: new Map([["console", 1]]),
    terminal: "stderr",
  });
  assert.deepEqual(
    world.jobs.map(({ step, terminal }) => [step.id, terminal]),
    [
      ["asks", "stderr"],
      ["quiet", undefined],
    ],
  );
  const told = report.events.flatMap((event) =>
    event.event === "running" ? [[event.step, event.terminal]] : [],
  );
  assert.deepEqual(told, [
    ["asks", true],
    ["quiet", undefined],
  ]);
});

test("a recipe that took longer than all others together is begun first, when several run at once", async () => {
  const rules = ["a", "b", "c", "long"].map((name) => copies("raw", name));
  const world = await given({ raw: "1", rules });
  const names = ["a", "b", "c", "long"];
  await world.build(names);
  const record = world.files.records.get("long");
  assert(record);
  world.files.records.set("long", { ...record, durationMs: 60_000 });
  world.edit("raw", "2");
  const began: string[] = [];
  await world.build(names, { jobs: 2, emit: (event) => event.event === "running" && began.push(event.step) });
  assert.deepEqual(began, ["long", "a", "b", "c"]);
  world.edit("raw", "3");
  began.length = 0;
  await world.build(names, { jobs: 1, emit: (event) => event.event === "running" && began.push(event.step) });
  assert.deepEqual(began, names);
});
