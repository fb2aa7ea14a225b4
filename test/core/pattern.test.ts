// Names with wildcards: what fits, what is read out of it, and what is refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  bindings,
  fill,
  literalLength,
  matcher,
  parseNamePattern,
  parsePattern,
  shownValue,
  valueProblem,
} from "../../src/core/pattern.js";
import { holds } from "../rig/property.js";
import { domains, here, pattern } from "../rig/recipes.js";
import { failureOf, must } from "../rig/world.js";

const matches = (text: string, name: string, where: Readonly<Record<string, readonly string[]>> = {}) =>
  matcher(pattern(text), domains(where))(name);

test("a wildcard fits any text but none, and never a slash", () => {
  assert.deepEqual(matches("data/{month}.csv", "data/2023-01.csv"), { month: "2023-01" });
  assert.equal(matches("data/{month}.csv", "data/.csv"), undefined);
  assert.equal(matches("data/{month}.csv", "data/a/b.csv"), undefined);
  assert.equal(matches("data/{month}.csv", "other/2023-01.csv"), undefined);
  assert.equal(matches("data/{month}.csv", "data/2023-01.csv.gz"), undefined);
  assert.equal(matches("data/{month}.csv", "my/data/2023-01.csv"), undefined);
});

test("a name without wildcards fits itself", () => {
  assert.deepEqual(matches("a.csv", "a.csv"), {});
  assert.equal(matches("a.csv", "a_csv"), undefined);
});

test("a wildcard that comes twice must fit the same text twice", () => {
  assert.deepEqual(matches("{color}/{color}_{month}.csv", "green/green_01.csv"), {
    color: "green",
    month: "01",
  });
  assert.equal(matches("{color}/{color}_{month}.csv", "green/yellow_01.csv"), undefined);
  assert.deepEqual(matches("{a}-{a}", "x-x-x-x"), { a: "x-x" });
});

test("domains decide a split that could be read in several ways", () => {
  const text = "{color}_{month}.csv";
  assert.deepEqual(matches(text, "light_green_2023_01.csv"), { color: "light_green_2023", month: "01" });
  const month = ["2023_01", "2023_02"];
  assert.deepEqual(matches(text, "light_green_2023_01.csv", { month }), {
    color: "light_green",
    month: "2023_01",
  });
  const color = ["light", "light_green"];
  assert.deepEqual(matches(text, "light_green_2023_01.csv", { color, month }), {
    color: "light_green",
    month: "2023_01",
  });
  assert.equal(matches(text, "dark_2023_01.csv", { color }), undefined);
});

test("of domain values that begin alike the one that fits whole is found", () => {
  assert.deepEqual(matches("{n}{x}", "101", { n: ["1", "10", "101"], x: ["1"] }), { n: "10", x: "1" });
});

test("an empty domain fits nothing", () => {
  assert.equal(matches("{a}.csv", "a.csv", { a: [] }), undefined);
});

test("characters that mean something in a regular expression stand for themselves", () => {
  const odd = "a.b*c+d?e^f$g(h)i|j[k]l\\m-n";
  assert.deepEqual(matches(`${odd}/{x}`, `${odd}/1`), { x: "1" });
  assert.equal(matches("a.b/{x}", "aXb/1"), undefined);
  assert.deepEqual(matches("{x}.csv", `${odd}.csv`), { x: odd });
  assert.deepEqual(matches("{x}.csv", "a|b.csv", { x: ["a|b", "c.d"] }), { x: "a|b" });
  assert.equal(matches("{x}.csv", "a.csv", { x: ["a|b"] }), undefined);
  assert.equal(matches("{x}.csv", "cXd.csv", { x: ["c.d"] }), undefined);
});

/** What the matcher promises, as one expression. */
function byExpression(text: string, where: Readonly<Record<string, readonly string[]>>, name: string) {
  const literally = (literal: string) => literal.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  const seen = new Set<string>();
  const { literals, wildcards } = must(parsePattern(text, here));
  const body = literals.map((literal, i) => {
    const wildcard = wildcards[i];
    if (wildcard === undefined) return literally(literal);
    const values = where[wildcard]?.map(literally).join("|") || (where[wildcard] ? "(?!)" : "[^/]+");
    const group = seen.has(wildcard) ? `\\k<${wildcard}>` : `(?<${wildcard}>${values})`;
    seen.add(wildcard);
    return literally(literal) + group;
  });
  const groups = new RegExp(`^${body.join("")}$`).exec(name)?.groups;
  return groups && { ...groups };
}

test("names are read as one expression with the values as alternatives would read them", async () => {
  const piece = fc.constantFrom("a", "b", "ab", "_", "-", "/", "{x}", "{x}", "{y}", "{y}", "{z}");
  const letters = fc.array(fc.constantFrom("a", "b", "_", "-", "/"), { maxLength: 8 });
  const values = fc.option(
    fc.array(fc.constantFrom("a", "b", "ab", "aba", "a_", "_", "b-a"), { maxLength: 4 }),
  );
  const drawn = fc.record({
    text: fc.array(piece, { minLength: 1, maxLength: 7 }),
    name: letters,
    x: values,
    y: values,
  });
  const property = fc.asyncProperty(drawn, async ({ text, name, x, y }) => {
    const where = { ...(x && { x }), ...(y && { y }) };
    const [one, other] = [text.join(""), name.join("")];
    if (!one.includes("{")) return;
    const found = matcher(must(parsePattern(one, here)), domains(where))(other);
    assert.deepEqual(found, byExpression(one, where, other));
  });
  await holds(property, 20_000);
});

test("a newline is a character like any other, and no end of a name", () => {
  assert.deepEqual(matches("{x}.csv", "a\nb.csv"), { x: "a\nb" });
  assert.equal(matches("{x}.csv", "a.csv\n"), undefined);
  assert.equal(matches("a.csv", "a.csv\n"), undefined);
});

test("wildcards may be named as what every object has", () => {
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    const found = matches(`data/{${name}}_{season}.csv`, "data/ferrari_2023.csv");
    assert.deepEqual(Object.entries(found ?? {}), [
      [name, "ferrari"],
      ["season", "2023"],
    ]);
  }
});

test("names are normalised before they are read as patterns", () => {
  assert.equal(pattern("./data//{x}/../{y}.csv").text, "data/{y}.csv");
  failureOf(parseNamePattern("../{x}.csv", here), "outside-root");
  failureOf(parseNamePattern("/data/{x}.csv", here), "outside-root");
});

test("braces that are no wildcard are refused, with the reason", () => {
  for (const text of [
    "{}",
    "{a b}",
    "{a-b}",
    "{1a}",
    "{a,b}",
    "{a..b}",
    "{*}",
    "{{a}}",
    "{a",
    "a}",
    "a}{b",
  ]) {
    const failure = failureOf(parsePattern(text, here), "bad-pattern");
    assert.equal(failure.pattern, text);
  }
});

test("filling in is the way back from matching", () => {
  const text = fc.string({ minLength: 1, maxLength: 8 }).filter((value) => !/[/{}]/.test(value));
  fc.assert(
    fc.property(text, text, text, (a, b, between) => {
      const parsed = must(parsePattern(`x/{a}/${between}/{b}.csv`, here));
      const name = fill(parsed, { a, b });
      assert.deepEqual(matcher(parsed, {})(name), { a, b });
    }),
  );
});

test("filling in without a value is a bug, and said so", () => {
  assert.throws(() => fill(pattern("{a}.csv"), {}), /bug: `\{a\}\.csv` filled without `a`/);
});

test("the literal length counts what is no wildcard", () => {
  assert.equal(literalLength(pattern("data/{a}_{b}.csv")), "data/_.csv".length);
});

test("values that would name something elsewhere are refused", () => {
  for (const value of ["", "a/b", "/", ".", "..", "a\0b"])
    assert.notEqual(valueProblem(value), undefined, value);
  for (const value of [
    "a",
    "...",
    "..a",
    "2023-01",
    " ",
    "ü",
    "日本",
    "😀",
    "-rf",
    "$HOME",
    "a\\b",
    "'",
    "`x`",
  ])
    assert.equal(valueProblem(value), undefined);
});

test("nor can a value break a line, steer a terminal or hold half a character; it can be shown all the same", () => {
  for (const [value, problem, shown] of [
    ["a\n", "contains a line break", "a\\u000a"],
    ["2021-01\r", "contains a line break", "2021-01\\u000d"],
    ["a\u2028b", "contains a line break", "a\\u2028b"],
    ["\u001b[2J", "contains a control character", "\\u001b[2J"],
    ["\u009b2J", "contains a control character", "\\u009b2J"],
    ["\u007f", "contains a control character", "\\u007f"],
    ["\ud83d", "contains half a character", "\\ud83d"],
  ] as const) {
    assert.equal(valueProblem(value), problem);
    assert.equal(shownValue(value), shown);
  }
  assert.equal(shownValue("日本 😀 a\\b"), "日本 😀 a\\b");
});

test("bindings run over all domains, the last wildcard fastest, a repeated one once", () => {
  const all = (wildcards: string[], where: Record<string, string[]>) => [
    ...bindings(wildcards, domains(where)),
  ];
  assert.deepEqual(all(["a", "b", "a"], { a: ["1", "2"], b: ["x", "y"] }), [
    { a: "1", b: "x" },
    { a: "1", b: "y" },
    { a: "2", b: "x" },
    { a: "2", b: "y" },
  ]);
  assert.deepEqual(all([], {}), [{}]);
  assert.deepEqual(all(["a"], {}), []);
  assert.deepEqual(all(["a", "b"], { a: ["1"], b: [] }), []);
});
