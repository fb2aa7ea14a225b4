// Builds of so many commands that another process starts them: how they look, and what a kill leaves. Told with the real program.
import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { isAlive } from "../../src/system/process.js";
import { type Project, projectIn } from "../rig/binary.js";

const count = 90;

/** Targets that say what they are; the last of them waits as long as there is a file `hold`. */
function project(t: TestContext, files: Record<string, string> = {}): Project {
  const hold = `if [ -e hold ]; then echo "$$ $PPID" > next; mv next held; sleep 1000; fi`;
  const last = String(count - 1).padStart(3, "0");
  return projectIn(t, {
    "Datafile.ts": `import { sh } from "dmake";
const ids = Array.from({ length: ${count} }, (_, i) => String(i).padStart(3, "0"));
export default [sh("out/t_{i}", { where: { i: ids } }, ({ $, output }) => $\`
  name=\${output}; name=\${"$"}{name#*t_}; echo "\${"$"}{name%%.*}" > \${output}
  case \${output} in *t_${last}*) ${hold};; esac
\`)];
`.replaceAll('${"$"}{', "$\\{"),
    ...files,
  });
}

const outputs = (here: Project) => readdirSync(here.path("out")).filter((name) => name.startsWith("t_"));

test("each target is its own, and a second build has nothing to do", { timeout: 60_000 }, async (t) => {
  const here = project(t);
  const first = await here.run("-j", "4");
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, new RegExp(`^built ${count} `, "m"));
  for (const name of outputs(here)) assert.equal(here.read(`out/${name}`), `${name.slice(2)}\n`);
  assert.equal(outputs(here).length, count);
  assert.doesNotMatch((await here.run("-j", "4")).stdout, /^built [1-9]/m);
});

test("killed with commands at work, nothing lives on or is published, and a plain rerun is right", {
  timeout: 60_000,
}, async (t) => {
  const here = project(t, { hold: "" });
  const running = here.start("-j", "2");
  const [shell = 0, starter = 0] = (await here.written("held")).trim().split(" ").map(Number);
  assert.notEqual(starter, running.child.pid);
  running.child.kill("SIGKILL");
  assert.equal((await running.ended).signal, "SIGKILL");
  for (const pid of [shell, starter]) while (isAlive(pid)) await setImmediate();
  assert.equal(existsSync(here.path(`out/t_${String(count - 1).padStart(3, "0")}`)), false);
  rmSync(here.path("hold"));
  const again = await here.run("-j", "2");
  assert.equal(again.code, 0, again.stderr);
  for (const name of outputs(here)) assert.equal(here.read(`out/${name}`), `${name.slice(2)}\n`);
  assert.equal(outputs(here).length, count);
  assert.deepEqual(
    readdirSync(here.path("out")).filter((name) => name.includes(".dmake-")),
    [],
  );
});

test("a second signal ends them at once, and who started them", { timeout: 60_000 }, async (t) => {
  const here = project(t, { hold: "" });
  const running = here.start("-j", "2");
  const [shell = 0, starter = 0] = (await here.written("held")).trim().split(" ").map(Number);
  running.child.kill("SIGINT");
  running.child.kill("SIGINT");
  assert.equal((await running.ended).code, 130);
  for (const pid of [shell, starter]) while (isAlive(pid)) await setImmediate();
});
