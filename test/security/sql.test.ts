// The story of names and values that would be SQL if anybody let them: through load, reload, growth, adoption and every question.
import { strict as assert } from "node:assert";
import { after, test } from "node:test";
import {
  attemptFor,
  emptyWorld,
  factOf,
  load,
  type Rows,
  stopServer,
  value,
  type World,
} from "../stores/table-rig.js";

after(stopServer);

/** Each would end a quotation, begin a comment, or be somebody else's name, if it were spliced in. */
const nasty = [
  `"; DROP TABLE victims; --`,
  `'); DROP TABLE victims; --`,
  `x" (id int); DROP TABLE victims; --`,
  `"`,
  `'`,
  `back\\slash`,
  `\\'; DROP TABLE victims; --`,
  `E'\\x27'`,
  "$$; DROP TABLE victims; $$",
  "%s %I %L",
  "victims",
  "null",
  "select",
  "line\nbreak",
  "naïve 表 🚕",
  "x".repeat(63),
  "é".repeat(31),
  "{1,2}",
  " ",
];

const columns = [{ name: "id", type: "integer" }];
const victims = [{ id: 1, said: "here" }];

async function worldWithVictims(): Promise<World> {
  const world = await emptyWorld();
  await world.sql("CREATE TABLE victims (id integer, said text)");
  await world.sql("INSERT INTO victims VALUES (1, 'here')");
  return world;
}

const areSafe = async (world: World, what: string) =>
  assert.deepEqual(await world.sql("SELECT * FROM public.victims"), victims, what);

const relations = async (world: World): Promise<string[]> =>
  (
    await world.sql(
      "SELECT nspname || '.' || relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p') AND nspname NOT IN ('pg_catalog', 'information_schema', 'dmake') ORDER BY 1",
    )
  ).map(({ name }) => String(name));

/** Loads, asks, loses the ledger's row, adopts, loads again; each must know the table by the very same name. */
async function livesThrough(world: World, rows: Rows): Promise<void> {
  const { store } = world;
  const attempt = attemptFor(rows);
  const trace = value(await load(store, rows));
  assert.notEqual(trace, "already");
  assert.equal((await factOf(store, rows.target)).kind, "present");
  assert.deepEqual(value(await store.traces([attempt.step])), [trace]);
  assert.equal(value(await load(store, rows)), "already");
  await world.sql("DELETE FROM dmake.loads WHERE target = $1", [rows.target]);
  assert.deepEqual(value(await store.traces([attempt.step])), [undefined]);
  value(await store.adopt(attempt));
  assert.equal(value(await load(store, rows)), "already");
}

test("schemas, tables and partitions of any name are what they are called", async (t) => {
  const world = await worldWithVictims();
  t.after(world.end);
  for (const name of nasty)
    await livesThrough(world, { target: `table:${name}.${name}/${name}`, columns, rows: [[1], [2]] });
  for (const name of nasty.slice(0, 5))
    await livesThrough(world, { target: `table:${name}.whole`, columns, rows: [[1], [2]] });
  await areSafe(world, "names");
  const { length } = await world.sql("SELECT FROM dmake.loads");
  assert.equal(length, nasty.length + 5);
});

test("names that Postgres would cut or end early are refused", async (t) => {
  const world = await worldWithVictims();
  t.after(world.end);
  for (const name of ["x".repeat(64), "é".repeat(32), "nul\0", `"`.repeat(64)])
    for (const target of [`table:${name}`, `table:${name}.rows`]) {
      const found = await world.store.observe([target]);
      assert.ok(!found.ok && found.error.reason === "usage", target);
    }
});

test("any text is a partition of its own", async (t) => {
  const world = await worldWithVictims();
  t.after(world.end);
  const targets = nasty.map((name) => `table:trips/${name}`);
  for (const [n, target] of targets.entries())
    value(await load(world.store, { target, columns, rows: [[n]] }));
  assert.deepEqual(
    await world.sql("SELECT id, month FROM trips ORDER BY id"),
    nasty.map((month, id) => ({ id, month })),
  );
  const facts = value(await world.store.observe(targets));
  assert.ok(facts.every(({ kind }) => kind === "present"));
  const steps = targets.map((target) => attemptFor({ target, columns, rows: [] }).step);
  const traces = value(await world.store.traces(steps));
  assert.deepEqual(
    traces.map((trace) => trace?.outputs[0]?.name),
    targets,
  );
  await areSafe(world, "partitions");
});

test("columns of any name come, grow and are compared", async (t) => {
  const world = await worldWithVictims();
  t.after(world.end);
  for (const target of ["table:wide/2023-01", "table:wide_whole"]) {
    const wide = nasty.map((name) => ({ name, type: "integer" }));
    const row = nasty.map((_, n) => n);
    await livesThrough(world, { target, columns: wide.slice(1), rows: [row.slice(1)] });
    const grown = wide.map(({ name }) => ({ name, type: "bigint" }));
    await livesThrough(world, { target, columns: grown, rows: [row] });
    const table = target.includes("/") ? "wide" : "wide_whole";
    const [found] = await world.sql(`SELECT * FROM ${table}`);
    for (const [n, name] of nasty.entries()) assert.equal(found?.[name], String(n), name);
    await areSafe(world, target);
  }
});

test("a partition column of any name", async (t) => {
  const world = await worldWithVictims();
  t.after(world.end);
  for (const [n, partitionColumn] of nasty.entries()) {
    const rows = { target: `table:keyed_${n}/it's`, columns, rows: [[n]], partitionColumn };
    value(await load(world.store, rows));
    assert.deepEqual(await world.sql(`SELECT * FROM keyed_${n}`), [{ [partitionColumn]: "it's", id: n }]);
  }
  await areSafe(world, "partition columns");
});

test("what somebody's own table is made of is quoted too: columns, checks, defaults, indexes, names of partitions", async (t) => {
  const world = await worldWithVictims();
  t.after(world.end);
  const quote = (name: string) => `"${name.replaceAll('"', '""')}"`;
  const text = (value: string) => `'${value.replaceAll("'", "''")}'`;
  for (const [n, name] of nasty.entries()) {
    const parent = quote(`of ${n}`);
    await world.sql(
      `CREATE TABLE ${parent} (id integer, ${quote(name)} text NOT NULL DEFAULT ${text(name)}, month text,
         CONSTRAINT ${quote(`${name}c`.slice(-60))} CHECK (${quote(name)} <> ${text(`not ${name}`)})) PARTITION BY LIST (month)`,
    );
    await world.sql(`CREATE INDEX ON ${parent} (${quote(name)}) WHERE ${quote(name)} <> ${text(name)}`);
    await world.sql(
      `CREATE TABLE ${quote(`p${name}`.slice(0, 40))} PARTITION OF ${parent} FOR VALUES IN (${text(name)})`,
    );
    value(await load(world.store, { target: `table:of ${n}/${name}`, columns, rows: [[n]] }));
    assert.deepEqual(
      await world.sql(`SELECT * FROM ${parent}`),
      [{ id: n, [name]: name, month: name }],
      name,
    );
    await world.sql(`DROP TABLE ${parent}`);
  }
  await areSafe(world, "definitions");
  assert.deepEqual(await relations(world), ["public.victims"]);
});
