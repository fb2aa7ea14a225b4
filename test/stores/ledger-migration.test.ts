// The story of ledgers of every age: made by the SQL of their time, brought up to date by whoever comes first, with every row kept.
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import type { Step } from "../../src/core/rule.js";
import { ensureLedger, readLedger, recordLoad } from "../../src/stores/ledger.js";
import type { Session } from "../../src/stores/table-session.js";
import { servers, type TestServer } from "../rig/postgres.js";
import { address, clientOn, loadOf, sessionOn, traceFor } from "./ledger-rig.js";
import { failure, value } from "./table-loads.js";

const running: { readonly name: string; readonly server: TestServer }[] = [];
for (const kind of servers())
  if (!kind.missing) running.push({ name: kind.name, server: await kind.start() });
after(() => Promise.all(running.map(({ server }) => server.stop())));

type Client = Awaited<ReturnType<typeof clientOn>>;
interface Scene {
  readonly url: string;
  readonly sql: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
  /** A connection of dmake's, as another user if one is given. */
  readonly session: (role?: string) => Promise<Session>;
  readonly client: () => Promise<Client>;
}

let scenes = 0;

function story(title: string, tell: (scene: Scene) => Promise<void>): void {
  for (const { name, server } of running)
    test(`${title} (${name})`, async (t) => {
      const url = await server.database(`ledger_${++scenes}`);
      const ends: (() => Promise<unknown>)[] = [];
      const client = async (): Promise<Client> => {
        const one = await clientOn(url);
        ends.push(() => one.end());
        return one;
      };
      const own = await client();
      const session = async (role?: string): Promise<Session> => {
        const at = new URL(url);
        if (role) at.username = role;
        const one = await sessionOn(at.href);
        ends.push(() => one.end());
        return one;
      };
      t.after(() => Promise.all(ends.map((end) => end())));
      const sql = async (text: string, values?: unknown[]) => (await own.query(text, values)).rows as never;
      await tell({ url, sql, session, client });
    });
}

const schemaOf = (version: number): string =>
  readFileSync(new URL(`old-ledgers/version-${version}.sql`, import.meta.url), "utf8");

const oldRow = {
  schema_name: "public",
  table_name: "trips",
  partition: "2023-01",
  target: "table:trips/2023-01",
  fingerprint: "sha256:f",
  recipe: { kind: "table" },
  inputs: [{ name: "data/a.parquet", digest: "sha256:a" }],
  facts: { rows: 2, bytes: 7 },
  rows: "2",
  bytes: "7",
  rejects: "0",
  attempt: "old",
  run: "run-0",
  host: "there",
  started_at: new Date("2025-01-01T00:00:00Z"),
  finished_at: new Date("2025-01-01T00:00:09Z"),
  duration_ms: 9000.5,
  source_url: "https://example.org/a",
  source_etag: '"a"',
  dmake_version: "0.0.1",
};

/** A ledger as a dmake of that time has left it, with one load in it. */
async function oldLedger({ sql }: Scene, version: number): Promise<void> {
  await sql(schemaOf(version));
  const row = { ...oldRow, ...(version > 1 && { content: "sha256:c", because: [{ why: "forced" }] }) };
  const names = Object.keys(row);
  const values = Object.values(row).map((one) =>
    one instanceof Date || typeof one !== "object" ? one : JSON.stringify(one),
  );
  const marks = names.map((_, n) => `$${n + 1}`).join(", ");
  await sql(`INSERT INTO dmake.loads (${names.join(", ")}) VALUES (${marks})`, values);
  await sql(`INSERT INTO dmake.history (outcome, ${names.join(", ")}) VALUES ('loaded', ${marks})`, values);
}

/** Tables, views and columns of the ledger that say nothing of themselves. */
const silent = (sql: Scene["sql"]) =>
  sql(
    `SELECT c.relname, a.attname FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      WHERE c.relnamespace = 'dmake'::regnamespace AND c.relkind IN ('r', 'v')
        AND (obj_description(c.oid, 'pg_class') IS NULL OR col_description(c.oid, a.attnum) IS NULL)`,
  );

/** All that makes a ledger what it is, but for the order of columns. */
const shape = (sql: Scene["sql"]) =>
  sql(
    `SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull, pg_get_expr(d.adbin, d.adrelid) AS filled,
            col_description(c.oid, a.attnum) AS note
       FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
      WHERE c.relnamespace = 'dmake'::regnamespace ORDER BY 1, 2`,
  );

const trips = { outputs: ["table:trips/2023-01"] } as unknown as Step;

for (const version of [1, 2]) {
  story(
    `a ledger of version ${version} is read as it is, and brought up to date with all its rows`,
    async (scene) => {
      const { sql, session } = scene;
      await oldLedger(scene, version);
      const reader = await session();
      const [before] = value(await readLedger(reader, [address(trips.outputs[0]!)]));
      assert.equal(before?.trace.outputs[0]?.digest, version > 1 ? "sha256:c" : "sha256:f");
      assert.equal(before?.strategy, undefined);
      assert.deepEqual(await sql("SELECT version FROM dmake.meta"), [{ version }]);
      const rows = await sql("SELECT to_jsonb(l) AS row FROM dmake.loads l");
      value(await ensureLedger(reader));
      assert.deepEqual(await sql("SELECT version FROM dmake.meta"), [{ version: 3 }]);
      assert.deepEqual(value(await readLedger(reader, [address(trips.outputs[0]!)])), [before]);
      const [now] = await sql("SELECT to_jsonb(l) AS row FROM dmake.loads l");
      const kept = Object.keys(rows[0]!.row as object);
      assert.deepEqual(
        Object.fromEntries(Object.entries(now!.row as object).filter(([name]) => kept.includes(name))),
        rows[0]!.row,
      );
      assert.deepEqual(await sql("SELECT attempt, outcome, provisional FROM dmake.history"), [
        { attempt: "old", outcome: "loaded", provisional: false },
      ]);
      assert.deepEqual(await silent(sql), []);
      assert.deepEqual(
        await sql(
          "SELECT target, rows, rejects, provisional, strategy, duration::text, host, source_url FROM dmake.status",
        ),
        [
          {
            target: "table:trips/2023-01",
            rows: "2",
            rejects: "0",
            provisional: false,
            strategy: null,
            duration: "00:00:09",
            host: "there",
            source_url: "https://example.org/a",
          },
        ],
      );
      assert.deepEqual(await sql("SELECT url, etag, file, digest, attempt FROM dmake.provenance"), [
        {
          url: "https://example.org/a",
          etag: '"a"',
          file: "data/a.parquet",
          digest: "sha256:a",
          attempt: "old",
        },
      ]);
    },
  );

  story(
    `eight that come to a ledger of version ${version} at once bring it up to date once`,
    async (scene) => {
      await oldLedger(scene, version);
      const sessions = await Promise.all(Array.from({ length: 8 }, () => scene.session()));
      await Promise.all(
        sessions.map(async (session, n) => {
          value(await ensureLedger(session));
          await session.query("BEGIN");
          await recordLoad(session, loadOf(`table:trips/m${n}`));
          await session.query("COMMIT");
        }),
      );
      assert.deepEqual(await scene.sql("SELECT version FROM dmake.meta"), [{ version: 3 }]);
      assert.deepEqual(
        await scene.sql("SELECT count(*)::int AS loads, count(strategy)::int AS told FROM dmake.loads"),
        [{ loads: 9, told: 8 }],
      );
      assert.deepEqual(await scene.sql("SELECT count(*)::int AS n FROM dmake.history"), [{ n: 9 }]);
    },
  );

  story(`what becomes of version ${version} is what is made anew`, async (scene) => {
    await oldLedger(scene, version);
    const session = await scene.session();
    value(await ensureLedger(session));
    const grown = await shape(scene.sql);
    await scene.sql("DROP SCHEMA dmake CASCADE");
    value(await ensureLedger(session));
    assert.deepEqual(await shape(scene.sql), grown);
  });
}

story(
  "eight that come at once where there is none make one ledger, of which every part says what it is",
  async (scene) => {
    const sessions = await Promise.all(Array.from({ length: 8 }, () => scene.session()));
    await Promise.all(sessions.map(async (session) => value(await ensureLedger(session))));
    assert.deepEqual(await scene.sql("SELECT version FROM dmake.meta"), [{ version: 3 }]);
    assert.deepEqual(await silent(scene.sql), []);
    const parts = await scene.sql(
      "SELECT relname FROM pg_class WHERE relnamespace = 'dmake'::regnamespace AND relkind IN ('r', 'v') ORDER BY 1",
    );
    assert.deepEqual(
      parts.map(({ relname }) => relname),
      ["history", "loads", "meta", "provenance", "rejects", "status"],
    );
  },
);

story("a ledger of version 4 is left alone", async (scene) => {
  const session = await scene.session();
  value(await ensureLedger(session));
  await scene.sql("UPDATE dmake.meta SET version = 4; ALTER TABLE dmake.loads ADD COLUMN later text");
  const before = await shape(scene.sql);
  assert.deepEqual(failure(await ensureLedger(session)), { reason: "ledger-newer", found: 4, known: 3 });
  assert.deepEqual(failure(await readLedger(session, [address("table:trips")])), {
    reason: "ledger-newer",
    found: 4,
    known: 3,
  });
  assert.deepEqual(await shape(scene.sql), before);
});

story(
  "whoever brings a ledger up to date waits for the load of an older dmake, whatever limits people have",
  async (scene) => {
    await oldLedger(scene, 2);
    const older = await scene.client();
    await older.query("BEGIN");
    await older.query("SELECT FROM dmake.loads");
    await scene.sql("ALTER ROLE tester SET statement_timeout = '200ms'");
    const session = await scene.session();
    await scene.sql("ALTER ROLE tester RESET statement_timeout");
    const ensuring = ensureLedger(session);
    // Longer than the limit.
    await older.query("SELECT pg_sleep(0.3)");
    assert.deepEqual(await scene.sql("SELECT version FROM dmake.meta"), [{ version: 2 }]);
    await older.query("COMMIT");
    value(await ensuring);
  },
);

story("a migration that fails leaves the ledger as it was", async (scene) => {
  await oldLedger(scene, 2);
  await scene.sql("CREATE VIEW dmake.rejects AS SELECT 1 AS mine");
  const before = await shape(scene.sql);
  const session = await scene.session();
  const refused = await session.guard("bring the ledger up to date", () => ensureLedger(session));
  assert.equal(failure(refused).reason, "postgres-error");
  assert.deepEqual(await shape(scene.sql), before);
  assert.deepEqual(await scene.sql("SELECT version FROM dmake.meta"), [{ version: 2 }]);
});

/** A user who may do nothing but come in. */
async function newcomer({ sql }: Scene): Promise<string> {
  const role = `user_${scenes}`;
  await sql(`CREATE ROLE ${role} LOGIN PASSWORD 's3cret-of-tests'`);
  return role;
}

const said = (result: Parameters<typeof failure>[0]) => {
  const error = failure(result);
  assert(error.reason === "postgres-error" && error.code === "42501", JSON.stringify(error));
  return { message: error.message, hint: error.hint ?? "" };
};

/** What an administrator is asked to run. */
const remedy = (hint: string): string => /run: (.*)$/.exec(hint)![1]!;

story("who may not make the ledger is told what an administrator can run, and then may", async (scene) => {
  const role = await newcomer(scene);
  const session = await scene.session(role);
  const { message, hint } = said(await ensureLedger(session));
  assert.match(message, new RegExp(`\`${role}\` may not create a schema in database \`ledger_`));
  await scene.sql(remedy(hint));
  value(await ensureLedger(session));
  assert.deepEqual(await silent(scene.sql), []);
});

story("who may not write into the ledger is told before any row is sent", async (scene) => {
  value(await ensureLedger(await scene.session()));
  const role = await newcomer(scene);
  const session = await scene.session(role);
  const { message, hint } = said(await ensureLedger(session));
  assert.match(message, /needs to read and write the ledger, which belongs to `tester`/);
  assert.equal(said(await readLedger(session, [address("table:trips")])).hint, hint);
  await scene.sql(
    "GRANT USAGE ON SCHEMA dmake TO public; GRANT SELECT ON ALL TABLES IN SCHEMA dmake TO public",
  );
  assert.equal(said(await ensureLedger(session)).hint, hint);
  assert.deepEqual(value(await readLedger(session, [address("table:trips")])), [undefined]);
  await scene.sql(remedy(hint));
  value(await ensureLedger(session));
  await session.query("BEGIN");
  await recordLoad(session, loadOf("table:trips", { rejected: { file: "a", rows: [{ reason: "no" }] } }));
  await session.query("COMMIT");
});

story("who may not change an older ledger is told whose it is", async (scene) => {
  await oldLedger(scene, 2);
  const role = await newcomer(scene);
  await scene.sql(
    `GRANT USAGE, CREATE ON SCHEMA dmake TO ${role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA dmake TO ${role}`,
  );
  const owner = `owner_${scenes}`;
  await scene.sql(
    `CREATE ROLE ${owner}; ALTER SCHEMA dmake OWNER TO ${owner}; ALTER TABLE dmake.meta OWNER TO ${owner}; ALTER TABLE dmake.loads OWNER TO ${owner}; ALTER TABLE dmake.history OWNER TO ${owner}`,
  );
  const session = await scene.session(role);
  const { message, hint } = said(await ensureLedger(session));
  assert.match(message, new RegExp(`belongs to \`${owner}\`.*only its owner`));
  assert.deepEqual(await scene.sql("SELECT version FROM dmake.meta"), [{ version: 2 }]);
  await scene.sql(remedy(hint));
  value(await ensureLedger(session));
  assert.deepEqual(await scene.sql("SELECT version FROM dmake.meta"), [{ version: 3 }]);
});

const origins = [
  { name: "data/a.csv", digest: "sha256:a" },
  {
    name: "data/b.csv",
    digest: "sha256:b",
    url: "https://example.org/b",
    etag: '"b"',
    lastModified: "Sat, 21 Nov 2026 10:00:00 GMT",
    checkedAt: "2026-11-21T11:00:00.000Z",
  },
  { name: "data/c.csv", digest: "sha256:c", url: "https://example.org/c" },
];

story(
  "a load is written down with where it comes from, what it changed and what it set aside",
  async (scene) => {
    const session = await scene.session();
    value(await ensureLedger(session));
    const target = "table:trips/2023-01";
    const rejects = [
      { line: 7, column: "fare", value: "1,5\0", reason: "it is not a number" },
      { row: 9, reason: "it has 3 fields, not 2" },
    ];
    const load = loadOf(target, {
      trace: traceFor(target, { provisional: true, facts: { rejects: 2, rows: 2 } }),
      checksum: { rows: 2, text: "hash64:2:1:2", columns: [{ name: "id", type: "integer" }] },
      rejected: { file: "data/a.csv", rows: rejects },
      origins,
      changes: ["column `tip` was added as `numeric`"],
    });
    await recordLoad(session, load);
    for (const ledger of ["loads", "history"])
      assert.deepEqual(
        await scene.sql(
          `SELECT strategy, partition_column, checksum, checksum_columns, origins, changes, provisional, rejects, source_url, source_etag FROM dmake.${ledger}`,
        ),
        [
          {
            strategy: "swap",
            partition_column: "month",
            checksum: "hash64:2:1:2",
            checksum_columns: [{ name: "id", type: "integer" }],
            origins,
            changes: ["column `tip` was added as `numeric`"],
            provisional: true,
            rejects: "2",
            source_url: "https://example.org/b",
            source_etag: '"b"',
          },
        ],
      );
    const [entry] = value(await readLedger(session, [address(target)]));
    assert.deepEqual(entry?.trace, load.trace);
    assert.deepEqual([entry?.strategy, entry?.partitionColumn, entry?.rows], ["swap", "month", 2]);
    assert.deepEqual(await scene.sql("SELECT * FROM dmake.rejects ORDER BY line"), [
      {
        schema_name: "public",
        table_name: "trips",
        partition: "2023-01",
        attempt: load.trace.attempt,
        file: "data/a.csv",
        line: "7",
        row: null,
        column_name: "fare",
        value: "1,5\ufffd",
        reason: "it is not a number",
      },
      {
        schema_name: "public",
        table_name: "trips",
        partition: "2023-01",
        attempt: load.trace.attempt,
        file: "data/a.csv",
        line: null,
        row: "9",
        column_name: null,
        value: null,
        reason: "it has 3 fields, not 2",
      },
    ]);
    assert.deepEqual(
      await scene.sql(
        "SELECT file, url, etag, last_modified, checked_at, digest, fingerprint FROM dmake.provenance",
      ),
      [
        {
          file: "data/a.csv",
          url: null,
          etag: null,
          last_modified: null,
          checked_at: null,
          digest: "sha256:a",
          fingerprint: load.fingerprint,
        },
        {
          file: "data/b.csv",
          url: "https://example.org/b",
          etag: '"b"',
          last_modified: "Sat, 21 Nov 2026 10:00:00 GMT",
          checked_at: new Date("2026-11-21T11:00:00Z"),
          digest: "sha256:b",
          fingerprint: load.fingerprint,
        },
        {
          file: "data/c.csv",
          url: "https://example.org/c",
          etag: null,
          last_modified: null,
          checked_at: null,
          digest: "sha256:c",
          fingerprint: load.fingerprint,
        },
      ],
    );
  },
);

story("rows that were set aside are those of the present load only", async (scene) => {
  const session = await scene.session();
  value(await ensureLedger(session));
  const rejected = (reason: string) => ({ rejected: { file: "a.csv", rows: [{ line: 2, reason }] } });
  const kept = () => scene.sql("SELECT partition, reason FROM dmake.rejects ORDER BY partition");
  await recordLoad(session, loadOf("table:trips/a", rejected("one")));
  await recordLoad(session, loadOf("table:trips/b", rejected("two")));
  await recordLoad(session, loadOf("table:trips/a", rejected("three")));
  assert.deepEqual(await kept(), [
    { partition: "a", reason: "three" },
    { partition: "b", reason: "two" },
  ]);
  await recordLoad(session, { ...loadOf("table:trips/a"), outcome: "amended" });
  assert.equal((await kept()).length, 2);
  await recordLoad(session, loadOf("table:trips/a"));
  assert.deepEqual(await kept(), [{ partition: "b", reason: "two" }]);
  assert.deepEqual(await scene.sql("SELECT rejects FROM dmake.history ORDER BY id"), [
    ...["1", "1", "1", "0", "0"].map((rejects) => ({ rejects })),
  ]);
});

story("an amendment keeps what is known of the rows, and says what is new", async (scene) => {
  const session = await scene.session();
  value(await ensureLedger(session));
  const checksum = { rows: 2, text: "hash64:2:1:2", columns: [{ name: "id", type: "integer" }] };
  await recordLoad(session, loadOf("table:zones", { checksum, origins, changes: ["a change"] }));
  const trace = traceFor("table:zones", {
    recipe: { kind: "table", "table.comment": "new" },
    attempt: "later",
  });
  await recordLoad(session, loadOf("table:zones", { outcome: "amended", trace, fingerprint: "sha256:new" }));
  assert.deepEqual(
    await scene.sql(
      "SELECT fingerprint, recipe, attempt, checksum, origins, changes, strategy, source_url FROM dmake.loads",
    ),
    [
      {
        fingerprint: "sha256:new",
        recipe: trace.recipe,
        attempt: "later",
        checksum: checksum.text,
        origins,
        changes: ["a change"],
        strategy: "replace",
        source_url: "https://example.org/b",
      },
    ],
  );
  assert.deepEqual(await scene.sql("SELECT outcome, checksum FROM dmake.history ORDER BY id"), [
    { outcome: "loaded", checksum: checksum.text },
    { outcome: "amended", checksum: checksum.text },
  ]);
  await recordLoad(session, loadOf("table:zones"));
  assert.deepEqual(await scene.sql("SELECT checksum, origins, changes, source_url FROM dmake.loads"), [
    { checksum: null, origins: null, changes: null, source_url: null },
  ]);
});
