// Says how many recipes may run at once, and shares their places with whoever started us and with what we start. Knows nothing of recipes.
import type { Warning } from "../core/event.js";
import type { OpenSlots } from "../system/slots.js";
import { openFilesLimit } from "./limits.js";
import type { BuildCommand } from "./options.js";
import type { Surroundings } from "./project.js";

export interface Places {
  /** Recipes at once. */
  readonly jobs: number;
  readonly slots: OpenSlots;
}

/** Node, the state file, locks and one command: at a limit of 52 that works (measured), at 48 dmake cannot load itself. */
const filesOfDmake = 52;
/** Two pipes of a running recipe, both ends while it starts. */
const filesOfRecipe = 4;

/** As many recipes as the open files are enough for. */
const recipesWith = (limit: number): number =>
  Math.max(1, Math.floor((limit - filesOfDmake) / filesOfRecipe));

/** As Ninja does it: a `-j` is a person's word; without one, the jobserver of the make above us decides. */
export async function openPlaces(
  { jobs: given, load }: Pick<BuildCommand, "jobs" | "load">,
  { env, cores, onExit }: Pick<Surroundings, "env" | "cores" | "onExit">,
  warn: (warning: Warning) => void,
): Promise<Places> {
  const { createSlots } = await import("../system/slots.js");
  const { jobsIn } = await import("../system/jobserver.js");
  const wished = given ?? jobsIn(env) ?? cores;
  const limit = openFilesLimit();
  const jobs = limit === undefined ? wished : Math.min(wished, recipesWith(limit));
  if (limit !== undefined && jobs < wished) warn({ warning: "few-files", limit, jobs });
  const jobserver = jobs === 1 ? "none" : given === undefined ? "client" : "server";
  const slots = createSlots({ jobs, env, jobserver, warn, ...(load !== undefined && { load }) });
  // Tokens are others' too: they go back however this process ends.
  onExit(() => slots.giveBack());
  return { jobs, slots };
}
