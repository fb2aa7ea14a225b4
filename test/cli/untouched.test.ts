// What was fresh and was not touched is not judged again; whatever is changed then is seen as ever. Told with the real binary on a real disk.
import assert from "node:assert/strict";
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { after, before, test } from "node:test";
import { createProject, type Project } from "../rig/binary.js";

const datafile = `import { glob, param, sh } from "dmake";
const word = param("word", "one");
export const mid = sh("mid/{n}.txt", { from: "raw/{n}.txt", where: { n: ["1", "2", "3"] } },
  ({ $, input, output }) => $\`cat \${input} > \${output}\`);
export const out = sh("out/{n}.txt", { from: mid }, ({ $, input, output }) => $\`cat \${input} > \${output}; echo \${word} >> \${output}\`);
export const all = sh("all.txt", { from: [glob("raw/*.txt"), out.all()] }, ({ $, inputs, output }) => $\`cat \${inputs} > \${output}\`);
export const other = sh("other.txt", {}, ({ $, output }) => $\`echo other > \${output}\`);
export default [all];
`;

let project: Project;
const noted = ".dmake/cache/untouched";

async function ran(...args: string[]): Promise<readonly string[]> {
  const { stdout, stderr, code } = await project.run("--json", "-j", "1", ...args);
  assert.equal(code, 0, stdout + stderr);
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return events.flatMap(({ event, step }) => (event === "running" ? [step] : []));
}

/** Builds until everything has lain still for so long that all of it is noted. */
async function settle(...args: string[]): Promise<void> {
  for (const since = Date.now(); ; ) {
    await ran(...args);
    if (existsSync(project.path(noted)) && (await isQuick(...args))) return;
    assert(Date.now() - since < 20_000, "it is never noted");
  }
}

/** Whether a build gets along without the records: what is damaged in them is told of only by who reads them. */
async function isQuick(...args: string[]): Promise<boolean> {
  const path = project.path(".dmake/state.ndjson");
  const before = readFileSync(path);
  const at = before.indexOf('"intent"');
  const put = (bytes: Uint8Array) => {
    const descriptor = openSync(path, "r+");
    writeSync(descriptor, bytes, 0, bytes.length, at);
    closeSync(descriptor);
  };
  put(Buffer.from('"damage"'));
  try {
    const { stderr } = await project.run("-n", ...args);
    return !stderr.includes("cannot be read");
  } finally {
    put(Buffer.from('"intent"'));
  }
}

before(async () => {
  project = createProject({
    "Datafile.ts": datafile,
    "raw/1.txt": "1\n",
    "raw/2.txt": "2\n",
    "raw/3.txt": "3\n",
  });
  assert.equal((await ran()).length, 7);
  await settle();
});

after(() => project.remove());

test("what is untouched is found so without its records, and told as ever", async () => {
  const { stdout } = await project.run("--json");
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map(({ event }) => event),
    ["started", ...Array(7).fill("fresh"), "finished"],
  );
  const { stdout: line } = await project.run();
  assert.match(line, /^7 up to date/);
});

test("a touch runs nothing; other bytes of the same length and time run what hangs on them", async () => {
  utimesSync(project.path("raw/2.txt"), new Date(), new Date());
  assert.deepEqual(await ran(), []);
  const { atime, mtime } = statSync(project.path("raw/2.txt"));
  project.write("raw/2.txt", "x\n");
  utimesSync(project.path("raw/2.txt"), atime, mtime);
  assert.deepEqual(await ran(), ["mid/2.txt", "out/2.txt", "all.txt"]);
  assert.equal(project.read("all.txt"), "1\nx\n3\n1\none\nx\none\n3\none\n");
  assert.deepEqual(await ran(), []);
  await settle();
});

test("an output in the middle that was edited or removed is made again", async () => {
  project.write("mid/1.txt", "y\n");
  assert.deepEqual(await ran(), ["mid/1.txt"]);
  assert.equal(project.read("mid/1.txt"), "1\n");
  rmSync(project.path("out/3.txt"));
  assert.deepEqual(await ran(), ["out/3.txt"]);
  await settle();
});

test("a parameter, a recipe and a file that a glob finds are seen", async () => {
  assert.deepEqual(await ran("word=two"), ["out/1.txt", "out/2.txt", "out/3.txt", "all.txt"]);
  assert.deepEqual(await ran(), ["out/1.txt", "out/2.txt", "out/3.txt", "all.txt"]);
  await settle();
  project.write("raw/4.txt", "4\n");
  assert.deepEqual(await ran(), ["all.txt"]);
  rmSync(project.path("raw/4.txt"));
  assert.deepEqual(await ran(), ["all.txt"]);
  project.write("Datafile.ts", datafile.replace("cat ${input} > ${output}`", "cat -n ${input} > ${output}`"));
  assert.deepEqual((await ran()).slice(0, 3), ["mid/1.txt", "out/1.txt", "mid/2.txt"]);
  project.write("Datafile.ts", datafile);
  await ran();
  await settle();
});

test("a target that was not noted, one that is forced, and one of another goal", async () => {
  assert.deepEqual(await ran("other"), ["other.txt"]);
  assert.deepEqual(await ran("-B", "mid/1.txt"), ["mid/1.txt"]);
  assert.deepEqual(await ran(), []);
  await settle("other", "all");
  assert(await isQuick());
  assert(await isQuick("other"));
});

test("a record that is lost makes its step run, be it noted or not", async () => {
  await settle();
  rmSync(project.path(".dmake/state.ndjson"));
  assert.equal((await ran()).length, 7);
  await settle();
});

test("a build that died while it published is completed first", async () => {
  const path = project.path(".dmake/state.ndjson");
  const lines = readFileSync(path, "utf8").split("\n");
  const intent = lines.find((line) => line.includes('"intent","mid/1.txt"'));
  assert(intent);
  appendFileSync(path, `${intent}\n`);
  assert(!(await isQuick()));
  assert.deepEqual(await ran(), []);
});

test("what a build has made and what has rested since is noted by that build", async () => {
  // The second recipe goes on until what the first one made has lain still for long enough to be told by its looks.
  const rested = createProject({
    "Datafile.ts": `import { sh } from "dmake";
export const early = sh("early.txt", {}, ({ $, output }) => $\`echo early > \${output}\`);
export const late = sh("late.txt", { from: early }, ({ $, input, output }) =>
  $\`until [ -n "$(find \${input} ! -newermt '-3 seconds')" ]; do :; done; echo late > \${output}\`);
`,
  });
  try {
    const build = await rested.run("late");
    assert.equal(build.code, 0, build.stdout + build.stderr);
    const kept = readFileSync(rested.path(noted), "latin1");
    assert(kept.includes("echo early") && !kept.includes("echo late"));
    appendFileSync(rested.path("early.txt"), "!");
    const again = await rested.run("--json", "late");
    assert.match(again.stdout, /"event":"running","step":"early.txt"/, "its edit is seen as ever");
  } finally {
    rested.remove();
  }
});

test("a file that is damaged, or of something else, costs time and nothing more", async () => {
  await settle();
  writeFileSync(project.path(noted), "nothing of ours");
  assert.deepEqual(await ran(), []);
  assert(await isQuick(), "it is written anew");
});
