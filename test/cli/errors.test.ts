// What a person reads when something is wrong: one message with place and remedy, the exit code of the design, nothing half done.
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, type TestContext, test } from "node:test";
import { type Project, projectIn } from "../rig/binary.js";
import { startServer, type TestServer } from "../rig/postgres.js";

async function web(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Exit code and the whole of stderr. */
async function complaint(project: Project, ...args: string[]): Promise<readonly [number | null, string]> {
  const { code, stderr } = await project.run(...args);
  return [code, stderr];
}

/** Nothing but the files named is left in a folder: no output, no temporary file. */
const left = (project: Project, folder = "."): string[] =>
  existsSync(project.path(folder))
    ? readdirSync(project.path(folder))
        .filter((name) => name !== ".dmake")
        .sort()
    : [];

test("no Datafile", async (t) => {
  const here = projectIn(t, { "notes.txt": "" });
  const [code, said] = await complaint(here);
  assert.equal(code, 2);
  assert.equal(
    said,
    `error: no Datafile in \`${here.root}\` (looked for \`Datafile.ts\`, \`Datafile.mts\`, \`Datafile.js\`, \`Datafile.mjs\`)\n` +
      "help: write a `Datafile.ts` here, or name a folder that has one with `dmake -C FOLDER`\n",
  );
});

test("a Datafile in the folder above", async (t) => {
  const here = projectIn(t, { "Datafile.ts": "", "sub/notes.txt": "" });
  const [code, said] = await complaint(here, "-C", "sub");
  assert.equal(code, 2);
  assert.match(said, /help: there is one above: `dmake -C \.\.`/);
});

test("a syntax error in the Datafile", async (t) => {
  const here = projectIn(t, {
    "Datafile.ts": 'import { sh } from "dmake";\nexport const x = sh("a",, {});\n',
  });
  assert.deepEqual(await complaint(here), [
    2,
    'error: the Datafile cannot be read: unexpected ","\n' +
      "  --> Datafile.ts:2:25\n" +
      '   | export const x = sh("a",, {});\n' +
      "   |                         ^\n",
  ]);
});

test("a Datafile that throws", async (t) => {
  const here = projectIn(t, {
    "Datafile.ts":
      'import { months } from "dmake";\n\nconst all: string[] = undefined as never;\nall.map(String);\nmonths("2021-01", "2021-02");\n',
  });
  const [code, said] = await complaint(here);
  assert.equal(code, 2);
  assert.match(
    said,
    /^error: the Datafile threw: TypeError: Cannot read properties of undefined \(reading 'map'\)\n {2}--> Datafile\.ts:4:5\n/,
  );
});

test("a target that nothing makes", async (t) => {
  const here = projectIn(t, {
    "Datafile.ts":
      'import { sh } from "dmake";\nexport const x = sh("data/trips.csv", {}, ({ $, output }) => $`echo hi > ${output}`);\n',
  });
  assert.deepEqual(await complaint(here, "data/tripz.csv"), [
    2,
    "error: nothing makes `data/tripz.csv`, and it is not there\nhelp: did you mean `data/trips.csv`?\n",
  ]);
  assert.deepEqual(left(here, "data"), []);
});

test("a source that is not there", async (t) => {
  const here = projectIn(t, {
    "data/trips.csv": "a\n1\n",
    "Datafile.ts":
      'import { parquet } from "dmake";\nexport default [\n  parquet("out/trips.parquet", { from: "data/tripz.csv" }),\n];\n',
  });
  assert.deepEqual(await complaint(here), [
    2,
    "error: `out/trips.parquet` needs `data/tripz.csv`, which no rule makes and is not there\n" +
      "  --> Datafile.ts:3:3\n" +
      "help: did you mean `data/trips.csv`?\n",
  ]);
  assert.deepEqual(left(here, "out"), []);
});

test("a cycle", async (t) => {
  const rule = (target: string, from: string) =>
    `sh("${target}", { from: "${from}" }, ({ $, input, output }) => $\`cp \${input} \${output}\`);`;
  const here = projectIn(t, {
    "Datafile.ts": `import { sh } from "dmake";\n${rule("a", "b")}\n${rule("b", "c")}\n${rule("c", "a")}\n`,
  });
  assert.deepEqual(await complaint(here, "a"), [
    2,
    "error: a cycle: `a` needs `b` needs `c` needs `a`\n  --> Datafile.ts:2:1\n",
  ]);
});

test("two rules that make one file", async (t) => {
  const rule = 'sh("out.txt", {}, ({ $, output }) => $`touch ${output}`);';
  const here = projectIn(t, { "Datafile.ts": `import { sh } from "dmake";\n${rule}\n\n${rule}\n` });
  assert.deepEqual(await complaint(here, "out.txt"), [
    2,
    "error: two rules make `out.txt`\n  --> Datafile.ts:2:1\n  --> Datafile.ts:4:1\n" +
      "help: each file has one maker: rename or remove one\n",
  ]);
});

const downloads = (url: string, target: string) =>
  `import { download } from "dmake";\nexport default [download("${target}", { url: "${url}", retries: 0 })];\n`;

test("a server that does not have the file", async (t) => {
  const url = await web(t, (_, response) => response.writeHead(404).end("no such month"));
  const here = projectIn(t, { "Datafile.ts": downloads(`${url}/trips.csv`, "raw/trips.csv") });
  const { code, stdout, stderr } = await here.run();
  assert.equal(code, 1);
  assert.equal(
    stderr,
    `failed: raw/trips.csv\n  | the server says: no such month\nerror: \`${url}/trips.csv\` answered 404 Not Found\n  --> Datafile.ts:2:17\nhelp: is the month published, and the URL right?\n`.replace(
      ":17",
      "",
    ),
  );
  assert.match(stdout, /^1 failed \(/);
  assert.deepEqual(left(here, "raw"), []);
});

test("a login page in place of a parquet file", async (t) => {
  const url = await web(t, (_, response) =>
    response.end("<!doctype html><html><body>Please log in</body></html>"),
  );
  const here = projectIn(t, {
    "Datafile.ts": downloads(`${url}/trips.parquet?token=s3cret`, "raw/trips.parquet"),
  });
  const { code, stderr } = await here.run();
  assert.equal(code, 1);
  assert.match(stderr, /trips\.parquet\?token=\*+` sent .*html/i);
  assert.match(stderr, /Please log in/);
  assert.doesNotMatch(stderr, /s3cret/);
  assert.deepEqual(left(here, "raw"), []);
});

test("a CSV that is no CSV", async (t) => {
  const here = projectIn(t, {
    "Datafile.ts":
      'import { parquet } from "dmake";\nexport default [parquet("out.parquet", { from: "in.csv" })];\n',
    "in.csv": "<!DOCTYPE html>\n<html><body><p>Access denied, sorry</p></body></html>\n",
  });
  const { code, stderr } = await here.run();
  assert.equal(code, 1);
  assert.match(stderr, /^failed: out\.parquet\nerror: `in\.csv` is an HTML page, not CSV$/m);
  assert.match(stderr, /--> Datafile\.ts:2/);
  assert.deepEqual(left(here), ["Datafile.ts", "in.csv"]);
});

test("a value that does not fit its column", async (t) => {
  const rows = Array.from({ length: 30_000 }, (_, i) => `${i},x`);
  rows[29_000] = "0.5,x";
  const here = projectIn(t, {
    "Datafile.ts":
      'import { parquet } from "dmake";\nexport default [parquet("out.parquet", { from: "in.csv" })];\n',
    "in.csv": `id,name\n${rows.join("\n")}\n`,
  });
  const { code, stderr } = await here.run();
  assert.equal(code, 1);
  assert.match(stderr, /`in\.csv`, line 29002, column `id`: `0\.5`/);
  assert.match(stderr, /^help: .*columns: \{ "id": "DOUBLE" \}/m);
  assert.deepEqual(left(here), ["Datafile.ts", "in.csv"]);
});

const loads = 'import { table } from "dmake";\nexport default [table("table:t", { from: "in.csv" })];\n';

test("a Postgres that is not there", async (t) => {
  const files = { "Datafile.ts": loads, "in.csv": "a\n1\n" };
  const here = projectIn(t, files, {
    env: { DATABASE_URL: "postgresql://me:hunter2@127.0.0.1:1/warehouse" },
  });
  const { code, stderr } = await here.run();
  assert.equal(code, 1);
  assert.match(stderr, /error: Postgres at `127\.0\.0\.1:1\/warehouse` cannot be reached: /);
  assert.match(stderr, /help: is it running, and is `DATABASE_URL` right\?/);
  assert.doesNotMatch(stderr, /hunter2/);
});

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

test("a wrong password", async (t) => {
  const files = { "Datafile.ts": loads, "in.csv": "a\n1\n" };
  const here = projectIn(t, files, { env: { DATABASE_URL: server.url.replace(server.password, "hunter2") } });
  const { code, stdout, stderr } = await here.run();
  assert.equal(code, 1);
  assert.match(stderr, /does not let user `tester` in/);
  assert.match(stderr, /^help: check user and password in `DATABASE_URL`/m);
  assert.doesNotMatch(stdout + stderr, /hunter2|s3cret/);
});

test("words that are no target", async (t) => {
  const here = projectIn(t, {
    "Datafile.ts":
      'import { sh } from "dmake";\nexport const x = sh("a", {}, ({ $, output }) => $`touch ${output}`);\n',
  });
  const expected: [string[], RegExp][] = [
    [["--jbos"], /^error: unknown argument: jbos\nhelp: `dmake --help`\n$/],
    [["-j", "0"], /^error: `-j` takes a whole number from 1\n/],
    [["sorce=x"], /^error: the Datafile has no parameter `sorce`\n/],
    [["../etc/passwd"], /^error: `\.\.\/etc\/passwd` is outside the project\n/],
    [["a{1..x}"], /^error: `\{1\.\.x\}` in `a\{1\.\.x\}` is no list and no range\n/],
    [
      [],
      /^error: `Datafile\.ts` has no default export, so a bare `dmake` builds nothing\nhelp: name a target or one of `x`\n$/,
    ],
  ];
  for (const [args, message] of expected) {
    const [code, said] = await complaint(here, ...args);
    assert.equal(code, 2, said);
    assert.match(said, message);
  }
  assert.deepEqual(left(here), ["Datafile.ts"]);
});
