// Who may run at once: places in pools, and whose turn it is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pools, Queue } from "../../src/core/pools.js";
import type { Step } from "../../src/core/rule.js";
import { makes } from "../rig/recipes.js";

const stepOf = (id: string, pools?: Readonly<Record<string, number>>): Step =>
  ({ id, rule: makes(id, pools ? { pools } : {}) }) as unknown as Step;

/** Steps that queue in order, and a way to have all start whose turn it is. */
function waiting(pools: Pools, ...steps: Step[]) {
  const queue = new Queue();
  for (const [turn, step] of steps.entries()) queue.add(step, pools, turn);
  const start = () => {
    const started: string[] = [];
    for (let step = queue.next(pools); step; step = queue.next(pools)) {
      queue.remove(step, pools);
      pools.take(pools.placesOf(step));
      started.push(step.id);
    }
    return started;
  };
  return { queue, start };
}

test("a recipe takes one place of `cpu`, of which there are as many as jobs", () => {
  const pools = new Pools(2, new Map());
  const steps = ["a", "b", "c"].map((id) => stepOf(id));
  const { start } = waiting(pools, ...steps);
  assert.deepEqual(start(), ["a", "b"]);
  pools.give(pools.placesOf(steps[0]!));
  assert.deepEqual(start(), ["c"]);
});

test("a full pool holds up those who need it, and nobody else", () => {
  const pools = new Pools(4, new Map([["net", 1]]));
  const net = { net: 1 };
  const { start } = waiting(pools, stepOf("a", net), stepOf("b", net), stepOf("c", net), stepOf("d"));
  assert.deepEqual(start(), ["a", "d"]);
});

test("all places are taken at once: what lacks one of them takes none", () => {
  const pools = new Pools(
    4,
    new Map([
      ["net", 1],
      ["db", 1],
    ]),
  );
  const first = stepOf("first", { net: 1 });
  const both = stepOf("both", { net: 1, db: 1 });
  const { start } = waiting(pools, first, both);
  assert.deepEqual(start(), ["first"]);
  assert.equal(pools.takenOf("db"), 0);
  pools.give(pools.placesOf(first));
  assert.deepEqual(start(), ["both"]);
});

test("a large recipe is not starved: smaller ones that came later do not take what it waits for", () => {
  const pools = new Pools(3, new Map());
  const [small, large] = [stepOf("small"), stepOf("large", { cpu: 3 })];
  const { start } = waiting(pools, small, large, stepOf("late"), stepOf("later"));
  assert.deepEqual(start(), ["small"]);
  pools.give(pools.placesOf(small));
  assert.deepEqual(start(), ["large"]);
  pools.give(pools.placesOf(large));
  assert.deepEqual(start(), ["late", "later"]);
});

test("more than there is of `cpu` means all of it", () => {
  const pools = new Pools(2, new Map());
  assert.deepEqual(pools.placesOf(stepOf("a", { cpu: 8 })), { cpu: 2 });
});

test("ten thousand that wait for a full pool do not slow down the others", () => {
  const pools = new Pools(1, new Map([["net", 1]]));
  const queue = new Queue();
  pools.take({ net: 1 });
  const others = Array.from({ length: 10_000 }, (_, i) => stepOf(`o${i}`));
  for (let i = 0; i < 10_000; i++) queue.add(stepOf(`n${i}`, { net: 1 }), pools, i);
  for (const step of others) queue.add(step, pools, 10_000);
  let asked = 0;
  const counting = Object.assign(Object.create(Pools.prototype), {
    lacking: (places: never) => {
      asked += 1;
      return pools.lacking(places);
    },
    placesOf: (step: Step) => pools.placesOf(step),
  }) as Pools;
  for (const step of others) {
    assert.equal(queue.next(counting), step);
    queue.remove(step, pools);
  }
  assert.equal(asked, 20_000);
});

test("whose turn is earlier goes first, however late it comes; of one turn, who came first", () => {
  const pools = new Pools(1, new Map());
  const queue = new Queue();
  const turns = [5, 1, 9, 5, 0, 7, 1];
  for (const [i, turn] of turns.entries()) queue.add(stepOf(`${turn}.${i}`), pools, turn);
  const next = () => {
    const step = queue.next(pools);
    assert(step);
    queue.remove(step, pools);
    return step.id;
  };
  assert.deepEqual([next(), next()], ["0.4", "1.1"]);
  queue.add(stepOf("back"), pools, -1);
  queue.add(stepOf("2"), pools, 2);
  queue.add(stepOf("1.later"), pools, 1);
  assert.deepEqual(Array.from({ length: queue.size }, next), [
    "back",
    "1.6",
    "1.later",
    "2",
    "5.0",
    "5.3",
    "7.5",
    "9.2",
  ]);
});
