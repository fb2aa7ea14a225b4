// A real Datafile in a real folder, loaded as dmake does. Knows nothing of what a test expects.
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { globsBelow } from "../../src/cli/globs.js";
import type { Result } from "../../src/core/failure.js";
import { type Graph, graphOf } from "../../src/core/graph.js";
import type { Step } from "../../src/core/rule.js";
import type { Parts } from "../../src/core/trace.js";
import { type Datafile, loadDatafile } from "../../src/datafile/load.js";
import { Folder } from "./project.js";
import { must } from "./world.js";

// As `cli/main.ts` does: the places of rules are in the text that a person wrote.
process.setSourceMapsEnabled(true);

export interface LoadingOptions {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly writable?: boolean;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly manifests?: Readonly<Record<string, string>>;
  readonly secrets?: Set<string>;
}

/** Lives for one test. */
export class Project extends Folder {
  /** The project in a folder of this one. */
  inside(name: string): Project {
    return Object.assign(Object.create(Project.prototype), { root: this.path(name) });
  }

  load(options: LoadingOptions = {}): Promise<Result<Datafile>> {
    const { parameters = {}, writable = true, env = {}, manifests = {}, secrets } = options;
    return loadDatafile({
      path: this.path("Datafile.ts"),
      directory: this.path(".dmake"),
      parameters,
      writable,
      env,
      manifests: new Map(Object.entries(manifests)),
      ...(secrets && { secrets }),
    });
  }

  /** Writes and loads a Datafile. */
  datafile(text: string, options: LoadingOptions = {}): Promise<Result<Datafile>> {
    this.write("Datafile.ts", text);
    return this.load(options);
  }
}

export async function inProject(work: (project: Project) => Promise<void>, name?: string): Promise<void> {
  const project = new Project(name);
  try {
    await work(project);
  } finally {
    project.remove();
  }
}

export const planned = (datafile: Datafile, ...wanted: string[]): Result<Graph> =>
  graphOf(datafile.rules, wanted, {
    globs: globsBelow(dirname(datafile.path), ".dmake"),
    localSource: () => undefined,
  });

/** The step that makes a name. */
export function stepOf(datafile: Datafile, name: string): Step {
  const step = must(planned(datafile, name)).makers.get(name);
  assert(step, `no rule makes ${name}`);
  return step;
}

/** The text of the command that makes a name. */
export function commandOf(datafile: Datafile, name: string): string {
  const { recipe, inputs, outputs } = stepOf(datafile, name);
  assert(recipe.kind === "sh");
  return must(recipe.render({ inputs, outputs, depfile: "depfile" })).text;
}

/** What the recipe that makes a name depends on besides its inputs, by name; of a command without its text. */
export function partsOf(datafile: Datafile, name: string): Parts {
  const { recipe } = stepOf(datafile, name);
  assert(recipe.kind === "sh" || recipe.kind === "script");
  return recipe.parts;
}

/** All that the function that makes a name depends on, as one text. */
export function sourceOf(datafile: Datafile, name: string): string {
  const { source, version, ...others } = partsOf(datafile, name);
  return version === undefined ? (source ?? JSON.stringify(others)) : `version ${version}`;
}
