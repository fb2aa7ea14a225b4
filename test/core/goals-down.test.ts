// Ranges that run downwards: the newest month first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { expandBraces, wantedNames } from "../../src/core/goals.js";
import { ruleSet } from "../../src/core/rule-set.js";
import { makes } from "../rig/recipes.js";
import { failureOf, must, noSurroundings } from "../rig/world.js";

const expanded = (word: string) => must(expandBraces(word));

test("a range whose end comes before its start runs downwards", () => {
  assert.deepEqual(expanded("table:t/{2023-02..2022-11}"), [
    "table:t/2023-02",
    "table:t/2023-01",
    "table:t/2022-12",
    "table:t/2022-11",
  ]);
  assert.deepEqual(expanded("{2024-03-01..2024-02-28}"), ["2024-03-01", "2024-02-29", "2024-02-28"]);
  assert.deepEqual(expanded("{3..1}"), ["3", "2", "1"]);
  assert.equal(expanded("{2023-12..2019-01}").length, 60);
});

test("downwards, numbers have the zeros of the lower end", () => {
  assert.deepEqual(expanded("{11..8}"), ["11", "10", "9", "8"]);
  assert.deepEqual(expanded("{11..08}"), ["11", "10", "09", "08"]);
  assert.deepEqual(expanded("{101..098}"), ["101", "100", "099", "098"]);
});

test("days that are none have no range downwards either", () => {
  for (const word of ["{2023-02-30..2023-02-01}", "{2023-03-32..2023-02-01}", "{2023-02-01..2023-00-01}"])
    failureOf(expandBraces(word), "usage");
  failureOf(expandBraces("{999999999..1}"), "usage");
});

test("the names are wanted in the order of the range", () => {
  const rule = makes("table:t/{month}", { from: ["{month}.csv"] });
  const known = { rules: must(ruleSet([rule])), goals: new Map(), defaults: [], globs: noSurroundings.globs };
  assert.deepEqual(must(wantedNames(["table:t/{2020-02..2019-12}", "table:t/2020-01"], known)), [
    "table:t/2020-02",
    "table:t/2020-01",
    "table:t/2019-12",
  ]);
});
