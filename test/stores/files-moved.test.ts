// A project that is copied or moved is as fresh as it was, and each copy goes its own way. Told on a real folder.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { recipeParts } from "../../src/core/fingerprint.js";
import { judge, named, type Verdict } from "../../src/core/verdict.js";
import { inFolder } from "../rig/project.js";
import { must } from "../rig/world.js";
import { attemptAt, ended, open, staged, stepFor } from "./files-rig.js";

const step = stepFor("data/out.csv", "data/parts/");

/** What a new process in the current folder says of the step. */
async function verdict(): Promise<Verdict> {
  const store = open();
  const inputs = await inputsNow();
  const [trace] = must(await store.traces([step]));
  const outputs = must(await store.observe(step.outputs));
  const recipe = must(recipeParts(step, inputs));
  return judge({ step, recipe, inputs, discovered: [], outputs, trace, forced: false, nowMs: 0 });
}

async function inputsNow() {
  const facts = must(await open().observe(step.inputs));
  return step.inputs.map((name, i) => named(name, facts[i]!));
}

async function makes(text: string) {
  const store = open();
  const inputs = await inputsNow();
  const attempt = { ...attemptAt(step), inputs, recipe: must(recipeParts(step, inputs)) };
  const stage = await staged(store, attempt);
  writeFileSync(stage.paths[0]!, text);
  writeFileSync(`${stage.paths[1]}/part`, text);
  const { saved } = must(await ended(store, attempt, stage));
  await store.close();
  return saved;
}

const ways: Readonly<Record<string, readonly [string, readonly string[]]>> = {
  "cp -r": ["cp", ["-r"]],
  "cp -a": ["cp", ["-a"]],
  mv: ["mv", []],
};

for (const [way, [command, options]] of Object.entries(ways))
  test(`after \`${way}\` everything is fresh, and each copy goes its own way`, () =>
    inFolder(async (project) => {
      project.write("raw.csv", "raw");
      await makes("one");
      assert.equal((await verdict()).kind, "fresh");
      const parent = realpathSync(mkdtempSync(join(tmpdir(), "dmake-test-")));
      try {
        const copy = join(parent, "elsewhere");
        execFileSync(command, [...options, project.root, copy]);
        process.chdir(copy);
        assert.equal((await verdict()).kind, "fresh");
        writeFileSync("raw.csv", "another");
        assert.equal((await verdict()).kind, "stale");
        assert.deepEqual(await makes("two"), []);
        assert.equal((await verdict()).kind, "fresh");
        if (command === "mv") return;
        process.chdir(project.root);
        assert.equal((await verdict()).kind, "fresh");
        assert.equal(project.read("data/out.csv"), "one");
        writeFileSync("raw.csv", "a third");
        assert.deepEqual(await makes("three"), []);
        process.chdir(copy);
        assert.equal((await verdict()).kind, "fresh");
      } finally {
        rmSync(parent, { recursive: true });
      }
    }));

test("a copy that shares its bytes with the original by hard links changes nothing of it", () =>
  inFolder(async (project) => {
    project.write("raw.csv", "raw");
    await makes("one");
    const copy = `${project.root}-linked`;
    execFileSync("cp", ["-al", project.root, copy]);
    try {
      process.chdir(copy);
      await makes("two");
      const outputs = () => ["data/out.csv", "data/parts/part"].map((name) => readFileSync(name, "utf8"));
      assert.deepEqual(outputs(), ["two", "two"]);
      process.chdir(project.root);
      assert.deepEqual(outputs(), ["one", "one"]);
      assert.equal((await verdict()).kind, "fresh");
    } finally {
      rmSync(copy, { recursive: true });
    }
  }));
