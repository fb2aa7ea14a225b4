// SQL in a project: what runs after which change, on real files and a real server, and how a build ends that is cut short.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import pg from "pg";
import { wire } from "../../src/cli/world.js";
import type { BuildEvent } from "../../src/core/event.js";
import type { Failure } from "../../src/core/failure.js";
import { build } from "../../src/engine/build.js";
import { inProject, type Project, planned } from "../rig/datafile.js";
import { startServer } from "../rig/postgres.js";
import { must } from "../rig/world.js";

const server = await startServer();
after(() => server.stop());
let databases = 0;

interface Warehouse {
  readonly project: Project;
  readonly sql: (text: string) => Promise<Record<string, unknown>[]>;
  /** What ran, and what failed, when these targets were built. */
  readonly make: (
    targets: readonly string[],
    signal?: AbortSignal,
  ) => Promise<{ readonly ran: readonly string[]; readonly failed: Readonly<Record<string, Failure>> }>;
}

const story = (name: string, datafile: string, work: (warehouse: Warehouse) => Promise<void>) =>
  test(name, () =>
    inProject(async (project) => {
      const url = await server.database(`sql_build_${++databases}`);
      const client = new pg.Client(url);
      await client.connect();
      const home = process.cwd();
      process.chdir(project.root);
      project.write("Datafile.ts", `import { months, sql, table } from "dmake";\n${datafile}`);
      const make: Warehouse["make"] = async (targets, signal = new AbortController().signal) => {
        const loaded = must(await project.load());
        const wired = wire(
          { root: project.root, env: { DATABASE_URL: url }, writable: true },
          { notice: () => undefined, warn: () => undefined, secrets: new Set() },
        );
        const events: BuildEvent[] = [];
        try {
          await build(
            must(planned(loaded, ...targets)),
            { jobs: 4, keepGoing: true, forced: false, cores: 2 },
            { stores: wired.stores, runners: wired.runners, emit: (event) => events.push(event), signal },
          );
        } finally {
          await wired.close();
        }
        return {
          ran: events.flatMap((one) => (one.event === "running" ? [one.step] : [])).sort(),
          failed: Object.fromEntries(
            events.flatMap((one) => (one.event === "failed" ? [[one.step, one.failure]] : [])),
          ),
        };
      };
      try {
        await work({ project, make, sql: async (text) => (await client.query(text)).rows });
      } finally {
        process.chdir(home);
        await client.end();
      }
    }),
  );

const monthly = `
  const loaded = table("table:trips/{month}", { from: "{month}.csv", where: { month: months("2023-01", "2023-02") } });
  const daily = sql("table:zones/{month}", { from: loaded }, ({ $, input }) =>
    $\`select zone, count(*) as n from \${input} group by zone\`);
  const total = sql("table:total", { from: daily.all(), file: "total.sql", values: { least: 1 } });
  export const top = sql("view:top", { from: total }, ({ $, input }) => $\`select * from \${input} where n > \${1}\`);
`;
const all = ["view:top"];

story(
  "an aggregate of a month is made again only when the rows of that month are others",
  monthly,
  async (warehouse) => {
    const { project, make, sql } = warehouse;
    project.write("2023-01.csv", "id,zone\n1,a\n2,b\n");
    project.write("2023-02.csv", "id,zone\n3,a\n");
    project.write("total.sql", "select zone, sum(n)::bigint as n from zones where n >= :least group by zone");
    assert.deepEqual(await make(all), {
      ran: [
        "table:total",
        "table:trips/2023-01",
        "table:trips/2023-02",
        "table:zones/2023-01",
        "table:zones/2023-02",
        "view:top",
      ],
      failed: {},
    });
    assert.deepEqual(await sql("SELECT * FROM top"), [{ zone: "a", n: "2" }]);
    assert.deepEqual((await make(all)).ran, []);

    // A row more in January.
    project.write("2023-01.csv", "id,zone\n1,a\n2,b\n4,b\n");
    assert.deepEqual((await make(all)).ran, [
      "table:total",
      "table:trips/2023-01",
      "table:zones/2023-01",
      "view:top",
    ]);
    assert.deepEqual(await sql("SELECT * FROM top ORDER BY zone"), [
      { zone: "a", n: "2" },
      { zone: "b", n: "2" },
    ]);

    // Another file, of which the aggregate is the same: nothing below it runs.
    project.write("2023-01.csv", "id,zone\n1,a\n2,b\n5,b\n");
    assert.deepEqual((await make(all)).ran, ["table:trips/2023-01", "table:zones/2023-01"]);

    // Another text with the same result.
    project.write(
      "total.sql",
      "select zone, sum(n)::bigint as n from zones where n >= :least group by 1 -- by zone",
    );
    assert.deepEqual((await make(all)).ran, ["table:total"]);
  },
);

story("what is dropped, emptied or edited by hand is made again", monthly, async ({ project, make, sql }) => {
  project.write("2023-01.csv", "id,zone\n1,a\n2,b\n");
  project.write("2023-02.csv", "id,zone\n3,a\n");
  project.write("total.sql", "select zone, sum(n)::bigint as n from zones where n >= :least group by zone");
  await make(all);
  await sql("DROP VIEW top");
  assert.deepEqual((await make(all)).ran, ["view:top"]);
  await sql("CREATE OR REPLACE VIEW top AS SELECT * FROM total");
  assert.deepEqual((await make(all)).ran, ["view:top"]);
  await sql("TRUNCATE zones_2023_01");
  assert.deepEqual((await make(all)).ran, ["table:zones/2023-01"]);
  assert.deepEqual(await sql("SELECT * FROM top"), [{ zone: "a", n: "2" }]);
});

story(
  "an error has the file and the line, and what was there stays",
  'export const x = sql("table:x", { file: "x.sql", values: { n: 1 } });',
  async ({ project, make, sql }) => {
    project.write("x.sql", "select :n as x");
    assert.deepEqual(await make(["table:x"]), { ran: ["table:x"], failed: {} });
    project.write("x.sql", "-- a comment of ü\nselect :n as x,\n       nope");
    const { failed } = await make(["table:x"]);
    assert.deepEqual(failed["table:x"], {
      reason: "sql-error",
      file: "x.sql",
      line: 3,
      column: 8,
      text: "       nope",
      code: "42703",
      message: 'column "nope" does not exist',
    });
    assert.deepEqual(await sql("SELECT * FROM x"), [{ x: 1 }]);
  },
);

story(
  "a query that takes too long is stopped, and has failed",
  `export const x = sql("table:x", { timeout: "300 ms" }, ({ $ }) => $\`select pg_sleep(60)::text as x\`);`,
  async ({ make, sql }) => {
    const { failed } = await make(["table:x"]);
    assert.equal(failed["table:x"]?.reason, "timed-out");
    while (
      (
        await sql(
          "SELECT FROM pg_stat_activity WHERE query LIKE 'CREATE TABLE%pg_sleep%' AND state = 'active'",
        )
      ).length > 0
    );
    assert.deepEqual(await sql("SELECT FROM pg_class WHERE relname = 'x'"), []);
  },
);

story(
  "a table that was a view, and a view that was a table, are not taken for what they were",
  `export const x = sql("view:x", {}, ({ $ }) => $\`select 1 as x\`);`,
  async ({ project, make }) => {
    assert.deepEqual(await make(["view:x"]), { ran: ["view:x"], failed: {} });
    project.write(
      "Datafile.ts",
      'import { sql } from "dmake";\nexport const x = sql("table:x", {}, ({ $ }) => $`select 1 as x`);',
    );
    assert.equal((await make(["table:x"])).failed["table:x"]?.reason, "table-shape");
  },
);

story(
  "an optional table that is not there is not given",
  `import { optional } from "dmake";
   export const x = sql("table:x", { from: ["table:there", optional("table:gone")] }, ({ $, inputs }) =>
     $.join(inputs.map((one) => $\`select id from \${one}\`), $\` union all \`));`,
  async ({ make, sql }) => {
    await sql("CREATE TABLE there AS SELECT 1 AS id");
    assert.deepEqual(await make(["table:x"]), { ran: ["table:x"], failed: {} });
    await sql("CREATE TABLE gone AS SELECT 2 AS id");
    assert.deepEqual(await make(["table:x"]), { ran: ["table:x"], failed: {} });
    assert.deepEqual(await sql("SELECT * FROM x ORDER BY 1"), [{ id: 1 }, { id: 2 }]);
  },
);
