// How many recipes may run at once: what a person said, what the make above says, what the machine has.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { type TestContext, test } from "node:test";
import { readCommandLine } from "../../src/cli/command-line.js";
import { openPlaces } from "../../src/cli/places.js";
import type { Warning } from "../../src/core/event.js";
import { Folder } from "../rig/project.js";

/** The places of `dmake ARGS`. */
async function opened(t: TestContext, args: readonly string[], { env = {}, cores = 2 } = {}) {
  const read = await readCommandLine(args, "0");
  assert.ok(read.ok && read.value.verb === "build");
  const warnings: Warning[] = [];
  const onExit = () => undefined;
  const { jobs, slots } = await openPlaces(read.value, { env, cores, onExit }, (one) => warnings.push(one));
  t.after(() => slots.close());
  return { jobs, slots, warnings };
}

/** The environment below a make with `-j5`, whose tokens are all taken. */
function jobserver(t: TestContext): { readonly env: NodeJS.ProcessEnv } {
  const folder = new Folder();
  t.after(() => folder.remove());
  const path = folder.path("fifo");
  execFileSync("mkfifo", [path]);
  return { env: { MAKEFLAGS: ` -j5 --jobserver-auth=fifo:${path}` } };
}

test("without -j one a processor, or as many as the make above has", async (t) => {
  assert.equal((await opened(t, [])).jobs, 2);
  const below = await opened(t, [], jobserver(t));
  assert.deepEqual([below.jobs, below.warnings], [5, []]);
});

test("-j is a person's word: the make above is not asked", async (t) => {
  const { env } = jobserver(t);
  const own = await opened(t, ["-j3"], { env });
  assert.deepEqual([own.jobs, own.warnings], [3, []]);
  const taken = [own.slots.take(1), own.slots.take(1), own.slots.take(1), own.slots.take(1)];
  assert.deepEqual(
    taken.map((slot) => slot !== undefined),
    [true, true, true, false],
  );
  const below = await opened(t, [], { env });
  // Nobody has put a token into it: there is the one place that every process has.
  assert.deepEqual([below.slots.take(1) !== undefined, below.slots.take(1)], [true, undefined]);
});

test("-j1 shares nothing, and what runs is told of no jobserver", async (t) => {
  const { env } = jobserver(t);
  const { slots, jobs } = await opened(t, ["-j1"], { env });
  assert.equal(jobs, 1);
  assert.doesNotMatch(slots.child().env.MAKEFLAGS ?? "", /jobserver/);
  assert.deepEqual((await opened(t, ["-j1"])).slots.child(), { env: {}, descriptors: [] });
});

test("a jobserver that is not there is warned of", async (t) => {
  const env = { MAKEFLAGS: " -j5 --jobserver-auth=fifo:/nowhere/fifo" };
  const { warnings } = await opened(t, [], { env });
  assert.deepEqual(warnings, [{ warning: "jobserver-ignored", auth: "fifo:/nowhere/fifo" }]);
});

test("-l keeps a second recipe back on a busy machine, and never the first", async (t) => {
  const { slots } = await opened(t, ["-j4", "-l", "0.000001"]);
  assert.deepEqual([slots.take(1) !== undefined, slots.take(1)], [true, undefined]);
});
