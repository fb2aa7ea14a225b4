// The named parts that a recipe's freshness depends on: what they hold, what they must never hold.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ok } from "../../src/core/failure.js";
import { digestOf, fingerprintOf, recipeParts } from "../../src/core/fingerprint.js";
import type { DownloadRecipe, Recipe, ShellRecipe, Step } from "../../src/core/rule.js";
import { absent, type NamedDigest } from "../../src/core/trace.js";
import { here, makes } from "../rig/recipes.js";
import { must } from "../rig/world.js";

const stepOf = (recipe: Recipe, names: Partial<Step> = {}): Step => ({
  id: "out",
  rule: makes("out"),
  binding: {},
  inputs: ["in"],
  uses: [],
  after: [],
  optional: new Set(),
  outputs: ["out"],
  directories: new Set(),
  recipe,
  ...names,
});
const parts = (recipe: Recipe, names: Partial<Step> = {}, seen: readonly NamedDigest[] = []) =>
  must(recipeParts(stepOf(recipe, names), seen));
const sh = (
  render: (paths: { inputs: readonly string[]; outputs: readonly string[] }) => string,
): ShellRecipe => ({
  kind: "sh",
  render: (paths) => ok({ text: render(paths) }),
  depfile: false,
  parts: {},
});
const download: DownloadRecipe = {
  kind: "download",
  url: "https://example.org/a.csv",
  timeoutMs: 30_000,
  retries: 5,
};

test("a digest is SHA-256, and says so", () => {
  assert.equal(digestOf("abc"), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert.equal(digestOf(Buffer.from("abc")), digestOf("abc"));
});

test("a download depends on its URL, its digest and the names of its headers", () => {
  assert.deepEqual(parts({ ...download, sha256: "ABCD", headers: { "X-Id": "1", Accept: "text/csv" } }), {
    kind: "download",
    url: "https://example.org/a.csv",
    sha256: "abcd",
    headers: "accept x-id",
  });
});

test("patience is no part of a download: other timeouts bring the same bytes", () => {
  assert.deepEqual(parts({ ...download, timeoutMs: 1, retries: 0, maxAgeMs: 1 }), parts(download));
});

test("no secret reaches a part", () => {
  const secret = "hunter2-s3cr3t";
  const all = [
    parts({ ...download, url: `https://user:${secret}@example.org/a.csv?token=${secret}&page=2` }),
    parts({ ...download, headers: { Authorization: `Bearer ${secret}` } }),
    parts(
      sh(
        () =>
          `psql 'postgres://me:${secret}@db/taxi' -c 'select 1' && curl 'https://x.org/?api_key=${secret}'`,
      ),
    ),
  ];
  assert.equal(JSON.stringify(all).includes(secret), false);
  assert.match(all[2]!.command!, /psql .*@db\/taxi/);
});

test("a changed secret alone makes nothing stale", () => {
  const url = (password: string) => parts(sh(() => `psql postgres://me:${password}@db/taxi`));
  assert.deepEqual(url("one"), url("two"));
});

test("a command is known by its text with the final names, not the temporary ones", () => {
  const recipe = sh(({ inputs, outputs }) => `cat ${inputs.join(" ")} > ${outputs.join(" ")}`);
  assert.deepEqual(parts(recipe, { inputs: ["a", "b"], outputs: ["c"] }), {
    kind: "sh",
    command: "cat a b > c",
  });
});

test("a command that cannot be rendered is the failure of its function", () => {
  const failure = { reason: "datafile-threw", message: "no", at: here } as const;
  const recipe: Recipe = { ...sh(() => ""), render: () => ({ ok: false, error: failure }) };
  assert.deepEqual(recipeParts(stepOf(recipe), []), { ok: false, error: failure });
});

test("columns and options of text are parts one by one, so that a difference can be named", () => {
  const recipe: Recipe = {
    kind: "parquet",
    columns: { ehail_fee: "DOUBLE", "odd name": "DATE" },
    csv: { delimiter: ";", header: true, nulls: ["NA", ""] },
    compression: "zstd",
  };
  assert.deepEqual(parts(recipe), {
    kind: "parquet",
    compression: "zstd",
    "columns.ehail_fee": "DOUBLE",
    "columns.odd name": "DATE",
    "csv.delimiter": ";",
    "csv.header": "true",
    "csv.nulls": '["NA",""]',
  });
});

test("a load depends on its partition's column, a function on its source", () => {
  const load: Recipe = { kind: "load", columns: {}, csv: {}, partitionColumn: "month" };
  assert.deepEqual(parts(load), { kind: "table", partitionColumn: "month" });
  assert.deepEqual(parts({ ...load, partitionColumn: undefined }), { kind: "table" });
  const script: Recipe = { kind: "script", parts: { function: "f" }, run: async () => {} };
  assert.deepEqual(parts(script), { kind: "script", function: "f" });
});

test("a version stands for a command's text, and not for the variables that it is given", () => {
  const command = (text: string): Recipe => ({ ...sh(() => text), version: "3", parts: { "env.MODE": "x" } });
  assert.deepEqual(parts(command("a")), { kind: "sh", version: "3", "env.MODE": "x" });
  assert.deepEqual(parts(command("a")), parts(command("b")));
  const unversioned: Recipe = { ...sh(() => "a"), parts: { "env.MODE": "x" } };
  assert.deepEqual(parts(unversioned), { kind: "sh", command: "a", "env.MODE": "x" });
});

test("an optional input that is not there is not given to a recipe, so not to its command either", () => {
  const recipe = sh(({ inputs }) => `cat ${inputs.join(" ")}`);
  const names = { inputs: ["a", "b"], optional: new Set(["b"]) };
  const seen = (digest: string) => [
    { name: "a", digest: "sha256:a" },
    { name: "b", digest },
  ];
  assert.equal(parts(recipe, names, seen(absent)).command, "cat a");
  assert.equal(parts(recipe, names, seen("sha256:b")).command, "cat a b");
  const unmade = [{ name: "a", digest: absent }, ...seen("sha256:b").slice(1)];
  assert.equal(
    parts(recipe, names, unmade).command,
    "cat a b",
    "one that is still to be made is given to it",
  );
});

test("an input that becomes code is another recipe, and so is a file that becomes a directory", () => {
  const recipe = sh(() => "make");
  assert.notDeepEqual(parts(recipe, { inputs: ["a"], uses: ["b"] }), parts(recipe, { inputs: ["a", "b"] }));
  assert.notDeepEqual(parts(recipe, { directories: new Set(["out"]) }), parts(recipe));
});

const inputs = [
  { name: "a", digest: "sha256:1" },
  { name: "b", digest: "sha256:2" },
];

test("the order of parts does not matter to a fingerprint, the order of inputs does", () => {
  assert.equal(fingerprintOf({ x: "1", y: "2" }, inputs), fingerprintOf({ y: "2", x: "1" }, inputs));
  assert.notEqual(fingerprintOf({}, inputs), fingerprintOf({}, [...inputs].reverse()));
  const renamed = inputs.map(({ name, digest }) => ({ name: `${name}2`, digest }));
  assert.notEqual(fingerprintOf({}, inputs), fingerprintOf({}, renamed), "the same bytes by other names");
});

test("a fingerprint tells apart what would look alike when strung together", () => {
  const prints = [
    fingerprintOf({ a: "b" }, []),
    fingerprintOf({ ab: "" }, []),
    fingerprintOf({ a: "", b: "" }, []),
    fingerprintOf({}, [{ name: "a", digest: "b" }]),
    fingerprintOf({}, [{ name: "ab", digest: "" }]),
    fingerprintOf({}, []),
  ];
  assert.equal(new Set(prints).size, prints.length);
});

test("what a table's declaration changes of its rows is a part, and what it does not can be told by its name", () => {
  const load: Recipe = { kind: "load", columns: {}, csv: {}, partitionColumn: undefined };
  const table = { contract: "evolve", maxRejects: 0 } as const;
  assert.deepEqual(parts({ ...load, table }), { kind: "table" });
  assert.deepEqual(parts({ ...load, table: { ...table, contract: "freeze", ownKey: true } }), {
    kind: "table",
  });
  const rows = { ...table, contract: "discard", maxRejects: 3, strategy: "merge", key: ["id"] } as const;
  assert.deepEqual(parts({ ...load, rename: { a: "b" }, table: rows }), {
    kind: "table",
    "rename.a": "b",
    strategy: "merge",
    contract: "discard",
    maxRejects: "3",
    key: '["id"]',
  });
  const shape: Recipe = {
    ...load,
    table: {
      ...table,
      key: ["id"],
      indexes: [{ columns: ["a"] }],
      comment: "text",
      comments: { a: "first" },
      grants: { reader: ["SELECT"] },
    },
  };
  const { kind, ...amended } = parts(shape);
  assert.deepEqual(kind, "table");
  assert.deepEqual(Object.keys(amended).sort(), [
    "table.comment",
    "table.comments.a",
    "table.grants.reader",
    "table.indexes",
    "table.key",
  ]);
});
