// Says for each function recipe what code of the project its result depends on, from the text alone. Knows nothing of how it is kept or judged.
import type { transform as Transform } from "esbuild";
import type { Place } from "../core/failure.js";
import { digestOf } from "../core/fingerprint.js";
import { redactText } from "../core/redact.js";
import { type ScriptCall, scriptCalls } from "./reach-call.js";
import { type Kept, kept } from "./reach-kept.js";
import { Links } from "./reach-link.js";
import { meantBy } from "./reach-meant.js";
import { loadBabel, type ProjectFile, readModule, type SourceModule, type Unit } from "./reach-module.js";
import { type Installed, installed, type Looked } from "./reach-package.js";
import { canonical, type Writing, withoutComments } from "./reach-text.js";
import { startOf } from "./reach-tree.js";
import { worldIn } from "./reach-untold.js";
import { type Reached, reachedBy, Surroundings } from "./reach-walk.js";

/** What one function recipe's result depends on, as far as the text of the project can say. Plain JSON: it is cached with the bundle. */
export interface Reach {
  /**
   * Named parts: `function` → its text; `reaches lib/clean.ts tidy` → the text of a declaration at the top of a module,
   * with the statements that change it; `package csv-parse` → its version; `file lib/limits.json` → the digest of what
   * is no code. Texts are without types, comments and formatting, over several lines, and free of secrets in URLs.
   */
  readonly parts: Readonly<Record<string, string>>;
  /** The Datafile's parameters that it asks for by name, or `all` where that cannot be told. */
  readonly parameters: readonly string[] | "all";
  /** Names whose value comes to be at run time and so cannot be seen, each with the place of the function. */
  readonly unseen: readonly Unseen[];
}

export interface Unseen {
  readonly name: string;
  readonly at: Place;
  /** Variables of the environment, where the value is made of them and of nothing else of the world. */
  readonly env?: readonly string[];
  /** Whether the rule cannot name it: it belongs to another file, or is no value, as `import()`. */
  readonly elsewhere?: true;
}

export interface ReachOptions {
  /** The project's root, absolute. */
  readonly root: string;
  /** The files of the project that were compiled. */
  readonly files: readonly ProjectFile[];
  /** The text of a module as the compiler was given it: its columns are those that a stack names. */
  readonly compiled: (text: string, path: string) => string;
  readonly transform: typeof Transform;
}

/** What each call of `script` reaches. A call that cannot be judged is left out. */
export async function reachesOf(options: ReachOptions): Promise<Kept> {
  const { files, root, transform } = options;
  const naming = files.filter(({ text }) => text !== undefined && /\bscript\b/.test(text));
  if (naming.length === 0) return kept([], { looked: [], packages: [], world: [] });
  const babel = await loadBabel();
  const links = new Links(files, (file) => readModule(file, babel));
  const around = new Surroundings(links);
  const writer = new Writer({ parse: babel.parse, transform }, root, links);
  // Whoever calls it by another name imports it from one that names it.
  const callers = [...links.upstream(naming)].flatMap((file) => links.moduleOf(file) ?? []);
  const found = callers
    .flatMap((module) => scriptCalls(module, links))
    .map(async (call): Promise<readonly [Place, Reach] | undefined> => {
      const reached = reachedBy(call, around);
      return reached && [compiledPlace(call, options), await writer.reach(call, reached)];
    });
  const reaches = (await Promise.all(found)).flatMap((one) => (one ? [one] : []));
  const modules = files.flatMap((file) => links.moduleOf(file) ?? []);
  const packages = [...links.packages()].sort();
  return kept(reaches, { looked: writer.looked, packages, world: worldIn(modules, around) });
}

/** Babel and the compiler agree on lines, and on columns in what both are given. */
function compiledPlace({ module, offset }: ScriptCall, { compiled }: ReachOptions): Place {
  const { path: file } = module.file;
  const { line, start } = lineAt(module.text, offset);
  return { file, line, column: compiled(module.text.slice(start, offset), file).length + 1 };
}

function lineAt(text: string, offset: number): { readonly line: number; readonly start: number } {
  const ends = [...text.slice(0, offset).matchAll(/\r\n|[\n\r\u2028\u2029]/g)];
  const last = ends.at(-1);
  return { line: ends.length + 1, start: last ? last.index + last[0].length : 0 };
}

/** Writes down what is reached, each text once. Lives for one compilation. */
class Writer {
  readonly #writing: Writing;
  readonly #root: string;
  readonly #links: Links;
  readonly #texts = new Map<Unit, Promise<string>>();
  readonly #packages = new Map<string, Installed>();

  constructor(writing: Writing, root: string, links: Links) {
    this.#writing = writing;
    this.#root = root;
    this.#links = links;
  }

  get looked(): readonly Looked[] {
    return [...this.#packages.values()].flatMap(({ looked }) => looked);
  }

  async reach({ module, run }: ScriptCall, reached: Reached): Promise<Reach> {
    const { line, start } = lineAt(module.text, run.node.start ?? 0);
    const at = { file: module.file.path, line, column: (run.node.start ?? 0) - start + 1 };
    const parts: Record<string, string> = {
      function: safe(await this.#functionText(module, run)),
      ...(await this.#declarations(reached)),
    };
    for (const [name, meant] of meantBy(reached)) parts[`imports ${name}`] = meant;
    for (const { name, digest } of reached.files) parts[`file ${name}`] = digest;
    for (const name of reached.packages) parts[`package ${name}`] = this.#version(name);
    return {
      parts: Object.fromEntries(Object.entries(parts).sort(([one], [other]) => (one < other ? -1 : 1))),
      parameters: reached.parameters === "all" ? "all" : [...reached.parameters].sort(),
      unseen: [...reached.unseen].sort().map((name) => {
        const env = reached.variables.get(name);
        const isNamed = run.scope.hasBinding(name, true);
        return { name, at, ...(env && { env }), ...(!isNamed && { elsewhere: true as const }) };
      }),
    };
  }

  async #functionText(module: SourceModule, run: Unit["path"]): Promise<string> {
    const text = (await this.#text(module, "export default (", run, ")")).replace(/^export default /, "");
    return run.isFunction() ? text.replace(/^\(([\s\S]*)\);$/, "$1") : text.replace(/;$/, "");
  }

  async #declarations({ units }: Reached): Promise<Record<string, string>> {
    const changers = new Set([...units.values()].flatMap((found) => [...found]));
    const written = await Promise.all(
      [...units]
        .sort(([one], [other]) => (one.path.node.start ?? 0) - (other.path.node.start ?? 0))
        // A statement that changes a declaration is written with that.
        .filter(([unit]) => unit.names.length > 0 || !changers.has(unit))
        .map(([unit, found]) => this.#declaration(unit, found)),
    );
    const parts: Record<string, string> = {};
    for (const { name, text } of written) parts[name] = name in parts ? `${parts[name]}\n${text}` : text;
    return parts;
  }

  async #declaration(
    unit: Unit,
    changers: ReadonlySet<Unit>,
  ): Promise<{ readonly name: string; readonly text: string }> {
    const nameless = [...changers].filter(({ names }) => names.length === 0);
    const order = (one: Unit, other: Unit) =>
      this.#links.turnOf(one.module.file) - this.#links.turnOf(other.module.file) ||
      (one.path.node.start ?? 0) - (other.path.node.start ?? 0);
    const texts = await Promise.all([unit, ...nameless.sort(order)].map((one) => this.#unitText(one)));
    const name = unit.names.length > 0 ? unit.names.join(", ") : headOf(texts[0] ?? "");
    return { name: `reaches ${unit.module.file.name} ${name}`, text: safe(texts.join("\n")) };
  }

  #unitText(unit: Unit): Promise<string> {
    const isValue = unit.head.startsWith("export");
    const known =
      this.#texts.get(unit) ??
      this.#text(unit.module, unit.head + (isValue ? "(" : ""), unit.path, isValue ? ")" : "");
    this.#texts.set(unit, known);
    return known;
  }

  async #text(
    { text, comments }: SourceModule,
    before: string,
    { node }: Unit["path"],
    after: string,
  ): Promise<string> {
    const bare = withoutComments(text, [startOf(node), node.end ?? 0], comments);
    return (await canonical(before + bare + after, this.#writing)) || bare;
  }

  #version(name: string): string {
    const found = this.#packages.get(name) ?? installed(name, this.#root);
    this.#packages.set(name, found);
    return found.version;
  }
}

/** The first line of a statement that has no name. */
const headOf = (text: string): string => {
  const line = text.split("\n")[0]!.replace(/[\s{;]+$/, "");
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
};

/** Records and people see the text, so that it has no password; another password is still another text. */
function safe(text: string): string {
  const shown = redactText(text, []);
  return shown === text ? text : `${shown}\n// ${digestOf(text)}`;
}
