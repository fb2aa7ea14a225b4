// From the words of a command line to names: goals, lists, ranges.
import assert from "node:assert/strict";
import { test } from "node:test";
import { expandBraces, wantedNames } from "../../src/core/goals.js";
import type { Rule } from "../../src/core/rule.js";
import { ruleSet } from "../../src/core/rule-set.js";
import { makes } from "../rig/recipes.js";
import { failureOf, must, noSurroundings } from "../rig/world.js";

const expanded = (word: string) => must(expandBraces(word));

test("a range of months runs over the end of a year", () => {
  assert.deepEqual(expanded("table:t/{2022-11..2023-02}"), [
    "table:t/2022-11",
    "table:t/2022-12",
    "table:t/2023-01",
    "table:t/2023-02",
  ]);
  assert.deepEqual(expanded("{2023-01..2023-01}"), ["2023-01"]);
});

test("a range of days knows leap years", () => {
  assert.deepEqual(expanded("{2024-02-28..2024-03-01}"), ["2024-02-28", "2024-02-29", "2024-03-01"]);
  assert.deepEqual(expanded("{2023-02-28..2023-03-01}"), ["2023-02-28", "2023-03-01"]);
  assert.deepEqual(expanded("{2000-02-29..2000-02-29}"), ["2000-02-29"]);
  assert.equal(expanded("{1999-12-31..2000-12-31}").length, 367);
});

test("numbers keep the zeros of the first", () => {
  assert.deepEqual(expanded("{08..11}"), ["08", "09", "10", "11"]);
  assert.deepEqual(expanded("{8..11}"), ["8", "9", "10", "11"]);
  assert.deepEqual(expanded("{0..2}"), ["0", "1", "2"]);
  assert.deepEqual(expanded("{098..101}"), ["098", "099", "100", "101"]);
});

test("lists stand for their members, several braces multiply, the last fastest", () => {
  assert.deepEqual(expanded("{green,yellow}_{1..2}.csv"), [
    "green_1.csv",
    "green_2.csv",
    "yellow_1.csv",
    "yellow_2.csv",
  ]);
  assert.deepEqual(expanded("{a,b}{a,b}"), ["aa", "ab", "ba", "bb"]);
  assert.deepEqual(expanded("data{,.bak}"), ["data", "data.bak"]);
  assert.deepEqual(expanded("$&{$1,$$}"), ["$&$1", "$&$$"]);
  assert.deepEqual(expanded("plain.csv"), ["plain.csv"]);
});

test("a list inside a list is expanded in every branch", () => {
  assert.deepEqual([...new Set(expanded("{a,{b,c}}"))].sort(), ["a", "b", "c"]);
  assert.deepEqual([...new Set(expanded("x{a,{1..2}{y,z}}"))].sort(), ["x1y", "x1z", "x2y", "x2z", "xa"]);
});

test("what is no list and no range is refused with examples", () => {
  for (const word of [
    "{a}",
    "{}",
    "{month}",
    "{a..c}",
    "{1..}",
    "{..1}",
    "{1..2..3}",
    "{2023-00..2023-02}",
    "{2023-01..2023-13}",
    "{2023-01..2023-02-01}",
    "{2023-02-30..2023-03-02}",
    "{2023-02-01..2023-02-30}",
    "{-1..2}",
    "{1.5..2}",
    "{ 1..2}",
  ]) {
    const failure = failureOf(expandBraces(`x/${word}.csv`), "usage");
    assert.match(failure.message, /no list and no range/);
    assert.match(failure.help ?? "", /\{2021-01\.\.2021-12\}/);
  }
});

test("a slip of the pen does not fill the memory", () => {
  for (const word of ["{1..100001}", "{1..999999999}", "{1..1000}{1..1000}", "{0001-01-01..9999-12-31}"])
    assert.match(failureOf(expandBraces(word), "usage").message, /more than 100000 names/);
  assert.equal(expanded("{1..100000}").length, 100_000);
});

const months = ["2023-01", "2023-02"];
const raw = makes("raw/{month}.csv", { where: { month: months }, name: "raw" });
const open = makes("any/{name}.csv", { name: "open" });
const both = makes(["{month}.a", "{month}.b"], { where: { month: months }, name: "both" });
const given = (rules: readonly Rule[], defaults: readonly string[] = []) => ({
  rules: must(ruleSet(rules)),
  goals: new Map(rules.flatMap((rule) => (rule.name ? [[rule.name, rule] as const] : []))),
  defaults,
  globs: noSurroundings.globs,
});

test("a goal stands for all targets of its rule, in the order of its domains", () => {
  assert.deepEqual(must(wantedNames(["raw"], given([raw, open]))), ["raw/2023-01.csv", "raw/2023-02.csv"]);
  assert.deepEqual(must(wantedNames(["both"], given([both]))), [
    "2023-01.a",
    "2023-01.b",
    "2023-02.a",
    "2023-02.b",
  ]);
});

test("a goal wins over a file of the same name, which is then `./name`", () => {
  assert.deepEqual(must(wantedNames(["./raw"], given([raw]))), ["raw"]);
});

test("`all` is every target that can be listed, unless a rule is called so", () => {
  assert.deepEqual(must(wantedNames(["all"], given([raw, open, both]))).length, 6);
  const all = makes("everything.txt", { name: "all" });
  assert.deepEqual(must(wantedNames(["all"], given([raw, all]))), ["everything.txt"]);
});

test("no words stand for the defaults; words that say the same thing twice want it once", () => {
  assert.deepEqual(must(wantedNames([], given([raw], ["a", "b"]))), ["a", "b"]);
  assert.deepEqual(must(wantedNames(["x", "./x", "{x,x}"], given([raw], ["a"]))), ["x"]);
});

test("a goal without an end is refused, and says what has no domain", () => {
  const failure = failureOf(wantedNames(["open"], given([raw, open])), "usage");
  assert.match(failure.message, /`open` has no end: `\{name\}` of `any\/\{name\}\.csv` has no domain/);
});

test("what a range expands to is checked as if it had been typed", () => {
  failureOf(wantedNames(["{..,x}/a"], given([raw])), "outside-root");
});

const partitions = makes("table:{color}_trips/{month}", {
  where: { color: ["green", "yellow"], month: months },
  name: "loaded",
});

test("a table without its partition stands for all partitions that can be listed", () => {
  const rules = given([makes("table:zones"), partitions, makes("table:other/{part}")]);
  assert.deepEqual(must(wantedNames(["table:green_trips"], rules)), [
    "table:green_trips/2023-01",
    "table:green_trips/2023-02",
  ]);
  assert.deepEqual(must(wantedNames([], { ...rules, defaults: ["table:green_trips"] })).length, 2);
  assert.deepEqual(must(wantedNames(["table:zones", "table:other/x"], rules)), [
    "table:zones",
    "table:other/x",
  ]);
});

test("a table that no rule makes is refused, also a partition outside the domain", () => {
  const rules = given([makes("table:zones"), partitions, makes("table:other/{part}")]);
  assert.deepEqual(failureOf(wantedNames(["table:zonez"], rules), "no-rule").suggestions, ["table:zones"]);
  for (const word of ["table:other", "table:zones/1", "table:reen_trips", "table:green_trips/2023-01/x"])
    failureOf(wantedNames([word], rules), "no-rule");
  const failure = failureOf(wantedNames(["table:green_trips/2024-01"], rules), "no-rule");
  assert.equal(failure.outsideDomain?.value, "2024-01");
});

test("a goal of millions is refused with their number, before they are listed", () => {
  const many = Array.from({ length: 3000 }, (_, i) => String(i));
  const big = makes("table:t{a}/{b}", { where: { a: many, b: many }, name: "big" });
  for (const word of ["big", "all"])
    assert.match(failureOf(wantedNames([word], given([big])), "usage").message, /9000000 targets/);
  failureOf(wantedNames(["table:t3000"], given([big])), "no-rule");
});
