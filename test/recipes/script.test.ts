// Functions of a Datafile as recipes: what they are given, what becomes of what they throw. Told in a real folder.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mock, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { script } from "../../src/index.js";
import { runScript } from "../../src/recipes/script.js";
import { inFolder } from "../rig/project.js";
import { failureOf, must } from "../rig/world.js";
import { attemptAt, open, staged } from "../stores/files-rig.js";
import { declared, jobFor, stepFor } from "./jobs.js";

type Run = Parameters<typeof script<"out">>[2];

async function run(body: Run, signal?: AbortSignal) {
  const { step, recipe } = stepFor(await declared(() => script("out", {}, body)), "script", ["a", "-b"]);
  const running = jobFor(step, signal && { signal });
  return { ...running, ended: runScript(recipe, running.job) };
}

test("a function is given its inputs, where to write, and a log of lines", () =>
  inFolder(async () => {
    const { ended, logged } = await run(({ input, inputs, output, outputs, params, log }) => {
      writeFileSync(output, JSON.stringify({ input, inputs, output, outputs, params }));
      log("one");
      log("two");
    });
    assert.deepEqual(must(await ended), { kind: "made", facts: {} });
    assert.deepEqual(JSON.parse(readFileSync("out.tmp", "utf8")), {
      input: "a",
      inputs: ["a", "./-b"],
      output: "out.tmp",
      outputs: ["out.tmp"],
      params: {},
    });
    assert.equal(logged(), "one\ntwo\n");
  }));

test("wildcards are given by name, of the step that is made", async () => {
  const rule = await declared(
    () =>
      script("{color}_{month}.txt", {}, ({ params, log }) => log(`${params.color}/${params.month}`)) as never,
  );
  const recipe = must(rule.bind({ color: "green", month: "01" }));
  assert(recipe.kind === "script");
  const { step } = stepFor(await declared(() => script("out", {}, () => {})), "script");
  const { job, logged } = jobFor(step);
  must(await runScript(recipe, job));
  assert.equal(logged(), "green/01\n");
});

test("what a function throws fails its step, at once or later", async () => {
  const thrown = async (body: Run) => failureOf(await (await run(body)).ended, "threw");
  const now = await thrown(() => {
    throw new RangeError("too many");
  });
  assert.equal(now.message, "RangeError: too many");
  assert.match(now.stack ?? "", /script\.test\.ts/);
  assert.equal((await thrown(async () => Promise.reject(new Error("later")))).message, "Error: later");
  assert.deepEqual(
    await thrown(() => {
      throw "just a text";
    }),
    { reason: "threw", message: "just a text" },
  );
  assert.equal((await thrown(() => Promise.reject(undefined))).message, "undefined");
});

test("a function hears of an interrupt, is awaited, and its answer is dropped", async () => {
  const stop = new AbortController();
  const rejected = await run(({ signal }) => {
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  }, stop.signal);
  stop.abort();
  failureOf(await rejected.ended, "interrupted");
});

test("after an interrupt no function is called any more", async () => {
  let called = false;
  const { ended } = await run(() => {
    called = true;
  }, AbortSignal.abort());
  failureOf(await ended, "interrupted");
  assert.equal(called, false);
});

test("a function that writes nothing has made nothing, and the old file stays", () =>
  inFolder(async (folder) => {
    folder.write("out", "old");
    const { step, recipe } = stepFor(await declared(() => script("out", {}, () => {})), "script");
    const store = open();
    const attempt = attemptAt(step);
    const stage = await staged(store, attempt);
    const outcome = must(await runScript(recipe, { ...jobFor(step).job, stage }));
    const finished = { outcome, durationMs: 1, inputs: [], discovered: [] };
    assert.equal(failureOf(await store.publish(attempt, stage, finished), "output-missing").output, "out");
    assert.equal(folder.read("out"), "old");
  }));

test("a function that waits for ever keeps the process", { timeout: 20_000 }, async () => {
  const child = join(import.meta.dirname, "script-child.ts");
  const running = spawn(process.execPath, ["--import", "tsx", child], { stdio: "ignore" });
  assert.deepEqual(await once(running, "exit"), [42, null]);
});

test("after an interrupt a function has ten seconds, and what it throws later harms nobody", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const stop = new AbortController();
    let throwLate = (_: Error) => {};
    const { ended } = await run(() => {
      return new Promise((_, reject) => {
        throwLate = reject;
      });
    }, stop.signal);
    let over = false;
    void ended.then(() => {
      over = true;
    });
    stop.abort();
    mock.timers.tick(9_999);
    await setImmediate();
    assert.equal(over, false);
    mock.timers.tick(1);
    failureOf(await ended, "interrupted");
    // The test runner fails a test for a rejection that nobody handles.
    throwLate(new Error("late"));
    await setImmediate();
  } finally {
    mock.timers.reset();
  }
});

test("a function that goes on after its time reaches neither the file of the next attempt nor its log", () =>
  inFolder(async (folder) => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      const store = open();
      const late: (() => void)[] = [];
      const { step, recipe } = stepFor(
        await declared(() =>
          script("out", {}, ({ output, log }) => {
            late.push(() => {
              log("late");
              writeFileSync(output, "late");
            });
            return new Promise(() => {});
          }),
        ),
        "script",
      );
      const stop = new AbortController();
      const first = attemptAt(step);
      const lost = await staged(store, first);
      const { job, logged } = jobFor(step, { signal: stop.signal });
      const ended = runScript(recipe, { ...job, stage: lost });
      stop.abort();
      mock.timers.tick(10_000);
      failureOf(await ended, "interrupted");
      await store.discard(first, lost);
      mock.timers.reset();

      const next = attemptAt(step);
      const stage = await staged(store, next);
      assert(stage.kind === "files");
      folder.write(stage.paths[0]!, "good");
      for (const write of late) write();
      const finished = {
        outcome: { kind: "made", facts: {} },
        durationMs: 1,
        inputs: [],
        discovered: [],
      } as const;
      must(await store.publish(next, stage, finished));
      assert.equal(folder.read("out"), "good");
      for (const write of late) write();
      assert.equal(folder.read("out"), "good");
      assert.deepEqual([late.length, logged()], [1, ""]);
    } finally {
      mock.timers.reset();
    }
  }));

test("what a function makes after an interrupt is dropped", async () => {
  const stop = new AbortController();
  const { ended } = await run(({ signal }) => {
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve(undefined));
    });
  }, stop.signal);
  stop.abort();
  failureOf(await ended, "interrupted");
});
