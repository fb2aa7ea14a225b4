// `dmake --resume`: the list of the last build, gone on with after it failed, was interrupted or killed. Told with the real program.
import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { type Project, plain, projectIn } from "../rig/binary.js";

const datafile = (months: readonly string[] = ["01", "02", "03", "04"]) => `import { param, sh } from "dmake";
const mode = param("mode", "plain");
export const each = sh("out/{m}.txt", { where: { m: ${JSON.stringify(months)} } },
  ({ $, output, params }) => $\`test ! -e broken-\${params.m} && echo \${mode} \${params.m} > \${output}; test ! -e wait-\${params.m} || { echo here > waiting; sleep 600; }\`);
export const other = sh("other.txt", {}, ({ $, output }) => $\`touch \${output}\`);
export default [each];
`;

const project = (t: TestContext, text = datafile()): Project => projectIn(t, { "Datafile.ts": text });

const steps = (stdout: string): string[] =>
  plain(stdout).flatMap((line) => /^(?:\d+\/\d+|would run|may run) +(\S+)/.exec(line)?.[1] ?? []);

const resuming = (stdout: string): string | undefined =>
  /^resuming (\d+ targets? of the run of) \d\d:\d\d:\d\d(: \d+ fresh)$/m.exec(stdout)?.slice(1).join("");

test("a failed build goes on with the same names, parameters and flags", async (t) => {
  const here = project(t);
  here.write("broken-02", "");
  const first = await here.run("-k", "-j1", "mode=fancy", "out/{04..01}.txt");
  assert.deepEqual([first.code, steps(first.stdout)], [1, ["out/04.txt", "out/03.txt", "out/01.txt"]]);
  // Still broken: it keeps going as the first did.
  rmSync(here.path("out/01.txt"));
  const again = await here.run("--resume");
  assert.equal(resuming(again.stdout), "4 targets of the run of: 2 fresh");
  assert.deepEqual([again.code, steps(again.stdout)], [1, ["out/01.txt"]]);
  rmSync(here.path("broken-02"));
  const last = await here.run("--resume");
  assert.equal(resuming(last.stdout), "4 targets of the run of: 3 fresh");
  assert.deepEqual([last.code, steps(last.stdout)], [0, ["out/02.txt"]]);
  assert.equal(here.read("out/02.txt"), "fancy 02\n");
  const none = await here.run("--resume");
  assert.deepEqual([none.code, resuming(none.stdout)], [0, "4 targets of the run of: 4 fresh"]);
});

test("a build that was killed, and one that was interrupted, go on where they were", async (t) => {
  for (const signal of ["SIGKILL", "SIGINT"] as const) {
    const here = project(t);
    here.write("wait-02", "");
    const killed = here.start("-j1", "mode=other", "each");
    await here.written("waiting");
    killed.child.kill(signal);
    await killed.ended;
    rmSync(here.path("wait-02"));
    const { code, stdout } = await here.run("--resume");
    assert.equal(resuming(stdout), "4 targets of the run of: 1 fresh", signal);
    assert.deepEqual(
      [code, here.read("out/01.txt"), here.read("out/04.txt")],
      [0, "other 01\n", "other 04\n"],
    );
  }
});

test("a list that a killed run was about to name is cleared away, and not while it may still be written", async (t) => {
  const here = project(t);
  const [dead, living] = [
    ".dmake/.selection.json.dmake-0123456789abcdef.tmp",
    ".dmake/.selection.json.dmake-fedcba9876543210.tmp",
  ];
  here.write(dead!, "{");
  here.write(living!, "{");
  utimesSync(here.path(dead!), 1, 1);
  await here.run("other.txt");
  assert.deepEqual(
    [dead, living].map((name) => existsSync(here.path(name!))),
    [false, true],
  );
});

test("the list stays the old one when the Datafile has moved on", async (t) => {
  const here = project(t);
  here.write("broken-02", "");
  assert.equal((await here.run("-k")).code, 1);
  rmSync(here.path("broken-02"));
  here.write("Datafile.ts", datafile(["02", "03", "04", "05", "01"]));
  const { code, stdout } = await here.run("--resume");
  assert.equal(resuming(stdout), "4 targets of the run of: 3 fresh");
  assert.deepEqual([code, steps(stdout), existsSync(here.path("out/05.txt"))], [0, ["out/02.txt"], false]);
});

test("another build takes the list's place; queries, dry runs and mistakes do not", async (t) => {
  const here = project(t);
  assert.equal((await here.run("out/01.txt")).code, 0);
  const list = here.read(".dmake/selection.json");
  for (const words of [
    ["-n"],
    ["-q"],
    ["status"],
    ["why", "other"],
    ["verify"],
    ["nothing-such"],
    ["-n", "--resume"],
  ])
    await here.run(...words);
  assert.equal(here.read(".dmake/selection.json"), list);
  assert.deepEqual(steps((await here.run("other.txt")).stdout), ["other.txt"]);
  assert.equal(resuming((await here.run("--resume")).stdout), "1 target of the run of: 1 fresh");
  assert.deepEqual(
    readdirSync(here.path(".dmake")).filter((name) => name.endsWith(".tmp")),
    [],
  );
});

test("flags and parameters on the line win; a dry run of the rest can be had", async (t) => {
  const here = project(t);
  here.write("broken-03", "");
  await here.run("-j1", "mode=a", "each");
  const dry = await here.run("-n", "--resume", "mode=b");
  assert.equal(steps(dry.stdout).length, 4);
  assert.deepEqual(steps((await here.run("-n", "--resume")).stdout), ["out/03.txt", "out/04.txt"]);
  rmSync(here.path("broken-03"));
  assert.equal((await here.run("--resume", "mode=b")).code, 0);
  assert.equal(here.read("out/01.txt"), "b 01\n");
  // From then on that is what the list is built with.
  assert.equal(resuming((await here.run("--resume")).stdout), "4 targets of the run of: 4 fresh");
});

test("`--only` and `--newest-first` are part of the list", async (t) => {
  const here = project(t);
  assert.equal((await here.run("out/02.txt")).code, 0);
  here.write("broken-03", "");
  await here.run("-k", "-j1", "--only", "missing", "--newest-first");
  const { stdout } = await here.run("-n", "--resume");
  assert.equal(resuming(stdout), "3 targets of the run of: 2 fresh");
  assert.deepEqual(JSON.parse(here.read(".dmake/selection.json")).names, [
    "out/04.txt",
    "out/03.txt",
    "out/01.txt",
  ]);
});

test("what `-B` has made anew is not made once more; the rest is, fresh or not", async (t) => {
  const here = project(t);
  assert.equal((await here.run()).code, 0);
  here.write("broken-03", "");
  assert.deepEqual(steps((await here.run("-B", "-j1")).stdout), ["out/01.txt", "out/02.txt"]);
  rmSync(here.path("broken-03"));
  const { stdout } = await here.run("--resume", "-j1");
  assert.equal(resuming(stdout), "4 targets of the run of: 2 fresh");
  assert.deepEqual(steps(stdout), ["out/03.txt", "out/04.txt"]);
  assert.deepEqual(steps((await here.run("--resume")).stdout), []);
});

test("a secret is not kept: it is asked for by its name", async (t) => {
  const here = project(
    t,
    `import { param, sh } from "dmake";
const [token, site] = [param("token", "none"), param("site", "here")];
export default [sh("out.txt", {}, ({ $, output }) => $\`test ! -e broken; echo \${token.length} \${site} > \${output}\`)];
`,
  );
  await here.run("token=hunter2hunter2", "site=https://me:pa55word@example.org/x");
  const kept = here.read(".dmake/selection.json");
  assert.doesNotMatch(kept, /hunter2|pa55word/);
  const { code, stdout, stderr } = await here.run("--resume");
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(
    stderr,
    /^error: the run of \d\d:\d\d:\d\d was given `token`, `site`, secrets, which are kept nowhere\nhelp: `dmake --resume token=… site=…`\n$/,
  );
  const given = ["token=hunter2hunter2", "site=https://me:pa55word@example.org/x"];
  assert.equal(resuming((await here.run("--resume", ...given)).stdout), "1 target of the run of: 1 fresh");
});

test("a list whose values had still to be made is planned when it can be", async (t) => {
  const here = project(
    t,
    `import { sh, valuesIn } from "dmake";
const list = sh("list.txt", {}, ({ $, output }) => $\`test ! -e broken && printf 'a\\\\nb\\\\n' > \${output}\`);
export default [sh("out/{m}", { where: { m: valuesIn(list) } }, ({ $, output }) => $\`touch \${output}\`)];
`,
  );
  here.write("broken", "");
  assert.equal((await here.run()).code, 1);
  rmSync(here.path("broken"));
  const { code, stdout } = await here.run("--resume", "-j1");
  assert.deepEqual([code, steps(stdout)], [0, ["list.txt", "out/a", "out/b"]]);
});

test("without a list, with one that cannot be read, and with words beside it, it is refused", async (t) => {
  const here = project(t);
  const refused = async (message: RegExp, ...words: string[]) => {
    const { code, stdout, stderr } = await here.run(...words);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, message);
  };
  await refused(
    /^error: no build of this project is there to go on with\nhelp: name the targets again/,
    "--resume",
  );
  for (const text of ["{", "null", '{"version":1}', '{"version":1,"datafile":"x","words":[7]}']) {
    here.write(".dmake/selection.json", text);
    await refused(
      /^error: `\.dmake\/selection\.json` cannot be read\nhelp: name the targets again/,
      "--resume",
    );
  }
  here.write(".dmake/selection.json", '{"version":2}');
  await refused(/^error: `\.dmake\/selection\.json` is of another version of dmake\n/, "--resume");
  await refused(
    /^error: `--resume` goes on with the list of the last build, and takes no `each`\n/,
    "--resume",
    "each",
  );
});

test("a dmake that a recipe starts leaves the list of its own caller alone", async (t) => {
  const here = project(
    t,
    `import { sh } from "dmake";
export const inner = sh("inner.txt", {}, ({ $, output }) => $\`touch \${output}\`);
export const outer = sh("outer.txt", {}, ({ $, output }) => $\`"$NODE" "$DMAKE" inner.txt && touch \${output}\`);
`,
  );
  assert.equal((await here.shell("export NODE DMAKE; dmake outer.txt")).code, 0);
  assert(existsSync(here.path("inner.txt")));
  assert.deepEqual(JSON.parse(here.read(".dmake/selection.json")).names, ["outer.txt"]);
});

test("JSON tells of it before anything else", async (t) => {
  const here = project(t);
  await here.run("each");
  const [first = ""] = (await here.run("--json", "--resume")).stdout.split("\n");
  const { event, targets, fresh } = JSON.parse(first);
  assert.deepEqual({ event, targets, fresh }, { event: "resuming", targets: 4, fresh: 4 });
});
