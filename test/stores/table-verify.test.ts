// The story of trust: what was loaded is compared with what is there, and every difference is found.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import type pg from "pg";
import type { Verified } from "../../src/engine/ports.js";
import type { Load } from "../../src/stores/ledger-rows.js";
import { readDefinition } from "../../src/stores/table-catalog.js";
import { writeMark } from "../../src/stores/table-mark.js";
import type { Session } from "../../src/stores/table-session.js";
import { verifyTables } from "../../src/stores/table-verify.js";
import { servers, type TestServer } from "../rig/postgres.js";
import { address, clientOn, loadOf, recordAsIs, sessionOn, traceFor } from "./ledger-rig.js";
import { failure, value } from "./table-loads.js";

interface Running {
  readonly name: string;
  readonly server: TestServer;
}
const running: Running[] = [];
for (const kind of servers())
  if (!kind.missing) running.push({ name: kind.name, server: await kind.start({ max_connections: "40" }) });
after(() => Promise.all(running.map(({ server }) => server.stop())));

interface Scene {
  readonly session: Session;
  readonly sql: (text: string) => Promise<pg.QueryResult>;
  readonly client: () => Promise<pg.Client>;
  /** What is found of each target. */
  readonly verified: (...targets: string[]) => Promise<readonly Verified[]>;
  /** In one word, or with the rows found. */
  readonly state: (target: string) => Promise<string>;
}

let scenes = 0;

/** Tells a story on every server there is, each in an empty database. */
function story(title: string, tell: (scene: Scene) => Promise<void>): void {
  for (const { name, server } of running)
    test(`${title} (${name})`, async (t) => {
      const url = await server.database(`scene_${++scenes}`);
      const session = await sessionOn(url);
      const client = await clientOn(url);
      const others: pg.Client[] = [];
      t.after(async () => {
        await session.end();
        for (const one of [client, ...others]) await one.end();
      });
      const verified = async (...targets: string[]): Promise<readonly Verified[]> => {
        const found: Verified[] = [];
        const { signal } = new AbortController();
        value(await verifyTables(session, targets.map(address), (one) => found.push(one), signal));
        return found;
      };
      const other = async () => {
        others.push(await clientOn(url));
        return others.at(-1)!;
      };
      const state = async (target: string) => {
        const [one] = await verified(target);
        return one!.foundRows === undefined ? one!.state : `${one!.state} ${one!.foundRows}`;
      };
      await tell({ session, sql: (text) => client.query(text), client: other, verified, state });
    });
}

const part = (name: string) => ({ schema: "public", name });

/** Two months of trips, loaded by swapping. */
async function twoMonths({ session, sql }: Scene): Promise<void> {
  await sql(
    "CREATE TABLE trips (month text NOT NULL, id integer, fare numeric(6,2), note text) PARTITION BY LIST (month)",
  );
  for (const month of ["2023-01", "2023-02"]) {
    const name = `trips_${month.replace("-", "_")}`;
    await sql(`CREATE TABLE ${name} PARTITION OF trips FOR VALUES IN ('${month}')`);
    await sql(
      `INSERT INTO trips SELECT '${month}', n, n / 3.0, 'trip ' || n FROM generate_series(1, 50) AS n`,
    );
    await recordAsIs(session, `table:trips/${month}`, part(name));
  }
}

story("what is as it was loaded is said to be the same, whatever its order on the disk", async (scene) => {
  await twoMonths(scene);
  assert.deepEqual(await scene.verified("table:trips/2023-02", "table:trips/2023-01"), [
    { name: "table:trips/2023-02", state: "same", foundRows: 50, recordedRows: 50 },
    { name: "table:trips/2023-01", state: "same", foundRows: 50, recordedRows: 50 },
  ]);
  await scene.sql("CREATE INDEX turned ON trips_2023_01 (note DESC)");
  await scene.sql("CLUSTER trips_2023_01 USING turned");
  await scene.sql("UPDATE trips SET note = note WHERE id % 2 = 0");
  assert.equal(await scene.state("table:trips/2023-01"), "same 50");
});

const edits: Readonly<Record<string, readonly [string, string]>> = {
  "a deleted row": ["DELETE FROM trips WHERE month = '2023-01' AND id = 7", "changed 49"],
  "an added row": ["INSERT INTO trips VALUES ('2023-01', 51, 1, 'mine')", "changed 51"],
  "a row that was doubled": [
    "INSERT INTO trips SELECT * FROM trips WHERE month = '2023-01' AND id = 7",
    "changed 51",
  ],
  "a changed value": ["UPDATE trips SET note = 'Trip 7' WHERE month = '2023-01' AND id = 7", "changed 50"],
  "a value that is not there any more": [
    "UPDATE trips SET fare = NULL WHERE month = '2023-01' AND id = 7",
    "changed 50",
  ],
  "two values that changed places": [
    "UPDATE trips SET note = 'trip ' || 15 - id WHERE month = '2023-01' AND id IN (7, 8)",
    "changed 50",
  ],
  "one row for another": [
    "WITH gone AS (DELETE FROM trips WHERE month = '2023-01' AND id = 7) INSERT INTO trips VALUES ('2023-01', 77, 1, '')",
    "changed 50",
  ],
  "a truncated partition": ["TRUNCATE trips_2023_01", "changed 0"],
  "a dropped partition": ["DROP TABLE trips_2023_01", "missing"],
  "a dropped table": ["DROP TABLE trips", "missing"],
  "a detached partition": ["ALTER TABLE trips DETACH PARTITION trips_2023_01", "missing"],
  "a partition that was attached for another month": [
    "ALTER TABLE trips DETACH PARTITION trips_2023_01; UPDATE trips_2023_01 SET month = '2023-03'; ALTER TABLE trips ATTACH PARTITION trips_2023_01 FOR VALUES IN ('2023-03')",
    "missing",
  ],
  "two months that changed places": [
    `ALTER TABLE trips DETACH PARTITION trips_2023_01; ALTER TABLE trips DETACH PARTITION trips_2023_02;
     UPDATE trips_2023_01 SET month = '2023-02', id = -id; UPDATE trips_2023_02 SET month = '2023-01', id = -id;
     ALTER TABLE trips ATTACH PARTITION trips_2023_01 FOR VALUES IN ('2023-02'); ALTER TABLE trips ATTACH PARTITION trips_2023_02 FOR VALUES IN ('2023-01')`,
    "changed 50",
  ],
  "a dropped column": ["ALTER TABLE trips DROP COLUMN note", "changed"],
  "a type that cuts": ["ALTER TABLE trips ALTER COLUMN fare TYPE numeric(6,1)", "changed 50"],
};

for (const [what, [edit, expected]] of Object.entries(edits))
  story(`${what} is found`, async (scene) => {
    await twoMonths(scene);
    await scene.sql(edit);
    assert.equal(await scene.state("table:trips/2023-01"), expected);
  });

story("a column that was dropped is named", async (scene) => {
  await twoMonths(scene);
  await scene.sql("ALTER TABLE trips DROP COLUMN note, DROP COLUMN fare");
  const [one] = await scene.verified("table:trips/2023-01");
  assert.equal(one?.problem, "columns `fare`, `note` were dropped");
});

story("columns that later loads have added or widened are no difference", async (scene) => {
  await twoMonths(scene);
  await scene.sql(
    `ALTER TABLE trips ADD COLUMN tip numeric, ALTER COLUMN id TYPE bigint, ALTER COLUMN fare TYPE numeric(12,4)`,
  );
  assert.equal(await scene.state("table:trips/2023-01"), "same 50");
  await scene.sql("ALTER TABLE trips ALTER COLUMN id TYPE text");
  assert.equal(await scene.state("table:trips/2023-01"), "same 50");
});

story("in a widened column a value is found that its first type could not hold", async (scene) => {
  await twoMonths(scene);
  await scene.sql("ALTER TABLE trips ALTER COLUMN id TYPE bigint, ALTER COLUMN fare TYPE numeric(12,4)");
  await scene.sql("UPDATE trips SET fare = fare + 0.0001 WHERE month = '2023-01' AND id = 7");
  assert.equal(await scene.state("table:trips/2023-01"), "changed 50");
  await scene.sql("UPDATE trips SET id = 5000000000 WHERE month = '2023-02' AND id = 7");
  assert.equal(await scene.state("table:trips/2023-02"), "changed 50");
});

story("a column without any value may become of any type", async ({ session, sql, state }) => {
  await sql("CREATE TABLE zones (id integer, a text, b boolean, c double precision)");
  await sql("INSERT INTO zones VALUES (1), (2)");
  await recordAsIs(session, "table:zones", part("zones"));
  await sql(
    "ALTER TABLE zones ALTER a TYPE double precision USING a::float8, ALTER b TYPE date USING NULL, ALTER c TYPE timestamptz USING NULL",
  );
  assert.equal(await state("table:zones"), "same 2");
  await sql("UPDATE zones SET b = '2023-01-01' WHERE id = 1");
  assert.equal(await state("table:zones"), "changed 2");
});

story(
  "where rows are told by their key, each key is compared by itself",
  async ({ session, sql, state, verified }) => {
    await sql("CREATE TABLE trips (id integer, day date)");
    await sql("INSERT INTO trips SELECT n, '2023-01-01'::date + n % 2 FROM generate_series(1, 9) AS n");
    for (const value of ["2023-01-01", "2023-01-02"])
      await recordAsIs(
        session,
        `table:trips/${value}`,
        { ...part("trips"), where: { column: "day", value } },
        {
          strategy: "delete",
          partitionColumn: "day",
        },
      );
    assert.equal(await state("table:trips/2023-01-01"), "same 4");
    await sql("UPDATE trips SET id = 0 WHERE id = 3");
    assert.equal(await state("table:trips/2023-01-01"), "same 4");
    assert.equal(await state("table:trips/2023-01-02"), "changed 5");
    await sql("DELETE FROM trips WHERE day = '2023-01-01'");
    assert.equal(await state("table:trips/2023-01-01"), "changed 0");
    await sql("ALTER TABLE trips DROP COLUMN day");
    assert.deepEqual(await verified("table:trips/2023-01-02"), [
      {
        name: "table:trips/2023-01-02",
        state: "changed",
        problem: "column `day` was dropped",
        recordedRows: 5,
      },
    ]);
  },
);

story(
  "where rows were merged, the newest load stands for the whole table",
  async ({ session, sql, verified, state }) => {
    await sql("CREATE TABLE zones (id integer PRIMARY KEY, month text)");
    const merged: Partial<Load> = { strategy: "merge", partitionColumn: "month" };
    for (const month of ["2023-01", "2023-02"]) {
      await sql(
        `INSERT INTO zones SELECT n, '${month}' FROM generate_series(1, 3) AS n ON CONFLICT (id) DO UPDATE SET month = excluded.month`,
      );
      await sql(`INSERT INTO zones VALUES (4${month.slice(-1)}, '${month}')`);
      await recordAsIs(session, `table:zones/${month}`, part("zones"), { ...merged });
    }
    const [old, fresh] = await verified("table:zones/2023-01", "table:zones/2023-02");
    assert.deepEqual(fresh, { name: "table:zones/2023-02", state: "same", foundRows: 5, recordedRows: 5 });
    assert.equal(old?.state, "unknown");
    assert.match(old?.problem ?? "", /only its newest load/);
    await sql("UPDATE zones SET month = 'x' WHERE id = 41");
    assert.equal(await state("table:zones/2023-02"), "changed 5");
  },
);

story(
  "a load before there were checksums can be counted, and no more",
  async ({ session, sql, verified, state }) => {
    await sql("CREATE TABLE zones AS SELECT 1 AS id");
    await recordAsIs(session, "table:zones", part("zones"));
    await sql("UPDATE dmake.loads SET checksum = NULL, checksum_columns = NULL, strategy = NULL");
    const [one] = await verified("table:zones");
    assert.deepEqual([one?.state, one?.foundRows], ["unknown", 1]);
    assert.match(one?.problem ?? "", /no checksum.*`dmake -B table:zones` records one/);
    await sql("INSERT INTO zones VALUES (2)");
    assert.equal(await state("table:zones"), "changed 2");
    await sql("UPDATE dmake.loads SET checksum = 'blake9:1:2', checksum_columns = '[]'");
    assert.match((await verified("table:zones"))[0]?.problem ?? "", /`blake9`/);
  },
);

story(
  "what no load has recorded is unrecorded, with and without a ledger",
  async ({ session, sql, state }) => {
    await sql("CREATE TABLE zones AS SELECT 1 AS id");
    assert.equal(await state("table:zones"), "unrecorded");
    assert.equal(await state("table:nowhere/2023-01"), "unrecorded");
    await recordAsIs(session, "table:zones", part("zones"));
    assert.equal(await state("table:nowhere"), "unrecorded");
    await sql("DROP TABLE zones");
    assert.equal(await state("table:zones"), "missing");
  },
);

story("a view is compared by what it selects", async ({ session, sql, state }) => {
  await sql("CREATE TABLE zones AS SELECT 1 AS id");
  await recordAsIs(session, "table:zones", part("zones"));
  await sql("CREATE VIEW v AS SELECT id FROM zones");
  const trace = traceFor("view:v");
  const mark = {
    dmake: 1,
    target: "view:v",
    fingerprint: "f",
    content: trace.outputs[0]!.digest,
    attempt: "a",
    rows: 0,
    definition: (await readDefinition(session, "public", "v"))!,
  } as const;
  await sql(`COMMENT ON VIEW v IS '${writeMark(mark, "what''s on")}'`);
  await recordAsIs(session, "view:v", part("zones"), { strategy: "view", trace });
  assert.equal(await state("view:v"), "same");
  await sql("SET search_path = pg_catalog");
  assert.equal(await state("view:v"), "same");
  await sql("CREATE OR REPLACE VIEW public.v AS SELECT id FROM public.zones WHERE id > 0");
  assert.equal(await state("view:v"), "changed");
  await sql("DROP VIEW public.v");
  assert.equal(await state("view:v"), "missing");
});

story(
  "a table that may not be read is unknown, and the next one is compared",
  async ({ session, sql, verified }) => {
    await sql("CREATE TABLE zones AS SELECT 1 AS id");
    await sql("CREATE TABLE secret AS SELECT 1 AS id");
    await recordAsIs(session, "table:zones", part("zones"));
    await recordAsIs(session, "table:secret", part("secret"));
    const role = `reader_${scenes}`;
    await sql(
      `CREATE ROLE ${role}; GRANT USAGE ON SCHEMA dmake TO ${role}; GRANT SELECT ON ALL TABLES IN SCHEMA dmake TO ${role}; GRANT SELECT ON zones TO ${role}`,
    );
    await session.query(`SET ROLE ${role}`);
    const [secret, zones] = await verified("table:secret", "table:zones");
    assert.equal(zones?.state, "same");
    assert.equal(secret?.state, "unknown");
    assert.match(secret?.problem ?? "", /permission denied for table secret/);
  },
);

story("a load that comes through meanwhile gives no false alarm", async (scene) => {
  await twoMonths(scene);
  const { session, client, sql, state } = scene;
  const loader = await client();
  /** The month anew, with other rows, as a swap does it: all in one transaction, and the record with it. */
  const swap = async (n: number): Promise<void> => {
    await loader.query("BEGIN");
    await loader.query("LOCK TABLE ONLY trips IN ACCESS EXCLUSIVE MODE");
    await loader.query("ALTER TABLE trips DETACH PARTITION trips_2023_01; DROP TABLE trips_2023_01");
    await loader.query("CREATE TABLE trips_2023_01 PARTITION OF trips FOR VALUES IN ('2023-01')");
    await loader.query(`INSERT INTO trips SELECT '2023-01', n, 1, '' FROM generate_series(1, ${n}) AS n`);
    const [row] = (
      await loader.query(
        `SELECT 'hash64:' || count(*) || ':' || sum(hashint8extended(hash_record_extended(ROW(id), 0), 0)) || ':' || sum(hashint8extended(hash_record_extended(ROW(id), 1), 1)) AS sum FROM trips_2023_01`,
      )
    ).rows as { sum: string }[];
    await loader.query(
      `UPDATE dmake.loads SET rows = $1, checksum = $2, checksum_columns = '[{"name": "id", "type": "integer"}]', attempt = $3 WHERE partition = '2023-01'`,
      [n, row!.sum, `attempt ${n}`],
    );
    await loader.query("COMMIT");
  };
  let loading = true;
  const loads = (async () => {
    for (let n = 51; n < 66; n++) await swap(n);
    loading = false;
  })();
  const found = new Set<string>();
  while (loading) found.add((await state("table:trips/2023-01")).split(" ")[0]!);
  await loads;
  assert.deepEqual([...found], ["same"]);
  assert.equal(await state("table:trips/2023-01"), "same 65");
  assert.equal((await sql("SELECT FROM pg_locks WHERE relation = 'trips'::regclass")).rowCount, 0);
  assert.ok(session.alive);
});

story(
  "what is being compared cannot be swapped away between the look at its record and that at its rows",
  async (scene) => {
    await twoMonths(scene);
    const { session, sql, client, state } = scene;
    const loader = await client();
    let swapping: Promise<unknown> | undefined;
    const begun = async (): Promise<void> => {
      let over = false;
      swapping = loader
        .query(
          `BEGIN; LOCK TABLE ONLY trips IN ACCESS EXCLUSIVE MODE; ALTER TABLE trips DETACH PARTITION trips_2023_01; DROP TABLE trips_2023_01;
         CREATE TABLE trips_2023_01 PARTITION OF trips FOR VALUES IN ('2023-01'); DELETE FROM dmake.loads WHERE partition = '2023-01'; COMMIT`,
        )
        .then(() => {
          over = true;
        });
      while (!over && (await sql("SELECT FROM pg_locks WHERE NOT granted")).rowCount === 0);
    };
    const query = session.client.query.bind(session.client) as (...args: unknown[]) => unknown;
    Object.assign(session.client, {
      query: (text: string, ...rest: unknown[]) =>
        /hash_record_extended/.test(text) && !swapping
          ? begun().then(() => query(text, ...rest))
          : query(text, ...rest),
    });
    assert.equal(await state("table:trips/2023-01"), "same 50");
    await swapping;
    assert.equal(await state("table:trips/2023-01"), "unrecorded");
  },
);

story("a comparison ends when it is interrupted, also while it waits for a lock", async (scene) => {
  await twoMonths(scene);
  const { session, sql, client } = scene;
  const holder = await client();
  await holder.query("BEGIN");
  await holder.query("CREATE TABLE zones ()");
  await holder.query("COMMIT; BEGIN; LOCK TABLE zones IN ACCESS EXCLUSIVE MODE");
  const interrupt = new AbortController();
  const found: Verified[] = [];
  const targets = ["table:trips/2023-02", "table:zones"].map(address);
  const verifying = verifyTables(session, targets, (one) => found.push(one), interrupt.signal);
  while ((await sql("SELECT FROM pg_locks WHERE NOT granted")).rowCount === 0);
  interrupt.abort();
  assert.deepEqual(failure(await verifying), { reason: "interrupted" });
  assert.deepEqual(
    found.map(({ name }) => name),
    ["table:trips/2023-02"],
  );
});

story("a ledger made by a newer dmake is not compared with", async (scene) => {
  await twoMonths(scene);
  await scene.sql("UPDATE dmake.meta SET version = 4");
  const { signal } = new AbortController();
  const verifying = verifyTables(scene.session, [address("table:trips/2023-01")], () => undefined, signal);
  assert.deepEqual(failure(await verifying), { reason: "ledger-newer", found: 4, known: 3 });
  assert.equal(loadOf("table:trips/2023-01").strategy, "swap");
});
