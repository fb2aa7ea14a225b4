// When an output only waits for the disk, so that another recipe may run. Told with a real folder; knows nothing of recipes.
import assert from "node:assert/strict";
import fs, { readdirSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { mock } from "node:test";
import { State } from "../../src/stores/state.js";
import { must } from "../rig/world.js";
import { attemptAt, ended, open, staged, state, stepFor, story } from "./files-rig.js";

story("the disk alone is left to wait for when a recipe's places are given back", async (project) => {
  const store = open();
  const attempt = attemptAt(stepFor("a.csv"));
  const stage = await staged(store, attempt);
  writeFileSync(stage.paths[0]!, "x");
  const done: string[] = [];
  const real = fs.openSync;
  mock.method(fs, "openSync", (...args: Parameters<typeof real>) => {
    if (args[1] === "r") done.push(String(args[0]));
    return real(...args);
  });
  syncBuiltinESMExports();
  const atRest = () => {
    assert.deepEqual(readdirSync(".").includes("a.csv"), false);
    assert.equal(new State(state).traces.size, 0);
    done.push("at rest");
    return false;
  };
  must(await ended(store, attempt, stage, { atRest }));
  mock.restoreAll();
  syncBuiltinESMExports();
  // The record is written without another look at the disk.
  assert.deepEqual(
    done.filter((path) => path !== state),
    ["at rest", stage.paths[0], "."],
  );
  assert.equal(project.read("a.csv"), "x");
});
