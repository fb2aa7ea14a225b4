// Finds processes by marks in their environment, whatever group, session or parent they have by now, and ends them. Knows nothing of recipes and runs.
import { readdirSync, readFileSync } from "node:fs";
import { kill, pid as ownPid } from "node:process";
import { setInterval } from "node:timers/promises";
import { codeOf, isProcOurs, statOf } from "./process.js";

/** `VARIABLE=id`. */
export const markOf = (variable: string, id: string): string => `${variable}=${id}`;

/**
 * What a child is given so that it carries the mark `id` besides those that we carry ourselves: a dmake that a recipe of
 * another dmake has started must not hide its own recipes from that one.
 */
export const chained = (inherited: string | undefined, id: string): string =>
  inherited ? `${inherited}/${id}` : id;

export interface StopOptions {
  /** How long they may take to end after SIGTERM. */
  readonly graceMs: number;
  /** Do not wait any longer: kill what is left. */
  readonly signal?: AbortSignal;
  /** Those that have been asked to end already. */
  readonly asked?: readonly number[];
}

/** How often a process that was asked to end is looked at. */
const pollMs = 20;
/** A killed process that is still there after so long hangs in the kernel: no use to wait for it. */
const deathMs = 1_000;
/** So often new children of those that are killed are looked for. Whoever still gets away forks faster than we read. */
const killRounds = 5;

/** Of each mark, the processes that carry it. Those that nobody carries are left out. */
export type Marked = ReadonlyMap<string, readonly number[]>;

/**
 * Ends all processes that carry one of the marks: SIGTERM, grace, SIGKILL. Answers whom it found at first. Never ours or our ancestors.
 *
 * A process that has written over its own environment is not found, nor, unless we are root, one of another user, nor any
 * outside Linux.
 */
export async function stopMarked(
  marks: readonly string[],
  { graceMs, signal, asked = [] }: StopOptions,
): Promise<Marked> {
  const found = findMarked(marks);
  if (found.size === 0) return found;
  let left = pidsOf(found);
  // Each is asked once: to a dmake a second signal means "at once".
  for (const pid of left) if (!asked.includes(pid)) send(pid, "SIGTERM");
  left = await remaining(left, marks, { graceMs, ...(signal && { signal }) });
  killMarked(marks);
  await remaining(left, marks, { graceMs: deathMs });
  return found;
}

/** Those that still carry a mark once the time is over; looks until nobody does. */
async function remaining(
  pids: readonly number[],
  marks: readonly string[],
  { graceMs, signal }: StopOptions,
) {
  const carriers = () => pids.filter((pid) => marksOf(pid, marks).length > 0);
  const until = performance.now() + graceMs;
  if (carriers().length === 0) return [];
  for await (const _ of setInterval(pollMs))
    if (carriers().length === 0 || signal?.aborted || performance.now() >= until) break;
  return carriers();
}

/** SIGKILL to all that carry one of the marks, at once, and to what they start while we look. */
export function killMarked(marks: readonly string[]): void {
  for (let round = 0; round < killRounds; round++) {
    const pids = pidsOf(findMarked(marks));
    if (pids.length === 0) return;
    for (const pid of pids) send(pid, "SIGKILL");
  }
}

const pidsOf = (found: Marked): readonly number[] => [...new Set([...found.values()].flat())];

/** One look at each process: 3 ms for 75 of them (measured on two busy cores). */
export function findMarked(marks: readonly string[]): Marked {
  const found = new Map<string, number[]>();
  if (!isProcOurs() || marks.length === 0) return found;
  const spared = ourselves();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || spared.has(pid)) continue;
    for (const mark of marksOf(pid, marks)) found.set(mark, [...(found.get(mark) ?? []), pid]);
  }
  return found;
}

/** Those of the marks that a process carries. One that is dead, or not ours to look at, carries none. */
function marksOf(pid: number, marks: readonly string[]): readonly string[] {
  const environment = environmentOf(pid);
  if (environment === "") return [];
  return marks.filter((mark) => carries(environment, mark));
}

function carries(environment: string, mark: string): boolean {
  const [variable, id] = splitMark(mark);
  const at = environment.indexOf(`\0${variable}=`);
  if (at < 0) return false;
  const begin = at + variable.length + 2;
  return environment.slice(begin, environment.indexOf("\0", begin)).split("/").includes(id);
}

/** Whether anybody of a process group lives. Where nobody collects the dead, a group of them only looks alive to `kill`. */
export function groupLives(leader: number): boolean {
  if (!send(-leader, 0)) return false;
  if (!isProcOurs()) return true;
  return readdirSync("/proc").some((entry) => {
    // State, parent, group: fields 3 to 5.
    const [state, , group] = /^\d+$/.test(entry) ? statOf(Number(entry)) : [];
    return Number(group) === leader && state !== "Z" && state !== "X";
  });
}

function splitMark(mark: string): readonly [variable: string, id: string] {
  const at = mark.indexOf("=");
  return [mark.slice(0, at), mark.slice(at + 1)];
}

/** Each entry between two NULs. Gone meanwhile, somebody else's, or hidden: nothing is known of it, whatever the code. */
function environmentOf(pid: number): string {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, "latin1")}\0`;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return "";
  }
}

/** This process and all above it. */
function ourselves(): ReadonlySet<number> {
  const all = new Set<number>([ownPid]);
  for (let pid = parentOf(ownPid); pid > 0 && !all.has(pid); pid = parentOf(pid)) all.add(pid);
  return all;
}

const parentOf = (pid: number): number => Number(statOf(pid)[1] ?? 0);

/** Whether there is anybody to hear it; of a negative number, in that group. macOS answers EPERM for a group of which only zombies are left. */
export function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return kill(pid, signal);
  } catch (error) {
    if (codeOf(error) === "ESRCH" || codeOf(error) === "EPERM") return false;
    throw error;
  }
}
