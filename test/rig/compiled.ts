// Compiles one module of src/ with all that it imports, as threads load it. Knows nothing of what it does.
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import type { Folder } from "./project.js";

/** The URL of `src/…`, compiled into the folder. `url` is what it believes to be its own place. */
export async function compiled(project: Folder, module: string, url?: string): Promise<string> {
  const outfile = project.path(`${module.replaceAll("/", "-")}.mjs`);
  await build({
    entryPoints: [fileURLToPath(new URL(`../../src/${module}.ts`, import.meta.url))],
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
    outfile,
    ...(url && { define: { "import.meta.url": JSON.stringify(url) } }),
  });
  return pathToFileURL(outfile).href;
}
