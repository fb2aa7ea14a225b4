// What a person reads about a bad value, a damaged file, a rule that cannot be, and in a warning: a sentence that can be read, and help that helps.
import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnose } from "../../src/cli/diagnose.js";
import { warningText } from "../../src/cli/warn.js";
import type { Warning } from "../../src/core/event.js";
import type { Failure } from "../../src/core/failure.js";
import type { DataFailure } from "../../src/core/failure-data.js";

type BadValue = Extract<DataFailure, { reason: "bad-value" }>;

const lines = (failure: DataFailure): readonly string[] => diagnose(failure).split("\n");

const about = (text: string, type = "BIGINT", more: Partial<BadValue> = {}): readonly string[] =>
  lines({ reason: "bad-value", file: "in.csv", line: 7, column: "a", text, type, ...more });

/** The type that is offered, if any. */
const offered = (...value: Parameters<typeof about>): string | undefined =>
  /^help: .*`columns: \{ "a": "(.*)" \}`$/m.exec(about(...value).join("\n"))?.[1];

test("the problem of a value is told in a sentence", () => {
  const said = (...value: Parameters<typeof about>) => about(...value)[0]!.replace("error: `in.csv`, ", "");
  assert.equal(said(""), "line 7, column `a`: an empty text is no BIGINT");
  assert.equal(said("abc"), "line 7, column `a`: `abc` is no BIGINT");
  assert.equal(
    said("0.5", "BIGINT", { problem: "it is not a whole number" }),
    "line 7, column `a`: `0.5` is no BIGINT: it is not a whole number",
  );
  assert.equal(
    said("007", "BIGINT", { problem: "the zero in front would be lost" }),
    "line 7, column `a`: `007` is no BIGINT: the zero in front would be lost",
  );
  assert.equal(
    said("0.5", "BIGINT", { problem: "in row 3, DOUBLE in the file" }),
    "line 7, column `a`: `0.5` is no BIGINT (in row 3, DOUBLE in the file)",
  );
  assert.equal(
    said("x\0", "text", { problem: "row 3 holds the character NUL, which no text in Postgres can" }),
    "row 3, column `a`: `x\0` holds the character NUL, which no text in Postgres can",
  );
});

test("the type that is offered keeps the value", () => {
  const cases: readonly (readonly [text: string, type: string, wider: string | undefined])[] = [
    ["0.5", "BIGINT", "DOUBLE"],
    ["-.5", "INTEGER", "DOUBLE"],
    ["1.5e3", "BIGINT", "DOUBLE"],
    ["0.12345678901234567", "BIGINT", "VARCHAR"],
    ["0.5", "HUGEINT", "VARCHAR"],
    ["3000000000", "INTEGER", "BIGINT"],
    ["-1", "UINTEGER", "BIGINT"],
    ["-1", "UBIGINT", "HUGEINT"],
    ["9223372036854775808", "BIGINT", "HUGEINT"],
    ["-9223372036854775809", "INTEGER", "HUGEINT"],
    ["9".repeat(39), "BIGINT", "VARCHAR"],
    ["9".repeat(39), "DECIMAL(38,0)", "VARCHAR"],
    ["12345678901234567890", "DOUBLE", "VARCHAR"],
    ["abc", "BIGINT", "VARCHAR"],
    ["", "BIGINT", "VARCHAR"],
    ["00123", "BIGINT", "VARCHAR"],
    ["00.5", "BIGINT", "VARCHAR"],
    ["+5", "BIGINT", "VARCHAR"],
    ["2023-02-30", "DATE", "VARCHAR"],
    ["\\xff", "VARCHAR", undefined],
    ["x", "text", undefined],
    ["1\0", "BIGINT", undefined],
  ];
  for (const [text, type, wider] of cases) assert.equal(offered(text, type), wider, `${text} as ${type}`);
});

test("no type is offered where none would help", () => {
  assert.equal(about("x\0", "text", { problem: "row 3 holds the character NUL, which …" }).length, 1);
  const problem = "does not fit the table's `integer` without being rounded or cut";
  assert.deepEqual(about("0.5", "integer", { problem }), [
    `error: \`in.csv\`, line 7, column \`a\`: \`0.5\` ${problem}`,
    "help: correct the value, or change the table with ALTER TABLE",
  ]);
});

test("a file that is cut is still what it is", () => {
  const said = (expected: string, found: string) =>
    lines({ reason: "not-that-format", file: "f", expected, found });
  assert.deepEqual(said("gzip", "gzip that ends in the middle"), [
    "error: `f` is gzip that ends in the middle",
  ]);
  assert.deepEqual(said("json", "JSON that ends in the middle"), [
    "error: `f` is JSON that ends in the middle",
  ]);
  assert.deepEqual(said("gzip", "damaged gzip"), ["error: `f` is damaged gzip"]);
  assert.deepEqual(said("parquet", "parquet without its end"), ["error: `f` is parquet without its end"]);
  assert.deepEqual(said("csv", "html"), ["error: `f` is an HTML page, not CSV"]);
});

const at = { file: "Datafile.ts", line: 3 };

test("what is wrong with rules and recipes, with the place of both where two are meant", () => {
  const said = (failure: Failure): readonly string[] => diagnose(failure, at).split("\n");
  const second = { file: "Datafile.ts", line: 9 };
  const cases: readonly (readonly [failure: Failure, ...text: string[]])[] = [
    [
      { reason: "overlap", output: "parts/a.csv", inside: "parts", first: at, second },
      "error: `parts/a.csv` lies inside `parts`, which another rule makes whole",
      "  --> Datafile.ts:9",
      "  --> Datafile.ts:3",
      "help: put it beside the folder, or let one rule make both",
    ],
    [
      { reason: "needs-manifest", manifest: "my list.txt", wildcard: "month", at },
      "error: the values of `{month}` are listed in `my list.txt`, which is not built yet",
      "  --> Datafile.ts:3",
      "help: `dmake 'my list.txt'`",
    ],
    [
      { reason: "glob-empty", glob: "in/*.csv", neededBy: "out.csv", at },
      "error: `out.csv` needs `in/*.csv`, which no file and no target fits",
      "  --> Datafile.ts:3",
      "help: is its path right? If there need not be any, say `optional(…)`",
    ],
    [
      { reason: "output-kind", output: "parts", found: "file" },
      "error: the recipe made a file where `parts/` is a folder",
      "  --> Datafile.ts:3",
      "help: write files into `output`, or drop the `/` at the end of the target",
    ],
    [
      { reason: "output-kind", output: "parts", found: "directory" },
      "error: the recipe made a folder where `parts` is a file",
      "  --> Datafile.ts:3",
      "help: write a file, or declare the folder: `parts/`",
    ],
    [
      { reason: "need-failed", needed: "lookup.csv" },
      "error: it needs `lookup.csv`, which could not be made",
      "  --> Datafile.ts:3",
    ],
    [
      { reason: "undeclared-input", input: "gen.h", maker: second },
      "error: the recipe read `gen.h`, which a rule makes and which was not brought up to date before",
      "  --> Datafile.ts:3",
      "  made by --> Datafile.ts:9",
      'help: list it in `from` or `uses`: `"gen.h"`',
    ],
    [
      { reason: "bad-depfile", path: "out.o", problem: "no `:` in it" },
      "error: the depfile of `out.o` cannot be read: no `:` in it",
      "  --> Datafile.ts:3",
      "help: the command writes it in the syntax of Make, as `cc -MD -MF` does",
    ],
    [
      { reason: "changed-while-read", path: "in.csv" },
      "error: `in.csv` kept changing while it was read",
      "  --> Datafile.ts:3",
      "help: run dmake again when whoever writes it is done",
    ],
  ];
  for (const [failure, ...text] of cases) assert.deepEqual(said(failure), text);
});

test("a warning says what, where, and what to do", () => {
  const said = (warning: Warning): readonly string[] => warningText(warning).split("\n");
  const cases: readonly (readonly [warning: Warning, ...text: string[]])[] = [
    [
      { warning: "output-saved", output: "out.csv", path: ".dmake/saved/0123456789ab/out.csv" },
      "warning: `out.csv` was changed by somebody else; it was made anew, and what it held is kept at `.dmake/saved/0123456789ab/out.csv`",
      "help: if the change was right, make it in the rule's recipe: `diff .dmake/saved/0123456789ab/out.csv out.csv`",
    ],
    [
      { warning: "input-unsettled", step: "out.csv", input: "in.csv" },
      "warning: `in.csv` changed while `out.csv` was made from it, which will be made again next time",
    ],
    [
      { warning: "capture-unseen", name: "limit", at },
      "warning: the recipe uses `limit`, whose value comes to be at run time: nothing will notice when it changes",
      "  --> Datafile.ts:3",
      "help: list it in `values: { limit }`, or say with `uses` or `version` what the recipe depends on",
    ],
    [
      { warning: "state-damaged", path: ".dmake/state.ndjson", lines: 1 },
      "warning: a line of `.dmake/state.ndjson` cannot be read: what it recorded is made again",
    ],
    [
      { warning: "state-foreign", path: ".dmake/state.ndjson", kept: ".dmake/old" },
      "warning: `.dmake/state.ndjson` is of another version of dmake and is not used: everything is made again",
      "  it is kept at `.dmake/old`",
      "help: dmake adopt vouches for what is there without making it",
    ],
    [
      { warning: "future-time", name: "in.csv" },
      "warning: `in.csv` is dated in the future, so it is read on every run",
      "help: `touch in.csv`",
    ],
    [
      { warning: "list-open", wildcard: "month", manifest: "months.txt", standing: "may-run" },
      "warning: the values of `{month}` are listed in `months.txt`, which may run: the list may change",
    ],
  ];
  for (const [warning, ...text] of cases) assert.deepEqual(said(warning), text);
});
