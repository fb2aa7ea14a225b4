// What a benchmark prints: a table for people, a line of JSON, rows of Markdown.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Machine } from "../../bench/peers.js";
import type { Report } from "../../bench/report.js";
import { comparisonLine, jsonOf, markdownOf, placed, shown, tableOf, textOf } from "../../bench/table.js";

const ref = (who: string, measure = "null build") => ({ who, measure });

const report: Report = {
  name: "wide 10000",
  what: "10,000 targets in chains of 3",
  subject: "dmake",
  figures: [
    { ...ref("dmake"), unit: "s", values: [0.31, 0.29, 0.3] },
    { ...ref("ninja"), unit: "s", values: [0.1] },
    { ...ref("dmake", "touched, recipes"), unit: "", values: [0, 0] },
    { ...ref("ninja", "touched, recipes"), unit: "", values: [3] },
    { ...ref("bare node"), unit: "s", values: [0.15] },
    { ...ref("make", "null build, cpu"), unit: "s", values: [0] },
    { ...ref("dmake", "null build, cpu"), unit: "s", values: [0.4] },
  ],
  comparisons: [
    { of: ref("dmake"), by: "value", limit: 0.2 },
    { of: ref("dmake"), by: "ratio", to: ref("ninja"), limit: 4 },
    { of: ref("dmake"), by: "ratio", to: ref("make"), limit: 4 },
    { of: ref("dmake"), by: "difference", to: ref("bare node") },
  ],
  floors: [
    { what: "nothing to do", is: "15,000 stats", of: ref("dmake"), floor: ref("bare node") },
    { what: "without its peer", is: "?", of: ref("dmake"), floor: ref("nobody") },
  ],
  notes: ["all right"],
  skipped: ["snakemake: not installed"],
};

const machine: Machine = {
  ...{ cpu: "a CPU", cores: 2, memoryGB: 24, load: 0.3, node: "20.19.0", dmake: "0.1.0" },
  ...{ peers: { ninja: "1.11.1" }, date: "2026-11-21T00:00:00.000Z" },
};

test("numbers have three digits that say something, and their unit", () => {
  assert.deepEqual(
    [0.04213, 0.5, 1.2345, 45.678, 123.45, 26_461.3, 3].map((value) => shown(value, "s")),
    ["0.042 s", "0.500 s", "1.23 s", "45.7 s", "123 s", "26,461 s", "3 s"],
  );
  assert.equal(shown(-0.0123, "ms"), "-0.012 ms");
  assert.equal(shown(2, ""), "2");
});

test("a row a measure, a column a tool: medians, their range, and how many times as long the subject takes", () => {
  assert.deepEqual(tableOf(report), [
    ["", "dmake", "ninja", "bare node", "make"],
    ["null build", "0.300 s (0.290–0.310)", "0.100 s ×3.00", "0.150 s ×2.00", "–"],
    ["touched, recipes", "0", "3", "–", "–"],
    ["null build, cpu", "0.400 s", "–", "–", "0 s"],
  ]);
});

test("each comparison says what was found, its bar and the verdict", () => {
  assert.deepEqual(
    report.comparisons.map((comparison) => comparisonLine(report, comparison)),
    [
      "dmake, null build: 0.300 s, bar 0.200 s: NOT met",
      "dmake, null build against ninja: ratio 3.00, bar 4: met",
      "dmake, null build against make: not measured, bar 4: not measured",
      "dmake, null build over bare node: 0.150 s",
    ],
  );
});

test("the text has the table, the verdicts, what was checked, and who is missing by name", () => {
  const lines = textOf(report).trim().split("\n");
  assert.equal(lines[0], "wide 10000: 10,000 targets in chains of 3");
  assert.match(lines[1]!, /^ +dmake +ninja +bare node +make$/);
  assert.deepEqual(lines.slice(-2), ["all right", "skipped: snakemake: not installed"]);
});

test("a report is one line of JSON with medians, what was found, verdicts and the machine", () => {
  const line = jsonOf(report, machine);
  assert.doesNotMatch(line, /\n/);
  const read = JSON.parse(line);
  assert.equal(read.figures[0].median, 0.3);
  assert.deepEqual(read.figures[0].values, [0.31, 0.29, 0.3]);
  assert.equal(read.comparisons[1].verdict, "met");
  assert.ok(Math.abs(read.comparisons[1].found - 3) < 1e-9);
  assert.equal(read.machine.peers.ninja, "1.11.1");
});

test("tables go between the marks of a file that has them, again and again, and else are all of it", () => {
  const text = "# Title\n\n<!-- results -->\nold\n<!-- end of results -->\n\nrest\n";
  const once = placed(text, "new\n");
  assert.equal(once, "# Title\n\n<!-- results -->\n\nnew\n\n<!-- end of results -->\n\nrest\n");
  assert.equal(placed(once, "new\n"), once);
  assert.equal(placed("", "new\n"), "new\n");
  assert.equal(placed("no marks", "new\n"), "new\n");
});

test("the Markdown has a row a bar, a row a floor that was measured, and each table", () => {
  const text = markdownOf([report], machine);
  assert.match(text, /^\| wide 10000 \| dmake, null build \| – \| 0\.300 s \| 0\.200 s \| NOT met \| 3 \|$/m);
  assert.match(
    text,
    /^\| wide 10000 \| dmake, null build \| ninja, null build \| 3\.00 \| 4 \| met \| 3 \|$/m,
  );
  assert.match(text, /^\| nothing to do \| 15,000 stats \| 0\.150 s \| 0\.300 s \| 2\.00× \|$/m);
  assert.doesNotMatch(text, /without its peer/);
  assert.match(
    text,
    /^a CPU, 2 cores, 24 GB, Node 20\.19\.0, load 0\.3 before; ninja 1\.11\.1; 2026-11-21$/m,
  );
  const widths = text
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").length);
  assert.ok(widths.every((width) => width > 3));

  const piped = { ...report, figures: [{ ...ref("curl | tee"), unit: "s", values: [1] } as const] };
  assert.match(markdownOf([piped], machine), /^\| {2}\| curl \\\| tee \|$/m);
});
