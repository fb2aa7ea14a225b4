// `dmake status`: how every target stands, told with the real program.
import assert from "node:assert/strict";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, type TestContext, test } from "node:test";
import pg from "pg";
import { type Project, projectIn } from "../rig/binary.js";
import { startServer, type TestServer } from "../rig/postgres.js";

const chain = `import { sh } from "dmake";
const month = ["2019-01", "2019-02", "2019-03"];
export const raw = sh("raw/{month}.txt", { where: { month }, from: "in/{month}.txt" },
  ({ $, input, output }) => $\`cp \${input} \${output}\`);
export const up = sh("up/{month}.txt", { from: raw },
  ({ $, input, output }) => $\`if grep -q broken \${input}; then exit 3; fi; tr a-z A-Z < \${input} > \${output}\`);
export const all = sh("all.txt", { from: up.all() }, ({ $, inputs, output }) => $\`cat \${inputs} > \${output}\`);
export default [all];
`;

function project(t: TestContext): Project {
  const months = ["01", "02", "03"].map((month) => [`in/2019-${month}.txt`, `month ${month}\n`]);
  return projectIn(t, { "Datafile.ts": chain, ...Object.fromEntries(months) });
}

/** What `status` prints, with the columns closed up. */
async function status(here: Project, ...words: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await here.run("status", ...words);
  assert.deepEqual([code, stderr], [0, ""], stdout);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.replace(/ {2,}/g, "  "));
}

test("without names, everything that the default goals need; before the first build all is missing", async (t) => {
  const here = project(t);
  const lines = await status(here);
  assert.equal(lines.at(-1), "7 targets: 7 missing");
  assert.equal(lines[0], "missing  raw/2019-01.txt  no record of it");
  // A query leaves nothing behind.
  assert.throws(() => here.read(".dmake/history.ndjson"));
  assert.equal((await here.run()).code, 0);
  assert.deepEqual((await status(here)).slice(-2), ["fresh  all.txt", "7 targets: 7 fresh"]);
});

test("stale says why, and what hangs on it what it depends on; what is removed is missing", async (t) => {
  const here = project(t);
  await here.run();
  here.write("in/2019-01.txt", "another\n");
  rmSync(here.path("up/2019-03.txt"));
  assert.deepEqual(await status(here), [
    "stale  raw/2019-01.txt  `in/2019-01.txt` changed",
    "fresh  raw/2019-02.txt",
    "fresh  raw/2019-03.txt",
    "stale  up/2019-01.txt  depends on `raw/2019-01.txt`",
    "fresh  up/2019-02.txt",
    "missing  up/2019-03.txt  `up/2019-03.txt` is not there",
    "stale  all.txt  depends on `up/2019-01.txt`",
    "7 targets: 3 fresh, 3 stale, 1 missing",
  ]);
});

test("what failed is failed until it is made, and what waits for it is blocked", async (t) => {
  const here = project(t);
  await here.run();
  here.write("in/2019-02.txt", "broken\n");
  assert.equal((await here.run("-k")).code, 1);
  assert.deepEqual(await status(here, "--only", "failed,blocked"), [
    "failed  up/2019-02.txt  the command exited with 3",
    "blocked  all.txt  needs `up/2019-02.txt`, which failed",
    "2 targets: 1 failed, 1 blocked",
  ]);
  // Put back as it was: it is fresh, whatever its last attempt came to.
  here.write("in/2019-02.txt", "month 02\n");
  assert.equal((await here.run("-k")).code, 0);
  assert.equal((await status(here)).at(-1), "7 targets: 7 fresh");
});

test("a source that is not there blocks what needs it, and hides nothing else", async (t) => {
  const here = project(t);
  await here.run();
  rmSync(here.path("in/2019-03.txt"));
  assert.deepEqual((await status(here, "raw", "all.txt")).slice(1), [
    "fresh  raw/2019-02.txt",
    "blocked  raw/2019-03.txt  needs `in/2019-03.txt`, which is not there",
    "blocked  all.txt  needs `in/2019-03.txt`, which is not there",
    "4 targets: 2 fresh, 2 blocked",
  ]);
});

test("columns line up, also where names are long, and JSON has it all", async (t) => {
  const here = project(t);
  await here.run("raw/2019-01.txt");
  const { stdout } = await here.run("status", "raw/2019-01.txt", "up/2019-01.txt", "all.txt");
  const [first = "", second = "", third = ""] = stdout.split("\n");
  assert.deepEqual([first.indexOf("raw/"), second.indexOf("up/"), third.indexOf("all")], [9, 9, 9]);
  assert.equal(second.indexOf("no record"), third.indexOf("no record"));
  assert.doesNotMatch(stdout, / $/m);
  const { stdout: json } = await here.run("status", "--json", "raw/2019-01.txt", "up/2019-01.txt");
  const objects = json
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    objects.map(({ target, state }) => [target, state]),
    [
      ["raw/2019-01.txt", "fresh"],
      ["up/2019-01.txt", "missing"],
    ],
  );
  assert.deepEqual(
    objects[1].because.reasons.map(({ why }: { why: string }) => why),
    ["output-missing", "no-record"],
  );
});

test("a state that there is not is refused with those that there are", async (t) => {
  const { code, stdout, stderr } = await project(t).run("status", "--only", "old");
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(
    stderr,
    /^error: `--only` takes fresh, open, stale, missing, failed and blocked, several with commas\n/,
  );
});

test("values that are listed in a target that is not there yet are told of, with all that is known", async (t) => {
  const here = projectIn(t, {
    "Datafile.ts": `import { sh, valuesIn } from "dmake";
const list = sh("months.txt", { from: "in.txt" }, ({ $, input, output }) => $\`cp \${input} \${output}\`);
export const each = sh("out/{m}.txt", { where: { m: valuesIn(list) } }, ({ $, output }) => $\`touch \${output}\`);
export const other = sh("other.txt", {}, ({ $, output }) => $\`touch \${output}\`);
export default [each, other];
`,
    "in.txt": "2019-01\n2019-02\n",
  });
  const before = await here.run("status");
  assert.equal(before.code, 0);
  assert.match(
    before.stderr,
    /^warning: the values of `\{m\}` are listed in `months\.txt`, which is not there yet/,
  );
  assert.match(before.stdout, /^missing +other\.txt/m);
  assert.equal((await here.run()).code, 0);
  assert.deepEqual(await status(here), [
    "fresh  months.txt",
    "fresh  out/2019-01.txt",
    "fresh  out/2019-02.txt",
    "fresh  other.txt",
    "4 targets: 4 fresh",
  ]);
});

test("a month that is still open is neither fresh nor stale, nor is what hangs on it", async (t) => {
  const monthAgo = (n: number) => {
    const now = new Date();
    return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - n)).toISOString().slice(0, 7);
  };
  const [last, present] = [monthAgo(1), monthAgo(0)];
  const server = createServer((_, response) => response.end("a\n1\n")).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const here = projectIn(t, {
    "Datafile.ts": `import { download, months, sh } from "dmake";
export const raw = download("raw/{month}.csv", { where: { month: months("${last}", "now") }, url: ({ month }) => \`${site}/\${month}.csv\` });
export default [sh("up/{month}.csv", { from: raw }, ({ $, input, output }) => $\`cp \${input} \${output}\`)];
`,
  });
  assert.equal((await here.run()).code, 0);
  const lines = await status(here);
  assert.deepEqual(lines, [
    `fresh  raw/${last}.csv`,
    `open  raw/${present}.csv  its month is still open`,
    `fresh  up/${last}.csv`,
    `open  up/${present}.csv  depends on \`raw/${present}.csv\``,
    "4 targets: 2 fresh, 2 open",
  ]);
  assert.equal((await status(here, "--only", "open")).at(-1), "2 targets: 2 open");
  rmSync(here.path(`up/${present}.csv`));
  assert.match((await status(here)).join("\n"), /^missing {2}up\//m);
});

let server: TestServer;
before(async () => {
  server = await startServer({
    logging_collector: "on",
    log_statement: "all",
    log_filename: "statements.log",
    log_file_mode: "0644",
  });
});
after(() => server.stop());

/** The statements that the server was sent between two marks. Its log is written behind its back. */
async function statementsBetween(url: string, first: string, last: string): Promise<readonly string[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    for (;;) {
      const { rows } = await client.query("SELECT pg_read_file(pg_current_logfile()) AS log");
      const log: string = rows[0].log;
      const [start, end] = [log.lastIndexOf(first), log.lastIndexOf(last)];
      if (end < 0) continue;
      return log
        .slice(start, end)
        .split("\n")
        .filter((line) => /(statement|execute [^:]*):/.test(line))
        .slice(0, -1);
    }
  } finally {
    await client.end();
  }
}

async function say(url: string, mark: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`SELECT '${mark}'`);
  await client.end();
}

test("rows of partitions are shown, and the server is asked as often for 3 as for 60", async (t) => {
  const url = await server.database("status");
  const months = (n: number) =>
    Array.from(
      { length: n },
      (_, i) => `${2019 + Math.floor(i / 12)}-${String((i % 12) + 1).padStart(2, "0")}`,
    );
  const files = Object.fromEntries(months(60).map((month) => [`in/${month}.csv`, `a,b\n1,${month}\n`]));
  const here = projectIn(
    t,
    {
      "Datafile.ts": `import { table, months } from "dmake";
export default [table("table:t/{month}", { from: "in/{month}.csv", where: { month: months("2019-01", "2023-12") } })];
`,
      ...files,
    },
    { env: { DATABASE_URL: url } },
  );
  assert.equal((await here.run("table:t/{2019-01..2019-03}")).code, 0);
  assert.deepEqual(await status(here, "table:t/{2019-01..2019-04}"), [
    "fresh  table:t/2019-01  1 row",
    "fresh  table:t/2019-02  1 row",
    "fresh  table:t/2019-03  1 row",
    "missing  table:t/2019-04  no record of it",
    "4 targets: 3 fresh, 1 missing",
  ]);
  const asked = async (...words: string[]) => {
    const [first, last] = [`before ${words.join(" ")}`, `after ${words.join(" ")}`];
    await say(url, first);
    await status(here, ...words);
    await say(url, last);
    return (await statementsBetween(url, first, last)).length;
  };
  const three = await asked("table:t/{2019-01..2019-03}");
  assert(three > 0);
  assert.equal(await asked("table:t/{2019-01..2023-12}"), three);
  // Somebody empties the shelf: what is gone is missing.
  await say(url, "'; DROP TABLE t; SELECT '");
  assert.equal(
    (await status(here, "table:t/2019-01"))[0],
    "missing  table:t/2019-01  1 row  `table:t/2019-01` is not there",
  );
});
