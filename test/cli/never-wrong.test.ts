// What rebuilds what, told with the real binary on a real disk: each story is a case that some build tool gets wrong.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { binary, createProject, type Project } from "../rig/binary.js";

/** The steps whose recipes ran, in order. */
async function ran(project: Project, ...args: string[]): Promise<readonly string[]> {
  const { stdout, stderr, code } = await project.run("--json", "-j", "2", ...args);
  assert.equal(code, 0, stdout + stderr);
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return events.flatMap(({ event, step }) => (event === "running" ? [step] : []));
}

async function within(
  files: Record<string, string>,
  story: (project: Project) => Promise<void>,
): Promise<void> {
  const project = createProject(files);
  try {
    await story(project);
  } finally {
    await project.remove();
  }
}

const chain = `import { sh } from "dmake";
export const mid = sh("mid.txt", { from: "raw.txt" }, ({ $, input, output }) => $\`sort \${input} > \${output}\`);
export const out = sh("out.txt", { from: mid }, ({ $, input, output }) => $\`cat \${input} > \${output}\`);
export default [out];
`;

test("a touch runs nothing; other bytes with an older time run; the same bytes in another order stop half way", () =>
  within({ "Datafile.ts": chain, "raw.txt": "b\na\n" }, async (project) => {
    assert.deepEqual(await ran(project), ["mid.txt", "out.txt"]);
    utimesSync(project.path("raw.txt"), new Date(), new Date());
    assert.deepEqual(await ran(project), []);
    writeFileSync(project.path("raw.txt"), "c\na\n");
    utimesSync(project.path("raw.txt"), new Date(2001, 1, 1), new Date(2001, 1, 1));
    assert.deepEqual(await ran(project), ["mid.txt", "out.txt"]);
    assert.equal(project.read("out.txt"), "a\nc\n");
    project.write("raw.txt", "a\nc\n");
    assert.deepEqual(await ran(project), ["mid.txt"]);
    assert.deepEqual(await ran(project), []);
  }));

test("a file of the same size and time, put in place of another by a rename, is seen", () =>
  within({ "Datafile.ts": chain, "raw.txt": "a\n" }, async (project) => {
    await ran(project);
    const when = new Date(2020, 1, 1);
    utimesSync(project.path("raw.txt"), when, when);
    await ran(project);
    project.write("other.txt", "b\n");
    utimesSync(project.path("other.txt"), when, when);
    renameSync(project.path("other.txt"), project.path("raw.txt"));
    assert.deepEqual(await ran(project), ["mid.txt", "out.txt"]);
  }));

test("an edited output and an edited intermediate are made again, and what was in them is kept", () =>
  within({ "Datafile.ts": chain, "raw.txt": "a\n" }, async (project) => {
    await ran(project);
    project.write("mid.txt", "poison\n");
    project.write("out.txt", "poison too\n");
    const { stderr } = await project.run();
    assert.deepEqual([project.read("mid.txt"), project.read("out.txt")], ["a\n", "a\n"]);
    const kept = [...stderr.matchAll(/kept at `([^`]+)`/g)].map(([, path = ""]) => project.read(path));
    assert.deepEqual(kept, ["poison\n", "poison too\n"], stderr);
    assert.deepEqual(await ran(project), []);
  }));

test("a recipe that links its input comes to rest", () =>
  within(
    {
      "Datafile.ts": chain.replace("cat ", "ln ").replace("ln ${input} >", "ln ${input}"),
      "raw.txt": "a\n",
    },
    async (project) => {
      assert.deepEqual(await ran(project), ["mid.txt", "out.txt"]);
      assert.deepEqual(await ran(project), []);
    },
  ));

test("moved and copied, a project stays fresh; two copies go their own ways", () =>
  within({ "made/Datafile.ts": chain, "made/raw.txt": "a\n" }, async (project) => {
    const ranIn = (folder: string) => ran(project, "-C", project.path(folder));
    assert.deepEqual(await ranIn("made"), ["mid.txt", "out.txt"]);
    renameSync(project.path("made"), project.path("moved"));
    cpSync(project.path("moved"), project.path("copy"), { recursive: true });
    assert.deepEqual(await ranIn("moved"), []);
    assert.deepEqual(await ranIn("copy"), []);
    project.write("copy/raw.txt", "z\n");
    assert.deepEqual(await ranIn("copy"), ["mid.txt", "out.txt"]);
    assert.deepEqual(await ranIn("moved"), []);
    assert.deepEqual([project.read("moved/out.txt"), project.read("copy/out.txt")], ["a\n", "z\n"]);
  }));

const script = (body: string) => `import { script } from "dmake";
import { readFile, writeFile } from "node:fs/promises";
import { tidy } from "./lib/tidy.js";
export const other = script("other.txt", {}, async ({ output }) => writeFile(output, "other"));
${body}
export const out = script("out.txt", { from: "raw.txt" }, async ({ input, output }) => {
  await writeFile(output, tidy(await readFile(input, "utf8"), limit));
});
export default [out, other];
`;
const tidy = (body: string) => `${body}
export const unused = () => 1;
`;

test("a function runs again for what it reaches, and for nothing else", () =>
  within(
    {
      "Datafile.ts": script("const limit: number = 2;"),
      "lib/tidy.ts": tidy("export const tidy = (text: string, n: number) => text.slice(0, n);"),
      "raw.txt": "abc",
    },
    async (project) => {
      assert.equal((await ran(project)).length, 2);
      project.write(
        "Datafile.ts",
        script("/* two */\nconst limit   =   2 // as agreed\n").replace('"other")', '"more")'),
      );
      assert.deepEqual(await ran(project), ["other.txt"]);
      project.write(
        "lib/tidy.ts",
        tidy("// cut\nexport const tidy = (text: string, n: number): string =>\n  text.slice(0, n);").replace(
          "=> 1",
          "=> 2",
        ),
      );
      assert.deepEqual(await ran(project), []);
      project.write("lib/tidy.ts", tidy("export const tidy = (text: string, n: number) => text.slice(-n);"));
      const { stdout } = await project.run("why", "out.txt");
      assert.match(stdout, /slice\(0, n\)/);
      assert.match(stdout, /slice\(-n\)/);
      assert.deepEqual(await ran(project), ["out.txt"]);
      assert.equal(project.read("out.txt"), "bc");
      project.write("Datafile.ts", script("const limit = 1;").replace('"other")', '"more")'));
      assert.deepEqual(await ran(project, "-n"), []);
      assert.deepEqual(await ran(project), ["out.txt"]);
      assert.deepEqual(await ran(project), []);
    },
  ));

const odd = [
  "a b",
  "it's",
  'say "hi"',
  "$HOME",
  "`id`",
  "ünï—✓",
  "-n",
  "*",
  "a;b",
  "#x",
  "back\\slash",
  "{brace",
];

test("names with spaces, quotes, dollars, any script and leading dashes are names", () =>
  within({}, async (project) => {
    project.write(
      "Datafile.ts",
      `import { sh } from "dmake";
export const out = sh("out/{name}", { where: { name: ${JSON.stringify(odd)} }, from: "in/{name}" },
  ({ $, input, output }) => $\`cat \${input} > \${output}\`);
export default [out];`,
    );
    for (const name of odd) project.write(`in/${name}`, `of ${name}`);
    assert.deepEqual([...(await ran(project))].sort(), odd.map((name) => `out/${name}`).sort());
    for (const name of odd) assert.equal(project.read(`out/${name}`), `of ${name}`);
    assert.deepEqual(await ran(project), []);
    project.write("in/-n", "other");
    assert.deepEqual(await ran(project), ["out/-n"]);
    assert.deepEqual(await ran(project, "-B", "--", ".//out/-n"), ["out/-n"]);
  }));

test("a name with a line end, which would be two in any list of names, is refused with its place", () =>
  within({ "in/a": "x" }, async (project) => {
    project.write(
      "Datafile.ts",
      `import { sh } from "dmake";
sh("out/{name}", { where: { name: ["new\\nline"] }, from: "in/a" }, ({ $, output }) => $\`touch \${output}\`);`,
    );
    const { code, stderr } = await project.run("all");
    assert.equal(code, 2);
    assert.match(stderr, /`new\\u000aline` in the domain of `\{name\}` contains a line break/);
    assert.match(stderr, /--> Datafile\.ts:2/);
  }));

const group = `import { sh } from "dmake";
const both = sh(["x.txt", "y.txt"], { from: "raw.txt" },
  ({ $, input, outputs: [x, y] }) => $\`echo once >> runs; cp \${input} \${x}; cp \${input} \${y}\`);
export const a = sh("a.txt", { from: "x.txt" }, ({ $, input, output }) => $\`cp \${input} \${output}\`);
export const b = sh("b.txt", { from: "y.txt" }, ({ $, input, output }) => $\`cp \${input} \${output}\`);
export default [a, b];
`;

test("outputs made together are made once for two dependents, and once when one of them is deleted", () =>
  within({ "Datafile.ts": group, "raw.txt": "a" }, async (project) => {
    await ran(project);
    assert.equal(project.read("runs"), "once\n");
    rmSync(project.path("y.txt"));
    assert.deepEqual(await ran(project), ["x.txt"]);
    assert.equal(project.read("runs"), "once\nonce\n");
  }));

const parts = `import { sh, glob, optional } from "dmake";
export const parts = sh("parts/", { from: "raw.txt" }, ({ $, input, output }) => $\`split -l 1 \${input} \${output}/p\`);
export const first = sh("first.txt", { from: "parts/paa" }, ({ $, input, output }) => $\`cp \${input} \${output}\`);
export const all = sh("all.txt", { from: [parts, glob("more/*.txt"), optional("extra.txt")] },
  ({ $, inputs, output }) => $\`for one in \${inputs}; do echo "$one"; done > \${output}\`);
export default [first, all];
`;

test("directories, globs and optional files: what is in them counts, and what comes and goes", () =>
  within({ "Datafile.ts": parts, "raw.txt": "a\nb\n", "more/1.txt": "1" }, async (project) => {
    assert.deepEqual([...(await ran(project))].sort(), ["all.txt", "first.txt", "parts"]);
    assert.equal(project.read("all.txt"), "parts\nmore/1.txt\n");
    project.write("raw.txt", "a\nc\n");
    assert.deepEqual(await ran(project), ["parts", "all.txt"]);
    project.write("parts/pzz", "by hand");
    assert.deepEqual(await ran(project), ["parts"]);
    project.write("more/2.txt", "2");
    assert.deepEqual(await ran(project), ["all.txt"]);
    project.write("extra.txt", "x");
    assert.deepEqual(await ran(project), ["all.txt"]);
    assert.equal(project.read("all.txt"), "parts\nmore/1.txt\nmore/2.txt\nextra.txt\n");
    rmSync(project.path("more/1.txt"));
    rmSync(project.path("extra.txt"));
    assert.deepEqual(await ran(project), ["all.txt"]);
    assert.deepEqual(await ran(project), []);
  }));

const found = `import { script, sh } from "dmake";
import { readFile, writeFile } from "node:fs/promises";
export const made = sh("made.h", { from: "made.in" }, ({ $, input, output }) => $\`cp \${input} \${output}\`);
export const index = script("index.txt", { from: "list.txt" }, async ({ input, output, need }) => {
  const names = (await readFile(input, "utf8")).split("\\n").filter(Boolean);
  const texts = await Promise.all((await need(...names)).map((path) => readFile(path, "utf8")));
  await writeFile(output, texts.join(""));
});
export const built = sh("built.txt", { from: "main.c", depfile: true },
  ({ $, input, output, depfile }) => $\`cat \${input} lib.h > \${output}; printf 'x: main.c lib.h\\n' > \${depfile}\`);
export default [index, built];
`;

test("what is found while a recipe runs counts the next time: by need, and by a depfile", () =>
  within(
    {
      "Datafile.ts": found,
      "list.txt": "made.h\nplain.h\n",
      "made.in": "1",
      "plain.h": "p",
      "main.c": "m",
      "lib.h": "l",
    },
    async (project) => {
      assert.deepEqual([...(await ran(project))].sort(), ["built.txt", "index.txt", "made.h"]);
      assert.equal(project.read("index.txt"), "1p");
      assert.deepEqual(await ran(project), []);
      project.write("made.in", "2");
      assert.deepEqual(await ran(project), ["made.h", "index.txt"]);
      project.write("lib.h", "L");
      assert.deepEqual(await ran(project), ["built.txt"]);
      project.write("list.txt", "plain.h\n");
      project.write("made.in", "3");
      assert.deepEqual(await ran(project), ["index.txt"]);
    },
  ));

const months = `import { sh, valuesIn } from "dmake";
export const index = sh("index.txt", { from: "months.in" }, ({ $, input, output }) => $\`cp \${input} \${output}\`);
export const raw = sh("raw/{month}.csv", { where: { month: valuesIn(index) } },
  ({ $, output, params }) => $\`echo \${params.month} > \${output}\`);
export const all = sh("all.csv", { from: raw.all() }, ({ $, inputs, output }) => $\`cat \${inputs} > \${output}\`);
export default [all];
`;

test("what is built follows the content of a list that is itself built", () =>
  within({ "Datafile.ts": months, "months.in": "01\n02\n" }, async (project) => {
    assert.deepEqual([...(await ran(project))].sort(), ["all.csv", "index.txt", "raw/01.csv", "raw/02.csv"]);
    project.write("months.in", "02\n03\n");
    assert.deepEqual(await ran(project), ["index.txt", "raw/03.csv", "all.csv"]);
    assert.equal(project.read("all.csv"), "02\n03\n");
    assert.deepEqual(await ran(project), []);
    assert.deepEqual(await ran(project, "raw/02.csv"), []);
    rmSync(project.path("raw/01.csv"));
    assert.equal((await project.run("raw/01.csv")).code, 2, "it is in the list no more");
  }));

const sameRows = `import { sh } from "dmake";
export const copy = sh("copy.parquet", { from: "source.parquet" }, ({ $, input, output }) => $\`cp \${input} \${output}\`);
export const strict = sh("strict.parquet", { from: "source.parquet", sameness: "bytes" }, ({ $, input, output }) => $\`cp \${input} \${output}\`);
export const a = sh("a.txt", { from: copy }, ({ $, output }) => $\`echo a > \${output}\`);
export const b = sh("b.txt", { from: strict }, ({ $, output }) => $\`echo b > \${output}\`);
export default [a, b];
`;
const writer = `import { parquet } from "dmake";
export default parquet("out.parquet", { from: "rows.csv", compression: process.env.MODE as "zstd" });
`;

test("a parquet file that says the same in other bytes stops the wave, unless bytes are what counts", async () => {
  const made = createProject(
    { "Datafile.ts": writer, "rows.csv": "a,b\n1,x\n2,y\n" },
    { env: { MODE: "zstd" } },
  );
  const other = createProject(
    { "Datafile.ts": writer, "rows.csv": "a,b\n1,x\n2,y\n" },
    { env: { MODE: "snappy" } },
  );
  try {
    await made.run();
    await other.run();
    await within({ "Datafile.ts": sameRows }, async (project) => {
      const source = (from: Project) => cpSync(from.path("out.parquet"), project.path("source.parquet"));
      source(made);
      assert.equal((await ran(project)).length, 4);
      source(other);
      assert.deepEqual([...(await ran(project))].sort(), ["b.txt", "copy.parquet", "strict.parquet"]);
      assert.deepEqual(await ran(project), []);
      source(made);
      assert.deepEqual([...(await ran(project))].sort(), ["b.txt", "copy.parquet", "strict.parquet"]);
      other.write("rows.csv", "a,b\n1,x\n2,z\n");
      await other.run();
      source(other);
      assert.equal((await ran(project)).length, 4);
    });
  } finally {
    await made.remove();
    await other.remove();
  }
});

test("a state file that is cut short or full of rubbish costs work and never truth", () =>
  within({ "Datafile.ts": chain, "raw.txt": "a\n" }, async (project) => {
    await ran(project);
    const whole = project.read(".dmake/state.ndjson");
    const states = [
      whole.slice(0, -40),
      whole.slice(0, 200),
      "",
      "\0\0\0",
      `rubbish\n${whole}`,
      whole.replaceAll("sha256:", "sha256:0"),
    ];
    for (const state of states) {
      project.write(".dmake/state.ndjson", state);
      project.write("raw.txt", "b\n");
      const { code, stderr } = await project.run();
      assert.equal(code, 0, stderr);
      assert.equal(project.read("out.txt"), "b\n");
      assert.equal(
        stderr.match(/^warning: .*state/gm)?.length ?? 0,
        state === "" ? 0 : 1,
        `${stderr}\n${state}`,
      );
      assert.deepEqual(await ran(project), []);
      project.write("raw.txt", "a\n");
      await ran(project);
    }
  }));

/** A user who owns no file. */
const nobody = 65_534;

test("in a folder that cannot be written, a question still answers", () =>
  within({ "Datafile.ts": chain, "raw.txt": "a\n" }, async (project) => {
    await ran(project);
    // Root may write everywhere, and so becomes somebody else.
    const as = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
    const asked = (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [binary, ...args], {
        cwd: project.root,
        encoding: "utf8",
        ...as,
      });
      return [status, stdout.split("\n")[0], stderr];
    };
    execFileSync("chmod", ["-R", "a+rX,a-w", project.root]);
    try {
      assert.deepEqual(asked("-q"), [0, "", ""]);
      assert.match(String(asked("why", "out.txt")), /^0,fresh: out\.txt/);
      const refused =
        "error: cannot write to `.dmake`: permission denied (EACCES)\nhelp: who may is shown by `ls -ld . .dmake`\n";
      assert.deepEqual(asked("-B"), [1, "", refused]);
    } finally {
      execFileSync("chmod", ["-R", "u+w", project.root]);
    }
  }));
