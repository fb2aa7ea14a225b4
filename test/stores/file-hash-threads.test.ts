// Large files read in threads of their own: when, how they fail, and that they end. Told of the compiled module, as threads load it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { symlinkSync, truncateSync } from "node:fs";
import { availableParallelism } from "node:os";
import { digestOf } from "../../src/core/fingerprint.js";
import type { HashThreads } from "../../src/stores/file-hash-threads.js";
import { compiled } from "../rig/compiled.js";
import type { Folder } from "../rig/project.js";
import { story } from "./files-rig.js";

type Threads = new () => HashThreads;

const module = "stores/file-hash-threads";

/** What a reader is told about a file of a few bytes, so that a test need not write hundreds of megabytes. */
const large = 300 << 20;
const cores = availableParallelism();
const allThreads = cores > 1 ? Math.min(cores, 4) : 0;

async function threadsOf(project: Folder, url?: string): Promise<HashThreads> {
  const loaded = (await import(await compiled(project, module, url))) as { HashThreads: Threads };
  return new loaded.HashThreads();
}

function files(project: Folder, count: number): string[] {
  const names = Array.from({ length: count }, (_, i) => `f${i}`);
  for (const name of names) project.write(name, name);
  return names;
}

const digestsOf = async (threads: HashThreads, names: readonly string[], bytes: number) =>
  (await Promise.all(names.map((name) => threads.read(name, bytes)))).map((reading) =>
    reading.kind === "whole" ? reading.digest : reading.kind,
  );

story("many large files are read in as many threads as there are cores", async (project) => {
  const threads = await threadsOf(project);
  const names = files(project, 9);
  const reading = digestsOf(threads, [...names, "none"], large);
  assert.equal(threads.started, allThreads);
  assert.deepEqual(await reading, [...names.map(digestOf), "gone"]);
  assert.deepEqual(await digestsOf(threads, names, large), names.map(digestOf));
  assert.equal(threads.started, allThreads);
  await threads.close();
  assert.equal(threads.started, 0);
});

story("one large file is not worth a thread, nor are many that are not large", async (project) => {
  const threads = await threadsOf(project);
  const names = files(project, 9);
  const alone = digestsOf(threads, names.slice(0, 1), large);
  assert.equal(threads.started, 0);
  assert.deepEqual(await alone, names.slice(0, 1).map(digestOf));
  const reading = digestsOf(threads, names, 1 << 20);
  assert.equal(threads.started, 0);
  assert.deepEqual(await reading, names.map(digestOf));
  await threads.close();
});

story("what the file system says in a thread is said as without", async (project) => {
  const threads = await threadsOf(project);
  symlinkSync("loop", "loop");
  const names = Array.from({ length: 6 }, () => "loop");
  const ended = await Promise.allSettled(names.map((name) => threads.read(name, large)));
  assert.deepEqual(
    ended.map((one) => one.status === "rejected" && one.reason.code),
    names.map(() => "ELOOP"),
  );
  assert.equal(threads.started, allThreads);
  await threads.close();
});

story("where no thread can start, the work is done without", async (project) => {
  const threads = await threadsOf(project, "file:///nowhere/threads.mjs");
  const names = files(project, 9);
  assert.deepEqual(await digestsOf(threads, names, large), names.map(digestOf));
  const again = digestsOf(threads, names, large);
  assert.equal(threads.started, 0);
  assert.deepEqual(await again, names.map(digestOf));
  await threads.close();
});

story("closing stops what is being read and what waits", async (project) => {
  const threads = await threadsOf(project);
  const reading = digestsOf(threads, files(project, 20), large);
  await threads.close();
  assert((await reading).includes("stopped"));
  assert.deepEqual(await digestsOf(threads, ["f0"], large), ["stopped"]);
});

/** What a program of its own prints that has `threads` at hand. It has to end by itself. */
async function said(project: Folder, program: string): Promise<string> {
  const url = JSON.stringify(await compiled(project, module));
  const begin = `const { HashThreads } = await import(${url}); const threads = new HashThreads();`;
  return execFileSync(process.execPath, ["--input-type=module", "-e", begin + program], {
    encoding: "utf8",
    timeout: 20_000,
  });
}

story("threads keep the process alive while they read, and not a moment longer", async (project) => {
  files(project, 4);
  const program = `
    for (const name of ["f0", "f1", "f2", "f3"])
      threads.read(name, ${large}).then((reading) => console.log(reading.kind));`;
  assert.equal(await said(project, program), "whole\n".repeat(4));
});

story("closing ends threads that would read for hours", async (project) => {
  const names = files(project, 4);
  for (const name of names) truncateSync(name, 2 ** 40);
  const program = `
    const reading = ${JSON.stringify(names)}.map((name) => threads.read(name, ${large}));
    await new Promise((done) => setImmediate(done));
    await threads.close();
    for (const { kind } of await Promise.all(reading)) console.log(kind);`;
  assert.equal(await said(project, program), "stopped\n".repeat(4));
});

story("a pipe that has taken the place of a file is not waited for", async (project) => {
  execFileSync("mkfifo", [project.path("pipe")]);
  const program = `console.log((await threads.read("pipe", 1)).kind);`;
  assert.equal(await said(project, program), "moved\n");
});
