// Files: written aside, renamed into place, remembered. Told on a real folder.
import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename } from "node:path";
import { digestOf } from "../../src/core/fingerprint.js";
import { failureOf, must } from "../rig/world.js";
import {
  attemptAt,
  digestOfFile,
  ended,
  open,
  outcome,
  publish,
  published,
  staged,
  state,
  stepFor,
  story,
} from "./files-rig.js";

const own = (name: string) => name.startsWith(".dmake/");

story("the old content is there until the new one is whole, and then the new one is", async (project) => {
  project.write("out.csv", "old");
  const store = open();
  const attempt = attemptAt(stepFor("out.csv"));
  const stage = await staged(store, attempt);
  writeFileSync(stage.paths[0]!, "new");
  assert.equal(project.read("out.csv"), "old");
  const trace = must(await ended(store, attempt, stage)).trace;
  assert.equal(project.read("out.csv"), "new");
  assert.deepEqual(trace, {
    recipe: attempt.recipe,
    inputs: attempt.inputs,
    outputs: [{ name: "out.csv", digest: digestOf("new") }],
    because: attempt.because,
    attempt: attempt.id,
    startedAt: attempt.startedAt,
    checkedAt: attempt.startedAt,
    durationMs: 7,
    facts: {},
  });
  assert.deepEqual(project.list(own), ["out.csv"]);
});

story("what was published is recalled by the next process, and what was not is unknown", async (project) => {
  const trace = must(await publish(open(), stepFor("out.csv"), ([path]) => writeFileSync(path!, "a")));
  const next = open();
  assert.deepEqual(must(await next.traces([stepFor("out.csv"), stepFor("other.csv")])), [trace, undefined]);
  assert.equal(await digestOfFile(next, "out.csv"), digestOf("a"));
  assert.equal(await digestOfFile(next, "other.csv"), "absent");
  assert.equal(project.read("out.csv"), "a");
});

story("folders of outputs are made, and the stage lies beside each output", async (project) => {
  const store = open();
  const attempt = attemptAt(stepFor("a/b/out.csv", "c/log.txt"));
  const stage = await staged(store, attempt);
  assert.deepEqual(
    stage.paths.map((path) => path.split("/").slice(0, -1).join("/")),
    ["a/b", "c"],
  );
  assert.deepEqual(project.list(own), []);
  await store.discard(attempt, stage);
});

story("a group of outputs is published together", async (project) => {
  must(
    await publish(open(), stepFor("a.csv", "sub/b.csv"), (paths) => {
      for (const [i, path] of paths.entries()) writeFileSync(path, `text ${i}`);
    }),
  );
  assert.deepEqual([project.read("a.csv"), project.read("sub/b.csv")], ["text 0", "text 1"]);
});

story(
  "of a group that is not whole nothing is published, and the message names what is missing",
  async (project) => {
    project.write("a.csv", "old");
    const store = open();
    const attempt = attemptAt(stepFor("a.csv", "b.csv"));
    const stage = await staged(store, attempt);
    writeFileSync(stage.paths[0]!, "new");
    const failure = failureOf(await ended(store, attempt, stage), "output-missing");
    assert.equal(failure.output, "b.csv");
    await store.discard(attempt, stage);
    assert.deepEqual([project.read("a.csv"), project.list(own)], ["old", ["a.csv"]]);
  },
);

story(
  "a recipe that writes the final path itself fails, whether the file was there or not",
  async (project) => {
    project.write("old.csv", "old");
    for (const name of ["old.csv", "new.csv"]) {
      const store = open();
      const attempt = attemptAt(stepFor(name));
      const stage = await staged(store, attempt);
      writeFileSync(stage.paths[0]!, "right");
      writeFileSync(name, "wrong");
      failureOf(await ended(store, attempt, stage), "wrote-final-path");
      await store.discard(attempt, stage);
    }
    assert.deepEqual(project.list(own), ["new.csv", "old.csv"]);
  },
);

story(
  "a backup that links the old file while the recipe runs, and a chmod, write nothing",
  async (project) => {
    project.write("out.csv", "old");
    const store = open();
    const attempt = attemptAt(stepFor("out.csv"));
    const stage = await staged(store, attempt);
    writeFileSync(stage.paths[0]!, "new");
    linkSync("out.csv", "backup.csv");
    chmodSync("out.csv", 0o600);
    must(await ended(store, attempt, stage));
    assert.deepEqual([project.read("out.csv"), project.read("backup.csv")], ["new", "old"]);
  },
);

story("discarding leaves nothing, neither of files nor of folders", async (project) => {
  const store = open();
  const attempt = attemptAt(stepFor("a.csv", "b.csv", "c.csv"));
  const stage = await staged(store, attempt);
  writeFileSync(stage.paths[0]!, "half");
  mkdirSync(stage.paths[1]!);
  writeFileSync(`${stage.paths[1]}/part`, "half");
  await store.discard(attempt, stage);
  assert.deepEqual(project.list(own), []);
});

story("a late writer of a dead run cannot touch the stage of the next", async () => {
  const store = open();
  const paths: string[] = [];
  for (let run = 0; run < 2; run += 1) {
    const attempt = attemptAt(stepFor("out.csv"));
    const stage = await staged(store, attempt);
    paths.push(...stage.paths);
    await store.discard(attempt, stage);
  }
  assert.notEqual(paths[0], paths[1]);
});

story("of two processes that make the same thing the second waits, and finds it made", async (project) => {
  const [first, second] = [open(), open()];
  const attempt = attemptAt(stepFor("out.csv"));
  const stage = await staged(first, attempt);
  assert.deepEqual(must(await second.traces([stepFor("out.csv")])), [undefined]);
  const waiting = second.stage(attemptAt(stepFor("out.csv")));
  writeFileSync(stage.paths[0]!, "a");
  const trace = must(await ended(first, attempt, stage)).trace;
  assert.deepEqual(must(await waiting), { kind: "already", trace });
  assert.equal(project.read("out.csv"), "a");
});

story("a process that waits for another can be interrupted", async () => {
  const [first, second] = [open(), open()];
  const attempt = attemptAt(stepFor("out.csv"));
  const stage = await staged(first, attempt);
  const stop = new AbortController();
  const waiting = second.stage(attemptAt(stepFor("out.csv")), {
    signal: stop.signal,
    noWait: false,
    onWait: () => {},
  });
  stop.abort();
  failureOf(await waiting, "interrupted");
  await first.discard(attempt, stage);
});

story(
  "a recipe that found nothing new keeps the file and its digest, and renews the record",
  async (project) => {
    must(await publish(open(), stepFor("out.csv"), ([path]) => writeFileSync(path!, "a")));
    const store = open();
    const attempt = { ...attemptAt(stepFor("out.csv")), startedAt: "2025-01-01T00:00:00.000Z" };
    const stage = await staged(store, attempt);
    const unchanged = { kind: "unchanged", facts: { etag: '"2"' } } as const;
    const { trace } = must(await ended(store, attempt, stage, { outcome: unchanged }));
    assert.deepEqual([trace.checkedAt, trace.facts], ["2025-01-01T00:00:00.000Z", { etag: '"2"' }]);
    assert.deepEqual(trace.outputs, [{ name: "out.csv", digest: digestOf("a") }]);
    assert.equal(project.read("out.csv"), "a");
  },
);

story("a digest that the recipe knows already is taken over", async () => {
  const store = open();
  const attempt = attemptAt(stepFor("out.csv"));
  const stage = await staged(store, attempt);
  writeFileSync(stage.paths[0]!, "a");
  const known = { ...outcome, kind: "made", digests: ["sha256:known"] } as const;
  const { trace } = must(await ended(store, attempt, stage, { outcome: known }));
  assert.deepEqual(trace.outputs, [{ name: "out.csv", digest: "sha256:known" }]);
});

story("an empty file is a file", async () => {
  const store = open();
  must(await publish(store, stepFor("empty.csv"), ([path]) => writeFileSync(path!, "")));
  assert.equal(await digestOfFile(store, "empty.csv"), digestOf(""));
});

const odd = [
  "a b.csv",
  "new\nline.csv",
  "-rf",
  "日本/ü.csv",
  "q'u\"o.csv",
  "$HOME `x`.csv",
  "*?[a].csv",
  "back\\slash.csv",
  `${"long".repeat(60)}.csv`,
  `${"語".repeat(84)}.`,
  ".hidden",
  "tab\t.csv",
  "😀".repeat(63),
];

for (const name of odd)
  story(`a file named ${JSON.stringify(name).slice(0, 40)} is made, recorded and found again`, async () => {
    must(await publish(open(), stepFor(name), ([path]) => writeFileSync(path!, "x")));
    const next = open();
    assert.equal(await digestOfFile(next, name), digestOf("x"));
    assert.equal(must(await next.traces([stepFor(name)]))[0]?.outputs[0]?.name, name);
  });

story("two long names that begin alike have stages of their own", async () => {
  const [one, other] = [`${"語".repeat(80)}1`, `${"語".repeat(80)}2`];
  const store = open();
  const attempt = attemptAt(stepFor(one, other));
  const stage = await staged(store, attempt);
  assert.notEqual(stage.paths[0], stage.paths[1]);
  for (const path of stage.paths) assert(Buffer.byteLength(basename(path)) <= 255);
  await store.discard(attempt, stage);
});

story("what a person must mend is a failure with its path and code", async (project) => {
  project.write("file.csv", "x");
  mkdirSync("folder");
  const io = async (name: string) => {
    const { path, code } = failureOf(await open().observe([name]), "io");
    return [path, code];
  };
  assert.deepEqual(await io("x".repeat(300)), ["x".repeat(300), "ENAMETOOLONG"]);
  symlinkSync("loop", "loop");
  assert.deepEqual(await io("loop"), ["loop", "ELOOP"]);
  failureOf(await open().stage(attemptAt(stepFor("file.csv/below/out.csv"))), "io");
  failureOf(await open().stage(attemptAt(stepFor("folder"))), "io");
});

story("a folder of dmake's own that cannot be one is a failure, and not a crash", async (project) => {
  project.write(".dmake", "I am a file");
  project.write("raw.csv", "x");
  for (const store of [open(), open({ writable: false })]) {
    assert.equal(failureOf(await store.observe(["raw.csv"]), "io").path, state);
    failureOf(await store.traces([stepFor("a")]), "io");
    await store.close();
  }
});

story("a record that cannot be written is a failure", async () => {
  const store = open();
  const attempt = attemptAt(stepFor("out.csv"));
  const stage = await staged(store, attempt);
  writeFileSync(stage.paths[0]!, "a");
  mkdirSync(state, { recursive: true });
  assert.equal(failureOf(await ended(store, attempt, stage), "io").path, state);
});

story("an output that a recipe made as a folder is refused, and removed", async (project) => {
  const store = open();
  const attempt = attemptAt(stepFor("out.csv"));
  const stage = await staged(store, attempt);
  mkdirSync(stage.paths[0]!);
  assert.equal(failureOf(await ended(store, attempt, stage), "output-kind").found, "directory");
  await store.discard(attempt, stage);
  assert.deepEqual(project.list(own), []);
});

story("a query writes nothing at all, neither stamps nor the folder for them", async (project) => {
  project.write("raw.csv", "x");
  project.date("raw.csv", new Date(0));
  const query = open({ writable: false });
  assert.equal(await digestOfFile(query, "raw.csv"), digestOf("x"));
  must(await query.traces([stepFor("raw.csv")]));
  await query.close();
  assert.deepEqual(project.list(), ["raw.csv"]);
  assert.equal(existsSync(".dmake"), false);
});

story("a file that was replaced while it had been open is what is there now", async (project) => {
  project.write("raw.csv", "one");
  const store = open();
  await digestOfFile(store, "raw.csv");
  project.write("next.csv", "two");
  renameSync("next.csv", "raw.csv");
  assert.equal(await digestOfFile(store, "raw.csv"), digestOf("two"));
  appendFileSync("raw.csv", "!");
  assert.equal(await digestOfFile(store, "raw.csv"), digestOf("two!"));
});

story("what a recipe wrote to the final path itself is not taken for good next time", async (project) => {
  const step = stepFor("out.csv");
  must(await publish(open(), step, ([path]) => writeFileSync(path!, "one")));
  const store = open();
  const attempt = attemptAt(step);
  const stage = await staged(store, attempt);
  writeFileSync(stage.paths[0]!, "two");
  writeFileSync("out.csv", "half");
  failureOf(await ended(store, attempt, stage), "wrote-final-path");
  await store.discard(attempt, stage);
  const next = open();
  const [trace] = must(await next.traces([step]));
  assert.notEqual(await digestOfFile(next, "out.csv"), trace?.outputs[0]?.digest);
  // Who wrote it cannot be told: it may as well have been a person.
  const { saved } = must(await published(next, step, ([path]) => writeFileSync(path!, "two")));
  assert.equal(project.read(saved[0]!.path), "half");
});

story("nothing is published with a lock that another process has taken over", async (project) => {
  for (const step of [stepFor("out.csv"), stepFor("a.csv", "parts/")]) {
    const store = open();
    const attempt = attemptAt(step);
    const stage = await staged(store, attempt);
    for (const [i, path] of stage.paths.entries()) writeFileSync(i === 0 ? path : `${path}/part`, "late");
    for (const lock of readdirSync(".dmake/locks")) {
      rmSync(`.dmake/locks/${lock}`);
      symlinkSync("somebody else", `.dmake/locks/${lock}`);
    }
    assert.equal(failureOf(await ended(store, attempt, stage), "lock-lost").target, step.id);
    await store.discard(attempt, stage);
    assert.deepEqual(project.list(own), []);
    assert.deepEqual(must(await open().traces([step])), [undefined]);
    rmSync(".dmake/locks", { recursive: true });
  }
});

story("who will not wait is told who holds what it wants, and so is who waits", async () => {
  const step = stepFor("out.csv");
  const first = open();
  const attempt = attemptAt(step);
  const stage = await staged(first, attempt);
  const second = open();
  const noWait = { noWait: true, onWait: () => assert.fail("waits") };
  for (const refused of [
    await second.stage(attemptAt(step), noWait),
    await second.adopt(attemptAt(step), noWait),
  ])
    assert.equal(failureOf(refused, "locked").holder.pid, process.pid);
  const held: unknown[] = [];
  const waited = second.stage(attemptAt(step), {
    noWait: false,
    onWait: ({ pid }) => {
      held.push(pid);
      void first.discard(attempt, stage);
    },
  });
  must(await waited);
  assert.deepEqual(held, [process.pid]);
});
