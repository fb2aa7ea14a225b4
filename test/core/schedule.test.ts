// Which step may be judged, which may run, which never will: every transition of the schedule.
import assert from "node:assert/strict";
import { test } from "node:test";
import { graphOf } from "../../src/core/graph.js";
import type { Rule, Step } from "../../src/core/rule.js";
import { ruleSet } from "../../src/core/rule-set.js";
import { Schedule, type State } from "../../src/core/schedule.js";
import { copies, makes } from "../rig/recipes.js";
import { must, noSurroundings } from "../rig/world.js";

function scheduled(rules: readonly Rule[], ...wanted: string[]) {
  const graph = must(graphOf(must(ruleSet(rules)), wanted, noSurroundings));
  const schedule = new Schedule(graph);
  const step = (id: string): Step => graph.makers.get(id)!;
  const move = (id: string, ...states: State[]) =>
    states.flatMap((state) => schedule.move(step(id), state).map((blocked) => blocked.id));
  const ready = () => schedule.takeReady().map(({ id }) => id);
  const states = () => Object.fromEntries(graph.steps.map((one) => [one.id, schedule.stateOf(one)]));
  return { schedule, step, move, ready, states };
}

const diamond = [copies("raw", "a"), copies("a", "b"), copies("a", "c"), makes("d", { from: ["b", "c"] })];

test("at the beginning the steps without makers are ready, together and once", () => {
  const { ready, states } = scheduled([...diamond, copies("raw", "e")], "d", "e");
  assert.deepEqual(ready(), ["a", "e"]);
  assert.deepEqual(ready(), []);
  assert.deepEqual(states(), { a: "ready", b: "wanted", c: "wanted", d: "wanted", e: "ready" });
});

test("a step is ready when the last of its inputs is done, and not before", () => {
  const { move, ready, states } = scheduled(diamond, "d");
  ready();
  move("a", "done");
  assert.deepEqual(ready(), ["b", "c"]);
  move("b", "queued", "running", "done");
  assert.deepEqual(ready(), []);
  move("c", "done");
  assert.deepEqual(ready(), ["d"]);
  assert.equal(states().d, "ready");
});

test("two inputs from one step, and an order-only input, count as one maker", () => {
  const rules = [makes(["a", "b"], { from: ["raw"] }), makes("c", { from: ["a", "b"], after: ["a"] })];
  const { move, ready } = scheduled(rules, "c");
  ready();
  move("a", "done");
  assert.deepEqual(ready(), ["c"]);
});

test("stale steps are handed out in the order of the graph, whenever they became so", () => {
  const { schedule, move, ready } = scheduled([copies("raw", "a"), copies("raw", "b")], "a", "b");
  ready();
  move("b", "queued");
  move("a", "queued");
  assert.equal(schedule.queued, 2);
  const taken = ["a", "b"].map(() => {
    const next = schedule.nextQueued;
    assert(next);
    schedule.move(next, "running");
    return next.id;
  });
  assert.deepEqual([taken, schedule.nextQueued, schedule.queued], [["a", "b"], undefined, 0]);
});

test("what was held up in the middle goes on before what has not begun", () => {
  const { schedule, move, ready } = scheduled([copies("raw", "a"), copies("raw", "b")], "a", "b");
  ready();
  move("a", "queued", "running", "suspended");
  move("b", "queued");
  move("a", "queued");
  assert.equal(schedule.nextQueued?.id, "a");
});

test("a failure blocks everything below it once, and nothing else", () => {
  const { move, ready, states } = scheduled([...diamond, copies("d", "e"), copies("raw", "f")], "e", "f");
  ready();
  move("a", "done");
  assert.deepEqual(move("b", "queued", "running", "failed"), ["d", "e"]);
  assert.deepEqual(move("c", "queued", "running", "failed"), []);
  assert.deepEqual(states(), { a: "done", b: "failed", c: "failed", d: "blocked", e: "blocked", f: "ready" });
});

test("a blocked step stays so when its other inputs are done", () => {
  const { move, ready, states } = scheduled(diamond, "d");
  ready();
  move("a", "done");
  ready();
  move("b", "queued", "running", "failed");
  move("c", "done");
  assert.deepEqual([ready(), states().d], [[], "blocked"]);
});

test("a step that fails before it was judged is not handed out for judging", () => {
  const { move, ready } = scheduled([copies("raw", "a"), copies("raw", "b")], "a", "b");
  move("a", "failed");
  assert.deepEqual(ready(), ["b"]);
});

test("a step may fail while it waits for its inputs", () => {
  const { move, ready, states } = scheduled(diamond, "d");
  assert.deepEqual(move("b", "failed"), ["d"]);
  ready();
  move("a", "done");
  assert.deepEqual(ready(), ["c"]);
  assert.equal(states().b, "failed");
});

test("a chain of ten thousand blocked steps does not overflow the stack", () => {
  const rules = Array.from({ length: 10_000 }, (_, i) => copies(`f${i}`, `f${i + 1}`));
  const { move } = scheduled(rules, "f10000");
  assert.equal(move("f1", "failed").length, 9_999);
});

test("every other transition is a bug and throws", () => {
  const paths: Readonly<Record<State, readonly State[]>> = {
    wanted: [],
    ready: [],
    queued: ["queued"],
    running: ["queued", "running"],
    suspended: ["queued", "running", "suspended"],
    done: ["done"],
    failed: ["failed"],
    blocked: [],
  };
  const allowed: Readonly<Record<State, readonly State[]>> = {
    wanted: ["ready", "blocked", "failed"],
    ready: ["wanted", "queued", "done", "failed"],
    queued: ["running"],
    running: ["suspended", "done", "failed", "queued"],
    suspended: ["queued"],
    done: [],
    failed: [],
    blocked: [],
  };
  const all = Object.keys(paths) as State[];
  for (const from of all)
    for (const to of all) {
      const { move } = scheduled([copies("raw", "a"), copies("a", "b")], "b");
      const id = from === "wanted" || from === "blocked" ? "b" : "a";
      move(id, ...paths[from]);
      if (from === "blocked") move("a", "failed");
      if (allowed[from].includes(to)) move(id, to);
      else assert.throws(() => move(id, to), new RegExp(`bug: ${id} went from ${from} to ${to}`));
    }
});

test("a step of another build is a bug", () => {
  const { schedule } = scheduled(diamond, "d");
  const { step } = scheduled([copies("raw", "z")], "z");
  assert.throws(() => schedule.stateOf(step("z")), /bug: z is not in this build/);
});
