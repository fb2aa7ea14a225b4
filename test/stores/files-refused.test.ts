// A disk that refuses anything at any moment of publishing: a clear failure, the old output, and nothing in the way once the cause is gone. Told on a real folder.
import assert from "node:assert/strict";
import fs, { readdirSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { mock, test } from "node:test";
import type { Result } from "../../src/core/failure.js";
import type { Step } from "../../src/core/rule.js";
import type { Published } from "../../src/engine/ports.js";
import type { FileStore } from "../../src/stores/files.js";
import { State } from "../../src/stores/state.js";
import { type Folder, inFolder } from "../rig/project.js";
import { must } from "../rig/world.js";
import { attemptAt, ended, open, published, state, stepFor, story } from "./files-rig.js";
import { fill } from "./killed-rig.js";
import { trace } from "./state-rig.js";

/** Everything that a disk can refuse, in the words of the file system. */
const changes = [
  "linkSync",
  "mkdirSync",
  "openSync",
  "readdirSync",
  "renameSync",
  "rmSync",
  "symlinkSync",
  "unlinkSync",
  "writeSync",
] as const;

const codes = ["ENOSPC", "EACCES", "EROFS", "EDQUOT", "EXDEV", "EMFILE", "ENAMETOOLONG", "EISDIR", "ENOTDIR"];

/** Refuses the n-th of these that the work does, and all after it if `forGood`. Answers whether there were as many. */
async function refusing<T>(
  { n, code, forGood }: { readonly n: number; readonly code: string; readonly forGood: boolean },
  work: () => Promise<T>,
): Promise<{ readonly done: T; readonly refused: boolean }> {
  let count = 0;
  for (const name of changes) {
    const real = fs[name] as (...args: unknown[]) => unknown;
    mock.method(fs as unknown as Record<string, () => unknown>, name, (...args: unknown[]) => {
      count += 1;
      if (count === n || (forGood && count > n))
        throw Object.assign(new Error(`${code}: refused`), { code, syscall: name });
      return real(...args);
    });
  }
  syncBuiltinESMExports();
  try {
    const done = await work();
    return { done, refused: count >= n };
  } finally {
    mock.restoreAll();
    syncBuiltinESMExports();
  }
}

const group = stepFor("a.csv", "data/parts/", "data/b.csv");

const textsOf = (project: Folder) =>
  ["a.csv", "data/parts/part", "data/b.csv"].map((name) => project.read(name));

/** As the engine does it: what is not published is discarded. */
async function makes(store: FileStore, step: Step, text: string): Promise<Result<Published>> {
  const attempt = attemptAt(step);
  const stage = await store.stage(attempt);
  if (!stage.ok) return stage;
  if (stage.value.kind !== "files") throw new Error(`bug: ${stage.value.kind}`);
  const { kind, paths } = stage.value;
  assert.equal(kind, "files");
  // The recipe's own trouble is not told here.
  const written = await quietly(() => fill(step, paths, text));
  const made = written
    ? await ended(store, attempt, stage.value)
    : ({ ok: false, error: { reason: "interrupted" } } as const);
  if (!made.ok) await store.discard(attempt, stage.value);
  return made;
}

async function quietly(work: () => void): Promise<boolean> {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

const left = () =>
  (readdirSync(".", { recursive: true }) as string[]).filter((name) => /\.dmake-|\.next$|\.own$/.test(name));

for (const forGood of [false, true])
  test(`whatever is refused ${forGood ? "from some moment on" : "once"}, all is the old or all is the new, and a rerun is right`, async () => {
    for (let n = 1; ; n += 1) {
      let refused = true;
      await inFolder(async (project) => {
        must(await makes(open(), group, "one"));
        const code = codes[n % codes.length]!;
        const when = `at ${n} by ${code}`;
        const store = open();
        const tried = await refusing({ n, code, forGood }, () => makes(store, group, "two"));
        refused = tried.refused;
        const { done } = tried;
        if (!done.ok && done.error.reason === "io")
          assert(
            // Where a folder turns out to be none there is no file.
            [code, code === "ENOTDIR" ? "ENOENT" : code].includes(done.error.code) &&
              done.error.path !== "" &&
              done.error.doing !== "",
            `${when}: ${JSON.stringify(done.error)}`,
          );
        // What is not there any more, by what the disk says, was taken away while it was looked at.
        else if (!done.ok && code === "ENOTDIR")
          assert.match(done.error.reason, /^(interrupted|changed-while-read|wrote-final-path)$/, when);
        else if (!done.ok) assert.equal(done.error.reason, "interrupted", when);
        // What could not be recorded, or taken back, or unlocked, is for the next start: locks die with their process.
        rmSync(".dmake/locks", { recursive: true, force: true });
        const next = open();
        must(await next.recover(new AbortController().signal));
        const [first, ...rest] = textsOf(project);
        assert(
          rest.every((text) => text === first),
          `half of it ${when}: ${textsOf(project)}`,
        );
        if (done.ok) assert.equal(first, "two", when);
        const { saved } = must(await makes(next, group, "three"));
        assert.deepEqual([saved, textsOf(project)], [[], ["three", "three", "three"]], when);
        assert.deepEqual(left(), [], when);
        await store.close();
        await next.close();
        assert.deepEqual(new State(state).traces.get("a.csv")?.outputs.length, 3);
      });
      if (!refused) {
        assert(n > 20, `${n} moments`);
        return;
      }
    }
  });

story("where the second of a group is refused its name, the first is taken back", async (project) => {
  must(await makes(open(), group, "one"));
  const store = open();
  let renames = 0;
  const real = fs.renameSync;
  mock.method(fs, "renameSync", (...args: Parameters<typeof real>) => {
    if (args[1] === "data/b.csv" && renames++ === 0)
      throw Object.assign(new Error("refused"), { code: "EACCES" });
    real(...args);
  });
  syncBuiltinESMExports();
  const done = await makes(store, group, "two");
  mock.restoreAll();
  syncBuiltinESMExports();
  assert(!done.ok);
  assert.deepEqual(done.error, { reason: "io", doing: "publish", path: "data/b.csv", code: "EACCES" });
  assert.deepEqual(textsOf(project), ["one", "one", "one"]);
  assert.deepEqual(left(), []);
  assert.deepEqual(new State(state).intents.steps(), []);
  const facts = must(await open().observe(group.outputs));
  const [recorded] = must(await open().traces([group]));
  assert.deepEqual(
    facts.map((fact) => fact.kind === "present" && fact.digest),
    recorded?.outputs.map(({ digest }) => digest),
  );
});

story(
  "a directory that somebody made is back where it was if nothing could take its place",
  async (project) => {
    const step = stepFor("data/parts/", "z.csv");
    project.write("data/parts/mine", "by hand");
    const real = fs.renameSync;
    mock.method(fs, "renameSync", (...args: Parameters<typeof real>) => {
      if (args[1] === "data/parts" && String(args[0]).endsWith(".tmp"))
        throw Object.assign(new Error("refused"), { code: "EACCES" });
      real(...args);
    });
    syncBuiltinESMExports();
    const done = await makes(open(), step, "two");
    mock.restoreAll();
    syncBuiltinESMExports();
    assert(!done.ok);
    assert.equal(project.read("data/parts/mine"), "by hand");
  },
);

story(
  "a record that a full disk took half of is none, and the next one does not stick to it",
  async (project) => {
    const records = new State(state);
    records.setTrace("one", trace("1"));
    const real = fs.writeSync as (...args: unknown[]) => number;
    mock.method(fs, "writeSync", (descriptor: number, bytes: Buffer) =>
      real(descriptor, bytes.subarray(0, bytes.length - 30)),
    );
    syncBuiltinESMExports();
    assert.throws(() => records.setTrace("half", trace("2")), { code: "ENOSPC" });
    mock.restoreAll();
    syncBuiltinESMExports();
    assert.equal(records.traces.get("half"), undefined);
    records.setTrace("next", trace("3"));
    assert.deepEqual([...new State(state, { writable: false }).traces.keys()], ["one", "next"]);
    assert.match(project.read(state), /\n\["[0-9a-f]{8}","trace","next"/);
  },
);

story("what a full disk did not take of a text is written again with the next record", async () => {
  const records = new State(state);
  const long = { ...trace("1"), recipe: { kind: "script", function: "f".repeat(300) } };
  mock.method(fs, "writeSync", () => {
    throw Object.assign(new Error("full"), { code: "ENOSPC" });
  });
  syncBuiltinESMExports();
  assert.throws(() => records.setTrace("one", long), { code: "ENOSPC" });
  mock.restoreAll();
  syncBuiltinESMExports();
  records.setTrace("two", long);
  assert.deepEqual(new State(state).traces.get("two"), long);
});

story("what cannot be cleared neither hides the first failure nor keeps the lock", async () => {
  const step = stepFor("out.csv");
  const store = open();
  const attempt = attemptAt(step);
  const stage = must(await store.stage(attempt));
  if (stage.kind !== "files") throw new Error("bug");
  const failed = await ended(store, attempt, stage);
  // What the recipe has left running writes after it has ended.
  writeFileSync(stage.paths[0]!, "late");
  const { done } = await refusing({ n: 1, code: "EACCES", forGood: false }, () =>
    store.discard(attempt, stage),
  );
  assert.equal(done, undefined);
  assert(!failed.ok && failed.error.reason === "output-missing");
  must(await published(open(), step, ([path]) => writeFileSync(path!, "x")));
});

/** What is opened to be brought to the disk, and what gets its name, in order. */
async function order(step: Step): Promise<readonly string[]> {
  const done: string[] = [];
  const [opens, renames] = [fs.openSync, fs.renameSync];
  const store = open();
  mock.method(fs, "openSync", (...args: Parameters<typeof opens>) => {
    if (args[1] === "r" && args[0] === state && done.at(-1) !== "state") done.push("state");
    return opens(...args);
  });
  mock.method(fs, "renameSync", (...args: Parameters<typeof renames>) => {
    if (String(args[0]).includes(".dmake-")) done.push(String(args[1]));
    renames(...args);
  });
  syncBuiltinESMExports();
  try {
    must(await makes(store, step, "x"));
    return done;
  } finally {
    mock.restoreAll();
    syncBuiltinESMExports();
  }
}

story(
  "of a group the intent is on the disk before the first name is given, so that a power cut leaves no half",
  async () => {
    assert.deepEqual(await order(stepFor("a.csv", "b.csv")), ["state", "a.csv", "b.csv"]);
    assert.deepEqual(await order(stepFor("parts/", "c.csv")), ["state", "parts", "c.csv"]);
  },
);

story("one small file waits for no disk but for its own bytes and its name", async () => {
  assert.deepEqual(await order(stepFor("a.csv")), ["a.csv"]);
});

story(
  "a lock that is lost while others' work is saved is noticed before the first name is given",
  async (project) => {
    project.write("out.csv", "by hand");
    const real = fs.linkSync;
    mock.method(fs, "linkSync", (...args: Parameters<typeof real>) => {
      for (const lock of readdirSync(".dmake/locks")) {
        rmSync(`.dmake/locks/${lock}`);
        fs.symlinkSync("somebody else", `.dmake/locks/${lock}`);
      }
      real(...args);
    });
    syncBuiltinESMExports();
    const done = await makes(open(), stepFor("out.csv"), "late");
    mock.restoreAll();
    syncBuiltinESMExports();
    assert(!done.ok && done.error.reason === "lock-lost");
    assert.equal(project.read("out.csv"), "by hand");
    assert.deepEqual(new State(state).intents.steps(), []);
  },
);
