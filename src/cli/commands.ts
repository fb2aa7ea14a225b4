// Carries out a build or a dry run from the Datafile to the last line. Knows nothing of argv, signals or exit codes' numbers.
import { dirname } from "node:path";
import { foresee } from "./foresee.js";
import { make } from "./make.js";
import type { BuildCommand } from "./options.js";
import type { PlanOptions } from "./plan.js";
import { type Ending, enterProject, type Surroundings } from "./project.js";
import { jsonRenderer, quietRenderer, type Renderer, type Screen, TextRenderer } from "./render.js";
import { refused } from "./run.js";
import { wire } from "./world.js";

function rendererOf(command: BuildCommand, screen: Screen): Renderer {
  if (command.json) return jsonRenderer(screen);
  return command.mode === "question" ? quietRenderer(screen) : new TextRenderer(screen);
}

/** Builds, or says what would be built. */
export async function runBuild(command: BuildCommand, around: Surroundings): Promise<Ending> {
  const renderer = rendererOf(command, around.screen);
  const path = enterProject(command, around.changeDirectory);
  if (!path.ok) return refused(renderer, path.error);
  const writable = command.mode === "build";
  const { env } = around;
  const warn: PlanOptions["warn"] = (warning) => renderer.event({ event: "warning", ...warning });
  const wired = wire({ root: dirname(path.value), env, writable }, { notice: renderer.notice, warn });
  const planning = { path: path.value, asked: command, env, writable, warn };
  try {
    const run = { command, around, renderer, wired, planning };
    return await (writable ? make(run) : foresee(run));
  } finally {
    renderer.close();
    await wired.close();
  }
}
