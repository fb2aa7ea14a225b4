// The command line of `npm run bench`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { helpOf, parseArguments, type Wanted } from "../../bench/arguments.js";

const known = ["start", "wide", "load"];

function wanted(...words: readonly string[]): Wanted {
  const parsed = parseArguments(words, known);
  assert.equal(parsed.kind, "wanted", JSON.stringify(parsed));
  return (parsed as { wanted: Wanted }).wanted;
}

const refused = (...words: readonly string[]): string => {
  const parsed = parseArguments(words, known);
  assert.equal(parsed.kind, "refused", words.join(" "));
  return (parsed as { why: string }).why;
};

test("without a word all benchmarks run, in their order, in the size that the bars are set for", () => {
  const { names, plan } = wanted();
  assert.deepEqual(names, known);
  assert.deepEqual(
    { ...plan, budgetSeconds: 0 },
    {
      ...{ quick: false, rounds: 5, sizes: [1000, 10_000], sized: false },
      ...{ rows: 1_300_000, judged: true, budgetSeconds: 0 },
    },
  );
});

test("names choose, each once", () => {
  assert.deepEqual(wanted("load", "start", "load").names, ["load", "start"]);
});

test("rounds, sizes, rows and files can be said", () => {
  const { plan, json, table } = wanted(
    ...["--rounds", "3", "--size", "100_000,1000", "--rows", "2000000"],
    ...["--json", "a.json", "--table", "a.md"],
  );
  assert.deepEqual([plan.rounds, plan.sizes, plan.rows, plan.sized], [3, [1000, 100_000], 2_000_000, true]);
  assert.deepEqual([json, table], ["a.json", "a.md"]);
});

test("quick is one small round, and nothing of it is judged", () => {
  const { plan } = wanted("--quick");
  assert.deepEqual([plan.quick, plan.rounds, plan.sizes, plan.judged], [true, 1, [300], false]);
  assert.equal(wanted("--quick", "--rows", "5000000").plan.judged, false);
  assert.equal(wanted("--rows", "1000").plan.judged, false, "fewer rows than the bars are set for");
});

test("what cannot be meant is refused, with the reason", () => {
  assert.match(refused("wyde"), /no benchmark is called `wyde`/);
  for (const number of ["0", "-1", "1.5", "many", "", "1,2"])
    assert.match(refused(`--rounds=${number}`), /`--rounds`/, number);
  assert.match(refused("--size", "1000,"), /`--size`/);
  assert.match(refused("--fast"), /--fast/);
  assert.match(refused("--json"), /--json/);
});

test("help names every benchmark and every flag", () => {
  assert.equal(parseArguments(["--help"], known).kind, "help");
  const help = helpOf(known);
  for (const word of [...known, "--quick", "--rounds", "--size", "--rows", "--json", "--table"])
    assert.ok(help.includes(word), word);
});
