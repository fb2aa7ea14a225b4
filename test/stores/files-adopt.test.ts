// Adopting: what is there is recorded as if it had been made now. Told on a real folder.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { digestOf } from "../../src/core/fingerprint.js";
import { failureOf, must } from "../rig/world.js";
import { attemptAt, ended, open, published, staged, stepFor, story } from "./files-rig.js";

story("a file that a person made is adopted: recorded, and no longer a stranger", async (project) => {
  project.write("out.csv", "by hand");
  const attempt = attemptAt(stepFor("out.csv"));
  const trace = must(await open().adopt(attempt));
  assert.deepEqual(trace, {
    recipe: attempt.recipe,
    inputs: attempt.inputs,
    outputs: [{ name: "out.csv", digest: digestOf("by hand") }],
    because: [{ why: "adopted" }],
    attempt: attempt.id,
    startedAt: attempt.startedAt,
    checkedAt: attempt.startedAt,
    durationMs: 0,
    facts: {},
  });
  assert.deepEqual(must(await open().traces([stepFor("out.csv")])), [trace]);
  const made = await published(open(), stepFor("out.csv"), ([path]) => writeFileSync(path!, "made"));
  assert.deepEqual(must(made).saved, []);
});

story(
  "what is not there, or not of its kind, cannot be adopted, and nothing of its group is",
  async (project) => {
    project.write("a.csv", "a");
    project.write("parts/x", "x");
    assert.equal(
      failureOf(await open().adopt(attemptAt(stepFor("a.csv", "b.csv"))), "output-missing").output,
      "b.csv",
    );
    failureOf(await open().adopt(attemptAt(stepFor("a.csv/"))), "output-kind");
    failureOf(await open().adopt(attemptAt(stepFor("parts"))), "output-kind");
    assert.deepEqual(must(await open().traces([stepFor("a.csv"), stepFor("parts")])), [undefined, undefined]);
    must(await open().adopt(attemptAt(stepFor("parts/"))));
  },
);

story("what a recipe told of its output holds as long as those bytes are there", async (project) => {
  const store = open();
  const attempt = attemptAt(stepFor("out.csv"));
  const stage = await staged(store, attempt);
  writeFileSync(stage.paths[0]!, "made");
  must(await ended(store, attempt, stage, { outcome: { kind: "made", facts: { rows: 3, etag: '"1"' } } }));
  assert.deepEqual(must(await open().adopt(attemptAt(stepFor("out.csv")))).facts, { rows: 3, etag: '"1"' });
  project.write("out.csv", "edited");
  assert.deepEqual(must(await open().adopt(attemptAt(stepFor("out.csv")))).facts, {});
});

story("what a recipe once discovered it depends on still, as that is now", async (project) => {
  for (const name of ["changed.sql", "gone.sql"]) project.write(name, "old");
  const store = open();
  const attempt = attemptAt(stepFor("out.csv"));
  const stage = await staged(store, attempt);
  writeFileSync(stage.paths[0]!, "made");
  const discovered = ["changed.sql", "gone.sql", "table:t/1"].map((name) => ({ name, digest: "sha256:old" }));
  must(await ended(store, attempt, stage, { discovered }));
  project.write("changed.sql", "new");
  rmSync("gone.sql");
  assert.deepEqual(must(await open().adopt(attemptAt(stepFor("out.csv")))).discovered, [
    { name: "changed.sql", digest: digestOf("new") },
    { name: "gone.sql", digest: "absent" },
    { name: "table:t/1", digest: "sha256:old" },
  ]);
});

story("a target that is being made is adopted once it is", async () => {
  const [first, second] = [open(), open()];
  const attempt = attemptAt(stepFor("out.csv"));
  const stage = await staged(first, attempt);
  const adopting = second.adopt(attemptAt(stepFor("out.csv")));
  writeFileSync(stage.paths[0]!, "made");
  must(await ended(first, attempt, stage));
  assert.equal(must(await adopting).outputs[0]?.digest, digestOf("made"));
});
