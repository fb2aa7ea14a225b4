// What one command works with, and how it ends when something is wrong. Knows nothing of what the command does.
import type { Failure } from "../core/failure.js";
import type { BuildCommand } from "./options.js";
import type { PlanOptions } from "./plan.js";
import type { Ending, Surroundings } from "./project.js";
import type { Renderer } from "./render.js";
import type { Wired } from "./world.js";

/** One command, from the Datafile to the last line. */
export interface Run {
  readonly command: BuildCommand;
  readonly around: Surroundings;
  readonly renderer: Renderer;
  readonly wired: Wired;
  readonly planning: Omit<PlanOptions, "readList">;
}

export function refused(renderer: Renderer, failure: Failure): Ending {
  renderer.failure(failure);
  return "refused";
}

/** Failures of the command line or the Datafile, and not of the world. */
const wrongNames: ReadonlySet<Failure["reason"]> = new Set(["no-rule", "usage", "bad-rule"]);

/** The ending for what was found when the plan was held against the world. */
export function ended(renderer: Renderer, failure: Failure): Ending {
  renderer.failure(failure);
  return wrongNames.has(failure.reason) ? "refused" : "failed";
}
