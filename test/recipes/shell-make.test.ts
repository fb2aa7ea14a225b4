// A recipe that calls make shares the places of its build. Told with a real make.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { createSlots } from "../../src/system/slots.js";
import { inFolder } from "../rig/project.js";
import { must } from "../rig/world.js";
import { run } from "./shells.js";

const { stdout } = spawnSync("make", ["--version"], { encoding: "utf8" });
const skip = stdout?.startsWith("GNU Make") ? false : "there is no GNU make";

test("a make in a recipe takes the places that are free, and no others", { timeout: 30_000, skip }, (t) =>
  inFolder(async (folder) => {
    const jobs = ["a", "b", "c", "d"].join(" ");
    folder.write("Makefile", `all: ${jobs}\n${jobs}:\n\t@echo +; sleep 0.1; echo -\n`);
    const { MAKEFLAGS, DMAKE_JOBSERVER, ...env } = process.env;
    const slots = createSlots({ jobs: 3, env, jobserver: "server", warn: ({ auth }) => assert.fail(auth) });
    t.after(() => slots.close());
    const most = async () => {
      const { ended, logged } = await run(({ $ }) => $`make`, [], undefined, { child: slots.child() });
      must(await ended);
      let now = 0;
      const counts = logged()
        .trim()
        .split("\n")
        .map((sign) => (now += sign === "+" ? 1 : -1));
      assert.equal(counts.length, 8, logged());
      return Math.max(...counts);
    };
    const own = slots.take(1)!;
    assert.ok((await most()) > 1);
    const others = slots.take(2)!;
    assert.equal(await most(), 1);
    for (const slot of [own, others]) slots.give(slot);
  }),
);
