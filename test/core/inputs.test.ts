// Declared inputs as names, directories as targets, and lists that have still to be read: what is refused, and what has to wait.
import assert from "node:assert/strict";
import { test } from "node:test";
import { wantedNames } from "../../src/core/goals.js";
import { graphOf } from "../../src/core/graph.js";
import type { InputSpec, Rule } from "../../src/core/rule.js";
import { ruleSet } from "../../src/core/rule-set.js";
import { copies, glob, here, makes, maybe, pattern } from "../rig/recipes.js";
import { failureOf, globsOver, must, noSurroundings } from "../rig/world.js";

const disk = (...names: string[]) => ({
  ...noSurroundings,
  globs: globsOver(new Map(names.map((name) => [name, ""]))),
});
const plan = (rules: readonly Rule[], target: string, surroundings = noSurroundings) =>
  graphOf(must(ruleSet(rules)), [target], surroundings);
const inputs = (rules: readonly Rule[], target: string, surroundings = noSurroundings) =>
  must(plan(rules, target, surroundings)).makers.get(target)?.inputs;

test("a glob is filled in with the wildcards' values, which are never globs themselves", () => {
  const rule = makes("{name}.out", { from: [glob("in/{name}_*.csv")] });
  const there = disk("in/a_1.csv", "in/b_1.csv", "in/*_1.csv", "in/[ab]_1.csv");
  assert.deepEqual(inputs([rule], "a.out", there), ["in/a_1.csv"]);
  assert.deepEqual(inputs([rule], "*.out", there), ["in/*_1.csv"]);
  assert.deepEqual(inputs([rule], "[ab].out", there), ["in/[ab]_1.csv"]);
});

test("a glob that fits nothing is refused by name, unless it is optional", () => {
  const failure = failureOf(plan([makes("out", { from: [glob("*.csv")] })], "out"), "glob-empty");
  assert.deepEqual(failure, { reason: "glob-empty", glob: "*.csv", neededBy: "out", at: here });
  assert.deepEqual(inputs([makes("out", { from: [maybe(glob("*.csv"))] })], "out"), []);
});

test("a glob never takes what lies in a directory that a rule makes, there or not yet there", () => {
  const rules = [makes("out/d/"), makes("all", { from: [maybe(glob("**/*.csv"))] })];
  const there = disk("in/a.csv", "out/d/b.csv", "out/c.csv");
  assert.deepEqual(inputs(rules, "all", there), ["in/a.csv", "out/c.csv"]);
  for (const text of ["out/d/*.csv", "out/d/deep/*.csv", "out/d/**/*.csv"]) {
    const into = [makes("out/d/"), makes("all", { from: ["out/d", maybe(glob(text))] })];
    for (const surroundings of [disk(), there])
      assert.match(failureOf(plan(into, "all", surroundings), "bad-rule").problem, /looks into `out\/d`/);
  }
});

test("a name that is optional for one and not for another has to be there for the other", () => {
  const rules = [makes("a", { from: [maybe("x")] }), makes("b", { from: [maybe("x"), "x"] })];
  assert.deepEqual([...must(plan(rules, "a")).sources], []);
  assert.deepEqual([...must(plan(rules, "b")).sources.keys()], ["x"]);
});

test("what is an input already is not used besides", () => {
  const step = must(plan([makes("out", { from: ["a"], uses: ["a", "b"] })], "out")).makers.get("out");
  assert.deepEqual([step?.inputs, step?.uses], [["a"], ["b"]]);
  const loose = must(plan([makes("out", { from: ["a"], uses: [maybe("a"), maybe("b")] })], "out")).steps[0];
  assert.deepEqual([...(loose?.optional ?? [])], ["b"], "an input stays one that has to be there");
});

test("a target with a slash at its end is a directory, by its name without", () => {
  const step = must(plan([makes("./parts//{x}/")], "parts/1")).steps[0];
  assert.deepEqual([step?.outputs, [...(step?.directories ?? [])]], [["parts/1"], ["parts/1"]]);
  assert.deepEqual([...(must(plan([makes("parts/{x}")], "parts/1")).steps[0]?.directories ?? [])], []);
});

test("a file inside a directory that a rule makes is made by that rule", () => {
  const rules = [makes("d/{x}/"), copies("d/1/deep/a.csv", "out")];
  const graph = must(plan(rules, "out"));
  assert.deepEqual(
    graph.steps.map(({ id }) => id),
    ["d/1", "out"],
  );
  assert.equal(graph.makers.get("d/1/deep/a.csv")?.id, "d/1");
  assert.deepEqual([...graph.sources], []);
});

test("two rules that would write into one another are refused when loaded, whichever comes first", () => {
  const inside: readonly Rule[] = [
    makes("d/a.csv", { line: 2 }),
    makes("d/{x}.csv", { line: 2 }),
    makes("d/{x}.csv", { line: 2, where: { x: ["1"] } }),
    makes("d/deep/e/", { line: 2 }),
  ];
  for (const rule of inside)
    for (const rules of [
      [makes("d/"), rule],
      [rule, makes("d/")],
    ]) {
      const failure = failureOf(ruleSet(rules), "overlap");
      assert.deepEqual([failure.inside, failure.first.line, failure.second.line], ["d", 1, 2]);
    }
  failureOf(ruleSet([makes("d/{x}/", { where: { x: ["1"] } }), makes("d/1/a.csv")]), "overlap");
  failureOf(ruleSet([makes(["d/", "d/a.csv"])]), "overlap");
  must(ruleSet([makes("d/"), makes("dd/a.csv"), makes("d.csv")]));
});

test("what no list shows is refused when it is planned: a file below a file, a directory that appears by name", () => {
  failureOf(plan([makes("a"), makes("a/b")], "a/b"), "overlap");
  failureOf(plan([makes("{x}/", { line: 1 }), makes("{x}/{y}.csv", { line: 2 })], "1/2.csv"), "overlap");
});

test("a folder in which rules make files is no input: name the files, or write a glob", () => {
  const rules = [makes("data/a.csv"), makes("out", { from: ["data", "data/a.csv"] })];
  assert.match(failureOf(plan(rules, "out"), "bad-rule").problem, /`data` is a folder in which rules make/);
  const later = [makes("data/a.csv"), makes("out", { from: ["data/a.csv", "data"] })];
  failureOf(plan(later, "out"), "bad-rule");
  failureOf(graphOf(must(ruleSet(rules)), ["data", "data/a.csv"], noSurroundings), "usage");
});

const all = (rule: Rule): InputSpec => ({ kind: "selection", rule, picks: {} });
const listed = makes("raw/{month}.csv", { pending: { month: "index.txt" }, name: "raw", line: 7 });

test("whoever needs the values of a list that is not read yet is told which target has it", () => {
  const needs = {
    reason: "needs-manifest",
    manifest: "index.txt",
    wildcard: "month",
    at: { ...here, line: 7 },
  };
  const rules = must(ruleSet([listed, makes("out", { from: [all(listed)] })]));
  const words = (...given: string[]) =>
    wantedNames(given, {
      rules,
      goals: new Map([["raw", listed]]),
      defaults: [],
      globs: noSurroundings.globs,
    });
  for (const found of [
    rules.find("raw/2021-01.csv"),
    graphOf(rules, ["out"], noSurroundings),
    words("raw"),
    words("all"),
    words("raw/*.csv"),
  ])
    assert.deepEqual(found, { ok: false, error: needs });
});

test("a glob waits for a list whose targets it may fit, and for no other", () => {
  const rules = [listed, makes("all", { from: [maybe(glob("raw/*.csv"))] })];
  assert.equal(failureOf(plan(rules, "all"), "needs-manifest").manifest, "index.txt");
  for (const text of ["**/*.csv", "*/x.csv"])
    failureOf(plan([listed, makes("all", { from: [maybe(glob(text))] })], "all"), "needs-manifest");
  must(plan([listed, makes("all", { from: [maybe(glob("notes/*.csv"))] })], "all"));
});

test("what does not hang on the list does not wait for it", () => {
  const explicit = makes("raw/2021-01.csv");
  const longer = makes("raw/2021-{n}.csv");
  const rules = must(ruleSet([listed, explicit, longer, copies("raw/2021-02.csv", "out")]));
  assert.equal(must(rules.find("raw/2021-01.csv"))?.rule, explicit);
  assert.equal(must(rules.find("raw/2021-02.csv"))?.rule, longer);
  assert.equal(must(rules.find("index.txt")), undefined);
  must(graphOf(rules, ["out"], noSurroundings));
  const picked: InputSpec = { kind: "selection", rule: listed, picks: { month: [pattern("x")] } };
  failureOf(plan([listed, makes("out", { from: [picked] })], "out"), "needs-manifest");
});

test("a glob on the command line stands for the targets that it fits", () => {
  const months = makes("raw/{m}.csv", { where: { m: ["01", "02"] } });
  const rules = must(ruleSet([months, makes("raw/x.txt"), makes("raw/{open}.tsv")]));
  const words = (...given: string[]) =>
    must(wantedNames(given, { rules, goals: new Map(), defaults: [], globs: noSurroundings.globs }));
  assert.deepEqual(words("raw/*.csv"), ["raw/01.csv", "raw/02.csv"]);
  assert.deepEqual(words("./raw/?1.*"), ["raw/01.csv"]);
  assert.deepEqual(words("raw/*.none"), ["raw/*.none"], "which is then looked for as a file");
  assert.deepEqual(words("raw/*.tsv"), ["raw/*.tsv"], "a rule makes a file of just this name");
});

test("a graph grows by what is asked for later, and by nothing if that cannot be had", () => {
  const rules = [
    copies("raw", "a"),
    makes("b", { from: ["a", "c"] }),
    copies("bad", "bad2"),
    copies("bad2", "bad"),
  ];
  const graph = must(plan(rules, "a"));
  assert.deepEqual(
    must(graph.grow(["b"])).map(({ id }) => id),
    ["b"],
  );
  assert.deepEqual([...graph.sources.keys()], ["raw", "c"]);
  failureOf(graph.grow(["z", "bad"]), "cycle");
  assert.deepEqual([graph.steps.length, graph.sources.has("z"), graph.makers.has("bad")], [2, false, false]);
});
