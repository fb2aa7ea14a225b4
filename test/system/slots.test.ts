// Places for recipes: never more at once than there are, every token given back. Told with real makes and FIFOs.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { mock, type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Slots } from "../../src/engine/ports.js";
import { Fifo, knowsFifos, makeFifo, plus } from "../../src/system/jobserver.js";
import { createSlots, type JobserverIgnored, type SlotsOptions } from "../../src/system/slots.js";
import { type Folder, inFolder } from "../rig/project.js";

type Wish = Partial<SlotsOptions>;

/** Slots that are closed with their test. */
function slotsFor(t: TestContext, wish: Wish = {}) {
  const warnings: JobserverIgnored[] = [];
  const { MAKEFLAGS, DMAKE_JOBSERVER, ...env } = process.env;
  const slots = createSlots({
    jobs: 3,
    env,
    jobserver: "none",
    warn: (warning) => warnings.push(warning),
    ...wish,
  });
  t.after(() => slots.close());
  return { slots, warnings };
}

/** A jobserver of somebody else, with tokens that can be told apart. */
function jobserver(t: TestContext, tokens: string) {
  const own = makeFifo(process.env)!;
  for (const token of Buffer.from(tokens)) own.fifo.give(token);
  t.after(() => {
    own.fifo.close();
    own.remove();
  });
  const taken = () => {
    const all: number[] = [];
    for (let token = own.fifo.take(); token !== undefined; token = own.fifo.take()) all.push(token);
    return Buffer.from(all).toString();
  };
  const env = { ...process.env, MAKEFLAGS: ` -j4 --jobserver-auth=fifo:${own.fifo.path}` };
  return { fifo: own.fifo, env, left: taken };
}

/** Looked for in a FIFO that others use as well. */
function tokensIn(path: string): number {
  const fifo = Fifo.open(path)!;
  const all: number[] = [];
  for (let token = fifo.take(); token !== undefined; token = fifo.take()) all.push(token);
  for (const token of all) fifo.give(token);
  fifo.close();
  return all.length;
}

const fifoOf = (slots: Slots) => slots.child().env.DMAKE_JOBSERVER!.slice("fifo:".length);
const makeVersion = spawnSync("make", ["--version"], { encoding: "utf8" }).stdout ?? "";
const noMake = makeVersion.startsWith("GNU Make") ? false : "there is no GNU make";
const noFifoMake = noMake || (knowsFifos(makeVersion) ? false : "make before 4.4 has no FIFO");
const noPipeMake = noMake || (knowsFifos(makeVersion) ? "make since 4.4 has a FIFO" : false);

/** A job that lasts long enough to be seen beside others. */
const job = "echo + >> log; sleep 0.1; echo - >> log";

/** How many jobs ran at most at once, and how many in all. */
function jobsIn(folder: Folder) {
  const signs = folder.read("log").trim().split("\n");
  let now = 0;
  let most = 0;
  for (const sign of signs) {
    now += sign === "+" ? 1 : -1;
    most = Math.max(most, now);
  }
  assert.equal(now, 0, "each job that began has ended");
  return { most, all: signs.length / 2 };
}

/** On a busy machine jobs may miss one another, so that fewer are seen at once than may be; but not each of them all others. */
function sharedBy3(folder: Folder, count: number): void {
  const { most, all } = jobsIn(folder);
  assert.equal(all, count);
  assert.ok(most === 2 || most === 3, `${most} at once`);
}

const childFile = join(import.meta.dirname, "slots-child.ts");
const dmakeLike = (count: number, command = job) =>
  `"${process.execPath}" --import "${import.meta.resolve("tsx")}" "${childFile}" ${count} '${command}'`;

/** A Makefile of so many jobs. */
const makefile = (count: number) => {
  const names = Array.from({ length: count }, (_, i) => `job${i}`).join(" ");
  return `all: ${names}\n${names}:\n\t@${job}\n.PHONY: all ${names}\n`;
};

/** Runs a command as a recipe of whoever has these slots. */
function recipe(folder: Folder, slots: Slots, command: string): ChildProcess {
  const { env, descriptors } = slots.child();
  const { MAKEFLAGS, DMAKE_JOBSERVER, ...bare } = process.env;
  return spawn("/bin/sh", ["-c", command], {
    cwd: folder.root,
    env: { ...bare, ...env },
    stdio: ["ignore", "ignore", "inherit", "ignore", ...descriptors],
  });
}

const good = async (child: ChildProcess) => assert.deepEqual(await once(child, "exit"), [0, null]);

test("all places that are wanted are taken at once, or none", (t) => {
  const { slots } = slotsFor(t);
  const one = slots.take(1)!;
  assert.equal(slots.take(3), undefined);
  const two = slots.take(2)!;
  assert.equal(slots.take(1), undefined);
  slots.give(one);
  slots.give(slots.take(1)!);
  slots.give(two);
  assert.equal(slots.take(99)?.count, 3);
});

test("who waits for a place is called when one is free, once, and nobody else is", (t) => {
  const { slots } = slotsFor(t, { jobs: 1 });
  let calls = 0;
  slots.onFree(() => calls++);
  slots.give(slots.take(1)!);
  assert.equal(calls, 0);
  const one = slots.take(1)!;
  assert.equal(slots.take(1), undefined);
  slots.give(one);
  assert.equal(calls, 1);
  slots.give(slots.take(1)!);
  assert.equal(calls, 1);
});

test("one place needs no token; each other one is a token, whose very byte goes back", (t) => {
  const { env, left } = jobserver(t, "ab");
  const { slots } = slotsFor(t, { jobs: 4, env, jobserver: "client" });
  const all = [slots.take(1)!, slots.take(1)!, slots.take(1)!];
  assert.equal(slots.take(1), undefined);
  for (const slot of all) slots.give(slot);
  assert.equal([...left()].sort().join(""), "ab");
});

test("the place without a token is free again when it is given, whatever else is taken", (t) => {
  const { env } = jobserver(t, "a");
  const { slots } = slotsFor(t, { jobs: 4, env, jobserver: "client" });
  const [first, second] = [slots.take(1)!, slots.take(1)!];
  slots.give(first);
  assert.equal(slots.take(1)?.count, 1);
  assert.equal(slots.take(1), undefined);
  slots.give(second);
  assert.equal(slots.take(1)?.count, 1);
});

test("too few tokens are put back, so that nobody waits for another who waits", (t) => {
  const { env, left } = jobserver(t, "a");
  const { slots } = slotsFor(t, { jobs: 4, env, jobserver: "client" });
  slots.take(1);
  assert.equal(slots.take(2), undefined);
  assert.equal(left(), "a");
});

test("where nothing runs, something can: the first is content with what there is", (t) => {
  const { env } = jobserver(t, "a");
  const { slots } = slotsFor(t, { jobs: 4, env, jobserver: "client" });
  assert.equal(slots.take(4)?.count, 2);
});

test("who waits for a token is called when another process gives one back", async (t) => {
  const { fifo, env } = jobserver(t, "");
  const { slots } = slotsFor(t, { jobs: 4, env, jobserver: "client" });
  slots.take(1);
  assert.equal(slots.take(1), undefined);
  // The poll keeps no process alive; this does.
  const alive = setInterval(() => {}, 1_000);
  const rung = new Promise<void>((resolve) => slots.onFree(resolve));
  fifo.give(plus);
  await rung;
  clearInterval(alive);
  assert.equal(slots.take(1)?.count, 1);
});

test("every token goes back at the exit, and once", (t) => {
  const { env, left } = jobserver(t, "abc");
  const { slots } = slotsFor(t, { jobs: 4, env, jobserver: "client" });
  const slot = slots.take(3)!;
  slots.take(1);
  slots.giveBack();
  slots.give(slot);
  slots.close();
  assert.equal([...left()].sort().join(""), "abc");
});

test("a jobserver of descriptors, or one that is gone, is not shared, and that is said", (t) => {
  for (const auth of ["3,4", "-2,-2", "fifo:/nowhere/fifo", "fifo:/dev/null"]) {
    const env = { ...process.env, MAKEFLAGS: `k -j9 --jobserver-auth=${auth}` };
    const { slots, warnings } = slotsFor(t, { jobs: 2, env, jobserver: "client" });
    assert.deepEqual(warnings, [{ warning: "jobserver-ignored", auth }]);
    assert.equal(slots.take(2)?.count, 2);
    // Recipes share ours instead.
    assert.match(slots.child().env.MAKEFLAGS!, /^k -j2 --jobserver-auth=(4,5$|fifo:\/(?!nowhere|dev))/);
  }
});

test("a `-j` that somebody gave makes a jobserver of its own, or none", (t) => {
  const { env, left } = jobserver(t, "a");
  const own = slotsFor(t, { jobs: 2, env, jobserver: "server" });
  assert.equal(own.slots.take(2)?.count, 2);
  assert.equal(left(), "a");
  assert.notEqual(fifoOf(own.slots), env.MAKEFLAGS.split("fifo:")[1]);
  const alone = slotsFor(t, { jobs: 1, env, jobserver: "none" });
  assert.deepEqual(alone.slots.child(), { env: { MAKEFLAGS: "", DMAKE_JOBSERVER: "" }, descriptors: [] });
  const plain = slotsFor(t, { jobs: 1, env: { MAKEFLAGS: "-j9" }, jobserver: "server" });
  assert.deepEqual(plain.slots.child(), { env: {}, descriptors: [] });
  assert.deepEqual(
    [own, alone, plain].flatMap(({ warnings }) => warnings),
    [],
  );
});

test("our own FIFO is made when a recipe first wants it, without the places that are taken, and goes with us", (t) => {
  const { slots } = slotsFor(t, { jobs: 4, jobserver: "server" });
  const taken = [slots.take(1)!, slots.take(1)!];
  const path = fifoOf(slots);
  assert.equal(tokensIn(path), 2);
  const last = slots.take(2)!;
  assert.equal(tokensIn(path), 0);
  for (const slot of [...taken, last]) slots.give(slot);
  assert.equal(tokensIn(path), 3);
  slots.giveBack();
  assert.equal(existsSync(dirname(path)), false);
});

test("where no FIFO can be made recipes share nothing, and dmake has its places all the same", (t) => {
  const { slots, warnings } = slotsFor(t, { env: { PATH: "/nowhere" }, jobserver: "server" });
  assert.deepEqual(slots.child(), { env: {}, descriptors: [] });
  assert.equal(slots.take(3)?.count, 3);
  assert.deepEqual(warnings, []);
});

test("while the machine is busy one recipe runs, and another only when it is less so", async (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  let load = 8;
  let calls = 0;
  const { slots } = slotsFor(t, { load: 8, loadNow: () => load });
  slots.onFree(() => calls++);
  const first = slots.take(1)!;
  assert.equal(slots.take(1), undefined);
  mock.timers.tick(2_000);
  assert.equal(calls, 0);
  load = 7.9;
  mock.timers.tick(1_000);
  assert.equal(calls, 1);
  const second = slots.take(1)!;
  load = 99;
  slots.give(first);
  assert.equal(slots.take(1), undefined);
  slots.give(second);
  assert.equal(calls, 2);
  assert.equal(slots.take(1)?.count, 1);
});

test("the machine's load is seen", (t) => {
  const { slots } = slotsFor(t, { load: 1_000_000 });
  assert.deepEqual([slots.take(1)?.count, slots.take(1)?.count], [1, 1]);
  const none = slotsFor(t, { load: 0 });
  assert.deepEqual([none.slots.take(1)?.count, none.slots.take(1)], [1, undefined]);
});

const slow = { timeout: 60_000 };

test("two dmakes under one jobserver run no more at once than it has places", slow, (t) =>
  inFolder(async (folder) => {
    // A make -j3 that runs two recipes has its own place and one token out: one is left.
    const { env, left } = jobserver(t, "a");
    const start = () => spawn("/bin/sh", ["-c", dmakeLike(5)], { cwd: folder.root, env, stdio: "ignore" });
    await Promise.all([start(), start()].map(good));
    sharedBy3(folder, 10);
    assert.equal(left(), "a");
  }),
);

test("a make in a recipe and our other recipes share the places", { ...slow, skip: noMake }, (t) =>
  inFolder(async (folder) => {
    folder.write("Makefile", makefile(6));
    const { slots } = slotsFor(t, { jobs: 3, jobserver: "server" });
    const [one, two] = [slots.take(1)!, slots.take(1)!];
    await Promise.all([recipe(folder, slots, "make"), recipe(folder, slots, "make")].map(good));
    sharedBy3(folder, 12);
    assert.equal(tokensIn(fifoOf(slots)), 1);
    slots.give(one);
    slots.give(two);
    assert.equal(tokensIn(fifoOf(slots)), 2);
  }),
);

test("also with a dmake in a make in a recipe", { ...slow, skip: noMake }, (t) =>
  inFolder(async (folder) => {
    folder.write("Makefile", `all:\n\t@${dmakeLike(5).replaceAll("$", "$$")}\n`);
    const { slots } = slotsFor(t, { jobs: 3, jobserver: "server" });
    const one = slots.take(1)!;
    await good(recipe(folder, slots, "make > said"));
    sharedBy3(folder, 5);
    assert.equal(folder.read("said"), "");
    assert.equal(tokensIn(fifoOf(slots)), 2);
    slots.give(one);
  }),
);

test(
  "the tokens of a make that was killed are there again when nothing runs",
  { ...slow, skip: noMake },
  (t) =>
    inFolder(async (folder) => {
      folder.write("Makefile", "all: a b\na b:\n\t@echo $$PPID >> pids; sleep 1000\n");
      const { slots } = slotsFor(t, { jobs: 2, jobserver: "server" });
      const slot = slots.take(1)!;
      const { env, descriptors } = slots.child();
      const child = spawn("make", [], {
        cwd: folder.root,
        env: { ...process.env, ...env },
        stdio: ["ignore", "ignore", "ignore", "ignore", ...descriptors],
        detached: true,
      });
      while (!existsSync(folder.path("pids")) || folder.read("pids").split("\n").length < 3)
        await setImmediate();
      process.kill(-child.pid!, "SIGKILL");
      await once(child, "exit");
      assert.equal(tokensIn(fifoOf(slots)), 0);
      slots.give(slot);
      assert.equal(tokensIn(fifoOf(slots)), 1);
    }),
);

test("dmakes in the recipes of a make share its places", { ...slow, skip: noFifoMake }, () =>
  inFolder(async (folder) => {
    const child = (sign: string) => `\t${sign}@${dmakeLike(4).replaceAll("$", "$$")} >> said\n`;
    folder.write("Makefile", `all: a b\na:\n${child("")}b:\n${child("+")}`);
    const { MAKEFLAGS, ...env } = process.env;
    await good(spawn("make", ["-j3"], { cwd: folder.root, env, stdio: "inherit" }));
    sharedBy3(folder, 8);
    assert.equal(folder.read("said"), "");
  }),
);

test(
  "a make that only knows descriptors is not shared, and that is said",
  { ...slow, skip: noPipeMake },
  () =>
    inFolder(async (folder) => {
      const child = (sign: string) => `\t${sign}@${dmakeLike(1).replaceAll("$", "$$")} >> said\n`;
      folder.write("Makefile", `all: a b\na:\n${child("")}b:\n${child("+")}`);
      const { MAKEFLAGS, ...env } = process.env;
      await good(spawn("make", ["-j2"], { cwd: folder.root, env, stdio: "inherit" }));
      assert.match(folder.read("said"), /^(jobserver-ignored \d+,\d+\n){2}$/);
    }),
);
