// Which steps the end of a build waits for: those whose chain is longer than an even share of the work.
import assert from "node:assert/strict";
import { test } from "node:test";
import { graphOf } from "../../src/core/graph.js";
import { longPoles } from "../../src/core/long-poles.js";
import { ruleSet } from "../../src/core/rule-set.js";
import { Schedule } from "../../src/core/schedule.js";
import { copies } from "../rig/recipes.js";
import { must } from "../rig/world.js";

/** A graph of `[input, output, seconds]`, and the long poles of it, by name. */
function polesOf(jobs: number, ...links: readonly (readonly [string, string, number?])[]): readonly string[] {
  const rules = must(ruleSet(links.map(([input, output]) => copies(input, output))));
  const globs = { files: () => [], among: () => [] };
  const names = links.map(([, output]) => output);
  const graph = must(graphOf(rules, names, { globs, localSource: () => undefined }));
  const seconds = new Map(links.map(([, output, s]) => [output, s]));
  const schedule = new Schedule(graph);
  const poles = longPoles(graph.steps, {
    jobs,
    usersOf: (step) => schedule.usersOf(step),
    durationOf: ({ id }) => (seconds.get(id) === undefined ? undefined : (seconds.get(id) ?? 0) * 1000),
  });
  return poles.map(({ id }) => id);
}

test("one long recipe among short ones is a pole, and not when it is alone or nothing runs beside it", () => {
  const short = [1, 2, 3, 4].map((n) => ["raw", `short${n}`, 2] as const);
  assert.deepEqual(polesOf(2, ...short, ["raw", "long", 60]), ["long"]);
  assert.deepEqual(polesOf(1, ...short, ["raw", "long", 60]), []);
  assert.deepEqual(polesOf(2, ["raw", "long", 60]), []);
});

test("a chain counts as a whole: its beginning comes first", () => {
  const chain = [
    ["raw", "a", 1],
    ["a", "b", 1],
    ["b", "c", 40],
  ] as const;
  assert.deepEqual(polesOf(2, ["raw", "x", 3], ["raw", "y", 3], ...chain), ["a", "b", "c"]);
});

test("chains of one length keep the order of the graph", () => {
  const links = [1, 2, 3].flatMap((n) => [["raw", `a${n}`, 50] as const, [`a${n}`, `b${n}`, 50] as const]);
  assert.deepEqual(polesOf(2, ...links), []);
});

test("what has no record yet counts nothing, and less than a second changes no order", () => {
  assert.deepEqual(polesOf(2, ["raw", "a"], ["raw", "b"], ["raw", "c"]), []);
  assert.deepEqual(polesOf(2, ["raw", "a", 0.1], ["raw", "b", 0.1], ["raw", "c", 0.9]), []);
});
