// Compiles a Datafile and the project's modules that it imports into one JavaScript file, cached by their content. Knows nothing of rules.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { BuildFailure, Message, Metafile, Plugin } from "esbuild";
import { type Failure, fail, ok, type Place, type Result } from "../core/failure.js";
import { digestOf } from "../core/fingerprint.js";
import { replace } from "./cache-file.js";
import type { Reach } from "./reach.js";
import { isKept, type Kept, reachAt } from "./reach-kept.js";
import type { ProjectFile } from "./reach-module.js";
import { isAsLooked } from "./reach-package.js";
import { isResolution, isResolvedAlike, type Resolution, resolutionOf } from "./resolution.js";

export interface Bundle {
  /** The compiled file, absolute. */
  readonly path: string;
  /** Digest of the code alone: comments, types and formatting do not change it. */
  readonly code: string;
  /** The Datafile and the modules of the project that it imports, absolute. */
  readonly sources: readonly string[];
  /** What the function reaches that is given to `script` at a place, as a stack names it; nothing where that cannot be told. */
  readonly reach: (at: Place) => Reach | undefined;
  /** All packages that the code imports: a function of which nothing is told may use any. */
  readonly packages: Kept["packages"];
  /** Values that come from the world while the Datafile is evaluated, with the same reason. */
  readonly world: Kept["world"];
  /** Removes the compiled file if it is not kept. */
  readonly dispose: () => void;
}

interface Cached extends Kept {
  readonly key: string;
  /** Digest of the compiled file as it was written. */
  readonly compiled: string;
  readonly code: string;
  readonly sources: readonly { readonly path: string; readonly digest: string }[];
  readonly resolution: Resolution;
}

const version = 7;

/**
 * Answers the compiled Datafile, from the cache if none of its sources has changed, nor what its imports mean. `cache` is a folder inside the
 * project, so that packages are found from there; without it nothing is written in the project.
 */
export async function bundle(
  datafile: string,
  options: { readonly cache: string; readonly writable: boolean },
): Promise<Result<Bundle>> {
  const path = join(options.cache, "datafile.mjs");
  const manifest = join(options.cache, "datafile.json");
  const key = digestOf(JSON.stringify([version, process.version, datafile, toolEntry()]));
  const cached = readCached(manifest, { key, path });
  if (cached) return ok({ ...answerOf(cached), path, dispose: () => {} });
  const built = await compile(datafile);
  if (!built.ok) return built;
  const { text, map, files, resolution } = built.value;
  // Where dmake and the project lie is no part of what the code does: a moved project stays fresh.
  const code = digestOf(text.replaceAll(toolEntry(), "dmake").replaceAll(dirname(datafile), "."));
  const compiled = `${text}\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString("base64")}\n`;
  const [{ transform }, { reachesOf }] = await Promise.all([import("esbuild"), import("./reach.js")]);
  const found = await reachesOf({ root: dirname(datafile), files, compiled: withOwnMeta, transform });
  const sources = files.map(({ path, digest }) => ({ path, digest }));
  const entry: Cached = { key, code, sources, compiled: digestOf(compiled), resolution, ...found };
  if (options.writable && keep(options.cache, { path, manifest, compiled, entry }))
    return ok({ ...answerOf(entry), path, dispose: () => {} });
  return ok({ ...answerOf(entry), ...writeAside(compiled, dirname(datafile)) });
}

const answerOf = (entry: Cached): Pick<Bundle, "code" | "packages" | "sources" | "reach" | "world"> => ({
  code: entry.code,
  packages: entry.packages,
  sources: entry.sources.map(({ path }) => path),
  reach: (at) => reachAt(entry, at),
  world: entry.world,
});

/** Whether it could be kept: a disk that refuses costs the next run some milliseconds, and this run nothing. */
function keep(
  cache: string,
  file: {
    readonly path: string;
    readonly manifest: string;
    readonly compiled: string;
    readonly entry: Cached;
  },
): boolean {
  try {
    // The Datafile may hold a secret and be its owner's alone; so is its copy. Other folders of dmake's may be shared.
    mkdirSync(dirname(cache), { recursive: true });
    mkdirSync(cache, { recursive: true, mode: 0o700 });
    chmodSync(cache, 0o700);
    rmSync(file.manifest, { force: true });
    replace(file.path, file.compiled);
    replace(file.manifest, JSON.stringify(file.entry));
    return true;
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).syscall === "string") return false;
    throw error;
  }
}

/** What a Datafile gets for `import … from "dmake"`: the very module that runs now, installed or not. */
export const toolEntry = (): string => new URL("../index.js", import.meta.url).href;

function readCached(
  manifest: string,
  { key, path }: { readonly key: string; readonly path: string },
): Cached | undefined {
  let cached: Partial<Cached> | null;
  try {
    cached = JSON.parse(readFileSync(manifest, "utf8")) as Partial<Cached> | null;
  } catch {
    return undefined;
  }
  if (cached?.key !== key || !isWhole(cached)) return undefined;
  const parts = [...cached.sources, { path, digest: cached.compiled }];
  const isFresh =
    parts.every((part) => digestOfFile(part.path) === part.digest) &&
    isResolvedAlike(cached.resolution) &&
    cached.looked.every(isAsLooked);
  return isFresh ? cached : undefined;
}

const isWhole = (cached: Partial<Cached>): cached is Cached =>
  typeof cached.compiled === "string" &&
  typeof cached.code === "string" &&
  Array.isArray(cached.sources) &&
  isResolution(cached.resolution) &&
  isKept(cached);

function digestOfFile(path: string): string | undefined {
  try {
    return digestOf(readFileSync(path));
  } catch {
    return undefined;
  }
}

/** For a run that must not write in the project: a folder of its own, with the project's packages in reach. */
function writeAside(text: string, root: string): Pick<Bundle, "path" | "dispose"> {
  const folder = mkdtempSync(join(tmpdir(), "dmake-"));
  const path = join(folder, "datafile.mjs");
  const packages = packagesOf(root);
  if (packages !== undefined) symlinkSync(packages, join(folder, "node_modules"));
  writeFileSync(path, text, { mode: 0o600 });
  return { path, dispose: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The nearest `node_modules`: in a workspace it may lie above the project. */
function packagesOf(folder: string): string | undefined {
  const packages = join(folder, "node_modules");
  if (existsSync(packages)) return packages;
  return dirname(folder) === folder ? undefined : packagesOf(dirname(folder));
}

interface Compiled {
  readonly text: string;
  readonly map: string;
  readonly files: readonly ProjectFile[];
  readonly resolution: Resolution;
}

async function compile(datafile: string): Promise<Result<Compiled>> {
  const { build } = await import("esbuild");
  const read = new Map<string, Buffer>();
  try {
    const root = dirname(datafile);
    const result = await build({
      entryPoints: [datafile],
      absWorkingDir: root,
      outfile: join(root, ".dmake/cache/datafile.mjs"),
      bundle: true,
      write: false,
      format: "esm",
      platform: "node",
      target: "node20",
      packages: "external",
      sourcemap: "external",
      sourcesContent: true,
      metafile: true,
      logLevel: "silent",
      legalComments: "none",
      plugins: [ownModule, moduleReader(read)],
    });
    const [map, code] = result.outputFiles[0]?.path.endsWith(".map")
      ? result.outputFiles
      : [...result.outputFiles].reverse();
    const files = filesOf(result.metafile, root, read);
    const resolution = resolutionOf(datafile, result.metafile.inputs);
    const where = placed(map?.text ?? "{}", join(root, ".dmake/cache"));
    return ok({ text: code?.text ?? "", map: where, files, resolution });
  } catch (error) {
    const first = (error as BuildFailure).errors?.[0];
    if (!first) throw error;
    return fail(failureOf(first, dirname(datafile)));
  }
}

/** A source map that says where its sources are, wherever the compiled file is put. */
function placed(text: string, folder: string): string {
  const map = JSON.parse(text) as { sources?: readonly string[] };
  const sources = map.sources?.map((source) => pathToFileURL(resolve(folder, source)).href) ?? [];
  return JSON.stringify({ ...map, sources });
}

function filesOf(
  { inputs }: Metafile,
  root: string,
  read: ReadonlyMap<string, Buffer>,
): readonly ProjectFile[] {
  // The compiler follows symbolic links, and a stack names where they lead. No name may tell where the project lies.
  const real = (path: string) => (existsSync(path) ? realpathSync(path) : path);
  return Object.entries(inputs).map(([input, { imports }]) => {
    const path = real(resolve(root, input));
    const bytes = read.get(path);
    const specifiers = imports.map(
      ({ original, path: found, external }) =>
        [original ?? found, external ? found : real(resolve(root, found))] as const,
    );
    return {
      name: relative(real(root), path),
      path,
      digest: bytes ? digestOf(bytes) : (digestOfFile(path) ?? ""),
      ...(bytes && { text: bytes.toString() }),
      imports: new Map(specifiers),
    };
  });
}

const ownModule: Plugin = {
  name: "dmake",
  setup(build) {
    build.onResolve({ filter: /^dmake$/ }, () => ({ path: toolEntry(), external: true }));
  },
};

/**
 * Reads modules, and notes in `read` the very bytes that are compiled: a file saved meanwhile is then
 * found changed. `import.meta` of a module keeps its meaning although its code moves into another file.
 */
const moduleReader = (read: Map<string, Buffer>): Plugin => ({
  name: "module-reader",
  setup(build) {
    build.onLoad({ filter: /\.[cm]?[jt]s$/ }, ({ path }) => {
      const bytes = readFileSync(path);
      read.set(path, bytes);
      const contents = withOwnMeta(bytes.toString(), path);
      return { contents, loader: /\.[cm]?ts$/.test(path) ? "ts" : "js" };
    });
  },
});

function withOwnMeta(text: string, path: string): string {
  const meta = { url: pathToFileURL(path).href, dirname: dirname(path), filename: path };
  return text.replace(/\bimport\.meta\.(url|dirname|filename)\b/g, (_, name: keyof typeof meta) =>
    JSON.stringify(meta[name]),
  );
}

function failureOf({ text, location }: Message, root: string): Failure {
  const unresolved = /^Could not resolve "(.*)"$/.exec(text);
  const at = location && {
    file: relative(root, resolve(root, location.file)),
    line: location.line,
    column: location.column + 1,
  };
  if (unresolved)
    return { reason: "datafile-import", specifier: unresolved[1] ?? "", message: text, ...(at && { at }) };
  return {
    reason: "datafile-syntax",
    at: at ?? { file: "Datafile.ts", line: 1 },
    message: text,
    ...(location && { lineText: location.lineText }),
  };
}
