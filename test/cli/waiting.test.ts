// Two dmakes at once in one project: who waits for whom, what is said of it, and what `--no-wait` does instead.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { type Project, plain, projectIn, type Running } from "../rig/binary.js";

/** `slow.txt` is made once there is a file `go`, or the project is gone. */
const datafile = `import { sh } from "dmake";
export const slow = sh("slow.txt", {}, ({ $, output }) =>
  $\`echo $$ > started; while [ ! -e go ] && [ -e started ]; do sleep 0.05; done; echo made >> count; echo slow > \${output}\`);
export const above = sh("above.txt", { from: slow }, ({ $, input, output }) => $\`cp \${input} \${output}\`);
export const other = sh("other.txt", {}, ({ $, output }) => $\`echo other > \${output}\`);
export const broken = sh("broken.txt", {}, ({ $ }) => $\`exit 4\`);
export default [slow];
`;

const waits = (line: string) => line.startsWith("waiting for run ");

/** A project in which somebody makes `slow.txt`, until there is a file `go`. */
async function busy(t: TestContext): Promise<{ readonly here: Project; readonly first: Running }> {
  const here = projectIn(t, { "Datafile.ts": datafile });
  const first = here.start("slow.txt");
  await here.written("started");
  return { here, first };
}

test("a target that another dmake makes is waited for, and made once", async (t) => {
  const { here, first } = await busy(t);
  const second = here.start("-j1", "above.txt", "other.txt");
  const line = await second.errorLine(waits);
  const pid = first.child.pid;
  assert.match(line, /^waiting for run [0-9a-f]{8}… \(pid \d+, \S+\) since \d\d:\d\d:\d\d: slow\.txt$/);
  assert.match(line, new RegExp(`pid ${pid},`));
  // While it waits, its place is free for others.
  await second.line((text) => text.includes("other.txt"));
  here.write("go", "");
  assert.deepEqual([(await first.ended).code, (await second.ended).code], [0, 0]);
  const { stdout, stderr } = await second.ended;
  assert.equal(stderr, `${line}\n`);
  assert.deepEqual(plain(stdout), [
    "1/3  other.txt",
    "2/3  slow.txt   made by another dmake meanwhile",
    "3/3  above.txt",
    "built 2, 1 made by another dmake",
  ]);
  assert.equal(here.read("count"), "made\n");
  assert.deepEqual(plain((await here.run("above.txt", "other.txt")).stdout), ["3 up to date"]);
});

test("--no-wait fails with 75 where nothing else is wrong, with 1 where something is", async (t) => {
  const { here, first } = await busy(t);
  const held = await here.run("--no-wait", "-k", "above.txt", "other.txt");
  assert.equal(held.code, 75);
  assert.match(
    held.stderr,
    /^failed: slow\.txt\nerror: `slow\.txt` is being made by run [0-9a-f]{8}… \(pid \d+, \S+\) since [\d:]+\n {2}--> Datafile\.ts:2\nhelp: without `--no-wait` dmake waits for it\nnot built because of slow\.txt: above\.txt\n$/,
  );
  assert.deepEqual(plain(held.stdout).slice(1), [
    "built 1, 1 held by another dmake, 1 not built because of that",
  ]);
  assert.match(held.stdout, /other\.txt/);
  assert.equal((await here.run("--no-wait", "-k", "slow.txt", "broken.txt")).code, 1);
  assert.equal((await here.run("--no-wait", "other.txt")).code, 0);
  const told = (await here.run("--no-wait", "--json")).stdout.trimEnd().split("\n");
  const { failure } = JSON.parse(told.find((line) => line.includes('"failed"')) ?? "{}");
  assert.deepEqual([failure.reason, failure.holder.pid], ["locked", first.child.pid]);
  assert.equal(existsSync(here.path("above.txt")), false);
  here.write("go", "");
  assert.equal((await first.ended).code, 0);
});

test("an interrupt ends the waiting at once, and nothing of the other", async (t) => {
  const { here, first } = await busy(t);
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    const second = here.start("above.txt");
    await second.errorLine(waits);
    second.child.kill(signal);
    const ended = await second.ended;
    assert.deepEqual([ended.code, plain(ended.stdout)], [code, ["interrupted: 2 not finished"]]);
  }
  here.write("go", "");
  assert.equal((await first.ended).code, 0);
  assert.equal(here.read("slow.txt"), "slow\n");
});

test("adopt and clean wait as a build does, and take --no-wait", async (t) => {
  const here = projectIn(t, { "Datafile.ts": datafile, go: "" });
  assert.equal((await here.run()).code, 0);
  await here.shell("rm -f go started");
  const first = here.start("-B", "slow.txt");
  await here.written("started");
  const refused = await here.run("adopt", "--no-wait", "slow.txt");
  assert.equal(refused.code, 75);
  assert.match(refused.stderr, /^error: `slow\.txt` is being made by run /);
  const gone = here.start("adopt", "slow.txt");
  await gone.errorLine(waits);
  gone.child.kill("SIGINT");
  assert.equal((await gone.ended).code, 130);

  here.write("Datafile.ts", datafile.replaceAll("slow.txt", "renamed.txt"));
  assert.equal((await here.run("clean", "--orphans", "--yes", "--no-wait")).code, 75);
  const cleaning = here.start("clean", "--orphans", "--yes");
  await cleaning.errorLine(waits);
  here.write("go", "");
  assert.equal((await first.ended).code, 0);
  assert.equal((await cleaning.ended).code, 0);
  assert.equal(existsSync(here.path("slow.txt")), false);
});
