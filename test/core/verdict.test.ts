// Fresh or stale, and why: every reason, all of them, in the order in which a person would check.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DownloadRecipe, Step } from "../../src/core/rule.js";
import { absent, type NamedDigest, type Trace, unsettled } from "../../src/core/trace.js";
import { certainReasons, type Evidence, judge } from "../../src/core/verdict.js";
import { makes } from "../rig/recipes.js";

const checkedAt = "2024-05-01T12:00:00.000Z";
const checkedMs = Date.parse(checkedAt);
const download: DownloadRecipe = { kind: "download", url: "https://example.org", timeoutMs: 1, retries: 0 };
const step: Step = {
  id: "out",
  rule: makes("out"),
  binding: {},
  inputs: ["a", "b"],
  uses: [],
  after: [],
  optional: new Set(),
  outputs: ["out", "log"],
  directories: new Set(),
  recipe: { kind: "script", parts: { source: "1" }, run: async () => {} },
};
const trace: Trace = {
  recipe: { kind: "script", source: "1" },
  inputs: [
    { name: "a", digest: "sha256:a" },
    { name: "b", digest: "sha256:b" },
  ],
  outputs: [
    { name: "out", digest: "sha256:out" },
    { name: "log", digest: "sha256:log" },
  ],
  attempt: "1",
  startedAt: checkedAt,
  checkedAt,
  durationMs: 1,
  facts: {},
};
const present = (digest: string) => ({ kind: "present", digest }) as const;
const evidence: Evidence = {
  step,
  recipe: trace.recipe,
  inputs: trace.inputs,
  discovered: [],
  outputs: [present("sha256:out"), present("sha256:log")],
  trace,
  forced: false,
  nowMs: checkedMs,
};
const reasons = (change: Partial<Evidence>) => {
  const verdict = judge({ ...evidence, ...change });
  return verdict.kind === "fresh" ? [] : verdict.reasons;
};

test("what is as it was recorded is fresh", () => {
  assert.deepEqual(judge(evidence), { kind: "fresh" });
});

test("forced is a reason of its own", () => {
  assert.deepEqual(reasons({ forced: true }), [{ why: "forced" }]);
});

test("what was never recorded is not trusted, even where the files are there", () => {
  assert.deepEqual(reasons({ trace: undefined }), [{ why: "no-record" }]);
});

test("a missing and an edited output are told apart, each by name", () => {
  assert.deepEqual(reasons({ outputs: [{ kind: "absent" }, present("sha256:hand")] }), [
    { why: "output-missing", output: "out" },
    { why: "output-edited", output: "log", recorded: "sha256:log", found: "sha256:hand" },
  ]);
});

test("an output that the record does not know is not trusted", () => {
  assert.deepEqual(reasons({ trace: { ...trace, outputs: trace.outputs.slice(0, 1) } }), [
    { why: "no-record" },
  ]);
});

test("a recipe's parts are compared by name: changed, new and gone", () => {
  const recipe = { kind: "script", source: "2", fresh: "x" };
  const recorded = { ...trace, recipe: { kind: "script", source: "1", gone: "y" } };
  assert.deepEqual(reasons({ recipe, trace: recorded }), [
    { why: "recipe-changed", part: "fresh", found: "x" },
    { why: "recipe-changed", part: "gone", recorded: "y" },
    { why: "recipe-changed", part: "source", recorded: "1", found: "2" },
  ]);
});

test("the order in which parts were written does not matter", () => {
  assert.deepEqual(reasons({ recipe: { source: "1", kind: "script" } }), []);
});

test("inputs are compared by name: changed, added and removed", () => {
  const inputs = [
    { name: "b", digest: "sha256:b2" },
    { name: "c", digest: "sha256:c" },
  ];
  assert.deepEqual(reasons({ inputs }), [
    { why: "input-added", input: "c" },
    { why: "input-removed", input: "a" },
    { why: "input-changed", input: "b", recorded: "sha256:b", found: "sha256:b2" },
  ]);
});

test("the same inputs in another order are another recipe", () => {
  assert.deepEqual(reasons({ inputs: [...trace.inputs].reverse() }), [
    { why: "inputs-reordered", recorded: ["a", "b"], found: ["b", "a"] },
  ]);
});

test("inputs that came or went do not hide that the others changed places", () => {
  const [a, b] = trace.inputs;
  const c = { name: "c", digest: "sha256:c" };
  const whys = (inputs: readonly NamedDigest[]) => reasons({ inputs }).map(({ why }) => why);
  assert.deepEqual(whys([c, a!, b!]), ["input-added"]);
  assert.deepEqual(whys([b!, c, a!]), ["input-added", "inputs-reordered"]);
});

test("an optional input that comes or goes is a change of it", () => {
  const optional = [trace.inputs[0]!, { name: "b", digest: absent }];
  assert.deepEqual(reasons({ inputs: optional }), [
    { why: "input-changed", input: "b", recorded: "sha256:b", found: absent },
  ]);
  const recorded = { ...trace, inputs: optional };
  assert.deepEqual(reasons({ inputs: optional, trace: recorded }), []);
  assert.deepEqual(reasons({ trace: recorded }), [
    { why: "input-changed", input: "b", recorded: absent, found: "sha256:b" },
  ]);
});

test("an input that was touched while the recipe ran is like no content at all", () => {
  const recorded = { ...trace, inputs: [trace.inputs[0]!, { name: "b", digest: unsettled }] };
  assert.deepEqual(reasons({ trace: recorded }), [
    { why: "input-changed", input: "b", recorded: unsettled, found: "sha256:b" },
  ]);
});

test("what a recipe had discovered counts like an input: changed, and gone", () => {
  const recorded = { ...trace, discovered: [{ name: "d", digest: "sha256:d" }] };
  assert.deepEqual(reasons({ trace: recorded, discovered: recorded.discovered }), []);
  for (const found of ["sha256:d2", absent])
    assert.deepEqual(reasons({ trace: recorded, discovered: [{ name: "d", digest: found }] }), [
      { why: "input-changed", input: "d", recorded: "sha256:d", found },
    ]);
});

test("all reasons are collected, in the order in which a person would check them", () => {
  const all = reasons({
    forced: true,
    outputs: [{ kind: "absent" }, present("sha256:hand")],
    recipe: { kind: "script", source: "2" },
    inputs: [
      { name: "a", digest: "sha256:a2" },
      { name: "b", digest: "sha256:b" },
    ],
    discovered: [{ name: "d", digest: absent }],
    trace: { ...trace, discovered: [{ name: "d", digest: "sha256:d" }] },
    step: { ...step, recipe: { ...download, maxAgeMs: 1 } },
    nowMs: checkedMs + 1,
  });
  const inputs = ["input-changed", "input-changed"];
  assert.deepEqual(
    all.map(({ why }) => why),
    ["forced", "output-missing", "output-edited", "recipe-changed", ...inputs, "expired"],
  );
});

test("a declared age runs out at its end, and also when the clock stands before the record", () => {
  const aged = { ...step, recipe: { ...download, maxAgeMs: 1_000 } };
  const expired = [{ why: "expired", checkedAt, maxAgeMs: 1_000 }];
  assert.deepEqual(reasons({ step: aged, nowMs: checkedMs + 999 }), []);
  assert.deepEqual(reasons({ step: aged, nowMs: checkedMs + 1_000 }), expired);
  assert.deepEqual(reasons({ step: aged, nowMs: checkedMs - 1 }), expired);
  assert.deepEqual(reasons({ step: aged, trace: { ...trace, checkedAt: "soon" } }).length, 1);
  assert.deepEqual(reasons({ step: { ...step, recipe: download }, nowMs: checkedMs * 2 }), []);
});

test("what an uncertain input may take back is not certain; the rest is", () => {
  const changed = [
    { name: "a", digest: "sha256:a2" },
    { name: "b", digest: "sha256:b2" },
  ];
  const verdict = judge({ ...evidence, inputs: changed, forced: true });
  const certain = (...uncertain: string[]) =>
    certainReasons(verdict, new Set(uncertain)).map((reason) =>
      "input" in reason ? reason.input : reason.why,
    );
  assert.deepEqual(certain(), ["forced", "a", "b"]);
  assert.deepEqual(certain("a"), ["forced", "b"]);
  assert.deepEqual(certain("a", "b"), ["forced"]);
  assert.deepEqual(certainReasons({ kind: "fresh" }, new Set()), []);
});
