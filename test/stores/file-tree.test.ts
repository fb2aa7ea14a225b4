// A directory as one content: what counts, what does not, and what is read of it. Told on a real folder.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { setImmediate } from "node:timers/promises";
import { digestOf } from "../../src/core/fingerprint.js";
import { type Folder, longAgo } from "../rig/project.js";
import { failureOf, must } from "../rig/world.js";
import { digestIn, look, open, settled, sparseFile, vouch } from "./file-rig.js";
import { story } from "./files-rig.js";

const temporary = ".a.csv.dmake-0123456789abcdef.tmp";

function parts(project: Folder, root = "parts"): void {
  project.write(`${root}/a.csv`, "a");
  project.write(`${root}/deep/er/b.csv`, "b");
  mkdirSync(`${root}/empty`);
  symlinkSync("a.csv", `${root}/link`);
  chmodSync(project.write(`${root}/run.sh`, "#!/bin/sh"), 0o755);
}

story("its digest is that of its sorted entries, each with kind, path and content", async (project) => {
  parts(project);
  for (const name of ["a-b", "deep-", "deep.", "Z", "é", "\uffee", "😀"])
    project.write(`parts/${name}`, name);
  const entries = [
    ["file", "Z", digestOf("Z")],
    ["file", "a-b", digestOf("a-b")],
    ["file", "a.csv", digestOf("a")],
    ["directory", "deep", ""],
    ["file", "deep-", digestOf("deep-")],
    ["file", "deep.", digestOf("deep.")],
    ["directory", "deep/er", ""],
    ["file", "deep/er/b.csv", digestOf("b")],
    ["directory", "empty", ""],
    ["link", "link", "a.csv"],
    ["executable", "run.sh", digestOf("#!/bin/sh")],
    ["file", "é", digestOf("é")],
    ["file", "\uffee", digestOf("\uffee")],
    ["file", "😀", digestOf("😀")],
  ];
  const text = ["directory", ...entries.flat(), ""].join("\0");
  assert.equal(await look("parts"), `sha256:${createHash("sha256").update(text).digest("hex")}`);
});

story("a copy elsewhere says the same, and so does one that was touched", async (project) => {
  parts(project);
  const digest = await look("parts");
  cpSync("parts", "else/where", { recursive: true, verbatimSymlinks: true });
  assert.equal(await look("else/where"), digest);
  project.date("parts/a.csv", longAgo);
  chmodSync("parts/a.csv", 0o600);
  chmodSync("parts/deep", 0o700);
  assert.equal(await look("parts"), digest);
});

for (const [what, change] of Object.entries<(project: Folder) => void>({
  "other bytes in a file": (project) => project.write("parts/deep/er/b.csv", "c"),
  "another file": (project) => project.write("parts/deep/c.csv", ""),
  "a file less": () => unlinkSync("parts/a.csv"),
  "another name": () => renameSync("parts/a.csv", "parts/A.csv"),
  "another place": () => renameSync("parts/a.csv", "parts/deep/a.csv"),
  "two files that change places": () => {
    renameSync("parts/a.csv", "parts/c.csv");
    renameSync("parts/deep/er/b.csv", "parts/a.csv");
    renameSync("parts/c.csv", "parts/deep/er/b.csv");
  },
  "a file that may be run": () => chmodSync("parts/a.csv", 0o755),
  "another empty directory": () => mkdirSync("parts/deep/empty"),
  "an empty directory less": () => rmSync("parts/empty", { recursive: true }),
  "an empty file where an empty directory was": () => {
    rmSync("parts/empty", { recursive: true });
    writeFileSync("parts/empty", "");
  },
  "a link to elsewhere": () => {
    unlinkSync("parts/link");
    symlinkSync("deep", "parts/link");
  },
  "a copy where a link was": () => {
    unlinkSync("parts/link");
    writeFileSync("parts/link", "a");
  },
}))
  story(`${what} makes it another content, and moves its stamp`, async (project) => {
    parts(project);
    const { contents } = open();
    const before = [await look("parts"), must(contents.stampsOf(["parts"]))[0]];
    change(project);
    assert.notEqual(await look("parts"), before[0]);
    assert.notEqual(must(contents.stampsOf(["parts"]))[0], before[1]);
  });

story("no two directories with odd names are one", async () => {
  const names: (string | Buffer)[][] = [
    ["a\nb"],
    ["a", "b"],
    ["a\\nb"],
    ["a", "file b"],
    ['"a"'],
    ["'a'"],
    ["a\u0001b"],
    [Buffer.from([0xff])],
    [Buffer.from([0xfe])],
    [Buffer.from("\u00ff")],
    ["\ufffd"],
    [Buffer.from([0xff]), Buffer.from([0xfe])],
    ["\ufffd", Buffer.from([0xff])],
  ];
  const digests = new Set<string>();
  for (const [i, list] of names.entries()) {
    mkdirSync(`d${i}/sub`, { recursive: true });
    for (const name of list)
      writeFileSync(Buffer.concat([Buffer.from(`d${i}/sub/`), Buffer.from(name)]), "x");
    digests.add(await look(`d${i}`));
  }
  assert.equal(digests.size, names.length);
});

story("a directory that nobody touched is not read again, whatever its names", async (project) => {
  parts(project);
  const odd = (byte: number) => Buffer.from([...Buffer.from("parts/"), byte]);
  for (const byte of [0xfe, 0xff]) {
    mkdirSync(odd(byte));
    writeFileSync(Buffer.concat([odd(byte), Buffer.from("/é")]), String(byte));
  }
  const digest = await look("parts");
  const process = open();
  vouch(process.state, "parts", (name) => digestOf(`vouched for ${name}`));
  const vouched = await look("parts", process);
  assert.notEqual(vouched, digest);
  assert.equal(await look("parts", open()), vouched);
  // The file of that name; not the other, which was vouched for as well.
  writeFileSync(Buffer.concat([odd(0xfe), Buffer.from("/é")]), "edited");
  assert.notEqual(await look("parts"), vouched);
});

story("of a directory only the files that were touched are read", async (project) => {
  parts(project);
  parts(project, "expected");
  project.write("expected/a.csv", "edited");
  project.write("expected/deep/er/b.csv", "vouched for");
  const process = open();
  vouch(process.state, "parts", (name) => digestOf(name.endsWith("b.csv") ? "vouched for" : "#!/bin/sh"));
  project.write("parts/a.csv", "edited");
  assert.equal(await look("parts", process), await look("expected"));
});

story("a file in it has one stamp, by whichever name it is asked for", async () => {
  await look(settled.directory);
  const { state, contents } = open();
  const file = `${settled.directory}/lfs-pointer.csv`;
  assert.deepEqual([...state.stamps.keys()].sort(), [`${settled.directory}/access-denied.parquet`, file]);
  state.setStamps([[file, { ...state.stamps.get(file)!, digest: "sha256:remembered" }]]);
  assert.equal(digestIn(await contents.observe([file])), "sha256:remembered");
});

story("what recipes are writing in it does not count", async (project) => {
  parts(project);
  const { contents } = open();
  const before = [await look("parts"), must(contents.stampsOf(["parts"]))[0]];
  project.write(`parts/${temporary}`, "half");
  project.write(`parts/deep/${temporary}/part`, "half");
  utimesSync("parts/deep", longAgo, longAgo);
  assert.deepEqual([await look("parts"), must(contents.stampsOf(["parts"]))[0]], before);
  project.write("parts/.a.csv.dmake-tmp", "not ours");
  assert.notEqual(await look("parts"), before[0]);
});

story("a directory that is staged is read although it has such a name itself", async (project) => {
  parts(project);
  parts(project, temporary);
  assert.equal(must(await open().contents.digestOf(temporary)), await look("parts"));
});

story("what links in it lead to does not count, be it outside or the directory itself", async (project) => {
  parts(project);
  project.write("outside.csv", "1");
  symlinkSync("../outside.csv", "parts/out");
  symlinkSync(".", "parts/loop");
  symlinkSync("nowhere", "parts/broken");
  const digest = await look("parts");
  project.write("outside.csv", "2");
  assert.equal(await look("parts"), digest);
});

story("what has no content is refused by name, and not waited for", async (project) => {
  parts(project);
  execFileSync("mkfifo", ["parts/deep/pipe"]);
  const { contents } = open();
  for (const [result, path] of [
    [await contents.observe(["parts"]), "parts/deep/pipe"],
    [contents.stampsOf(["parts"]), "parts/deep/pipe"],
    [await contents.digestOf("parts"), "parts/deep/pipe"],
    [await contents.observe(["parts/deep/pipe"]), "parts/deep/pipe"],
  ] as const)
    assert.deepEqual(failureOf(result, "io"), {
      reason: "io",
      doing: "take for data the named pipe",
      path,
      code: "ENOTSUP",
    });
});

story("an empty directory is there, and is not an empty file", async (project) => {
  mkdirSync("parts");
  project.write("file", "");
  assert.notEqual(await look("parts"), await look("file"));
  assert.notEqual(await look("parts"), "absent");
});

/** Starts looking, and is on its way when it answers. */
async function looking() {
  sparseFile("parts/large.csv", 16 << 20);
  const seen = open().contents.observe(["parts"]);
  await setImmediate();
  return { seen };
}

for (const [what, change] of Object.entries<(project: Folder) => void>({
  "a file is added": (project) => project.write("parts/new.csv", "new"),
  "a file goes": () => unlinkSync("parts/large.csv"),
  "a file that was read already is edited": (project) => project.write("parts/a.csv", "edited"),
  "a link is turned": () => {
    unlinkSync("parts/link");
    symlinkSync("deep", "parts/link");
  },
}))
  story(`while it is read ${what}: it is looked at once more`, async (project) => {
    parts(project);
    const { seen } = await looking();
    change(project);
    assert.equal(digestIn(await seen), await look("parts"));
  });

story("a directory that goes while it is read is absent", async (project) => {
  parts(project);
  const { seen } = await looking();
  rmSync("parts", { recursive: true });
  assert.equal(digestIn(await seen), "absent");
});

story("a directory that moves all the while it is read is a failure", async (project) => {
  parts(project);
  const { seen } = await looking();
  let ended = false;
  const end = seen.finally(() => {
    ended = true;
  });
  for (let i = 0; !ended; i += 1) {
    project.write(`parts/new${i}.csv`, "new");
    await setImmediate();
  }
  assert.equal(failureOf(await end, "changed-while-read").path, "parts");
});
