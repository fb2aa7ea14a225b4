// What JSON files give: the same care for values as CSV, and nested values kept.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type DataFiles, dataFiles } from "../rig/data-files.js";

let files: DataFiles;
before(async () => {
  files = await dataFiles();
});
after(() => files.close());

test("an array and one object a line, packed or not, are the same", async () => {
  const expected = {
    types: { a: "BIGINT", b: "VARCHAR" },
    rows: [
      ["1", "x"],
      ["2", null],
    ],
  };
  assert.deepEqual(await files.read("f.json", '[{"a":1,"b":"x"},\n {"a":2}]\n'), expected);
  assert.deepEqual(await files.read("f.ndjson", '{"a":1,"b":"x"}\n{"a":2}\n'), expected);
  assert.deepEqual(await files.read("f.jsonl.gz", gzipSync('{"a":1,"b":"x"}\n{"a":2}\n')), expected);
});

test("texts stay texts, also those that look like numbers; ISO instants do not", async () => {
  const text =
    '{"zip":"00123","n":"7","at":"2023-01-31T10:00:00Z","on":"2023-01-31","fine":"2023-01-31 10:00:00.1234567"}';
  const { types } = await files.read("f.json", text);
  assert.deepEqual(types, {
    zip: "VARCHAR",
    n: "VARCHAR",
    at: "TIMESTAMP WITH TIME ZONE",
    on: "DATE",
    fine: "VARCHAR",
  });
});

test("numbers are neither rounded nor cut", async () => {
  const wide = '{"a":1,"b":18446744073709551616}\n{"a":0.5,"b":1}\n';
  const tooWide = await files.refuse("f.json", wide);
  assert.deepEqual(
    [tooWide.reason, tooWide.column, tooWide.text],
    ["bad-value", "b", "18446744073709551616"],
  );
  const { types, rows } = await files.read("f.json", wide, { columns: { b: "HUGEINT" } });
  assert.equal(types.a, "DOUBLE");
  assert.deepEqual(rows, [
    ["1.0", "18446744073709551616"],
    ["0.5", "1"],
  ]);
  const failure = await files.refuse("f.json", wide, { columns: { a: "BIGINT", b: "HUGEINT" } });
  assert.deepEqual([failure.reason, failure.column, failure.text], ["bad-value", "a", "0.5"]);
});

test("a key that comes late is a column all the same", async () => {
  const text = `${'{"a":1}\n'.repeat(30_000)}{"a":0.5,"b":"late"}\n`;
  const { types, rows } = await files.read("f.ndjson", text);
  assert.deepEqual(types, { a: "DOUBLE", b: "VARCHAR" });
  assert.deepEqual(rows.at(-1), ["0.5", "late"]);
});

test("nested values keep their shape", async () => {
  const { types, rows } = await files.read("f.json", '[{"a":{"b":[1,2],"d":"2023-01-31"},"c":["x"]}]');
  assert.deepEqual(types, { a: "STRUCT(b BIGINT[], d VARCHAR)", c: "VARCHAR[]" });
  assert.deepEqual(rows, [["{'b': [1, 2], 'd': 2023-01-31}", "[x]"]]);
});

test("what is cut short, malformed or empty is refused", async () => {
  assert.equal((await files.refuse("f.json", '[{"a":1},\n{"a":2},')).found, "JSON that ends in the middle");
  const malformed = await files.refuse("f.ndjson", '{"a":1}\n{"a":tru\n');
  assert.equal(malformed.reason, "bad-row");
  for (const empty of ["", "[]", " \n"])
    assert.equal((await files.refuse("f.json", empty)).reason, "empty-file");
  assert.equal((await files.refuse("f.json", "<html><body>no</body></html>")).reason, "not-that-format");
});

test("keys are renamed, and what is null everywhere says that its type says nothing", async () => {
  const text = '{"a": 1, "B b": "x", "c": null, "d": [1]}\n{"a": 2, "B b": "y", "c": null, "d": null}\n';
  const options = { rename: { "B b": "b", gone: "z", a: "d", d: "a" }, columns: { d: "DOUBLE" } };
  const source = await files.open("r.json", text, options);
  assert.ok(source.ok);
  assert.deepEqual(source.value.columns, [
    { name: "d", type: "DOUBLE" },
    { name: "b", type: "VARCHAR" },
    { name: "c", type: "VARCHAR", unseen: true },
    { name: "a", type: "BIGINT[]" },
  ]);
  assert.deepEqual((await files.read("r.json", text, options)).rows, [
    ["1.0", "x", null, "[1]"],
    ["2.0", "y", null, null],
  ]);
  const twice = await files.refuse("r.json", '{"a": 1, "b": 2}', { rename: { a: "B" } });
  assert.deepEqual([twice.reason, twice.column], ["duplicate-column", "b"]);
});
