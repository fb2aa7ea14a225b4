// Outputs that are directories: made aside, whole, one content. Told on a real folder.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import type { Folder } from "../rig/project.js";
import { failureOf, must } from "../rig/world.js";
import { attemptAt, digestOfFile, ended, open, published, staged, stepFor, story } from "./files-rig.js";

const listed = (project: Folder) => project.list((name) => name.startsWith(".dmake/"));

/** Makes a directory of these files, in a process of its own. */
async function makes(files: Readonly<Record<string, string>>, name = "data/parts/") {
  const done = await published(open(), stepFor(name), ([path]) => fill(path!, files));
  return must(done).trace;
}

function fill(path: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(`${path}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    writeFileSync(`${path}/${name}`, text);
  }
}

story("a recipe is given an empty directory, and what it puts there is there at once", async (project) => {
  await makes({ "old.csv": "old", "sub/a.csv": "a" });
  const store = open();
  const attempt = attemptAt(stepFor("data/parts/"));
  const { paths } = await staged(store, attempt);
  assert.deepEqual(statSync(paths[0]!).isDirectory(), true);
  fill(paths[0]!, { "new.csv": "new" });
  assert.equal(project.read("data/parts/old.csv"), "old");
  const { trace } = must(await ended(store, attempt, { kind: "files", paths, depfile: "none" }));
  assert.deepEqual(listed(project), ["data/parts/new.csv"]);
  assert.equal(await digestOfFile(open(), "data/parts"), trace.outputs[0]?.digest);
});

story("what a directory says does not depend on when or where it was made", async () => {
  const one = await makes({ "a.csv": "a", "sub/b.csv": "b" });
  const other = await makes({ "sub/b.csv": "b", "a.csv": "a" }, "elsewhere/");
  assert.equal(one.outputs[0]?.digest, other.outputs[0]?.digest);
  const changes: Record<string, string>[] = [{ "a.csv": "a" }, { "a.csv": "b", "sub/b.csv": "a" }, {}];
  for (const files of changes)
    assert.notEqual((await makes(files)).outputs[0]?.digest, one.outputs[0]?.digest);
});

story("an empty directory is one, as an empty file is a file", async () => {
  const trace = await makes({});
  assert.equal(await digestOfFile(open(), "data/parts"), trace.outputs[0]?.digest);
});

story("a file where a directory was declared is refused, and what was there stays", async (project) => {
  await makes({ "a.csv": "a" });
  const store = open();
  const attempt = attemptAt(stepFor("data/parts/"));
  const stage = await staged(store, attempt);
  rmSync(stage.paths[0]!, { recursive: true });
  writeFileSync(stage.paths[0]!, "a file");
  const { output, found } = failureOf(await ended(store, attempt, stage), "output-kind");
  assert.deepEqual([output, found], ["data/parts", "file"]);
  await store.discard(attempt, stage);
  assert.deepEqual(listed(project), ["data/parts/a.csv"]);
});

story("a directory that the recipe removed is missing", async () => {
  const store = open();
  const attempt = attemptAt(stepFor("parts/"));
  const stage = await staged(store, attempt);
  rmSync(stage.paths[0]!, { recursive: true });
  failureOf(await ended(store, attempt, stage), "output-missing");
});

const meddling: Readonly<Record<string, () => void>> = {
  "adds a file": () => writeFileSync("data/parts/more.csv", "x"),
  "changes a file": () => writeFileSync("data/parts/sub/a.csv", "x"),
  "removes a file": () => rmSync("data/parts/sub/a.csv"),
  "renames a file": () => renameSync("data/parts/sub/a.csv", "data/parts/sub/b.csv"),
  "removes the directory": () => rmSync("data/parts", { recursive: true }),
};

for (const [what, meddle] of Object.entries(meddling))
  story(`a recipe that ${what} at the final path fails`, async () => {
    await makes({ "sub/a.csv": "a" });
    const store = open();
    const attempt = attemptAt(stepFor("data/parts/"));
    const stage = await staged(store, attempt);
    fill(stage.paths[0]!, { "sub/a.csv": "a" });
    meddle();
    failureOf(await ended(store, attempt, stage), "wrote-final-path");
    await store.discard(attempt, stage);
  });

story("a directory and files are published as one group, or not at all", async (project) => {
  const step = stepFor("parts/", "index.csv");
  const store = open();
  const attempt = attemptAt(step);
  const stage = await staged(store, attempt);
  fill(stage.paths[0]!, { a: "a" });
  failureOf(await ended(store, attempt, stage), "output-missing");
  await store.discard(attempt, stage);
  assert.deepEqual(listed(project), []);
  must(
    await published(open(), step, ([parts, index]) => {
      fill(parts!, { a: "a" });
      writeFileSync(index!, "a");
    }),
  );
  assert.deepEqual(listed(project), ["index.csv", "parts/a"]);
});

story("a link inside is part of the directory, and what it leads to is not", async (project) => {
  project.write("big.csv", "x");
  const trace = must(
    await published(open(), stepFor("parts/"), ([path]) => {
      symlinkSync("../big.csv", `${path}/big.csv`);
      symlinkSync("nowhere", `${path}/gone.csv`);
    }),
  ).trace;
  project.write("big.csv", "y");
  assert.equal(await digestOfFile(open(), "parts"), trace.outputs[0]?.digest);
});

story(
  "a link to what was declared is what was declared, and one that leads nowhere is nothing",
  async (project) => {
    project.write("elsewhere/a.csv", "a");
    const link =
      (target: string) =>
      ([path]: readonly string[]) => {
        rmSync(path!, { recursive: true, force: true });
        symlinkSync(target, path!);
      };
    must(await published(open(), stepFor("parts/"), link("elsewhere")));
    assert.equal(project.read("parts/a.csv"), "a");
    must(await published(open(), stepFor("out.csv"), link("elsewhere/a.csv")));
    assert.equal(project.read("out.csv"), "a");
    failureOf(await published(open(), stepFor("other.csv"), link("nowhere")), "output-missing");
    failureOf(await published(open(), stepFor("wrong.csv"), link("elsewhere")), "output-kind");
  },
);

story("names of any bytes are made, recorded and found again", async () => {
  const trace = must(
    await published(open(), stepFor("parts/"), ([path]) => {
      for (const byte of [0x80, 0xff])
        writeFileSync(Buffer.concat([Buffer.from(`${path}/a`), Buffer.from([byte])]), "x");
      writeFileSync(`${path}/日本 \n-rf`, "x");
    }),
  ).trace;
  assert.equal(await digestOfFile(open(), "parts"), trace.outputs[0]?.digest);
});

story("what a killed run left of a directory is swept by the next", async (project) => {
  const attempt = attemptAt(stepFor("data/parts/"));
  const { paths, depfile } = await staged(open(), attempt);
  fill(paths[0]!, { "half.csv": "half" });
  writeFileSync(depfile, "half");
  mkdirSync(paths[0]!.replace(/tmp$/, "old"));
  rmSync(".dmake/locks", { recursive: true });
  await makes({ "a.csv": "a" });
  assert.deepEqual(listed(project), ["data/parts/a.csv"]);
  assert.equal(existsSync(paths[0]!), false);
});

story("what a recipe says that it read is gone once it was read, however it ended", async (project) => {
  for (const end of ["publish", "discard"]) {
    const store = open();
    const attempt = attemptAt(stepFor("out.csv"));
    const stage = await staged(store, attempt);
    writeFileSync(stage.paths[0]!, "a");
    writeFileSync(stage.depfile, "out.csv: lib.sql");
    if (end === "publish") must(await ended(store, attempt, stage));
    else await store.discard(attempt, stage);
    assert.deepEqual(listed(project), ["out.csv"]);
  }
});
