// A parquet file that was rewritten and says the same keeps its digest, so that nothing below it runs. Told on a real folder.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { digestOf } from "../../src/core/fingerprint.js";
import type { Step } from "../../src/core/rule.js";
import type { Folder } from "../rig/project.js";
import { must } from "../rig/world.js";
import {
  attemptAt,
  digestOfFile,
  ended,
  open,
  published,
  rewritten,
  staged,
  stepFor,
  story,
} from "./files-rig.js";

/** Files say the same here if their texts are equal but for white space. */
const trimmed =
  (project: Folder) =>
  async (one: string, other: string): Promise<boolean> =>
    project.read(one).trim() === project.read(other).trim();

async function makes(project: Folder, text: string, step: Step = stepFor("out.parquet")) {
  const store = open({ sayTheSame: trimmed(project) });
  const done = await published(store, step, (paths) => {
    for (const path of paths) writeFileSync(path, text);
  });
  return must(done);
}

story("other bytes that say the same are published, under the digest that there was", async (project) => {
  await makes(project, "rows");
  const { trace } = await makes(project, "rows ");
  assert.equal(project.read("out.parquet"), "rows ");
  assert.deepEqual(trace.outputs, [
    { name: "out.parquet", digest: digestOf("rows"), bytes: digestOf("rows ") },
  ]);
  assert.equal(await digestOfFile(open(), "out.parquet"), digestOf("rows"));
  project.write("out.parquet", "edited");
  assert.equal(await digestOfFile(open(), "out.parquet"), digestOf("edited"));
});

story("so it stays through any number of writings, and back to the first bytes", async (project) => {
  const said = [];
  for (const text of ["rows", "rows ", " rows", " rows", "rows"]) {
    const { trace, saved } = await makes(project, text);
    said.push(trace.outputs[0]?.bytes);
    assert.equal(trace.outputs[0]?.digest, digestOf("rows"));
    assert.deepEqual(saved, []);
  }
  assert.deepEqual(said, [undefined, digestOf("rows "), digestOf(" rows"), digestOf(" rows"), undefined]);
});

story("a file that says something else gets a digest of its own", async (project) => {
  await makes(project, "rows");
  await makes(project, "rows ");
  const { trace } = await makes(project, "other rows");
  assert.deepEqual(trace.outputs, [{ name: "out.parquet", digest: digestOf("other rows") }]);
});

story("only with an intact file of dmake's own is anything compared", async (project) => {
  await makes(project, "rows");
  project.write("out.parquet", "rows   ");
  const { trace, saved } = await makes(project, "rows ");
  assert.deepEqual(trace.outputs, [{ name: "out.parquet", digest: digestOf("rows ") }]);
  assert.equal(saved.length, 1);
});

story(
  "nothing else than parquet files is compared, nor what a rule wants compared by bytes",
  async (project) => {
    const strict = stepFor("strict.parquet");
    const bytes = { ...strict, rule: { ...strict.rule, sameness: "bytes" as const } };
    for (const step of [stepFor("out.csv"), bytes]) {
      await makes(project, "rows", step);
      const { trace } = await makes(project, "rows ", step);
      assert.deepEqual(trace.outputs, [{ name: step.id, digest: digestOf("rows ") }]);
    }
  },
);

story(
  "what it says outlives a rewrite of the records, a rule that drops it, and one that takes it over",
  async (project) => {
    const group = stepFor("a.csv", "out.parquet");
    await makes(project, "rows", group);
    await makes(project, "rows ", group);
    await rewritten();
    assert.equal(await digestOfFile(open(), "out.parquet"), digestOf("rows"));
    await makes(project, "rows ", stepFor("a.csv"));
    assert.equal(await digestOfFile(open(), "out.parquet"), digestOf("rows"));
    await rewritten();
    assert.equal(await digestOfFile(open(), "out.parquet"), digestOf("rows"));
    const { trace } = await makes(project, "rows  ", stepFor("out.parquet"));
    assert.deepEqual(trace.outputs, [
      { name: "out.parquet", digest: digestOf("rows"), bytes: digestOf("rows  ") },
    ]);
  },
);

story("a recipe that found nothing new, and who adopts, keep what was said", async (project) => {
  await makes(project, "rows");
  const { trace: before } = await makes(project, "rows ");
  const store = open();
  const attempt = attemptAt(stepFor("out.parquet"));
  const stage = await staged(store, attempt);
  const { trace } = must(await ended(store, attempt, stage, { outcome: { kind: "unchanged", facts: {} } }));
  assert.deepEqual(trace.outputs, before.outputs);
  assert.deepEqual(must(await open().adopt(attemptAt(stepFor("out.parquet")))).outputs, before.outputs);
});

story("as an orphan it is what dmake made", async (project) => {
  await makes(project, "rows");
  await makes(project, "rows ");
  const store = open();
  const [orphan] = must(await store.orphans(() => false));
  assert.equal(orphan?.state, "unmodified");
  assert.equal(must(await store.removeOrphan(orphan!)), true);
});
