// MAKEFLAGS as GNU make writes and reads it, and tokens in a FIFO. Told with real FIFOs.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  authIn,
  Fifo,
  jobsIn,
  knowsFifos,
  makeFifo,
  plus,
  writeMakeflags,
} from "../../src/system/jobserver.js";
import { inFolder } from "../rig/project.js";

const under = (MAKEFLAGS: string, more = {}) => ({ MAKEFLAGS, ...more });

test("the jobserver is the last one that MAKEFLAGS names, and nothing after `--` is a flag", () => {
  assert.equal(authIn({}), undefined);
  assert.equal(authIn(under("kB -j4")), undefined);
  assert.equal(authIn(under(" -j4 --jobserver-auth=fifo:/tmp/GMfifo7")), "fifo:/tmp/GMfifo7");
  assert.equal(authIn(under("k -j --jobserver-fds=3,4")), "3,4");
  assert.equal(authIn(under(" -j2 --jobserver-auth=3,4 --jobserver-auth=-2,-2")), "-2,-2");
  assert.equal(authIn(under(" -j2 -- X=--jobserver-auth=fifo:/no --jobserver-auth=3,4")), undefined);
});

test("a make that knows only descriptors hands on the FIFO of the dmake above it", () => {
  const far = { DMAKE_JOBSERVER: "fifo:/tmp/far" };
  assert.equal(authIn(under(" -j4 --jobserver-auth=4,5", far)), "fifo:/tmp/far");
  assert.equal(authIn(under("", far)), "fifo:/tmp/far");
  assert.equal(authIn(under(" -j4 --jobserver-auth=fifo:/tmp/near", far)), "fifo:/tmp/near");
  assert.equal(authIn(under(" -j4 --jobserver-auth=4,5", { DMAKE_JOBSERVER: "" })), "4,5");
});

test("its `-j` is ours where we can share it, and nobody's otherwise", () => {
  assert.equal(jobsIn(under(" -j7 --jobserver-auth=fifo:/tmp/f")), 7);
  assert.equal(jobsIn(under("k --jobs=7 --jobserver-auth=fifo:/tmp/f")), 7);
  assert.equal(jobsIn(under("-j 7 --jobserver-auth=fifo:/tmp/f")), 7);
  assert.equal(jobsIn(under(" -j --jobserver-auth=fifo:/tmp/f")), undefined);
  assert.equal(jobsIn(under(" -j7 --jobserver-auth=3,4")), undefined);
  assert.equal(jobsIn(under("-j7")), undefined);
  assert.equal(jobsIn(under(" -j7 --jobserver-auth=4,5", { DMAKE_JOBSERVER: "fifo:/tmp/f" })), 7);
});

test("recipes keep the flags that somebody has set, but for those of another jobserver", () => {
  const ours = { jobs: 3, auth: "fifo:/f" };
  const flags = "-j3 --jobserver-auth=fifo:/f";
  assert.equal(writeMakeflags(undefined, ours), ` ${flags}`);
  assert.equal(writeMakeflags("kB -j9 --jobserver-auth=3,4", ours), `kB ${flags}`);
  assert.equal(writeMakeflags("--no-print-directory", ours), `--no-print-directory ${flags}`);
  assert.equal(writeMakeflags("k -j 9 -- A=x\\ y -j4 B=--", ours), `k ${flags} -- A=x\\ y -j4 B=--`);
  assert.equal(writeMakeflags("k -j9 --jobserver-auth=3,4 -- A=1"), "k -- A=1");
});

test("which make knows a FIFO by its name", () => {
  const known = ["GNU Make 4.4\n", "GNU Make 4.4.1\n", "GNU Make 4.10", "GNU Make 5.0", "", "bmake"];
  assert.deepEqual(
    known.filter((version) => !knowsFifos(version)),
    [],
  );
  assert.deepEqual(["GNU Make 4.3\nBuilt", "GNU Make 3.81"].filter(knowsFifos), []);
});

test("a token is taken without waiting, and the very byte goes back", () =>
  inFolder(async (folder) => {
    const path = folder.path("fifo");
    spawnSync("mkfifo", [path]);
    const fifo = Fifo.open(path)!;
    assert.equal(fifo.take(), undefined);
    fifo.give(120);
    fifo.give(plus);
    assert.deepEqual([fifo.take(), fifo.take(), fifo.take()], [120, plus, undefined]);
    fifo.close();
  }));

test("a FIFO holds so many tokens again, whatever became of those before", () =>
  inFolder(async (folder) => {
    const path = folder.path("fifo");
    spawnSync("mkfifo", [path]);
    const fifo = Fifo.open(path)!;
    for (const wrong of [0, 1, 9]) {
      for (let i = 0; i < wrong; i++) fifo.give(plus);
      fifo.refill(3);
      assert.deepEqual(
        [1, 2, 3, 4].map(() => fifo.take()),
        [plus, plus, plus, undefined],
      );
    }
    fifo.close();
  }));

test("what is no FIFO is not used as one", () =>
  inFolder(async (folder) => {
    folder.write("file", "");
    for (const path of [folder.path("file"), folder.path("none"), folder.root, "/dev/null", ""])
      assert.equal(Fifo.open(path), undefined, path);
  }));

test("a FIFO of our own is nobody else's, and goes with its folder", () => {
  const own = makeFifo(process.env)!;
  const folder = join(own.fifo.path, "..");
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(statSync(own.fifo.path).mode & 0o777, 0o600);
  assert.equal(own.fifo.take(), undefined);
  own.fifo.close();
  own.remove();
  assert.equal(existsSync(folder), false);
});

test("where there is no mkfifo there is none, and nothing is left of the attempt", () => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith("dmake-jobs-"));
  assert.equal(makeFifo({ PATH: "/nowhere" }), undefined);
  const after = readdirSync(tmpdir()).filter((name) => name.startsWith("dmake-jobs-"));
  assert.deepEqual(
    after.filter((name) => name.includes(`-${process.pid}-`)),
    before.filter((name) => name.includes(`-${process.pid}-`)),
  );
});

test("what killed runs have left goes, and what another container or a living run has stays", () => {
  const dead = spawnSync("true").pid;
  const own = makeFifo(process.env)!;
  const [, namespace, id, started] = /dmake-jobs-(\d+)-(\d+)-(\d+)-/.exec(own.fifo.path)!;
  assert.equal(Number(id), process.pid);
  const left = (...name: unknown[]) => {
    const path = join(tmpdir(), `dmake-jobs-${name.join("-")}`);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const gone = [left(namespace, dead, 1, "AAAAAA")];
  // The number is ours now, but it was another process that had it.
  if (started !== "0") gone.push(left(namespace, process.pid, Number(started) + 1, "BBBBBB"));
  const kept = left(Number(namespace) + 1, dead, 1, "CCCCCC");
  const next = makeFifo(process.env)!;
  assert.deepEqual(gone.filter(existsSync), []);
  assert.deepEqual(
    [kept, own.fifo.path].filter((path) => !existsSync(path)),
    [],
  );
  spawnSync("rm", ["-r", kept]);
  for (const { fifo, remove } of [own, next]) {
    fifo.close();
    remove();
  }
});
