// A process of its own that holds what it is asked to until it is killed or its input ends. Knows nothing of what a test expects.
import { closeSync, openSync, rmSync } from "node:fs";
import { setImmediate as yieldOnce } from "node:timers/promises";
import { Runs } from "../../src/stores/file-runs.js";
import { takeLock } from "../../src/system/lock.js";
import { Presence } from "../../src/system/presence.js";
import type { Asked } from "./holders.js";

const [what, asked] = process.argv.slice(1);
const { directory, run, lock = "", leaseMs }: Asked = JSON.parse(asked ?? "");
const presence = new Presence(directory, run, leaseMs === undefined ? {} : { leaseMs });
const runs = new Runs(presence);

const ended = new Promise((end) => process.stdin.on("end", end).resume());

/** Takes the lock thrice; every fourth process dies with it. Whoever meets another inside says so by its exit code. */
async function race(): Promise<void> {
  const dies = Number.parseInt(run, 16) % 4 === 0;
  for (let round = 1; round <= 3; round += 1) {
    const taken = await takeLock(lock, 60_000, presence);
    if (taken.kind === "busy") process.exit(3);
    closeSync(openSync(`${directory}/inside`, "wx"));
    await yieldOnce();
    if (!taken.isHeld()) process.exit(4);
    rmSync(`${directory}/inside`);
    if (dies && round === 2) process.kill(process.pid, "SIGKILL");
    taken.release();
  }
}

if (what === "hold") {
  const taken = await takeLock(lock, 0, presence);
  if (taken.kind === "busy") process.exit(3);
  console.log("ready");
  await ended;
  taken.release();
}
if (what === "stage") {
  await presence.enter();
  for (const name of ["one", "two"]) {
    const id = name === "one" ? "1".repeat(16) : "2".repeat(16);
    runs.staged({
      id,
      step: { id: name, outputs: [name], rule: {} } as never,
      startedAt: "2026-11-21T12:00:00Z",
    });
  }
  console.log("ready");
  await ended;
}
if (what === "recover") {
  if ((await runs.dead()).length !== 1) process.exit(3);
  console.log("ready");
  await ended;
}
if (what === "race") {
  console.log("ready");
  await ended;
  await race();
}
runs.close();
presence.leave();
