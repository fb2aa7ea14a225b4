// The main job on real rows: the repository's own Datafile, the real binary, a real server.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { demoProject, type Project } from "./rig/binary.js";
import { startServer, type TestServer } from "./rig/postgres.js";

const trips = { "2023-01": 68_211, "2023-02": 64_809, "2023-03": 72_044 };

/** Trips by partition, and the number of zones, as the database has them. */
async function counts(project: Project): Promise<unknown> {
  const byMonth = await project.run(
    "sql",
    "--json",
    "select month, count(*) from green_trips group by 1 order by 1",
  );
  const zones = await project.run("sql", "--json", "select count(*) from zones");
  assert.equal(byMonth.code, 0, byMonth.stderr);
  const rows = byMonth.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  return [
    Object.fromEntries(rows.map(({ month, count }) => [month, Number(count)])),
    Number(JSON.parse(zones.stdout).count),
  ];
}

/** The steps that a run made, from its JSON events. */
const made = (stdout: string): string[] =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter(({ event }) => event === "done")
    .map(({ step }) => step)
    .sort();

function story(name: string, world: { readonly env: () => NodeJS.ProcessEnv }): void {
  test(name, async (t) => {
    const project = demoProject({ env: world.env() });
    t.after(() => project.remove());

    await t.test("the first run loads three months and the zones", async () => {
      const first = await project.run();
      assert.equal(first.code, 0, first.stderr);
      assert.match(first.stdout, /^built 11 \(/m);
      assert.deepEqual(await counts(project), [trips, 265]);
    });

    await t.test("the second run has nothing to do", async () => {
      const second = await project.run();
      assert.equal(second.code, 0, second.stderr);
      assert.match(second.stdout, /^11 up to date \([^)]*\)\n$/);
    });

    await t.test("a touch changes no content, so nothing runs", async () => {
      for (const month of Object.keys(trips))
        utimesSync(project.path(`data/sample/green_tripdata_${month}.csv.gz`), new Date(), new Date());
      assert.deepEqual(made((await project.run("--json")).stdout), []);
    });

    await t.test("one byte of one month makes that month stale, and no other", async () => {
      const sample = project.path("data/sample/green_tripdata_2023-02.csv.gz");
      const text = gunzipSync(readFileSync(sample)).toString("latin1");
      assert.match(text, /\n1,2023-02-01 00:46:22,/);
      writeFileSync(
        sample,
        gzipSync(Buffer.from(text.replace("\n1,2023-02-01 00:46:22,", "\n2,2023-02-01 00:46:22,"), "latin1")),
      );
      assert.deepEqual(made((await project.run("--json")).stdout), [
        "data/parquet/green_2023-02.parquet",
        "data/raw/green_2023-02.csv.gz",
        "table:green_trips/2023-02",
      ]);
      assert.deepEqual(await counts(project), [trips, 265]);
    });
  });

  test(`${name}: killed while the second month loads, a plain rerun is right`, async (t) => {
    const project = demoProject({ env: world.env() });
    t.after(() => project.remove());
    const first = project.start("--json", "-j1", "loaded");
    await first.line(
      (line) => line.includes('"step":"table:green_trips/2023-02"') && line.includes('"progress"'),
    );
    first.child.kill("SIGKILL");
    const { stdout } = await first.ended;
    const finished = made(stdout);
    assert.ok(!finished.includes("table:green_trips/2023-02"));

    const second = await project.run("--json");
    assert.equal(second.code, 0, second.stdout + second.stderr);
    const rest = made(second.stdout);
    assert.ok(rest.includes("table:green_trips/2023-02"));
    assert.deepEqual(
      rest.filter((step) => finished.includes(step)),
      [],
      "what was finished does not run again",
    );
    assert.deepEqual(await counts(project), [trips, 265]);
  });
}

let server: TestServer;
let databases = 0;
let url = "";
before(async () => {
  server = await startServer();
});
after(() => server.stop());

test.beforeEach(async () => {
  databases += 1;
  url = await server.database(`demo_${databases}`);
});

story("with the embedded server", { env: () => ({}) });
story("with a server chosen by DATABASE_URL", { env: () => ({ DATABASE_URL: url }) });

test("the same files from a server on the web: downloaded again, and nothing below runs", async (t) => {
  const project = demoProject();
  t.after(() => project.remove());
  await project.run();
  const asked: string[] = [];
  const web = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.end(readFileSync(project.path(`data/sample${request.url}`)));
  }).listen(0, "127.0.0.1");
  await once(web, "listening");
  t.after(() => web.close());
  const { port } = web.address() as AddressInfo;
  const again = await project.run("--json", `source=http://127.0.0.1:${port}`);
  assert.equal(again.code, 0, again.stdout + again.stderr);
  assert.deepEqual(made(again.stdout), [
    "data/raw/green_2023-01.csv.gz",
    "data/raw/green_2023-02.csv.gz",
    "data/raw/green_2023-03.csv.gz",
    "data/raw/zones.csv",
  ]);
  assert.equal(asked.length, 4);
  assert.deepEqual(await counts(project), [trips, 265]);
});
