// What a glob finds in a project's folder: files as they are, in a settled order, and nothing of dmake's own.
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync } from "node:fs";
import { test } from "node:test";
import { globsBelow } from "../../src/cli/globs.js";
import { Folder } from "../rig/project.js";

function folder(t: { after(work: () => void): void }, ...names: string[]): Folder {
  const made = new Folder();
  t.after(() => made.remove());
  for (const name of names) made.write(name, "");
  return made;
}

test("files that fit, by code units", (t) => {
  const here = folder(t, "b.csv", "a.csv", "B.csv", "é.csv", "a.CSV", "a.txt", "sub/c.csv");
  mkdirSync(here.path("dir.csv"));
  const { files } = globsBelow(here.root, ".dmake");
  assert.deepEqual(files("*.csv"), ["B.csv", "a.csv", "b.csv", "é.csv"]);
  assert.deepEqual(files("**/*.csv"), ["B.csv", "a.csv", "b.csv", "sub/c.csv", "é.csv"]);
  assert.deepEqual(files("[ab].csv"), ["a.csv", "b.csv"]);
  assert.deepEqual(files("nowhere/*.csv"), []);
});

test("what dmake keeps or is just writing is never found", (t) => {
  const here = folder(
    t,
    ".dmake/saved/ab/x.csv",
    "x.csv",
    ".x.csv.dmake-0123456789abcdef.tmp",
    ".hidden.csv",
  );
  here.write(".d.dmake-0123456789abcdef.tmp/part.csv", "");
  const { files } = globsBelow(here.root, ".dmake");
  assert.deepEqual(files("**/*.csv"), ["x.csv"]);
  assert.deepEqual(files(".*"), [".hidden.csv"]);
  assert.deepEqual(files(".dmake/**"), []);
  assert.deepEqual(files(".*/**"), []);
});

test("a link to a file is a file; wildcards lead through no link to a folder", (t) => {
  const here = folder(t, "real/a.csv");
  const outside = folder(t, "x.csv");
  symlinkSync("real/a.csv", here.path("link.csv"));
  symlinkSync("nowhere.csv", here.path("broken.csv"));
  symlinkSync(outside.root, here.path("away"));
  symlinkSync(".", here.path("real/loop"));
  const { files } = globsBelow(here.root, ".dmake");
  assert.deepEqual(files("**/*.csv"), ["link.csv", "real/a.csv"]);
  assert.deepEqual(files("away/*.csv"), ["away/x.csv"]);
});

test("a value with special characters stands for itself", (t) => {
  const here = folder(t, "a[1].csv", "a1.csv", "!x.csv");
  const { files, among } = globsBelow(here.root, ".dmake");
  assert.deepEqual(files("a\\[1\\].*"), ["a[1].csv"]);
  assert.deepEqual(files("!x.*"), ["!x.csv"]);
  assert.deepEqual(among("a\\[1\\].*", ["a[1].csv", "a1.csv"]), ["a[1].csv"]);
});

test("names that are not there yet fit by the same rules", () => {
  const { among } = globsBelow("/nowhere", ".dmake");
  const names = ["data/b.csv", "data/a.csv", "data/.h.csv", "data/sub/c.csv", "table:trips/2021"];
  assert.deepEqual(among("data/*.csv", names), ["data/b.csv", "data/a.csv"]);
  assert.deepEqual(among("data/**/*.csv", names), ["data/b.csv", "data/a.csv", "data/sub/c.csv"]);
  assert.deepEqual(among("table:*/2021", names), ["table:trips/2021"]);
  assert.deepEqual(among("DATA/*.csv", names), []);
});

test("one plan sees one answer", (t) => {
  const here = folder(t, "a.csv");
  const { files } = globsBelow(here.root, ".dmake");
  assert.deepEqual(files("*.csv"), ["a.csv"]);
  here.write("b.csv", "");
  assert.deepEqual(files("*.csv"), ["a.csv"]);
  assert.deepEqual(globsBelow(here.root, ".dmake").files("*.csv"), ["a.csv", "b.csv"]);
});
