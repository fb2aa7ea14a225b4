// `--profile`: the trace of real runs opens, says where the time went, is whole however a run ends, and replaces nothing.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { test } from "node:test";
import { projectIn } from "../rig/binary.js";
import { namesIn, readTrace, type Slice, type Trace } from "../rig/trace.js";

/** Two months, each a command, a parquet file and a partition, and a function beside them. */
const pipeline = `import { parquet, script, sh, table } from "dmake";
import { writeFileSync } from "node:fs";
export const raw = sh("raw_{m}.csv", { where: { m: ["1", "2"] }, from: "seed.txt" }, ({ $, output, m }) =>
  $\`{ echo id,note; seq 1 2000 | sed s/$/,x/; } > \${output}\`);
export const rows = parquet("rows_{m}.parquet", { from: raw });
export const loaded = table("table:rows/{m}", { from: rows });
export const note = script("note.txt", { from: "seed.txt" }, async ({ output }) => writeFileSync(output, "noted"));
export default [loaded, note];
`;

const jobsIn = ({ events }: Trace) => events.filter(({ cat }) => cat === "job");
const jobOf = (trace: Trace, target: string) => jobsIn(trace).find(({ name }) => name === target);

/** What was done of a target, each with what it is a part of. */
const partsOf = ({ slices }: Trace, target: string): readonly string[] =>
  slices
    .filter(({ within: [job] }) => job === target)
    .map(({ within, name }) => [...within.slice(1), name].join(" > "));

test("a build of commands, functions, parquet and tables says where its time went", async (t) => {
  const here = projectIn(t, { "Datafile.ts": pipeline, "seed.txt": "1" });
  const built = await here.run("-j2", "--profile", "out.json");
  assert.equal(built.code, 0, built.stderr);
  const trace = readTrace(here.path("out.json"));
  const names = namesIn(trace);
  for (const name of [
    ...[
      "start Node",
      "load dmake",
      "load Datafile",
      "compile",
      "evaluate",
      "match",
      "recover",
      "stat",
      "hash",
    ],
    ...["read state", "open database", "look at tables", "read ledger", "judge", "stage", "run", "publish"],
    ...["commit", "open table", "copy", "look for changes", "note what is fresh", "close"],
  ])
    assert.ok(names.has(name), `${name} among ${[...names].join(", ")}`);

  const targets = [
    "raw_1.csv",
    "raw_2.csv",
    "rows_1.parquet",
    "rows_2.parquet",
    "table:rows/1",
    "table:rows/2",
    "note.txt",
  ];
  assert.deepEqual(
    jobsIn(trace)
      .map(({ name }) => name)
      .sort(),
    [...targets].sort(),
  );
  assert.deepEqual([...trace.queued.keys()].sort(), [...targets].sort());
  for (const target of targets) {
    const parts = partsOf(trace, target);
    const phases = parts.filter((part) => !part.includes(" > "));
    assert.deepEqual(
      phases.filter((part) => part !== "discard"),
      ["stage", "run", "publish"],
      target,
    );
    assert.ok(parts.includes("publish > commit"), target);
  }
  const { recipe, ended, rows } = jobOf(trace, "table:rows/1")?.args ?? {};
  assert.deepEqual([recipe, ended, rows], ["load", "made", 2000]);
  assert.ok(partsOf(trace, "table:rows/1").includes("run > copy"));
  const inside = ["publish > hash", "publish > sync", "publish > rename", "publish > commit"];
  assert.deepEqual(
    partsOf(trace, "note.txt").filter((part) => part.startsWith("publish > ")),
    inside,
  );
  assert.equal(jobOf(trace, "note.txt")?.args.recipe, "script");

  const within = (name: string) => trace.slices.find((slice) => slice.name === name)?.within;
  assert.deepEqual([within("compile"), within("evaluate")], [["load Datafile"], ["load Datafile"]]);
  // What only waits for the disk has given its places to others, and still has its lane.
  const runs = trace.slices.filter(({ name }) => name === "run");
  const atOnce = ({ from }: Slice) => runs.filter((one) => one.from <= from && from < one.until).length;
  assert.equal(Math.max(...runs.map(atOnce)) <= 2, true, "with -j2 two run at once");
  assert.deepEqual(
    readdirSync(here.root).filter((name) => name.includes("out.json")),
    ["out.json"],
  );

  const again = await here.run("--profile", "out.json");
  assert.match(again.stdout, /^7 up to date/);
  const idle = readTrace(here.path("out.json"));
  assert.deepEqual([jobsIn(idle), [...idle.queued]], [[], []], "the earlier profile was replaced");
  assert.ok(namesIn(idle).has("judge") && !namesIn(idle).has("run"));
});

test("dry runs, questions, status and why are profiled too, and write nothing else", async (t) => {
  const here = projectIn(t, {
    "Datafile.ts":
      'import { sh } from "dmake";\nexport default [sh("a", { from: "in" }, ({ $ }) => $`x`)];\n',
    in: "1",
  });
  for (const [args, code] of [
    [["-n"], 0],
    [["-q"], 3],
    [["status"], 0],
    [["why", "a"], 0],
  ] as const) {
    const ran = await here.run(...args, "--profile", "out.json");
    assert.equal(ran.code, code, ran.stderr);
    const names = namesIn(readTrace(here.path("out.json")));
    for (const name of ["load Datafile", "match", "stat", "close"])
      assert.ok(names.has(name), `${args}: ${name}`);
    assert.equal(names.has("judge"), args[0].startsWith("-"));
    assert.deepEqual(readdirSync(here.root).sort(), ["Datafile.ts", "in", "out.json"]);
  }
});

test("a build that fails leaves a whole trace, which says what failed", async (t) => {
  const here = projectIn(t, {
    "Datafile.ts": `import { sh } from "dmake";
export const bad = sh("bad.txt", {}, ({ $ }) => $\`echo some > /dev/null; exit 3\`);
export default [sh("next.txt", { from: bad }, ({ $ }) => $\`true\`)];
`,
  });
  const { code, stdout } = await here.run("--profile", "out.json");
  assert.equal(code, 1, stdout);
  const trace = readTrace(here.path("out.json"));
  assert.deepEqual(
    jobsIn(trace).map(({ name, args }) => [name, args.ended]),
    [["bad.txt", "failed: exit"]],
  );
  assert.deepEqual(partsOf(trace, "bad.txt"), ["stage", "run", "discard"]);
});

for (const [how, signals, trap] of [
  ["in order", ["SIGINT"], ""],
  // What does not listen is killed with the second signal.
  ["at once", ["SIGINT", "SIGTERM"], "trap '' INT TERM; "],
] as const)
  test(`a build that is interrupted ${how} leaves a whole trace`, async (t) => {
    const here = projectIn(t, {
      "Datafile.ts": `import { sh } from "dmake";
export const long = sh("long.txt", {}, ({ $ }) => $\`${trap}echo > started; sleep 60\`);
export const other = sh("other.txt", { from: long }, ({ $ }) => $\`true\`);
export default [other];
`,
    });
    const { child, ended } = here.start("-j1", "--profile", "out.json");
    await here.written("started");
    for (const signal of signals) child.kill(signal);
    const { code } = await ended;
    assert.ok(code === 130 || code === 143, `${code}`);
    const trace = readTrace(here.path("out.json"));
    assert.deepEqual(
      jobsIn(trace).map(({ name }) => name),
      ["long.txt"],
    );
    assert.ok(partsOf(trace, "long.txt").includes("run"));
    assert.deepEqual(
      readdirSync(here.root).filter((name) => name.includes("out.json")),
      ["out.json"],
    );
  });

test("a path that cannot be written, or that must not be, is refused before anything is built", async (t) => {
  const here = projectIn(t, {
    "Datafile.ts": `import { sh } from "dmake";
export const made = sh("made_{n}.json", { where: { n: ["1"] }, from: "data.csv" }, ({ $, output }) => $\`echo > \${output}\`);
export const tree = sh("tree/", { from: "data.csv" }, ({ $, output }) => $\`echo > \${output}/x\`);
export default [made];
`,
    "data.csv": "a\n1\n",
  });
  mkdirSync(here.path("folder"));
  symlinkSync("data.csv", here.path("link.json"));
  const refused = [
    ["", /it is no path/],
    ["nowhere/out.json", /its folder is not there \(ENOENT\)/],
    ["data.csv/out.json", /ENOTDIR/],
    ["folder", /it is a folder/],
    ["/dev/null", /it is no plain file/],
    ["data.csv", /is no profile of dmake, and stays/],
    ["link.json", /is no profile of dmake, and stays/],
    ["Datafile.ts", /is no profile of dmake, and stays/],
    ["made", /is a goal of this Datafile/],
    ["made_1.json", /`made_1\.json` is a target of this Datafile/],
    ["./folder/../made_1.json", /`made_1\.json` is a target of this Datafile/],
    [here.path("made_1.json"), /`made_1\.json` is a target of this Datafile/],
  ] as const;
  for (const [path, why] of refused) {
    const { code, stdout, stderr } = await here.run("--profile", path);
    assert.deepEqual([code, stdout], [2, ""], path);
    assert.ok(stderr.startsWith(`error: cannot write the profile to \`${path}\`: `), stderr);
    assert.match(stderr, why);
    assert.match(stderr, /\nhelp: /);
  }
  assert.deepEqual(
    readdirSync(here.root)
      .filter((name) => !name.startsWith(".dmake"))
      .sort(),
    [...["Datafile.ts", "data.csv", "folder", "link.json"]],
  );
  assert.equal(here.read("data.csv"), "a\n1\n");
  assert.equal((await here.run("made", "tree")).code, 0);
  const inside = await here.run("--profile", "tree/out.json", "made");
  assert.match(inside.stderr, /`tree` is a target of this Datafile/);
  const own = await here.run("--profile", ".dmake/out.json", "made");
  assert.match(own.stderr, /dmake's own files/);
  assert.deepEqual([inside.code, own.code, existsSync(here.path(".dmake/out.json"))], [2, 2, false]);
  assert.match((await here.run("made", "tree")).stdout, /^2 up to date/);
});

test("the path is seen from where dmake was called, as -C says", async (t) => {
  const here = projectIn(t, {
    "project/Datafile.ts":
      'import { sh } from "dmake";\nexport default [sh("a", {}, ({ $, output }) => $`echo > ${output}`)];\n',
  });
  assert.equal((await here.run("-f", "project/Datafile.ts", "--profile", "one.json")).code, 0);
  assert.equal((await here.run("-C", "project", "--profile", "two.json")).code, 0);
  readTrace(here.path("one.json"));
  readTrace(here.path("project/two.json"));
});

test("what a recipe has put there meanwhile stays, and the trace that is missing is told of", async (t) => {
  const here = projectIn(t, {
    "Datafile.ts":
      'import { sh } from "dmake";\nexport default [sh("a", {}, ({ $, output }) => $`echo mine > out.json; echo > ${output}`)];\n',
  });
  const { code, stderr } = await here.run("--profile", "out.json");
  assert.deepEqual([code, here.read("out.json"), here.read("a")], [1, "mine\n", "\n"]);
  assert.match(stderr, /^error: cannot write the profile to `out\.json`: .* stays$/m);
});

test("no secret is in a trace, not as a part of a name either", async (t) => {
  const here = projectIn(t, {
    "Datafile.ts": `import { param, sh } from "dmake";
const token = param("token", "none");
export default [sh(\`out_\${token}.txt\`, { from: \`in_\${token}.txt\` }, ({ $, output }) => $\`echo > \${output}\`)];
`,
    "in_hunter2.txt": "1",
  });
  const { code, stderr } = await here.run("--profile", "out.json", "token=hunter2");
  assert.equal(code, 0, stderr);
  assert.equal(existsSync(here.path("out_hunter2.txt")), true);
  const trace = readTrace(here.path("out.json"));
  assert.deepEqual(
    jobsIn(trace).map(({ name }) => name),
    ["out_***.txt"],
  );
  assert.equal(here.read("out.json").includes("hunter2"), false);
  assert.ok(trace.lanes.includes("engine"));

  here.write("in_engine.txt", "1");
  await here.run("--profile", "out.json", "token=engine");
  const odd = readTrace(here.path("out.json"));
  assert.deepEqual([jobsIn(odd).map(({ name }) => name), odd.lanes[0]], [["out_***.txt"], "engine"]);
});

test("large files are hashed in lanes of their own", async (t) => {
  const here = projectIn(t, {
    "Datafile.ts":
      'import { sh } from "dmake";\nexport default [sh("a", { from: ["one.bin", "two.bin"] }, ({ $, output }) => $`echo > ${output}`)];\n',
    "one.bin": new Uint8Array(3 << 20),
    "two.bin": new Uint8Array(2 << 20),
  });
  assert.equal((await here.run("--profile", "out.json")).code, 0);
  const { slices } = readTrace(here.path("out.json"));
  const hashed = slices.filter(({ lane }) => lane === "hashing 1");
  const first = hashed.slice(0, 2).map(({ name, args }) => [name, args.file, args.bytes]);
  assert.deepEqual(first, [
    ["hash", "one.bin", 3 << 20],
    ["hash", "two.bin", 2 << 20],
  ]);
});
