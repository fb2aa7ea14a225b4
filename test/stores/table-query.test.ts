// Tables, partitions and views that SQL makes are published as loads are: whole or not at all, with their record, and what was there stays as it was otherwise.
import { strict as assert } from "node:assert";
import { after, afterEach, beforeEach, test } from "node:test";
import type { Result } from "../../src/core/failure.js";
import type { SqlRecipe, Statement, Step, TableDeclaration } from "../../src/core/rule.js";
import type { Trace } from "../../src/core/trace.js";
import type { Attempt, QueryWriter, Store } from "../../src/engine/ports.js";
import {
  attemptFor,
  emptyWorld,
  factOf,
  failure,
  load,
  made,
  stopServer,
  untilWaiting,
  value,
  type World,
  watching,
} from "./table-rig.js";

after(stopServer);
let world: World;
beforeEach(async () => {
  world = await emptyWorld();
});
afterEach(() => world.end());

const never = new AbortController().signal;
type Values = Statement["values"];

/** SQL with `§` where each value stands. */
const statement = (text: string, ...values: Values): Statement => ({ texts: text.split("§"), values });

interface Wish {
  readonly target: string;
  readonly text: string;
  readonly values?: Values;
  readonly how?: "query" | "run";
  readonly table?: Partial<TableDeclaration>;
  /** Digest of the one input. */
  readonly digest?: string;
  readonly previous?: Trace;
}

function attemptOf({ target, text, values = [], table, digest = "1", previous }: Wish): Attempt {
  const parts = { kind: "sql", sql: text, ...(target.startsWith("view:") && { makes: "view" }) };
  const like = attemptFor({ target, columns: [], rows: [], recipe: parts, digest });
  const recipe: SqlRecipe = {
    kind: "sql",
    source: { from: "text", render: () => ({ ok: true, value: statement(text, ...values) }) },
    partitionColumn: target.includes("/") ? "month" : undefined,
    ...(table && { table: { contract: "evolve", maxRejects: 0, ...table } }),
  };
  const step: Step = { ...like.step, recipe, inputs: ["table:trips"] };
  return { ...like, step, ...(previous && { previous }) };
}

/** Stages, runs, publishes; a failure is discarded. */
async function make(store: Store, wish: Wish, signal = never): Promise<Result<Trace | "already">> {
  const attempt = attemptOf(wish);
  const staged = await store.stage(attempt);
  if (!staged.ok) return staged;
  if (staged.value.kind === "already") return { ok: true, value: "already" };
  assert(staged.value.kind === "query");
  const stage = staged.value;
  const rows = await handTo(stage.writer, wish, signal);
  const published = rows.ok
    ? await store.publish(attempt, stage, {
        ...made(0, attempt),
        outcome: { kind: "made", facts: rows.value === undefined ? {} : { rows: rows.value } },
      })
    : rows;
  if (published.ok) return { ok: true, value: published.value.trace };
  await store.discard(attempt, stage);
  return published;
}

const handTo = (writer: QueryWriter, { how = "query", text, values = [] }: Wish, signal: AbortSignal) =>
  writer[how](statement(text, ...values), signal);

const month = (of: string, ...rows: readonly (readonly [number, string])[]) =>
  load(world.store, {
    target: `table:trips/${of}`,
    columns: [
      { name: "id", type: "integer" },
      { name: "zone", type: "text" },
    ],
    rows,
  });

const trips = { target: "table:trips" };
const rowsOf = (table: string) => world.sql(`SELECT * FROM ${table} ORDER BY 1`);

test("the rows of a query become a table, with types of the query and values bound", async () => {
  await month("2023-01", [1, "a"], [2, "b"], [3, "a"]);
  const done = value(
    await make(world.store, {
      target: "table:zones",
      text: "select zone, count(*) as n, § as label, § as whole, § as part, § as yes from § where id < § group by zone limit §",
      values: ["it's $1", 5, 0.5, true, trips, 3, 10],
    }),
  );
  assert.deepEqual((done as Trace).facts, { rows: 2 });
  assert.deepEqual(await rowsOf("zones"), [
    { zone: "a", n: "1", label: "it's $1", whole: 5, part: "0.5", yes: true },
    { zone: "b", n: "1", label: "it's $1", whole: 5, part: "0.5", yes: true },
  ]);
  assert.deepEqual(
    await world.sql(
      "SELECT column_name AS name, data_type AS type FROM information_schema.columns WHERE table_name = 'zones' ORDER BY ordinal_position",
    ),
    [
      { name: "zone", type: "text" },
      { name: "n", type: "bigint" },
      { name: "label", type: "text" },
      { name: "whole", type: "integer" },
      { name: "part", type: "numeric" },
      { name: "yes", type: "boolean" },
    ],
  );
  const [row] = await world.sql("SELECT target, rows, strategy FROM dmake.loads WHERE table_name = 'zones'");
  assert.deepEqual(row, { target: "table:zones", rows: "2", strategy: "replace" });
  assert.deepEqual(await factOf(world.store, "table:zones"), {
    kind: "present",
    digest: (done as Trace).outputs[0]?.digest,
  });
});

test("the same rows by another query, in another order, are the same content", async () => {
  await month("2023-01", [1, "a"], [2, "b"]);
  const first = value(
    await make(world.store, {
      target: "table:t",
      text: "select id, zone from § order by 1",
      values: [trips],
    }),
  );
  const second = value(
    await make(world.store, {
      target: "table:t",
      text: "select id, zone from § where true order by 1 desc",
      values: [trips],
    }),
  );
  assert.deepEqual((second as Trace).outputs, (first as Trace).outputs);
  const third = value(
    await make(world.store, {
      target: "table:t",
      text: "select id, zone from § where id = 1",
      values: [trips],
    }),
  );
  assert.notDeepEqual((third as Trace).outputs, (first as Trace).outputs);
});

test("a partition of an input is its rows alone, also under an alias and among others", async () => {
  await month("2023-01", [1, "a"], [2, "b"]);
  await month("2023-02", [7, "c"]);
  const january = { target: "table:trips/2023-01", unnamed: true } as const;
  value(
    await make(world.store, {
      target: "table:daily/2023-01",
      text: "select trips.zone, count(*) as n from § group by 1",
      values: [january],
    }),
  );
  assert.deepEqual(await world.sql("SELECT zone, n, month FROM daily ORDER BY zone"), [
    { zone: "a", n: "1", month: "2023-01" },
    { zone: "b", n: "1", month: "2023-01" },
  ]);
  value(
    await make(world.store, {
      target: "table:pairs",
      text: "select x.id, y.id as other from § as x cross join § y",
      values: [{ target: "table:trips/2023-01" }, { target: "table:trips/2023-02" }],
    }),
  );
  assert.equal((await rowsOf("pairs")).length, 2);
});

test("a partition whose rows lie among others is its rows alone", async () => {
  await world.sql("CREATE TABLE trips (id integer, zone text, month text)");
  await world.sql("INSERT INTO trips VALUES (99, 'x', 'other')");
  await month("2023-01", [1, "a"]);
  await month("2023-02", [2, "b"]);
  for (const [name, values] of [
    ["unnamed", [{ target: "table:trips/2023-01", unnamed: true }]],
    ["named", [{ target: "table:trips/2023-01" }]],
  ] as const) {
    const text = name === "unnamed" ? "select id from §" : "select t.id from § as t";
    value(await make(world.store, { target: `table:${name}`, text, values }));
    assert.deepEqual(await rowsOf(name === "named" ? "named" : "unnamed"), [{ id: 1 }]);
  }
});

test("a partition that is not there is no empty one", async () => {
  await month("2023-01", [1, "a"]);
  const refused = await make(world.store, {
    target: "table:t",
    text: "select * from §",
    values: [{ target: "table:trips/2023-09", unnamed: true }],
  });
  assert.deepEqual(failure(refused), { reason: "output-missing", output: "table:trips/2023-09" });
});

const hostile = [
  "'; drop table trips; --",
  "\\'; drop table trips; --",
  '"; drop table trips; --',
  "$$; drop table trips; $$ --",
  "/* -- \n",
  "U&'\\0027'",
  "E'\\x27",
  "💥 ü \u2028",
  "$1",
  "",
];

test("whatever a value is, it arrives as it is, bound and quoted", async () => {
  await month("2023-01", [1, "a"]);
  for (const [i, text] of hostile.entries()) {
    value(
      await make(world.store, {
        target: `table:bound${i}`,
        text: "select § as x, §::text as y",
        values: [text, text],
      }),
    );
    assert.deepEqual(await rowsOf(`bound${i}`), [{ x: text, y: text }]);
    value(
      await make(world.store, {
        target: `view:seen${i}`,
        text: "select § as x, §::text as y, 7 -§ as n",
        values: [text, text, -1],
      }),
    );
    assert.deepEqual(await rowsOf(`seen${i}`), [{ x: text, y: text, n: 8 }]);
    value(
      await make(world.store, {
        target: `table:ran${i}`,
        how: "run",
        text: "create table § (x text); insert into § values (§)",
        values: [{ target: `table:ran${i}` }, { target: `table:ran${i}` }, text],
      }),
    );
    assert.deepEqual(await rowsOf(`ran${i}`), [{ x: text }]);
  }
  assert.equal((await rowsOf("trips")).length, 1);
});

test("whatever a name is, it is the name of one thing", async () => {
  const strange = `table:o"d; drop table trips; --'$$`;
  await month("2023-01", [1, "a"]);
  value(await make(world.store, { target: strange, text: "select * from §", values: [trips] }));
  value(
    await make(world.store, { target: "table:copy", text: "select * from §", values: [{ target: strange }] }),
  );
  assert.equal((await rowsOf("copy")).length, 1);
  await load(world.store, {
    target: `table:o"dd/it's "x"; --`,
    columns: [{ name: "id", type: "integer" }],
    rows: [[1]],
  });
  value(
    await make(world.store, {
      target: "table:partition",
      text: "select id from §",
      values: [{ target: `table:o"dd/it's "x"; --`, unnamed: true }],
    }),
  );
  assert.equal((await rowsOf("partition")).length, 1);
});

test("what Postgres has against a query is told with its place in the text that was written", async () => {
  await month("2023-01", [1, "a"]);
  const wrong = failure(
    await make(world.store, {
      target: "table:t",
      text: 'select § as "äö😀",\n  nope\nfrom § where id < §',
      values: ["long ".repeat(50), trips, 1],
    }),
  );
  assert.deepEqual(wrong, {
    reason: "sql-error",
    line: 2,
    column: 3,
    text: "  nope",
    code: "42703",
    message: 'column "nope" does not exist',
    hint: 'Perhaps you meant to reference the column "trips.zone".',
  });
  const later = failure(
    await make(world.store, { target: "table:t", text: "select 1 / (id - 1) from §", values: [trips] }),
  );
  assert.deepEqual(later, { reason: "sql-error", code: "22012", message: "division by zero" });
  const inView = failure(
    await make(world.store, { target: "view:v", text: "select §,\n nope", values: ["x"] }),
  );
  assert.deepEqual(
    [inView.reason === "sql-error" && inView.line, inView.reason === "sql-error" && inView.column],
    [2, 2],
  );
  const ran = failure(
    await make(world.store, {
      target: "table:t",
      how: "run",
      text: "create table t as select § as x;\n insert into t select nope",
      values: ["x"],
    }),
  );
  assert.deepEqual(
    [ran.reason === "sql-error" && ran.line, ran.reason === "sql-error" && ran.column],
    [2, 23],
  );
  assert.deepEqual(await world.sql("SELECT FROM pg_class WHERE relname = 't'"), []);
});

test("statements leave a table, which is counted, marked and recorded", async () => {
  await month("2023-01", [1, "a"], [2, "b"]);
  const wish: Wish = {
    target: "table:total",
    how: "run",
    text: "drop table if exists §; create table § (n bigint); insert into § select count(*) from §",
    values: [{ target: "table:total" }, { target: "table:total" }, { target: "table:total" }, trips],
    table: { comment: "How many." },
  };
  const first = value(await make(world.store, wish)) as Trace;
  assert.deepEqual(first.facts, { rows: 1 });
  assert.equal(value(await make(world.store, wish)), "already");
  assert.deepEqual(await rowsOf("total"), [{ n: "2" }]);
  assert.deepEqual(await factOf(world.store, "table:total"), {
    kind: "present",
    digest: first.outputs[0]?.digest,
  });
  const [{ comment }] = (await world.sql("SELECT obj_description('total'::regclass) AS comment")) as [
    { comment: string },
  ];
  assert.match(comment, /^How many\.\n\{"dmake":1,/);
  await world.sql("TRUNCATE total");
  assert.deepEqual(await factOf(world.store, "table:total"), { kind: "absent" });
});

test("statements that leave no table have made nothing", async () => {
  await month("2023-01", [1, "a"]);
  const refused = await make(world.store, {
    target: "table:total",
    how: "run",
    text: "create table other (x int)",
  });
  assert.deepEqual(failure(refused), { reason: "output-missing", output: "table:total" });
  assert.deepEqual(await world.sql("SELECT FROM pg_class WHERE relname = 'other'"), []);
  const inside = await make(world.store, {
    target: "table:trips/2023-09",
    how: "run",
    text: "delete from § where id = 7",
    values: [trips],
  });
  assert.deepEqual(failure(inside), { reason: "output-missing", output: "table:trips/2023-09" });
});

test("statements fill a partition among others, and the ledger tells of it", async () => {
  await world.sql("CREATE TABLE sums (month text, n bigint)");
  const wish = (of: string, n: number): Wish => ({
    target: `table:sums/${of}`,
    how: "run",
    text: "delete from § where month = §; insert into § values (§, §)",
    values: [{ target: `table:sums/${of}` }, of, { target: `table:sums/${of}` }, of, n],
  });
  const first = value(await make(world.store, wish("2023-01", 5))) as Trace;
  value(await make(world.store, wish("2023-02", 6)));
  value(await make(world.store, { ...wish("2023-02", 7), digest: "2" }));
  assert.deepEqual(await rowsOf("sums"), [
    { month: "2023-01", n: "5" },
    { month: "2023-02", n: "7" },
  ]);
  assert.deepEqual(await factOf(world.store, "table:sums/2023-01"), {
    kind: "present",
    digest: first.outputs[0]?.digest,
  });
  await world.sql("DELETE FROM sums WHERE month = '2023-01'");
  assert.deepEqual(await factOf(world.store, "table:sums/2023-01"), { kind: "absent" });
});

test("a transaction that somebody's function ends is no half of a load", async () => {
  const refused = failure(
    await make(world.store, {
      target: "table:t",
      how: "run",
      text: "create table t (x int); do $$ begin commit; end $$",
    }),
  );
  assert.equal(refused.reason === "sql-error" && refused.code, "2D000");
  assert.deepEqual(await world.sql("SELECT FROM pg_class WHERE relname = 't'"), []);
});

test("a view is made, replaced, and known to be edited, dropped or put back", async () => {
  await month("2023-01", [1, "a"], [2, "b"]);
  const wish: Wish = { target: "view:recent", text: "select id from § where id > §", values: [trips, 1] };
  const first = value(await make(world.store, wish)) as Trace;
  const fact = await factOf(world.store, "view:recent");
  assert.deepEqual(fact, { kind: "present", digest: first.outputs[0]?.digest });
  assert.deepEqual(await rowsOf("recent"), [{ id: 2 }]);
  assert.equal(value(await make(world.store, wish)), "already");
  const [recorded] = await world.sql("SELECT strategy, rows FROM dmake.loads WHERE target = 'view:recent'");
  assert.deepEqual(recorded, { strategy: "view", rows: "0" });
  await world.sql("CREATE OR REPLACE VIEW recent AS SELECT id FROM trips");
  assert.notDeepEqual(await factOf(world.store, "view:recent"), fact);
  await world.sql("DROP VIEW recent");
  assert.deepEqual(await factOf(world.store, "view:recent"), { kind: "absent" });
  value(await make(world.store, wish));
  assert.deepEqual(await factOf(world.store, "view:recent"), fact);
});

test("a view whose inputs have changed is another one, and what reads it follows", async () => {
  await month("2023-01", [1, "a"]);
  const wish: Wish = { target: "view:v", text: "select id from §", values: [trips] };
  const one = value(await make(world.store, wish)) as Trace;
  const two = value(await make(world.store, { ...wish, digest: "2" })) as Trace;
  assert.notDeepEqual(two.outputs, one.outputs);
});

test("a view that gets other columns keeps its owner, rights, options and comments", async () => {
  await month("2023-01", [1, "a"]);
  await world.sql(
    "CREATE ROLE view_owner; CREATE ROLE view_reader; GRANT USAGE, CREATE ON SCHEMA public TO view_owner",
  );
  try {
    value(await make(world.store, { target: "view:v", text: "select id, zone from §", values: [trips] }));
    await world.sql(`
      GRANT SELECT ON trips TO view_owner; ALTER VIEW v OWNER TO view_owner; ALTER VIEW v SET (security_barrier = true);
      GRANT SELECT ON v TO view_reader; GRANT SELECT (zone) ON v TO PUBLIC; COMMENT ON COLUMN v.zone IS 'Where.'; COMMENT ON COLUMN v.id IS 'Who.'`);
    for (const text of ["select id, zone, 1 as more from §", "select zone, id::text as id from §"]) {
      value(await make(world.store, { target: "view:v", text, values: [trips] }));
      const [v] = await world.sql(`
        SELECT pg_get_userbyid(relowner) AS owner, reloptions AS options, col_description(oid, (SELECT attnum FROM pg_attribute WHERE attrelid = c.oid AND attname = 'zone')) AS comment,
               has_table_privilege('view_reader', oid, 'SELECT') AS reads,
               (SELECT attacl IS NOT NULL FROM pg_attribute WHERE attrelid = c.oid AND attname = 'zone') AS column_rights
          FROM pg_class c WHERE relname = 'v'`);
      assert.deepEqual(
        v,
        {
          owner: "view_owner",
          options: ["security_barrier=true"],
          comment: "Where.",
          reads: true,
          column_rights: true,
        },
        text,
      );
    }
  } finally {
    await world.sql("DROP VIEW v; DROP OWNED BY view_owner, view_reader; DROP ROLE view_owner, view_reader");
  }
});

test("a view that others rest on stays as it is, and Postgres' words say what rests on it", async () => {
  await month("2023-01", [1, "a"]);
  value(await make(world.store, { target: "view:v", text: "select id, zone from §", values: [trips] }));
  await world.sql("CREATE VIEW above AS SELECT id FROM v");
  const refused = failure(
    await make(world.store, { target: "view:v", text: "select zone from §", values: [trips] }),
  );
  assert(refused.reason === "sql-error");
  assert.match(refused.message, /other objects depend on it/);
  assert.match(refused.detail ?? "", /view above depends on view v/);
  assert.match(refused.hint ?? "", /keep those that are there/);
  assert.equal((await world.sql("SELECT * FROM above")).length, 1);
  value(
    await make(world.store, { target: "view:v", text: "select id, zone, 1 as more from §", values: [trips] }),
  );
});

test("a view's triggers are not lost without a word", async () => {
  await month("2023-01", [1, "a"]);
  value(await make(world.store, { target: "view:v", text: "select id from §", values: [trips] }));
  await world.sql(`
    CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER mine INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION nothing()`);
  const refused = failure(
    await make(world.store, { target: "view:v", text: "select zone from §", values: [trips] }),
  );
  assert.match(refused.reason === "sql-error" ? (refused.hint ?? "") : "", /its triggers would be lost/);
});

test("where a table is, there is no room for a view, nor for a table where a view is", async () => {
  await month("2023-01", [1, "a"]);
  const overTable = failure(await make(world.store, { target: "view:trips", text: "select 1 as x" }));
  assert.equal(overTable.reason, "table-shape");
  value(await make(world.store, { target: "view:v", text: "select 1 as x" }));
  assert.equal(
    failure(await make(world.store, { target: "table:v", text: "select 1 as x" })).reason,
    "table-shape",
  );
  assert.equal((await rowsOf("trips")).length, 1);
});

test("what a Datafile says of a view is done to it, and undone when it says so no more", async () => {
  await month("2023-01", [1, "a"]);
  const wish: Wish = { target: "view:v", text: "select id from §", values: [trips] };
  const grants = { public: ["SELECT"] } as const;
  const first = value(
    await make(world.store, { ...wish, table: { comment: "Ours.", comments: { id: "Which." }, grants } }),
  ) as Trace;
  const told = async () =>
    (
      await world.sql(
        "SELECT obj_description(oid) AS comment, col_description(oid, 1) AS of_column, relacl::text AS acl FROM pg_class WHERE relname = 'v'",
      )
    )[0] as { comment: string; of_column: string | null; acl: string | null };
  assert.match((await told()).comment, /^Ours\.\n\{"dmake"/);
  assert.equal((await told()).of_column, "Which.");
  assert.match((await told()).acl ?? "", /[{,]=r\//);
  const previous = {
    ...first,
    recipe: { "table.comment": "Ours.", "table.comments.id": "Which.", "table.grants.public": "SELECT" },
  };
  value(await make(world.store, { ...wish, text: "select id, 1 as more from §", previous }));
  assert.match((await told()).comment, /^\{"dmake"/);
  assert.equal((await told()).of_column, null);
  assert.doesNotMatch((await told()).acl ?? "", /[{,]=r\//);
});

test("a view over a partitioned table, and over one partition, outlives swaps", async () => {
  await month("2023-01", [1, "a"]);
  await month("2023-02", [2, "b"]);
  value(await make(world.store, { target: "view:whole", text: "select id from §", values: [trips] }));
  value(
    await make(world.store, {
      target: "view:january",
      text: "select id from §",
      values: [{ target: "table:trips/2023-01", unnamed: true }],
    }),
  );
  // Not by the partition's own table: that would have to stay in the place of its successors.
  const [{ text }] = (await world.sql("SELECT pg_get_viewdef('january') AS text")) as [{ text: string }];
  assert.match(text, /month = '2023-01'/);
  await month("2023-01", [1, "a"], [9, "c"]);
  assert.deepEqual(await world.sql("SELECT * FROM whole ORDER BY 1"), [{ id: 1 }, { id: 2 }, { id: 9 }]);
  assert.deepEqual(await world.sql("SELECT * FROM january ORDER BY 1"), [{ id: 1 }, { id: 9 }]);
});

test("another partition of an input is swapped while a query reads this one", async () => {
  await month("2023-01", [1, "a"]);
  await month("2023-02", [2, "b"]);
  const slow = world.another();
  const attempt = attemptOf({ target: "table:slow", text: "" });
  const staged = value(await slow.stage(attempt));
  assert(staged.kind === "query");
  const january = { target: "table:trips/2023-01", unnamed: true } as const;
  value(await staged.writer.query(statement("select id from §", january), never));
  value(await month("2023-02", [2, "b"], [3, "c"]));
  value(
    await slow.publish(attempt, staged, {
      ...made(1, attempt),
      outcome: { kind: "made", facts: { rows: 1 } },
    }),
  );
  assert.equal((await rowsOf("trips")).length, 3);
});

test("two at once make one table once", async () => {
  await month("2023-01", [1, "a"]);
  const wish: Wish = { target: "table:t", text: "select id from §", values: [trips] };
  for (let round = 0; round < 5; round++) {
    const stores = [world.another(), world.another()];
    const done = await Promise.all(stores.map((store) => make(store, { ...wish, digest: String(round) })));
    assert.deepEqual(done.map((one) => value(one) === "already").sort(), [false, true]);
    assert.deepEqual(await rowsOf("t"), [{ id: 1 }]);
  }
  const [row] = await world.sql("SELECT count(*)::int AS loads FROM dmake.history WHERE target = 'table:t'");
  assert.deepEqual(row, { loads: 5 });
});

test("a connection that is cut in the middle leaves what was there", async () => {
  await month("2023-01", [1, "a"]);
  value(await make(world.store, { target: "table:t", text: "select id from §", values: [trips] }));
  value(await make(world.store, { target: "view:v", text: "select id from §", values: [trips] }));
  const states: string[] = [];
  for (const [target, text] of [
    ["table:t", "select id + 1 as id from §"],
    ["view:v", "select zone from §"],
  ] as const) {
    for (let message = 1; ; message++) {
      let sent = 0;
      const cut = watching(world.database, (_sql, client) => {
        if (++sent !== message) return;
        (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
      });
      const store = world.another({ database: cut });
      const done = await make(store, { target, text, values: [trips] });
      await store.close();
      const [{ id }] = (await world.sql(
        target === "table:t"
          ? "SELECT id::text FROM t"
          : "SELECT attname AS id FROM pg_attribute WHERE attrelid = 'v'::regclass",
      )) as [{ id: string }];
      const [{ recorded }] = (await world.sql(
        "SELECT recipe ->> 'sql' = $2 AS recorded FROM dmake.loads WHERE target = $1",
        [target, text],
      )) as [{ recorded: boolean }];
      const isNew = target === "table:t" ? id === "2" : id === "zone";
      assert.equal(isNew, recorded, `${target}, message ${message}`);
      states.push(isNew ? "new" : "old");
      if (done.ok) break;
    }
  }
  assert(states.filter((state) => state === "old").length > 10, String(states));
});

test("an interrupt ends a long query, and the server is rid of it", async () => {
  const stop = new AbortController();
  const making = make(
    world.store,
    { target: "table:t", text: "select pg_sleep(60)::text as slept" },
    stop.signal,
  );
  const running = () =>
    world.sql(
      "SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND query NOT LIKE '%pg_stat%' AND state = 'active'",
    );
  while ((await running()).length === 0);
  stop.abort();
  assert.deepEqual(failure(await making), { reason: "interrupted" });
  while ((await running()).length > 0);
  assert.deepEqual(await world.sql("SELECT FROM pg_class WHERE relname = 't'"), []);
});

test("an interrupt ends statements that wait for somebody's lock", async () => {
  await world.sql("CREATE TABLE busy (x int)");
  const holder = await world.database();
  const client = value(await value(holder).client());
  await client.query("BEGIN; LOCK TABLE busy");
  const stop = new AbortController();
  const making = make(
    world.store,
    { target: "table:busy", how: "run", text: "insert into busy values (1)" },
    stop.signal,
  );
  await untilWaiting(world);
  stop.abort();
  assert.deepEqual(failure(await making), { reason: "interrupted" });
  await client.query("ROLLBACK");
  await client.end();
});

test("the key of a partition is no column of the query, unless the Datafile says so", async () => {
  await month("2023-01", [1, "a"]);
  const text = "select id, § as month from §";
  const wish: Wish = { target: "table:d/2023-01", text, values: ["2023-01", trips] };
  assert.equal(failure(await make(world.store, wish)).reason, "partition-column-taken");
  const table = { ownKey: true } as const;
  value(await make(world.store, { ...wish, table }));
  const stray = failure(await make(world.store, { ...wish, values: ["2023-02", trips], table, digest: "2" }));
  assert.deepEqual(stray.reason === "bad-value" && [stray.column, stray.text], ["month", "2023-02"]);
});

test("a table of a query has the contract, the key and the indexes that are declared", async () => {
  await month("2023-01", [1, "a"]);
  const table: Partial<TableDeclaration> = {
    contract: "freeze",
    key: ["id"],
    indexes: [{ columns: ["zone"] }],
    comments: { zone: "Where." },
  };
  value(
    await make(world.store, { target: "table:t", text: "select id, zone from §", values: [trips], table }),
  );
  const [{ indexes }] = (await world.sql(
    "SELECT count(*)::int AS indexes FROM pg_indexes WHERE tablename = 't'",
  )) as [{ indexes: number }];
  assert.equal(indexes, 2);
  const frozen = failure(
    await make(world.store, {
      target: "table:t",
      text: "select id, zone, 1 as more from §",
      values: [trips],
      table,
    }),
  );
  assert.equal(frozen.reason === "table-shape" && frozen.contract, "freeze");
  const discard = { ...table, contract: "discard" } as const;
  value(
    await make(world.store, {
      target: "table:t",
      text: "select id + 1 as id, zone, 1 as more from §",
      values: [trips],
      table: discard,
    }),
  );
  assert.deepEqual(await rowsOf("t"), [{ id: 2, zone: "a" }]);
});

test("a partition of a query may have columns that are left out", async () => {
  await month("2023-01", [1, "a"]);
  const wish: Wish = { target: "table:d/2023-01", text: "select id from §", values: [trips] };
  value(await make(world.store, wish));
  const table = { contract: "discard" } as const;
  value(await make(world.store, { ...wish, text: "select id, zone from §", table }));
  assert.deepEqual(await rowsOf("d"), [{ month: "2023-01", id: 1 }]);
});

test("a query without columns, and one with two of one name, are no table", async () => {
  assert.equal(failure(await make(world.store, { target: "table:t", text: "select" })).reason, "sql-error");
  const twice = failure(await make(world.store, { target: "table:t", text: "select 1 as x, 2 as x" }));
  assert.equal(twice.reason === "sql-error" && twice.code, "42701");
});

test("a deadlock may pass, and is no mistake of the SQL", async () => {
  await world.sql("CREATE TABLE a (x int); CREATE TABLE b (x int)");
  const client = value(await value(await world.database()).client());
  await client.query("BEGIN; SET deadlock_timeout = '10s'; LOCK TABLE b");
  const attempt = attemptOf({ target: "table:t", text: "" });
  const staged = value(await world.store.stage(attempt));
  assert(staged.kind === "query");
  const refused = staged.writer.query(
    statement(
      "select (select x from a limit 1) as one, pg_advisory_xact_lock(77)::text as lock, (select x from b limit 1) as two",
    ),
    never,
  );
  await untilWaiting(world);
  const theirs = client.query("LOCK TABLE a").catch(() => undefined);
  const failed = failure(await refused);
  assert.deepEqual(
    [failed.reason, failed.reason === "postgres-error" && failed.code],
    ["postgres-error", "40P01"],
  );
  await world.store.discard(attempt, staged);
  await theirs;
  await client.query("ROLLBACK");
  await client.end();
});

const impatient = { patience: { lockMs: 300, pauseMs: 20, tries: 4 } };

test("statements that write into one table and declare indexes of it go one after the other", async () => {
  await world.sql("CREATE TABLE among (month text, id int)");
  const writing = async (of: string) => {
    const table = { indexes: [{ columns: ["id"] }, { columns: ["month"] }] };
    const attempt = attemptOf({ target: `table:among/${of}`, text: "", table });
    const store = world.another(impatient);
    const staged = value(await store.stage(attempt));
    assert(staged.kind === "query");
    const { writer } = staged;
    return {
      run: () => writer.run(statement(`insert into among values ('${of}', 1)`), never),
      publish: () => store.publish(attempt, staged, made(1, attempt)),
    };
  };
  const [first, second] = [await writing("2023-01"), await writing("2023-02")];
  value(await first.run());
  const run = second.run();
  // The first one publishes only once the second one has written, or waits for it.
  await Promise.race([run, untilWaiting(world)]);
  const published = run.then(value).then(second.publish);
  value(await first.publish());
  value(await published);
  assert.equal((await rowsOf("among")).length, 2);
  assert.deepEqual(
    await world.sql("SELECT indexname AS name FROM pg_indexes WHERE tablename = 'among' ORDER BY 1"),
    [{ name: "among_id_idx" }, { name: "among_month_idx" }],
  );
});

test("a partition made of its own table waits for those who publish into that, and they for it", async () => {
  await month("2023-01", [1, "a"]);
  await month("2023-02", [2, "b"]);
  for (const name of [trips, { target: "table:public.trips/2023-01", unnamed: true } as const]) {
    const [querying, loading] = [world.another(impatient), world.another(impatient)];
    const attempt = attemptOf({ target: "table:trips/2023-02", text: `${name.target} again` });
    const staged = value(await querying.stage(attempt));
    assert(staged.kind === "query");
    value(await staged.writer.query(statement("select id, zone from §", name), never));
    const other = load(loading, {
      target: "table:trips/2023-01",
      columns: [{ name: "id", type: "integer" }],
      rows: [[name === trips ? 7 : 8]],
    });
    await untilWaiting(world);
    const rows = name === trips ? 2 : 1;
    value(await querying.publish(attempt, staged, { ...made(rows, attempt) }));
    value(await other);
  }
  assert.deepEqual(await world.sql("SELECT month, id FROM trips ORDER BY 1, 2"), [
    { month: "2023-01", id: 8 },
    { month: "2023-02", id: 7 },
  ]);
});

test("statements that write some rows of a table take away what it says of all of them", async () => {
  const columns = [
    { name: "month", type: "text" },
    { name: "id", type: "integer" },
  ];
  const whole = { target: "table:t", columns, rows: [["2023-01", 1]], table: { comment: "All trips" } };
  value(await load(world.store, whole));
  const before = await factOf(world.store, "table:t");
  value(
    await make(world.store, {
      target: "table:t/2023-02",
      how: "run",
      text: "delete from t; insert into t values ('2023-02', 2)",
    }),
  );
  const now = await factOf(world.store, "table:t");
  assert.ok(now.kind === "present" && before.kind === "present" && now.digest !== before.digest);
  assert.equal((await factOf(world.store, "table:t/2023-02")).kind, "present");
  assert.deepEqual(await world.sql("SELECT obj_description('t'::regclass) AS comment"), [
    { comment: "All trips" },
  ]);
});

test("a new schema is made for a table and for a view", async () => {
  value(await make(world.store, { target: "table:fresh.t", text: "select 1 as x" }));
  value(
    await make(world.store, {
      target: "view:newer.v",
      text: "select * from §",
      values: [{ target: "table:fresh.t" }],
    }),
  );
  assert.deepEqual(await world.sql("SELECT * FROM newer.v"), [{ x: 1 }]);
});

test("a query's columns take the collations of the table, and a new table takes those of the query", async () => {
  await world.sql(
    `CREATE TABLE source (zone varchar(5) COLLATE "C", note text); INSERT INTO source VALUES ('a', 'b')`,
  );
  const shape = '(month text COLLATE "C" NOT NULL, zone text, note text COLLATE "C")';
  for (const name of ["swapped", "owned"])
    await world.sql(`CREATE TABLE ${name} ${shape} PARTITION BY LIST (month)`);
  for (const name of ["merged", "deleted"]) await world.sql(`CREATE TABLE ${name} ${shape}`);
  const text = "select zone, note from source";
  const own = "select '2023-01'::text as month, zone, note from source";
  for (const [name, wish] of [
    ["swapped", { text }],
    ["owned", { text: own, table: { ownKey: true } }],
    ["merged", { text, table: { strategy: "merge", key: ["zone", "note"] } }],
    ["deleted", { text }],
    ["fresh", { text }],
  ] as const) {
    value(await make(world.store, { target: `table:${name}/2023-01`, ...wish }));
    const rows = await world.sql(`SELECT month, zone, note FROM ${name}`);
    assert.deepEqual(rows, [{ month: "2023-01", zone: "a", note: "b" }], name);
  }
  const fresh = await world.sql(
    "SELECT column_name AS name, collation_name AS by FROM information_schema.columns WHERE table_name = 'fresh' ORDER BY 1",
  );
  assert.deepEqual(fresh, [
    { name: "month", by: null },
    { name: "note", by: null },
    { name: "zone", by: "C" },
  ]);
});
