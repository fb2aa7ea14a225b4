// What rules take from one another, and what is refused although the compiler could not see it. Told on real folders.
import assert from "node:assert/strict";
import { test } from "node:test";
import { commandOf, inProject, type Project, planned, stepOf } from "../rig/datafile.js";
import { failureOf, must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));

const head = `
  import { download, months, param, parquet, script, sh, table } from "dmake";
  const any = (value: unknown): any => value;
  const month = months("2023-12", "2024-01");
  export const raw = download("raw/{color}_{month}.csv", {
    where: { color: ["green", "yellow"], month },
    url: ({ color, month }) => \`https://example.org/\${color}_\${month}.csv\`,
  });
`;
const load = async (project: Project, text: string) => must(await project.datafile(head + text));
const refused = async (project: Project, text: string) => project.datafile(head + text);
const domainsOf = (datafile: Awaited<ReturnType<typeof load>>, goal: string) =>
  Object.fromEntries(
    Object.entries(datafile.goals.get(goal)!.domains).map(([name, { values }]) => [name, values]),
  );
const both = ["2023-12", "2024-01"];

story("domains are inherited through rules and selections, and narrowed by `where`", async (project) => {
  const datafile = await load(
    project,
    `
    export const trips = parquet("{color}_{month}.parquet", { from: raw });
    export const loaded = table("table:{color}_trips/{month}", { from: trips });
    export const perMonth = sh("{m}.txt", { from: raw({ color: "green", month: "{m}" }) }, ({ $ }) => $\`x\`);
    export const perColor = sh("{color}.txt", { from: raw.all({ color: "{color}" }) }, ({ $ }) => $\`x\`);
    export const fewer = parquet("few/{color}_{month}.parquet", { from: raw, where: { month: ["2024-01"] } });
    export const byName = parquet("{month}.parquet", { from: "raw/green_{month}.csv" });
  `,
  );
  assert.deepEqual(domainsOf(datafile, "loaded"), { color: ["green", "yellow"], month: both });
  assert.deepEqual(domainsOf(datafile, "perMonth"), { m: both });
  assert.deepEqual(domainsOf(datafile, "perColor"), { color: ["green", "yellow"] });
  assert.deepEqual(domainsOf(datafile, "fewer"), { month: ["2024-01"], color: ["green", "yellow"] });
  assert.deepEqual(domainsOf(datafile, "byName"), {});
});

story(
  "of two inputs the domains' common values are taken, in order; none in common is refused",
  async (project) => {
    const other = (list: string) => `
    const other = parquet("o/{month}.parquet", { from: "{month}.csv", where: { month: ${list} } });
    export const joined = sh("{color}/{month}.txt", { from: [raw, other] }, ({ $ }) => $\`x\`);
  `;
    const datafile = await load(project, other('["2025-01", "2024-01"]'));
    assert.deepEqual(domainsOf(datafile, "joined"), { color: ["green", "yellow"], month: ["2024-01"] });
    const failure = failureOf(await refused(project, other('["2025-01"]')), "bad-rule");
    assert.match(failure.problem, /no value of `\{month\}` in common/);
  },
);

story("a wildcard may be named as what every object has", async (project) => {
  const datafile = await load(
    project,
    `
    const teams = sh("{constructor}.csv", { where: { constructor: ["ferrari", "haas"] } }, ({ $ }) => $\`x\`);
    export const points = parquet("{constructor}.parquet", { from: teams });
    export const open = parquet("open/{toString}_{valueOf}.parquet", { from: "{toString}.{valueOf}" });
  `,
  );
  assert.deepEqual(domainsOf(datafile, "points"), { constructor: ["ferrari", "haas"] });
  assert.deepEqual(stepOf(datafile, "open/a_b.parquet").inputs, ["a.b"]);
  assert.equal(must(planned(datafile, "mercedes.parquet")).steps.length, 0);
});

story(
  "selections stand for what they pick; what is left out, or undefined, is all of it",
  async (project) => {
    const datafile = await load(
      project,
      `
    sh("all", { from: raw.all() }, ({ $, inputs }) => $\`\${inputs}\`);
    sh("green", { from: raw.all({ color: "green" }) }, ({ $, inputs }) => $\`\${inputs}\`);
    sh("undefined", { from: raw.all(any({ color: "green", month: undefined })) }, ({ $, inputs }) => $\`\${inputs}\`);
    sh("one", { from: raw({ color: "green", month: "2024-01" }) }, ({ $, inputs }) => $\`\${inputs}\`);
  `,
    );
    const green = "raw/green_2023-12.csv raw/green_2024-01.csv";
    assert.equal(commandOf(datafile, "all"), `${green} raw/yellow_2023-12.csv raw/yellow_2024-01.csv`);
    assert.equal(commandOf(datafile, "green"), green);
    assert.equal(commandOf(datafile, "undefined"), green);
    assert.equal(commandOf(datafile, "one"), "raw/green_2024-01.csv");
  },
);

// Each is a wildcard that the target does not bind, in a text that the compiler does not see.
const unbound: Readonly<Record<string, string>> = {
  "a name": 'parquet(any("{month}.parquet"), { from: any("raw/{color}_{month}.csv") });',
  "a rule": 'parquet(any("{month}.parquet"), { from: any(raw) });',
  "a list": 'sh(any("{month}.txt"), { from: any(["x", raw]) }, ({ $ }) => $`x`);',
  "a selection's value": 'sh("a.txt", { from: any(raw.all({ color: "{color}" })) }, ({ $ }) => $`x`);',
  "a selection's name": 'raw.all(any({ year: "2023" }));',
  "one target's name": 'raw(any({ color: "a", month: "b", year: "2023" }));',
  "an order-only input": 'parquet("{month}.parquet", { from: "{month}.csv", after: any(raw) });',
  "a `where`": 'parquet("{month}.parquet", { from: "{month}.csv", where: any({ color: ["green"] }) });',
  "a URL": 'download("{month}.csv", { url: any("https://example.org/{color}_{month}.csv") });',
};
for (const [where, text] of Object.entries(unbound))
  story(`a wildcard that the target does not bind is refused in ${where}`, async (project) => {
    const failure = failureOf(await refused(project, text), "unbound-wildcard");
    assert.match(failure.wildcard, /^(color|year)$/);
    assert.notEqual(failure.target, "");
    assert.equal(failure.at.file, project.path("Datafile.ts"));
  });

const bad: Readonly<Record<string, readonly [string, RegExp]>> = {
  "targets of one rule that bind differently": [
    'sh(["{a}.x", "b.x"], {}, ({ $ }) => $`x`);',
    /each needs `\{a\}`/,
  ],
  "a rule without a target": ["sh(any([]), {}, ({ $ }) => $`x`);", /no target/],
  "a table made by a command": ['sh("table:trips", {}, ({ $ }) => $`x`);', /makes files/],
  "a table made by a download": ['download("table:t", { url: "https://e.org" });', /makes files/],
  "a table among the files of a function": ['script(["a", "table:b"], {}, () => {});', /makes files/],
  "a table that is none": ['table(any("trips"), { from: raw.all() });', /is no table/],
  "a partition of two wildcards": ['table("table:t/{color}-{month}", { from: raw });', /column has no name/],
  "a partition column without a partition": [
    'table("table:t", { from: "a.csv", partitionColumn: "month" });',
    /no partition/,
  ],
  "an empty domain": ['parquet("{a}.parquet", { from: "{a}", where: { a: [] } });', /at least one/],
  "a domain that is no list": [
    'parquet("{a}.parquet", { from: "{a}", where: any({ a: "x" }) });',
    /not a list/,
  ],
  "a domain of numbers": ['parquet("{a}.parquet", { from: "{a}", where: any({ a: [1] }) });', /not a text/],
  "a domain that leaves its folder": [
    'parquet("{a}/x", { from: "{a}.csv", where: { a: [".."] } });',
    /way out/,
  ],
  "a value that leaves its folder": ['raw({ color: "../../etc", month: "2023-12" });', /contains `\/`/],
  "an empty value": ['raw.all({ color: "" });', /is empty/],
  "a selection of nothing": ["raw.all({ color: [] });", /picks no value/],
  "a selection of numbers": ["raw.all(any({ color: 1 }));", /not a text/],
  "a selection without an end": ['parquet("{a}.p", { from: "{a}.csv" }).all();', /no domain to select from/],
  "an input that is none": [
    'sh("a", { from: any(42) }, ({ $ }) => $`x`);',
    /takes names, rules and selections/,
  ],
  "an end before the beginning": ['months("2024-01", "2023-12");', /ends before it begins/],
};
for (const [what, [text, problem]] of Object.entries(bad))
  story(`${what} is refused`, async (project) => {
    assert.match(failureOf(await refused(project, text), "bad-rule").problem, problem);
  });

story("a target outside the project is refused", async (project) => {
  for (const name of ["../a.csv", "/tmp/a.csv", "a/../../b"])
    failureOf(await refused(project, `sh(${JSON.stringify(name)}, {}, ({ $ }) => $\`x\`);`), "outside-root");
  failureOf(await refused(project, 'sh("a{b", {}, ({ $ }) => $`x`);'), "bad-pattern");
});

story(
  "a function that throws, or answers what it should not, fails its step with the rule's place",
  async (project) => {
    const datafile = await load(
      project,
      `
    download("a", { url: () => { throw new Error("no such month"); } });
    download("b", { url: any(() => undefined) });
  `,
    );
    const thrown = failureOf(planned(datafile, "a"), "datafile-threw");
    assert.deepEqual([thrown.message, thrown.at?.line], ["no such month", 10]);
    assert.equal(failureOf(planned(datafile, "b"), "bad-rule").at.line, 11);
  },
);

story("only what `$` made is run: text put together by hand has no quotes", async (project) => {
  const datafile = await load(
    project,
    `
    sh("text", {}, any(({ output }: any) => \`date > \${output}\`));
    sh("object", {}, any(() => ({ text: "rm -rf ." })));
    sh("promise", {}, any(async ({ $ }: any) => $\`date\`));
    sh("nothing", {}, any(() => undefined));
    sh("throws", {}, () => { throw new TypeError("no"); });
  `,
  );
  const rendered = (name: string) => {
    const { recipe, inputs, outputs } = stepOf(datafile, name);
    assert(recipe.kind === "sh");
    return recipe.render({ inputs, outputs, depfile: "d" });
  };
  for (const name of ["text", "object", "promise", "nothing"]) failureOf(rendered(name), "bad-rule");
  failureOf(rendered("throws"), "datafile-threw");
});

story("lengths of time are read as people write them", async (project) => {
  const datafile = await load(
    project,
    `
    const ages = ["90 s", "15 minutes", "12 h", "7 days", "1.5h", "2 weeks", "250ms", 42];
    ages.forEach((maxAge, i) => download(\`f\${i}\`, { url: "https://e.org", maxAge, timeout: "1 min", retries: 0 }));
    download("plain", { url: "https://e.org" });
  `,
  );
  const recipe = (name: string) => {
    const step = stepOf(datafile, name);
    assert(step.recipe.kind === "download");
    return step.recipe;
  };
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 7].map((i) => recipe(`f${i}`).maxAgeMs),
    [90_000, 900_000, 43_200_000, 604_800_000, 5_400_000, 1_209_600_000, 250, 42],
  );
  assert.deepEqual([recipe("f0").timeoutMs, recipe("f0").retries], [60_000, 0]);
  const { timeoutMs, retries, maxAgeMs } = recipe("plain");
  assert.deepEqual([timeoutMs, retries, maxAgeMs], [30_000, 5, undefined]);
  for (const age of ['"7 moons"', '"-1 s"', "-1", "NaN", '""', '"constructor"', '"1 constructor"'])
    failureOf(await refused(project, `download("a", { url: "https://e.org", maxAge: ${age} });`), "bad-rule");
});
