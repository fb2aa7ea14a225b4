// What decides which file each import of a project means, besides the text of the modules. Knows nothing of what is in them.
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import type { Metafile } from "esbuild";
import { digestOf } from "../core/fingerprint.js";

/** Imports mean the same files as long as the digest is that of the places. All paths are absolute. */
export interface Resolution {
  /** What imports name, as they name it: neither links are followed nor extensions found. */
  readonly named: readonly string[];
  /** Folders in which an import looks for whatever is there, as that of a template does. */
  readonly searched: readonly string[];
  /** Files that say how to resolve and compile, there or not: `tsconfig.json` and those that it extends, `package.json`. */
  readonly settings: readonly string[];
  readonly digest: string;
}

type Places = Omit<Resolution, "digest">;

/** What the compiler may add to a name, or put in place of its extension. */
const extensions = ["", ".tsx", ".ts", ".jsx", ".js", ".css", ".json", ".mts", ".cts"];

const settingNames = ["tsconfig.json", "jsconfig.json", "package.json"];

export function resolutionOf(datafile: string, inputs: Metafile["inputs"]): Resolution {
  const root = dirname(datafile);
  const named = new Set([datafile]);
  const searched = new Set<string>();
  const packages = new Set<string>();
  const importers = Object.keys(inputs).map((input) => resolve(root, input));
  for (const [input, { imports }] of Object.entries(inputs)) {
    const importer = resolve(root, input);
    for (const { path, original = path, external } of imports) {
      const isRelative = /^\.\.?(\/|$)/.test(original);
      if (isRelative && original.includes("*"))
        searched.add(resolve(dirname(importer), original.split("*")[0]!.replace(/[^/]*$/, "")));
      else if (isRelative) named.add(resolve(dirname(importer), original));
      else {
        packages.add(original);
        // Whatever it was found by, something nearer may be found by that later.
        if (!external) for (const one of shorter(resolve(root, path))) named.add(one);
      }
    }
  }
  const folders = new Set([...importers, ...named].flatMap((path) => upwards(dirname(path))));
  const settings = withExtended(
    [...folders].flatMap((folder) => settingNames.map((name) => join(folder, name))),
  );
  for (const path of settings) for (const one of mapped(path, packages)) named.add(one);
  const places = { named: [...named], searched: [...searched], settings };
  return { ...places, digest: digestOf(stateOf(places)) };
}

export const isResolvedAlike = ({ digest, ...places }: Resolution): boolean =>
  digestOf(stateOf(places)) === digest;

/** Whether a value read from JSON has the form of a resolution. */
export function isResolution(value: unknown): value is Resolution {
  if (typeof value !== "object" || value === null) return false;
  const { named, searched, settings, digest } = value as Partial<Record<keyof Resolution, unknown>>;
  const areTexts = (list: unknown) => Array.isArray(list) && list.every((one) => typeof one === "string");
  return [named, searched, settings].every(areTexts) && typeof digest === "string";
}

/** `lib/index` and `lib` for `lib/index.ts`. */
function shorter(path: string): readonly string[] {
  const stem = path.slice(0, path.length - extname(path).length);
  return basename(stem) === "index" ? [path, stem, dirname(path)] : [path, stem];
}

function upwards(folder: string): readonly string[] {
  return dirname(folder) === folder ? [folder] : [folder, ...upwards(dirname(folder))];
}

function withExtended(paths: readonly string[]): readonly string[] {
  const found = new Set(paths);
  // A set that grows while it is walked is walked to its end.
  for (const path of found) {
    if (basename(path) === "package.json") continue;
    const [, list = ""] = /"extends"\s*:\s*("[^"]*"|\[[^\]]*\])/.exec(textOf(path) ?? "") ?? [];
    for (const name of literals(list))
      for (const base of basesOf(name, dirname(path)))
        for (const one of [base, `${base}.json`, join(base, "tsconfig.json")]) found.add(one);
  }
  return [...found];
}

const basesOf = (name: string, folder: string): readonly string[] =>
  /^[./]/.test(name)
    ? [resolve(folder, name)]
    : upwards(folder).map((above) => join(above, "node_modules", name));

/** What `paths` and `baseUrl` of a `tsconfig.json` make of these imports. */
function mapped(path: string, imports: ReadonlySet<string>): readonly string[] {
  const text = basename(path) === "package.json" ? "" : (textOf(path) ?? "");
  const base = /"baseUrl"\s*:\s*"([^"]*)"/.exec(text)?.[1];
  const folder = resolve(dirname(path), base ?? ".");
  const names = [...imports];
  const direct = base === undefined ? [] : names.map((name) => resolve(folder, name));
  if (!text.includes('"paths"')) return direct;
  const pairs = [...text.matchAll(/"([^"]*)"\s*:\s*\[([^\]]*)\]/g)];
  const made = pairs.flatMap(([, pattern = "", list = ""]) => {
    const [before = "", after] = pattern.split("*");
    const fits = names.filter((name) =>
      after === undefined ? name === pattern : name.startsWith(before) && name.endsWith(after),
    );
    return fits.flatMap((name) => {
      const star = name.slice(before.length, name.length - (after ?? "").length);
      return literals(list).map((to) =>
        resolve(
          folder,
          to.replace("*", () => star),
        ),
      );
    });
  });
  return [...direct, ...made];
}

const literals = (text: string): readonly string[] =>
  [...text.matchAll(/"([^"]*)"/g)].map(([, inner = ""]) => inner);

/** All that decides, as one text. Names are asked for one by one: a folder may hold 100 000 files of data. */
function stateOf({ named, searched, settings }: Places): string {
  const parts = settings.map((path) => textOf(path) ?? null);
  const names = named.flatMap((path) => candidates(path).map(standing));
  const trees = searched.map((folder) => namesIn(folder));
  return JSON.stringify([parts, names, trees]);
}

function candidates(path: string): readonly string[] {
  const extended = (stem: string) => extensions.map((extension) => stem + extension);
  const stem = path.replace(/\.[cm]?jsx?$/, "");
  const beside = [...new Set([...extended(path), ...extended(stem)])];
  if (!stat(path)?.isDirectory()) return beside;
  return [...beside, ...extended(join(path, "index"))];
}

/** Where a name leads to: nothing where nothing is there. */
function standing(path: string): string | null {
  const found = stat(path);
  if (!found) return null;
  const real = realpathSync.native(path);
  if (!found.isDirectory()) return real;
  return `${real}/ ${textOf(join(path, "package.json")) ?? ""}`;
}

function textOf(path: string): string | undefined {
  return stat(path)?.isFile() ? readFileSync(path, "utf8") : undefined;
}

/** Nothing as well where the name goes through a file, or links lead in a circle. */
function stat(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).syscall === "string") return undefined;
    throw error;
  }
}

function namesIn(folder: string): readonly string[] {
  if (!stat(folder)?.isDirectory()) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.([cm]?[jt]sx?|json)$/.test(name) && !/(^|\/)(node_modules|\.dmake)\//.test(name))
    .sort();
}
