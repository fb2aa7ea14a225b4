// Ends dmake at random moments, in every way that there is, and runs it again. Knows nothing of what it does at these moments.
import assert from "node:assert/strict";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import {
  copyProject,
  differencesOf,
  marked,
  ownFiles,
  run,
  type Snapshot,
  snapshot,
  start,
  strangers,
  temporariesIn,
  writeAll,
} from "../rig/faults.js";
import { slowProject, strangeProject } from "./slow.js";
import type { Trials } from "./trials.js";

/** `kill`: dmake alone, and its recipes live on; `kill-all`: whatever runs of it, as when a machine goes down. */
const ways = ["kill", "SIGINT", "kill-all", "SIGTERM", "kill", "SIGHUP"] as const;
type Way = (typeof ways)[number];

const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
const rounds = { quick: 6, full: 90 };

/** How long a process that was killed may take to be gone. */
const goneMs = 2_000;

/** What one folder was prepared for. */
interface Scene {
  readonly old: Snapshot;
  readonly whole: Snapshot;
  readonly own: ReadonlySet<string>;
  /** How long the command takes that is left alone. */
  readonly ms: number;
}

export async function randomKills(trials: Trials): Promise<void> {
  if (process.platform !== "linux")
    return trials.skip("any", "processes are found in /proc, which is not here");
  const scenes = new Map<string, Scene>();
  const { binary, quick } = trials.wanted;
  const numbers = Array.from({ length: quick ? rounds.quick : rounds.full }, (_, i) => i);
  await trials.each("any", numbers, async (number, slot) => {
    const way = ways[number % ways.length] ?? "kill";
    await trials.try(way, String(number), async () => {
      const scene = scenes.get(slot) ?? (await prepare(slot, binary));
      scenes.set(slot, scene);
      await disturb({ way, slot, binary, scene, moment: trials.random(`${way}:${number}`)() * 1.1 });
    });
  });
}

const surroundings = (slot: string, mark: string) => ({
  FAULTS_OUTSIDE: join(slot, "outside"),
  FAULTS_MARK: mark,
});

async function prepare(slot: string, binary: string): Promise<Scene> {
  const cwd = join(slot, "project");
  rmSync(slot, { recursive: true, force: true });
  mkdirSync(join(slot, "outside"), { recursive: true });
  const build = () => run({ binary, cwd, args: ["-j", "4"], env: surroundings(slot, "nobody") });
  writeAll(cwd, strangeProject("v1"));
  const first = await build();
  assert.equal(first.code, 0, first.text);
  writeAll(cwd, { ...slowProject("v2"), ...strangeProject("v2") });
  const old = snapshot(cwd);
  copyProject(cwd, join(slot, "before"));
  const second = await build();
  assert.equal(second.code, 0, second.text);
  return { old, whole: snapshot(cwd), own: new Set(ownFiles(cwd)), ms: second.ms };
}

interface Disturbance {
  readonly way: Way;
  readonly slot: string;
  readonly binary: string;
  readonly scene: Scene;
  /** When, as a part of the time that the command takes. */
  readonly moment: number;
}

let count = 0;

async function disturb({ way, slot, binary, scene, moment }: Disturbance): Promise<void> {
  const cwd = join(slot, "project");
  copyProject(join(slot, "before"), cwd);
  const mark = `faults-${process.pid}-${++count}.`;
  const env = surroundings(slot, mark);
  const at = `${way} at ${(moment * 100).toFixed(0)} % of ${scene.ms.toFixed(0)} ms`;
  const { child, ended } = start({ binary, cwd, args: ["-j", "4"], env });
  try {
    await Promise.race([wait(moment * scene.ms), ended]);
    if (way === "kill-all") for (const pid of marked(mark)) end(pid);
    child.kill(way === "kill" || way === "kill-all" ? "SIGKILL" : way);
    const { code, signal, text } = await ended;
    isWholeOrNot(cwd, scene, at);
    if (way !== "kill" && way !== "kill-all" && code !== 0) {
      // Before there is anything to put in order, a signal ends it as any program.
      assert(code === codes[way] || signal === way, `${at} ended with ${code ?? signal}\n${text}`);
      await untilGone(() => marked(mark).filter((pid) => !strangers().includes(pid)), at);
      assert.deepEqual(
        temporariesIn(cwd).filter((path) => !path.includes("strange")),
        [],
        `left after ${at}\n${text}`,
      );
    }
    const again = await run({
      binary,
      cwd,
      args: ["-j", "4"],
      env: { ...env, FAULTS_MARK: `again-${mark}` },
    });
    assert.equal(again.code, 0, `the rerun after ${at}\n${again.text}`);
    if (way === "kill" || way === "kill-all")
      await untilGone(() => marked(`=${mark}`), `the rerun after ${at}\n${again.text}`);
    isAsLeftAlone(cwd, scene, `the rerun after ${at}\n${again.text}`);
    const question = await run({ binary, cwd, args: ["-q"], env });
    assert.equal(question.code, 0, `stale after the rerun, after ${at}\n${again.text}`);
  } finally {
    for (const pid of marked(mark)) end(pid);
  }
}

function isWholeOrNot(cwd: string, { old, whole }: Scene, at: string): void {
  const now = snapshot(cwd);
  for (const [path, content] of now)
    if (!path.includes(".dmake-"))
      assert([old.get(path), whole.get(path)].includes(content), `${path} is half after ${at}`);
  for (const path of old.keys())
    if (!path.startsWith("out/parts/")) assert(now.has(path), `${path} is not there after ${at}`);
}

function isAsLeftAlone(cwd: string, { whole, own }: Scene, after: string): void {
  assert.deepEqual(differencesOf(snapshot(cwd), whole), [], `after ${after}`);
  const more = ownFiles(cwd).filter((path) => !own.has(path));
  assert.deepEqual(more, [], `left in .dmake after ${after}`);
}

/** A killed process may take a moment to be gone. */
async function untilGone(who: () => readonly number[], after: string): Promise<void> {
  const until = performance.now() + goneMs;
  while (who().length > 0) {
    assert(performance.now() < until, `processes ${who().join(", ")} live on after ${after}`);
    await wait(20);
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
