// The story of what is seen without reading rows: tables that went, that were emptied, that somebody has replaced, and ledgers that went.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import type pg from "pg";
import type { Load } from "../../src/stores/ledger-rows.js";
import { readDefinition } from "../../src/stores/table-catalog.js";
import { type Found, readFound } from "../../src/stores/table-found.js";
import { type Mark, readMark, readWords, writeMark } from "../../src/stores/table-mark.js";
import type { Session } from "../../src/stores/table-session.js";
import { servers, type TestServer } from "../rig/postgres.js";
import { address, clientOn, recordAsIs, sessionOn } from "./ledger-rig.js";

const running: { readonly name: string; readonly server: TestServer }[] = [];
for (const kind of servers())
  if (!kind.missing) running.push({ name: kind.name, server: await kind.start() });
after(() => Promise.all(running.map(({ server }) => server.stop())));

interface Scene {
  readonly session: Session;
  readonly sql: (text: string) => Promise<pg.QueryResult>;
  readonly client: () => Promise<pg.Client>;
  /** `there` is as recorded or marked, `other` there but not as dmake made it, `gone` not there. */
  readonly seen: (...targets: string[]) => Promise<readonly string[]>;
}

let scenes = 0;

function story(title: string, tell: (scene: Scene) => Promise<void>): void {
  for (const { name, server } of running)
    test(`${title} (${name})`, async (t) => {
      const url = await server.database(`scene_${++scenes}`);
      const session = await sessionOn(url);
      const clients = [await clientOn(url)];
      t.after(async () => {
        await session.end();
        for (const one of clients) await one.end();
      });
      const client = async () => {
        clients.push(await clientOn(url));
        return clients.at(-1)!;
      };
      const seen = async (...targets: string[]) =>
        (await readFound(session, targets.map(address))).map((one, n) => inAWord(one, targets[n]!));
      await tell({ session, sql: (text) => clients[0]!.query(text), client, seen });
    });
}

function inAWord({ fact }: Found, target: string): string {
  if (fact.kind !== "present") return "gone";
  return fact.digest === `sha256:${target}` ? "there" : "other";
}

const part = (name: string) => ({ schema: "public", name });
const markOf = (target: string, rows: number, more: Partial<Mark> = {}): Mark => ({
  dmake: 1,
  target,
  fingerprint: "sha256:f",
  content: `sha256:${target}`,
  attempt: "a",
  rows,
  ...more,
});
const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

const byKey: Partial<Load> = { strategy: "delete", partitionColumn: "month" };

/** Months in one table, told by their key. */
async function months({ session, sql }: Scene, type = "text"): Promise<readonly string[]> {
  await sql(`CREATE TABLE trips (month ${type}, id integer)`);
  const values = ["2023-01-01", "2023-02-01", "2023-03-01"];
  for (const value of values) {
    if (value !== "2023-03-01")
      await sql(`INSERT INTO trips SELECT '${value}', n FROM generate_series(1, 5) AS n`);
    const from = { ...part("trips"), where: { column: "month", value } };
    await recordAsIs(session, `table:trips/${value}`, from, byKey);
  }
  return values.map((value) => `table:trips/${value}`);
}

for (const type of ["text", "date"])
  story(
    `rows told by a key of type ${type} are there while there is one of them, and none if none was loaded`,
    async (scene) => {
      const targets = await months(scene, type);
      const { sql, seen } = scene;
      assert.deepEqual(await seen(...targets), ["there", "there", "there"]);
      await sql("DELETE FROM trips WHERE month = '2023-01-01' AND id > 1");
      assert.deepEqual(await seen(...targets), ["there", "there", "there"]);
      await sql("DELETE FROM trips WHERE month = '2023-01-01'");
      assert.deepEqual(await seen(...targets), ["gone", "there", "there"]);
      assert.deepEqual(await seen(targets[0]!), ["gone"]);
      assert.deepEqual(await seen(targets[1]!), ["there"]);
      await sql("TRUNCATE trips");
      assert.deepEqual(await seen(...targets), ["gone", "gone", "there"]);
      await sql("ALTER TABLE trips DROP COLUMN month");
      assert.deepEqual(await seen(...targets), ["gone", "gone", "there"]);
      await sql("DROP TABLE trips");
      assert.deepEqual(await seen(...targets), ["gone", "gone", "gone"]);
    },
  );

story("a month that was never loaded is not there, whatever rows have its key", async (scene) => {
  await months(scene);
  await scene.sql("INSERT INTO trips VALUES ('2023-09-01', 1)");
  assert.deepEqual(await scene.seen("table:trips/2023-09-01"), ["gone"]);
  await scene.sql("DROP SCHEMA dmake CASCADE");
  assert.deepEqual(await scene.seen("table:trips/2023-01-01", "table:trips"), ["gone", "other"]);
});

story("merged rows are there while their table has any", async ({ session, sql, seen }) => {
  await sql("CREATE TABLE zones (month text, id integer PRIMARY KEY)");
  await sql("INSERT INTO zones VALUES ('2023-02', 1)");
  const targets = ["table:zones/2023-01", "table:zones/2023-02"];
  for (const target of targets)
    await recordAsIs(session, target, part("zones"), { strategy: "merge", partitionColumn: "month" });
  assert.deepEqual(await seen(...targets), ["there", "there"]);
  await sql("TRUNCATE zones");
  assert.deepEqual(await seen(...targets), ["gone", "gone"]);
  await sql("CREATE TABLE whole AS SELECT 1 AS id");
  await recordAsIs(session, "table:whole", part("whole"), { strategy: "merge" });
  assert.deepEqual(await seen("table:whole"), ["there"]);
  await sql("DELETE FROM whole");
  assert.deepEqual(await seen("table:whole"), ["gone"]);
});

story(
  "a mark is read below what a person says, and a person's words are not taken for one",
  async ({ sql, seen, session }) => {
    await sql("CREATE TABLE zones AS SELECT 1 AS id");
    const mark = markOf("table:zones", 1);
    for (const words of [
      "",
      "Taxi zones.",
      'Zones.\n{"dmake" is not a mark}\nas JSON: {"a": 1}',
      '{"dmake":1}',
    ]) {
      const comment = writeMark(mark, words);
      assert.deepEqual(readMark(comment), mark);
      assert.equal(readWords(comment) ?? "", words);
      await sql(`COMMENT ON TABLE zones IS ${literal(comment)}`);
      assert.deepEqual(await seen("table:zones"), ["there"]);
      const [found] = await readFound(session, [address("table:zones")]);
      assert.deepEqual(found?.mark, mark);
    }
    for (const words of [null, "Mine.", '{"dmake"', '{"dmake":2}', `${writeMark(mark)}\nand more`]) {
      assert.equal(readMark(words), undefined, String(words));
      assert.equal(readWords(words), words ?? undefined);
      await sql(`COMMENT ON TABLE zones IS ${words === null ? "NULL" : literal(words)}`);
      assert.deepEqual(await seen("table:zones"), ["other"]);
    }
  },
);

/** A month with a table and a mark of its own. */
async function swapped({ sql }: Scene, rows = 3): Promise<void> {
  await sql("CREATE TABLE trips (month text NOT NULL, id integer) PARTITION BY LIST (month)");
  await sql("CREATE TABLE trips_a PARTITION OF trips FOR VALUES IN ('it''s')");
  await sql(`INSERT INTO trips SELECT 'it''s', n FROM generate_series(1, ${rows}) AS n`);
  await sql(
    `COMMENT ON TABLE trips_a IS ${literal(writeMark(markOf("table:trips/it's", rows), "January."))}`,
  );
}

story("a partition that was truncated, detached or dropped is gone, an empty one is there", async (scene) => {
  const { sql, seen } = scene;
  await swapped(scene);
  assert.deepEqual(await seen("table:trips/it's", "table:trips", "table:trips/its"), [
    "there",
    "other",
    "gone",
  ]);
  await sql("TRUNCATE trips_a");
  assert.deepEqual(await seen("table:trips/it's"), ["gone"]);
  await sql("DROP TABLE trips");
  await swapped(scene, 0);
  assert.deepEqual(await seen("table:trips/it's"), ["there"]);
  await sql("ALTER TABLE trips DETACH PARTITION trips_a");
  assert.deepEqual(await seen("table:trips/it's"), ["gone"]);
  await sql("ALTER TABLE trips ATTACH PARTITION trips_a FOR VALUES IN ('its')");
  assert.deepEqual(await seen("table:trips/it's"), ["gone"]);
});

story("partitions of numbers are found by their number", async ({ sql, seen }) => {
  await sql("CREATE TABLE years (year integer) PARTITION BY LIST (year)");
  await sql("CREATE TABLE y PARTITION OF years FOR VALUES IN (2023)");
  await sql(`COMMENT ON TABLE y IS ${literal(writeMark(markOf("table:years/2023", 0)))}`);
  assert.deepEqual(await seen("table:years/2023"), ["there"]);
  assert.deepEqual(await seen("table:years/202", "table:years/2023"), ["gone", "there"]);
});

story("a view that somebody has replaced is another, whoever asks", async ({ session, sql, seen }) => {
  await sql("CREATE TABLE zones AS SELECT 1 AS id");
  await sql("CREATE VIEW v AS SELECT id FROM zones");
  const definition = (await readDefinition(session, "public", "v"))!;
  await sql(`COMMENT ON VIEW v IS ${literal(writeMark(markOf("view:v", 0, { definition }), "All zones."))}`);
  assert.deepEqual(await seen("view:v"), ["there"]);
  await session.query("SET search_path = pg_catalog");
  await sql("ALTER TABLE zones RENAME TO areas");
  assert.deepEqual(await seen("view:v"), ["there"]);
  await sql("CREATE OR REPLACE VIEW v AS SELECT id + 0 AS id FROM areas");
  assert.deepEqual(await seen("view:v"), ["other"]);
  await sql("DROP VIEW v");
  assert.deepEqual(await seen("view:v"), ["gone"]);
});

story("a partition is never missing while it is being swapped", async (scene) => {
  await swapped(scene);
  const { seen, client } = scene;
  const loader = await client();
  let loading = true;
  const loads = (async () => {
    for (let n = 0; n < 25; n++)
      await loader.query(
        `BEGIN; CREATE TABLE fresh AS SELECT * FROM trips_a; COMMENT ON TABLE fresh IS ${literal(writeMark(markOf("table:trips/it's", 3)))};
         LOCK TABLE ONLY trips IN ACCESS EXCLUSIVE MODE; ALTER TABLE trips DETACH PARTITION trips_a; ALTER TABLE fresh ALTER month SET NOT NULL;
         ALTER TABLE trips ATTACH PARTITION fresh FOR VALUES IN ('it''s'); DROP TABLE trips_a; ALTER TABLE fresh RENAME TO trips_a; COMMIT`,
      );
    loading = false;
  })();
  const found = new Set<string>();
  while (loading) for (const word of await seen("table:trips/it's")) found.add(word);
  await loads;
  assert.deepEqual([...found], ["there"]);
});

story(
  "however many targets there are, it is one query each for catalogue, ledger and table",
  async (scene) => {
    const targets = await months(scene);
    await swapped({ ...scene, sql: (text) => scene.sql(text.replaceAll("trips", "swaps")) });
    await scene.sql("CREATE TABLE other (month text, id integer); INSERT INTO other VALUES ('x', 1)");
    await recordAsIs(scene.session, "table:other/x", part("other"), byKey);
    const asked: string[] = [];
    const { client } = scene.session;
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    Object.assign(client, {
      query: (text: string, ...rest: unknown[]) => {
        asked.push(text);
        return query(text, ...rest);
      },
    });
    await scene.seen("table:swaps/it's", "table:swaps/x");
    assert.equal(asked.length, 1);
    await scene.seen(...targets, "table:swaps/it's", "table:other/x", "table:nowhere");
    assert.equal(asked.length, 1 + 4);
  },
);
