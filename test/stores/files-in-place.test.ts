// Recipes that write the final paths: without a record while they run, and never taken for good unless they end well. Told on a real folder.
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { digestOf } from "../../src/core/fingerprint.js";
import type { Step } from "../../src/core/rule.js";
import { failureOf, must } from "../rig/world.js";
import { attemptAt, ended, open, publish, published, staged, stepFor, story } from "./files-rig.js";

function inPlace(...names: string[]): Step {
  const step = stepFor(...names);
  return { ...step, rule: { ...step.rule, inPlace: true } };
}

const own = (name: string) => name.startsWith(".dmake/");
const write = (text: string) => (paths: readonly string[]) => {
  for (const path of paths) writeFileSync(path, text);
};
const recordOf = async (step: Step) => must(await open().traces([step]))[0];

story("such a recipe is given the final paths, and what it leaves there is recorded", async (project) => {
  const step = inPlace("data/out.csv");
  const store = open();
  const attempt = attemptAt(step);
  const stage = await staged(store, attempt);
  assert.deepEqual([stage.paths, stage.inPlace], [["data/out.csv"], true]);
  write("made")(stage.paths);
  const { trace, saved } = must(await ended(store, attempt, stage));
  assert.deepEqual([trace.outputs, saved], [[{ name: "data/out.csv", digest: digestOf("made") }], []]);
  assert.deepEqual(project.list(own), ["data/out.csv"]);
  assert.deepEqual(await recordOf(step), trace);
});

story("its record goes before it starts, for whoever looks meanwhile and for a kill", async () => {
  const step = inPlace("out.csv");
  must(await publish(open(), step, write("one")));
  const store = open();
  const attempt = attemptAt(step);
  const stage = await staged(store, attempt);
  assert.equal(await recordOf(step), undefined);
  await store.discard(attempt, stage);
  assert.equal(await recordOf(step), undefined);
});

story("what dmake made is not saved, and what somebody else made is copied before", async (project) => {
  const step = inPlace("out.csv");
  must(await publish(open(), step, write("one")));
  assert.deepEqual(must(await published(open(), step, write("two"))).saved, []);
  project.write("out.csv", "by hand");
  // Written into, as a tool does that appends: a link would lose what was there.
  const { saved } = must(await published(open(), step, ([path]) => writeFileSync(path!, "!", { flag: "a" })));
  assert.deepEqual([project.read("out.csv"), project.read(saved[0]!.path)], ["by hand!", "by hand"]);
});

story("so is what a link leads to, and a directory", async (project) => {
  project.write("there.csv", "by hand");
  symlinkSync("there.csv", "out.csv");
  project.write("parts/a", "by hand");
  const step = inPlace("out.csv", "parts/");
  const { saved } = must(
    await published(open(), step, ([out]) => {
      writeFileSync(out!, "new");
      writeFileSync("parts/a", "new");
    }),
  );
  assert.deepEqual(
    saved.map(({ path }) => project.read(path.endsWith("parts") ? `${path}/a` : path)),
    ["by hand", "by hand"],
  );
  assert.deepEqual([project.read("there.csv"), project.read("parts/a")], ["new", "new"]);
});

story("a failure removes nothing, is no success, and what it left need not be saved", async (project) => {
  const step = inPlace("out.csv", "parts/");
  mkdirSync("parts");
  const store = open();
  const attempt = attemptAt(step);
  const stage = await staged(store, attempt);
  writeFileSync("out.csv", "half");
  writeFileSync("parts/a", "half");
  await store.discard(attempt, stage);
  assert.deepEqual(project.list(own), ["out.csv", "parts/a"]);
  assert.equal(await recordOf(step), undefined);
  const again = must(await published(open(), step, ([path]) => writeFileSync(path!, "whole")));
  assert.deepEqual(again.saved, []);
});

story("what one left that was killed need not be saved either", async (project) => {
  const step = inPlace("out.csv");
  await published(open(), step, ([path]) => writeFileSync(path!, "old"));
  const run = "0123456789abcdef";
  const attempt = attemptAt(step);
  const killed = open();
  await staged(killed, attempt);
  writeFileSync("out.csv", "half");
  // As if it had died here: its journal is now that of a run that nobody knows to live.
  const [journal] = readdirSync(".dmake/runs").filter((name) => name.endsWith(".ndjson"));
  const lines = project.read(`.dmake/runs/${journal}`).split("\n").slice(1);
  await killed.close();
  project.write(`.dmake/runs/${run}.ndjson`, ["", ...lines].join("\n"));
  rmSync(".dmake/locks", { recursive: true });
  const store = open();
  must(await store.recover(new AbortController().signal));
  const again = must(await published(store, step, ([path]) => writeFileSync(path!, "whole")));
  assert.deepEqual([again.saved, project.read("out.csv")], [[], "whole"]);
});

story("a recipe that leaves nothing there, or the wrong kind, fails", async () => {
  for (const [leave, reason] of [
    [() => rmSync("out.csv", { force: true }), "output-missing"],
    [() => mkdirSync("out.csv"), "output-kind"],
  ] as const) {
    const step = inPlace("out.csv");
    const store = open();
    const attempt = attemptAt(step);
    const stage = await staged(store, attempt);
    leave();
    failureOf(await ended(store, attempt, stage), reason);
    await store.discard(attempt, stage);
    assert.equal(await recordOf(step), undefined);
  }
});
