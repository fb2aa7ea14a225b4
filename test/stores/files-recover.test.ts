// What a run that died has left is cleared by the next start, and nothing else is. Told on a real folder, with real processes.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { after, before } from "node:test";
import type { Warning } from "../../src/core/event.js";
import type { Ended } from "../../src/core/trace.js";
import { marks } from "../../src/engine/ports.js";
import { createHistory } from "../../src/stores/history.js";
import { State } from "../../src/stores/state.js";
import { isAlive } from "../../src/system/process.js";
import { failureOf, must } from "../rig/world.js";
import { attemptAt, ended, open, publish, published, staged, state, stepFor, story } from "./files-rig.js";
import { groups } from "./killed-groups.js";
import { compiled, killedAt } from "./killed-rig.js";

const { signal } = new AbortController();
let killer: Awaited<ReturnType<typeof compiled>>;
before(async () => {
  killer = await compiled();
});
after(() => killer.remove());

const [name, step] = ["a group of three files", groups["a group of three files"]!] as const;
const dies = (text: string) => killedAt(killer.program, 0, name, { does: "die", text });

const write = (text: string) => (paths: readonly string[]) => {
  for (const path of paths) writeFileSync(path, text);
};

const temporaries = () =>
  (readdirSync(".", { recursive: true }) as string[]).filter((one) => /\.dmake-[0-9a-f]{16}\./.test(one));

/** The run that has died, by what it left. */
const deadRun = () =>
  readdirSync(".dmake/runs")
    .find((one) => one.endsWith(".ndjson"))!
    .slice(0, 16);

/** What a start does and says. */
async function recovers(stop: AbortSignal = signal) {
  const warnings: Warning[] = [];
  const notes: Ended[] = [];
  const store = open({ warn: (warning) => warnings.push(warning), note: (one) => notes.push(one) });
  const result = await store.recover(stop);
  await store.close();
  return { result, warnings, notes };
}

story("what a dead run left is removed and told of once, and the old outputs stay", async (project) => {
  must(await publish(open(), step, write("one")));
  project.write("data/.other.dmake-0123456789abcdef.tmp", "of a run that nobody knows");
  await dies("two");
  assert.deepEqual([temporaries().length, readdirSync(".dmake/locks").length], [4, 1]);
  const { result, warnings, notes } = await recovers();
  must(result);
  assert.deepEqual(temporaries(), ["data/.other.dmake-0123456789abcdef.tmp"]);
  assert.deepEqual([readdirSync(".dmake/locks"), warnings], [[], []]);
  assert.deepEqual(
    notes.map(({ step, outcome }) => [step, outcome]),
    [["a.csv", "killed"]],
  );
  assert.equal(project.read("a.csv"), "one");
  assert.deepEqual((await recovers()).notes, []);
});

story("what is made right now is left alone", async () => {
  const living = open();
  const attempt = attemptAt(step);
  const stage = await staged(living, attempt);
  for (const path of stage.paths) writeFileSync(path, "one");
  must((await recovers()).result);
  must(await ended(living, attempt, stage));
});

story("an attempt whose end is in the history did not die with its run", async (project) => {
  await dies("two");
  const run = deadRun();
  const attempt = /"stage","([0-9a-f]{16})"/.exec(project.read(`.dmake/runs/${run}.ndjson`))![1]!;
  const history = createHistory({ directory: ".dmake", run });
  const { startedAt } = attemptAt(step);
  history.note({
    step: step.id,
    attempt,
    tries: 1,
    startedAt,
    durationMs: 1,
    outcome: "failed",
    because: [],
  });
  assert.deepEqual((await recovers()).notes, []);
});

story("processes of a dead run are ended before anything of it is completed", async () => {
  await dies("two");
  const orphan = spawn("sleep", ["600"], {
    env: { ...process.env, [marks.run]: deadRun() },
    stdio: "ignore",
    detached: true,
  });
  const exit = once(orphan, "exit");
  await once(orphan, "spawn");
  const { warnings } = await recovers();
  assert.deepEqual(await exit, [null, "SIGTERM"]);
  assert.deepEqual(
    warnings.map((one) => one.warning === "orphans-stopped" && one.pids),
    [[orphan.pid]],
  );
});

/** The change of the disk at which half is done: found once. */
let halfAt = 1;

/** Leaves a group half published: the first output has its name, the others are staged. */
async function half(project: { path(name: string): string }): Promise<void> {
  for (; ; halfAt += 1) {
    must(await publish(open(), step, write("one")));
    await killedAt(killer.program, halfAt, name, { does: "publish", text: "two" });
    const isNew = temporaries().filter((one) => one.endsWith(".tmp")).length === 2;
    if (isNew) return;
    await recovers();
    rmSync(project.path(".dmake"), { recursive: true });
  }
}

story("what was half published is completed, said, and in the history as made", async (project) => {
  await half(project);
  const { warnings, notes } = await recovers();
  assert.deepEqual(warnings, [{ warning: "publish-resumed", step: "a.csv", how: "completed" }]);
  assert.deepEqual(
    notes.map(({ outcome }) => outcome),
    ["made"],
  );
  assert.deepEqual(
    step.outputs.map((output) => project.read(output)),
    ["two", "two", "two"],
  );
});

story("what somebody has put in the way meanwhile is saved and told of", async (project) => {
  await half(project);
  project.write("data/c.csv", "by hand");
  const { warnings } = await recovers();
  const saved = warnings.find((one) => one.warning === "output-saved");
  assert.equal(saved?.output, "data/c.csv");
  assert.equal(project.read(saved.path), "by hand");
  assert.equal(project.read("data/c.csv"), "two");
});

story("where something staged is gone, the old outputs return, and all is made again", async (project) => {
  await half(project);
  rmSync(temporaries().find((one) => one.includes("c.csv") && one.endsWith(".tmp"))!);
  const { warnings } = await recovers();
  assert.deepEqual(warnings, [{ warning: "publish-resumed", step: "a.csv", how: "undone" }]);
  assert.deepEqual(
    step.outputs.map((output) => project.read(output)),
    ["one", "one", "one"],
  );
  assert.deepEqual(temporaries(), []);
  assert.deepEqual((await recovers()).warnings, []);
  const again = must(await published(open(), step, write("3")));
  assert.deepEqual(again.saved, []);
});

story("whoever makes the step next completes it as well, without a start in between", async (project) => {
  await half(project);
  const store = open();
  must(await store.traces([step]));
  const stage = must(await store.stage(attemptAt(step)));
  assert.equal(stage.kind, "already");
  assert.equal(project.read("data/c.csv"), "two");
});

story("an intent that a person has written leads nowhere", async (project) => {
  project.write("victim.csv", "mine");
  for (const [outputs, attempt] of [
    [["../victim.csv"], "0123456789abcdef"],
    [["a.csv"], "../../../victim"],
    [[".dmake/state.ndjson"], "0123456789abcdef"],
  ] as const) {
    const made = outputs.map((one) => ({ name: one, digest: "sha256:1" }));
    const trace = must(await publish(open(), stepFor("x.csv"), ([path]) => writeFileSync(path!, "x")));
    new State(state).intend("evil", { ...trace, attempt, outputs: made });
    const { result, warnings } = await recovers();
    must(result);
    assert.deepEqual(warnings, []);
    assert.deepEqual(new State(state).intents.steps(), []);
  }
  assert.equal(project.read("victim.csv"), "mine");
});

story("a start with nothing to clear writes nothing", async (project) => {
  must((await recovers()).result);
  assert.deepEqual(project.list(), []);
});

story("a start can be interrupted, and the next one does the rest", async (project) => {
  await half(project);
  const stop = new AbortController();
  stop.abort();
  failureOf((await recovers(stop.signal)).result, "interrupted");
  must((await recovers()).result);
  assert.equal(project.read("data/c.csv"), "two");
});

story(
  "whoever takes over a dead run's lock ends its processes first, also while another clears up",
  async () => {
    await dies("two");
    const orphan = spawn("sleep", ["600"], {
      env: { ...process.env, [marks.run]: deadRun() },
      stdio: "ignore",
      detached: true,
    });
    await once(orphan, "spawn");
    const warnings: Warning[] = [];
    const store = open({ warn: (warning) => warnings.push(warning) });
    const attempt = attemptAt(step);
    const stage = await staged(store, attempt);
    assert.equal(isAlive(orphan.pid!), false);
    assert.deepEqual(
      warnings.map((one) => one.warning === "orphans-stopped" && one.pids),
      [[orphan.pid]],
    );
    await store.discard(attempt, stage);
    await store.close();
  },
);
