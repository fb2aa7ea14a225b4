// What can be named: files below the root, tables and their partitions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { normalisePath, parseTarget } from "../../src/core/target.js";
import { here } from "../rig/recipes.js";
import { failureOf, must } from "../rig/world.js";

test("a file is known by one name, however it is written", () => {
  for (const text of [
    "data/a.csv",
    "./data/a.csv",
    "data//a.csv",
    "data/./a.csv",
    "x/../data/a.csv",
    "data/a.csv/",
  ])
    assert.deepEqual(must(parseTarget(text)), { kind: "file", name: "data/a.csv" });
});

test("what lies outside the root is refused, and so is the root itself", () => {
  for (const text of ["../a", "a/../../b", "/etc/passwd", "..", ".", "", "./", "a/..", "a\0b"]) {
    assert.equal(failureOf(parseTarget(text, here), "outside-root").path, text);
  }
});

test("dots and odd characters are names as good as any", () => {
  for (const name of ["...", "..a", ".hidden", "-rf", "a b", "a\nb", "ü/日本.csv", "a\\b", "~"])
    assert.equal(normalisePath(name), name);
});

test("a table has a name, perhaps a schema, perhaps a partition", () => {
  const parts = (text: string) => {
    const target = must(parseTarget(text));
    return target.kind === "table" ? [target.schema, target.table, target.partition] : [];
  };
  assert.deepEqual(parts("table:zones"), [undefined, "zones", undefined]);
  assert.deepEqual(parts("table:trips/2023-01"), [undefined, "trips", "2023-01"]);
  assert.deepEqual(parts("table:taxi.trips/2023-01"), ["taxi", "trips", "2023-01"]);
  assert.deepEqual(parts("table:trips/a/b.c"), [undefined, "trips", "a/b.c"]);
});

test("a table with an empty or a third part is refused: at a rule with its place, at the command line as usage", () => {
  for (const text of ["table:", "table:/x", "table:trips/", "table:.trips", "table:taxi.", "table:a.b.c"]) {
    assert.deepEqual(failureOf(parseTarget(text, here), "bad-pattern").at, here);
    assert.match(failureOf(parseTarget(text), "usage").message, /no part empty/);
  }
});

test("a file cannot pass for a table", () => {
  failureOf(parseTarget("./table:zones"), "usage");
  failureOf(parseTarget("x/../table:zones", here), "bad-pattern");
  assert.equal(must(parseTarget("data/table:zones")).kind, "file");
});
