// What is at a name: read when it was touched, remembered when it was not. Told on a real folder.
import assert from "node:assert/strict";
import fs, {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  renameSync,
  symlinkSync,
} from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { createServer } from "node:net";
import { digestOf } from "../../src/core/fingerprint.js";
import { DiskClock, lookOf, statOf } from "../../src/stores/file-look.js";
import { longAgo } from "../rig/project.js";
import { failureOf, must } from "../rig/world.js";
import { digestIn, look, open, settled, sparseFile, stampsIn, vouch } from "./file-rig.js";
import { story } from "./files-rig.js";

const state = ".dmake/state.ndjson";
const megabyte = 1 << 20;

story("a file is what its bytes hash to, and what is not there is absent", async (project) => {
  project.write("raw.csv", "a,b");
  project.write("empty.csv", "");
  project.write("large.csv", Buffer.alloc(3 * megabyte + 1, "x"));
  const names = ["large.csv", "none.csv", "raw.csv", "raw.csv/below", "empty.csv"];
  const seen = must(await open().contents.observe(names));
  assert.deepEqual(
    seen.map((one) => (one.kind === "present" ? one.digest : one.kind)),
    [digestOf("x".repeat(3 * megabyte + 1)), "absent", digestOf("a,b"), "absent", digestOf("")],
  );
});

story("a file that nobody touched is not read again, in the next process either", async (project) => {
  const digest = await look(settled.file);
  const { contents, state: kept } = open();
  const stamp = kept.stamps.get(settled.file);
  assert.equal(stamp?.digest, digest);
  kept.setStamps([[settled.file, { ...stamp, digest: "sha256:remembered" }]]);
  assert.equal(await look(settled.file, open()), "sha256:remembered");
  assert.equal(digestIn(await contents.observe([settled.file])), "sha256:remembered");
  assert.equal(stampsIn(project.read(state)), 2);
});

for (const field of ["size", "mtimeNs", "ctimeNs", "inode", "device"] as const)
  story(`a file of another ${field} is read again, and its stamp renewed`, async (project) => {
    const digest = await look(settled.file);
    const { state: kept } = open();
    const stamp = kept.stamps.get(settled.file)!;
    kept.setStamps([[settled.file, { ...stamp, digest: "sha256:remembered", [field]: "1" }]]);
    assert.equal(await look(settled.file, open()), digest);
    assert.deepEqual(open().state.stamps.get(settled.file), stamp);
    await look(settled.file, open());
    assert.equal(stampsIn(project.read(state)), 3);
  });

story("a file that was just written is not remembered, whatever time it bears", async (project) => {
  project.write("now.csv", "1");
  project.write("copied.csv", "as `cp -p` and `tar` do");
  project.date("copied.csv", longAgo);
  const { contents, state: kept } = open();
  for (let i = 0; i < 50; i += 1) {
    project.write("now.csv", String(1_000 + i));
    project.write("copied.csv", String(5_000 + i));
    project.date("copied.csv", longAgo);
    const [now, copied] = must(await contents.observe(["now.csv", "copied.csv"]));
    assert(now?.kind === "present" && copied?.kind === "present");
    assert.deepEqual([now.digest, copied.digest], [digestOf(String(1_000 + i)), digestOf(String(5_000 + i))]);
  }
  assert.equal(kept.stamps.size, 0);
});

story("a query reads and remembers nothing on disk", async (project) => {
  project.write("raw.csv", "x");
  const query = open({ writable: false });
  assert.equal(await look("raw.csv", query), digestOf("x"));
  assert.equal(await look(settled.file, query), await look(settled.file, open({ writable: false })));
  project.date("raw.csv", new Date("2099-01-01"));
  await look("raw.csv", query);
  await query.contents.close();
  assert.deepEqual([project.list(), existsSync(".dmake")], [["raw.csv"], false]);
});

story("one warning tells of files whose time has not come, which are read every time", async (project) => {
  for (const name of ["a.csv", "b.csv"]) project.write(name, name);
  const process = open();
  await look("a.csv", process);
  assert.deepEqual(process.warnings, []);
  for (const name of ["b.csv", "a.csv"]) project.date(name, new Date("2099-01-01"));
  assert.equal(digestIn(await process.contents.observe(["b.csv", "a.csv"])), digestOf("b.csv"));
  project.write("b.csv", "other");
  project.date("b.csv", new Date("2099-01-01"));
  assert.equal(await look("b.csv", process), digestOf("other"));
  assert.deepEqual(process.warnings, [{ warning: "future-time", name: "b.csv" }]);
  assert.equal(process.state.stamps.size, 0);
});

story("to a process that runs for long a new file is not one of the future", async (project) => {
  const { statSync } = fs;
  const anHourAgo = (path: string, options: { bigint: true }) => {
    const stats = statSync(path, options);
    return Object.assign(stats, { ctimeNs: stats.ctimeNs - 3_600_000_000_000n });
  };
  const clock = new DiskClock(".dmake");
  try {
    const old = lookOf(statOf(settled.file)!);
    Object.assign(fs, { statSync: anHourAgo });
    syncBuiltinESMExports();
    clock.isSettled(old);
  } finally {
    Object.assign(fs, { statSync });
    syncBuiltinESMExports();
  }
  project.write("new.csv", "x");
  assert.equal(clock.isFuture(lookOf(statOf("new.csv")!)), false);
  project.date("new.csv", new Date(Date.now() + 60_000));
  assert.equal(clock.isFuture(lookOf(statOf("new.csv")!)), true);
});

story("a stamp tells what was written, even if it says the same, and reads nothing", async (project) => {
  project.write("raw.csv", "x");
  mkdirSync("folder");
  const { contents } = open();
  const stamps = () => must(contents.stampsOf(["raw.csv", "none.csv", "folder"]));
  const before = stamps();
  assert.deepEqual(
    before.map((stamp) => typeof stamp),
    ["string", "undefined", "string"],
  );
  assert.deepEqual(stamps(), before);
  const seen = must(await contents.observe(["raw.csv", "folder"]));
  assert.deepEqual(
    seen.map((one) => one.kind === "present" && one.stamp),
    [before[0], before[2]],
  );
  for (const touch of [
    () => project.date("raw.csv", longAgo),
    () => appendFileSync("raw.csv", "y"),
    () => renameSync(project.write("other.csv", "xy"), "raw.csv"),
  ]) {
    const [old] = stamps();
    touch();
    assert.notEqual(stamps()[0], old, String(touch));
  }
  const [old] = stamps();
  chmodSync("raw.csv", 0o600);
  linkSync("raw.csv", "link.csv");
  assert.equal(stamps()[0], old, "another mode or name writes nothing: a recipe may link its input");
});

story("what is staged has a digest and leaves no stamp", async (project) => {
  project.write("parts/a.csv", "x");
  const { contents, state: kept } = open();
  assert.equal(
    must(await contents.digestOf(settled.file)),
    await look(settled.file, open({ writable: false })),
  );
  assert.equal(must(await contents.digestOf("parts")), await look("parts", open({ writable: false })));
  assert.equal(failureOf(await contents.digestOf("none.csv"), "io").code, "ENOENT");
  // What is remembered would be written now at the latest.
  must(await contents.observe(["parts"]));
  assert.equal(kept.stamps.size, 0);
});

story("a link is the file or the directory it leads to", async (project) => {
  project.write("real/raw.csv", "x");
  symlinkSync("real/raw.csv", "link.csv");
  symlinkSync("real", "linked");
  symlinkSync("nowhere", "broken");
  assert.equal(await look("link.csv"), digestOf("x"));
  assert.equal(await look("linked"), await look("real"));
  assert.equal(await look("broken"), "absent");
});

story("what a person must mend is a failure with its path and code", async (project) => {
  const io = async (...names: string[]) => {
    const { doing, path, code } = failureOf(await open().contents.observe(names), "io");
    return [doing, path, code];
  };
  project.write("file.csv", "x");
  symlinkSync("loop", "loop");
  assert.deepEqual(await io("file.csv", "loop", "none"), ["look at", "loop", "ELOOP"]);
  assert.equal(failureOf(open().contents.stampsOf(["loop"]), "io").path, "loop");
  const long = "x".repeat(300);
  assert.deepEqual(await io(long), ["look at", long, "ENAMETOOLONG"]);
  const server = createServer().listen("parts.sock");
  await new Promise((done) => server.once("listening", done));
  assert.deepEqual(await io("parts.sock"), ["take for data the socket", "parts.sock", "ENOTSUP"]);
  await new Promise((done) => server.close(done));
  assert.deepEqual(await io("/dev/null"), ["take for data the device", "/dev/null", "ENOTSUP"]);
});

story("a folder of dmake's own that cannot be written is a failure, and not a crash", async (project) => {
  project.write(".dmake", "I am a file");
  for (const writable of [true, false])
    assert.equal(failureOf(await open({ writable }).contents.observe([settled.file]), "io").path, state);
});

story("many small files do not hold up the rest of the process", async () => {
  const names = Array.from({ length: 100 }, (_, i) => sparseFile(`f${i}`, megabyte));
  let turns = 0;
  const ticking = setInterval(() => {
    turns += 1;
  }, 1);
  must(await open().contents.observe(names));
  clearInterval(ticking);
  assert(turns > 0);
});

story("a file is believed by its own stamp only", async (project) => {
  project.write("a.csv", "a");
  project.write("b.csv", "b");
  const { contents, state: kept } = open();
  vouch(kept, "a.csv", () => "sha256:vouched");
  const [a, b] = must(await contents.observe(["a.csv", "b.csv"]));
  assert(a?.kind === "present" && b?.kind === "present");
  assert.deepEqual([a.digest, b.digest], ["sha256:vouched", digestOf("b")]);
});
