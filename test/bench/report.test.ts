// The arithmetic of the benchmarks: medians, ratios, bars and exponents.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Comparison,
  compared,
  exponent,
  type Figure,
  median,
  verdictOf,
  withoutBars,
} from "../../bench/report.js";
import { scalingOf } from "../../bench/scaling.js";

const figure = (who: string, ...values: readonly number[]): Figure => ({
  who,
  measure: "null build",
  unit: "s",
  values,
});
const ref = (who: string) => ({ who, measure: "null build" });

test("the median is the middle one, or between the two in the middle, and one slow round does not move it", () => {
  assert.equal(median([3]), 3);
  assert.equal(median([10, 9, 1]), 9);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([1, 2, 1_000_000]), 2);
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
      const middle = median(values);
      assert.ok(values.filter((one) => one < middle).length <= values.length / 2);
      assert.ok(values.filter((one) => one > middle).length <= values.length / 2);
    }),
  );
});

test("a figure without a value is a bug, and no number", () => {
  assert.throws(() => median([]), /bug/);
});

const figures = [figure("dmake", 5, 2, 3), figure("ninja", 1, 2, 2)];

test("figures are compared by their medians: as a ratio, as a difference, or by themselves", () => {
  assert.equal(compared(figures, { of: ref("dmake"), by: "ratio", to: ref("ninja") }), 1.5);
  assert.equal(compared(figures, { of: ref("dmake"), by: "difference", to: ref("ninja") }), 1);
  assert.equal(compared(figures, { of: ref("dmake"), by: "value" }), 3);
});

test("what is compared with a peer that is missing is not measured, and no bar is met by that", () => {
  const comparison: Comparison = { of: ref("dmake"), by: "ratio", to: ref("make"), limit: 2 };
  assert.equal(compared(figures, comparison), undefined);
  assert.equal(verdictOf(figures, comparison), "not measured");
  assert.equal(verdictOf([], { of: ref("dmake"), by: "value", limit: 1 }), "not measured");
});

test("a bar is met up to its limit, and not above", () => {
  const at = (limit: number) =>
    verdictOf(figures, { of: ref("dmake"), by: "ratio", to: ref("ninja"), limit });
  assert.equal(at(1.5), "met");
  assert.equal(at(1.49), "NOT met");
  assert.equal(verdictOf(figures, { of: ref("dmake"), by: "value" }), "no bar");
});

test("without bars the figures are the same, and nothing is judged", () => {
  const comparison: Comparison = { of: ref("dmake"), by: "value", limit: 1 };
  const report = {
    ...{ name: "wide", what: "", figures, comparisons: [comparison] },
    ...{ floors: [], notes: [], skipped: [] },
  };
  const unjudged = withoutBars(report);
  assert.deepEqual(unjudged.comparisons, [{ of: ref("dmake"), by: "value" }]);
  assert.deepEqual(unjudged.figures, figures);
});

test("the exponent of a cost is 1 where it is linear, whatever is paid before the first target", () => {
  const curve = (power: number, base: number) =>
    [1000, 10_000, 100_000].map((size) => ({ size, cost: base + 0.001 * size ** power }));
  for (const power of [0.5, 1, 2])
    for (const base of [0, 0.06]) {
      const found = exponent(curve(power, base), base)!;
      assert.ok(Math.abs(found - power) < 1e-9, `${found} for ${power}`);
    }
  assert.ok(exponent(curve(1, 0.06), 0)! < 0.999, "what is paid before it is taken off, it hides the growth");
});

test("the order of the points does not matter, and one point has no exponent", () => {
  const points = [
    { size: 100, cost: 4 },
    { size: 10, cost: 2 },
  ];
  assert.equal(exponent(points, 0), exponent([...points].reverse(), 0));
  assert.equal(exponent([points[0]!], 0), undefined);
  assert.equal(exponent([], 0), undefined);
});

test("a cost that is lost in the start of node has no exponent", () => {
  const points = [
    { size: 1, cost: 0.05 },
    { size: 10, cost: 0.5 },
  ];
  assert.equal(exponent(points, 0.05), undefined);
});

test("scaling takes the start of node off what node runs, and off nobody else", () => {
  const at = (size: number, mine: number, theirs: number) => ({
    size,
    report: {
      ...{ name: "", what: "", comparisons: [], floors: [], notes: [], skipped: [] },
      figures: [figure("dmake", mine), figure("ninja", theirs), figure("node -e 0", 0.06)],
    },
  });
  const { figures: found, comparisons } = scalingOf("wide", [at(1000, 0.07, 0.01), at(10_000, 0.16, 0.1)]);
  const of = (who: string) => found.find((one) => one.who === who)?.values[0];
  assert.ok(Math.abs(of("dmake")! - 1) < 1e-9);
  assert.ok(Math.abs(of("ninja")! - 1) < 1e-9);
  assert.equal(of("node -e 0"), undefined);
  assert.equal(verdictOf(found, comparisons[0]!), "met");
  assert.equal(comparisons.length, 2);

  const three = scalingOf("wide", [at(10, 0.07, 0.01), at(100, 0.16, 0.1), at(1000, 10.06, 1)]);
  assert.deepEqual(
    three.comparisons.slice(0, 2).map((comparison) => verdictOf(three.figures, comparison)),
    ["NOT met", "NOT met"],
    "what grows at the end is seen, whatever the beginning was like",
  );
  const bent = three.figures.find(({ measure }) => measure === "null build, 100 → 1000")!;
  assert.ok(Math.abs(bent.values[0]! - 2) < 1e-9, String(bent.values));
});
