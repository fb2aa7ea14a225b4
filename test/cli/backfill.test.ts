// Backfills: a shell loop with `&`, and two machines against one server, load each month once. Told with the real program.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import pg from "pg";
import { type Project, plain, projectIn } from "../rig/binary.js";
import { startServer, type TestServer } from "../rig/postgres.js";

let server: TestServer;
before(async () => {
  server = await startServer({ max_connections: "200" });
});
after(() => server.stop());

const months = Array.from({ length: 12 }, (_, i) => `2019-${String(i + 1).padStart(2, "0")}`);
const empty = "2019-06";

const files = {
  "Datafile.ts": `import { months, table } from "dmake";
const columns = { id: "BIGINT", day: "DATE" };
export const loaded = table("table:x/{month}", { from: "in/{month}.csv", where: { month: months("2019-01", "2019-12") }, columns });
export default [loaded];
`,
  ...Object.fromEntries(
    months.map((month) => [
      `in/${month}.csv`,
      `id,day\n${month === empty ? "" : Array.from({ length: 20 }, (_, i) => `${i},${month}-01\n`).join("")}`,
    ]),
  ),
};

async function rowsOf(url: string, statement: string): Promise<readonly unknown[][]> {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query({ text: statement, rowMode: "array" });
  await client.end();
  return rows;
}

/** Every month is there whole, and was loaded once. */
async function assertOnce(url: string, some: readonly string[] = months): Promise<void> {
  assert.deepEqual(
    await rowsOf(url, "SELECT month, count(*)::int FROM x GROUP BY month ORDER BY month"),
    some.filter((month) => month !== empty).map((month) => [month, 20]),
  );
  assert.deepEqual(
    await rowsOf(
      url,
      "SELECT partition, count(*)::int FROM dmake.history GROUP BY partition ORDER BY partition",
    ),
    some.map((month) => [month, 1]),
  );
}

const loopOver = (some: readonly string[]) => `pids=
for m in ${some.join(" ")}; do dmake table:x/$m & pids="$pids $!"; done
for pid in $pids; do wait $pid || echo "ended with $?"; done`;

test("a shell loop with `&` loads each month once, and every dmake of it ends well", async (t) => {
  const url = await server.database("one");
  const here = projectIn(t, files, { env: { DATABASE_URL: url } });
  const { stdout, stderr } = await here.shell(loopOver(months));
  assert.doesNotMatch(stdout, /ended with/, stdout + stderr);
  await assertOnce(url);
  assert.deepEqual(plain((await here.run()).stdout), ["12 up to date"]);
});

test("the same loop on two machines, at the same time", async (t) => {
  const some = months.slice(4, 8);
  const url = await server.database("two");
  const machines = [1, 2].map(() => projectIn(t, files, { env: { DATABASE_URL: url } }));
  const ended = await Promise.all(machines.map((here) => here.shell(loopOver(some))));
  for (const { stdout, stderr } of ended) assert.doesNotMatch(stdout, /ended with/, stdout + stderr);
  await assertOnce(url, some);
  for (const here of machines) assert.equal((await here.run("-q", "table:x/{2019-05..2019-08}")).code, 0);
});

test("one backfill of all months on two machines, newest first", async (t) => {
  const url = await server.database("both");
  const machines = [1, 2].map(() => projectIn(t, files, { env: { DATABASE_URL: url } }));
  const range = `table:x/{${months.at(-1)}..${months[0]}}`;
  const ended = await Promise.all(machines.map((here) => here.run("-k", "-j4", range)));
  for (const { code, stdout, stderr } of ended) assert.equal(code, 0, stdout + stderr);
  await assertOnce(url);
});

test("a month that has no rows is loaded, with 0 rows, and fresh", async (t) => {
  const url = await server.database("empty");
  const here: Project = projectIn(t, files, { env: { DATABASE_URL: url } });
  const { code, stdout } = await here.run(`table:x/${empty}`);
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`table:x/${empty} +0 rows`));
  assert.equal((await here.run("-q", `table:x/${empty}`)).code, 0);
  const { stdout: status } = await here.run("status", `table:x/${empty}`);
  assert.match(status, /^fresh +table:x\/2019-06 +0 rows\n1 target: 1 fresh\n$/);
});
