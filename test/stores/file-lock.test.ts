// The lock of a step, told with a process that holds it.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import type { Holder } from "../../src/core/failure.js";
import { lockStep } from "../../src/stores/file-lock.js";
import { Presence } from "../../src/system/presence.js";
import { Folder } from "../rig/project.js";
import { must } from "../rig/world.js";
import { killAll, start } from "../system/holders.js";

const ourRun = "a".repeat(16);
const theirRun = "b".repeat(16);

let folder: Folder;
let presence: Presence;

beforeEach(() => {
  folder = new Folder();
  presence = new Presence(folder.root, ourRun);
});
afterEach(() => {
  killAll();
  presence.leave();
  folder.remove();
});

const lock = (step: string, waiting?: Parameters<typeof lockStep>[2]["waiting"]) =>
  lockStep(folder.root, step, { presence, waiting });

/** Another process takes the lock of a step. */
async function heldByAnother(step: string) {
  must(await lock(step)).release();
  const ours = must(await lock(step));
  const [name = ""] = readdirSync(folder.path("locks"));
  ours.release();
  return start("hold", { directory: folder.root, run: theirRun, lock: join(folder.path("locks"), name) });
}

const unheard = () => assert.fail("nobody is to be waited for");

test("steps are locked one by one, whatever they are called", async () => {
  const names = ["data/a.csv", "data/b.csv", `${"long".repeat(100)}\n../x`];
  const locks = [];
  for (const name of names) locks.push(must(await lock(name, { noWait: true, onWait: unheard })));
  assert.equal(readdirSync(folder.path("locks")).length, 3);
  for (const one of locks) {
    assert.equal(one.isHeld(), true);
    one.release();
  }
  assert.deepEqual(readdirSync(folder.path("locks")), []);
});

test("who waits is told once for whom, and gets it when that one is done", async () => {
  const other = await heldByAnother("out.csv");
  const told: Holder[] = [];
  const onWait = (holder: Holder) => {
    told.push(holder);
    // Long enough for several looks.
    setTimeout(() => other.child.stdin?.end(), 150);
  };
  must(await lock("out.csv", { noWait: false, onWait })).release();
  assert.equal(told.length, 1);
  assert.deepEqual(told[0], {
    run: theirRun,
    pid: other.child.pid,
    host: presence.self.host,
    since: told[0]?.since,
  });
  assert(Math.abs(Date.now() - Date.parse(told[0]?.since ?? "")) < 60_000);
});

test("who will not wait is told who is in the way", async () => {
  const other = await heldByAnother("out.csv");
  const refused = await lock("out.csv", { noWait: true, onWait: unheard });
  assert(!refused.ok && refused.error.reason === "locked");
  const { target, holder } = refused.error;
  assert.deepEqual([target, holder.run, holder.pid], ["out.csv", theirRun, other.child.pid]);
});

test("who will not wait does not wait for the dead", async () => {
  const other = await heldByAnother("out.csv");
  await other.kill();
  must(await lock("out.csv", { noWait: true, onWait: unheard })).release();
});

test("an interrupt ends the waiting, and takes nothing", async () => {
  const other = await heldByAnother("out.csv");
  const interrupt = new AbortController();
  const waiting = { signal: interrupt.signal, noWait: false, onWait: () => interrupt.abort() };
  assert.deepEqual(await lock("out.csv", waiting), { ok: false, error: { reason: "interrupted" } });
  other.child.stdin?.end();
  const late = await lock("other.csv", { ...waiting, onWait: unheard });
  assert.deepEqual(late, { ok: false, error: { reason: "interrupted" } });
});
