// Asks of a project in a real folder what the functions of its recipes reach. Knows nothing of what a test expects.
import assert from "node:assert/strict";
import { join } from "node:path";
import { bundle } from "../../src/datafile/bundle.js";
import type { Reach } from "../../src/datafile/reach.js";
import { Folder } from "./project.js";
import { must } from "./world.js";

/** File → its text. */
export type Sources = Readonly<Record<string, string>>;

/** What stands before the text of every Datafile here. */
const head = `import { months, param, script, sh } from "dmake";\n`;

/** A Datafile whose one function recipe has this body, and that begins with these lines. */
export const recipe = (body: string, before = ""): string =>
  `${head}${before}\nexport const made = script("made", {}, async ({ output, log }) => {\n  ${body}\n});\n`;

/** The reaches of all calls in a file whose callee is written like this, in their order; nothing for a call that cannot be judged. */
export async function reachesIn(
  folder: Folder,
  { file = "Datafile.ts", callee = "script(" }: { readonly file?: string; readonly callee?: string } = {},
): Promise<readonly (Reach | undefined)[]> {
  const { reach, dispose } = must(
    await bundle(folder.path("Datafile.ts"), { cache: join(folder.root, ".dmake/cache"), writable: false }),
  );
  dispose();
  return folder
    .read(file)
    .split("\n")
    .flatMap((line, i) =>
      [...line.matchAll(new RegExp(`(?<![\\w$])${callee.replace(/[($.]/g, "\\$&")}`, "g"))].map(({ index }) =>
        reach({ file: folder.path(file), line: i + 1, column: index + 1 }),
      ),
    );
}

/** Works on a folder with these files. */
export async function inSources<T>(sources: Sources, work: (folder: Folder) => Promise<T>): Promise<T> {
  const folder = new Folder();
  try {
    for (const [name, text] of Object.entries(sources)) folder.write(name, text);
    return await work(folder);
  } finally {
    folder.remove();
  }
}

/** What the one function recipe of the Datafile reaches. */
export const reachOf = (sources: Sources): Promise<Reach> =>
  inSources(sources, async (folder) => {
    const [reach] = await reachesIn(folder);
    assert(reach, "the call cannot be judged");
    return reach;
  });

export const partsOf = async (sources: Sources): Promise<Reach["parts"]> => (await reachOf(sources)).parts;

export const unseenIn = async (sources: Sources): Promise<readonly string[]> =>
  (await reachOf(sources)).unseen.map(({ name }) => name);

/** The names of the parts that differ, came or went. */
export async function changed(before: Sources, after: Sources): Promise<readonly string[]> {
  const [old, now] = [await partsOf(before), await partsOf({ ...before, ...after })];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((name) => old[name] !== now[name])
    .sort();
}
