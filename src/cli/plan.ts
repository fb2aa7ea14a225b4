// From a command line to a graph: the Datafile evaluated, the lists that it waits for read, names made into steps. Knows nothing of building or showing.
import { readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Warning } from "../core/event.js";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { wantedNames } from "../core/goals.js";
import { type Graph, graphOf } from "../core/graph.js";
import type { Spans } from "../core/spans.js";
import type { LocalSource } from "../core/step.js";
import { normalisePath } from "../core/target.js";
import { type Datafile, loadDatafile } from "../datafile/load.js";
import { globsBelow } from "./globs.js";
import { newestFirst } from "./newest-first.js";
import type { Asked } from "./options.js";
import { plannable } from "./plan-rest.js";
import { insideRoot } from "./project.js";
import { ownFolder } from "./world.js";

/** The values of a wildcard are listed in a target that has to be read before anybody can plan. */
export type NeedsManifest = Extract<Failure, { reason: "needs-manifest" }>;

export interface Plan {
  readonly datafile: Datafile;
  /** The names that the words stand for, each once. */
  readonly wanted: readonly string[];
  readonly graph: Graph;
  /** The lists that are not known, each with the first rule that waits for it: what hangs on them is left out. */
  readonly lost: readonly NeedsManifest[];
  /** The same for some of the names, in this order. */
  readonly narrowed: (names: readonly string[]) => Result<Plan>;
}

export type Listed =
  | { readonly kind: "read"; readonly text: string }
  /** It cannot be known: the plan is of what does not hang on it. */
  | { readonly kind: "unknown" }
  /** For a reason that was told, nothing more is to be planned. */
  | { readonly kind: "over" };

/** Answers what a target that lists values says. `plan` makes that target. */
export type ReadList = (asked: NeedsManifest, plan: Plan) => Promise<Result<Listed>>;

export interface PlanOptions {
  /** The Datafile, absolute. */
  readonly path: string;
  readonly asked: Pick<Asked, "words" | "parameters">;
  /** Names as they are, in place of what the words stand for. */
  readonly names?: readonly string[];
  /** Whether the names are to be in the reverse of their natural order. */
  readonly newestFirst?: boolean;
  readonly env: NodeJS.ProcessEnv;
  /** Whether the compiled Datafile may be kept. */
  readonly writable: boolean;
  readonly warn: (warning: Warning) => void;
  /** Takes in what the Datafile keeps secret. */
  readonly secrets: Set<string>;
  readonly readList: ReadList;
  readonly spans?: Spans;
  /** Whether there is a reason to go no further with a Datafile. */
  readonly vet?: (datafile: Datafile) => Result<void>;
  /** Called each time that the Datafile was evaluated, before names are made into steps. */
  readonly evaluated?: () => void;
}

/** The plan for the words of a command line, or nothing where `readList` has said that it is over. */
export const plan = (options: PlanOptions): Promise<Result<Plan | undefined>> => new Planner(options).plan();

/** The Datafile with all lists that are there already, for somebody who needs no plan. */
export async function loadWithLists(options: Omit<PlanOptions, "readList">): Promise<Result<Datafile>> {
  const manifests = new Map<string, string>();
  const missing = new Set<string>();
  for (;;) {
    const datafile = await load(options, manifests);
    if (!datafile.ok) return datafile;
    const unread = pendingIn(datafile.value).filter((name) => !manifests.has(name) && !missing.has(name));
    if (unread.length === 0) return datafile;
    for (const name of unread) {
      const text = readManifest(name);
      if (!text.ok) return text;
      if (text.value === undefined) missing.add(name);
      else manifests.set(name, text.value);
    }
  }
}

const pendingIn = ({ rules }: Datafile): string[] =>
  rules.rules.flatMap(({ domains }) => Object.values(domains)).flatMap(({ pending }) => pending ?? []);

/** What a list says as it is on disk, or nothing where it is not there. */
export function readManifest(name: string): Result<string | undefined> {
  try {
    return ok(readFileSync(name, "utf8"));
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return ok(undefined);
    return fail({ reason: "io", doing: "read the list", path: name, code });
  }
}

const load = (
  { path, asked, env, writable, secrets, spans }: Omit<PlanOptions, "readList">,
  manifests: Map<string, string>,
) =>
  loadDatafile({
    path,
    directory: join(dirname(path), ownFolder),
    parameters: asked.parameters,
    writable,
    env,
    manifests,
    secrets,
    ...(spans && { spans }),
  });

type Choose = (datafile: Datafile) => Result<readonly string[]>;

/** Lives for one command line. Each list is read once, and the Datafile evaluated again with it. */
class Planner {
  readonly #options: PlanOptions;
  readonly #root: string;
  readonly #manifests = new Map<string, string>();
  readonly #lost = new Map<string, NeedsManifest>();
  /** The lists that are being made, the outermost first: one that is needed for itself is a cycle. */
  readonly #making: string[] = [];
  readonly #warned = new Set<string>();
  #datafile: Datafile | undefined;

  constructor(options: PlanOptions) {
    this.#options = options;
    this.#root = dirname(options.path);
  }

  plan(): Promise<Result<Plan | undefined>> {
    return this.#plan((datafile) => this.#wanted(datafile));
  }

  async #plan(choose: Choose): Promise<Result<Plan | undefined>> {
    for (;;) {
      const planned = await this.#attempt(choose);
      if (planned.ok || planned.error.reason !== "needs-manifest") return planned;
      const listed = await this.#list(planned.error);
      if (!listed.ok || listed.value === "over") return listed.ok ? ok(undefined) : listed;
    }
  }

  async #attempt(choose: Choose): Promise<Result<Plan>> {
    const datafile = await this.#load();
    if (!datafile.ok) return datafile;
    const matched = this.#options.spans?.begin("match");
    const planned = this.#match(datafile.value, choose);
    matched?.(planned.ok ? { steps: planned.value.graph.steps.length } : undefined);
    return planned;
  }

  #match(datafile: Datafile, choose: Choose): Result<Plan> {
    const wanted = choose(datafile);
    if (!wanted.ok) return wanted;
    const { rules } = datafile;
    const globs = globsBelow(this.#root, ownFolder);
    const graphFor = (names: readonly string[]) =>
      graphOf(rules, names, { globs, localSource: localSource(this.#root) });
    const names =
      this.#lost.size === 0
        ? wanted
        : plannable(wanted.value, { rules, globs, plan: graphFor, isLost: this.#isLost });
    if (!names.ok) return names;
    const found = { datafile, lost: [...this.#lost.values()] };
    const narrowed: Plan["narrowed"] = (some) => {
      const graph = graphFor(some);
      return graph.ok ? ok({ ...found, wanted: some, graph: graph.value, narrowed }) : graph;
    };
    return narrowed(names.value);
  }

  readonly #isLost = (failure: Failure): boolean =>
    failure.reason === "needs-manifest" && this.#lost.has(failure.manifest);

  async #load(): Promise<Result<Datafile>> {
    if (this.#datafile) return ok(this.#datafile);
    const { spans, vet, evaluated } = this.#options;
    const loaded = spans?.begin("load Datafile");
    const datafile = await load(this.#options, this.#manifests);
    loaded?.();
    if (!datafile.ok) return datafile;
    const vetted = vet?.(datafile.value);
    if (vetted && !vetted.ok) return vetted;
    evaluated?.();
    this.#datafile = datafile.value;
    for (const warning of datafile.value.warnings) {
      const text = JSON.stringify(warning);
      if (!this.#warned.has(text)) this.#options.warn(warning);
      this.#warned.add(text);
    }
    return datafile;
  }

  #wanted(datafile: Datafile): Result<readonly string[]> {
    const { names, newestFirst: isReversed = false } = this.#options;
    const wanted = names ? ok(names) : this.#meant(datafile);
    return wanted.ok && isReversed ? ok(newestFirst(wanted.value, datafile.rules)) : wanted;
  }

  /** What the words stand for. */
  #meant(datafile: Datafile): Result<readonly string[]> {
    const { path, asked } = this.#options;
    const { rules, goals } = datafile;
    const words = asked.words.map((word) => insideRoot(word, this.#root));
    const defaults = words.length === 0 ? datafile.defaults(this.#isLost) : ok([]);
    if (!defaults.ok) return defaults;
    if (words.length === 0 && defaults.value.length === 0 && this.#lost.size === 0)
      return fail({ reason: "nothing-to-build", file: basename(path), goals: [...goals.keys()] });
    const known = { rules, goals, globs: globsBelow(this.#root, ownFolder) };
    if (this.#lost.size === 0) return wantedNames(words, { ...known, defaults: defaults.value });
    return this.#each(words, defaults.value, (some, others) =>
      wantedNames(some, { ...known, defaults: others }),
    );
  }

  /** Asks for every word and every default by itself, and leaves out those that stand for what hangs on an unknown list. */
  #each(
    words: readonly string[],
    defaults: readonly string[],
    namesOf: (words: readonly string[], defaults: readonly string[]) => Result<readonly string[]>,
  ): Result<readonly string[]> {
    const names = new Set<string>();
    const all = [...words.map((word) => namesOf([word], [])), ...defaults.map((name) => namesOf([], [name]))];
    for (const found of all) {
      if (!found.ok && !this.#isLost(found.error)) return found;
      for (const name of found.ok ? found.value : []) names.add(name);
    }
    return ok([...names]);
  }

  /** Sees to it that the next evaluation knows a list, or goes around it. */
  async #list(asked: NeedsManifest): Promise<Result<Listed["kind"]>> {
    const { manifest, at } = asked;
    const from = this.#manifests.has(manifest) ? this.#making.length : this.#making.indexOf(manifest);
    if (from >= 0)
      return fail({ reason: "cycle", path: [manifest, ...this.#making.slice(from + 1), manifest], at });
    this.#making.push(manifest);
    const made = await this.#plan(() => ok([manifest]));
    this.#making.pop();
    if (!made.ok || !made.value) return made.ok ? ok("over") : made;
    // One that hangs on a list itself is not brought up to date, and what it says on the disk is of another day.
    const isPlanned = made.value.wanted.includes(manifest);
    const listed = isPlanned
      ? await this.#options.readList(asked, made.value)
      : ok<Listed>({ kind: "unknown" });
    if (!listed.ok) return listed;
    switch (listed.value.kind) {
      case "read":
        this.#manifests.set(manifest, listed.value.text);
        this.#datafile = undefined;
        break;
      case "unknown":
        this.#lost.set(manifest, asked);
        break;
      case "over":
    }
    return ok(listed.value.kind);
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
