// Calls that lack something, as JavaScript or an `any` lets through. Told on real folders.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inProject, stepOf } from "../rig/datafile.js";
import { failureOf, must } from "../rig/world.js";

const calls: readonly (readonly [string, string])[] = [
  ['sh("a")', "`sh` needs options and a command"],
  ['sh("a", {})', "`sh` needs a command"],
  ['sh("a", ({ $ }) => $`date`)', "`sh` needs options and a command"],
  ["sh()", "`sh` needs a target and options and a command"],
  ['sh(["a", undefined], {}, () => 1)', "`sh` needs a target"],
  ['script("a", {})', "`script` needs a function"],
  ['download("a.csv")', "`download` needs `url`"],
  ['download("a.csv", {})', "`download` needs `url`"],
  ['download("a.csv", { url: new URL("https://example.org") })', "`download` needs `url`"],
  ['parquet("x.parquet", { from: undefined })', "`parquet` needs `from`"],
  ['parquet("x.parquet", null)', "`parquet` needs `from`"],
  ['table("table:x")', "`table` needs `from`"],
];
for (const [call, problem] of calls)
  test(`${call} is refused where it stands`, () =>
    inProject(async (project) => {
      const text = `import { download, parquet, script, sh, table } from "dmake";\n\n${call};\n`;
      const failure = failureOf(await project.datafile(text), "bad-rule");
      assert.equal(failure.problem, problem);
      assert.deepEqual(failure.at, { file: project.path("Datafile.ts"), line: 3, column: 1 });
    }));

test("a selection of millions is refused with their number", () =>
  inProject(async (project) => {
    const text = `
      import { sh } from "dmake";
      const many = Array.from({ length: 3000 }, (_, i) => String(i));
      const raw = sh("{a}/{b}", { where: { a: many, b: many } }, ({ $ }) => $\`date\`);
      sh("x", { from: raw.all() }, ({ $ }) => $\`date\`);
    `;
    assert.match(failureOf(await project.datafile(text), "bad-rule").problem, /9000000 targets/);
    must(await project.datafile(text.replace("all()", 'all({ a: "1" })')));
  }));

test("every spelling of a local file is one URL, relative inside the project", () =>
  inProject(async (project) => {
    const urlOf = async (url: string) => {
      const text = `import { download } from "dmake";\ndownload("x", { url: ${JSON.stringify(url)} });`;
      const { recipe } = stepOf(must(await project.datafile(text)), "x");
      assert(recipe.kind === "download");
      return recipe.url;
    };
    for (const spelling of ["data/a", "./data/a", "data/./b/../a", "data//a", `//${project.root}/data/a`])
      assert.equal(await urlOf(`file:${spelling}`), "file:data/a");
    assert.equal(await urlOf("file:a b%23.csv"), "file:a%20b%23.csv");
    assert.equal(await urlOf("file:../x"), `file://${project.path("..").replace(/\/[^/]+\/\.\.$/, "")}/x`);
    assert.equal(await urlOf("file:///etc/hosts"), "file:///etc/hosts");
    assert.equal(await urlOf("https://example.org/./a"), "https://example.org/./a");
    await assert.rejects(urlOf("file:100%.csv"), /`%25`/);
  }));

const unknown: readonly (readonly [string, string, RegExp])[] = [
  ['sh("a", { frm: "b" }, W)', "`sh` has no option `frm`", /^did you mean `from`\?$/],
  ['script("a", { depfile: true }, W)', "`script` has no option `depfile`", /`values`/],
  ['parquet("a", { from: "b", columms: {} })', "`parquet` has no option `columms`", /`columns`/],
  [
    'table("table:a", { from: "b", sameness: "bytes" })',
    "`table` has no option `sameness`",
    /^it has `from`, /,
  ],
  ['download("a", { url: "https://e.org", uses: "b" })', "`download` has no option `uses`", /`sha256`/],
  [
    'download("a", { url: "https://e.org", from: "b" })',
    "`download` has no option `from`",
    /^it has `url`, /,
  ],
  [
    'parquet("a", { from: "b", compression: "lz4, x" })',
    '`compression` is one of `"zstd"`, `"snappy"`, `"gzip"`, `"uncompressed"`',
    /zstd/,
  ],
  ['sh("a", { toString: undefined }, W)', "`sh` has no option `toString`", /`env`/],
];
for (const [call, problem, help] of unknown)
  test(`${call} is refused: an option that would do nothing, or a value that it does not have`, () =>
    inProject(async (project) => {
      const text = `import { download, parquet, script, sh, table } from "dmake";\nconst W = () => {};\n${call};\n`;
      const failure = failureOf(await project.datafile(text), "bad-rule");
      assert.deepEqual([failure.problem, failure.at.line], [problem, 3]);
      assert.match(failure.help ?? "", help);
    }));
