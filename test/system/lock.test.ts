// Locks between processes, told on real ones: who holds, who waits, and who takes over from the dead.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type Identity, tokenText } from "../../src/system/identity.js";
import { takeLock } from "../../src/system/lock.js";
import { Presence } from "../../src/system/presence.js";
import { Folder } from "../rig/project.js";
import { killAll, needsNamespaces, start } from "./holders.js";

const ourRun = "a".repeat(16);
const theirRun = "b".repeat(16);

let folder: Folder;
let directory = "";
let lock = "";
let presence: Presence;
let nowMs = 0;

beforeEach(() => {
  folder = new Folder();
  directory = folder.root;
  lock = join(directory, "lock");
  nowMs = 0;
  presence = new Presence(directory, ourRun, { clock: () => nowMs });
});
afterEach(() => {
  killAll();
  presence.leave();
  folder.remove();
});

const take = async (waitMs = 0) => takeLock(lock, waitMs, presence);
const mustTake = async (waitMs?: number) => {
  const taken = await take(waitMs);
  assert(taken.kind === "held", "the lock is busy");
  return taken;
};
const mustBeBusy = async () => {
  const taken = await take();
  assert(taken.kind === "busy", "the lock is held");
  return taken.holder;
};
/** A process that has ended. */
const deadPid = () => spawnSync(process.execPath, ["-e", ""]).pid;

/** A lock, and the file of the run that holds it, as another machine would have left them. */
function lockOf(changes: Partial<Identity>): Identity {
  const holder = { ...presence.self, run: theirRun, pid: deadPid(), started: "1", ...changes };
  mkdirSync(presence.folder, { recursive: true });
  writeFileSync(join(presence.folder, `${theirRun}.ndjson`), `${JSON.stringify(holder)}\n`);
  symlinkSync(tokenText(holder, { sinceMs: 0, take: 1 }), lock);
  return holder;
}

describe("a lock", () => {
  test("is held by one, who is named to the others, and let go", async () => {
    const held = await mustTake();
    assert.equal(held.isHeld(), true);
    const { run, pid, host, since } = await mustBeBusy();
    assert.deepEqual({ run, pid, host }, { run: ourRun, pid: process.pid, host: presence.self.host });
    assert(Date.parse(since) >= Date.parse(presence.self.since));
    held.release();
    assert.equal(held.isHeld(), false);
    (await mustTake()).release();
    assert.deepEqual(readdirSync(directory), ["runs"]);
  });

  test("fits into its inode: a longer link costs ten times as much", async () => {
    const held = await mustTake();
    assert(readlinkSync(lock).length <= 59);
    held.release();
  });

  test("that somebody has taken over is no longer held, and not let go by the one who lost it", async () => {
    const held = await mustTake();
    rmSync(lock);
    symlinkSync("theirs", lock);
    assert.equal(held.isHeld(), false);
    held.release();
    assert.equal(readlinkSync(lock), "theirs");
  });

  test("is waited for until it is let go", async () => {
    const { child } = await start("hold", { directory, run: theirRun, lock });
    assert.equal((await mustBeBusy()).run, theirRun);
    const waiting = take(60_000);
    child.stdin?.end();
    const held = await waiting;
    assert.equal(held.kind, "held");
  });

  test("is waited for no longer than told, or until the signal", async () => {
    const { child } = await start("hold", { directory, run: theirRun, lock });
    assert.equal((await take(20)).kind, "busy");
    assert.equal((await takeLock(lock, 60_000, presence, AbortSignal.abort())).kind, "busy");
    child.stdin?.end();
  });

  test("without a presence leaves nothing behind", async () => {
    const held = await takeLock(lock, 0);
    assert.deepEqual(readdirSync(directory).sort(), ["lock", "runs"]);
    assert.equal((await takeLock(lock, 0)).kind, "busy");
    assert(held.kind === "held");
    held.release();
    assert.deepEqual(readdirSync(directory), []);
  });
});

describe("of a dead holder", () => {
  test("killed a moment ago, it is taken over at once", async () => {
    const holder = await start("hold", { directory, run: theirRun, lock });
    await mustBeBusy();
    await holder.kill();
    await mustTake();
  });

  test("whose number another process has by now, it is taken over", {
    skip: process.platform !== "linux",
  }, async () => {
    lockOf({ pid: process.pid, started: "1" });
    await mustTake();
  });

  test("it is taken over by one of many that all want it, and of which some die with it", async () => {
    const dead = await start("hold", { directory, run: theirRun, lock });
    await dead.kill();
    for (const tail of ["~", "~~"]) symlinkSync(readlinkSync(lock), `${lock}${tail}`);
    const runs = Array.from({ length: 20 }, (_, i) => (i + 1).toString(16).padStart(16, "0"));
    const racers = await Promise.all(runs.map((run) => start("race", { directory, run, lock })));
    const ends = racers.map(({ child }) => once(child, "exit"));
    for (const { child } of racers) child.stdin?.end();
    const codes = (await Promise.all(ends)).map(([code, signal]) => code ?? signal);
    assert.deepEqual(
      codes,
      runs.map((_, i) => ((i + 1) % 4 === 0 ? "SIGKILL" : 0)),
    );
    (await mustTake()).release();
    assert.deepEqual(readdirSync(directory).sort(), ["runs"]);
  });

  test("whose text says nothing, it is nobody's", async () => {
    for (const text of ["garbage", `${process.pid}:1:abcdef`]) {
      symlinkSync(text, lock);
      (await mustTake()).release();
    }
  });

  test("that a tool has made a file of, as it copied the project, it is nobody's", async () => {
    writeFileSync(lock, "");
    (await mustTake()).release();
    assert.deepEqual(readdirSync(directory), ["runs"]);
  });
});

describe("in another pid namespace, as that of a container", { skip: needsNamespaces }, () => {
  test("a holder that lives is waited for, and a killed one's lock taken over at once, by its socket", async () => {
    const holder = await start("hold", { directory, run: theirRun, lock, apart: true });
    const { pid, run } = await mustBeBusy();
    assert.equal(run, theirRun);
    assert(pid < 10, "it does not count its processes by itself");
    nowMs += 1e9;
    await mustBeBusy();
    await holder.kill();
    await mustTake(10_000);
  });

  test("one that has no socket lives as long as its file says", async () => {
    const deep = `${directory}/${"deep".repeat(25)}`;
    mkdirSync(deep);
    presence = new Presence(deep, ourRun, { clock: () => nowMs });
    lock = join(deep, "lock");
    const holder = await start("hold", { directory: deep, run: theirRun, lock, apart: true });
    assert.deepEqual(
      readdirSync(presence.folder).filter((name) => name.endsWith(".sock")),
      [],
    );
    await mustBeBusy();
    await holder.kill();
    await mustBeBusy();
    nowMs += 120_000;
    await mustTake();
  });

  test("its processes do not count for ours of the same number", async () => {
    const held = await mustTake();
    await assert.rejects(start("hold", { directory, run: theirRun, lock, apart: true }), /died/);
    assert.equal(held.isHeld(), true);
  });
});

describe("of another machine", () => {
  const elsewhere = { host: "elsewhere", boot: "another" };

  test("a lock is honoured as long as its holder shows that it lives", async () => {
    lockOf(elsewhere);
    assert.equal((await mustBeBusy()).host, "elsewhere");
    const file = join(presence.folder, `${theirRun}.ndjson`);
    for (let beat = 1; beat <= 5; beat += 1) {
      nowMs += 119_000;
      // The same bytes, by which only the time changes.
      folder.write(`runs/${theirRun}.ndjson`, readFileSync(file, "utf8"));
      await mustBeBusy();
    }
    nowMs += 119_999;
    await mustBeBusy();
    nowMs += 1;
    await mustTake();
  });

  test("a lock that only a power cut can have left without its holder's file is taken over", async () => {
    lockOf(elsewhere);
    folder.write(`runs/${theirRun}.ndjson`, "");
    await mustTake();
  });

  test("and of our name, it was this one before it was started anew", async () => {
    lockOf({ boot: "another" });
    await mustTake();
  });

  test("and of our name, on a disk that several share, it may be another", async () => {
    presence = new Presence(directory, ourRun, { clock: () => nowMs, isLocal: false });
    lockOf({ boot: "another" });
    await mustBeBusy();
    nowMs += 120_000;
    await mustTake();
  });

  test("a lock without its holder's file is honoured for the lease on such a disk", async () => {
    presence = new Presence(directory, ourRun, { clock: () => nowMs, isLocal: false });
    lockOf(elsewhere);
    rmSync(join(presence.folder, `${theirRun}.ndjson`));
    await mustBeBusy();
    nowMs += 120_000;
    await mustTake();
  });

  test("a holder without a sign of life for a day is not waited for, which those need who never wait", async () => {
    lockOf(elsewhere);
    const yesterday = new Date(Date.now() - 25 * 3_600_000);
    utimesSync(join(presence.folder, `${theirRun}.ndjson`), yesterday, yesterday);
    await mustTake();
  });
});
