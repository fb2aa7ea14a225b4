// "Did you mean": near names, nearest first.
import assert from "node:assert/strict";
import { test } from "node:test";
import { similar } from "../../src/core/similar.js";

test("a slip of one or two letters is recognised, nearest first", () => {
  const known = ["data/trips.csv", "data/tripz.parquet", "data/zones.csv", "data/trip.csv"];
  assert.deepEqual(similar("data/tripz.csv", known), ["data/trip.csv", "data/trips.csv"]);
});

test("equally near names come in the order of the alphabet, three at most", () => {
  assert.deepEqual(similar("abcx", ["abcz", "abcb", "abcd", "abca"]), ["abca", "abcb", "abcd"]);
});

test("what is farther than a third of the name is no suggestion", () => {
  assert.deepEqual(similar("raw", ["war"]), []);
  assert.deepEqual(similar("abcdef", ["uvwxyz", "abcxyz"]), []);
  assert.deepEqual(similar("", ["a"]), ["a"]);
  assert.deepEqual(similar("a", []), []);
});

test("two swapped letters, a missing and a doubled one are near", () => {
  assert.deepEqual(similar("table:gren_trips", ["table:green_trips"]), ["table:green_trips"]);
  assert.deepEqual(similar("laoded", ["loaded"]), ["loaded"]);
  assert.deepEqual(similar("zoness", ["zones"]), ["zones"]);
});
