// Carries out one command line: finds the Datafile, plans, builds or answers. Knows nothing of argv, signals or exit codes' numbers.
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { wantedNames } from "../core/goals.js";
import { type Graph, graphOf, type LocalSource } from "../core/graph.js";
import { normalisePath } from "../core/target.js";
import { type Datafile, loadDatafile } from "../datafile/load.js";
import { build } from "../engine/build.js";
import { preview } from "../engine/preview.js";
import { checkSources } from "../engine/sources.js";
import type { BuildCommand } from "./options.js";
import { jsonRenderer, quietRenderer, type Renderer, type Screen, TextRenderer } from "./render.js";
import { filesBeside, ownFolder, wire } from "./world.js";

/** How a command ended; `main` turns it into an exit code. */
export type Ending = "good" | "failed" | "refused" | "stale";

export interface Surroundings {
  readonly screen: Screen;
  readonly env: NodeJS.ProcessEnv;
  /** From the first call on, an interrupt aborts this signal and ends nothing by itself. */
  readonly interruptible: () => AbortSignal;
  readonly cores: number;
  readonly changeDirectory: (path: string) => void;
}

const datafileNames = ["Datafile.ts", "Datafile.mts", "Datafile.js", "Datafile.mjs"];

/** Goes to the project's root, the folder of the Datafile, and answers the Datafile's path. */
export function enterProject(
  { directory, datafile }: Pick<BuildCommand, "directory" | "datafile">,
  changeDirectory: (path: string) => void,
): Result<string> {
  const start = resolve(directory ?? ".");
  if (directory !== undefined && !existsSync(start))
    return fail({ reason: "usage", message: `\`${directory}\` is not there` });
  const names = datafile === undefined ? datafileNames : [datafile];
  const found = names.map((name) => resolve(start, name)).find((path) => existsSync(path));
  if (found === undefined) {
    const above = datafile === undefined ? datafileAbove(start) : undefined;
    return fail({ reason: "no-datafile", directory: start, looked: names, ...(above && { above }) });
  }
  changeDirectory(dirname(found));
  return ok(found);
}

function datafileAbove(start: string): string | undefined {
  for (
    let folder = dirname(start), relative = "..";
    ;
    folder = dirname(folder), relative = `../${relative}`
  ) {
    if (datafileNames.some((name) => existsSync(join(folder, name)))) return relative;
    if (folder === dirname(folder)) return undefined;
  }
}

/** The file of a `file:` URL as the name of an input: relative inside the root, absolute outside. */
function localSource(root: string): LocalSource {
  return (recipe) => {
    if (recipe.kind !== "download" || !recipe.url.startsWith("file:")) return undefined;
    const path = recipe.url.startsWith("file:/")
      ? fileURLToPath(recipe.url)
      : resolve(root, decodeURIComponent(recipe.url.slice("file:".length)));
    return path.startsWith(`${root}/`) ? normalisePath(path.slice(root.length + 1)) : path;
  };
}

/** An absolute path of the project, also by the root's real path, as the file that it is. */
function insideRoot(word: string, root: string): string {
  if (!isAbsolute(word)) return word;
  const above = [root, realpathSync(root)].find((folder) => word.startsWith(`${folder}/`));
  return above === undefined ? word : `./${word.slice(above.length + 1)}`;
}

interface Plan {
  readonly datafile: Datafile;
  readonly graph: Graph;
}

async function plan(command: BuildCommand, path: string): Promise<Result<Plan>> {
  const root = dirname(path);
  const datafile = await loadDatafile({
    path,
    directory: join(root, ownFolder),
    parameters: command.parameters,
    writable: command.mode === "build",
  });
  if (!datafile.ok) return datafile;
  const { rules, goals } = datafile.value;
  const words = command.words.map((word) => insideRoot(word, root));
  const defaults = words.length === 0 ? datafile.value.defaults() : ok([]);
  if (!defaults.ok) return defaults;
  if (words.length === 0 && defaults.value.length === 0)
    return fail({ reason: "nothing-to-build", file: basename(path), goals: [...goals.keys()] });
  const wanted = wantedNames(words, { rules, goals, defaults: defaults.value });
  if (!wanted.ok) return wanted;
  const graph = graphOf(rules, wanted.value, localSource(root));
  return graph.ok ? ok({ datafile: datafile.value, graph: graph.value }) : graph;
}

function rendererOf(command: BuildCommand, screen: Screen, graph: Graph | undefined): Renderer {
  if (command.json) return jsonRenderer(screen);
  if (command.mode === "question") return quietRenderer(screen);
  return new TextRenderer(screen, graph?.steps.map(({ id }) => id) ?? []);
}

/** Failures of the command line or the Datafile, and not of the world. */
const wrongNames: ReadonlySet<Failure["reason"]> = new Set(["no-rule", "usage", "bad-rule"]);

/** Builds, or says what would be built. */
export async function runBuild(command: BuildCommand, around: Surroundings): Promise<Ending> {
  const path = enterProject(command, around.changeDirectory);
  const planned = path.ok ? await plan(command, path.value) : path;
  const renderer = rendererOf(command, around.screen, planned.ok ? planned.value.graph : undefined);
  const refuse = (failure: Failure): Ending => {
    renderer.failure(failure);
    return "refused";
  };
  if (!path.ok) return refuse(path.error);
  if (!planned.ok) return refuse(planned.error);
  const { graph, datafile } = planned.value;
  const signal = around.interruptible();
  const place = { root: dirname(path.value), env: around.env, writable: command.mode === "build" };
  const { stores, runners, close } = wire(place, renderer.notice);
  try {
    const there = await checkSources(graph, datafile.rules, { stores, nearby: filesBeside });
    if (!there.ok)
      return wrongNames.has(there.error.reason) ? refuse(there.error) : failed(renderer, there.error);
    const world = { stores, runners, emit: renderer.event, signal };
    if (command.mode !== "build") {
      const { forced, mode } = command;
      const summary = await preview(graph, { forced, question: mode === "question" }, world);
      if (!summary.ok) return failed(renderer, summary.error);
      renderer.event({ event: "finished", ...summary.value });
      return mode === "question" && summary.value.wouldRun > 0 ? "stale" : "good";
    }
    const { jobs, keepGoing, forced } = command;
    const summary = await build(graph, { jobs, keepGoing, forced, cores: around.cores }, world);
    renderer.event({ event: "finished", ...summary });
    return summary.failed > 0 || summary.interrupted ? "failed" : "good";
  } finally {
    renderer.close();
    await close();
  }
}

function failed(renderer: Renderer, failure: Failure): Ending {
  renderer.failure(failure);
  return "failed";
}
