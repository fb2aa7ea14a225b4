// A real Datafile in a real folder, loaded as dmake does. Knows nothing of what a test expects.
import assert from "node:assert/strict";
import type { Result } from "../../src/core/failure.js";
import { type Graph, graphOf } from "../../src/core/graph.js";
import type { Step } from "../../src/core/rule.js";
import { type Datafile, loadDatafile } from "../../src/datafile/load.js";
import { Folder } from "./project.js";
import { must } from "./world.js";

// As `cli/main.ts` does: the places of rules are in the text that a person wrote.
process.setSourceMapsEnabled(true);

export interface LoadingOptions {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly writable?: boolean;
}

/** Lives for one test. */
export class Project extends Folder {
  /** The project in a folder of this one. */
  inside(name: string): Project {
    return Object.assign(Object.create(Project.prototype), { root: this.path(name) });
  }

  load({ parameters = {}, writable = true }: LoadingOptions = {}): Promise<Result<Datafile>> {
    return loadDatafile({
      path: this.path("Datafile.ts"),
      directory: this.path(".dmake"),
      parameters,
      writable,
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
  graphOf(datafile.rules, wanted, () => undefined);

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
  return must(recipe.render({ inputs, outputs })).text;
}

/** The source of the function that makes a name. */
export function sourceOf(datafile: Datafile, name: string): string {
  const { recipe } = stepOf(datafile, name);
  assert(recipe.kind === "script");
  return recipe.source;
}
