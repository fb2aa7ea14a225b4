// What a Datafile may say of a table besides its rows, and what is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadRecipe, ParquetRecipe } from "../../src/core/rule.js";
import { monthsBetween, openValues } from "../../src/datafile/domain.js";
import { inProject, type Project } from "../rig/datafile.js";
import { failureOf, must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));

const head = 'import { months, parquet, table } from "dmake";\nconst any = (value: unknown): any => value;\n';

async function recipeOf(
  project: Project,
  options: string,
  target = "table:trips/{month}",
): Promise<LoadRecipe> {
  const from = target.includes("{") ? "{month}.csv" : "a.csv";
  const text = `${head}export const loaded = table("${target}", { from: "${from}", ${options} });`;
  const datafile = must(await project.datafile(text));
  return must(datafile.goals.get("loaded")!.bind({ month: "2024-01" })) as LoadRecipe;
}

story("nothing said is nothing declared", async (project) => {
  const { table, partitionColumn, rename } = await recipeOf(project, "");
  assert.deepEqual([table, partitionColumn, rename], [undefined, "month", undefined]);
});

story("all that can be said arrives in one form", async (project) => {
  const { table, rename } = await recipeOf(
    project,
    `strategy: "delete", contract: "freeze", maxRejects: 5, key: "id", comment: "it's", comments: { id: "number" },
     indexes: ["at", ["a", "b"], { columns: "id", unique: true, method: "btree" }], rename: { "A b": "a_b" },
     grants: { reader: "select" as any, app: ["UPDATE", "SELECT", "UPDATE"] }`,
  );
  assert.deepEqual(table, {
    strategy: "delete",
    contract: "freeze",
    maxRejects: 5,
    key: ["id"],
    indexes: [
      { columns: ["at"] },
      { columns: ["a", "b"] },
      { columns: ["id"], unique: true, method: "btree" },
    ],
    comment: "it's",
    comments: { id: "number" },
    grants: { reader: ["SELECT"], app: ["SELECT", "UPDATE"] },
  });
  assert.deepEqual(rename, { "A b": "a_b" });
});

story("a partition column that is named by hand may be one of the data's", async (project) => {
  const { table, partitionColumn } = await recipeOf(project, 'partitionColumn: "day"');
  assert.deepEqual([table?.ownKey, partitionColumn], [true, "day"]);
});

story("parquet renames too", async (project) => {
  const text = `${head}export const p = parquet("p.parquet", { from: "a.csv", rename: { a: "b" } });`;
  const datafile = must(await project.datafile(text));
  assert.deepEqual((must(datafile.goals.get("p")!.bind({})) as ParquetRecipe).rename, { a: "b" });
});

const refusals: Readonly<Record<string, readonly [options: string, said: RegExp, target?: string]>> = {
  "an unknown strategy": ['strategy: any("truncate")', /`strategy` is one of "swap", .*not `truncate`/],
  "an unknown contract": ['contract: any("strict")', /`contract` is one of/],
  "a merge without a key": ['strategy: "merge"', /which columns rows are the same/],
  "a swap of a whole table": ['strategy: "swap"', /`table:zones` is a whole table/, "table:zones"],
  "a delete of a whole table": ['strategy: "delete"', /is a whole table/, "table:zones"],
  "a replace of a partition": ['strategy: "replace"', /is a partition/],
  "rejects that are no number": ["maxRejects: 1.5", /whole number from 0/],
  "negative rejects": ["maxRejects: -1", /whole number from 0/],
  "an empty key": ["key: []", /name of a column, or a list/],
  "a column twice in a key": ['key: ["id", "id"]', /twice/],
  "an index that is no list": ['indexes: any("id")', /`indexes` is a list/],
  "an unknown option of an index": ["indexes: [any({ columns: ['a'], where: 'x' })]", /no option `where`/],
  "an unknown method of an index": [
    "indexes: [any({ columns: ['a'], method: 'b-tree' })]",
    /`method` of an index/,
  ],
  "a comment that is no text": ["comment: any(5)", /`comment` is a text/],
  "comments in a list": ["comments: any(['x'])", /`comments` is an object/],
  "an unknown privilege": ['grants: { reader: any("ALL") }', /gives `reader`.*not `ALL`/],
  "a grant of nothing": ["grants: { reader: [] }", /gives `reader` nothing/],
  "a CSV option that cannot be meant": ['csv: { delimiter: "||" }', /`csv.delimiter` must be one/],
  "an unknown CSV option": ["csv: any({ delimeter: ';' })", /`csv.delimeter` is no option/],
  "a rename to no text": ["rename: any({ a: 1 })", /`rename` of `a` is a text/],
};

for (const [what, [options, said, target = "table:trips/{month}"]] of Object.entries(refusals))
  story(`${what} is refused with its line`, async (project) => {
    const from = target.includes("{") ? "{month}.csv" : "a.csv";
    const text = `${head}export const loaded = table("${target}", { from: "${from}", ${options} });`;
    const failure = failureOf(await project.datafile(text), "bad-rule");
    assert.match(failure.problem, said);
    assert.equal(failure.at.line, 3);
    assert.ok(failure.help);
  });

const at = (text: string) => ({ nowMs: Date.parse(text) });

test("a month is open until it is over, by the clock of UTC", () => {
  const open = (now: string, last = "2024-12", more = {}) =>
    openValues(monthsBetween("2024-01", last, { ...at(now), ...more }));
  assert.deepEqual(open("2024-11-15T12:00:00Z"), ["2024-11", "2024-12"]);
  assert.deepEqual(open("2024-12-31T23:59:59.999Z"), ["2024-12"]);
  assert.deepEqual(open("2025-01-01T00:00:00Z"), []);
  assert.deepEqual(open("2025-01-30T00:00:00Z", "2024-12", { openForMs: 30 * 86_400_000 }), ["2024-12"]);
  assert.deepEqual(open("2025-01-31T00:00:00Z", "2024-12", { openForMs: 30 * 86_400_000 }), []);
});

test("`now` is the current month, also right after midnight of New Year", () => {
  assert.deepEqual(monthsBetween("2024-12", "now", at("2025-01-01T00:00:00Z")), ["2024-12", "2025-01"]);
  assert.deepEqual(monthsBetween("2024-12", "now", at("2024-12-31T23:59:59Z")), ["2024-12"]);
});

story("the domains of rules know which of their months are open, inherited ones too", async (project) => {
  const text = `${head}
    export const p = parquet("{month}.parquet", { from: "{month}.csv", where: { month: months("2020-01", "now") } });
    export const loaded = table("table:trips/{month}", { from: p });
    export const some = table("table:some/{month}", { from: p, where: { month: months("2020-01", "2020-03") } });`;
  const datafile = must(await project.datafile(text));
  const open = (goal: string) => datafile.goals.get(goal)!.domains.month?.open;
  const now = new Date().toISOString().slice(0, 7);
  assert.deepEqual([open("p"), open("loaded"), open("some")], [[now], [now], undefined]);
});
