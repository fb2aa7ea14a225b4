// Whether a name says what it was made of, held against a list of all names.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bindings, fill } from "../../src/core/pattern.js";
import { twoReadings } from "../../src/core/reading.js";
import { domains, pattern } from "../rig/recipes.js";

const twice = (text: string, where: Readonly<Record<string, readonly string[]>>) =>
  twoReadings(pattern(text), domains(where))?.name;

test("months and colours that a sign parts are read one way", () => {
  const where = { color: ["yellow", "green"], month: ["2023-01", "2023-02"] };
  assert.equal(twice("{color}_{month}.csv", where), undefined);
  assert.equal(twice("{month}-{color}.csv", where), undefined);
  assert.equal(twice("{month}{color}.csv", where), undefined);
});

test("values that hold the sign between them may be read in two ways, or not", () => {
  assert.equal(twice("{a}-{b}", { a: ["x", "x-y"], b: ["z"] }), undefined);
  assert.equal(twice("{a}-{b}", { a: ["x", "x-y"], b: ["z", "y-z"] }), "x-y-z");
  assert.equal(twice("{a}{b}", { a: ["x", "xy"], b: ["yz", "z"] }), "xyz");
  assert.equal(twice("{a}--{b}", { a: ["x", "x-"], b: ["y", "-y"] }), "x---y");
});

test("what is found is what a list of all names finds", () => {
  const values = fc.uniqueArray(fc.string({ unit: fc.constantFrom("x", "-"), minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 4,
  });
  const between = fc.constantFrom("", "-", "--", "x-", "/");
  let found = 0;
  fc.assert(
    fc.property(fc.record({ a: values, b: values, c: values }), between, between, (where, one, other) => {
      const parsed = pattern(`{a}${one}{b}${other}{c}`);
      const names = [...bindings(parsed.wildcards, domains(where))].map((values) => fill(parsed, values));
      const isTwice = new Set(names).size < names.length;
      if (isTwice) found += 1;
      assert.equal(twoReadings(parsed, domains(where)) !== undefined, isTwice);
    }),
    { numRuns: 2000 },
  );
  assert(found > 100, "too few of the cases were any");
});
