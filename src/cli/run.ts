// What one command works with in its project, and how it ends when something is wrong. Knows nothing of what the command does.
import { dirname } from "node:path";
import type { Failure } from "../core/failure.js";
import { redactAll } from "../core/redact.js";
import type { Waiting } from "../engine/ports.js";
import type { Asked } from "./options.js";
import type { PlanOptions } from "./plan.js";
import type { Profile } from "./profile.js";
import { type Ending, enterProject, type Surroundings, whyUnwritable } from "./project.js";
import type { Renderer } from "./render.js";
import type { Selection } from "./selection.js";
import { ownFolder, type Wired, wire } from "./world.js";

/** One command, from the Datafile to the last line. */
export interface Run<C extends Asked = Asked> {
  readonly command: C;
  readonly around: Surroundings;
  readonly renderer: Renderer;
  readonly wired: Wired;
  readonly planning: Omit<PlanOptions, "readList">;
  /** Of a command that writes: why it cannot. */
  readonly refusal: Failure | undefined;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** The list of an earlier build that this one goes on with. */
  readonly selection?: Selection;
}

interface How {
  readonly around: Surroundings;
  readonly renderer: Renderer;
  readonly writable: boolean;
}

/** Goes to the project that a command means, works there, and leaves nothing open. */
export async function inProject<C extends Asked>(
  command: C,
  how: How,
  work: (run: Run<C>) => Promise<Ending>,
): Promise<Ending> {
  if (command.profile === undefined) return there(command, how, work);
  const { inProfile } = await import("./profile.js");
  return inProfile(command, how, (profile) => there(command, { ...how, profile }, work));
}

async function there<C extends Asked>(
  command: C,
  { profile, ...how }: How & { readonly profile?: Profile },
  work: (run: Run<C>) => Promise<Ending>,
): Promise<Ending> {
  const { around } = how;
  const { secrets = new Set<string>(), recording: spans } = profile ?? {};
  const shown = redacting(how.renderer, secrets);
  const renderer = profile ? profile.listening(shown) : shown;
  const path = enterProject(command, around.changeDirectory);
  if (!path.ok) return refused(renderer, path.error);
  const { env } = around;
  const startedAt = new Date().toISOString();
  const refusal = how.writable ? whyUnwritable(ownFolder) : undefined;
  const writable = how.writable && !refusal;
  const warn: PlanOptions["warn"] = (warning) => renderer.event({ event: "warning", ...warning });
  const place = { root: dirname(path.value), env, writable };
  const bare = wire(place, { notice: renderer.notice, warn, secrets, ...(spans && { spans }) });
  const wired = profile ? profile.watching(bare) : bare;
  const planning = {
    ...{ path: path.value, asked: command, env, writable, warn, secrets },
    ...(profile && { spans: profile.recording, vet: profile.vet }),
  };
  try {
    return await work({ command, around, renderer, wired, planning, refusal, startedAt });
  } finally {
    renderer.close();
    await wired.close();
  }
}

/** Shows nothing of what the Datafile keeps secret. */
function redacting(renderer: Renderer, secrets: ReadonlySet<string>): Renderer {
  return {
    ...renderer,
    event: (event) =>
      renderer.event(secrets.size > 0 || event.event === "failed" ? redactAll(event, secrets) : event),
    failure: (failure, at) => renderer.failure(redactAll(failure, secrets), at),
  };
}

/** How a verb that is no build waits for whoever makes a target now: saying for whom, or not at all. */
export const waitingFor = (
  step: string,
  { command, renderer }: Run<Asked & { readonly noWait: boolean }>,
  signal: AbortSignal,
): Waiting => ({
  signal,
  noWait: command.noWait,
  onWait: (holder) => renderer.event({ event: "waiting", step, holder }),
});

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
