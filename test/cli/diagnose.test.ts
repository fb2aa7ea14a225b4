// What a person reads about a bad value or a damaged file: a sentence that can be read, and help that helps.
import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnose } from "../../src/cli/diagnose.js";
import type { DataFailure } from "../../src/core/failure.js";

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
