// A project whose recipes take their time, start processes of their own, and tell outside what they do. Knows nothing of who disturbs them.
import type { Sources } from "../rig/faults.js";

/** What recipes of this project find in their environment. */
export type Surroundings = {
  /** A folder outside the project. `log` in it has a line for each recipe that began. */
  readonly FAULTS_OUTSIDE: string;
  /** Found in the environment of every process that one trial has started. */
  readonly FAULTS_MARK: string;
};

const written = (name: string, from: string, work: string): string =>
  `export const ${name} = sh("out/${name}.txt", { from: ${from} }, ({ $, input, output }) => $\`
    echo ${name} >> "$FAULTS_OUTSIDE/log"
    ${work}\`);
`;

/** Half of the output first, the rest a moment later. */
const inTwo = "head -n 2 ${input} > ${output}; sleep 0.1; tail -n +3 ${input} >> ${output}";

/** Somebody in the background writes to the output all the while, and would go on for 20 s. */
const withHelper = `( n=0; while [ $n -lt 1000 ]; do echo late >> \${output}; sleep 0.02; n=$((n+1)); done ) &
    helper=$!; sleep 0.1; kill $helper; wait $helper || true; cp \${input} \${output}`;

/** The same in a session of its own, which no signal to the group of the recipe reaches. */
const withStranger = `FAULTS_STRANGER=1 setsid sh -c 'n=0; while [ $n -lt 1000 ]; do echo late >> "$1"; sleep 0.02; n=$((n+1)); done' - \${output} &
    sleep 0.1; kill $!; wait $! || true; cp \${input} \${output}`;

const datafile = `import { script, sh } from "dmake";
import { readFile, writeFile } from "node:fs/promises";
${written("one", '"in/a.txt"', inTwo)}${written("two", '"in/b.txt"', withHelper)}${written("three", "one", inTwo)}${written("four", "two", "cp ${input} ${output}")}
export const pair = sh(["out/left.txt", "out/right.txt"], { from: [one, two] }, ({ $, inputs, outputs }) => $\`
    echo pair >> "$FAULTS_OUTSIDE/log"
    cat \${inputs} > \${outputs[0]}; sleep 0.05; cat \${inputs} > \${outputs[1]}\`);
export const parts = sh("out/parts/", { from: "in/a.txt" }, ({ $, input, output }) => $\`
    echo parts >> "$FAULTS_OUTSIDE/log"
    for n in 1 2 3 4; do cp \${input} \${output}/$n.txt; sleep 0.02; done\`);
export const counted = script("out/counted.json", { from: pair.all() }, async ({ inputs, output }) => {
  const texts = await Promise.all(inputs.map((name) => readFile(name, "utf8")));
  await writeFile(output, JSON.stringify(texts.map((text) => text.length)));
});
export default [three, four, pair, parts, counted];
`;

/** The names that recipes write to the log, each once in a build from scratch. */
export const recipes = ["one", "two", "three", "four", "pair", "parts"] as const;

const lines = (version: string): string => Array.from({ length: 5 }, (_, i) => `${version} ${i}\n`).join("");

export const slowProject = (version: string): Sources => ({
  "Datafile.ts": datafile,
  "in/a.txt": lines(`${version} a`),
  "in/b.txt": lines(`${version} b`),
});

/** The same project with somebody in it who has left its process group. */
export const strangeProject = (version: string): Sources => ({
  ...slowProject(version),
  "Datafile.ts": datafile.replace(
    "export default [",
    () => `${written("strange", '"in/b.txt"', withStranger)}export default [strange, `,
  ),
});
