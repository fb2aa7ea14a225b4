// What the file store remembers between runs: content decides, times only save reading. Told on a real folder.
import assert from "node:assert/strict";
import { cpSync, renameSync, writeFileSync } from "node:fs";
import { digestOf } from "../../src/core/fingerprint.js";
import { header, type Line, written } from "../../src/stores/state-line.js";
import type { Folder } from "../rig/project.js";
import { inFolder, longAgo } from "../rig/project.js";
import { must } from "../rig/world.js";
import { settled } from "./file-rig.js";
import { digestOfFile, open, publish, state, stepFor, story } from "./files-rig.js";

/** The lines after the header, each without its seal. */
const linesOf = (project: Folder) =>
  project
    .read(state)
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => JSON.parse(line).slice(1));
const stamps = (project: Folder) => linesOf(project).filter(([kind]) => kind === "stamp");

/** Rewrites one field of the only stamp. */
function forge(project: Folder, field: number, value: string): void {
  const lines = linesOf(project).map((line) =>
    line[0] === "stamp" ? line.map((old: string, i: number) => (i === field ? value : old)) : line,
  );
  project.write(state, header + lines.map((line) => written(line as unknown as Line)).join(""));
}

story("a file that has not changed is not read again: its digest is remembered", async (project) => {
  const digest = await digestOfFile(open(), settled.file);
  assert.deepEqual(
    stamps(project).map((line) => [line[1], line.at(-1)]),
    [[settled.file, digest]],
  );
  forge(project, 7, "sha256:remembered");
  assert.equal(await digestOfFile(open(), settled.file), "sha256:remembered");
});

for (const [field, name] of ["size", "mtime", "ctime", "inode", "device"].entries())
  story(`a file of another ${name} is read again, and remembered anew`, async (project) => {
    const digest = await digestOfFile(open(), settled.file);
    forge(project, 7, "sha256:remembered");
    forge(project, field + 2, "1");
    assert.equal(await digestOfFile(open(), settled.file), digest);
    assert.equal(await digestOfFile(open(), settled.file), digest);
    assert.equal(stamps(project).at(-1).at(-1), digest);
  });

story("edits of the same size, each right after it was looked at, are all noticed", async () => {
  for (let i = 0; i < 100; i += 1) {
    writeFileSync("raw.csv", String(1_000 + i));
    assert.equal(await digestOfFile(open(), "raw.csv"), digestOf(String(1_000 + i)));
  }
});

story("so are edits that put the old modification time back", async (project) => {
  for (let i = 0; i < 100; i += 1) {
    project.write("raw.csv", String(1_000 + i));
    project.date("raw.csv", longAgo);
    assert.equal(await digestOfFile(open(), "raw.csv"), digestOf(String(1_000 + i)));
  }
});

story(
  "a file that has just changed is not remembered: it may change again within the same tick",
  async (project) => {
    project.write("raw.csv", "now");
    project.write("copied.csv", "with the time of its original, as `cp -p` and `tar` do");
    project.date("copied.csv", longAgo);
    must(await open().observe(["raw.csv", "copied.csv", settled.file]));
    assert.deepEqual(
      stamps(project).map((line) => line[1]),
      [settled.file],
    );
  },
);

story("other bytes with an older time are noticed", async (project) => {
  project.write("raw.csv", "new");
  await digestOfFile(open(), "raw.csv");
  project.write("older.csv", "old");
  project.date("older.csv", longAgo);
  renameSync("older.csv", "raw.csv");
  assert.equal(await digestOfFile(open(), "raw.csv"), digestOf("old"));
});

story("a touch is no change", async (project) => {
  project.write("raw.csv", "x");
  const digest = await digestOfFile(open(), "raw.csv");
  for (const date of [longAgo, new Date(), new Date("2099-01-01")]) {
    project.date("raw.csv", date);
    assert.equal(await digestOfFile(open(), "raw.csv"), digest);
  }
});

story("a moved project is read again, and as fresh as it was", async (project) => {
  project.write("raw.csv", "x");
  const maker = open();
  const trace = must(await publish(maker, stepFor("data/out.csv"), ([path]) => writeFileSync(path!, "made")));
  await maker.close();
  await inFolder(async (moved) => {
    cpSync(project.root, moved.root, { recursive: true });
    const store = open();
    assert.deepEqual(must(await store.traces([stepFor("data/out.csv")])), [trace]);
    assert.equal(await digestOfFile(store, "data/out.csv"), trace.outputs[0]?.digest);
    assert.equal(await digestOfFile(store, "raw.csv"), digestOf("x"));
  });
});

story("a thousand files are looked at in one go, in order", async (project) => {
  const names = Array.from({ length: 1_000 }, (_, i) => `f${i}`);
  for (const name of names) if (name !== "f500") project.write(name, name);
  const facts = must(await open().observe(names));
  assert.deepEqual(
    facts.map((fact) => (fact.kind === "present" ? fact.digest : fact.kind)),
    names.map((name) => (name === "f500" ? "absent" : digestOf(name))),
  );
});
