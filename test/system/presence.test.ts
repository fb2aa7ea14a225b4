// What shows a run to others, told on real files, sockets and processes.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Identity, identityOf, unknownIdentity } from "../../src/system/identity.js";
import { Presence } from "../../src/system/presence.js";
import { Folder } from "../rig/project.js";
import { killAll, start } from "./holders.js";

const ourRun = "a".repeat(16);
const theirRun = "b".repeat(16);

let folder: Folder;
let presence: Presence;
let nowMs = 0;

beforeEach(() => {
  folder = new Folder();
  nowMs = 0;
  presence = new Presence(folder.root, ourRun, { clock: () => nowMs });
});
afterEach(() => {
  killAll();
  presence.leave();
  folder.remove();
});

const fileOf = (run: string) => join(presence.folder, `${run}.ndjson`);

/** Rewrites what the file of a run says of it. */
function say(changes: Partial<Identity>): Identity {
  const identity = identityOf(readFileSync(fileOf(theirRun), "utf8")) ?? unknownIdentity(theirRun);
  const changed = { ...identity, ...changes };
  writeFileSync(fileOf(theirRun), `${JSON.stringify(changed)}\n`);
  return changed;
}

/** A process that was killed while it held a lock: its file and its socket are there, and nobody listens. */
async function killed(): Promise<void> {
  const holder = await start("hold", { directory: folder.root, run: theirRun, lock: folder.path("lock") });
  await holder.kill();
}

test("a run that came is seen in a file and a socket, and when it left nothing is", async () => {
  await presence.enter();
  await presence.enter();
  assert.deepEqual(readdirSync(presence.folder).sort(), [`${ourRun}.ndjson`, `${ourRun}.sock`]);
  assert.deepEqual(identityOf(readFileSync(presence.file, "utf8")), presence.self);
  presence.leave();
  assert.deepEqual(readdirSync(folder.root), []);
  await presence.enter();
  assert.equal(await presence.isGone(presence.self), false);
});

test("a run leaves the files of others alone", async () => {
  await presence.enter();
  const other = new Presence(folder.root, theirRun);
  await other.enter();
  presence.leave();
  assert.deepEqual(readdirSync(presence.folder).sort(), [`${theirRun}.ndjson`, `${theirRun}.sock`]);
  other.leave();
});

test("the file of a run shows again and again that it lives, and says the same", async () => {
  presence = new Presence(folder.root, ourRun, { leaseMs: 40 });
  await presence.enter();
  const before = statSync(presence.file, { bigint: true });
  while (statSync(presence.file, { bigint: true }).mtimeNs === before.mtimeNs) await sleep(5);
  assert.deepEqual(identityOf(readFileSync(presence.file, "utf8")), presence.self);
});

test("a run whose file somebody has removed shows itself again", async () => {
  presence = new Presence(folder.root, ourRun, { leaseMs: 40 });
  await presence.enter();
  rmSync(presence.file);
  while (!existsSync(presence.file)) await sleep(5);
  assert.deepEqual(identityOf(readFileSync(presence.file, "utf8")), presence.self);
});

test("a run that could not come because of the disk comes when it can", async () => {
  writeFileSync(presence.folder, "in the way");
  await assert.rejects(presence.enter(), { code: "EEXIST" });
  folder.remove();
  mkdirSync(folder.root);
  await presence.enter();
  assert.equal(statSync(presence.file).isFile(), true);
});

test("a socket that nobody listens on any more says that its run is over", async () => {
  await killed();
  assert.equal(await presence.isGone(say({ namespace: "a container" })), true);
});

test("unless it is seen through another mount, by which the kernel cannot find it", async () => {
  await killed();
  const other = say({ namespace: "a container", device: "another" });
  assert.equal(await presence.isGone(other), false);
  nowMs += 120_000;
  assert.equal(await presence.isGone(other), true);
});

test("a process that our table does not tell from its follower is asked by its socket", async () => {
  await killed();
  const other = say({ pid: process.pid, started: "" });
  assert.equal(await presence.isGone(other), true);
  await presence.enter();
  assert.equal(await presence.isGone({ ...presence.self, started: "" }), false);
});

test("ids that are found in files become no paths", () => {
  assert.equal(identityOf(JSON.stringify({ ...presence.self, run: "../../etc/passwd" })), undefined);
  assert.equal(identityOf("{"), undefined);
  assert.equal(identityOf("null"), undefined);
});
