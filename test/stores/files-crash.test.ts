// A process that dies at any moment of publishing: a plain rerun is right, and nobody's work is lost. Told on a real folder.
import assert from "node:assert/strict";
import fs, { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { mock, test } from "node:test";
import type { Step } from "../../src/core/rule.js";
import { type Folder, inFolder } from "../rig/project.js";
import { must } from "../rig/world.js";
import { open, published, stepFor } from "./files-rig.js";

/** Everything that changes the disk, in the words of the file system. */
const changes = [
  "linkSync",
  "mkdirSync",
  "openSync",
  "renameSync",
  "rmSync",
  "symlinkSync",
  "writeFileSync",
  "writeSync",
] as const;

/** What a process is that has died: it does nothing any more. */
class Dead extends Error {}

/** Does the work, and dies right before its n-th change of the disk. Answers whether it lived to the end. */
async function dyingAt(n: number, work: () => Promise<unknown>): Promise<boolean> {
  let count = 0;
  const dyingIn = <T extends object>(module: T, name: keyof T & string) => {
    const real = module[name] as (...args: unknown[]) => unknown;
    mock.method(module as Record<string, () => unknown>, name, (...args: unknown[]) => {
      if (name !== "openSync" || args[1] === "a" || args[1] === "w") count += 1;
      if (count >= n) throw new Dead();
      return real(...args);
    });
  };
  for (const name of changes) dyingIn(fs, name);
  dyingIn(fs.promises, "rm");
  syncBuiltinESMExports();
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof Dead) return false;
    throw error;
  } finally {
    mock.restoreAll();
    syncBuiltinESMExports();
    // Locks die with their process, and this one has to play two.
    rmSync(".dmake/locks", { recursive: true, force: true });
  }
}

function fill({ outputs, directories }: Step, paths: readonly string[], text: string): void {
  for (const [i, path] of paths.entries())
    writeFileSync(directories.has(outputs[i]!) ? `${path}/part` : path, text);
}

const makes = (step: Step, text: string) => published(open(), step, (paths) => fill(step, paths, text));

/** The texts of all files that were saved. */
const savedTexts = (project: Folder) =>
  project.list((name) => !name.startsWith(".dmake/saved/")).map((name) => project.read(name));

const temporaries = () =>
  (readdirSync(".", { recursive: true }) as string[]).filter((name) =>
    /\.dmake-.*\.(tmp|dep|old)/.test(name),
  );

/** Tells one story with a death at each of its moments. */
async function atEveryMoment(moment: (project: Folder, n: number) => Promise<boolean>): Promise<void> {
  for (let n = 1; ; n += 1) {
    let survived = false;
    await inFolder(async (project) => {
      survived = await moment(project, n);
    });
    if (survived) {
      assert(n > 5, `${n} moments`);
      return;
    }
  }
}

const group = stepFor("a.csv", "data/parts/", "data/b.csv");
const contents = (project: Folder) =>
  ["a.csv", "data/parts/part", "data/b.csv"].map((name) =>
    existsSync(name) ? project.read(name) : undefined,
  );

/** Whether the outputs are what the record says: then nobody makes them again. */
async function isAsRecorded(): Promise<boolean> {
  const store = open();
  const [trace] = must(await store.traces([group]));
  const facts = must(await store.observe(group.outputs));
  return facts.every((fact, i) => fact.kind === "present" && fact.digest === trace?.outputs[i]?.digest);
}

test("a first build that dies leaves nothing, or all of it, or what the next one takes for its own", () =>
  atEveryMoment(async (project, n) => {
    const survived = await dyingAt(n, () => makes(group, "one"));
    const { saved } = must(await makes(group, "two"));
    assert.deepEqual(saved, [], `at ${n}`);
    assert.deepEqual(contents(project), ["two", "two", "two"], `at ${n}`);
    assert.deepEqual(temporaries(), [], `at ${n}`);
    return survived;
  }));

test("each output of a rebuild that dies is the old one or the new one, and dmake's; a directory may be missing", () =>
  atEveryMoment(async (project, n) => {
    must(await makes(group, "one"));
    const survived = await dyingAt(n, () => makes(group, "two"));
    const [a, parts, b] = contents(project);
    for (const text of [a, b]) assert(text === "one" || text === "two", `${text} at ${n}`);
    assert(parts === undefined || parts === "one" || parts === "two", `${parts} at ${n}`);
    if (await isAsRecorded()) assert.equal(new Set(contents(project)).size, 1, `half a group at ${n}`);
    const { saved } = must(await makes(group, "three"));
    assert.deepEqual(saved, [], `at ${n}`);
    assert.deepEqual(contents(project), ["three", "three", "three"], `at ${n}`);
    assert.deepEqual(temporaries(), [], `at ${n}`);
    return survived;
  }));

test("what a person has made is where it was or saved, at every moment", () =>
  atEveryMoment(async (project, n) => {
    const edits = ["edited a", "edited part", "edited b"];
    must(await makes(group, "one"));
    for (const [i, name] of ["a.csv", "data/parts/part", "data/b.csv"].entries())
      project.write(name, edits[i]!);
    const survived = await dyingAt(n, () => makes(group, "two"));
    // Directories cannot be linked: theirs is the only moment at which nothing is there.
    for (const name of ["a.csv", "data/b.csv"]) assert(existsSync(name), `${name} is not there at ${n}`);
    const there = () => [...contents(project), ...savedTexts(project)];
    for (const edit of edits) assert(there().includes(edit), `${edit} is lost at ${n}`);
    must(await makes(group, "three"));
    for (const edit of edits) assert(savedTexts(project).includes(edit), `${edit} is lost after ${n}`);
    assert.deepEqual(new Set(savedTexts(project)), new Set(edits), `at ${n}`);
    assert.deepEqual(contents(project), ["three", "three", "three"], `at ${n}`);
    assert.deepEqual(temporaries(), [], `at ${n}`);
    return survived;
  }));
