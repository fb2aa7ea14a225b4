// Outputs stay in the project, whatever links lie on the way. Told on a real folder.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { parseNamePattern } from "../../src/core/pattern.js";
import type { Step } from "../../src/core/rule.js";
import { Folder } from "../rig/project.js";
import { failureOf, must } from "../rig/world.js";
import { attemptAt, ended, open, publish, staged, stepFor, story } from "./files-rig.js";

const at = { file: "Datafile.ts", line: 1 };

/** A step that makes one name, of a rule with this pattern. */
function stepOf(name: string, pattern: string): Step {
  const step = stepFor(name);
  return { ...step, rule: { ...step.rule, outputs: [must(parseNamePattern(pattern, at))] } };
}

const makes = (step: Step) => publish(open(), step, ([path]) => writeFileSync(path!, "x"));

/** A folder that is not the project. */
async function elsewhere(work: (other: Folder) => Promise<void>): Promise<void> {
  const other = new Folder();
  try {
    await work(other);
    assert.deepEqual(
      other.list((name) => name === "kept.csv"),
      [],
    );
  } finally {
    other.remove();
  }
}

story("a wildcard whose value is a link that leads out makes nothing there", (project) =>
  elsewhere(async (other) => {
    mkdirSync("data");
    symlinkSync(other.root, "data/evil");
    for (const name of ["data/evil/out.csv", "data/evil/deep/out.csv"]) {
      const step = stepOf(name, name.includes("deep") ? "data/{a}/{b}/out.csv" : "data/{a}/out.csv");
      const { path } = failureOf(await open().stage(attemptAt(step)), "outside-root");
      assert.equal(path, name);
    }
    assert.deepEqual(
      project.list((name) => name.startsWith(".dmake/")),
      ["data/evil"],
    );
  }),
);

story("nor does a link to such a link, or one further down", () =>
  elsewhere(async (other) => {
    mkdirSync("data/a", { recursive: true });
    symlinkSync(other.root, "data/one");
    symlinkSync("one", "data/two");
    symlinkSync("../one", "data/a/three");
    for (const [name, pattern] of [
      ["data/two/x.csv", "data/{v}/x.csv"],
      ["data/a/three/x.csv", "data/a/{v}/x.csv"],
    ] as const)
      failureOf(await open().stage(attemptAt(stepOf(name, pattern))), "outside-root");
  }),
);

story(
  "a folder that the Datafile names may be a link to another disk, with all below it",
  async (project) => {
    const other = new Folder();
    symlinkSync(other.root, "data");
    must(await makes(stepOf("data/2024/out.csv", "data/{year}/out.csv")));
    must(await makes(stepOf("data/out.csv", "data/{name}.csv")));
    assert.deepEqual(other.list(), ["2024/out.csv", "out.csv"]);
    assert.equal(project.read("data/out.csv"), "x");
    other.remove();
  },
);

story("a link that stays in the project is a folder like any other", async (project) => {
  mkdirSync("big");
  mkdirSync("data");
  symlinkSync("../big", "data/a");
  must(await makes(stepOf("data/a/out.csv", "data/{v}/out.csv")));
  assert.equal(project.read("big/out.csv"), "x");
});

story("a folder that is swapped for a link while the recipe runs is noticed", () =>
  elsewhere(async (other) => {
    const store = open();
    const attempt = attemptAt(stepOf("data/a/out.csv", "data/{v}/out.csv"));
    const stage = await staged(store, attempt);
    writeFileSync(stage.paths[0]!, "x");
    renameSync("data/a", "data/moved");
    symlinkSync(other.root, "data/a");
    // The stage goes along, as somebody may arrange it who means harm.
    const name = stage.paths[0]!.split("/").pop()!;
    writeFileSync(other.path(name), "x");
    failureOf(await ended(store, attempt, stage), "outside-root");
    await store.discard(attempt, stage);
    assert.equal(existsSync(other.path("out.csv")), false);
  }),
);

const inPlace = (step: Step): Step => ({ ...step, rule: { ...step.rule, inPlace: true } });

for (const [what, target] of [
  ["a file that is there", "kept.csv"],
  ["a file that is not there yet", "new.csv"],
] as const)
  story(`what is written in place may not be a link out of the project to ${what}`, (project) =>
    elsewhere(async (other) => {
      other.write("kept.csv", "kept");
      symlinkSync(other.path(target), "middle");
      symlinkSync("middle", "out.csv");
      const step = inPlace(stepOf("out.csv", "out.csv"));
      failureOf(await open().stage(attemptAt(step)), "outside-root");
      assert.equal(other.read("kept.csv"), "kept");
      rmSync("middle");
      project.write("middle", "here");
      must(await makes(step));
      assert.equal(project.read("middle"), "x");
    }),
  );
