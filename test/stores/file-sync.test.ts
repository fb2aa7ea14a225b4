// How often the disk is asked to keep a folder's names, and that nobody is told too early. Told with a real folder, its syncs held.
import assert from "node:assert/strict";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { mock, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { inFolder } from "../rig/project.js";

test("who asks while a folder is synced has the next sync, with all others who ask meanwhile", () =>
  inFolder(async () => {
    const begun: ((error: Error | null) => void)[] = [];
    mock.method(fs, "fsync", (_: number, done: (error: Error | null) => void) => void begun.push(done));
    syncBuiltinESMExports();
    const { syncFolder } = await import("../../src/stores/file-sync.js");
    const told: string[] = [];
    const ask = (name: string) =>
      syncFolder(".").then(
        () => told.push(name),
        () => told.push(`${name} failed`),
      );
    const all = [ask("first"), ask("with the first")];
    while (begun.length < 1) await setImmediate();
    all.push(ask("second"), ask("third"));
    await setImmediate();
    assert.equal(begun.length, 1);
    begun[0]!(null);
    while (begun.length < 2) await setImmediate();
    assert.deepEqual(told, ["first", "with the first"]);
    // The second has begun: it may have missed what this one has renamed.
    all.push(ask("fourth"));
    begun[1]!(Object.assign(new Error("refused"), { code: "EIO" }));
    while (begun.length < 3) await setImmediate();
    assert.deepEqual(told, ["first", "with the first", "second failed", "third failed"]);
    begun[2]!(null);
    await Promise.all(all);
    assert.equal(told.at(-1), "fourth");
    const later = ask("later");
    while (begun.length < 4) await setImmediate();
    begun[3]!(null);
    await later;
    mock.restoreAll();
    syncBuiltinESMExports();
  }));
