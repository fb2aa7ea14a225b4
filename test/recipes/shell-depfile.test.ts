// What commands say they have read: depfiles, as compilers write them and as Make reads them. Told with real files, Make and gcc.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { Step } from "../../src/core/rule.js";
import { prerequisitesIn, readDepfile } from "../../src/recipes/shell-depfile.js";
import { type Folder, inFolder } from "../rig/project.js";
import { failureOf, must } from "../rig/world.js";
import { plain } from "./jobs.js";

const versionOf = (program: string) => spawnSync(program, ["--version"], { encoding: "utf8" }).stdout ?? "";
const namesIn = (text: string) => must(prerequisitesIn(text, "out.o"));
const problemOf = (text: string) => failureOf(prerequisitesIn(text, "out.o"), "bad-depfile").problem;

const step = (more: Partial<Step> = {}): Step =>
  ({ ...plain, id: "out.o", inputs: [], outputs: ["out.o"], ...more }) as never;

/** The names that a depfile with this text means, in the current folder. */
const read = (text: string, more: Partial<Step> = {}, staged = [".out.o.tmp"]) => {
  writeFileSync("read.d", text);
  return readDepfile("read.d", step(more), staged);
};

test("a depfile is lines of targets, a colon and names, and lines go on after a backslash", () => {
  assert.deepEqual(namesIn("out.o: a.c a.h\n"), ["a.c", "a.h"]);
  assert.deepEqual(namesIn("out.o other : a.c \\\n  a.h\\\n\tb.h \\\n\nnext: c.h"), [
    "a.c",
    "a.h",
    "b.h",
    "c.h",
  ]);
  assert.deepEqual(namesIn("out.o: a.c \\\r\n a.h\r\n\r\na.h:\r\n"), ["a.c", "a.h"]);
  assert.deepEqual(namesIn("# by hand: no rule\nout.o:a.c # and why: nothing\nout.o::b.c\n"), ["a.c", "b.c"]);
  assert.deepEqual(namesIn("out.o:\n"), []);
});

test("in a name, a backslash quotes blanks, hashes and colons, and backslashes before those", () => {
  const names = String.raw`out: a\ b c\#d e$$f g\h i\\j k\:l m\\\ n o\\ p q$$$$ \r`;
  assert.deepEqual(namesIn(names), [
    "a b",
    "c#d",
    "e$f",
    "g\\h",
    "i\\\\j",
    "k:l",
    "m\\ n",
    "o\\",
    "p",
    "q$$",
    "\\r",
  ]);
  assert.deepEqual(namesIn("out: tab\\\tbed last\\"), ["tab\tbed", "last\\"]);
});

test("what compilers leave as it is in a name is part of it", () => {
  const text = "a:b.o: i:j.h k%l m;n o|p q*r ~s t=u ü 'v' (w)\ni:j.h:\n";
  assert.deepEqual(namesIn(text), ["i:j.h", "k%l", "m;n", "o|p", "q*r", "~s", "t=u", "ü", "'v'", "(w)"]);
});

test("where a name would be lost, nothing is believed", () => {
  assert.equal(problemOf(""), "there is no rule in it");
  assert.equal(problemOf("# nothing\n\n"), "there is no rule in it");
  assert.equal(problemOf("out: a\nno rule here\n"), "line 2 is no rule: `no rule here`");
  assert.equal(problemOf("out: a \\\n b\nout: c\n\tcc -o out: c\n"), "line 4 is no rule: `cc -o out: c`");
  assert.equal(problemOf("out: a\\\\#b c\n"), "line 1: a bare `#` after `a\\`");
  assert.equal(problemOf("out: a#b c\n"), "line 1: a bare `#` after `a`");
  assert.equal(problemOf("out: \\\n a $(wildcard *.h)\n"), "line 1 holds a `$` that is not written twice");
  assert.equal(problemOf("out: a\n\tGET postgres://me:hunter2@db/x\n").includes("hunter2"), false);
});

/** What Make takes for the prerequisites of `out`, or nothing where it does not read the text at all. */
function byMake(text: string): readonly string[] | undefined {
  const folder = mkdtempSync(join(tmpdir(), "dmake-make-"));
  try {
    writeFileSync(join(folder, "read.d"), text);
    const rules = `include read.d\n.DEFAULT:;@printf '%s\\0' '$@'\n`;
    const made = spawnSync("make", ["-rRs", "-f", "-", "out"], {
      cwd: folder,
      input: rules,
      encoding: "utf8",
    });
    return made.status === 0 ? made.stdout.split("\0").slice(0, -1) : undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("GNU Make reads the same names", { skip: !/GNU Make [4-9]/.test(versionOf("make")) }, () => {
  // One a word. Each line ends with a plain one: a quoted blank at its end Make takes for the end of a name and a backslash.
  const words = String.raw`a b c/d ü ! & \\ \ $$ \# \:`.split(" ");
  const blanks = [" ", "  ", "\t", "\\ ", "\\\t"];
  const ends = ["\\\n", " \\\n ", "\\\r\n", "\\\\\\\n", " x #", " y\nout: ", " z\r\nout:"];
  const piece = fc.constantFrom(...words, ...blanks, ...ends);
  let compared = 0;
  const same = (pieces: readonly string[]) => {
    const text = `out: ${pieces.join("")} w`;
    const ours = prerequisitesIn(text, "out.o");
    const theirs = ours.ok && byMake(text);
    if (!ours.ok || !theirs) return;
    compared++;
    assert.deepEqual([...new Set(ours.value)], theirs, JSON.stringify(text));
  };
  fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), same), { numRuns: 50 });
  assert.ok(compared > 25, `compared ${compared}`);
});

const hasGcc = versionOf("gcc").includes("Free Software Foundation");
const saidByGcc = async (folder: Folder) => {
  const names = [
    "a b.h",
    "c#d.h",
    "e$f.h",
    "g\\h.h",
    "i:j.h",
    "k%l.h",
    "m;n.h",
    "o|p.h",
    "q*r.h",
    "ü.h",
    "s\\ t.h",
  ];
  for (const name of names) folder.write(name, "\n");
  folder.write("sub/deep.h", "\n");
  folder.write("main.c", [...names, "sub/../sub/deep.h"].map((name) => `#include "${name}"\n`).join(""));
  execFileSync("gcc", ["-c", "main.c", "-o", "out.o", "-MD", "-MP", "-MF", "gcc.d"]);
  const found = must(await readDepfile("gcc.d", step({ inputs: ["main.c"] }), []));
  assert.deepEqual(
    found.filter((name) => !name.startsWith("/")),
    [...names, "sub/deep.h"],
  );
};
test("what gcc says it has read, whatever it is called", { skip: !hasGcc }, () => inFolder(saidByGcc));

test("names are those of the project, each once, whatever way the command writes them", () =>
  inFolder(async (folder) => {
    const root = realpathSync(".");
    folder.write("src/a.h", "");
    const written = `out: src/a.h ./src/a.h src//a.h ${root}/src/a.h src/../src/a.h ../${root.split("/").at(-1)}/src/a.h src/`;
    assert.deepEqual(must(await read(written)), ["src/a.h", "src"]);
    assert.deepEqual(must(await read("out: /usr/include/stdio.h ../elsewhere.h ../no/such.h")), [
      "/usr/include/stdio.h",
      join(root, "../elsewhere.h"),
      join(root, "../no/such.h"),
    ]);
  }));

test("symbolic links are followed where a name could mean two files, or the root has two names", () =>
  inFolder(async (folder) => {
    const root = realpathSync(".");
    const outside = realpathSync(mkdtempSync(join(tmpdir(), "dmake-outside-")));
    try {
      symlinkSync(root, join(outside, "project"));
      folder.write("deep/down/x.h", "");
      folder.write("deep/y.h", "");
      symlinkSync("deep/down", "link");
      assert.deepEqual(must(await read(`out: ${outside}/project/deep/y.h`)), ["deep/y.h"]);
      // The kernel goes to `deep/down` first.
      assert.deepEqual(must(await read("out: link/../y.h link/x.h")), ["deep/y.h", "link/x.h"]);
      assert.deepEqual(must(await read(`out: ${outside}/other.h`)), [`${outside}/other.h`]);
    } finally {
      rmSync(outside, { recursive: true, force: true });
    }
  }));

test("what is declared, and what the recipe makes itself, is not found out", () =>
  inFolder(async () => {
    const known = {
      inputs: ["a.c", "headers"],
      uses: ["lib.ts"],
      after: ["made.h"],
      outputs: ["out.o", "parts"],
      directories: new Set(["parts"]),
    };
    const text =
      "out: ./a.c headers/x.h lib.ts made.h out.o .out.o.tmp .parts.tmp/1.csv parts/1.csv read.d headers.h";
    assert.deepEqual(must(await read(text, known, [".out.o.tmp", ".parts.tmp"])), ["made.h", "headers.h"]);
  }));

test("a depfile that says too much, is no text, or cannot be read is refused", () =>
  inFolder(async (folder) => {
    for (const whole of [".", "./", "x/.."]) {
      folder.write("x/y", "");
      const { problem } = failureOf(await read(`out: ${whole}`), "bad-depfile");
      assert.equal(problem, `it names \`${whole}\`, which is the whole project`);
    }
    writeFileSync("latin.d", Buffer.from([0x6f, 0x3a, 0x20, 0xfc]));
    assert.equal(
      failureOf(await readDepfile("latin.d", step(), []), "bad-depfile").problem,
      "it is not UTF-8",
    );
    assert.equal(failureOf(await readDepfile("x", step(), []), "bad-depfile").problem, "it is a directory");
    const { path, problem } = failureOf(await readDepfile("none.d", step(), []), "bad-depfile");
    assert.deepEqual([path, problem], ["out.o", "the command did not write it"]);
  }));

test("five thousand names on as many lines are read at once", () =>
  inFolder(async () => {
    const names = Array.from({ length: 5_000 }, (_, i) => `include/deep/down/header_${i}.h`);
    assert.deepEqual(must(await read(`out: ${names.join(" \\\n  ")}\n`)), names);
  }));
