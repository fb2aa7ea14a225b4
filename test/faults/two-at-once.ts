// Starts two or three dmakes in one project at the same time: of the same targets, of others, of some of each. Knows nothing of how they agree.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import {
  differencesOf,
  ownFiles,
  type Ran,
  run,
  type Snapshot,
  snapshot,
  start,
  temporariesIn,
  writeAll,
} from "../rig/faults.js";
import { startServer } from "../rig/postgres.js";
import { recipes, type Surroundings, slowProject } from "./slow.js";
import type { Trials } from "./trials.js";

/** Of each kind in the full form; in the short one each kind has one. */
const fullRounds = 20;

/** Two recipes that each wait for the other to have begun, 15 s at most; one that waits to be let go; and what they all need. */
const meeting = `import { sh } from "dmake";
const meets = (own: string, other: string) => \`touch "$FAULTS_OUTSIDE/\${own}"
  n=0; while [ ! -e "$FAULTS_OUTSIDE/\${other}" ]; do n=$((n+1)); [ $n -lt 750 ]; sleep 0.02; done\`;
export const left = sh("out/left.txt", { from: "in/a.txt" }, ({ $, input, output }) =>
  $\`sh -ec \${meets("left", "right")}; cp \${input} \${output}\`);
export const right = sh("out/right.txt", { from: "in/a.txt" }, ({ $, input, output }) =>
  $\`sh -ec \${meets("right", "left")}; cp \${input} \${output}\`);
export const held = sh("out/held.txt", { from: "in/a.txt" }, ({ $, input, output }) => $\`
  echo held >> "$FAULTS_OUTSIDE/log"
  n=0; while [ ! -e "$FAULTS_OUTSIDE/go" ]; do n=$((n+1)); [ $n -lt 750 ]; sleep 0.02; done
  cp \${input} \${output}\`);
export const written = sh("out/written.txt", { from: "in/a.txt", inPlace: true }, ({ $, output }) => $\`
  echo held >> "$FAULTS_OUTSIDE/log"
  : > \${output}
  n=0; while [ ! -e "$FAULTS_OUTSIDE/go" ]; do n=$((n+1)); [ $n -lt 750 ]; echo "$$" >> \${output}; sleep 0.02; done
  n=0; while [ $n -lt 20 ]; do n=$((n+1)); echo "$$" >> \${output}; sleep 0.02; done\`);
`;

const meetingProject = { "Datafile.ts": meeting, "in/a.txt": "1\n2\n3\n" };

interface Round {
  readonly binary: string;
  readonly slot: string;
  readonly cwd: string;
  readonly env: Surroundings;
  readonly random: () => number;
}

const kinds: Readonly<Record<string, (round: Round) => Promise<void>>> = {
  "the same": (round) => same(round, [[], []]),
  disjoint,
  overlapping: (round) => same(round, [["three", "parts"], ["four", "three"], ["counted"]]),
  killed,
  "killed, in place": killedInPlace,
  "the same, three": (round) => same(round, [[], [], []]),
};

export async function twoAtOnce(trials: Trials): Promise<void> {
  const { binary, quick } = trials.wanted;
  const names = Object.keys(kinds);
  const numbers = Array.from({ length: names.length * (quick ? 1 : fullRounds) }, (_, i) => i);
  await trials.each("files", numbers, async (number, slot) => {
    const kind = names[number % names.length] ?? "";
    await trials.try(kind, String(number), async () => {
      rmSync(slot, { recursive: true, force: true });
      const cwd = join(slot, "project");
      const outside = join(slot, "outside");
      mkdirSync(outside, { recursive: true });
      mkdirSync(cwd);
      const env = { FAULTS_OUTSIDE: outside, FAULTS_MARK: "two" };
      await kinds[kind]?.({ binary, slot, cwd, env, random: trials.random(`${kind}:${number}`) });
    });
  });
  await loadTogether(trials, quick ? 1 : fullRounds);
}

const logOf = (round: Round): readonly string[] =>
  readFileSync(join(round.env.FAULTS_OUTSIDE, "log"), "utf8").trimEnd().split("\n").sort();

/** Each at its own moment within the time that the program takes to start. */
async function together(round: Round, all: readonly (readonly string[])[]): Promise<readonly Ran[]> {
  const { binary, cwd, env, random } = round;
  return Promise.all(
    all.map(async (args) => {
      await wait(random() * 120);
      return run({ binary, cwd, args: ["-j", "2", ...args], env });
    }),
  );
}

const textOf = (all: readonly Ran[]): string => all.map(({ text }) => text).join("\n--\n");

/** Whoever asks for what, each recipe runs once, and all end well. */
async function same(round: Round, all: readonly (readonly string[])[]): Promise<void> {
  writeAll(round.cwd, slowProject("v1"));
  const ended = await together(round, all);
  areGood(ended);
  const rest = await run({ binary: round.binary, cwd: round.cwd, args: [], env: round.env });
  areGood([rest]);
  assert.deepEqual(logOf(round), [...recipes].sort(), `each recipe once\n${textOf([...ended, rest])}`);
  await isAsAlone(round, slowProject("v1"), textOf(ended));
}

function areGood(all: readonly Ran[]): void {
  for (const { code, text } of all) assert.equal(code, 0, text);
}

/** As one dmake alone would have left it, and fresh. */
async function isAsAlone(
  { binary, cwd, slot, env }: Round,
  files: Readonly<Record<string, string>>,
  said: string,
): Promise<void> {
  const question = await run({ binary, cwd, args: ["-q"], env });
  assert.equal(question.code, 0, `stale\n${said}`);
  const alone = join(slot, "alone");
  mkdirSync(alone);
  writeAll(alone, files);
  const built = await run({ binary, cwd: alone, args: ["-j", "2"], env });
  assert.equal(built.code, 0, built.text);
  const [found, expected]: readonly Snapshot[] = [snapshot(cwd), snapshot(alone)];
  if (!found || !expected) throw new Error("bug: two snapshots");
  assert.deepEqual(differencesOf(found, expected), [], said);
  assert.deepEqual(temporariesIn(cwd), [], said);
  const known = new Set(ownFiles(alone));
  assert.deepEqual(
    ownFiles(cwd).filter((path) => !known.has(path)),
    [],
    `left in .dmake\n${said}`,
  );
}

/** Recipes that wait for one another can only end if both run at once. */
async function disjoint(round: Round): Promise<void> {
  writeAll(round.cwd, meetingProject);
  const ended = await together(round, [["left"], ["right"]]);
  areGood(ended);
  for (const name of ["left", "right"])
    assert.equal(readFileSync(join(round.cwd, `out/${name}.txt`), "utf8"), meetingProject["in/a.txt"]);
}

/** One is killed in the middle of its recipe while the other waits for it. */
async function killed(round: Round): Promise<void> {
  const { binary, cwd, env } = round;
  writeAll(cwd, { ...meetingProject, "Datafile.ts": `${meeting}export default [held];\n` });
  const first = start({ binary, cwd, args: ["held"], env });
  const began = () => existsSync(join(env.FAULTS_OUTSIDE, "log"));
  while (!began() && first.child.exitCode === null) await wait(10);
  const second = start({ binary, cwd, args: ["held"], env });
  while (!second.said("waiting for run") && second.child.exitCode === null) await wait(10);
  first.child.kill("SIGKILL");
  assert.equal((await first.ended).signal, "SIGKILL");
  writeFileSync(join(env.FAULTS_OUTSIDE, "go"), "");
  const ended = await second.ended;
  areGood([ended]);
  assert.deepEqual(logOf(round), ["held", "held"], ended.text);
  // Whoever starts next sweeps what the dead one has left.
  const again = await run({ binary, cwd, args: [], env });
  areGood([again]);
  await isAsAlone(
    round,
    { ...meetingProject, "Datafile.ts": `${meeting}export default [held];\n` },
    textOf([ended, again]),
  );
}

/** The recipe of the one that is killed goes on, and writes where that of the other is to write. */
async function killedInPlace(round: Round): Promise<void> {
  const { binary, cwd, env } = round;
  writeAll(cwd, { ...meetingProject, "Datafile.ts": `${meeting}export default [written];\n` });
  const first = start({ binary, cwd, args: ["written"], env });
  while (!existsSync(join(env.FAULTS_OUTSIDE, "log")) && first.child.exitCode === null) await wait(10);
  const second = start({ binary, cwd, args: ["written"], env });
  while (!second.said("waiting for run") && second.child.exitCode === null) await wait(10);
  first.child.kill("SIGKILL");
  await first.ended;
  while (logOf(round).length < 2 && second.child.exitCode === null) await wait(10);
  writeFileSync(join(env.FAULTS_OUTSIDE, "go"), "");
  const ended = await second.ended;
  areGood([ended]);
  const writers = new Set(readFileSync(join(cwd, "out/written.txt"), "utf8").trimEnd().split("\n"));
  assert.equal(writers.size, 1, `two recipes wrote one file\n${ended.text}`);
  areGood([await run({ binary, cwd, args: ["-q", "written"], env })]);
}

/** Two load one month: it is there once, and so is its record. */
async function loadTogether(trials: Trials, count: number): Promise<void> {
  const server = await startServer();
  const files = {
    "Datafile.ts": `import { table } from "dmake";
export const trips = table("table:trips/{month}", { from: "in/{month}.csv", where: { month: ["2024-01"] } });
export default [trips];
`,
    "in/2024-01.csv": `id,name\n${Array.from({ length: 50 }, (_, i) => `${i},n${i}\n`).join("")}`,
  };
  try {
    await trials.each(
      "tables",
      Array.from({ length: count }, (_, i) => i),
      (number, slot) =>
        trials.try("one partition", String(number), async () => {
          const url = await server.database(`round_${number}`);
          const cwd = join(slot, "project");
          rmSync(cwd, { recursive: true, force: true });
          writeAll(cwd, files);
          const { binary } = trials.wanted;
          const ended = await Promise.all(
            Array.from({ length: 2 + (number % 2) }, () =>
              run({ binary, cwd, args: [], env: { DATABASE_URL: url } }),
            ),
          );
          areGood(ended);
          await isLoadedOnce(url, textOf(ended));
          const question = await run({ binary, cwd, args: ["-q"], env: { DATABASE_URL: url } });
          assert.equal(question.code, 0, `stale\n${textOf(ended)}`);
        }),
    );
  } finally {
    await server.stop();
  }
}

async function isLoadedOnce(url: string, said: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const { rows } = await client.query(`SELECT (SELECT count(*)::int FROM trips) AS rows,
      (SELECT count(DISTINCT id)::int FROM trips) AS ids,
      (SELECT count(*)::int FROM dmake.loads) AS loads,
      (SELECT count(*)::int FROM dmake.history) AS history`);
    assert.deepEqual(rows, [{ rows: 50, ids: 50, loads: 1, history: 1 }], said);
  } finally {
    await client.end();
  }
}
