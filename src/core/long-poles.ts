// Finds the steps that the end of a build waits for, by how long they and what hangs on them took before. Knows nothing of what runs now.
import type { Step } from "./rule.js";

/** Less than this is not worth another order. */
const worthMs = 1_000;

/**
 * Steps whose own time, with that of the longest chain of users behind them, is more than an even share of all the work
 * for each job: begun late, they would run on when everything else is done. The longest comes first. Of all others the order
 * of the graph is the better one, since a chain that was begun is then ended first.
 *
 * `steps` has inputs before users. Without a time of its own a step is taken to last as long as others of its rule did.
 */
export function longPoles(
  steps: readonly Step[],
  {
    jobs,
    usersOf,
    durationOf,
  }: {
    readonly jobs: number;
    readonly usersOf: (step: Step) => readonly Step[];
    /** Milliseconds, as recorded. */
    readonly durationOf: (step: Step) => number | undefined;
  },
): readonly Step[] {
  if (jobs < 2 || steps.length <= jobs) return [];
  const usual = new Map<Step["rule"], { sum: number; count: number }>();
  for (const step of steps) {
    const ms = durationOf(step);
    if (ms === undefined) continue;
    const known = usual.get(step.rule) ?? { sum: 0, count: 0 };
    usual.set(step.rule, { sum: known.sum + ms, count: known.count + 1 });
  }
  const estimate = (step: Step): number => {
    const known = usual.get(step.rule);
    return durationOf(step) ?? (known ? known.sum / known.count : 0);
  };
  const chains = new Map<Step, number>();
  let work = 0;
  for (let i = steps.length - 1; i >= 0; i -= 1) {
    const step = steps[i];
    if (!step) continue;
    const own = estimate(step);
    work += own;
    let behind = 0;
    for (const user of usersOf(step)) behind = Math.max(behind, chains.get(user) ?? 0);
    chains.set(step, own + behind);
  }
  const share = work / jobs + worthMs;
  const poles = [...chains].filter(([, ms]) => ms > share);
  return poles.sort(([, a], [, b]) => b - a).map(([step]) => step);
}
