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
import { createHistory } from "../../src/stores/history.js";
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
