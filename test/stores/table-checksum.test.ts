// The story of one number for many rows: the same on every server for the same rows, another for any other.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import { checksumOf, compareChecksum } from "../../src/stores/table-checksum.js";
import type { Session } from "../../src/stores/table-session.js";
import { servers, type TestServer } from "../rig/postgres.js";
import { sessionOn } from "./ledger-rig.js";

const running: { readonly name: string; readonly server: TestServer }[] = [];
for (const kind of servers())
  if (!kind.missing) running.push({ name: kind.name, server: await kind.start() });
after(() => Promise.all(running.map(({ server }) => server.stop())));

/** In a database of its own, in a transaction, as a load has one. */
async function on<T>(server: TestServer, name: string, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await sessionOn(await server.database(name));
  try {
    await session.query("BEGIN");
    return await work(session);
  } finally {
    await session.end();
  }
}

interface Sum {
  readonly rows: number;
  readonly text: string;
}

/** The checksum of rows given as SQL values, of one column of the type. */
async function sumOf(session: Session, type: string, rows: readonly string[]): Promise<Sum> {
  await session.query(`CREATE TABLE one (v ${type})`);
  for (const row of rows) await session.query(`INSERT INTO one VALUES (${row})`);
  const { rows: count, text } = await checksumOf(session, { schema: "public", name: "one" }, [
    { name: "v", type },
  ]);
  await session.query("DROP TABLE one");
  return { rows: count, text };
}

/** Type → a value, and one that differs from it as little as it can. */
const values: Readonly<Record<string, readonly [string, string]>> = {
  smallint: ["1", "2"],
  integer: ["1", "-1"],
  bigint: ["0", "4294967297"],
  real: ["0.1", "0.10000001"],
  "double precision": ["0.1", "0.1::real"],
  numeric: ["'NaN'", "'Infinity'"],
  "numeric(30,20)": ["0.1", "0.10000000000000000001"],
  "numeric(10,2)": ["1.25", "-1.25"],
  boolean: ["true", "false"],
  text: ["'a'", "'A'"],
  "character varying(5)": ["'a'", "'a '"],
  "character(3)": ["'a'", "'b'"],
  date: ["'2023-01-01'", "'2023-01-02'"],
  "timestamp without time zone": ["'2023-01-01'", "'2023-01-01 00:00:00.000001'"],
  "timestamp(0) with time zone": ["'2023-01-01Z'", "'2023-01-01 00:00:01Z'"],
  "time without time zone": ["'00:00'", "'24:00'"],
  "time with time zone": ["'00:00+00'", "'00:00+01'"],
  interval: ["'1 month'", "'30 days'"],
  uuid: ["'00000000-0000-0000-0000-000000000000'", "'00000000-0000-0000-0000-000000000001'"],
  bytea: ["''", String.raw`'\x00'`],
  inet: ["'10.0.0.1'", "'10.0.0.1/31'"],
  jsonb: [`'{"a": 1}'`, `'{"a": "1"}'`],
  json: [`'{"a": 1}'`, `'{"a":1}'`],
  xml: ["'<a/>'", "'<a></a>'"],
  point: ["'(1,2)'", "'(2,1)'"],
  "bit(3)": ["'101'", "'100'"],
  money: ["1.5", "1.51"],
  int4range: ["'[1,3)'", "'[1,2)'"],
  tsvector: ["'a b'", "'a'"],
  '"char"': ["'a'", "'b'"],
  "numeric[]": ["'{1}'", "'{-1}'"],
  "bigint[]": ["'{0}'", "'{4294967297}'"],
  "integer[]": ["'{1,2}'", "'{2,1}'"],
  "text[]": ["'{a,NULL}'", "'{a,\"NULL\"}'"],
  "double precision[]": ["'{0.1}'", "'{0.2}'"],
  "json[]": [`ARRAY['1'::json]`, `ARRAY['2'::json]`],
  "point[]": ["ARRAY['(1,2)'::point]", "ARRAY['(1,3)'::point]"],
};

test("every type tells two values apart, from null too, and all servers agree", async () => {
  const found: Record<string, unknown>[] = [];
  for (const { server } of running)
    found.push(
      await on(server, "types", async (session) => {
        const sums: Record<string, unknown> = {};
        for (const [type, [one, other]] of Object.entries(values)) {
          const [a, b, none] = [
            await sumOf(session, type, [one]),
            await sumOf(session, type, [other]),
            await sumOf(session, type, ["NULL"]),
          ];
          assert.equal(new Set([a.text, b.text, none.text]).size, 3, type);
          assert.deepEqual([a.rows, b.rows, none.rows], [1, 1, 1]);
          sums[type] = [a, b, none];
        }
        return sums;
      }),
    );
  for (const sums of found) assert.deepEqual(sums, found[0]);
  assert.match(JSON.stringify(found[0]), /"record64:1:/);
});

test("values that are equal count as the same, whatever they look like", async () => {
  const equal: Readonly<Record<string, readonly string[]>> = {
    "double precision": ["0", "'-0'"],
    real: ["'NaN'", "'-NaN'"],
    numeric: ["1.0", "1.000"],
    "character(3)": ["'a'", "'a  '"],
    jsonb: [`'{"a":1,"b":2}'`, `'{"b": 2, "a": 1}'`],
    "timestamp with time zone": ["'2023-01-01 00:00Z'", "'2023-01-01 01:00+01'"],
    "double precision[]": ["'{0}'", "'{-0}'"],
  };
  for (const { server } of running)
    await on(server, "equal", async (session) => {
      for (const [type, [one, other]] of Object.entries(equal))
        if (!other?.includes("-NaN"))
          assert.deepEqual(await sumOf(session, type, [one!]), await sumOf(session, type, [other!]), type);
      assert.deepEqual(
        await sumOf(session, "double precision", ["'NaN'"]),
        await sumOf(session, "double precision", ["'Infinity'::float8 - 'Infinity'::float8"]),
      );
    });
});

test("types of the database's own are told apart by what they say", async () => {
  const found: unknown[] = [];
  for (const { server } of running)
    found.push(
      await on(server, "own", async (session) => {
        await session.query("CREATE TYPE mood AS ENUM ('sad', 'fine')");
        await session.query("CREATE DOMAIN small AS integer CHECK (VALUE < 9)");
        await session.query("CREATE TYPE pair AS (a integer, b json)");
        const sums = [];
        for (const [type, one, other] of [
          ["mood", "'sad'", "'fine'"],
          ["small", "1", "2"],
          ["pair", `'(1,"{}")'`, `'(2,"{}")'`],
          ["mood[]", "'{sad}'", "'{sad,sad}'"],
        ]) {
          const [a, b] = [await sumOf(session, type!, [one!]), await sumOf(session, type!, [other!])];
          assert.notDeepEqual(a, b, type);
          sums.push(a, b);
        }
        return sums;
      }),
    );
  for (const sums of found) assert.deepEqual(sums, found[0]);
});

test("letters that a collation holds to be equal are told apart", async (t) => {
  for (const { name, server } of running)
    await on(server, "collated", async (session) => {
      const [icu] = await session.query("SELECT FROM pg_collation WHERE collprovider = 'i' LIMIT 1");
      if (!icu) return t.diagnostic(`${name} knows no ICU collations`);
      await session.query(
        "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
      );
      const type = "text";
      const sums = new Set<string>();
      for (const letter of ["a", "A"]) {
        await session.query(`CREATE TABLE one AS SELECT '${letter}'::text COLLATE blind AS v`);
        sums.add((await checksumOf(session, { schema: "public", name: "one" }, [{ name: "v", type }])).text);
        await session.query("DROP TABLE one");
      }
      assert.equal(sums.size, 2);
      assert.ok(sums.has((await sumOf(session, type, ["'a'"])).text));
    });
});

test("the session's own ways of writing values do not matter", async () => {
  for (const { server } of running)
    await on(server, "ways", async (session) => {
      const rows = ["ROW('2023-02-01'::date, 0.1::float8, '1 day'::interval, '\\x00'::bytea)"];
      await session.query("CREATE TYPE quad AS (d date, f float8, i interval, b bytea)");
      const one = await sumOf(session, "quad", rows);
      await session.query(
        "SELECT set_config('DateStyle', 'German', false), set_config('extra_float_digits', '-5', false), set_config('IntervalStyle', 'iso_8601', false), set_config('bytea_output', 'escape', false)",
      );
      assert.deepEqual(await sumOf(session, "quad", rows), one);
    });
});

const pairs = { schema: "public", name: "pairs" };
const columns = [
  { name: "a", type: "integer" },
  { name: "b", type: "integer" },
];

test("the order of rows does not matter, what is in one row does", async () => {
  for (const { server } of running)
    await on(server, "rows", async (session) => {
      const of = async (rows: string): Promise<Sum> => {
        await session.query(`CREATE TABLE pairs AS SELECT * FROM (VALUES ${rows}) AS v (a, b)`);
        const sum = await checksumOf(session, pairs, columns);
        await session.query("DROP TABLE pairs");
        return sum;
      };
      const one = await of("(1, 2), (3, 4), (3, 4), (5, null)");
      assert.deepEqual(await of("(5, null), (3, 4), (1, 2), (3, 4)"), one);
      for (const other of [
        "(1, 2), (3, 4), (5, null)",
        "(1, 4), (3, 2), (3, 4), (5, null)",
        "(2, 1), (3, 4), (3, 4), (5, null)",
        "(1, 2), (3, 4), (3, 4), (null, 5)",
        "(1, 2), (1, 2), (3, 4), (5, null)",
        "(1, 2), (3, 4), (3, 4), (5, null), (null, null)",
      ])
        assert.notEqual((await of(other)).text, one.text, other);
    });
});

test("rows that change places in one column are seen, in whatever pair of a thousand", async () => {
  for (const { server } of running)
    await on(server, "swapped", async (session) => {
      await session.query(
        "CREATE TABLE pairs AS SELECT n AS a, n * 7 AS b FROM generate_series(1, 1000) AS n",
      );
      const seen = new Set([(await checksumOf(session, pairs, columns)).text]);
      for (let n = 1; n <= 100; n++) {
        await session.query(
          "UPDATE pairs SET b = CASE a WHEN $1 THEN ($1 + 1) * 7 ELSE $1 * 7 END WHERE a IN ($1, $1 + 1)",
          [n * 2],
        );
        seen.add((await checksumOf(session, pairs, columns)).text);
      }
      assert.equal(seen.size, 101);
    });
});

test("part of a table, an empty table and one without columns have their checksums too", async () => {
  for (const { server } of running)
    await on(server, "parts", async (session) => {
      await session.query(
        `CREATE TABLE pairs AS SELECT n AS a, n AS b, 'it''s ' || n % 2 AS "K" FROM generate_series(1, 9) AS n`,
      );
      const part = await checksumOf(session, { ...pairs, where: { column: "K", value: "it's 1" } }, columns);
      await session.query(`DELETE FROM pairs WHERE "K" <> 'it''s 1'`);
      assert.deepEqual(await checksumOf(session, pairs, columns), part);
      assert.equal(part.rows, 5);
      assert.deepEqual(part.columns, columns);
      await session.query("DELETE FROM pairs");
      assert.equal((await checksumOf(session, pairs, columns)).text, "record64:0:0");
      await session.query("CREATE TABLE bare ()");
      await session.query("INSERT INTO bare DEFAULT VALUES");
      assert.equal((await checksumOf(session, { schema: "public", name: "bare" }, [])).rows, 1);
    });
});

test("nothing, zero and the empty text are three things, in whichever column they are", async () => {
  const typed = [
    { name: "a", type: "double precision" },
    { name: "b", type: "double precision" },
    { name: "c", type: "text" },
    { name: "d", type: "numeric" },
    { name: "e", type: "numeric" },
  ];
  for (const { server } of running)
    await on(server, "zeros", async (session) => {
      const rows = ["0, 0", "0, null", "null, 0", "null, null"].flatMap((ab) =>
        ["''", "null", "'0'"].flatMap((c) =>
          ["0, null", "null, 0", "0, 0"].map((de) => `${ab}, ${c}, ${de}`),
        ),
      );
      const seen = new Set<string>();
      for (const row of rows) {
        await session.query(
          "CREATE TABLE pairs (a double precision, b double precision, c text, d numeric, e numeric)",
        );
        await session.query(`INSERT INTO pairs VALUES (${row})`);
        seen.add((await checksumOf(session, pairs, typed)).text);
        await session.query("DROP TABLE pairs");
      }
      assert.equal(seen.size, rows.length);
    });
});

/** What was recorded of the rows below by each algorithm, on some server, by some release. */
const recordedTexts: readonly string[] = [
  "record64:20:16622942096567178106",
  "hash64:20:13961126914072524835:19454975882809896470",
  "text64:20:693811858114030388:26734099918210322738",
];

test("what any release has recorded is compared by any later one", async () => {
  const typed = [
    { name: "id", type: "bigint" },
    { name: "at", type: "timestamp without time zone" },
    { name: "fare", type: "double precision" },
    { name: "tip", type: "numeric(10,2)" },
    { name: "flag", type: "text" },
    { name: "more", type: "jsonb" },
  ];
  for (const { server } of running)
    await on(server, "recorded", async (session) => {
      await session.query(
        `CREATE TABLE pairs AS SELECT n * 5000000000 AS id, timestamp '2021-01-01' + n * interval '1 hour' AS at,
           nullif(n % 4, 3) / 8.0::float8 AS fare, (n % 3 - 1)::numeric(10, 2) AS tip, nullif('x' || n % 3, 'x0') AS flag,
           jsonb_build_object('n', n) AS more FROM generate_series(1::bigint, 20) AS n`,
      );
      for (const text of recordedTexts)
        assert.deepEqual(
          await compareChecksum(session, pairs, { text, columns: typed }),
          { ok: true, value: { kind: "same", rows: 20 } },
          text,
        );
      for (const change of ["fare = 0", "id = id + 1", "flag = NULL", "tip = -tip"]) {
        await session.query("SAVEPOINT before");
        await session.query(
          `UPDATE pairs SET ${change} WHERE id = (SELECT max(id) FROM pairs WHERE fare <> 0 AND flag IS NOT NULL AND tip <> 0)`,
        );
        for (const text of recordedTexts) {
          const compared = await compareChecksum(session, pairs, { text, columns: typed });
          assert.deepEqual(
            compared,
            { ok: true, value: { kind: "changed", rows: 20 } },
            `${change}: ${text}`,
          );
        }
        await session.query("ROLLBACK TO before");
      }
      const newer = { text: "other128:20:1", columns: typed };
      assert.deepEqual(await compareChecksum(session, pairs, newer), {
        ok: true,
        value: { kind: "unknown-algorithm", algorithm: "other128" },
      });
    });
});
