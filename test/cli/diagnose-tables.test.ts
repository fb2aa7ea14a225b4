// What a person reads about rows that do not fit, a table that may not change, and SQL that is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnose } from "../../src/cli/diagnose.js";
import { warningText } from "../../src/cli/warn.js";
import { factsText, reasonText } from "../../src/cli/words.js";

const at = { file: "Datafile.ts", line: 14, column: 3 };

test("a table that is frozen names every difference, and the line that says so", () => {
  const differences = [
    "column `airport_fee` is in the file, and not in the table",
    "column `fare` is numeric in the file, and integer in the table",
  ];
  const help = "alter the table: `ALTER TABLE trips ADD COLUMN airport_fee double precision`";
  const failure = { reason: "table-shape", table: "trips", differences, help, contract: "freeze" } as const;
  assert.equal(
    diagnose(failure, at),
    [
      "error: `trips` does not fit the data, and its contract is `freeze`",
      "  --> Datafile.ts:14:3",
      "  column `airport_fee` is in the file, and not in the table",
      "  column `fare` is numeric in the file, and integer in the table",
      'help: change `contract: "freeze"` in Datafile.ts:14, or alter the table: `ALTER TABLE trips ADD COLUMN airport_fee double precision`',
    ].join("\n"),
  );
  const { contract: _, ...plain } = failure;
  assert.match(diagnose(plain, at), /^error: `trips` does not fit the data\n[\s\S]*help: alter the table/);
  assert.match(diagnose({ ...failure, help: "" }), /^help: change `contract: "freeze"`$/m);
});

test("too many rows that do not fit: how many, which is the first, and what to write", () => {
  const first = { line: 7, column: "fare", value: "abc", reason: "it is no number" };
  const failure = {
    reason: "too-many-rejects",
    file: "data/x.csv",
    maxRejects: 10,
    rows: 11,
    first,
  } as const;
  assert.equal(
    diagnose(failure, at),
    [
      "error: 11 rows of `data/x.csv` do not fit, and `maxRejects` allows 10: nothing was loaded",
      "  --> Datafile.ts:14:3",
      "  the first: line 7, column `fare`: `abc`: it is no number",
      "help: correct the file, or allow more: `maxRejects: 20`",
    ].join("\n"),
  );
  assert.match(diagnose({ ...failure, rows: 1, maxRejects: 0 }), /^error: 1 row of .* does not fit/);
  for (const [rows, more] of [
    [1, 2],
    [9, 10],
    [99, 100],
    [1234, 2000],
  ] as const)
    assert.match(diagnose({ ...failure, rows }), new RegExp(`maxRejects: ${more}\``));
});

test("SQL that Postgres refuses is shown with the place in it", () => {
  const error = { reason: "sql-error", code: "42703", message: 'column "mnth" does not exist' } as const;
  const hint = 'Perhaps you meant to reference the column "trips.month".';
  const inFile = { ...error, file: "sql/monthly.sql", line: 2, column: 10, text: "group by mnth", hint };
  assert.equal(
    diagnose(inFile, at),
    [
      'error: Postgres refuses the statement: column "mnth" does not exist (42703)',
      "  --> sql/monthly.sql:2:10",
      "   | group by mnth",
      "   |          ^",
      'help: perhaps you meant to reference the column "trips.month"',
    ].join("\n"),
  );
  // Of a text in the Datafile the place is that of the rule; the caret is that of the text.
  const inText = { ...error, line: 1, column: 8, text: "select mnth", detail: "Something more." };
  assert.deepEqual(diagnose(inText, at).split("\n").slice(1), [
    "  --> Datafile.ts:14:3",
    "   | select mnth",
    "   |        ^",
    "  Something more.",
  ]);
  assert.deepEqual(diagnose(error, at).split("\n").length, 2);
});

test("rows that were set aside are told with the first and the query for all", () => {
  const warning = {
    warning: "rows-rejected",
    step: "table:yellow_trips/2019-01",
    file: "data/x.csv",
  } as const;
  const first = { line: 7, column: "fare", value: "a\tb", reason: "it is no number" };
  assert.equal(
    warningText({ ...warning, rows: 12, first }),
    [
      "warning: 12 rows of `data/x.csv` did not fit and were set aside",
      "  the first: line 7, column `fare`: `a\\tb`: it is no number",
      `help: all of them: \`dmake sql "select line, column_name, value, reason from dmake.rejects where table_name = 'yellow_trips' and partition = '2019-01'"\``,
    ].join("\n"),
  );
  const odd = {
    ...warning,
    step: "table:raw.o'neil$x",
    rows: 1,
    first: { row: 3, reason: "it has a field too many" },
  };
  const lines = warningText(odd).split("\n");
  assert.equal(lines[0], "warning: 1 row of `data/x.csv` did not fit and was set aside");
  assert.equal(lines[1], "  row 3: it has a field too many");
  assert.match(lines[2] ?? "", /schema_name = 'raw' and table_name = 'o''neil\\\$x'"`$/);
});

test("what was changed of a table is told, one line a change", () => {
  const one = "column `airport_fee` was added as `double precision`";
  const warning = { warning: "table-changed", step: "table:t/2019-01" } as const;
  assert.equal(
    warningText({ ...warning, changes: [one] }),
    `warning: the table of \`table:t/2019-01\` was changed: ${one}`,
  );
  assert.equal(
    warningText({ ...warning, changes: [one, "column `a` is `bigint` now"] }),
    `warning: the table of \`table:t/2019-01\` was changed:\n  ${one}\n  column \`a\` is \`bigint\` now`,
  );
});

test("an option that cannot be meant names itself", () => {
  const failure = {
    reason: "bad-option",
    file: "a.csv",
    option: "quote",
    problem: "must be one character",
  } as const;
  assert.equal(diagnose(failure), "error: `a.csv`: `csv.quote` must be one character");
});

test("rejects and months that are not over, in short", () => {
  assert.equal(factsText({ rows: 68_211, rejects: 1_200 }), "68,211 rows, 1,200 set aside");
  assert.equal(factsText({ rows: 1, rejects: 0 }), "1 row");
  assert.equal(reasonText({ why: "provisional", open: true }), "its month is still open");
  assert.equal(reasonText({ why: "provisional", open: false }), "its month was still open when it was made");
});
