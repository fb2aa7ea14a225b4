// What a person has written where an output goes is never lost, whatever dmake knows of it. Told on a real folder.
import assert from "node:assert/strict";
import { lstatSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "../../src/core/fingerprint.js";
import type { Step } from "../../src/core/rule.js";
import type { FileStore } from "../../src/stores/files.js";
import { type Folder, inFolder } from "../rig/project.js";
import { failureOf, must } from "../rig/world.js";
import { attemptAt, ended, open, published, rewritten, staged, state, stepFor, story } from "./files-rig.js";

/** What is not dmake's own, and what it has saved. */
const listed = (project: Folder) =>
  project.list((name) => name.startsWith(".dmake/") && !name.startsWith(".dmake/saved/"));

const savedAt = (text: string, name: string) => `.dmake/saved/${digestOf(text).slice(7, 19)}/${name}`;

/** Makes all outputs of a step anew, in a process of its own; answers what was saved. */
async function makes(step: Step, text: string, store: FileStore = open()) {
  const { saved } = must(await published(store, step, (paths) => put(step, paths, text)));
  return saved;
}

function put({ outputs, directories }: Step, paths: readonly string[], text: string): void {
  for (const [i, path] of paths.entries())
    writeFileSync(directories.has(outputs[i]!) ? join(path, "part") : path, text);
}

story("an edited output is saved before it is made again", async (project) => {
  await makes(stepFor("data/out.csv"), "made");
  project.write("data/out.csv", "edited by hand");
  const path = savedAt("edited by hand", "data/out.csv");
  assert.deepEqual(await makes(stepFor("data/out.csv"), "made"), [{ output: "data/out.csv", path }]);
  assert.equal(project.read(path), "edited by hand");
  assert.deepEqual(listed(project), [path, "data/out.csv"].sort());
  assert.equal(project.read("data/out.csv"), "made");
});

story("so is a file that was there before dmake was", async (project) => {
  project.write("out.csv", "by hand");
  assert.equal((await makes(stepFor("out.csv"), "made"))[0]?.path, savedAt("by hand", "out.csv"));
  assert.equal(project.read(savedAt("by hand", "out.csv")), "by hand");
});

story("so is one whose record was lost, and one that is built by force", async (project) => {
  await makes(stepFor("out.csv"), "one");
  rmSync(state);
  assert.equal((await makes(stepFor("out.csv"), "two"))[0]?.path, savedAt("one", "out.csv"));
  project.write("out.csv", "edited");
  const store = open();
  const attempt = { ...attemptAt(stepFor("out.csv")), forced: true };
  const stage = await staged(store, attempt);
  writeFileSync(stage.paths[0]!, "three");
  assert.equal(must(await ended(store, attempt, stage)).saved.length, 1);
  assert.equal(project.read(savedAt("edited", "out.csv")), "edited");
});

story("what was edited while its recipe waited or ran is not overwritten", async (project) => {
  await makes(stepFor("out.csv"), "one");
  const store = open();
  const attempt = attemptAt(stepFor("out.csv"));
  const stage = await staged(store, attempt);
  writeFileSync(stage.paths[0]!, "two");
  project.write("out.csv", "edited just now");
  failureOf(await ended(store, attempt, stage), "wrote-final-path");
  await store.discard(attempt, stage);
  assert.equal(project.read("out.csv"), "edited just now");
});

story("nor is what is edited while two files are compared", async (project) => {
  await makes(stepFor("out.parquet"), "one");
  const sayTheSame = async () => {
    project.write("out.parquet", "edited just now");
    return true;
  };
  const store = open({ sayTheSame });
  const done = await published(store, stepFor("out.parquet"), ([path]) => writeFileSync(path!, "two"));
  failureOf(done, "wrote-final-path");
  assert.equal(project.read("out.parquet"), "edited just now");
});

story("an edit that is what the recipe makes anyway is no loss, and nothing is saved", async (project) => {
  await makes(stepFor("out.csv"), "one");
  project.write("out.csv", "two");
  assert.deepEqual(await makes(stepFor("out.csv"), "two"), []);
  assert.deepEqual(listed(project), ["out.csv"]);
});

story(
  "what dmake has made is not saved, whichever rule made it: rules are renamed and regrouped",
  async (project) => {
    await makes(stepFor("a.csv", "b.csv"), "one");
    assert.deepEqual(await makes(stepFor("b.csv", "a.csv"), "two"), []);
    assert.deepEqual(await makes(stepFor("b.csv"), "three"), []);
    assert.deepEqual(await makes(stepFor("a.csv"), "four"), []);
    assert.deepEqual(listed(project), ["a.csv", "b.csv"]);
  },
);

story(
  "what a rule no longer makes is still known to be dmake's, also after the file of records was rewritten",
  async (project) => {
    await makes(stepFor("a.csv", "b.csv"), "one");
    await makes(stepFor("a.csv"), "two");
    await rewritten();
    assert.deepEqual(await makes(stepFor("b.csv"), "three"), []);
    assert.deepEqual(listed(project), ["a.csv", "b.csv"]);
  },
);

story("a target that was a source for a while is edited if it was, and fresh if not", async (project) => {
  await makes(stepFor("a.csv"), "made");
  await makes(stepFor("b.csv"), "from a");
  assert.deepEqual(await makes(stepFor("a.csv"), "made again"), []);
  project.write("a.csv", "edited while it was a source");
  assert.equal(
    (await makes(stepFor("a.csv"), "made"))[0]?.path,
    savedAt("edited while it was a source", "a.csv"),
  );
});

story("of a group each edited file is saved", async (project) => {
  await makes(stepFor("a.csv", "b.csv", "c.csv"), "one");
  project.write("a.csv", "edited a");
  project.write("c.csv", "edited c");
  const saved = await makes(stepFor("a.csv", "b.csv", "c.csv"), "two");
  assert.deepEqual(
    saved.map(({ output }) => output),
    ["a.csv", "c.csv"],
  );
  for (const { output, path } of saved) assert.equal(project.read(path), `edited ${output[0]}`);
});

story(
  "the same edit again is saved at the same place, unless somebody has edited what was saved",
  async (project) => {
    const path = savedAt("edit", "out.csv");
    for (const expected of [path, path]) {
      project.write("out.csv", "edit");
      assert.equal((await makes(stepFor("out.csv"), "made"))[0]?.path, expected);
    }
    writeFileSync(path, "somebody's notes");
    project.write("out.csv", "edit");
    const other = path.replace(/\/out.csv$/, "-2/out.csv");
    assert.equal((await makes(stepFor("out.csv"), "made"))[0]?.path, other);
    assert.deepEqual([project.read(path), project.read(other)], ["somebody's notes", "edit"]);
  },
);

story(
  "there is no moment at which an edited file is not where it was, until the new one is",
  async (project) => {
    project.write("out.csv", "edited");
    const { ino } = statSync("out.csv");
    await makes(stepFor("out.csv"), "made");
    assert.equal(statSync(savedAt("edited", "out.csv")).ino, ino);
  },
);

/** A folder on another file system than the project, or nothing. */
function elsewhere(): string | undefined {
  const shm = statSync("/dev/shm", { throwIfNoEntry: false });
  if (!shm || shm.dev === statSync(".").dev) return undefined;
  return mkdtempSync("/dev/shm/dmake-test-");
}

for (const name of ["out.csv", "parts/"])
  test(`${name}: where what is saved lies on another disk it is copied`, async (t) =>
    inFolder(async (project) => {
      const other = elsewhere();
      if (other === undefined) return t.skip("no other file system");
      try {
        symlinkSync(other, ".dmake");
        const step = stepFor(name);
        const file = step.directories.size > 0 ? "parts/deep/by hand" : "out.csv";
        project.write(file, "by hand");
        project.date(file, new Date("2020-02-02T00:00:00Z"));
        const [saved] = await makes(step, "made");
        const kept = file.replace(step.id, saved!.path);
        assert.equal(project.read(kept), "by hand");
        assert.equal(statSync(kept).mtime.toISOString(), "2020-02-02T00:00:00.000Z");
        assert.equal(project.read(step.directories.size > 0 ? "parts/part" : "out.csv"), "made");
        assert.equal(lstatSync(`${saved!.path}.tmp`, { throwIfNoEntry: false }), undefined);
      } finally {
        rmSync(other, { recursive: true });
      }
    }));

story("an edited directory is saved whole, and one that dmake made is not", async (project) => {
  const step = stepFor("data/parts/");
  await makes(step, "one");
  assert.deepEqual(await makes(step, "two"), []);
  project.write("data/parts/mine", "by hand");
  const [saved] = await makes(step, "three");
  assert.match(saved!.path, /^\.dmake\/saved\/[0-9a-f]{12}\/data\/parts$/);
  assert.deepEqual(listed(project), [`${saved!.path}/mine`, `${saved!.path}/part`, "data/parts/part"]);
  assert.equal(project.read(`${saved!.path}/part`), "two");
  assert.equal(project.read("data/parts/part"), "three");
});

story(
  "a file in the place of a directory is saved, and a directory in the place of a file is left alone",
  async (project) => {
    project.write("parts", "by hand");
    assert.equal((await makes(stepFor("parts/"), "made"))[0]?.path, savedAt("by hand", "parts"));
    assert.equal(project.read("parts/part"), "made");
    project.write("folder/anything", "x");
    const failure = failureOf(await open().stage(attemptAt(stepFor("folder"))), "io");
    assert.deepEqual([failure.path, failure.code], ["folder", "EISDIR"]);
    assert.equal(project.read("folder/anything"), "x");
  },
);

story("what dmake made as a directory becomes a file when the rule says so, and back", async (project) => {
  await makes(stepFor("out/"), "one");
  assert.deepEqual(await makes(stepFor("out"), "two"), []);
  assert.equal(project.read("out"), "two");
  assert.deepEqual(await makes(stepFor("out/"), "three"), []);
  assert.deepEqual(listed(project), ["out/part"]);
});

for (const name of ["out", "out/"])
  story(
    `a link at the place of ${name} is replaced and not followed; what it led to stays`,
    async (project) => {
      const step = stepFor(name);
      const inside = step.directories.size > 0 ? "/part" : "";
      project.write(`elsewhere/mine${inside}`, "by hand");
      symlinkSync("elsewhere/mine", "out");
      const [saved] = await makes(step, "made");
      assert.equal(lstatSync("out").isSymbolicLink(), false);
      assert.equal(project.read(`out${inside}`), "made");
      assert.equal(project.read(`elsewhere/mine${inside}`), "by hand");
      assert.equal(project.read(`${saved!.path}${inside}`), "by hand");
    },
  );

story("a link that leads nowhere is replaced", async (project) => {
  mkdirSync("data");
  symlinkSync("nowhere", "data/out");
  symlinkSync("nowhere", "data/parts");
  assert.deepEqual(await makes(stepFor("data/out", "data/parts/"), "made"), []);
  assert.deepEqual(listed(project), ["data/out", "data/parts/part"]);
});
