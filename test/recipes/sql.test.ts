// SQL of a Datafile becomes one query or statements, with its values apart from its text; what cannot run is refused with its place.
import { strict as assert } from "node:assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ok } from "../../src/core/failure.js";
import type { SqlRecipe, Statement, Step } from "../../src/core/rule.js";
import type { QueryWriter } from "../../src/engine/ports.js";
import { type Sql, type SqlGiven, sql } from "../../src/index.js";
import { runSql } from "../../src/recipes/sql.js";
import { failureOf, must } from "../rig/world.js";
import { declared, jobFor, plain } from "./jobs.js";

const home = process.cwd();
const folder = mkdtempSync(join(tmpdir(), "dmake-sql-"));
before(() => process.chdir(folder));
after(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

type Given = SqlGiven<never>;

interface Handed {
  readonly kind: "query" | "statements";
  readonly text: string;
  readonly values: Statement["values"];
}

/** What the database is given for SQL: `§` stands for each value. */
async function hand(step: Step, recipe: SqlRecipe, signal = new AbortController().signal) {
  const handed: Handed[] = [];
  const take = (kind: Handed["kind"]) => async (statement: Statement) => {
    handed.push({ kind, text: statement.texts.join("§"), values: statement.values });
    return ok(7);
  };
  const writer: QueryWriter = { query: take("query"), run: take("statements") };
  const { job } = jobFor(step, { signal });
  const done = await runSql(recipe, { ...job, inputs: [], stage: { kind: "query", writer } });
  return { done, handed: handed[0] };
}

async function ofTemplate(work: (given: Given) => Sql, target: "table:made" | "view:made" = "table:made") {
  const rule = await declared(() => sql(target, { from: ["table:a", "table:b/2023-01"] }, work));
  const recipe = must(rule.bind({}));
  assert(recipe.kind === "sql");
  const step = {
    ...plain,
    id: target,
    rule,
    inputs: ["table:a", "table:b/2023-01"],
    outputs: [target],
    recipe,
  };
  return hand(step, recipe);
}

async function ofFile(
  text: string | Uint8Array,
  values: Record<string, string | number | boolean | null> = {},
) {
  writeFileSync("x.sql", text);
  const rule = await declared(() => sql("table:made", { from: "table:a", file: "x.sql", values }));
  const recipe = must(rule.bind({}));
  assert(recipe.kind === "sql");
  const step = { ...plain, id: "table:made", rule, inputs: ["table:a"], outputs: ["table:made"], recipe };
  return hand(step, recipe);
}

const given = async (work: (given: Given) => Sql) => {
  const { done, handed } = await ofTemplate(work);
  must(done);
  return handed!;
};
const refusal = async (work: (given: Given) => Sql) => failureOf((await ofTemplate(work)).done, "sql-error");
const refusedText = async (text: string) => failureOf((await ofFile(text)).done, "sql-error");
const kindOf = async (text: string) => {
  const { done, handed } = await ofFile(text);
  must(done);
  return handed!.kind;
};

const hostile = [
  "'; drop table a; --",
  "\\'; drop table a; --",
  '"; drop table a; --',
  "$$ $a$ ; --",
  "/* */ -- \n ; commit;",
  "U&'\\0027' E'\\x27'",
  "${input} :name $1",
  "\u2028\u00a0'",
];

test("values are never part of the text, whatever is in them", async () => {
  for (const value of hostile) {
    const { kind, text, values } = await given(
      ({ $, input }) => $`select * from ${input} where x = ${value}`,
    );
    assert.deepEqual({ kind, text }, { kind: "query", text: "select * from § where x = §" });
    assert.deepEqual(values, [{ target: "table:a", unnamed: true }, value]);
    const file = await ofFile("select * from a where x = :value and y = :'value'", { value });
    assert.equal(file.handed?.text, "select * from a where x = § and y = §");
    assert.deepEqual(file.handed?.values, [value, value]);
  }
});

test("a name of a file is quoted, whatever is in it", async () => {
  const { handed } = await ofFile('select :"column" from a', { column: 'x"; drop table a; --' });
  assert.equal(handed?.text, 'select "x""; drop table a; --" from a');
});

test("a value that would stand in quotes or in a word is refused with its place", async () => {
  const quoted = await refusal(
    ({ $ }) => $`select 1,
    'the month ${"2023-01"}'`,
  );
  assert.equal(quoted.message, "a value stands in quotes, where it would be no value of its own");
  assert.deepEqual(
    { line: quoted.line, column: quoted.column, text: quoted.text },
    { line: 2, column: 16, text: "    'the month ${…}'" },
  );
  for (const work of [
    ({ $ }: Given) => $`select $$ ${"x"} $$`,
    ({ $ }: Given) => $`select E${"x"}`,
    ({ $ }: Given) => $`select "${"x"}"`,
    ({ $ }: Given) => $`select a${1}`,
    ({ $ }: Given) => $`select ${1}2`,
    ({ $ }: Given) => $`select 'a'${"x"}`,
    ({ $ }: Given) => $`select ${"x"}'a'`,
    ({ $, input }: Given) => $`select * from x${input}`,
    ({ $, input }: Given) => $`select '${input}'`,
  ])
    assert.ok(!(await ofTemplate(work)).done.ok, String(work));
});

test("values in comments are left out", async () => {
  const { text, values } = await given(
    ({ $ }) => $`select ${1} -- ${2}
    /* ${"*/ ;"} */ , ${3}`,
  );
  assert.equal(text, "select § -- ${…}\n    /* ${…} */ , §");
  assert.deepEqual(values, [1, 3]);
});

test("pieces and lists of values become one statement", async () => {
  const { text, values } = await given(({ $, inputs }) => {
    const all = $.join(
      inputs.map((one) => $`select ${$.name("x")} from ${one}`),
      $` union all `,
    );
    return $`${all} where ${$.name('od"d', "x")} in (${[1, "two", null]}) and t in (table ${$.table("s.zones")});`;
  });
  assert.equal(
    text,
    'select "x" from § union all select "x" from § where "od""d"."x" in (§, §, §) and t in (table §) ',
  );
  assert.deepEqual(values, [
    { target: "table:a", unnamed: true },
    { target: "table:b/2023-01", unnamed: true },
    1,
    "two",
    null,
    { target: "table:s.zones" },
  ]);
});

test("a table that is read gets a name only where the text gives it none", async () => {
  const named = async (work: (given: Given) => Sql) =>
    (await given(work)).values.map((value) => (value as { unnamed?: true }).unnamed === true);
  assert.deepEqual(await named(({ $, input }) => $`select * from ${input}`), [true]);
  assert.deepEqual(await named(({ $, input }) => $`select * from ${input} group by x`), [true]);
  assert.deepEqual(await named(({ $, input }) => $`select * from ${input} /* as */ where x`), [true]);
  assert.deepEqual(await named(({ $, input }) => $`select * from ${input} as t`), [false]);
  assert.deepEqual(await named(({ $, input }) => $`select * from ${input} t`), [false]);
  assert.deepEqual(await named(({ $, input }) => $`select * from ${input} "T"`), [false]);
  assert.deepEqual(await named(({ $, input }) => $`select * from ${input} data join ${input} on true`), [
    false,
    true,
  ]);
  assert.deepEqual(await named(({ $, input }) => $`select * from x, ${input} left join y on true`), [true]);
  assert.deepEqual(await named(({ $, output, input }) => $`insert into ${output} select * from ${input}`), [
    false,
    true,
  ]);
});

test("one query is told from statements by what Postgres' own grammar says", async () => {
  for (const text of [
    "select 1",
    "select 1;",
    ";; select 1 ; -- done ;\n ; ",
    "with x as (select 1) select * from x",
    "values (1), (2)",
    "table a",
    "(select 1) union all (select 2) order by 1",
    "select $$ ; drop table a $$, ';', \";\" from a",
    "select arr[1:2], x::int from a",
  ])
    assert.equal(await kindOf(text), "query", text);
  for (const text of [
    "select 1; select 2",
    "create table made as select 1",
    "select 1 into made",
    "select 1 into made union select 2",
    "insert into made select 1",
    "with gone as (delete from a returning *) select * from gone",
    "with x as (select 1), gone as (insert into b values (1) returning *) select * from x",
    "explain select 1",
    "do $$ begin null; end $$",
    "analyze a",
    "create temp table t (x int) on commit drop",
    "create temp table t on commit drop as select 1",
    "reindex table a",
    "copy a from '/srv/a.csv'",
    "set local work_mem = '1GB'; create table made (x int)",
    "create function f(int) returns int return $1 + 1",
  ])
    assert.equal(await kindOf(text), "statements", text);
});

test("where statements take no parameter a value is still one, and a query has none there", async () => {
  const { kind, text, values } = await given(
    ({ $, output }) =>
      $`create table ${output} (x int) with (fillfactor = ${70}); comment on table ${output} is ${"it's"};`,
  );
  assert.equal(kind, "statements");
  assert.equal(text, "create table § (x int) with (fillfactor = §); comment on table § is §;");
  assert.deepEqual(values, [{ target: "table:made" }, 70, { target: "table:made" }, "it's"]);
  for (const work of [
    ({ $, output }: Given) => $`comment on table ${output} is 'a'${"b"}`,
    ({ $, output }: Given) => $`comment on table ${output} is ${"b"}'a'`,
    ({ $, output }: Given) => $`comment on table ${output} is E${"b"}`,
    ({ $, output }: Given) => $`comment on table ${output} is 'a ${"b"}'`,
    ({ $, output }: Given) => $`alter table ${output} set (fillfactor = 1${70})`,
  ])
    assert.ok(!(await ofTemplate(work)).done.ok, String(work));
});

test("the semicolon of one query is gone, and everything stays in its place", async () => {
  const { handed } = await ofFile("select 'ä😀;' ; -- ;");
  assert.equal(handed?.text, "select 'ä😀;'   -- ;");
});

test("what ends the transaction, or cannot run in one, is refused before anything runs", async () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ["begin", /`BEGIN` is refused/],
    ["start transaction", /`START TRANSACTION`/],
    ["commit", /`COMMIT`/],
    ["commit and chain", /`COMMIT`/],
    ["end", /`COMMIT`/],
    ["rollback", /`ROLLBACK`/],
    ["abort", /`ROLLBACK`/],
    ["savepoint a", /`SAVEPOINT`/],
    ["release a", /`RELEASE SAVEPOINT`/],
    ["rollback to a", /`ROLLBACK TO SAVEPOINT`/],
    ["prepare transaction 'a'", /`PREPARE TRANSACTION`/],
    ["commit prepared 'a'", /`COMMIT PREPARED`/],
    ["vacuum a", /`VACUUM`/],
    ["vacuum (full, analyze) a", /`VACUUM`/],
    ["cluster", /`CLUSTER`/],
    ["create index concurrently on a (x)", /`CREATE INDEX CONCURRENTLY`/],
    ["drop index concurrently i", /`DROP INDEX CONCURRENTLY`/],
    ["reindex table concurrently a", /`REINDEX CONCURRENTLY`/],
    ["reindex (concurrently) table a", /`REINDEX CONCURRENTLY`/],
    ["reindex database d", /`REINDEX`/],
    ["alter table a detach partition b concurrently", /DETACH PARTITION/],
    ["create database d", /`CREATE DATABASE`/],
    ["drop database d", /`DROP DATABASE`/],
    ["create tablespace t location '/x'", /`CREATE TABLESPACE`/],
    ["alter system set work_mem = '1GB'", /`ALTER SYSTEM`/],
    ["create subscription s connection 'x' publication p", /`CREATE SUBSCRIPTION`/],
    ["copy a from stdin", /`COPY … FROM STDIN`/],
    ["copy a to stdout", /`COPY … TO STDOUT`/],
    ["copy (select 1) to stdout", /`COPY … TO STDOUT`/],
    ["discard all", /`DISCARD`/],
    ["set search_path = x", /`SET`/],
    ["set session work_mem = '1GB'", /`SET`/],
    ["reset all", /`RESET`/],
    ["listen x", /`LISTEN`/],
    ["prepare p as select 1", /`PREPARE`/],
    ["create temp table t (x int)", /`CREATE TEMPORARY TABLE`/],
    ["create temporary table t as select 1", /`CREATE TEMPORARY TABLE`/],
    ["create temp table t (x int) on commit delete rows", /`CREATE TEMPORARY TABLE`/],
  ];
  for (const [text, message] of refused) {
    const failure = await refusedText(`create table made (x int);\n  -- then\n  ${text};`);
    assert.match(failure.message, message, text);
    assert.deepEqual([failure.file, failure.line, failure.column], ["x.sql", 3, 3], text);
    assert.equal(failure.text, `  ${text};`);
  }
});

test("a syntax error has its place in the file, past values and letters of several bytes", async () => {
  const { done } = await ofFile("select 'äöü😀', :limit,\n  :'limit' as ü\n  from a\t:limit x", {
    limit: 100_000,
  });
  const failure = failureOf(done, "sql-error");
  assert.deepEqual(
    [failure.file, failure.line, failure.column, failure.text, failure.code],
    ["x.sql", 3, 10, "  from a\t:limit x", "42601"],
  );
  assert.equal(failure.message, 'syntax error at or near ":limit"');
});

test("a text that ends too early says so at its end", async () => {
  const failure = await refusedText("select 1,\n  2,\n\n");
  assert.deepEqual([failure.line, failure.message], [2, "syntax error at end of input"]);
  assert.match((await refusedText("select 'abc")).message, /unterminated quoted string/);
  assert.match((await refusedText("select $$abc")).message, /unterminated dollar-quoted string/);
});

test("a misspelt value is told with the one that was meant", async () => {
  const { done } = await ofFile("select * from a limit :limt", { limit: 5 });
  assert.equal(failureOf(done, "sql-error").hint, "no value is called `limt`: did you mean `:limit`?");
});

test("the input and the output of a file are names", async () => {
  const { handed } = await ofFile("create table :output as select * from :input");
  assert.deepEqual(handed?.values, [{ target: "table:made" }, { target: "table:a", unnamed: true }]);
});

test("colons that name no value are Postgres' own", async () => {
  const { handed } = await ofFile("select a[1:n], x::int, ':limit', $q$:limit$q$ /* :limit */ from a", {
    limit: 5,
  });
  assert.equal(handed?.text, "select a[1:n], x::int, ':limit', $q$:limit$q$ /* :limit */ from a");
});

test("a mark of byte order is no SQL, and what is not UTF-8 is refused", async () => {
  assert.equal((await ofFile("\ufeffselect 1")).handed?.text, "select 1");
  const failure = failureOf((await ofFile(Uint8Array.of(0x73, 0xff, 0xe9))).done, "sql-error");
  assert.equal(failure.message, "the file is not UTF-8");
  assert.match((await refusedText("select 1\0; drop table a")).message, /NUL/);
});

test("nothing to run, a parameter of somebody's own, and a nesting without end are refused", async () => {
  for (const text of ["", " ;; ", "-- nothing\n"])
    assert.equal((await refusedText(text)).message, "there is no statement in it");
  assert.match((await refusal(({ $ }) => $`select $1, ${5}`)).message, /`\$1` is a parameter/);
  assert.equal((await refusedText(`select ${"(".repeat(40_000)}1${")".repeat(40_000)}`)).reason, "sql-error");
});

test("a view is one query", async () => {
  const { done } = await ofTemplate(({ $ }) => $`create view made as select 1`, "view:made");
  assert.match(failureOf(done, "sql-error").message, /one query that changes nothing/);
});

test("a file that is gone is told as one", async () => {
  const rule = await declared(() => sql("table:made", { file: "gone.sql" }));
  const recipe = must(rule.bind({}));
  assert(recipe.kind === "sql");
  const step = { ...plain, id: "table:made", rule, inputs: [], outputs: ["table:made"], recipe };
  assert.deepEqual(failureOf((await hand(step, recipe)).done, "io").code, "ENOENT");
});

test("an interrupt before it starts ends it", async () => {
  const rule = await declared(() => sql("table:made", {}, ({ $ }) => $`select 1`));
  const recipe = must(rule.bind({}));
  assert(recipe.kind === "sql");
  const step = { ...plain, id: "table:made", rule, inputs: [], outputs: ["table:made"], recipe };
  const { done, handed } = await hand(step, recipe, AbortSignal.abort());
  failureOf(done, "interrupted");
  assert.equal(handed, undefined);
});
