// Commands that say what they have read, while files change under them. Told with a real shell.
import assert from "node:assert/strict";
import { existsSync, readdirSync, utimesSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { Step } from "../../src/core/rule.js";
import { type Dollar, sh } from "../../src/index.js";
import { createShell } from "../../src/recipes/shell.js";
import { longAgo } from "../rig/project.js";
import { failureOf, must } from "../rig/world.js";
import { declared, jobFor, stepFor } from "./jobs.js";
import { story } from "./shells.js";

interface Paths {
  readonly $: Dollar;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly depfile: string;
}

interface Wish {
  /** Declared; those of the job are there. */
  readonly inputs?: readonly string[];
  readonly there?: readonly string[];
  readonly signal?: AbortSignal;
}

/** Runs a command that is declared with a depfile and whose output is `out`. */
async function run(command: (paths: Paths) => ReturnType<Dollar>, wish: Wish = {}) {
  const { inputs = [], there = inputs, signal = new AbortController().signal } = wish;
  const rule = await declared(() => sh("out", { depfile: true }, command));
  const { step, recipe } = stepFor(rule, "sh", inputs);
  const running = jobFor(step as Step, { inputs: there, signal });
  return { ...running, ended: createShell(process.env)(recipe, running.job) };
}

async function outcomeOf(command: (paths: Paths) => ReturnType<Dollar>, wish?: Wish) {
  const outcome = must(await (await run(command, wish)).ended);
  assert(outcome.kind === "made");
  return outcome;
}

story("a command says what it has read besides its inputs", async (folder) => {
  for (const name of ["in.csv", "lookup.csv", "rates.csv"]) folder.write(name, name);
  const { read, writtenMeanwhile } = await outcomeOf(
    ({ $, inputs, output, depfile }) =>
      $`cat ${inputs} lookup.csv rates.csv > ${output}; echo ${output}: ${inputs} lookup.csv ./rates.csv > ${depfile}`,
    { inputs: ["in.csv"] },
  );
  assert.deepEqual([read, writtenMeanwhile], [["lookup.csv", "rates.csv"], []]);
});

story("before the command runs there is no depfile", async () => {
  const { read } = await outcomeOf(({ $, depfile }) => $`test ! -e ${depfile}; echo out: >> ${depfile}`);
  assert.deepEqual(read, []);
});

story("a command that promised to say what it read, and does not, has not done its work", async () => {
  const { ended } = await run(({ $, output }) => $`: > ${output}`);
  assert.deepEqual(failureOf(await ended, "bad-depfile"), {
    reason: "bad-depfile",
    path: "out",
    problem: "the command did not write it",
  });
});

story("a depfile that was not asked for is not looked at", async (folder) => {
  folder.write(".read.tmp", "no rule");
  const { step, recipe } = stepFor(await declared(() => sh("out", {}, ({ $ }) => $`:`)), "sh");
  assert.deepEqual(must(await createShell(process.env)(recipe, jobFor(step).job)), {
    kind: "made",
    facts: {},
  });
});

story("a failure shows the command with the names that a person knows", async () => {
  const { ended } = await run(({ $, inputs, output, depfile }) => $`exit 3 ${inputs} ${output} ${depfile}`, {
    inputs: ["in.csv", "maybe.csv"],
    there: ["in.csv"],
  });
  assert.equal(failureOf(await ended, "exit").command, "exit 3 in.csv out depfile");
});

story("a command is given the inputs that are there", async () => {
  const { ended, logged } = await run(({ $, inputs, depfile }) => $`echo ${inputs}; echo out: > ${depfile}`, {
    inputs: ["in.csv", "maybe.csv"],
    there: ["in.csv"],
  });
  must(await ended);
  assert.equal(logged(), "in.csv\n");
});

story(
  "what changed while the command ran is told, however old it looks, and what was made just before is not",
  async (folder) => {
    for (const name of ["kept.csv", "old.csv", "edited.csv", "swapped.csv", "aside.csv", "gone.csv"])
      folder.write(name, name);
    utimesSync("aside.csv", longAgo, longAgo);
    folder.write("new.csv", "just before");
    const { read, writtenMeanwhile } = await outcomeOf(
      ({ $, output, depfile }) => $`
      echo ${output}: kept.csv old.csv edited.csv swapped.csv gone.csv new.csv > ${depfile}
      cat kept.csv edited.csv swapped.csv gone.csv new.csv > ${output}
      echo more >> edited.csv
      mv aside.csv swapped.csv
      touch -d 2020-01-01 old.csv
      rm gone.csv`,
    );
    assert.deepEqual(read?.length, 6);
    assert.deepEqual(writtenMeanwhile, ["old.csv", "edited.csv", "swapped.csv"]);
  },
);

story("what it names and is not there is read as absent, and not as written meanwhile", async (folder) => {
  folder.write("file", "");
  const { read, writtenMeanwhile } = await outcomeOf(
    ({ $, depfile }) => $`echo out: nosuch.h no/such.h file/below.h > ${depfile}`,
  );
  assert.deepEqual([read, writtenMeanwhile], [["nosuch.h", "no/such.h", "file/below.h"], []]);
});

story("a link that is led elsewhere meanwhile is told as well", async (folder) => {
  folder.write("one.csv", "1");
  folder.write("two.csv", "2");
  const { writtenMeanwhile } = await outcomeOf(
    ({ $, depfile }) => $`ln -s one.csv same.csv; echo out: same.csv > ${depfile}; ln -sf two.csv same.csv`,
  );
  assert.deepEqual(writtenMeanwhile, ["same.csv"]);
});

story("an interrupt before the command has started starts nothing", async () => {
  const stop = new AbortController();
  const { ended } = await run(({ $, depfile }) => $`: > started; echo out: > ${depfile}`, {
    signal: stop.signal,
  });
  stop.abort();
  failureOf(await ended, "interrupted");
  await setImmediate();
  assert.equal(existsSync("started"), false);
});

story("where nothing can be written nothing is run", async (folder) => {
  const { step, recipe } = stepFor(
    await declared(() => sh("out", { depfile: true }, ({ $ }) => $`: > started`)),
    "sh",
  );
  const { job } = jobFor(step);
  const stage = { kind: "files" as const, paths: ["out.tmp"], depfile: "no/such/place" };
  assert.equal(failureOf(await createShell(process.env)(recipe, { ...job, stage }), "io").code, "ENOENT");
  assert.deepEqual(readdirSync(folder.root), []);
});
