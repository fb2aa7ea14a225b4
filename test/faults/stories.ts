// The projects that are killed: what they are made of before and after a change, and which names others read. Knows nothing of how they are killed.
import type { Sources } from "../rig/faults.js";

export interface Story {
  readonly name: string;
  /** The project when it was built last, or nothing: then it was never built. */
  readonly before?: Version;
  readonly after: Version;
  /** Outputs that are directories: while one makes way for the next there may be none. */
  readonly directories: readonly string[];
  /** Outputs that publish all or none. */
  readonly groups: readonly (readonly string[])[];
  /** Outputs that are written where others read. */
  readonly inPlace: readonly string[];
  /** A goal that needs none of the rest: a rerun of it alone mends what a dead run has left of the others. */
  readonly aside: string;
}

interface Version {
  readonly files: Sources;
  /** Words of the command line. */
  readonly words: readonly string[];
}

const rows = (version: string, count: number): string =>
  `id,name,at\n${Array.from({ length: count }, (_, i) => `${i},${version}-${i},2024-01-0${(i % 9) + 1}\n`).join("")}`;

const imports = `import { download, param, parquet, script, sh, valuesIn } from "dmake";
import { readFile, writeFile } from "node:fs/promises";
export const aside = sh("aside.txt", { from: "in/aside.txt" }, ({ $, input, output }) => $\`cp \${input} \${output}\`);
`;
const inputs = (version: string): Sources => ({
  "in/a.csv": rows(version, 6),
  "in/zones.csv": rows(`zone-${version}`, 4),
  "in/aside.txt": "the same always\n",
  "in/names.txt": version === "v1" ? "anna\nbert\n" : "bert\ncarl\n",
});

const version = (datafile: string, of: "v1" | "v2", words: readonly string[] = []): Version => ({
  files: { "Datafile.ts": imports + datafile, ...inputs(of) },
  words,
});

const nothingSpecial = { directories: [], groups: [], inPlace: [], aside: "aside" };

const plain = `
export const upper = sh("out/upper.csv", { from: "in/a.csv" }, ({ $, input, output }) => $\`tr a-z A-Z < \${input} > \${output}\`);
export const size = script("out/size.json", { from: upper }, async ({ inputs, output }) => {
  await writeFile(output, JSON.stringify((await readFile(inputs[0]!, "utf8")).split("-")));
});
export const names = sh("out/names.txt", { from: "in/names.txt" }, ({ $, input, output }) => $\`sort \${input} > \${output}\`);
export const each = sh("each/{name}.txt", { where: { name: valuesIn(names) }, from: "in/a.csv" },
  ({ $, input, output, params }) => $\`echo \${params.name} > \${output}; cat \${input} >> \${output}\`);
export default [aside, size, each];
`;

const groups = `
export const three = sh(["three/one.csv", "three/two.csv", "other/three.csv"], { from: "in/a.csv" },
  ({ $, input, outputs }) => $\`for one in \${outputs}; do cp \${input} "$one"; done\`);
export const parts = sh("parts/", { from: "in/a.csv" }, ({ $, input, output }) => $\`split -l 2 \${input} \${output}/part-\`);
export const mixed = sh(["mixed/list.txt", "mixed/parts/", "mixed/end.txt"], { from: "in/zones.csv" },
  ({ $, input, outputs }) => $\`cp \${input} \${outputs[0]}; split -l 1 \${input} \${outputs[1]}/part-; cp \${input} \${outputs[2]}\`);
export default [aside, three, parts, mixed];
`;

const data = (origin: string) => `
const release = param("release");
export const local = download("raw/local.csv", { url: "file:in/zones.csv" });
export const web = download("raw/web.csv", { url: \`${origin}/\${release}.csv\` });
export const columns = parquet("out/a.parquet", { from: web });
export default [aside, local, columns];
`;

const inPlace = `
export const grown = sh("grown/all.csv", { from: "in/a.csv", inPlace: true }, ({ $, input, output }) => $\`cat \${input} > \${output}; echo end >> \${output}\`);
export const both = sh(["grown/x.txt", "grown/y.txt"], { from: "in/a.csv", inPlace: true },
  ({ $, input, outputs }) => $\`cp \${input} \${outputs[0]}; cp \${input} \${outputs[1]}\`);
export const copy = sh("out/copy.csv", { from: grown }, ({ $, input, output }) => $\`cp \${input} \${output}\`);
export default [aside, copy, both];
`;

/** All stories; `origin` serves `/v1.csv` and `/v2.csv`. */
export function storiesOf(origin: string): readonly Story[] {
  const groupsOf = {
    directories: ["parts/", "mixed/parts/"],
    groups: [
      ["three/one.csv", "three/two.csv", "other/three.csv"],
      ["mixed/list.txt", "mixed/parts/", "mixed/end.txt"],
    ],
  };
  const both = (
    name: string,
    datafile: string,
    special: Partial<Story> = {},
    words = (_: string): string[] => [],
  ) => {
    const after = version(datafile, "v2", words("v2"));
    const before = version(datafile, "v1", words("v1"));
    const story = { ...nothingSpecial, ...special };
    return [
      { ...story, name, before, after },
      { ...story, name: `${name}-first`, after },
    ];
  };
  return [
    ...both("files", plain),
    ...both("groups", groups, groupsOf),
    ...both("data", data(origin), {}, (release) => [`release=${release}`]),
    ...both("in-place", inPlace, { inPlace: ["grown/"] }),
  ];
}

/** What the server of the stories serves. */
export const served = (path: string): string => rows(`web-${path}`, 20);
