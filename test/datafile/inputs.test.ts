// Globs, optional inputs, what a recipe uses, and targets that are directories. Told on real folders.
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandOf, inProject, type Project, planned, stepOf } from "../rig/datafile.js";
import { failureOf, must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));

const head = `
  import { download, glob, optional, parquet, script, sh, table } from "dmake";
  const any = (value: unknown): any => value;
  export const raw = download("raw/{color}_{month}.csv", {
    where: { color: ["green", "yellow"], month: ["2023-12", "2024-01"] },
    url: "https://example.org/{color}_{month}.csv",
  });
`;
const load = async (project: Project, text: string) => must(await project.datafile(head + text));
const refused = (project: Project, text: string) => project.datafile(head + text);
const echo = "({ $, inputs }) => $`echo ${inputs}`";

story("a glob stands for the files that are there and the targets that will be, sorted", async (project) => {
  for (const name of ["notes/b.md", "notes/a.md", "notes/a.txt", "raw/yellow_old.csv", "raw/blue_old.csv"])
    project.write(name, "");
  const datafile = await load(
    project,
    `
    sh("index", { from: glob("notes/*.md") }, ${echo});
    sh("all/{color}", { from: glob("raw/{color}_*.csv") }, ${echo});
    sh("either", { from: glob("./notes//@(a|b).@(md|txt)") }, ${echo});
  `,
  );
  assert.deepEqual(stepOf(datafile, "index").inputs, ["notes/a.md", "notes/b.md"]);
  const yellow = ["raw/yellow_2023-12.csv", "raw/yellow_2024-01.csv", "raw/yellow_old.csv"];
  assert.deepEqual(stepOf(datafile, "all/yellow").inputs, yellow);
  assert.deepEqual(stepOf(datafile, "all/blue").inputs, ["raw/blue_old.csv"]);
  assert.deepEqual(stepOf(datafile, "either").inputs, ["notes/a.md", "notes/a.txt", "notes/b.md"]);
  assert.equal(failureOf(planned(datafile, "all/red"), "glob-empty").glob, "raw/red_*.csv");
});

story("in a plain name a star is a star", async (project) => {
  project.write("notes/a.md", "");
  const datafile = await load(project, `sh("index", { from: "notes/*.md" }, ${echo});`);
  assert.deepEqual(stepOf(datafile, "index").inputs, ["notes/*.md"]);
});

// Each has a value that would be more than itself, were it spliced into the glob.
for (const value of [
  "*",
  "?",
  "[a-z]",
  "!(x)",
  "@(a|b)",
  "+(a)",
  "!a",
  "a)b",
  "(a|b",
  "...",
  "a+b",
  "a@b",
  '"a"',
  "\\*",
  "\\\\",
  "a^$b",
])
  story(`a wildcard's value \`${value}\` fits itself in a glob and nothing else`, async (project) => {
    for (const name of [value, "a", "b", "other"]) {
      project.write(`raw/${name}/x.csv`, "");
      project.write(`${name}_1.csv`, "");
    }
    const datafile = await load(
      project,
      `sh("{v}.txt", { from: [glob("{v}_*.csv"), glob("@({v}|no)_1.csv"), glob("raw/{v}/*")] }, ${echo});`,
    );
    assert.deepEqual(stepOf(datafile, `${value}.txt`).inputs, [`${value}_1.csv`, `raw/${value}/x.csv`]);
  });

// Each is a glob, and what is wrong with it.
const badGlobs: Readonly<Record<string, RegExp>> = {
  "raw/{a,b}.csv": /`\{a,b\}` is no wildcard.*several globs.*`@\(a\|b\)`/,
  "raw/{1..9}.csv": /`\{1\.\.9\}` is no wildcard/,
  "raw/[{color}].csv": /not for characters in brackets/,
  "raw/{color.csv": /opens or closes nothing/,
  "table:trips/*": /a glob is of files/,
  "raw/*/": /leave out the `\/`/,
  "!raw/*.csv": /not what to leave out/,
};
for (const [text, problem] of Object.entries(badGlobs))
  story(`the glob \`${text}\` is refused where it stands`, async (project) => {
    const failure = failureOf(await refused(project, `\nglob("${text}");`), "bad-pattern");
    assert.match(failure.problem, problem);
    assert.deepEqual(failure.at, { file: project.path("Datafile.ts"), line: 9, column: 1 });
  });

story("no glob leaves the project", async (project) => {
  for (const text of [
    "../*",
    "/etc/*",
    "a/../../*",
    "a/../*",
    "@(..|a)/*",
    "@(a|..)/*",
    "\\\\.\\\\./*",
    ".\\\\./x",
    "",
  ])
    failureOf(await refused(project, `glob("${text}");`), "outside-root");
  must(await refused(project, 'glob("a..b/..c/*..");'));
  failureOf(await refused(project, "glob(any(42));"), "bad-rule");
});

story("what is optional is given to a recipe if it is there", async (project) => {
  const datafile = await load(
    project,
    `
    sh("{color}.txt", {
      from: [
        "config.json",
        optional("local/{color}.json"),
        optional(glob("extra/*.json")),
        optional(raw({ color: "{color}", month: "2023-12" })),
        optional(optional("twice.json")),
      ],
    }, ${echo});
  `,
  );
  const step = stepOf(datafile, "green.txt");
  const others = ["local/green.json", "raw/green_2023-12.csv", "twice.json"];
  assert.deepEqual(step.inputs, ["config.json", ...others]);
  assert.deepEqual([...step.optional], others);
  project.write("extra/a.json", "{}");
  assert.deepEqual(stepOf(must(await project.load()), "green.txt").inputs[2], "extra/a.json");
});

story("what takes no optional input says so", async (project) => {
  assert.match(
    failureOf(await refused(project, "optional(any([raw]));"), "bad-rule").problem,
    /takes one name/,
  );
  failureOf(await refused(project, 'optional("../x");'), "outside-root");
  const unbound = failureOf(
    await refused(project, `sh("a", { from: any(optional(raw)) }, ${echo});`),
    "unbound-wildcard",
  );
  assert.equal(unbound.wildcard, "color");
  const glob = failureOf(
    await refused(project, `sh("a", { from: any(glob("{x}/*")) }, ${echo});`),
    "unbound-wildcard",
  );
  assert.deepEqual([glob.wildcard, glob.where, glob.at.line], ["x", "`{x}/*`", 8]);
  const { problem } = failureOf(
    await refused(project, `sh("a", { after: optional("x") }, ${echo});`),
    "bad-rule",
  );
  assert.match(problem, /order/);
  must(await refused(project, `sh("a", { after: optional(glob("x*")) }, ${echo});`));
});

story("an optional input gives its domains as any other", async (project) => {
  const datafile = await load(
    project,
    'export const trips = parquet("{color}_{month}.parquet", { from: optional(raw) });',
  );
  assert.deepEqual(datafile.goals.get("trips")?.domains.color?.values, ["green", "yellow"]);
});

story("what a recipe uses is looked at and not given to it", async (project) => {
  project.write("sql/a.sql", "");
  const datafile = await load(
    project,
    `
    sh("{color}.txt", { from: "in.csv", uses: ["lib/{color}.py", glob("sql/*.sql"), raw.all({ month: "2024-01" })] }, ${echo});
    script("one.txt", { uses: "lib/one.ts" }, () => {});
  `,
  );
  const step = stepOf(datafile, "green.txt");
  assert.equal(commandOf(datafile, "green.txt"), "echo in.csv");
  const yearOfAll = ["raw/green_2024-01.csv", "raw/yellow_2024-01.csv"];
  assert.deepEqual(step.uses, ["lib/green.py", "sql/a.sql", ...yearOfAll]);
  assert.deepEqual(Object.keys(step.rule.domains), [], "and says nothing of the target's wildcards");
  assert.deepEqual(stepOf(datafile, "one.txt").uses, ["lib/one.ts"]);
  const failure = failureOf(
    await refused(project, `sh("a", { uses: any(raw) }, ${echo});`),
    "unbound-wildcard",
  );
  assert.equal(failure.wildcard, "color");
  const { problem } = failureOf(await refused(project, `sh("a", { uses: any(42) }, ${echo});`), "bad-rule");
  assert.match(problem, /^`uses` takes names/);
});

story("a slash at the end of a target says that it is a directory", async (project) => {
  const datafile = await load(
    project,
    `
    export const parts = script(["parts/{color}/", "parts/{color}.json"], { where: { color: ["green"] } }, () => {});
    sh("{color}.txt", { from: parts }, ({ $, inputs, output }) => $\`ls \${inputs} > \${output}\`);
    sh("./copy//", { from: "parts/green/" }, ({ $, input, output }) => $\`cp -r \${input} \${output}/x\`);
  `,
  );
  const step = stepOf(datafile, "parts/green");
  assert.deepEqual(step.outputs, ["parts/green", "parts/green.json"]);
  assert.deepEqual([...step.directories], ["parts/green"]);
  assert.equal(commandOf(datafile, "green.txt"), "ls parts/green parts/green.json > green.txt");
  assert.equal(commandOf(datafile, "copy"), "cp -r parts/green copy/x");
});

const directories: Readonly<Record<string, string>> = {
  'download("raw/x/", { url: "https://e.org" });': "raw/x",
  'parquet("x/", { from: "a.csv" });': "x",
  'parquet("{a}//", { from: "a.csv" });': "{a}",
};
for (const [text, name] of Object.entries(directories))
  story(`${text} is refused, since only commands and functions make directories`, async (project) => {
    const { problem } = failureOf(await refused(project, text), "bad-rule");
    assert.equal(problem, `\`${name}/\` is a directory, which only \`sh\` and \`script\` make`);
  });

story("no table is a directory", async (project) => {
  failureOf(await refused(project, 'table("table:t/", { from: "a.csv" });'), "bad-pattern");
  failureOf(await refused(project, 'table("table:t/{m}/", { from: "{m}.csv" });'), "bad-rule");
});

story("the default export takes neither globs nor what is optional", async (project) => {
  for (const value of ['glob("raw/*")', "optional(raw)", 'optional("raw/a.csv")'])
    failureOf((await load(project, `export default [${value}];`)).defaults(), "bad-rule");
});
