// The named parts that a recipe's freshness depends on: what they hold, what they must never hold.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ok } from "../../src/core/failure.js";
import { digestOf, fingerprintOf, recipeParts } from "../../src/core/fingerprint.js";
import type { DownloadRecipe, Recipe, Step } from "../../src/core/rule.js";
import { here, makes } from "../rig/recipes.js";
import { must } from "../rig/world.js";

const parts = (recipe: Recipe, names: Partial<Step> = {}) =>
  must(
    recipeParts({
      id: "out",
      rule: makes("out"),
      binding: {},
      inputs: ["in"],
      after: [],
      outputs: ["out"],
      recipe,
      ...names,
    }),
  );
const sh = (
  render: (paths: { inputs: readonly string[]; outputs: readonly string[] }) => string,
): Recipe => ({
  kind: "sh",
  render: (paths) => ok({ text: render(paths) }),
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
  const recipe: Recipe = { kind: "sh", render: () => ({ ok: false, error: failure }) };
  const step: Step = {
    id: "o",
    rule: makes("o"),
    binding: {},
    inputs: [],
    after: [],
    outputs: ["o"],
    recipe,
  };
  assert.deepEqual(recipeParts(step), { ok: false, error: failure });
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
  assert.deepEqual(parts({ kind: "script", source: "s", run: async () => {} }), {
    kind: "script",
    source: "s",
  });
});

const inputs = [
  { name: "a", digest: "sha256:1" },
  { name: "b", digest: "sha256:2" },
];

test("the order of parts does not matter to a fingerprint, the order of inputs does", () => {
  assert.equal(fingerprintOf({ x: "1", y: "2" }, inputs), fingerprintOf({ y: "2", x: "1" }, inputs));
  assert.notEqual(fingerprintOf({}, inputs), fingerprintOf({}, [...inputs].reverse()));
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
