// A package that is linked into `node_modules` is code that somebody works on: its version says nothing. Told on real folders.
import assert from "node:assert/strict";
import { rmSync, symlinkSync } from "node:fs";
import { test } from "node:test";
import { bundle } from "../../src/datafile/bundle.js";
import { inSources, reachesIn, recipe } from "../rig/reach.js";
import { must } from "../rig/world.js";

const manifest = (name: string, dependencies = {}) =>
  JSON.stringify({ name, version: "1.0.0", type: "module", main: "index.js", dependencies });

const workspace = {
  "Datafile.ts": recipe("log(zed);", 'import { zed } from "zed";'),
  "packages/zed/package.json": manifest("zed", { util: "*", far: "1" }),
  "packages/zed/index.js": 'export * from "./src/zed.js";',
  "packages/zed/src/zed.js": "export const zed = 1;",
  "packages/zed/node_modules/own/index.js": "1",
  "packages/util/package.json": manifest("util", { zed: "*" }),
  "packages/util/index.js": "export const util = 1;",
  "packages/two/package.json": manifest("zed", { util: "*", far: "1" }),
  "node_modules/far/package.json": manifest("far"),
  "node_modules/far/index.js": "1",
};

test("a linked package counts by its code and by that of what it is linked to, on a warm start as well", async () => {
  await inSources(workspace, async (folder) => {
    const link = (to: string) => {
      rmSync(folder.path("node_modules/zed"), { force: true, recursive: true });
      symlinkSync(`../packages/${to}`, folder.path("node_modules/zed"));
    };
    link("zed");
    symlinkSync("../packages/util", folder.path("node_modules/util"));
    const version = async () => {
      const options = { cache: folder.path(".dmake/cache"), writable: true };
      must(await bundle(folder.path("Datafile.ts"), options));
      const [reach] = await reachesIn(folder);
      return reach?.parts["package zed"] ?? "";
    };
    const first = await version();
    assert.match(first, /^1\.0\.0 sha256:/);
    const changes: readonly (readonly [string, string])[] = [
      ["packages/zed/src/zed.js", "export const zed = 2;"],
      ["packages/zed/src/later.ts", ""],
      ["packages/util/index.js", "export const util = 2;"],
    ];
    const seen = new Set([first]);
    for (const [name, text] of changes) {
      folder.write(name, text);
      seen.add(await version());
    }
    assert.equal(seen.size, 4);
    const last = await version();
    for (const name of [
      "packages/zed/README.md",
      "packages/zed/node_modules/own/index.js",
      "node_modules/far/index.js",
    ])
      folder.write(name, "2");
    folder.write("packages/util/index.js", "export const util = 2;");
    assert.equal(await version(), last, "what is no code of it, and a file that was only touched");
    link("two");
    assert.notEqual(await version(), last, "a link that was moved");
  });
});

test("a project that is linked into itself counts by its version: it holds its own data", async () => {
  const files = {
    "package.json": manifest("zed"),
    "Datafile.ts": workspace["Datafile.ts"],
    "node_modules/x": "",
  };
  await inSources(files, async (folder) => {
    symlinkSync("..", folder.path("node_modules/zed"));
    const [reach] = await reachesIn(folder);
    assert.equal(reach?.parts["package zed"], "1.0.0");
  });
});
