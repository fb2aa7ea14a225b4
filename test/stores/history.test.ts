// The history of attempts: kept in order, kept short, and never in the way of a build.
import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { afterEach, beforeEach, test } from "node:test";
import type { Ended } from "../../src/core/trace.js";
import { attemptsIn, createHistory, lastAttempts } from "../../src/stores/history.js";
import { Folder } from "../rig/project.js";

let folder: Folder;
let directory = "";

beforeEach(() => {
  folder = new Folder();
  directory = folder.path(".dmake");
});
afterEach(() => folder.remove());

const ended = (step: string): Ended => ({
  step,
  attempt: "1".repeat(16),
  tries: 1,
  startedAt: "2026-11-21T12:00:00Z",
  durationMs: 12,
  outcome: "made",
  because: [{ reason: "no-record" } as never],
});

/** The lines of a file that are whole. */
const linesIn = (name: string): { step: string; run: string }[] =>
  folder
    .read(`.dmake/${name}`)
    .split("\n")
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
const stepsIn = (name: string) => linesIn(name).map(({ step }) => step);

test("every attempt of every run is a line", () => {
  createHistory({ directory, run: "one" }).note(ended("a"));
  createHistory({ directory, run: "other" }).note(ended("b"));
  assert.deepEqual(linesIn("history.ndjson"), [
    { run: "one", ...ended("a") },
    { run: "other", ...ended("b") },
  ]);
});

test("a file that is full makes way for the next, and only the one before is kept", () => {
  const notes = [createHistory({ directory, run: "one", longestBytes: 1_000 })];
  notes.push(createHistory({ directory, run: "other", longestBytes: 1_000 }));
  for (let i = 0; i < 100; i += 1) notes[i % 2]?.note(ended(String(i).padStart(3, "0")));
  for (const name of ["history.ndjson", "history.old.ndjson"])
    assert(statSync(folder.path(`.dmake/${name}`)).size <= 1_000, name);
  const kept = [...stepsIn("history.old.ndjson"), ...stepsIn("history.ndjson")].map(Number);
  assert.deepEqual(
    kept,
    Array.from({ length: kept.length }, (_, i) => 100 - kept.length + i),
  );
  assert(stepsIn("history.old.ndjson").length >= 4);
});

test("an attempt that is longer than the file may be is kept all the same", () => {
  createHistory({ directory, run: "one", longestBytes: 10 }).note(ended("a"));
  assert.deepEqual(stepsIn("history.ndjson"), ["a"]);
});

test("half a line of one that was killed costs that line and no other", () => {
  const history = createHistory({ directory, run: "one" });
  history.note(ended("a"));
  appendFileSync(folder.path(".dmake/history.ndjson"), '{"run":"two","st');
  history.note(ended("b"));
  assert.deepEqual(stepsIn("history.ndjson"), ["a", "b"]);
});

test("a full disk fails nobody", { skip: !existsSync("/dev/full") && "there is no /dev/full" }, () => {
  mkdirSync(directory);
  symlinkSync("/dev/full", folder.path(".dmake/history.ndjson"));
  createHistory({ directory, run: "one" }).note(ended("a"));
});

test("neither does a folder that cannot be", () => {
  writeFileSync(directory, "in the way");
  createHistory({ directory, run: "one" }).note(ended("a"));
});

test("nor a file that cannot be written", () => {
  mkdirSync(folder.path(".dmake/history.ndjson"), { recursive: true });
  chmodSync(directory, 0o500);
  createHistory({ directory, run: "one" }).note(ended("a"));
  chmodSync(directory, 0o700);
});

test("the last attempt of each step is that of the newest line, whichever run wrote it", () => {
  createHistory({ directory, run: "one" }).note(ended("a"));
  createHistory({ directory, run: "two" }).note({ ...ended("a"), outcome: "failed" });
  createHistory({ directory, run: "two" }).note(ended("b"));
  createHistory({ directory, run: "three" }).note(ended('odd "step": "a" \\ name'));
  const last = lastAttempts(directory);
  assert.deepEqual([...last.keys()].sort(), ["a", "b", 'odd "step": "a" \\ name']);
  assert.deepEqual([last.get("a")?.run, last.get("a")?.outcome], ["two", "failed"]);
  assert.deepEqual(
    [...attemptsIn(directory)].map(({ run }) => run),
    ["three", "two", "two", "one"],
  );
});

test("what is read goes back into the file before", () => {
  const history = createHistory({ directory, run: "one", longestBytes: 400 });
  for (const step of ["a", "b", "c", "d"]) history.note(ended(step));
  assert.ok(existsSync(folder.path(".dmake/history.old.ndjson")));
  const steps = [...attemptsIn(directory)].map(({ step }) => step);
  assert.deepEqual(steps, ["d", "c", "b", "a"].slice(0, steps.length));
  assert.ok(steps.length >= 3, `${steps}`);
});

test("lines that are no attempts are passed over when it is read, and so is a file that cannot be", () => {
  assert.deepEqual([...attemptsIn(directory)], []);
  createHistory({ directory, run: "one" }).note(ended("a"));
  for (const line of [
    '{"step":"a","outc',
    "null",
    "[]",
    "7",
    '{"step":7,"outcome":"made"}',
    "",
    '{"step":"b"}',
  ])
    appendFileSync(folder.path(".dmake/history.ndjson"), `${line}\n`);
  assert.deepEqual([...lastAttempts(directory).keys()], ["a"]);
  appendFileSync(folder.path(".dmake/history.ndjson"), '{"run":"half');
  assert.deepEqual([...lastAttempts(directory).keys()], ["a"]);
});

test("lines that are written later are one append, and none is left when the process ends", () => {
  const writes: (() => void)[] = [];
  const later = (write: () => void) => void writes.push(write);
  const history = createHistory({ directory, run: "one", later });
  history.note(ended("a"));
  history.note(ended("b"));
  assert(!existsSync(folder.path(".dmake/history.ndjson")));
  assert.equal(writes.length, 1);
  writes[0]!();
  assert.deepEqual(stepsIn("history.ndjson"), ["a", "b"]);
  history.note(ended("c"));
  history.flush();
  assert.deepEqual(stepsIn("history.ndjson"), ["a", "b", "c"]);
  writes[1]!();
  assert.deepEqual(stepsIn("history.ndjson"), ["a", "b", "c"]);
});
