// Recipes that are tried again, cut off, or kept waiting by another dmake: told on a project in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { BuildEvent } from "../../src/core/event.js";
import { fail } from "../../src/core/failure.js";
import type { Slot, Slots } from "../../src/engine/ports.js";
import { copies, exit, Gate, joins, made, makes, put, type Work } from "../rig/recipes.js";
import { given, type World } from "../rig/world.js";

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

test("a step whose recipe has started this dmake fails at once: to wait for it would be for ever", async () => {
  const world = await given({ raw: "a", rules: [copies("raw", "held")] });
  heldElsewhere(world, "held");
  const lineage = { has: (step: string) => step === "held", with: () => "" };
  const report = await world.build("held", { lineage });
  assert.deepEqual([report.failed, report.summary.locked], [{ held: "recursion" }, 0]);
});
