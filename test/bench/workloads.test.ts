// The projects that engines are measured with: the same in every language, and what must come out of them.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { directoriesOf, rulesOf, writeProject } from "../../bench/languages.js";
import { expected, type Workload, workloadNames, workloadOf } from "../../bench/workloads.js";

const all = workloadNames.map((name) => workloadOf(name, 300));
const named = (name: string): Workload => all.find((one) => one.name === name)!;

test("every step comes after what it needs, and no target is made twice", () => {
  for (const { name, sources, steps } of all) {
    const there = new Set(sources.keys());
    for (const { target, inputs } of steps) {
      for (const input of inputs) assert.ok(there.has(input), `${name}: ${target} needs ${input}`);
      assert.ok(!there.has(target), `${name}: ${target} twice`);
      there.add(target);
    }
  }
});

test("chains need nothing of one another, so that two shells can share them", () => {
  for (const { name, steps } of all) {
    const chainOf = new Map(steps.map(({ target, chain }) => [target, chain]));
    for (const { inputs, chain } of steps)
      for (const input of inputs) assert.ok((chainOf.get(input) ?? chain) === chain, `${name}: ${input}`);
  }
});

test("a workload has the number of targets that was asked for, and fan-in so many files", () => {
  for (const size of [300, 1000, 10_000]) {
    for (const name of workloadNames) {
      const { steps, sources } = workloadOf(name, size);
      const count = name === "fanin" ? sources.size : steps.length;
      assert.ok(Math.abs(count - size) <= size / 10, `${name} ${size}: ${count}`);
    }
  }
});

test("goals need all targets, and nothing needs a goal", () => {
  for (const { name, steps, goals } of all) {
    const needed = new Set(steps.flatMap(({ inputs }) => inputs));
    const last = steps.map(({ target }) => target).filter((target) => !needed.has(target));
    assert.deepEqual([...goals].sort(), last.sort(), name);
  }
});

test("what must come out follows the sources through the chains", () => {
  const wide = named("wide");
  const edited = new Map([...wide.sources, ["src/000050.txt", "other"]]);
  const contents = expected(wide, edited);
  assert.equal(contents.get("out/c_000050.txt"), "other");
  assert.equal(contents.get("out/c_000049.txt"), "49");
  assert.equal(expected(named("deep"), named("deep").sources).get("out/299.txt"), "0 top");
  assert.equal(expected(named("fanin"), named("fanin").sources).get("out/all.txt"), "0 300");
});

test("an edit makes as many recipes run as it is said to", () => {
  for (const { name, steps, edited } of all) {
    const stale = new Set([edited.source]);
    for (const { target, inputs } of steps) if (inputs.some((input) => stale.has(input))) stale.add(target);
    assert.equal(stale.size - 1, edited.recipes, name);
  }
});

test("Ninja and the floor have a line a target, Make one or a pattern, and no dollar is left to them by mistake", () => {
  for (const workload of all) {
    const [, ninja] = rulesOf("ninja", workload);
    assert.equal(ninja.match(/^build /gm)?.length, workload.steps.length, workload.name);
    const [, make] = rulesOf("make", workload);
    const rules = workload.patterns.length > 0 ? 3 : workload.steps.length;
    assert.equal(make.match(/^\t@/gm)?.length, rules, workload.name);
    assert.doesNotMatch(make.replaceAll("$$", ""), /\$[^<@]/, "only Make's own `$<` and `$@`");
    assert.match(make, /"\$\$x/, "the shell gets its `$x`");
    assert.doesNotMatch(ninja.replaceAll("$$", ""), /\$(?!in\b|out\b)/, "only Ninja's own `$in` and `$out`");
    assert.match(ninja, /"\$\$x/, "the shell gets its `$x`");
    const { commands } = JSON.parse(rulesOf("floor", workload)[1]);
    assert.equal(commands.length, workload.steps.length);
  }
});

test("Snakemake has the workloads that it can build, with wildcards", () => {
  for (const name of ["wide", "parts"]) assert.match(named(name).snakefile!, /^rule c:$/m);
  assert.equal(named("explicit").snakefile, undefined);
  assert.notEqual(named("deep").snakefile, undefined);
  assert.equal(workloadOf("deep", 1000).snakefile, undefined, "its recursion ends at a chain of some 490");
});

test("a project has its sources, its rules and the folders of its targets", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dmake-workload-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const parts = named("parts");
  writeProject(folder, "make", parts);
  for (const [name, line] of parts.sources)
    assert.equal(readFileSync(join(folder, name), "utf8"), `${line}\n`);
  for (const directory of directoriesOf(parts)) assert.ok(existsSync(join(folder, directory)), directory);
  assert.equal(readFileSync(join(folder, "Makefile"), "utf8"), rulesOf("make", parts)[1]);
});
