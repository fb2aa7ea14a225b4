// Files that change or go while they are read, and a reader who is stopped. Told on a real folder.
import assert from "node:assert/strict";
import {
  appendFileSync,
  linkSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { digestOf } from "../../src/core/fingerprint.js";
import { failureOf } from "../rig/world.js";
import { digestIn, open, sparseFile } from "./file-rig.js";
import { story } from "./files-rig.js";

/** Its reading takes long enough to do something meanwhile. */
const largeFile = (name: string): string => sparseFile(name, 16 << 20);

/** Waits until this process has the file open. */
async function untilOpened(path: string): Promise<void> {
  const opened = () =>
    readdirSync("/proc/self/fd").some((descriptor) => {
      try {
        return readlinkSync(`/proc/self/fd/${descriptor}`) === path;
      } catch {
        return false;
      }
    });
  while (!opened()) await setImmediate();
}

story("a file that goes while it is read is absent", async (project) => {
  const { contents } = open();
  const seen = contents.observe([largeFile("log.csv")]);
  await untilOpened(project.path("log.csv"));
  unlinkSync("log.csv");
  assert.equal(digestIn(await seen), "absent");
});

for (const [how, replace] of Object.entries({
  "is replaced": () => renameSync("new.csv", "log.csv"),
  "is written over": () => writeFileSync("log.csv", "new"),
  "makes way for another file of its name": () => {
    rmSync("log.csv");
    linkSync("new.csv", "log.csv");
  },
}))
  story(`a file that ${how} while it is read is read once more`, async (project) => {
    project.write("new.csv", "new");
    const seen = open().contents.observe([largeFile("log.csv")]);
    await untilOpened(project.path("log.csv"));
    replace();
    assert.equal(digestIn(await seen), digestOf("new"));
  });

story("a file that moves all the while it is read is a failure", async () => {
  const { contents, state: kept } = open();
  let ended = false;
  const seen = contents.observe([largeFile("log.csv")]).finally(() => {
    ended = true;
  });
  while (!ended) {
    appendFileSync("log.csv", "x");
    await setImmediate();
  }
  assert.deepEqual(failureOf(await seen, "changed-while-read"), {
    reason: "changed-while-read",
    path: "log.csv",
  });
  assert.equal(kept.stamps.size, 0);
});

story("so is a small one, which is read at once", async (project) => {
  project.write("log.csv", Buffer.alloc(600_000));
  const writer = new Worker(
    `const { truncateSync } = require("node:fs");
     const { parentPort, workerData } = require("node:worker_threads");
     parentPort.postMessage("writing");
     for (let i = 0; ; i += 1) truncateSync(workerData, i % 2 ? 600_000 : 700_000);`,
    { eval: true, workerData: project.path("log.csv") },
  );
  await new Promise((done) => writer.once("message", done));
  const { contents } = open();
  let result = await contents.observe(["log.csv"]);
  while (result.ok) result = await contents.observe(["log.csv"]);
  assert.equal(result.error.reason, "changed-while-read");
  await writer.terminate();
});

story("who closes while a large file is read is not kept waiting", async (project) => {
  const { contents } = open();
  const [first, second] = ["log.csv", "second.csv"].map((name) => contents.observe([largeFile(name)]));
  await untilOpened(project.path("log.csv"));
  await contents.close();
  failureOf(await first!, "interrupted");
  failureOf(await second!, "interrupted");
  failureOf(await contents.observe(["second.csv"]), "interrupted");
});
