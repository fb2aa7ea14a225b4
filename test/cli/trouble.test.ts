// A machine that refuses: no place to write to, no reader, too few open files. One message, nothing corrupted, and all is well once the cause is gone.
import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, rmSync } from "node:fs";
import { getuid, platform } from "node:process";
import { type TestContext, test } from "node:test";
import { type Project, plain, projectIn } from "../rig/binary.js";

/** Thirty targets. */
const datafile = `import { sh } from "dmake";
const i = Array.from({ length: 30 }, (_, at) => String(at));
export const all = sh("out/{i}", { where: { i } }, ({ $, output }) => $\`echo made > \${output}\`);
export default [all];
`;

const project = (t: TestContext, text = datafile): Project => projectIn(t, { "Datafile.ts": text });

/** No temporary file is left, and a plain rerun makes what is missing. */
async function isWellAgain(here: Project): Promise<void> {
  const left = existsSync(here.path("out")) ? readdirSync(here.path("out")) : [];
  assert.deepEqual(
    left.filter((name) => name.includes("dmake")),
    [],
  );
  const { code, stdout } = await here.run();
  assert.equal(code, 0);
  assert.match(stdout, /(?:built|up to date)[^\n]*\n$/);
  assert.deepEqual(plain((await here.run()).stdout), ["30 up to date"]);
}

test("a reader that has seen enough ends the build in order, with the code of a broken pipe", async (t) => {
  const here = project(t);
  const { code, stdout, stderr } = await here.shell("{ dmake -j1; echo $? > code; } | head -n 1");
  assert.deepEqual([code, stdout.split("\n").length, stderr], [0, 2, ""]);
  assert.equal(here.read("code"), "141\n");
  const made = readdirSync(here.path("out")).length;
  assert.ok(made < 30, `it went on to the end: ${made}`);
  // What was made by then is recorded.
  assert.equal(
    plain((await here.run("-n")).stdout).at(-1),
    `${30 - made} would run, 0 may run, ${made} up to date`,
  );
  await isWellAgain(here);
});

test("a full disk under the log is told once", { skip: !existsSync("/dev/full") }, async (t) => {
  const here = project(t);
  const { code, stdout, stderr } = await here.shell("dmake -j1 > /dev/full");
  assert.deepEqual(
    [code, stdout, stderr],
    [1, "", "error: cannot write to stdout: the disk is full (ENOSPC)\n"],
  );
  await isWellAgain(here);
});

test("a folder that was removed is told of, and so is one that goes while the build runs", async (t) => {
  const here = projectIn(t, {
    "sub/Datafile.ts": datafile.replace("echo made >", "rm -rf ../sub; echo made >"),
  });
  const gone = await here.shell("mkdir gone; cd gone; rmdir ../gone; dmake; echo $? >&2");
  assert.equal(
    gone.stderr,
    "error: the current folder is not there any more\nhelp: `cd` to where the project is now\n2\n",
  );
  const { code, stderr } = await here.run("-C", "sub", "-j1");
  assert.equal(code, 1);
  assert.match(stderr, /^failed: out\/0\n(?: {2}\| .*\n)*error: /);
  assert.doesNotMatch(stderr, /bug|\n {4}at /);
});

test("few open files mean fewer recipes at once, or one message", {
  skip: platform !== "linux",
}, async (t) => {
  const here = project(t);
  for (const limit of [24, 32, 40]) {
    const { code, stdout, stderr } = await here.shell(`ulimit -n ${limit}; dmake -j64`);
    if (code === 0) continue;
    assert.deepEqual([code, stdout], [1, ""], `${limit}: ${stderr}`);
    assert.match(stderr, /^error: [^\n]*too many open files \(EMFILE\)\nhelp: [^\n]*`ulimit -n \d+`\n$/);
  }
  const { code, stderr } = await here.shell("ulimit -n 64; dmake -j64");
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /^warning: a process may have 64 files open here, which is enough for 3 recipes at once\nhelp: .*`ulimit -n 4096`\n$/,
  );
  await isWellAgain(here);
});

test("a project that cannot be written to can be asked, and a build says what is wrong once", async (t) => {
  const here = project(t);
  assert.equal((await here.run("out/1")).code, 0);
  const dmake = unprivileged(here);
  const built = await dmake("-k -j2");
  if (/EACCES.*open|Cannot find module/.test(built.stderr))
    return t.skip("another user cannot run dmake here");
  assert.deepEqual([built.code, built.stdout], [1, ""]);
  assert.equal(
    built.stderr,
    "error: cannot write to `.dmake`: permission denied (EACCES)\nhelp: who may is shown by `ls -ld . .dmake`\n",
  );
  assert.deepEqual(plain((await dmake("out/1")).stdout), ["1 up to date"]);
  assert.equal(plain((await dmake("-n")).stdout).at(-1), "29 would run, 0 may run, 1 up to date");
  assert.match((await dmake("why out/1")).stdout, /^fresh: out\/1\n/);
  assert.equal((await dmake("-q")).code, 3);
  assert.equal((await dmake("adopt out/1")).stderr, built.stderr);
  for (const name of [".", ".dmake"]) chmodSync(here.path(name), 0o755);
  await isWellAgain(here);
});

/** dmake as somebody who may read the project and nothing else. */
function unprivileged(here: Project) {
  for (const name of [".", ".dmake"]) chmodSync(here.path(name), 0o555);
  const asNobody = getuid?.() === 0 ? "exec setpriv --reuid=65534 --regid=65534 --clear-groups" : "exec";
  return (args: string) => here.shell(`${asNobody} "$NODE" "$DMAKE" ${args}`);
}

test("a file where dmake's own folder goes", async (t) => {
  const here = projectIn(t, { "Datafile.ts": datafile, ".dmake": "" });
  const { code, stdout, stderr } = await here.run();
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(
    stderr,
    /^error: cannot \w+(?: \w+)? `\.dmake[^`]*`: a part of the path is a file \(ENOTDIR\)\nhelp: /,
  );
  rmSync(here.path(".dmake"));
  await isWellAgain(here);
});

test("a second signal ends at once, and gives back what was taken from the make above", async (t) => {
  const deaf = '$`trap "echo told > told" TERM; echo $$ > pid; while :; do sleep 0.05; done`';
  const here = project(
    t,
    `import { sh } from "dmake";
export const deaf = sh("deaf", {}, ({ $ }) => ${deaf});
export const beside = sh("beside", {}, ({ $ }) => $\`echo yes > beside-runs; while :; do sleep 0.05; done\`);
export default [deaf, beside];\n`,
  );
  const script = `mkfifo tokens; exec 9<> tokens; printf ab >&9
MAKEFLAGS=" -j3 --jobserver-auth=fifo:$PWD/tokens" "$NODE" "$DMAKE" & pid=$!
while [ ! -s pid ] || [ ! -s beside-runs ]; do sleep 0.05; done
kill -INT $pid; while [ ! -s told ]; do sleep 0.05; done; kill -INT $pid; wait $pid; echo $?
dd bs=8 count=1 <&9 2> dd`;
  const { stdout } = await here.shell(script);
  assert.match(stdout, /130\n(?:ab|ba)$/);
});
