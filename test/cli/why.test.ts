// `dmake why`: what is recorded against what is there now, told with the real program.
import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Project, projectIn } from "../rig/binary.js";

const copies = `import { sh } from "dmake";
export const first = sh("mid/{name}.txt", { from: "in/{name}.txt", where: { name: ["a", "b"] } },
  ({ $, input, output }) => $\`tr a-z A-Z < \${input} > \${output}\`);
export const second = sh("out/{name}.txt", { from: first }, ({ $, input, output }) => $\`cat \${input} \${input} > \${output}\`);
export default [second];
`;

function project(t: TestContext, datafile = copies, files: Record<string, string> = {}): Project {
  const start = { "Datafile.ts": datafile, "in/a.txt": "apple\n", "in/b.txt": "banana\n" };
  return projectIn(t, { ...start, ...files });
}

/** What `why` says, with times, digests and runs taken out and the columns closed up. */
async function why(here: Project, ...words: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await here.run("why", ...words);
  assert.deepEqual([code, stderr], [0, ""], stdout);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) =>
      line
        .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/, "CLOCK")
        .replace(/just now|\d+ s ago/, "AGO")
        .replace(/\b[0-9a-f]{8}…/g, "DIGEST…")
        .replace(/\b[0-9a-f]{16}$/, "RUN")
        .replace(/in \d+\.\d\d s/, "in TIME")
        .replace(/(\S) {2,}/g, "$1  "),
    );
}

test("a fresh target says what was compared, and when it was made", async (t) => {
  const here = project(t);
  await here.run();
  assert.deepEqual(await why(here, "mid/a.txt"), [
    "fresh: mid/a.txt",
    "  recipe  2 parts as recorded: command, kind",
    "  input  in/a.txt  DIGEST…",
    "  output  mid/a.txt  DIGEST…",
    "  made  CLOCK (AGO) in TIME",
    "  because  `mid/a.txt` was not there, there was no record of it",
    "  run  RUN",
  ]);
});

test("a target that was never made, and what it waits for", async (t) => {
  const here = project(t);
  assert.deepEqual(await why(here, "out/a.txt"), [
    "stale: out/a.txt",
    "  output  out/a.txt  is not there",
    "  record  none: what dmake did not make, it does not trust",
    "  input  mid/a.txt  may change: it is stale itself",
    "    `mid/a.txt` is not there",
    "    no record of it",
  ]);
});

test("all reasons are told, and for each input why it changed", async (t) => {
  const here = project(t);
  await here.run();
  here.write("in/a.txt", "avocado\n");
  here.write("Datafile.ts", copies.replace("tr a-z A-Z", "tr a-y A-Y"));
  assert.deepEqual(await why(here, "mid/a.txt"), [
    "stale: mid/a.txt",
    "  recipe  command",
    "    -tr a-z A-Z < in/a.txt > mid/a.txt",
    "    +tr a-y A-Y < in/a.txt > mid/a.txt",
    "  input  in/a.txt  DIGEST… → DIGEST…  (modified AGO)",
  ]);
  assert.deepEqual(await why(here, "out/a.txt"), [
    "may run: out/a.txt",
    "  input  mid/a.txt  may change: it is stale itself",
    "    recipe: command changed",
    "    `in/a.txt` changed",
    "  nothing else differs from what is recorded: 2 parts of its recipe, 1 input, 1 output",
  ]);
  assert.equal((await here.run("mid/a.txt")).code, 0);
  assert.deepEqual(await why(here, "out/a.txt"), [
    "stale: out/a.txt",
    "  input  mid/a.txt  DIGEST… → DIGEST…  (rebuilt AGO: its recipe changed: `command`, `in/a.txt` changed)",
  ]);
});

test("an output that somebody else changed", async (t) => {
  const here = project(t);
  await here.run();
  here.write("mid/a.txt", "by hand\n");
  assert.deepEqual(await why(here, "mid/a.txt"), [
    "stale: mid/a.txt",
    "  output  mid/a.txt  DIGEST… → DIGEST…  (changed by somebody else, modified AGO)",
  ]);
});

test("a text of several lines is a diff of its lines, with two around each change", async (t) => {
  const lines = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
  const datafile = (middle: string) =>
    `import { sh } from "dmake";\nexport default [sh("out.txt", {}, ({ $, output }) => $\`\n${lines
      .map((line) => `echo ${line === "five" ? middle : line}`)
      .join("\n")}\ntouch \${output}\`)];\n`;
  const here = project(t, datafile("five"));
  await here.run();
  here.write("Datafile.ts", datafile("FIVE\x1b"));
  assert.deepEqual((await why(here, "out.txt")).slice(0, 8), [
    "stale: out.txt",
    "  recipe  command",
    "     echo three",
    "     echo four",
    "    -echo five",
    "    +echo FIVE\\u001b",
    "     echo six",
    "     echo seven",
  ]);
});

test("short values stand side by side, by what they are", async (t) => {
  const datafile = (options: string) =>
    `import { parquet } from "dmake";\nexport default [parquet("a.parquet", { from: "a.csv", ${options} })];\n`;
  const here = project(t, datafile('compression: "snappy"'), { "a.csv": "n,fee\n1,2\n" });
  assert.equal((await here.run()).code, 0);
  here.write("Datafile.ts", datafile('compression: "zstd", columns: { fee: "DOUBLE" }'));
  assert.deepEqual(await why(here), [
    "stale: a.parquet",
    "  column  fee  (none) → DOUBLE",
    "  param  compression  snappy → zstd",
  ]);
});

test("rows and the source of a download are told", async (t) => {
  const datafile =
    'import { download, parquet } from "dmake";\nconst raw = download("raw.csv", { url: "file:a.csv" });\nexport default [parquet("a.parquet", { from: raw })];\n';
  const here = project(t, datafile, { "a.csv": "n\n1\n2\n3\n" });
  await here.run();
  assert.match((await why(here, "a.parquet")).join("\n"), /^ {2}made .* in TIME, 3 rows, \d+ B$/m);
  const raw = (await why(here, "raw.csv")).join("\n");
  assert.match(raw, /^ {2}input {2}a\.csv {2}DIGEST…$/m);
  assert.match(raw, /^ {2}from {2}file:a\.csv$/m);
});

test("several names in full, with an empty line between; of a goal, what is fresh in one line", async (t) => {
  const here = project(t);
  await here.run();
  const two = await why(here, "mid/a.txt", "in/a.txt");
  assert.equal(two[0], "fresh: mid/a.txt");
  assert.deepEqual(two.slice(-4), ["", "source: in/a.txt", "  no rule makes it", "  modified  CLOCK (AGO)"]);
  here.write("in/b.txt", "blueberry\n");
  assert.deepEqual(await why(here, "first"), [
    "fresh: mid/a.txt  made AGO",
    "",
    "stale: mid/b.txt",
    "  input  in/b.txt  DIGEST… → DIGEST…  (modified AGO)",
  ]);
  assert.deepEqual(await why(here, "mid/{a,b}.txt"), await why(here, "first"));
});

test("--json gives one object a target, with digests whole", async (t) => {
  const here = project(t);
  await here.run();
  here.write("in/b.txt", "blueberry\n");
  const { code, stdout } = await here.run("why", "--json", "all");
  assert.equal(code, 0);
  const all = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    all.map(({ target, why }) => [target, why]),
    [
      ["mid/a.txt", "fresh"],
      ["mid/b.txt", "stale"],
      ["out/a.txt", "fresh"],
      ["out/b.txt", "may-run"],
    ],
  );
  assert.match(all[1].reasons[0].reason.found, /^sha256:[0-9a-f]{64}$/);
  assert.equal(all[1].reasons[0].cause.kind, "modified");
  assert.deepEqual(all[3].open[0].cause.step, "mid/b.txt");
});

/** Everything in dmake's folder, with its size and times. */
const ownFiles = (here: Project): string[] =>
  readdirSync(here.path(".dmake"), { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const { mtimeMs, ctimeMs, size } = statSync(join(here.path(".dmake"), name));
      return `${name} ${size} ${mtimeMs} ${ctimeMs}`;
    });

test("it writes nothing", async (t) => {
  const here = project(t);
  await why(here, "out/a.txt");
  assert.deepEqual(readdirSync(here.root).sort(), ["Datafile.ts", "in"]);
  await here.run();
  here.write("in/a.txt", "avocado\n");
  here.write("Datafile.ts", `${copies}// another text, so that what is kept of the Datafile does not fit\n`);
  const before = ownFiles(here);
  await why(here, "out/a.txt", "mid/b.txt");
  assert.deepEqual(ownFiles(here), before);
});

test("a secret is in no difference", async (t) => {
  const datafile = (path: string, token: string) =>
    `import { download } from "dmake";\nexport default [download("raw.csv", { url: "http://127.0.0.1:1/${path}?token=${token}", retries: 0 })];\n`;
  const here = project(t, datafile("a", "s3cret"));
  here.write("raw.csv", "a\n1\n");
  assert.equal((await here.run("adopt", "raw.csv")).code, 0);
  here.write("Datafile.ts", datafile("b", "hunter2"));
  const { stdout, stderr } = await here.run("why");
  assert.match(stdout, /^ {2}param {2}url {2}http:\/\/127\.0\.0\.1:1\/a\?token=\*+ → .*\/b\?token=\*+$/m);
  assert.doesNotMatch(stdout + stderr, /s3cret|hunter2/);
});

test("a target that was there before dmake can be vouched for; a verb's name is a target too", async (t) => {
  const here = project(
    t,
    `import { sh } from "dmake";\nsh("why", {}, ({ $, output }) => $\`touch \${output}\`);\n`,
  );
  here.write("why", "");
  assert.deepEqual(await why(here, "./why"), [
    "stale: why",
    "  record  none: what dmake did not make, it does not trust",
    "help: if it is right as it is: `dmake adopt why`",
  ]);
  assert.equal((await here.run("./why")).code, 0);
  assert.equal((await why(here, "--", "why"))[0], "fresh: why");
});

test("a name that nothing makes", async (t) => {
  const here = project(t);
  const { code, stdout, stderr } = await here.run("why", "mid/c.txt");
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /^error: `c` is no `name` of the rule for `mid\/c\.txt`\n/);
});
