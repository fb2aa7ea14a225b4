// Loading a Datafile: what is found in it, and what a person is told when it cannot be loaded. Told on real folders.
import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { test } from "node:test";
import { inProject, type Project, planned, stepOf } from "../rig/datafile.js";
import { failureOf, must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));

story("exported rules are goals by their names, under every name they have", async (project) => {
  const { goals } = must(
    await project.datafile(`
      import { sh } from "dmake";
      export const first = sh("a.txt", {}, ({ $, output }) => $\`date > \${output}\`);
      export { first as again };
      const hidden = sh("b.txt", {}, ({ $, output }) => $\`date > \${output}\`);
      export const answer = 42;
    `),
  );
  assert.deepEqual([...goals.keys()].sort(), ["again", "first"]);
  assert.equal(goals.get("first"), goals.get("again"));
});

story("a rule that is not exported is still a rule", async (project) => {
  const datafile = must(
    await project.datafile(`
      import { sh } from "dmake";
      sh("b.txt", {}, ({ $, output }) => $\`date > \${output}\`);
    `),
  );
  assert.equal(stepOf(datafile, "b.txt").id, "b.txt");
});

story("the default export is what a bare run builds: rules, selections, names", async (project) => {
  const defaults = async (text: string) => {
    const loaded = await project.datafile(`
      import { months, parquet, sh } from "dmake";
      const where = { month: months("2023-12", "2024-01") };
      export const raw = parquet("raw/{month}.parquet", { from: "{month}.csv", where });
      export const open = parquet("open/{name}.parquet", { from: "{name}.csv" });
      ${text}
    `);
    return must(must(loaded).defaults());
  };
  const both = ["raw/2023-12.parquet", "raw/2024-01.parquet"];
  assert.deepEqual(await defaults("export default raw;"), both);
  assert.deepEqual(await defaults("export default [raw];"), both);
  assert.deepEqual(await defaults("export default raw.all();"), both);
  assert.deepEqual(await defaults('export default [raw({ month: "2024-01" }), "./x/../a.txt"];'), [
    both[1],
    "a.txt",
  ]);
  assert.deepEqual(await defaults('export default open({ name: "zones" });'), ["open/zones.parquet"]);
  assert.deepEqual(await defaults("export default [];"), []);
  assert.deepEqual(await defaults(""), []);
});

story("a default export that names nothing to build is refused", async (project) => {
  const refused = (value: string) =>
    project.datafile(`
      import { parquet } from "dmake";
      export const open = parquet("{m}.parquet", { from: "{m}.csv" });
      export default ${value};
    `);
  const failing = async (value: string) => must(await refused(value)).defaults();
  for (const value of ["42", "{}", "[[open]]", "() => 1"]) {
    const { at } = failureOf(await failing(value), "bad-rule");
    assert.deepEqual(at, { file: project.path("Datafile.ts"), line: 4 });
  }
  assert.match(failureOf(await failing("open"), "usage").message, /`open` has no end/);
  failureOf(await failing('"../elsewhere.txt"'), "outside-root");
  failureOf(await failing('open({ m: "{x}" })'), "bad-rule");
  const promise = failureOf(await failing("Promise.resolve([open])"), "bad-rule");
  assert.match(promise.help ?? "", /^await it/);
});

story("a rule may not make the Datafile, a module of it, or dmake's own files", async (project) => {
  project.write("lib/colors.ts", "export const colors = ['green'];");
  const head = 'import { sh } from "dmake";\nimport { colors } from "./lib/colors.js";\ncolors;\n';
  const making = (name: string) => project.datafile(`${head}sh("${name}", {}, ({ $ }) => $\`date\`);`);
  for (const name of [
    "Datafile.ts",
    "./x/../Datafile.ts",
    "lib/colors.ts",
    ".dmake",
    ".dmake/state.ndjson",
  ]) {
    const { problem, at } = failureOf(await making(name), "bad-rule");
    assert.match(problem, /^it would overwrite `/);
    assert.equal(at.line, 4);
  }
  must(await making("lib/other.ts"));
  symlinkSync(project.root, project.path("link"));
  project.write("Datafile.ts", `${head}sh("lib/colors.ts", {}, ({ $ }) => $\`date\`);`);
  failureOf(await project.inside("link").load({ writable: false }), "bad-rule");
  const open = must(await making("{x}.ts"));
  assert.equal(stepOf(open, "other.ts").id, "other.ts");
  assert.match(failureOf(planned(open, "Datafile.ts"), "bad-rule").problem, /a part of the Datafile/);
});

story("a syntax error comes with its place and the text of its line", async (project) => {
  const failure = failureOf(
    await project.datafile('import { sh } from "dmake";\nconst x = = 1;\n'),
    "datafile-syntax",
  );
  assert.deepEqual(failure, {
    reason: "datafile-syntax",
    at: { file: "Datafile.ts", line: 2, column: 11 },
    message: 'Unexpected "="',
    lineText: "const x = = 1;",
  });
});

story("a syntax error in a module names the module", async (project) => {
  project.write("lib/sources.ts", "export const a = 1;\n\nexport const b = {;\n");
  const failure = failureOf(await project.datafile('import "./lib/sources.js";'), "datafile-syntax");
  assert.deepEqual([failure.at.file, failure.at.line], ["lib/sources.ts", 3]);
});

story("a module that is not there is named, with the place of its import", async (project) => {
  const failure = failureOf(
    await project.datafile('\nimport { a } from "./missing.js";\na;'),
    "datafile-import",
  );
  assert.deepEqual(
    [failure.specifier, failure.at],
    ["./missing.js", { file: "Datafile.ts", line: 2, column: 19 }],
  );
});

story("so is a package that is not installed", async (project) => {
  const failure = failureOf(await project.datafile('import "no-such-package-here";'), "datafile-import");
  assert.equal(failure.specifier, "no-such-package-here");
});

story("a name that dmake does not have is said to be missing", async (project) => {
  const failure = failureOf(
    await project.datafile('import { parqet } from "dmake";\nparqet("a");'),
    "datafile-import",
  );
  assert.deepEqual(failure, {
    reason: "datafile-import",
    specifier: "dmake",
    name: "parqet",
    message: "`dmake` has no `parqet`",
    suggestions: ["parquet"],
    at: { file: project.path("Datafile.ts"), line: 1, column: 10 },
  });
});

story("also over several lines, and in a module of the project", async (project) => {
  project.write("lib/x.ts", 'import {\n  sh,\n  shh as run,\n} from "dmake";\nrun(sh);\n');
  const failure = failureOf(await project.datafile('import "./lib/x.ts";'), "datafile-import");
  assert.deepEqual(failure.at, { file: project.path("lib/x.ts"), line: 3, column: 3 });
  assert.deepEqual(failure.suggestions, ["sh"]);
});

story("what the Datafile throws while it is read comes with its place", async (project) => {
  const text = 'import { sh } from "dmake";\n\nthrow new RangeError("no months");\n';
  assert.deepEqual(failureOf(await project.datafile(text), "datafile-threw"), {
    reason: "datafile-threw",
    message: "RangeError: no months",
    at: { file: project.path("Datafile.ts"), line: 3, column: 7 },
  });
});

story("so does what a module throws, and what is no error at all", async (project) => {
  project.write(
    "lib/broken.ts",
    "// a comment\nexport function check(): never {\n  return JSON.parse('{');\n}\n",
  );
  const failure = failureOf(
    await project.datafile('import { check } from "./lib/broken.ts";\ncheck();'),
    "datafile-threw",
  );
  assert.deepEqual([failure.at?.file, failure.at?.line], [project.path("lib/broken.ts"), 3]);
  assert.equal(
    failureOf(await project.datafile('throw "just a text";'), "datafile-threw").message,
    "just a text",
  );
});

story("types are erased, modules and JSON are found as TypeScript finds them", async (project) => {
  project.write(
    "lib/colors.ts",
    "export type Color = 'green';\nexport const colors: readonly Color[] = ['green'];",
  );
  project.write("lib/settings.json", '{ "url": "https://example.org" }');
  const datafile = must(
    await project.datafile(`
      import { download } from "dmake";
      import { type Color, colors } from "./lib/colors.js";
      import settings from "./lib/settings.json";
      enum Kind { Csv = "csv" }
      const first = colors[0] satisfies Color | undefined;
      await Promise.resolve();
      download(\`data/\${first as string}.\${Kind.Csv}\`, { url: settings.url });
    `),
  );
  assert.deepEqual(stepOf(datafile, "data/green.csv").recipe.kind, "download");
});

story("`import.meta` is that of the module it stands in", async (project) => {
  project.write(
    "lib/where.ts",
    "export const where = [import.meta.dirname, import.meta.filename, import.meta.url];",
  );
  const datafile = must(
    await project.datafile(`
      import { sh } from "dmake";
      import { where } from "./lib/where.js";
      sh("a", {}, ({ $ }) => $\`\${[import.meta.dirname, ...where]}\`);
    `),
  );
  const { recipe } = stepOf(datafile, "a");
  assert(recipe.kind === "sh");
  const lib = project.path("lib");
  const command = must(recipe.render({ inputs: [], outputs: ["a"], depfile: "d" })).text;
  assert.equal(command, `${project.root} ${lib} ${lib}/where.ts file://${lib}/where.ts`);
});

story("a parameter has its default, or what the command line gives it", async (project) => {
  const text = `
    import { param, sh } from "dmake";
    const month = param("month", "2023-01");
    sh(\`\${month}.txt\`, {}, ({ $ }) => $\`date\`);
  `;
  const one = must(await project.datafile(text));
  assert.deepEqual(one.parameters, [{ name: "month", value: "2023-01" }]);
  assert.equal(stepOf(one, "2023-01.txt").id, "2023-01.txt");
  const other = must(await project.load({ parameters: { month: "2024-02" } }));
  assert.equal(stepOf(other, "2024-02.txt").id, "2024-02.txt");
  assert.deepEqual(must(await project.load({ parameters: { month: "" } })).parameters, [
    { name: "month", value: "" },
  ]);
});

story("a parameter that nobody declared is refused, with those that are", async (project) => {
  const text = 'import { param } from "dmake";\nparam("month", "1");\nparam("color", "green");';
  const failure = failureOf(await project.datafile(text, { parameters: { moth: "2" } }), "unknown-parameter");
  assert.deepEqual([failure.name, failure.known], ["moth", ["month", "color"]]);
});

story("a parameter without a default must be given, whatever its name", async (project) => {
  const text = 'import { param } from "dmake";\nexport const x = param("constructor");';
  const failure = failureOf(await project.datafile(text), "usage");
  assert.match(failure.message, /needs a value for `constructor`/);
  assert.equal(failure.help, "dmake constructor=…");
  must(await project.load({ parameters: { constructor: "ferrari" } }));
});

story("rules that contradict one another are refused when loaded", async (project) => {
  const text = `
    import { sh } from "dmake";
    sh("a.txt", {}, ({ $ }) => $\`date\`);
    sh("./a.txt", {}, ({ $ }) => $\`date\`);
  `;
  const { first, second } = failureOf(await project.datafile(text), "two-producers");
  assert.deepEqual([first.line, second.line], [3, 4]);
});

story("two Datafiles in one process do not see one another", async (project) => {
  const one = must(
    await project.datafile('import { sh } from "dmake";\nexport const a = sh("a", {}, ({ $ }) => $`x`);'),
  );
  await inProject(async (other) => {
    const two = must(
      await other.datafile('import { sh } from "dmake";\nexport const b = sh("b", {}, ({ $ }) => $`x`);'),
    );
    assert.deepEqual([[...one.goals.keys()], [...two.goals.keys()]], [["a"], ["b"]]);
    assert.equal(must(planned(two, "a")).steps.length, 0);
  });
});
