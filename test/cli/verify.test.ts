// `dmake verify`: what is there against what was recorded of it, told with the real program.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, type TestContext, test } from "node:test";
import pg from "pg";
import { type Project, plain, projectIn } from "../rig/binary.js";
import { startServer, type TestServer } from "../rig/postgres.js";

const files = `import { sh } from "dmake";
export const up = sh("up/{n}.txt", { where: { n: ["1", "2", "3"] } }, ({ $, output, params }) => $\`echo \${params.n} > \${output}\`);
export default [up];
`;

test("files that somebody has written or removed are told, with what to do", async (t) => {
  const here = projectIn(t, { "Datafile.ts": files });
  const unmade = await here.run("verify");
  assert.deepEqual([unmade.code, plain(unmade.stdout)], [0, ["0 compared: nothing is recorded"]]);
  await here.run("up/1.txt", "up/2.txt");
  const good = await here.run("verify");
  assert.deepEqual([good.code, good.stderr, plain(good.stdout)], [0, "", ["2 compared: 2 same"]]);
  here.write("up/1.txt", "by hand\n");
  rmSync(here.path("up/2.txt"));
  const { code, stdout, stderr } = await here.run("verify");
  assert.deepEqual(plain(stdout), [
    "changed: up/1.txt  written by somebody else since it was made",
    "missing: up/2.txt  it is not there",
    "2 compared: 1 changed, 1 missing",
  ]);
  assert.deepEqual([code, stderr], [1, "help: to make them anew: `dmake up/1.txt up/2.txt`\n"]);
  // Nothing was written: it says the same again.
  assert.deepEqual(plain((await here.run("verify")).stdout), plain(stdout));
  assert.equal(here.read("up/1.txt"), "by hand\n");
});

test("what was named and has no record is told, and is not good", async (t) => {
  const here = projectIn(t, { "Datafile.ts": files });
  await here.run("up/1.txt");
  const { code, stdout } = await here.run("verify", "up");
  assert.deepEqual(
    [code, plain(stdout)],
    [
      1,
      [
        "unrecorded: up/2.txt  nothing is recorded of it",
        "unrecorded: up/3.txt  nothing is recorded of it",
        "3 compared: 1 same, 2 unrecorded",
      ],
    ],
  );
  assert.equal((await here.run("verify", "up/1.txt")).code, 0);
  const json = (await here.run("verify", "--json", "up/{1..2}.txt")).stdout.trimEnd().split("\n");
  assert.deepEqual(
    json.map((line) => JSON.parse(line)),
    [
      { name: "up/1.txt", state: "same" },
      { name: "up/2.txt", state: "unrecorded" },
    ],
  );
});

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

const tables = `import { months, table } from "dmake";
export default [
  table("table:trips/{month}", { from: "in/{month}.csv", where: { month: months("2019-01", "2019-06") } }),
  table("table:zones", { from: "in/zones.csv" }),
];
`;

async function loaded(t: TestContext, name: string): Promise<{ here: Project; url: string }> {
  const url = await server.database(name);
  const months = Array.from({ length: 6 }, (_, i) => `2019-0${i + 1}`);
  const rows = (month: string) =>
    `id,fare,day\n${[1, 2, 3].map((id) => `${id},${id}.5,${month}-0${id}`).join("\n")}\n`;
  const here = projectIn(
    t,
    {
      "Datafile.ts": tables,
      ...Object.fromEntries(months.map((month) => [`in/${month}.csv`, rows(month)])),
      "in/zones.csv": "zone,name\n1,Newark\n2,Queens\n",
    },
    { env: { DATABASE_URL: url } },
  );
  const { code, stdout, stderr } = await here.run();
  assert.equal(code, 0, stdout + stderr);
  return { here, url };
}

async function ask(url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  for (const statement of statements) await client.query(statement);
  await client.end();
}

test("rows that were deleted, added or changed, and tables that are gone, are found and mended", async (t) => {
  const { here, url } = await loaded(t, "verify");
  const good = await here.run("verify");
  assert.deepEqual([good.code, good.stderr, plain(good.stdout)], [0, "", ["7 compared: 7 same"]]);
  await ask(
    url,
    "DELETE FROM trips WHERE month = '2019-01' AND id = 2",
    "INSERT INTO trips SELECT * FROM trips WHERE month = '2019-02' AND id = 2",
    "UPDATE trips SET fare = 9 WHERE month = '2019-03' AND id = 1",
    "DROP TABLE zones",
  );
  const { code, stdout, stderr } = await here.run("verify");
  assert.deepEqual(plain(stdout), [
    "changed: table:trips/2019-01  3 rows recorded, 2 found",
    "changed: table:trips/2019-02  3 rows recorded, 4 found",
    "changed: table:trips/2019-03  3 rows recorded, as many found, and not the same",
    "missing: table:zones  2 rows recorded, and it is not there",
    "7 compared: 3 same, 3 changed, 1 missing",
  ]);
  assert.equal(code, 1);
  const [, command = ""] = /^help: to make them anew: `dmake (.*)`\n$/.exec(stderr) ?? [];
  assert.equal(command, "-B table:trips/2019-01 table:trips/2019-02 table:trips/2019-03 table:zones");
  assert.equal((await here.run(...command.split(" "))).code, 0);
  assert.equal((await here.run("verify")).code, 0);
  // A row that comes and goes leaves nothing.
  await ask(url, "BEGIN; DELETE FROM trips; ROLLBACK");
  assert.equal((await here.run("verify", "table:trips/{2019-01..2019-06}")).code, 0);
});

test("it works beside a build, and where nothing may be written", async (t) => {
  const { here } = await loaded(t, "beside");
  here.write(
    "Datafile.ts",
    `${tables.replace("import {", "import { sh,")}export const slow = sh("slow.txt", {}, ({ $, output }) => $\`echo here > waiting; sleep 600; touch \${output}\`);\n`,
  );
  const building = here.start("slow");
  await here.written("waiting");
  const { code, stdout } = await here.run("verify");
  assert.deepEqual([code, plain(stdout)], [0, ["7 compared: 7 same"]]);
  building.child.kill("SIGINT");
  await building.ended;
});
