// Runs shell recipes in a folder of their own, and watches their processes. Knows nothing of what a test expects.
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { Job } from "../../src/engine/ports.js";
import { type Dollar, sh } from "../../src/index.js";
import { createShell } from "../../src/recipes/shell.js";
import { type Folder, inFolder } from "../rig/project.js";
import { declared, jobFor, stepFor } from "./jobs.js";

export const story = (name: string, work: (folder: Folder) => Promise<void>) =>
  test(name, { timeout: 20_000 }, () => inFolder(work));

interface Paths {
  readonly $: Dollar;
  readonly inputs: readonly string[];
  readonly output: string;
}

let alone: number | undefined;

/** From now on every command is started by a process that dmake has for it. */
export const elsewhere = (): void => {
  alone = 0;
};

/** Runs a command whose output is `out`. */
export async function run(
  command: (paths: Paths) => ReturnType<Dollar>,
  inputs: readonly string[] = [],
  signal?: AbortSignal,
  given: Pick<Job, "child" | "terminal"> = {},
) {
  const { step, recipe } = stepFor(await declared(() => sh("out", {}, command)), "sh", inputs);
  const running = jobFor(step, signal && { signal });
  return { ...running, ended: createShell(process.env, { alone })(recipe, { ...running.job, ...given }) };
}

/** Whether a process does anything: one that nobody has collected yet does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync("/proc/self/stat") || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

export const gone = async (pid: number) => {
  while (isAlive(pid)) await setImmediate();
};
export const pidIn = (text: string) => Number(/pid=(\d+)\n/.exec(text)?.[1]);
