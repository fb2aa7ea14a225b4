// The laws of the house, checked on the text of its files: who imports whom, who sees the world, how a file opens. Knows nothing of where the files are.
import { posix } from "node:path";
import { type Comment, type ParseResult, parseSync } from "oxc-parser";

/** Path from the repository's root, as `src/core/rule.ts` → text. */
export type Files = ReadonlyMap<string, string>;

/** One file, parsed. `room` is its folder in `src/`, and `index` for `src/index.ts`. */
interface Source {
  readonly path: string;
  readonly room: string;
  readonly text: string;
  readonly parsed: ParseResult;
  readonly imports: readonly Import[];
}

interface Import {
  /** `src/core/rule.ts` for a file of the house, `node:fs` for anything else. */
  readonly from: string;
  readonly names: readonly string[];
  readonly start: number;
}

/** What is wrong, and where it begins in the text. */
interface Breach {
  readonly start: number;
  readonly law: string;
}

/** Room → the rooms, or the single files, that it may import besides its own. */
const rooms: Readonly<Record<string, readonly string[]>> = {
  index: ["core", "datafile"],
  cli: ["engine", "core", "stores", "recipes", "postgres", "duckdb", "datafile", "system"],
  engine: ["core"],
  stores: ["core", "src/engine/ports.ts", "postgres", "system"],
  recipes: ["core", "src/engine/ports.ts", "duckdb", "postgres", "system"],
  postgres: ["core", "system"],
  system: ["src/engine/ports.ts"],
  duckdb: ["core"],
  datafile: ["core"],
  core: [],
};

const pure: Readonly<Record<string, readonly string[]>> = {
  "node:assert": ["strict"],
  "node:assert/strict": ["default"],
  "node:crypto": ["createHash"],
};

/** Rooms that may use nothing else from outside the house: module → names. Each of these gives the same answer for the same arguments. */
const outside: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  // A file that is gzip inside is recognised by its first unpacked bytes.
  core: { ...pure, "node:zlib": ["constants", "gunzipSync"] },
  // An attempt needs an id that no other attempt on any machine has.
  engine: { ...pure, "node:crypto": ["createHash", "randomBytes", "randomUUID"] },
  index: pure,
};

/** What a file outside `cli/` may know of the process it runs in, and why. All else it is given, or leaves to `cli/main.ts`. */
const processFacts: Readonly<Record<string, string>> = {
  arch: "chooses the server's binaries; the same for as long as the process lives",
  platform: "likewise",
  version: "tells one compiled Datafile from another's; likewise",
  getuid: "PostgreSQL refuses root; likewise",
  pid: "names temporary files and the owner of a lock",
  kill: "ends a recipe's whole process group, and asks whether the owner of a lock lives: `ChildProcess.kill` can do neither",
};

const allowedOfProcess = Object.keys(processFacts).map((name) => `process.${name}`);

/** What an import of everything is called in `names`. */
const wholly: readonly string[] = ["default", "*"];

const clocks: readonly string[] = [
  "performance",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "crypto",
  "fetch",
];

/** What a benchmark may use of the rest. All else it has the built program do, as a person would: what is measured is that. */
const benchMay: readonly string[] = [
  "src/duckdb/session.ts",
  "src/postgres/types.ts",
  "test/rig/postgres.ts",
];

/** All breaches of all laws, as `src/core/rule.ts:3: core may not import …`, in the order of the files. */
export function problemsOf(files: Files): readonly string[] {
  return [...files].flatMap(([path, text]) => {
    const source = read(path, text);
    const laws = [syntaxLaw, openingLaw, importLaw, recipeLaw, outsideLaw, processLaw, clockLaw];
    return laws.flatMap((law) =>
      law(source).map(({ start, law: broken }) => `${path}:${lineAt(text, start)}: ${broken}`),
    );
  });
}

/** The same of the files of `bench/`, which has fewer laws: it may see the world, but not the inside of dmake. */
export function problemsOfBench(files: Files): readonly string[] {
  return [...files].flatMap(([path, text]) => {
    const source = read(path, text);
    return [syntaxLaw, openingLaw, benchLaw].flatMap((law) =>
      law(source).map(({ start, law: broken }) => `${path}:${lineAt(text, start)}: ${broken}`),
    );
  });
}

function benchLaw({ imports }: Source): Breach[] {
  return imports
    .filter(({ from }) => !isPackage(from) && !from.startsWith("bench/") && !benchMay.includes(from))
    .map(({ from, start }) => ({ start, law: `a benchmark may not import ${from}: it has the program run` }));
}

const lineAt = (text: string, start: number): number => text.slice(0, start).split("\n").length;

function read(path: string, text: string): Source {
  const parsed = parseSync(path, text);
  const [, first = "", ...rest] = path.split("/");
  const room = rest.length > 0 ? first : first.replace(/\.ts$/, "");
  const from = (specifier: string) =>
    specifier.startsWith(".")
      ? posix.join(posix.dirname(path), specifier).replace(/\.js$/, ".ts")
      : specifier;
  const { staticImports, staticExports, dynamicImports } = parsed.module;
  const imports: Import[] = [
    ...staticImports.map(({ moduleRequest, entries, start }) => ({
      from: from(moduleRequest.value),
      names: entries.map(
        ({ importName }) => importName.name ?? (importName.kind === "Default" ? "default" : "*"),
      ),
      start,
    })),
    ...staticExports.flatMap(({ entries, start }) =>
      entries.flatMap(({ moduleRequest, importName }) =>
        moduleRequest ? [{ from: from(moduleRequest.value), names: [importName.name ?? "*"], start }] : [],
      ),
    ),
    ...dynamicImports.map(({ moduleRequest, start }) => {
      const written = text.slice(moduleRequest.start, moduleRequest.end);
      return {
        from: /^["'`][^$]*["'`]$/.test(written) ? from(written.slice(1, -1)) : written,
        names: ["*"],
        start,
      };
    }),
  ];
  return { path, room, text, parsed, imports };
}

function syntaxLaw({ parsed }: Source): Breach[] {
  return parsed.errors.map(({ message, labels }) => ({
    start: labels[0]?.start ?? 0,
    law: `cannot be parsed: ${message}`,
  }));
}

/** The first thing in a file says what it does, and what it does not know. */
function openingLaw({ text, parsed }: Source): Breach[] {
  const begin = parsed.program.hashbang ? text.indexOf("\n") + 1 : 0;
  const opening = openingOf(text, parsed.comments, begin);
  if (opening === "") return [{ start: begin, law: "opens with no comment that says what it does" }];
  if (/\b(nothing of|knows? (no|none|nothing)|not know)\b/i.test(opening)) return [];
  return [{ start: begin, law: "its opening does not say what it knows nothing of" }];
}

/** The comments with nothing but white space before and between them. */
function openingOf(text: string, comments: readonly Comment[], begin: number): string {
  let end = begin;
  let opening = "";
  for (const comment of comments) {
    if (text.slice(end, comment.start).trim() !== "" || text.slice(end, comment.start).includes("\n\n"))
      break;
    opening += comment.value;
    end = comment.end;
  }
  return opening.trim();
}

/** `node:fs` and `pg`, but neither a file nor the tool itself. */
const isPackage = (from: string): boolean => !/^(src|test|bench|dist|\.\.)\/|^dmake$|\.[jt]s$/.test(from);

const roomOf = (path: string): string => path.split("/").slice(1, -1)[0] ?? posix.basename(path, ".ts");

function importLaw({ room, imports }: Source): Breach[] {
  const allowed = rooms[room];
  if (!allowed) return [{ start: 0, law: `the house has no room \`${room}\`` }];
  return imports.flatMap(({ from, start }) => {
    if (isPackage(from)) return [];
    if (!from.startsWith("src/")) return [{ start, law: `imports \`${from}\`, which is not in the house` }];
    const other = roomOf(from);
    if (other === room || allowed.includes(other) || allowed.includes(from)) return [];
    const may = allowed.map((name) => name.replace("src/", "")).join(", ") || "no other room";
    return [{ start, law: `${room} may not import ${from.replace("src/", "")}: it may import ${may}` }];
  });
}

/** Recipes are strangers to one another: `download.ts` may import `download-http.ts`, and `load.ts` may not. */
function recipeLaw({ path, room, imports }: Source): Breach[] {
  if (room !== "recipes") return [];
  const family = (file: string) => /^[a-z0-9]+/.exec(posix.basename(file))?.[0];
  return imports
    .filter(({ from }) => from.startsWith("src/recipes/") && family(from) !== family(path))
    .map(({ from, start }) => ({ start, law: `one recipe may not import another: ${posix.basename(from)}` }));
}

function outsideLaw({ room, imports }: Source): Breach[] {
  const allowed = outside[room];
  if (!allowed) return [];
  return imports
    .filter(({ from }) => !from.startsWith("src/"))
    .flatMap(({ from, names, start }) =>
      names
        .filter((name) => !allowed[from]?.includes(name))
        .map((name) => ({
          start,
          law: `${room} does no input or output: it may not use \`${name}\` of \`${from}\``,
        })),
    );
}

/** Outside `cli/` nobody prints, exits, reads the environment or hears signals. A process imported whole is refused where it is imported. */
function processLaw({ room, parsed, imports }: Source): Breach[] {
  if (room === "cli") return [];
  const imported = imports
    .filter(({ from }) => /^(node:)?(process|console)$/.test(from))
    .flatMap(({ names, start }) =>
      names.map((name) => ({ what: wholly.includes(name) ? "process" : `process.${name}`, start })),
    );
  const isWhole = imported.some(({ what }) => what === "process");
  const used = namesIn(parsed.program).flatMap(({ name, member, start }) => {
    if (name === "console" || name === "globalThis") return [{ what: name, start }];
    return name === "process" && !isWhole ? [{ what: member ? `process.${member}` : name, start }] : [];
  });
  return [...imported, ...used]
    .filter(({ what }) => !allowedOfProcess.includes(what))
    .map(({ what, start }) => ({ start, law: `only cli/ may use \`${what}\`` }));
}

/** `core/` has no clock and no dice: the same arguments, the same answer. */
function clockLaw({ room, parsed }: Source): Breach[] {
  if (room !== "core") return [];
  return namesIn(parsed.program).flatMap(({ name, member, call, start }) => {
    const whole = member ? `${name}.${member}` : name;
    const isClock =
      clocks.includes(name) ||
      whole === "Date.now" ||
      whole === "Math.random" ||
      (name === "Date" && !member && call !== undefined && call.arguments === 0);
    return isClock ? [{ start, law: `core has no clock and no dice: \`${whole}\`` }] : [];
  });
}

/** A name that is used as a value: `process` with member `env`, or `Date` called with so many arguments. */
interface Use {
  readonly name: string;
  readonly member?: string;
  readonly call?: { readonly arguments: number };
  readonly start: number;
}

type Tree = { readonly type: string; readonly start: number } & Readonly<Record<string, unknown>>;

const isTree = (value: unknown): value is Tree =>
  typeof value === "object" && value !== null && "type" in value;

/** Every identifier that stands for a value, but not those that only name a property. Locals of the same name count too. */
function namesIn(tree: unknown, parent?: Tree): Use[] {
  if (Array.isArray(tree)) return tree.flatMap((one) => namesIn(one, parent));
  if (!isTree(tree)) return [];
  if (tree.type === "Identifier") return isKey(tree, parent) ? [] : [useOf(tree, parent)];
  return Object.values(tree).flatMap((child) => (typeof child === "object" ? namesIn(child, tree) : []));
}

function useOf(identifier: Tree, parent: Tree | undefined): Use {
  const use = { name: String(identifier.name), start: identifier.start };
  if (parent?.type === "MemberExpression" && parent.object === identifier) {
    const property = parent.property as Tree;
    return { ...use, member: parent.computed ? "*" : String(property.name) };
  }
  if (!/^(New|Call)Expression$/.test(parent?.type ?? "") || parent?.callee !== identifier) return use;
  return { ...use, call: { arguments: (parent.arguments as unknown[]).length } };
}

function isKey(identifier: Tree, parent: Tree | undefined): boolean {
  if (!parent || parent.computed) return false;
  if (parent.type === "MemberExpression") return parent.property === identifier;
  if (parent.type === "Property") return parent.key === identifier && !parent.shorthand;
  return /^(MethodDefinition|PropertyDefinition|TSPropertySignature|TSMethodSignature|TSQualifiedName|ImportSpecifier)$/.test(
    parent.type,
  );
}
