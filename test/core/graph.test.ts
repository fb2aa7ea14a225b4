// From rules and wanted names to steps in order: who makes what, and what contradicts what.
import assert from "node:assert/strict";
import { test } from "node:test";
import { graphOf } from "../../src/core/graph.js";
import { noRule } from "../../src/core/no-rule.js";
import type { Recipe, Rule } from "../../src/core/rule.js";
import { ruleSet, targetsOf } from "../../src/core/rule-set.js";
import { copies, domains, here, makes, pattern } from "../rig/recipes.js";
import { failureOf, must, noSurroundings } from "../rig/world.js";

const plan = (rules: readonly Rule[], ...wanted: string[]) =>
  graphOf(must(ruleSet(rules)), wanted, noSurroundings);
const order = (rules: readonly Rule[], ...wanted: string[]) =>
  must(plan(rules, ...wanted)).steps.map(({ id }) => id);
const maker = (rules: readonly Rule[], name: string) => must(must(ruleSet(rules)).find(name))?.rule;
const at = (line: number) => ({ ...here, line });

test("inputs come before their users, each step once", () => {
  const rules = [copies("b", "a"), makes("c", { from: ["a", "b", "raw"] }), copies("raw", "b")];
  assert.deepEqual(order(rules, "c", "a"), ["b", "a", "c"]);
  const graph = must(plan(rules, "c"));
  assert.deepEqual([...graph.sources.keys()], ["raw"]);
  assert.equal(graph.sources.get("raw")?.id, "b");
});

test("a name that no rule makes is a source, with who needs it", () => {
  const graph = must(plan([copies("raw", "a")], "other", "a"));
  assert.deepEqual(
    [...graph.sources].map(([name, user]) => [name, user?.id]),
    [
      ["other", undefined],
      ["raw", "a"],
    ],
  );
});

test("an explicit rule beats a pattern, however literal", () => {
  const explicit = makes("data/green_01.csv");
  const rules = [makes("data/green_{month}.csv"), explicit, makes("data/{color}_{month}.csv")];
  assert.equal(maker(rules, "data/green_01.csv"), explicit);
});

test("of patterns the one with most literal text wins, whatever order they were declared in", () => {
  const [some, most] = [makes("data/{color}_{month}.csv"), makes("data/green_{month}.csv")];
  for (const rules of [
    [some, most],
    [most, some],
  ]) {
    assert.equal(maker(rules, "data/green_01.csv"), most);
    assert.equal(maker(rules, "data/yellow_01.csv"), some);
    assert.equal(maker(rules, "elsewhere"), undefined);
  }
});

test("a pattern whose domain does not hold the value leaves it to a less literal one", () => {
  const [narrow, wide] = [
    makes("data/green_{month}.csv", { where: { month: ["01"] } }),
    makes("data/{name}.csv"),
  ];
  assert.equal(maker([narrow, wide], "data/green_01.csv"), narrow);
  assert.equal(maker([narrow, wide], "data/green_02.csv"), wide);
});

test("two patterns that tie on a name are refused when loaded, with both places", () => {
  const rules = [
    makes("{a}_x.csv", { where: { a: ["x", "y"] }, line: 3 }),
    makes("x_{b}.csv", { where: { b: ["x", "z"] }, line: 7 }),
  ];
  assert.deepEqual(failureOf(ruleSet(rules), "ambiguous"), {
    reason: "ambiguous",
    target: "x_x.csv",
    rules: [
      { pattern: "{a}_x.csv", at: at(3) },
      { pattern: "x_{b}.csv", at: at(7) },
    ],
  });
});

test("a tie of a finite with an open pattern is found when loaded, of two open ones when asked for", () => {
  const finite = makes("{a}_x.csv", { where: { a: ["x"] } });
  failureOf(ruleSet([makes("x_{b}.csv"), finite]), "ambiguous");
  const open = must(ruleSet([makes("x_{b}.csv"), makes("{a}_x.csv")]));
  assert.equal(failureOf(open.find("x_x.csv"), "ambiguous").target, "x_x.csv");
  assert.notEqual(must(open.find("x_y.csv")), undefined);
  failureOf(ruleSet([makes("{a}.csv", { line: 1 }), makes("{a}.csv", { line: 2 })]), "ambiguous");
});

test("a tie that an explicit rule or a more literal pattern decides is none", () => {
  const tying = [
    makes("{a}_xx.csv", { where: { a: ["xx"] } }),
    makes("xx_{b}.csv", { where: { b: ["xx"] } }),
  ];
  const explicit = makes("xx_xx.csv");
  assert.equal(maker([...tying, explicit], "xx_xx.csv"), explicit);
  const literal = makes("xx_xx.cs{v}", { where: { v: ["v"] } });
  assert.equal(maker([...tying, literal], "xx_xx.csv"), literal);
});

test("patterns that look alike but share no value do not tie", () => {
  must(ruleSet([makes("{a}.csv", { where: { a: ["x"] } }), makes("{b}.csv", { where: { b: ["y"] } })]));
});

test("a rule whose values run into one another so that a name is made twice is refused", () => {
  const rule = makes("{a}-{b}.csv", { where: { a: ["x", "x-y"], b: ["z", "y-z"] }, line: 4 });
  assert.deepEqual(failureOf(ruleSet([rule]), "bad-rule"), {
    reason: "bad-rule",
    problem: "`{a}-{b}.csv` makes `x-y-z.csv` twice, of a=x b=y-z and of a=x-y b=z",
    at: at(4),
    help: "part the values by a sign that is in none of them",
  });
  must(ruleSet([makes("{a}/{b}.csv", { where: { a: ["x", "x-y"], b: ["z", "y-z"] } })]));
});

test("two producers of one name are refused with both places", () => {
  assert.deepEqual(
    failureOf(ruleSet([makes("a", { line: 3 }), makes("./x/../a", { line: 9 })]), "two-producers"),
    {
      reason: "two-producers",
      output: "a",
      first: at(3),
      second: at(9),
    },
  );
});

test("one rule that makes a name twice is refused", () => {
  failureOf(ruleSet([makes(["a", "a"])]), "two-producers");
  failureOf(ruleSet([makes(["{x}.a", "./{x}.a"])]), "two-producers");
});

test("an output of a group that another rule makes is refused, whichever is asked for first", () => {
  const rules = [makes(["{m}.csv", "{m}.log"], { line: 2 }), makes("01.log", { line: 5 })];
  for (const wanted of [
    ["01.csv", "01.log"],
    ["01.log", "01.csv"],
  ]) {
    const failure = failureOf(plan(rules, ...wanted), "two-producers");
    assert.deepEqual([failure.output, failure.first.line, failure.second.line], ["01.log", 2, 5]);
  }
});

test("a group whose patterns cross is refused: two steps would make one file", () => {
  failureOf(plan([makes(["{a}_{b}", "{b}_{a}"])], "x_y", "y_x"), "two-producers");
});

test("outputs made together are one step, asked for by any of them", () => {
  const rules = [makes(["{m}.csv", "{m}.log"], { from: ["raw"] })];
  const graph = must(plan(rules, "01.log", "01.csv", "02.csv"));
  assert.deepEqual(
    graph.steps.map(({ outputs }) => outputs),
    [
      ["01.csv", "01.log"],
      ["02.csv", "02.log"],
    ],
  );
  assert.equal(graph.makers.get("01.log"), graph.makers.get("01.csv"));
});

test("a cycle is refused with its path", () => {
  const rules = [copies("b", "a"), copies("c", "b"), copies("a", "c", { line: 4 }), copies("a", "top")];
  assert.deepEqual(failureOf(plan(rules, "top"), "cycle").path, ["a", "b", "c", "a"]);
  assert.deepEqual(failureOf(plan([copies("a", "a")], "a"), "cycle").path, ["a", "a"]);
  assert.deepEqual(failureOf(plan([makes("a", { after: ["b"] }), copies("a", "b")], "a"), "cycle").path, [
    "a",
    "b",
    "a",
  ]);
  const group = [makes(["a", "b"], { from: ["c"] }), copies("b", "c")];
  assert.deepEqual(failureOf(plan(group, "a"), "cycle").path, ["a", "c", "a"]);
});

test("a diamond is no cycle", () => {
  assert.deepEqual(order([makes("d", { from: ["b", "c"] }), copies("a", "b"), copies("a", "c")], "d"), [
    "b",
    "c",
    "d",
  ]);
});

test("a pattern that feeds itself is refused, and not followed until the memory is full", () => {
  const failure = failureOf(plan([copies("{x}.gz", "{x}", { line: 6 })], "data.csv"), "bad-rule");
  assert.match(failure.problem, /ever longer names/);
  assert.equal(failure.at.line, 6);
  failureOf(plan([makes("{x}", { from: ["{x}.a", "{x}.b"] })], "data.csv"), "bad-rule");
});

test("a pattern that eats its own name ends where nothing is left", () => {
  assert.deepEqual(order([copies("{x}", "a{x}")], "aaa"), ["aa", "aaa"]);
});

test("a chain of ten thousand steps does not overflow the stack", () => {
  const rules = Array.from({ length: 10_000 }, (_, i) => copies(`f${i}`, `f${i + 1}`));
  const ids = order(rules, "f10000");
  assert.deepEqual([ids.length, ids[0], ids.at(-1)], [10_000, "f1", "f10000"]);
});

test("order-only inputs come before and are no inputs", () => {
  const { steps } = must(plan([makes("a", { from: ["raw"], after: ["b"] }), copies("raw", "b")], "a"));
  assert.deepEqual(
    steps.map(({ id, inputs, after }) => [id, inputs, after]),
    [
      ["b", ["raw"], []],
      ["a", ["raw"], ["b"]],
    ],
  );
});

test("a rule as input stands for its targets with the same wildcards", () => {
  const raw = makes(["{c}_{m}.csv", "{c}_{m}.log"]);
  const { steps } = must(plan([raw, makes("{c}/{m}.out", { from: [raw, raw, "zones"] })], "green/01.out"));
  assert.deepEqual(steps.at(-1)?.inputs, ["green_01.csv", "green_01.log", "zones"]);
  assert.deepEqual(steps.at(-1)?.binding, { c: "green", m: "01" });
});

test("a selection stands for the picked values and all of the others, in order", () => {
  const raw = makes("{c}_{m}.csv", { where: { c: ["green", "yellow"], m: ["01", "02"] } });
  const select = (picks: Readonly<Record<string, readonly string[]>>): Rule => ({
    ...makes("{month}.out"),
    inputs: [
      {
        kind: "selection",
        rule: raw,
        picks: Object.fromEntries(
          Object.entries(picks).map(([name, texts]) => [name, texts.map((text) => pattern(text))]),
        ),
      },
    ],
  });
  const inputs = (picks: Readonly<Record<string, readonly string[]>>) =>
    must(plan([raw, select(picks)], "02.out")).steps.at(-1)?.inputs;
  assert.deepEqual(inputs({}), ["green_01.csv", "green_02.csv", "yellow_01.csv", "yellow_02.csv"]);
  assert.deepEqual(inputs({ c: ["yellow"] }), ["yellow_01.csv", "yellow_02.csv"]);
  assert.deepEqual(inputs({ m: ["{month}"] }), ["green_02.csv", "yellow_02.csv"]);
  assert.deepEqual(inputs({ c: ["green", "green"], m: ["02", "01"] }), ["green_02.csv", "green_01.csv"]);
});

test("a file that a recipe reads without its being declared is an input", () => {
  const rules = must(ruleSet([makes("a", { from: ["b"] })]));
  const source = (recipe: Recipe) => (recipe.kind === "script" ? "/data/source.csv" : undefined);
  assert.deepEqual(must(graphOf(rules, ["a"], { ...noSurroundings, localSource: source })).steps[0]?.inputs, [
    "b",
    "/data/source.csv",
  ]);
});

test("a function of the Datafile that fails while a rule is bound fails the plan", () => {
  const failure = { reason: "datafile-threw", message: "no", at: here } as const;
  const rule: Rule = { ...makes("{x}.a"), bind: () => ({ ok: false, error: failure }) };
  assert.deepEqual(plan([rule], "1.a"), { ok: false, error: failure });
});

test("all targets of a finite rule can be listed, of an open one none", () => {
  assert.deepEqual([...targetsOf(makes("{a}{b}", { where: { a: ["1", "2"], b: ["x"] } }))], ["1x", "2x"]);
  assert.deepEqual([...targetsOf(makes("{a}{b}", { where: { a: ["1", "2"] } }))], []);
});

test("a missing name comes with what was meant: targets, goals and files nearby", () => {
  const rules = must(
    ruleSet([makes("trips_{m}.csv", { where: { m: ["01", "02"] } }), makes("x", { name: "tripz" })]),
  );
  const missing = (target: string, nearby: string[] = []) =>
    noRule(rules, target, { user: undefined, nearby });
  assert.deepEqual(missing("tripz_01.csv").suggestions, ["trips_01.csv", "trips_02.csv"]);
  assert.deepEqual(missing("tripss").suggestions, ["tripz"]);
  assert.deepEqual(missing("zone.csv", ["zones.csv"]).suggestions, ["zones.csv"]);
});

test("a value outside a domain is said to be just that", () => {
  const rules = must(ruleSet([makes("trips_{m}.csv", { where: { m: ["01", "02"] }, line: 8 })]));
  assert.deepEqual(noRule(rules, "trips_13.csv", { user: undefined, nearby: [] }).outsideDomain, {
    wildcard: "m",
    value: "13",
    domain: domains({ m: ["01", "02"] }).m?.values,
    at: at(8),
  });
});
