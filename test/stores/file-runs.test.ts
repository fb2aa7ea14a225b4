// The journals of runs: what the dead have left is told to one that clears up, and to one only. Told with processes that are killed.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { Runs } from "../../src/stores/file-runs.js";
import { tokenText } from "../../src/system/identity.js";
import { Presence } from "../../src/system/presence.js";
import { Folder } from "../rig/project.js";
import { killAll, needsNamespaces, start } from "../system/holders.js";

const [ourRun, theirRun, thirdRun] = ["a".repeat(16), "b".repeat(16), "c".repeat(16)];

let folder: Folder;
let presence: Presence;
let runs: Runs;

beforeEach(() => {
  folder = new Folder();
  presence = new Presence(folder.root, ourRun);
  runs = new Runs(presence);
});
afterEach(() => {
  killAll();
  runs.close();
  presence.leave();
  folder.remove();
});

const own = [`${ourRun}.ndjson`, `${ourRun}.sock`];
const journalOf = (run: string) => join(presence.folder, `${run}.ndjson`);
const left = () => readdirSync(folder.path("runs")).sort();
const begin = (what: "stage" | "recover", run: string) => start(what, { directory: folder.root, run });

/** A run that was killed after it had begun two attempts. */
async function killedRun(apart = false): Promise<void> {
  const child = await start("stage", { directory: folder.root, run: theirRun, apart });
  await child.kill();
}

test("where nothing ran, nobody is dead and nothing is written", async () => {
  assert.deepEqual(await runs.dead(), []);
  assert.deepEqual(readdirSync(folder.root), []);
});

test("what a killed run was making is told, and forgotten when it is cleared", async () => {
  await killedRun();
  const [dead, ...more] = await runs.dead();
  assert(dead && more.length === 0);
  assert.equal(dead.identity.run, theirRun);
  assert.equal(dead.identity.host, presence.self.host);
  const startedAt = "2026-11-21T12:00:00Z";
  assert.deepEqual(dead.attempts, [
    { attempt: "1".repeat(16), step: "one", outputs: ["one"], startedAt, inPlace: false },
    { attempt: "2".repeat(16), step: "two", outputs: ["two"], startedAt, inPlace: false },
  ]);
  runs.forget(dead);
  assert.deepEqual(left(), own);
  assert.deepEqual(await runs.dead(), []);
});

test("a run that lives is left alone, and one that ended well has left nothing", async () => {
  const child = await begin("stage", theirRun);
  assert.deepEqual(await runs.dead(), []);
  assert.deepEqual(left(), [...own, `${theirRun}.ndjson`, `${theirRun}.sock`]);
  child.child.stdin?.end();
  while (child.child.exitCode === null) await new Promise((done) => child.child.once("exit", done));
  assert.deepEqual(left(), own);
});

test("a run of a container that is gone is told as well", { skip: needsNamespaces }, async () => {
  await killedRun(true);
  // Its socket is closed a moment after its output.
  let [dead] = await runs.dead();
  while (!dead) [dead] = await runs.dead();
  assert.equal(dead.identity.run, theirRun);
  assert.notEqual(dead.identity.namespace, presence.self.namespace);
});

test("our own run is not told, and its journal keeps what it stages", async () => {
  await presence.enter();
  runs.staged({
    id: "3".repeat(16),
    step: { id: "s", outputs: ["x", "y"], rule: { inPlace: true } } as never,
    startedAt: "now",
  });
  assert.deepEqual(await runs.dead(), []);
  const [first, second] = readFileSync(presence.file, "utf8").split("\n");
  assert.deepEqual(JSON.parse(first ?? ""), presence.self);
  assert.deepEqual(JSON.parse(second ?? ""), ["stage", "3".repeat(16), "s", ["x", "y"], "now", true]);
});

test("torn and garbled lines are skipped, and so are ids that would become paths", async () => {
  await killedRun();
  const odd = [
    "garbage",
    "null",
    '["stage"]',
    '["stage","../../etc/passwd","s",["x"],"now"]',
    `["stage","${"4".repeat(16)}","s",[1],"now"]`,
    `["stage","${"5".repeat(16)}","late",["x"],"now"]`,
  ];
  appendFileSync(journalOf(theirRun), `${odd.join("\n")}\n["stage","${"6".repeat(16)}","to`);
  const [dead] = await runs.dead();
  assert.deepEqual(
    dead?.attempts.map(({ step }) => step),
    ["one", "two", "late"],
  );
});

test("a journal that a power cut has emptied is of a dead run about which nothing is known", async () => {
  await killedRun();
  writeFileSync(journalOf(theirRun), "");
  const [dead] = await runs.dead();
  assert(dead);
  assert.deepEqual([dead.identity.run, dead.identity.pid, dead.attempts], [theirRun, 0, []]);
  runs.forget(dead);
  assert.equal(existsSync(journalOf(theirRun)), false);
});

test("of two that clear up at once one is told, and the other when the first gives up", async () => {
  await killedRun();
  const [one, other] = [runs, new Runs(new Presence(folder.root, thirdRun))];
  const told = await Promise.all([one.dead(), other.dead()]);
  assert.equal(told.flat().length, 1);
  const [first, second] = told[0].length === 1 ? [one, other] : [other, one];
  assert.deepEqual(await second.dead(), []);
  first.close();
  assert.equal((await second.dead()).length, 1);
  other.close();
});

test("a run whose clearer is killed as well is told to the next", async () => {
  await killedRun();
  const clearer = await begin("recover", thirdRun);
  assert.deepEqual(await runs.dead(), []);
  await clearer.kill();
  const dead = await runs.dead();
  assert.deepEqual(
    dead.map(({ identity }) => identity.run),
    [theirRun, thirdRun],
  );
  for (const one of dead) runs.forget(one);
  assert.deepEqual(left(), own);
});

test("a run of another machine that is silent for a day is dead, and one that was heard since is not", async () => {
  await killedRun();
  const [first = "", ...rest] = readFileSync(journalOf(theirRun), "utf8").split("\n");
  const elsewhere = JSON.stringify({ ...JSON.parse(first), host: "elsewhere", boot: "another" });
  writeFileSync(journalOf(theirRun), [elsewhere, ...rest].join("\n"));
  assert.deepEqual(await runs.dead(), []);
  const yesterday = new Date(Date.now() - 25 * 3_600_000);
  utimesSync(journalOf(theirRun), yesterday, yesterday);
  const [dead] = await runs.dead();
  assert.deepEqual([dead?.identity.host, dead?.attempts.length], ["elsewhere", 2]);
});

test("on a disk that refuses, nobody is told of, and nothing fails", async () => {
  await killedRun();
  const file = folder.write("runs/a.ndjson", "");
  const odd = new Runs(new Presence(file, ourRun));
  assert.deepEqual(await odd.dead(), []);
  // A folder in the place of a journal cannot be read; the others are told all the same.
  mkdirSync(journalOf("0".repeat(16)));
  assert.equal((await runs.dead()).length, 1);
});

test("what is left of one that died between two steps of coming or leaving goes", async () => {
  await killedRun();
  const [dead] = await runs.dead();
  assert(dead);
  runs.forget(dead);
  symlinkSync(
    tokenText({ ...dead.identity }, { sinceMs: 0, take: 1 }),
    join(presence.folder, `${theirRun}.lock`),
  );
  for (const use of ["sock", "ndjson.next"]) folder.write(`runs/${theirRun}.${use}`, "");
  folder.write("runs/notes.txt", "mine");
  assert.deepEqual(await runs.dead(), []);
  assert.deepEqual(left(), [...own, "notes.txt"]);
});

test("a pipe in the place of a run's file is not waited for, and goes", { timeout: 10_000 }, async () => {
  await presence.enter();
  execFileSync("mkfifo", [journalOf(theirRun)]);
  const [dead] = await runs.dead();
  assert.deepEqual([dead?.identity.run, dead?.attempts], [theirRun, []]);
  runs.forget(dead!);
  assert.deepEqual(left(), own);
});
