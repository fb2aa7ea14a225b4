// The place of a rule is the line that a person wrote, wherever the project lies. Told on real folders.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inProject, type Project } from "../rig/datafile.js";
import { failureOf, must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));

const places = (project: Project, loaded: Awaited<ReturnType<Project["load"]>>) =>
  must(loaded).rules.rules.map(({ at }) => `${at.file.replace(`${project.root}/`, "")}:${at.line}`);

story("a rule's place is its own line, types and comments before it or not", async (project) => {
  const text = `// A comment.
import { download, parquet, script, sh, table } from "dmake";

interface Erased {
  readonly one: string;
}

export const raw = download("raw.csv", {
  url: "https://example.org",
});
export const trips = parquet("trips.parquet", { from: raw });
export const loaded = table("table:trips", { from: trips });
sh("a", {}, ({ $ }) => $\`date\`); script("b", {}, () => {});
`;
  const lines = ["Datafile.ts:8", "Datafile.ts:11", "Datafile.ts:12", "Datafile.ts:13", "Datafile.ts:13"];
  assert.deepEqual(places(project, await project.datafile(text)), lines);
  assert.deepEqual(places(project, await project.load()), lines, "from the cache");
  assert.deepEqual(places(project, await project.load({ writable: false })), lines, "of a query");
});

story("a rule that a helper declares has its place in the helper", async (project) => {
  project.write(
    "lib/helper.ts",
    'import { sh } from "dmake";\n\nexport const hello = (name: string) =>\n  sh(name, {}, ({ $ }) => $`date`);\n',
  );
  const text = 'import { hello } from "./lib/helper.ts";\n["a", "b"].map(hello);\n';
  assert.deepEqual(places(project, await project.datafile(text)), ["lib/helper.ts:4", "lib/helper.ts:4"]);
});

for (const name of ["with space ", "(in brackets)", "ünï-", "100%25-", "#hash-", "a+b&c="])
  test(`a project in a folder named ${name} has places as any other`, () =>
    inProject(async (project) => {
      const text = 'import { sh } from "dmake";\n\nsh("a", {}, ({ $ }) => $`date`);\n';
      assert.deepEqual(places(project, await project.datafile(text)), ["Datafile.ts:3"]);
      const thrown = failureOf(await project.datafile('\n\n\nthrow new Error("no");'), "datafile-threw");
      assert.deepEqual([thrown.at?.file, thrown.at?.line], [project.path("Datafile.ts"), 4]);
    }, name));

story("what is refused while a rule is declared has the rule's place", async (project) => {
  const failure = failureOf(
    await project.datafile('import { months } from "dmake";\n\nmonths("2023-13", "2024-01");\n'),
    "bad-rule",
  );
  assert.deepEqual([failure.at.file, failure.at.line], [project.path("Datafile.ts"), 3]);
});

story("so has a length of time that is none", async (project) => {
  const text =
    'import { download } from "dmake";\ndownload("a", {\n  url: "https://e.org", maxAge: "7 moons" });\n';
  const failure = failureOf(await project.datafile(text), "bad-rule");
  assert.deepEqual([failure.at.line, failure.problem], [2, "`7 moons` is no length of time"]);
});
