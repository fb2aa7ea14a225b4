// Values that are listed in a target: awaited until it is read, then as any others. Told on real folders.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inProject, type Project, planned, stepOf } from "../rig/datafile.js";
import { failureOf, must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));

const head = `
  import { download, glob, optional, parquet, sh, valuesIn } from "dmake";
  const any = (value: unknown): any => value;
  export const index = download("index.txt", { url: "https://example.org/index.txt" });
`;
const months = `${head}
  export const raw = download("raw/{month}.csv", { where: { month: valuesIn(index) }, url: "https://e.org/{month}" });
  export const trips = parquet("{month}.parquet", { from: raw });
`;
const read = (text: string) => ({ manifests: { "index.txt": text } });

story("before the list is read, whoever plans is told what to build", async (project) => {
  const datafile = must(await project.datafile(months));
  for (const goal of ["raw", "trips"])
    assert.deepEqual(datafile.goals.get(goal)?.domains.month, { values: [], pending: "index.txt" });
  const { manifest, wildcard } = failureOf(planned(datafile, "2024-01.parquet"), "needs-manifest");
  assert.deepEqual([manifest, wildcard], ["index.txt", "month"]);
  assert.equal(stepOf(datafile, "index.txt").id, "index.txt", "which needs no list");
});

story("once it is read, its lines are the values, each once, in order", async (project) => {
  const datafile = must(await project.datafile(months, read("\ufeff2024-02\r\n\n  2024-01 \n2024-02\n")));
  for (const goal of ["raw", "trips"])
    assert.deepEqual(datafile.goals.get(goal)?.domains.month, { values: ["2024-02", "2024-01"] });
  assert.deepEqual(stepOf(datafile, "2024-01.parquet").inputs, ["raw/2024-01.csv"]);
});

story("a list of JSON is not one value, and other lines with brackets are values", async (project) => {
  must(await project.datafile(months));
  for (const text of ['["2023-01","2023-02"]\n', '\ufeff {\n  "months": []\n}', "[]"]) {
    const { problem, help, at } = failureOf(await project.load(read(text)), "bad-rule");
    assert.equal(problem, "`index.txt` is JSON, and `valuesIn` takes each line of it as one value");
    assert.equal(help, 'valuesIn("index.txt", (text) => JSON.parse(text))');
    assert.match(at.file, /Datafile\.ts$/);
  }
  for (const [text, values] of [
    ["[a]\n{b", ["[a]", "{b"]],
    ["2024-01", ["2024-01"]],
    ["1\n2\n", ["1", "2"]],
  ] as const)
    assert.deepEqual(must(await project.load(read(text))).goals.get("raw")?.domains.month?.values, values);
});

story("a function makes values of the text, and is not asked before there is one", async (project) => {
  const text = `${head}
    let calls = 0;
    const month = valuesIn("./x/../index.txt", (text) => { calls += 1; return JSON.parse(text).months; });
    export const raw = download(\`\${calls}/{month}\`, { where: { month }, url: "https://e.org" });
  `;
  assert.equal(must(await project.datafile(text)).goals.get("raw")?.outputs[0]?.text, "0/{month}");
  const datafile = must(await project.load(read('{ "months": ["a", "b"] }')));
  assert.deepEqual(datafile.goals.get("raw")?.domains.month, { values: ["a", "b"] });
});

story("one target of a rule can list values as well", async (project) => {
  const text = `${head}
    const lists = sh("{kind}.list", { where: { kind: ["a", "b"] } }, ({ $ }) => $\`x\`);
    export const x = sh("x/{v}", { where: { v: valuesIn(lists({ kind: "a" })) } }, ({ $ }) => $\`x\`);
    export const only = sh("y/{v}", { where: { v: valuesIn(lists.all({ kind: "b" })) } }, ({ $ }) => $\`x\`);
  `;
  const { goals } = must(await project.datafile(text, { manifests: { "a.list": "one" } }));
  assert.deepEqual(goals.get("x")?.domains.v, { values: ["one"] });
  assert.deepEqual(goals.get("only")?.domains.v, { values: [], pending: "b.list" });
});

story(
  "what has values in common with a list that is not read has none that anybody knows",
  async (project) => {
    const text = (list: string) => `${months}
    const some = sh("some/{month}", { where: { month: ${list} } }, ({ $ }) => $\`x\`);
    export const one = sh("1/{month}", { from: [raw, some] }, ({ $ }) => $\`x\`);
    export const other = sh("2/{month}", { from: [some, raw] }, ({ $ }) => $\`x\`);
    export const own = sh("3/{month}", { from: [some, raw], where: { month: ["2024-01"] } }, ({ $ }) => $\`x\`);
    export const all = sh("4", { from: raw.all() }, ({ $ }) => $\`x\`);
    export const each = sh("5/{m}", { from: raw({ month: "{m}" }) }, ({ $ }) => $\`x\`);
  `;
    const domains = async (list: string, options = {}) => {
      const { goals } = must(await project.datafile(text(list), options));
      return ["one", "other", "own", "each"].map((goal) => Object.values(goals.get(goal)?.domains ?? {})[0]);
    };
    const [pending, known] = [{ values: [], pending: "index.txt" }, { values: ["2024-01"] }];
    assert.deepEqual(await domains('["2024-01"]'), [pending, pending, known, pending]);
    assert.deepEqual(
      await domains('["2023-01"]'),
      [pending, pending, known, pending],
      "nor whether there is any",
    );
    const both = { values: ["2024-02", "2024-01"] };
    assert.deepEqual(await domains('["2024-01"]', read("2024-02\n2024-01")), [known, known, known, both]);
    failureOf(await project.datafile(text('["2023-01"]'), read("2024-01")), "bad-rule");
    // Of two lists, one after the other is asked for.
    const two = async (manifests: Record<string, string>) =>
      (await domains('valuesIn("b.txt")', { manifests }))[0];
    assert.deepEqual(await two({}), pending);
    assert.deepEqual(await two({ "index.txt": "2024-01" }), { values: [], pending: "b.txt" });
    assert.deepEqual(await two({ "index.txt": "2024-01", "b.txt": "2024-01" }), known);
  },
);

story("a selection of what is not known yet is planned when it is", async (project) => {
  const text = `${months}
    sh("all", { from: raw.all() }, ({ $ }) => $\`x\`);
    sh("one", { from: raw.all({ month: "2024-01" }) }, ({ $ }) => $\`x\`);
    export default [raw.all()];
  `;
  const datafile = must(await project.datafile(text));
  for (const name of ["all", "one"]) failureOf(planned(datafile, name), "needs-manifest");
  assert.equal(failureOf(datafile.defaults(), "needs-manifest").manifest, "index.txt");
  const known = must(await project.load(read("2024-01\n2024-02")));
  assert.deepEqual(stepOf(known, "all").inputs, ["raw/2024-01.csv", "raw/2024-02.csv"]);
  assert.deepEqual(must(known.defaults()), ["raw/2024-01.csv", "raw/2024-02.csv"]);
});

// Each looks at values that nobody knows yet, and would silently find none.
const looks: readonly string[] = [
  "month.map((one) => one)",
  "month.filter(Boolean)",
  "month.length",
  "month[0]",
  "[...month]",
  "for (const one of month) one",
  '"a" in month',
  "Object.keys(month)",
  "JSON.stringify({ month })",
  "`${month}`",
  "[1].concat(any(month))",
  'any(month).push("a")',
  "Array.from(month)",
  'sh("a", { from: month }, ({ $ }) => $`x`)',
  "index.all(any({ x: month }))",
  "raw.all({ month })",
  'sh("a", { where: any(month) }, ({ $ }) => $`x`)',
];
for (const look of looks)
  story(`\`${look}\` is refused until the list is read`, async (project) => {
    const text = `${months}  const month = valuesIn(index);\n${look};\n`;
    const loaded = await project.datafile(text);
    if (look.startsWith("index")) return void failureOf(loaded, "unbound-wildcard");
    const failure = failureOf(loaded, "bad-rule");
    assert.match(failure.problem, /^the values in `index.txt` are known only once it is built.*`valuesIn`$/);
    assert.deepEqual([failure.at.file, failure.at.line], [project.path("Datafile.ts"), 9]);
  });

story("a stand-in may be exported, and is nothing to build", async (project) => {
  const text = `${months} export const month = await Promise.resolve(valuesIn(index));`;
  must(await project.datafile(text));
  failureOf(must(await project.datafile(`${text} export default month;`)).defaults(), "bad-rule");
  failureOf(must(await project.datafile(`${text} export default [month];`)).defaults(), "bad-rule");
});

// What `parse` answers, and why that is no list of values.
const bad: Readonly<Record<string, RegExp>> = {
  "() => []": /^what `valuesIn` finds in `index.txt` is not a list of at least one text/,
  '() => "a"': /is not a list/,
  "() => undefined": /is not a list/,
  "async () => []": /is not a list/,
  "() => [1]": /^`1` in what `valuesIn` finds in `index.txt` is not a text/,
  '() => ["a/b"]': /^`a\/b` in .* contains `\/`/,
  '() => ["a", ".."]': /way out/,
  '() => ["a", ""]': /is empty/,
};
for (const [parse, problem] of Object.entries(bad))
  story(`\`${parse}\` makes no values, which is said where \`valuesIn\` stands`, async (project) => {
    const failure = failureOf(
      await project.datafile(`${head}\nvaluesIn(index, any(${parse}));`, read("x")),
      "bad-rule",
    );
    assert.match(failure.problem, problem);
    assert.deepEqual(failure.at, { file: project.path("Datafile.ts"), line: 6, column: 1 });
  });

story("an empty list is told from one that is not read", async (project) => {
  const failure = failureOf(await project.datafile(months, read(" \n")), "bad-rule");
  assert.match(failure.problem, /finds in `index.txt` is not a list of at least one text/);
});

story("what a function throws over the text comes with its place", async (project) => {
  const text = `${head}\nvaluesIn(index,\n  (text) => JSON.parse(text).months);`;
  const failure = failureOf(await project.datafile(text, read("not json")), "datafile-threw");
  assert.match(failure.message, /^the values in `index.txt` could not be read: SyntaxError: /);
  assert.deepEqual([failure.at?.file, failure.at?.line], [project.path("Datafile.ts"), 7]);
  must(await project.load());
});

// What is no one file.
const wrong: Readonly<Record<string, RegExp>> = {
  raw: /`\{month\}`, which nothing binds here/,
  '"index/{month}.txt"': /`index\/\{month\}.txt` has `\{month\}`/,
  'raw({ month: "{m}" })': /has `\{m\}`/,
  'raw.all({ month: ["a", "b"] })': /stands for 2/,
  'sh(["a", "b"], {}, ({ $ }) => $`x`)': /stands for 2/,
  '"table:index"': /`table:index` is a table/,
  '"index/"': /`index\/` is a directory/,
  'sh("parts/", {}, ({ $ }) => $`x`)': /`parts\/` is a directory/,
  'glob("index/*")': /takes a rule without wildcards/,
  "optional(index)": /takes a rule without wildcards/,
  "42": /takes a rule without wildcards/,
};
for (const [input, problem] of Object.entries(wrong))
  story(`values are not read from \`${input}\``, async (project) => {
    const list = '  const raw = sh("raw/{month}", { where: { month: ["a", "b"] } }, ({ $ }) => $`x`);\n';
    const failure = failureOf(await project.datafile(`${head}${list}valuesIn(any(${input}));`), "bad-rule");
    assert.match(failure.problem, problem);
    assert.equal(failure.at.line, 6);
  });

story("what stands for a function must be one", async (project) => {
  failureOf(await project.datafile(`${head} valuesIn(index, any("lines"));`), "bad-rule");
  failureOf(await project.datafile(`${head} valuesIn("../index.txt");`), "outside-root");
});

story(
  "a function that uses the list says so in `values`: it waits for the list, and its values count",
  async (project) => {
    const text = `
    import { script, valuesIn } from "dmake";
    const list = valuesIn("index.txt");
    export const out = script("out", { values: { list } }, ({ log }) => log(list.join()));
  `;
    const datafile = must(await project.datafile(text));
    assert.deepEqual(datafile.warnings, []);
    const { manifest, wildcard } = failureOf(planned(datafile, "out"), "needs-manifest");
    assert.deepEqual([manifest, wildcard], ["index.txt", "list"]);
    const parts = async (lines: string) => {
      const { recipe } = stepOf(must(await project.datafile(text, read(lines))), "out");
      return recipe.kind === "script" ? recipe.parts["values.list"] : undefined;
    };
    assert.notEqual(await parts("a\nb"), await parts("a\nc"));
  },
);
