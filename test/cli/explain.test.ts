// The words of `why` for every reason there is. Times are given, nothing is looked at.
import assert from "node:assert/strict";
import { test } from "node:test";
import { diffLines } from "../../src/cli/diff-lines.js";
import type { Cause, Explained, Explanation } from "../../src/cli/explain.js";
import { explanationText } from "../../src/cli/explain-text.js";
import { agoText, digestText, reasonsText } from "../../src/cli/words.js";
import type { Reason } from "../../src/core/verdict.js";
import { shellWord } from "../../src/core/word.js";

const nowMs = Date.parse("2026-11-21T12:00:00Z");
const [old, now] = ["sha256:3f9a", "sha256:77c1"].map((start) => start.padEnd(71, "0")) as [string, string];

/** What is said of reasons, without the heading and with columns closed up. */
function said(reasons: readonly Explained[], coloured = false): string[] {
  const one: Explanation = { why: "stale", target: "out", step: "out", reasons, open: [], there: ["out"] };
  const lines = explanationText(one, { nowMs, coloured }).split("\n").slice(1);
  return lines.map((line) => line.trimStart().replace(/ {2,}/g, "  "));
}

const of = (reason: Reason, more: Partial<Explained> = {}): string => said([{ reason, ...more }]).join("\n");

test("every reason in full", () => {
  const changed = { why: "input-changed", input: "in.csv", recorded: old, found: now } as const;
  const modified: Cause = { kind: "modified", at: "2026-11-21T11:57:30.000Z" };
  assert.equal(of({ why: "forced" }), "forced  by `-B`");
  assert.equal(of({ why: "output-missing", output: "out" }, { role: "output" }), "output  out  is not there");
  assert.equal(
    of({ why: "output-edited", output: "out", recorded: old, found: now }, { role: "output" }),
    "output  out  3f9a0000… → 77c10000…  (changed by somebody else)",
  );
  assert.equal(of({ why: "input-added", input: "b" }, { role: "input" }), "input  b  is new");
  assert.equal(of({ why: "input-removed", input: "b" }, { role: "uses" }), "uses  b  is no input any more");
  assert.equal(of(changed, { role: "needed" }), "needed  in.csv  3f9a0000… → 77c10000…");
  assert.equal(
    of(changed, { role: "input", cause: modified }),
    "input  in.csv  3f9a0000… → 77c10000…  (modified 2 min ago)",
  );
  assert.equal(
    of(changed, {
      cause: {
        kind: "remade",
        at: "2026-11-21T09:00:00.000Z",
        because: [{ why: "recipe-changed", about: "command" }, { why: "expired" }],
      },
    }),
    "input  in.csv  3f9a0000… → 77c10000…  (rebuilt 3 h ago: its recipe changed: `command`, its `maxAge` was over)",
  );
  assert.equal(of({ ...changed, recorded: "absent" }), "input  in.csv  was not there → 77c10000…");
  assert.equal(of({ ...changed, found: "absent" }), "input  in.csv  3f9a0000… → is gone");
  assert.equal(
    of({ ...changed, recorded: "unsettled" }),
    "input  in.csv  changed while the recipe ran, now 77c10000…",
  );
  assert.equal(
    of({ why: "expired", checkedAt: "2026-11-21T10:00:00.000Z", maxAgeMs: 3_600_000 }),
    "age  maxAge  asked 2 h ago, to be asked every 1:00:00",
  );
  assert.equal(
    of({ why: "provisional", open: true }),
    "open  its month is still open: what it is made of may grow, so it is asked for every time",
  );
  assert.equal(
    of({ why: "provisional", open: false }),
    "open  its month was still open when it was made, and is not any more",
  );
  const declared = { why: "recipe-changed", part: "table.comments.fare", found: "in dollars" } as const;
  assert.equal(of(declared), "table  comments.fare  (none) → in dollars");
  assert.deepEqual(said([{ reason: { why: "inputs-reordered", recorded: ["a", "b"], found: ["b", "a"] } }]), [
    "inputs  in another order",
    "-a",
    "b",
    "+a",
  ]);
});

test("a part of a recipe says what it is", () => {
  const part = (name: string, recorded?: string, found?: string) =>
    of({
      why: "recipe-changed",
      part: name,
      ...(recorded !== undefined && { recorded }),
      ...(found !== undefined && { found }),
    });
  assert.equal(part("compression", "snappy", "zstd"), "param  compression  snappy → zstd");
  assert.equal(part("columns.ehail_fee", "BIGINT", "DOUBLE"), "column  ehail_fee  BIGINT → DOUBLE");
  assert.equal(part("csv.delimiter", undefined, ";"), "csv  delimiter  (none) → ;");
  assert.equal(part("csv.delimiter", ";"), "csv  delimiter  ; → (none)");
  assert.equal(part("env.MODE", old, now), "env  MODE  3f9a0000… → 77c10000…");
  assert.equal(part("parameter.source", old, now), "param  source  3f9a0000… → 77c10000…");
  assert.equal(part("values.limit", old, now), "value  limit  3f9a0000… → 77c10000…");
  assert.equal(part("version", "1", "2"), "recipe  version  1 → 2");
  assert.equal(
    part(
      "reaches lib/clean.ts tidy",
      "function tidy() {\n  return 1;\n}",
      "function tidy() {\n  return 2;\n}",
    ),
    "code  lib/clean.ts tidy\nfunction tidy() {\n-  return 1;\n+  return 2;\n}",
  );
  assert.equal(
    part("reaches lib/new.ts x", undefined, "const x =\n\t1;\n"),
    "code  lib/new.ts x  is new\n+const x =\n+\t1;",
  );
  assert.equal(
    part("reaches lib/old.ts x", "const x =\n  1;"),
    "code  lib/old.ts x  is gone\n-const x =\n-  1;",
  );
});

test("colours only where they are wanted, and no control character from a text", () => {
  const reason = {
    why: "recipe-changed",
    part: "command",
    recorded: "a\nb\n",
    found: "a\n\x1b[2Jc\n",
  } as const;
  assert.deepEqual(said([{ reason }]), ["recipe  command", "a", "-b", "+\\u001b[2Jc"]);
  assert.deepEqual(said([{ reason }], true).slice(2), ["\x1b[31m-b\x1b[0m", "\x1b[32m+\\u001b[2Jc\x1b[0m"]);
});

test("columns line up, and a long name does not push them away", () => {
  const one: Explanation = {
    why: "stale",
    target: "table:trips/2021-01",
    step: "table:trips/2021-01",
    open: [],
    there: [],
    reasons: [
      {
        reason: { why: "input-changed", input: "data/yellow_2021-01.parquet", recorded: old, found: now },
        role: "input",
        cause: { kind: "modified", at: "2026-11-21T11:58:00.000Z" },
      },
      { reason: { why: "recipe-changed", part: "compression", recorded: "snappy", found: "zstd" } },
    ],
  };
  assert.deepEqual(explanationText(one, { nowMs, coloured: false }).split("\n"), [
    "stale: table:trips/2021-01",
    "  input  data/yellow_2021-01.parquet  3f9a0000… → 77c10000…  (modified 2 min ago)",
    "  param  compression                  snappy → zstd",
  ]);
});

test("a name in a directory that is made whole says with what it is made", () => {
  const made = { attempt: "r", startedAt: "2026-11-21T11:00:00.000Z", checkedAt: "2026-11-21T11:00:00.000Z" };
  const one: Explanation = {
    why: "fresh",
    target: "parts/a.csv",
    step: "parts",
    parts: ["kind"],
    names: [],
    made: { ...made, durationMs: 90_000, facts: { rows: 1234 } },
  };
  const [heading, recipe, time] = explanationText(one, { nowMs, coloured: false }).split("\n");
  assert.equal(heading, "fresh: parts/a.csv (made with `parts`)");
  assert.equal(recipe, "  recipe  1 part as recorded: kind");
  assert.equal(time, "  made    2026-11-21 11:01:30 UTC (58 min ago) in 1:30, 1,234 rows");
});

test("far apart changes leave out what is between", () => {
  const lines = Array.from({ length: 20 }, (_, i) => `line ${i}`);
  const changed = lines.map((line, i) => (i === 1 || i === 18 ? `${line}!` : line));
  assert.deepEqual(diffLines(lines.join("\n"), changed.join("\n")), [
    " line 0",
    "-line 1",
    "+line 1!",
    " line 2",
    " line 3",
    "…",
    " line 16",
    " line 17",
    "-line 18",
    "+line 18!",
    " line 19",
  ]);
  assert.deepEqual(diffLines("a", "a\n"), []);
});

test("a build says each reason in a line", () => {
  const changed = { why: "input-changed", input: "a", recorded: old, found: now } as const;
  assert.equal(reasonsText([changed]), "`a` changed");
  assert.equal(reasonsText([{ ...changed, found: "absent" }]), "`a` is gone");
  assert.equal(reasonsText([{ ...changed, recorded: "absent" }]), "`a` is there now");
  assert.equal(reasonsText([{ ...changed, recorded: "unsettled" }]), "`a` changed while its recipe ran");
  assert.equal(
    reasonsText([{ why: "inputs-reordered", recorded: [], found: [] }, changed]),
    "its inputs come in another order, and 1 more",
  );
});

test("a part of a recipe is said in a line where it is short", () => {
  const part = (name: string, recorded?: string, found?: string) =>
    reasonsText([
      {
        why: "recipe-changed",
        part: name,
        ...(recorded !== undefined && { recorded }),
        ...(found !== undefined && { found }),
      },
    ]);
  assert.equal(part("compression", "snappy", "zstd"), "recipe: compression snappy → zstd");
  assert.equal(part("csv.delimiter", undefined, ";"), "recipe: csv.delimiter (none) → ;");
  assert.equal(part("env.MODE", old, now), "recipe: env.MODE 3f9a0000… → 77c10000…");
  const [before, after] = [1, 2].map((n) => `async ({ input, output }) => await tidy(input, output, ${n})`);
  assert.equal(part("function", before, after), "recipe: function changed");
  assert.equal(part("command", "a", "\x1b[2J"), "recipe: command a → \\u001b[2J");
  assert.equal(part("command", "a", "a\nb"), "recipe: command changed");
  assert.equal(
    part("reaches lib/clean.ts tidy", before, after),
    "the code of `tidy` in lib/clean.ts changed",
  );
  assert.equal(
    part("reaches lib/clean.ts a, b", undefined, after),
    "the code of `a, b` in lib/clean.ts is new",
  );
  assert.equal(part("function", before), "recipe: function is gone");
});

test("times, digests and names in short", () => {
  const ago = (seconds: number) => agoText(nowMs - seconds * 1000, nowMs);
  assert.deepEqual([0, 1, 2, 119, 120, 7199, 7200, 172_799, 172_800, -5].map(ago), [
    "just now",
    "just now",
    "2 s ago",
    "119 s ago",
    "2 min ago",
    "119 min ago",
    "2 h ago",
    "47 h ago",
    "2 days ago",
    "in the future",
  ]);
  assert.deepEqual([old, "absent", "unsettled"].map(digestText), ["3f9a0000…", "not there", "unknown"]);
  assert.equal(shellWord("data/a-1.csv"), "data/a-1.csv");
  assert.equal(shellWord("it's here"), "'it'\\''s here'");
});
