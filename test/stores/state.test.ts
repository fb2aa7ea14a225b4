// The file of records: what is damaged is dropped, never believed. Told on a real folder.
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Warning } from "../../src/core/event.js";
import type { Trace } from "../../src/core/trace.js";
import { State } from "../../src/stores/state.js";
import { type Line, written } from "../../src/stores/state-line.js";
import { filled, stamp, story, trace } from "./state-rig.js";

story("what one process records the next one reads", (path) => {
  filled(path);
  const next = new State(path);
  assert.deepEqual(next.traces.get("out"), trace("1"));
  assert.deepEqual(next.stamps.get("raw"), stamp);
});

story("reading alone writes nothing", (path, folder) => {
  new State(path);
  assert.deepEqual(folder.list(), []);
});

story("of two records of one step the later holds", (path) => {
  filled(path).setTrace("out", trace("2"));
  assert.equal(new State(path).traces.get("out")?.attempt, "2");
});

story("a line that was torn by a kill is dropped, and what follows it is kept", (path) => {
  filled(path);
  const whole = readFileSync(path, "utf8");
  for (let cut = whole.indexOf("\n") + 2; cut < whole.length; cut += 7) {
    writeFileSync(path, whole.slice(0, cut));
    const torn = new State(path);
    torn.setTrace("next", trace("3"));
    const next = new State(path);
    assert.equal(next.traces.get("next")?.attempt, "3", `cut at ${cut}`);
    assert.equal(next.traces.get("out")?.attempt, torn.traces.get("out")?.attempt);
    if (next.stamps.get("raw")) assert.deepEqual(next.stamps.get("raw"), stamp);
  }
});

story("a header that was torn by a kill costs the records and nothing else", (path) => {
  filled(path);
  const whole = readFileSync(path, "utf8");
  for (let cut = 0; cut <= whole.indexOf("\n"); cut += 1) {
    writeFileSync(path, whole.slice(0, cut));
    const torn = new State(path);
    assert.equal(torn.traces.size, 0);
    torn.setTrace("next", trace("3"));
    assert.equal(new State(path).traces.get("next")?.attempt, "3", `cut at ${cut}`);
  }
});

story("lines that are no records are dropped, whatever they hold, and counted", (path) => {
  filled(path);
  const garbage = [
    "null",
    "[]",
    "{}",
    "42",
    '"x"',
    "\0\0\0",
    '["trace"]',
    '["12345678","trace"]',
    '["12345678","trace","x",{}]',
    JSON.stringify(["trace", "x", trace("1")]),
    "<<<<<<< HEAD",
    "[[[[",
  ];
  appendFileSync(path, `${garbage.join("\n")}\n\n${written(["trace", "last", trace("9")])}`);
  const warnings: Warning[] = [];
  const state = new State(path, { warn: (warning) => warnings.push(warning) });
  assert.deepEqual([...state.traces.keys()], ["out", "last"]);
  assert.deepEqual([...state.stamps.keys()], ["raw"]);
  assert.deepEqual(warnings, [{ warning: "state-damaged", path, lines: garbage.length }]);
});

const meaningless: unknown[] = [
  ["trace", "x"],
  ["trace", "x", null],
  ["trace", "x", {}],
  ["trace", "x", { ...trace("1"), recipe: null }],
  ["trace", "x", { ...trace("1"), recipe: { kind: 1 } }],
  ["trace", "x", { ...trace("1"), recipe: { kind: ["a text that is not there"] } }],
  ["trace", "x", { ...trace("1"), recipe: { kind: { parts: "a block that is not there" } } }],
  ["trace", "x", { ...trace("1"), inputs: [null] }],
  ["trace", "x", { ...trace("1"), discovered: [{ name: "a" }] }],
  ["trace", "x", { ...trace("1"), outputs: [{ name: 1 }] }],
  ["trace", "x", { ...trace("1"), outputs: [{ name: "x", digest: "sha256:1", bytes: 2 }] }],
  ["trace", "x", { ...trace("1"), because: "nothing" }],
  ["trace", "x", { ...trace("1"), facts: null }],
  ["trace", "x", { ...trace("1"), attempt: undefined }],
  ["stamp", "x"],
  ["stamp", "x", 1, 2, 3, 4, 5, 6],
  ["left", "x", {}],
  ["left", "x", { name: "x", digest: "sha256:1" }],
  ["intent", "x", "x"],
  ["text", "x"],
  ["lease", "x"],
];

for (const line of meaningless)
  story(
    `a line that is whole and means nothing is as if it were not there: ${JSON.stringify(line)}`,
    (path) => {
      filled(path);
      appendFileSync(path, written(line as Line));
      const state = new State(path);
      assert.deepEqual(
        [state.traces.get("x"), state.stamps.get("x"), state.made.of("x")],
        [undefined, undefined, []],
      );
      assert.deepEqual([state.traces.get("out"), state.stamps.get("raw")], [trace("1"), stamp]);
    },
  );

story("no bit that flips makes a record say anything else than it did, or nothing", (path) => {
  const state = new State(path);
  const long = {
    kind: "script",
    function: "f".repeat(300),
    "reaches lib/a.ts a": "a".repeat(180),
    "reaches lib/a.ts b": "b".repeat(180),
  };
  const outputs = [{ name: "out", digest: "sha256:3", bytes: "sha256:4" }];
  const attempts: Record<string, Trace> = {
    "1": { ...trace("1"), recipe: long },
    "2": { ...trace("2"), recipe: long, outputs },
  };
  for (const one of Object.values(attempts)) state.setTrace("out", one);
  state.setStamps([["raw", stamp]]);
  const bytes = readFileSync(path);
  const kept = { traces: 0, stamps: 0 };
  // One bit of each byte: each seal is checked the same way for all eight.
  for (let byte = 0; byte < bytes.length; byte += 1) {
    const flipped = Buffer.from(bytes);
    flipped[byte]! ^= 1 << (byte % 8);
    writeFileSync(path, flipped);
    const found = new State(path, { writable: false });
    for (const step of found.traces.keys()) {
      const one = found.traces.get(step);
      // An older record may hold again: it is as true as it was.
      if (one) assert.deepEqual([step, one], ["out", attempts[one.attempt]], `byte ${byte}`);
      if (one) kept.traces += 1;
    }
    for (const name of found.stamps.keys()) assert.deepEqual([name, found.stamps.get(name)], ["raw", stamp]);
    kept.stamps += found.stamps.size;
  }
  // What both records share is half of the file: with it, both are lost.
  assert(kept.traces > bytes.length / 4 && kept.stamps > bytes.length / 2, JSON.stringify(kept));
});

story("a header that is damaged costs nothing: each line says itself that it is ours", (path) => {
  filled(path);
  const [head = "", ...body] = readFileSync(path, "utf8").split("\n");
  for (const first of ["something else", "", "\0".repeat(head.length), head.replace('"2"', '"3"')]) {
    writeFileSync(path, [first, ...body].join("\n"));
    assert.deepEqual([...new State(path).traces.keys()], ["out"]);
  }
});

const foreign: Readonly<Record<string, string | Buffer>> = {
  "the state of another version": `${written(["dmake-state", "99"] as never)}`,
  "the state of the first version": '["dmake-state",1]\n["trace","out",{}]\n',
  text: "dear diary\n",
  "text without an end": "dear diary",
  zeros: Buffer.alloc(5_000),
  "an archive": Buffer.from([0x1f, 0x8b, 8, 0, 10, 0xff, 0xfe, 10]),
};

for (const [what, content] of Object.entries(foreign))
  story(`where the file should be is ${what}: kept aside, and everything is stale`, (path, folder) => {
    folder.write(".dmake/state.ndjson", content);
    folder.write(".dmake/state.ndjson.old", "somebody's");
    const warnings: Warning[] = [];
    const state = new State(path, { warn: (warning) => warnings.push(warning) });
    assert.equal(state.traces.size, 0);
    assert.deepEqual(readFileSync(path), Buffer.from(content));
    state.setTrace("new", trace("1"));
    state.setTrace("newer", trace("1"));
    const kept = `${path}.old.2`;
    assert.deepEqual(readFileSync(kept), Buffer.from(content));
    assert.equal(folder.read(".dmake/state.ndjson.old"), "somebody's");
    assert.deepEqual([...new State(path).traces.keys()], ["new", "newer"]);
    assert.deepEqual(warnings, [{ warning: "state-foreign", path, kept }]);
  });

story("a directory in its place is kept aside like any other stranger", (path, folder) => {
  folder.write(".dmake/state.ndjson/inside", "x");
  const warnings: Warning[] = [];
  const state = new State(path, { warn: (warning) => warnings.push(warning) });
  state.setTrace("new", trace("1"));
  assert.equal(folder.read(".dmake/state.ndjson.old/inside"), "x");
  assert.deepEqual([...new State(path).traces.keys()], ["new"]);
  assert.deepEqual(
    warnings.map(({ warning }) => warning),
    ["state-foreign"],
  );
});

for (const content of ["dear diary\n", "", '["torn'])
  story(`a query mends and moves nothing: ${JSON.stringify(content)}`, async (path, folder) => {
    folder.write(".dmake/state.ndjson", content);
    const warnings: Warning[] = [];
    const state = new State(path, { writable: false, warn: (warning) => warnings.push(warning) });
    await state.compact();
    assert.deepEqual([folder.list(), readFileSync(path, "utf8")], [[".dmake/state.ndjson"], content]);
    assert.equal(warnings.length, content === "" ? 0 : 1);
  });

story("nor does a query mend lines that are damaged", async (path) => {
  filled(path);
  appendFileSync(path, "garbage\n");
  const before = readFileSync(path, "utf8");
  await new State(path, { writable: false }).compact();
  assert.equal(readFileSync(path, "utf8"), before);
});

story(
  "what a step was about to publish is dmake's until it has a record, however often it was killed",
  async (path) => {
    const state = filled(path);
    state.intend("out", { ...trace("7"), outputs: [{ name: "out", digest: "sha256:7" }] });
    state.intend("out", { ...trace("8"), outputs: [{ name: "out", digest: "sha256:8", bytes: "sha256:9" }] });
    appendFileSync(path, "garbage\n");
    const said = (one: State) => one.made.of("out").map(({ digest }) => digest);
    const next = new State(path);
    assert.deepEqual(said(next), ["sha256:2", "sha256:7", "sha256:8"]);
    await next.compact();
    assert.deepEqual(said(new State(path)), ["sha256:2", "sha256:7", "sha256:8"]);
    next.setTrace("out", trace("2"));
    assert.deepEqual(said(new State(path)), ["sha256:2"]);
  },
);

story("damage is told once: the file is mended when it is closed", async (path) => {
  filled(path);
  writeFileSync(path, readFileSync(path, "utf8").replace("sha256:1", "sha256:0"));
  const warnings: Warning[] = [];
  const warn = (warning: Warning) => warnings.push(warning);
  const state = new State(path, { warn });
  assert.deepEqual([...state.traces.keys(), ...state.stamps.keys()], ["raw"]);
  await state.compact();
  assert.deepEqual(new State(path, { warn }).stamps.get("raw"), stamp);
  assert.equal(warnings.length, 1);
});

story("a last line that lacks only its end is a record", (path) => {
  filled(path).setTrace("last", trace("2"));
  writeFileSync(path, readFileSync(path, "utf8").slice(0, -1));
  const warnings: Warning[] = [];
  const state = new State(path, { warn: (warning) => warnings.push(warning) });
  assert.equal(state.traces.get("last")?.attempt, "2");
  state.setTrace("next", trace("3"));
  assert.deepEqual([...new State(path).traces.keys()], ["out", "last", "next"]);
  assert.deepEqual(warnings, []);
});

story("names of any kind come back as they went in", (path) => {
  const names = ["a\nb", 'q"u', "ü\u2028", "__proto__", "constructor", "\ud800 alone"];
  const state = new State(path);
  for (const name of names) state.setTrace(name, trace(name));
  assert.deepEqual([...new State(path).traces.keys()], names);
});

story(
  "what was intended is known to the next process with its record, until it is made or given up",
  (path) => {
    const state = filled(path);
    const long = { ...trace("7"), recipe: { kind: "script", function: "f".repeat(300) } };
    const intended = { ...long, outputs: [{ name: "out", digest: "sha256:7", bytes: "sha256:8" }] };
    state.intend("out", intended);
    const next = new State(path);
    assert.deepEqual([next.intents.steps(), next.intents.get("out")], [["out"], intended]);
    assert.deepEqual(next.traces.get("out"), trace("1"));
    next.dropIntent("out", "another attempt");
    assert.deepEqual(new State(path).intents.steps(), ["out"]);
    state.setTrace("out", intended);
    const made = new State(path);
    assert.deepEqual([made.intents.steps(), made.traces.get("out")], [[], intended]);
    assert.equal(made.made.meaning("out", "sha256:8"), "sha256:7");
    state.intend("out", { ...intended, attempt: "9" });
    state.dropIntent("out", "9");
    assert.deepEqual(new State(path).intents.steps(), []);
  },
);

story("an intent outlives a rewrite of the file, with its texts", async (path) => {
  const long = { ...trace("7"), recipe: { kind: "script", function: "f".repeat(300) } };
  filled(path).intend("out", long);
  appendFileSync(path, "garbage\n");
  await new State(path).compact();
  assert.deepEqual(new State(path).intents.get("out"), long);
});

story("a record is whole even if the file with its intent was replaced or lost meanwhile", async (path) => {
  const state = filled(path);
  state.intend("out", trace("7"));
  rmSync(path);
  state.setTrace("out", trace("7"));
  assert.equal(new State(path).traces.get("out")?.attempt, "7");
  const kept = trace("8");
  state.intend("out", kept);
  appendFileSync(path, "garbage\n");
  await new State(path).compact();
  state.setTrace("out", kept);
  const next = new State(path);
  assert.deepEqual([next.traces.get("out")?.attempt, next.intents.steps()], ["8", []]);
});

story("an intent of an earlier version says whose the files are, and is not completed", (path) => {
  filled(path);
  appendFileSync(path, written(["intent", "out", [{ name: "out", digest: "sha256:7" }]]));
  const state = new State(path);
  assert.deepEqual(
    state.made.of("out").map(({ digest }) => digest),
    ["sha256:2", "sha256:7"],
  );
  assert.deepEqual([state.intents.steps(), state.intents.get("out")], [[], undefined]);
});

story("a record that is dropped leaves what it made known as dmake's", (path) => {
  filled(path).dropTrace("out");
  const state = new State(path);
  assert.equal(state.traces.get("out"), undefined);
  assert.deepEqual(
    state.made.of("out").map(({ digest }) => digest),
    ["sha256:2"],
  );
});

story("several records are one append, with what they have in common said once", (path) => {
  const recipe = { kind: "script", function: "f".repeat(300) };
  const of = (name: string) => ({ ...trace(name), recipe, outputs: [{ name, digest: "sha256:7" }] });
  const [one, other] = [of("0000000000000001"), of("0000000000000002")];
  const state = filled(path);
  state.intendAll([
    ["one", one],
    ["other", other],
  ]);
  assert.equal(readFileSync(path, "utf8").split(recipe.function).length, 2);
  const next = new State(path);
  assert.deepEqual([next.intents.get("one"), next.intents.get("other")], [one, other]);
  const before = readFileSync(path, "utf8").length;
  state.setTraces([
    ["one", one],
    ["other", other],
    ["out", of("0000000000000003")],
  ]);
  // What was intended is not said again; and what a step made before, and makes no more, stays known.
  assert.equal(readFileSync(path, "utf8").slice(before).split('"made"').length, 3);
  const made = new State(path);
  assert.deepEqual([made.traces.get("one"), made.traces.get("other")], [one, other]);
  assert.deepEqual([made.intents.steps(), made.made.of("out").length], [[], 1]);
});
