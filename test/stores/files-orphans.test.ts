// What dmake made and no rule makes any more: listed, and removed only as it was made. Told on a real folder.
import assert from "node:assert/strict";
import { appendFileSync, existsSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { digestOf } from "../../src/core/fingerprint.js";
import { written } from "../../src/stores/state-line.js";
import { must } from "../rig/world.js";
import {
  attemptAt,
  ended,
  open,
  publish,
  published,
  rewritten,
  staged,
  state,
  stepFor,
  story,
} from "./files-rig.js";

/** Makes a group, each of its files or directories with its own name inside. */
async function makes(...outputs: string[]): Promise<void> {
  const write = (paths: readonly string[]) => {
    for (const [i, path] of paths.entries()) fill(path, outputs[i]!);
  };
  must(await publish(open(), stepFor(...outputs), write));
}

const fill = (path: string, output: string) =>
  writeFileSync(output.endsWith("/") ? `${path}/part` : path, output);

/** The orphans that a new process sees while rules make only these. */
async function orphans(...made: string[]) {
  const found = must(await open({ writable: false }).orphans((name) => made.includes(name)));
  return found.map(({ name, state }) => `${name} ${state}`);
}

/** Removes them all; answers those that were. */
async function removed(...made: string[]): Promise<string[]> {
  const store = open();
  const gone: string[] = [];
  for (const orphan of must(await store.orphans((name) => made.includes(name))))
    if (must(await store.removeOrphan(orphan))) gone.push(orphan.name);
  return gone;
}

story("what no rule makes any more is an orphan, and what was never made is not", async (project) => {
  await makes("a.csv");
  await makes("data/b.csv");
  project.write("mine.csv", "mine");
  assert.deepEqual(await orphans("a.csv"), ["data/b.csv unmodified"]);
  assert.deepEqual(await removed("a.csv"), ["data/b.csv"]);
  assert.deepEqual(
    [existsSync("data/b.csv"), existsSync("a.csv"), existsSync("mine.csv")],
    [false, true, true],
  );
  assert.deepEqual(await orphans("a.csv"), []);
});

story("an orphan tells who made it, what it was and how much is there", async () => {
  await makes("a.csv", "b.csv");
  const [, b] = must(await open().orphans(() => false));
  assert.deepEqual(b, {
    name: "b.csv",
    step: "a.csv",
    state: "unmodified",
    recorded: digestOf("b.csv"),
    bytes: 5,
  });
});

story("an orphan that somebody has edited is listed as such, and stays", async (project) => {
  await makes("a.csv");
  project.write("a.csv", "edited");
  assert.deepEqual(await orphans(), ["a.csv edited"]);
  assert.deepEqual(await removed(), []);
  assert.equal(project.read("a.csv"), "edited");
});

story("so does one that is edited between being listed and being removed", async (project) => {
  await makes("a.csv");
  const store = open();
  const [orphan] = must(await store.orphans(() => false));
  project.write("a.csv", "edited");
  assert.equal(must(await store.removeOrphan(orphan!)), false);
  assert.equal(project.read("a.csv"), "edited");
});

story("one that is gone is none", async () => {
  await makes("a.csv");
  const store = open();
  const [orphan] = must(await store.orphans(() => false));
  rmSync("a.csv");
  assert.deepEqual(await orphans(), []);
  assert.equal(must(await store.removeOrphan(orphan!)), false);
});

story("what a rule makes no more is an orphan, though its rule is still there", async () => {
  await makes("a.csv", "b.csv");
  assert.deepEqual(await orphans("a.csv"), ["b.csv unmodified"]);
  await makes("a.csv");
  await rewritten();
  assert.deepEqual(await orphans("a.csv"), ["b.csv unmodified"]);
  assert.deepEqual(await removed("a.csv"), ["b.csv"]);
  assert.deepEqual(await orphans("a.csv"), []);
  assert.deepEqual(await orphans(), ["a.csv unmodified"]);
});

story(
  "of an orphan that is gone nothing is remembered: another file of its name is a person's",
  async (project) => {
    await makes("a.csv", "b.csv");
    await removed("a.csv");
    project.write("b.csv", "b.csv");
    assert.deepEqual(await orphans("a.csv"), []);
    const { saved } = must(
      await published(open(), stepFor("b.csv"), ([path]) => writeFileSync(path!, "new")),
    );
    assert.equal(saved.length, 1);
  },
);

story("the others of its group are remembered", async () => {
  await makes("a.csv", "b.csv");
  assert.deepEqual(await removed("b.csv"), ["a.csv"]);
  assert.deepEqual(await orphans(), ["b.csv unmodified"]);
});

story("a directory is an orphan as a whole, unless a rule now makes something in it", async () => {
  await makes("parts/");
  assert.deepEqual(await orphans(), ["parts unmodified"]);
  await makes("parts/part");
  assert.deepEqual(await orphans("parts/part"), []);
  assert.deepEqual(await removed("parts/part"), []);
  assert.deepEqual(await removed("elsewhere"), ["parts/part"]);
  assert.deepEqual(await orphans(), ["parts edited"]);
});

story("a link in the place of an orphan goes, and what it leads to stays", async (project) => {
  await makes("a.csv");
  project.write("elsewhere.csv", project.read("a.csv"));
  rmSync("a.csv");
  symlinkSync("elsewhere.csv", "a.csv");
  assert.deepEqual(await removed(), ["a.csv"]);
  assert.equal(existsSync("elsewhere.csv"), true);
});

story("an orphan that is being made right now is waited for", async () => {
  await makes("a.csv");
  const [store, other] = [open(), open()];
  const [orphan] = must(await store.orphans(() => false));
  const attempt = attemptAt(stepFor("a.csv"));
  const stage = await staged(other, attempt);
  const removing = store.removeOrphan(orphan!);
  writeFileSync(stage.paths[0]!, "made by another dmake");
  must(await ended(other, attempt, stage));
  assert.equal(must(await removing), false);
  assert.equal(existsSync("a.csv"), true);
});

story("a record that names what is not of the project names no orphan", async (project) => {
  await makes("a.csv");
  const outside = `${project.root}-outside`;
  writeFileSync(outside, "x");
  try {
    const outputs = [`../${outside.split("/").at(-1)}`, outside, ".dmake/state.ndjson"];
    for (const name of outputs)
      appendFileSync(state, written(["left", name, { name, step: "a.csv", digest: digestOf("x") }]));
    assert.deepEqual(await orphans("a.csv"), []);
  } finally {
    rmSync(outside);
  }
});
