// Sums up several builds of one command as one: those of its lists, then that of the rest. Knows nothing of building.
import type { BuildEvent, Summary } from "../core/event.js";

/** How a step of a build ended. */
export type Standing = "done" | "already" | "fresh" | "failed" | "locked" | "blocked" | "notStarted";

/** One build, and how each of its steps ended. */
export interface Made {
  readonly summary: Summary;
  readonly steps: ReadonlyMap<string, Standing>;
}

/** Keeps how steps end. */
export function note(steps: Map<string, Standing>, event: BuildEvent): void {
  switch (event.event) {
    case "done":
      steps.set(event.step, event.how === "already" ? "already" : "done");
      break;
    case "failed":
      steps.set(event.step, event.failure.reason === "locked" ? "locked" : "failed");
      break;
    case "fresh":
    case "blocked":
      steps.set(event.step, event.event);
      break;
    case "not-started":
      for (const step of event.steps) steps.set(step, "notStarted");
  }
}

type Counts = { -readonly [K in keyof Summary]: Summary[K] };

/**
 * The builds as one. A step that is in several counts once, as it ended in the last; but one that an earlier build has
 * made and a later one finds fresh was made. What was made twice, as `-B` does, counts twice.
 */
export function together(builds: readonly Made[]): Summary {
  const last = builds.at(-1);
  if (!last) throw new Error("bug: nothing was built");
  if (builds.length === 1) return last.summary;
  const sum: Counts = { ...last.summary };
  const later = new Map<string, Standing>(last.steps);
  for (const { summary, steps } of builds.slice(0, -1).reverse()) {
    sum.durationMs += summary.durationMs;
    sum.interrupted ||= summary.interrupted;
    for (const [step, how] of steps) {
      const then = later.get(step);
      if (then === undefined || how === "done") add(sum, how, 1);
      else if (how === "already" && then === "fresh") add(sum, how, 1);
      if (then === "fresh" && (how === "done" || how === "already")) add(sum, then, -1);
      if (then === undefined || then === "fresh") later.set(step, how);
    }
  }
  return sum;
}

function add(sum: Counts, how: Standing, many: number): void {
  if (how === "done") sum.made += many;
  else sum[how] += many;
  // Those that somebody else held failed too.
  if (how === "locked") sum.failed += many;
}
