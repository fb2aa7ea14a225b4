// A large file of records is known by the places of its lines, kept beside it: whoever reads it so finds what whoever reads all of it finds. Told on a real folder.
import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { Records } from "../../src/stores/file-records.js";
import { State } from "../../src/stores/state.js";
import { hashOf } from "../../src/stores/state-places.js";
import { stamp, story, trace } from "./state-rig.js";

const indexOf = (path: string) => join(dirname(path), "cache", "records");
const everything = Number.POSITIVE_INFINITY;

/** As a process has it that keeps nothing in memory but places. */
const placed = (path: string) => new State(path, { index: indexOf(path), largeBytes: 0 });
/** As one has it that reads the index, and the rest as text. */
const indexed = (path: string) => new State(path, { index: indexOf(path), largeBytes: everything });
const plain = (path: string) => new State(path, { largeBytes: everything });

/** Opens as a process does, works, and ends as it does. */
async function process(path: string, work: (state: State) => void): Promise<void> {
  const records = new Records({
    directory: dirname(path),
    writable: true,
    warn: () => undefined,
    largeBytes: 0,
  });
  work(records.state());
  await records.close(() => undefined);
}

/** All that can be asked of a state, in one value. */
function told(state: State) {
  const sorted = (names: Iterable<string>) => [...names].sort();
  const traces = sorted(state.traces.keys()).map((step) => [step, state.traces.get(step)]);
  const stamps = sorted(state.stamps.keys()).map((name) => [name, state.stamps.get(name)]);
  const made = sorted(state.made.names()).map((name) => [
    name,
    state.made
      .of(name)
      .map((one) => JSON.stringify(one))
      .sort(),
    state.made.meaning(name, "sha256:bytes"),
  ]);
  const intents = sorted(state.intents.steps()).map((step) => [step, state.intents.get(step)]);
  state.close();
  return { traces, stamps, made, intents };
}

function same(path: string): void {
  const expected = told(plain(path));
  assert.deepEqual(told(indexed(path)), expected);
  assert.deepEqual(told(placed(path)), expected);
}

const name = fc.constantFrom("a", "b", 'ü\u0000"', "c", "d\\n");
const recipe = (text: string) => ({ kind: "sh", command: text.repeat(250) });
const made = (output: string, bytes?: string) => [
  { name: output, digest: "sha256:says", ...(bytes && { bytes }) },
];

const act: fc.Arbitrary<(state: State) => void> = fc.oneof(
  fc.tuple(name, fc.constantFrom("1", "22", "333")).map(
    ([key, size]) =>
      (state: State) =>
        state.setStamps([[key, { ...stamp, size }]]),
  ),
  fc.tuple(name, name, fc.constantFrom("x", "y")).map(
    ([step, output, text]) =>
      (state: State) =>
        state.setTrace(step, { ...trace(text), recipe: recipe(text), outputs: made(output, "sha256:bytes") }),
  ),
  fc.tuple(name, name).map(([step, output]) => (state: State) => {
    const intended = { ...trace("made"), recipe: recipe("z"), outputs: made(output) };
    state.intend(step, intended);
    state.setTrace(step, intended);
  }),
  name.map((step) => (state: State) => state.intend(step, { ...trace("pending"), outputs: made(step) })),
  name.map((step) => (state: State) => state.dropIntent(step, "pending")),
  name.map((step) => (state: State) => state.dropTrace(step)),
  name.map((output) => (state: State) => state.forget(output)),
);

story(
  "whatever was recorded, in however many processes, is found by its place as by its text",
  async (path) => {
    const processes = fc.array(fc.array(act, { maxLength: 8 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(processes, async (all) => {
        rmSync(dirname(path), { recursive: true, force: true });
        for (const acts of all) {
          await process(path, (state) => {
            for (const one of acts) one(state);
          });
          same(path);
        }
      }),
      { numRuns: 60 },
    );
  },
);

/** More than is compared of a file's end. */
const filling = (step: string, count: number) =>
  Array.from({ length: count }, (_, i) => [`fill ${step} ${i}`, stamp] as const);

/** Three processes, of which each has added to what the last one kept. */
async function given(path: string, fill = 0): Promise<void> {
  for (const step of ["one", "two", "three"])
    await process(path, (state) => {
      state.setTrace(step, { ...trace(step), recipe: recipe(step) });
      state.setStamps([[step, stamp], ...filling(step, fill)]);
    });
}

story("what was kept of the places of lines grows with the file", async (path) => {
  await given(path, 1_000);
  const before = readFileSync(path);
  // No line is read again: somebody has written over two, of different processes, and only who asks for them finds out.
  const damaged = before
    .toString("latin1")
    .replace('"trace","one"', '"trace","eno"')
    .replace('"trace","three"', '"trace","eerht"');
  writeFileSync(path, damaged.slice(0, -1), "latin1");
  appendFileSync(path, "\n");
  const index = readFileSync(indexOf(path));
  const warnings: unknown[] = [];
  const warn = (one: unknown) => warnings.push(one);
  const state = new State(path, { index: indexOf(path), largeBytes: everything, warn });
  assert.equal(state.traces.get("two")?.attempt, "two");
  assert.deepEqual([state.traces.get("one"), state.traces.get("three")], [undefined, undefined]);
  assert.deepEqual(warnings, []);
  state.close();
  await process(path, () => undefined);
  assert.deepEqual(readFileSync(indexOf(path)), index, "nothing has come that would be worth it");
});

story("what another process records later counts, be it by place or by text", async (path) => {
  await given(path);
  const state = placed(path);
  state.setTrace("one", trace("mine"));
  assert.equal(state.traces.get("one")?.attempt, "mine");
  new State(path).setTrace("one", trace("theirs"));
  assert(state.refresh());
  assert.equal(state.traces.get("one")?.attempt, "theirs");
  assert.deepEqual([...state.traces.keys()].sort(), ["one", "three", "two"]);
  state.close();
});

story("two names of one hash are two names", async (path) => {
  const names = new Map<number, string>();
  let pair: readonly [string, string] | undefined;
  for (let i = 0; !pair; i += 1) {
    const [name, hash] = [`data/${i}.parquet`, hashOf(`data/${i}.parquet`)];
    const other = names.get(hash);
    if (other !== undefined) pair = [other, name];
    names.set(hash, name);
  }
  const [one, other] = pair;
  await process(path, (state) => state.setTrace(one, trace("one")));
  assert.equal(placed(path).traces.get(other), undefined);
  await process(path, (state) => state.setTrace(other, trace("other")));
  same(path);
  assert.deepEqual(told(placed(path)).traces.length, 2);
});

story("another file under the same name, one that was cut short, and one written over it", async (path) => {
  await given(path);
  const whole = readFileSync(path);
  writeFileSync(`${path}.copy`, whole);
  renameSync(`${path}.copy`, path);
  same(path);
  await given(path);
  truncateSync(path, whole.length - 40);
  same(path);
  await given(path);
  const other = new State(`${path}.other`);
  for (let i = 0; i < 50; i += 1) other.setTrace(`other ${i}`, trace("other"));
  writeFileSync(path, readFileSync(`${path}.other`));
  assert(statSync(path).size > whole.length);
  same(path);
  assert.equal(plain(path).traces.size, 50);
});

story("a damaged index costs the reading of all lines, and nothing more", async (path) => {
  await given(path);
  const index = indexOf(path);
  const bytes = readFileSync(index);
  for (const at of [0, 5, bytes.length >> 1, bytes.length - 1]) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    writeFileSync(index, damaged);
    same(path);
  }
  writeFileSync(index, bytes.subarray(0, 10));
  same(path);
});

story("of a file with damage no index is kept, so that the next process tells of it too", async (path) => {
  await given(path);
  rmSync(indexOf(path));
  appendFileSync(path, "garbage\n");
  const state = new State(path, { writable: false, index: indexOf(path), largeBytes: 0 });
  assert.equal(state.indexed(), undefined);
  state.close();
});

story("lines are read by their places while another process replaces the file", async (path) => {
  await given(path);
  const reading = placed(path);
  const next = new State(`${path}.next`);
  next.setTrace("four", trace("four"));
  next.setTrace("two", trace("new"));
  renameSync(`${path}.next`, path);
  assert.equal(reading.traces.get("one")?.attempt, "one");
  assert(reading.refresh());
  assert.equal(reading.traces.get("four")?.attempt, "four");
  assert.equal(reading.traces.get("two")?.attempt, "new");
  assert.equal(reading.indexed(), undefined, "the places are of two files");
  reading.close();
});

story("a small file has no index, and a query keeps none", async (path) => {
  const records = new Records({ directory: dirname(path), writable: true, warn: () => undefined });
  records.state().setTrace("one", trace("one"));
  await records.close(() => undefined);
  assert(!existsSync(indexOf(path)));
  const asking = new Records({
    directory: dirname(path),
    writable: false,
    warn: () => undefined,
    largeBytes: 0,
  });
  asking.state();
  await asking.close(() => undefined);
  assert(!existsSync(indexOf(path)));
  await given(path);
  assert.equal(statSync(indexOf(path)).mode & 0o077, 0, "it is its owner's alone: commands may be in it");
});
