// Carries out a build or a dry run from the Datafile to the last line. Knows nothing of argv, signals or exit codes' numbers.
import { ok } from "../core/failure.js";
import { foresee } from "./foresee.js";
import { make } from "./make.js";
import type { BuildCommand } from "./options.js";
import type { Ending, Surroundings } from "./project.js";
import { jsonRenderer, quietRenderer, type Renderer, type Screen } from "./render.js";
import { TextRenderer } from "./render-text.js";
import { resumed } from "./resume.js";
import { inProject, type Run, refused } from "./run.js";

function rendererOf(command: BuildCommand, screen: Screen): Renderer {
  if (command.json) return jsonRenderer(screen);
  return command.mode === "question" ? quietRenderer(screen) : new TextRenderer(screen);
}

const arranged = (run: Run<BuildCommand>): Run<BuildCommand> => ({
  ...run,
  planning: { ...run.planning, newestFirst: run.command.newestFirst },
});

/** Builds, or says what would be built. */
export function runBuild(command: BuildCommand, around: Surroundings): Promise<Ending> {
  const writable = command.mode === "build";
  const renderer = rendererOf(command, around.screen);
  return inProject(command, { around, renderer, writable }, async (asked) => {
    const run = command.resume ? resumed(asked) : ok(asked);
    if (!run.ok) return refused(renderer, run.error);
    return (writable ? make : foresee)(arranged(run.value));
  });
}
