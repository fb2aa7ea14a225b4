// The projects that engines are measured with: their sources, their steps, what must come out, and their Datafile. Knows nothing of the other tools, and writes no file.

/** One target, made from names by one line of a shell. */
export interface Step {
  readonly target: string;
  readonly inputs: readonly string[];
  /** In dash and bash alike, of builtins only: what is measured is the tool. `$` stands for itself. */
  readonly command: string;
  /** Steps of different chains need nothing of one another. */
  readonly chain: number;
}

export interface Workload {
  readonly name: WorkloadName;
  /** In words, for a heading: `10,000 targets in chains of 3`. */
  readonly what: string;
  /** Name → content; each is one line. */
  readonly sources: ReadonlyMap<string, string>;
  /** Each after what it needs. */
  readonly steps: readonly Step[];
  /** What nothing else is made of: what a build is asked for. */
  readonly goals: readonly string[];
  readonly datafile: string;
  /** With wildcards, since it has no other rules; nothing where it cannot go that deep. */
  readonly snakefile: string | undefined;
  /** GNU Make's pattern rules in the place of one rule a target: `[target, input]` with `%`. */
  readonly patterns: readonly (readonly [target: string, input: string])[];
  /** The source that is touched or changed, and how many recipes are then to run. */
  readonly edited: { readonly source: string; readonly recipes: number };
}

export type WorkloadName = "wide" | "deep" | "fanin" | "parts" | "explicit";

export const workloadNames: readonly WorkloadName[] = ["wide", "deep", "fanin", "parts", "explicit"];

const copy = (input: string, target: string): string => `read x < ${input}; echo "$x" > ${target}`;

/** A recipe that copies one line, as a Datafile has it. */
const copies = '({ $, input, output }) => $`read x < ${input}; echo "$x" > ${output}`';

const letters = ["a", "b", "c"] as const;

const idOf = (n: number): string => String(n).padStart(6, "0");

const counted = (n: number): string => n.toLocaleString("en-US");

/** The workload with about `size` targets; of `fanin` so many sources. */
export function workloadOf(name: WorkloadName, size: number): Workload {
  switch (name) {
    case "wide":
      return wide(size);
    case "explicit":
      return explicit(size);
    case "parts":
      return parts(size);
    case "deep":
      return deep(size);
    case "fanin":
      return fanin(size);
  }
}

/** What is in each target when all is built, from what is in the sources. */
export function expected(workload: Workload, sources: ReadonlyMap<string, string>): Map<string, string> {
  const all = new Map(sources);
  const contents = new Map<string, string>();
  for (const { target, inputs, command } of workload.steps) {
    const words = [...command.matchAll(/read (\w) < (\S+);/g)].map(([, , input = ""]) => {
      if (!inputs.includes(input)) throw new Error(`bug: ${target} reads ${input} and does not say so`);
      return all.get(input)!;
    });
    const made = [...words, ...(workload.name === "fanin" ? [String(inputs.length)] : [])].join(" ");
    all.set(target, made);
    contents.set(target, made);
  }
  return contents;
}

/** Chains of three copies: `a` of a source, `b` of `a`, `c` of `b`. */
function chains(
  ids: readonly string[],
  nameOf: (letter: string, id: string) => string,
  of: (id: string) => string,
) {
  return ids.flatMap((id, chain) =>
    letters.map((letter, place): Step => {
      const input = place === 0 ? of(id) : nameOf(letters[place - 1]!, id);
      const target = nameOf(letter, id);
      return { target, inputs: [input], command: copy(input, target), chain };
    }),
  );
}

function rows(size: number) {
  const ids = Array.from({ length: Math.max(1, Math.round(size / 3)) }, (_, n) => idOf(n));
  const sourceOf = (id: string) => `src/${id}.txt`;
  const steps = chains(ids, (letter, id) => `out/${letter}_${id}.txt`, sourceOf);
  return {
    sources: new Map(ids.map((id, n) => [sourceOf(id), String(n)])),
    steps,
    goals: ids.map((id) => `out/c_${id}.txt`),
    edited: { source: sourceOf(ids[ids.length >> 1]!), recipes: 3 },
    count: ids.length,
  };
}

function wide(size: number): Workload {
  const { count, ...all } = rows(size);
  const ids = `Array.from({ length: ${count} }, (_, n) => String(n).padStart(6, "0"))`;
  const datafile = `import { sh } from "dmake";
export const a = sh("out/a_{i}.txt", { from: "src/{i}.txt", where: { i: ${ids} } }, ${copies});
export const b = sh("out/b_{i}.txt", { from: a }, ${copies});
export const c = sh("out/c_{i}.txt", { from: b }, ${copies});
export default [c];
`;
  const snakefile = `ids = [f"{n:06d}" for n in range(${count})]
rule all:
  input: expand("out/c_{i}.txt", i=ids)
${snakeRules([
  ["out/a_{i}.txt", "src/{i}.txt"],
  ["out/b_{i}.txt", "out/a_{i}.txt"],
  ["out/c_{i}.txt", "out/b_{i}.txt"],
])}`;
  const what = `${counted(all.steps.length)} targets in chains of 3, by patterns`;
  return { name: "wide", what, ...all, datafile, snakefile, patterns: [] };
}

function explicit(size: number): Workload {
  const { count, ...all } = rows(size);
  const rule = (target: string, from: string) => `sh(\`${target}\`, { from: \`${from}\` }, ${copies})`;
  const datafile = `import { sh } from "dmake";
const all = [];
for (let n = 0; n < ${count}; n++) {
  const i = String(n).padStart(6, "0");
  ${rule("out/a_${i}.txt", "src/${i}.txt")};
  ${rule("out/b_${i}.txt", "out/a_${i}.txt")};
  all.push(${rule("out/c_${i}.txt", "out/b_${i}.txt")});
}
export default all;
`;
  const what = `${counted(all.steps.length)} targets in chains of 3, one rule each`;
  return { name: "explicit", what, ...all, datafile, snakefile: undefined, patterns: [] };
}

/** Datasets × 100 months × 3. */
function parts(size: number): Workload {
  const sets = Array.from({ length: Math.max(1, Math.round(size / 300)) }, (_, n) => `s${n}`);
  const months = Array.from(
    { length: 100 },
    (_, n) => `${2000 + Math.floor(n / 12)}-${String((n % 12) + 1).padStart(2, "0")}`,
  );
  const ids = sets.flatMap((set) => months.map((month) => `${set}/${month}`));
  const folders = { a: "raw", b: "clean", c: "sum" } as const;
  const nameOf = (letter: string, id: string) => `${folders[letter as "a" | "b" | "c"]}/${id}.csv`;
  const sourceOf = (id: string) => `src/${id}.csv`;
  const steps = chains(ids, nameOf, sourceOf);
  const datafile = `import { months, sh } from "dmake";
const set = Array.from({ length: ${sets.length} }, (_, n) => \`s\${n}\`);
const month = months("${months[0]}", "${months.at(-1)}");
export const a = sh("raw/{set}/{month}.csv", { from: "src/{set}/{month}.csv", where: { set, month } }, ${copies});
export const b = sh("clean/{set}/{month}.csv", { from: a }, ${copies});
export const c = sh("sum/{set}/{month}.csv", { from: b }, ${copies});
export default [c];
`;
  const snakefile = `sets = [f"s{n}" for n in range(${sets.length})]
months = [f"{2000 + n // 12}-{n % 12 + 1:02d}" for n in range(100)]
rule all:
  input: expand("sum/{set}/{month}.csv", set=sets, month=months)
${snakeRules([
  ["raw/{set}/{month}.csv", "src/{set}/{month}.csv"],
  ["clean/{set}/{month}.csv", "raw/{set}/{month}.csv"],
  ["sum/{set}/{month}.csv", "clean/{set}/{month}.csv"],
])}`;
  return {
    name: "parts",
    what: `${counted(steps.length)} targets: ${sets.length} datasets, 100 months, 3 steps, by patterns`,
    sources: new Map(ids.map((id) => [sourceOf(id), id])),
    steps,
    goals: ids.map((id) => nameOf("c", id)),
    datafile,
    snakefile,
    patterns: [
      ["raw/%.csv", "src/%.csv"],
      ["clean/%.csv", "raw/%.csv"],
      ["sum/%.csv", "clean/%.csv"],
    ],
    edited: { source: sourceOf(ids[ids.length >> 1]!), recipes: 3 },
  };
}

/** One chain. Its last target has a source of its own, so that a change need not run all of it. */
function deep(size: number): Workload {
  const last = size - 1;
  const nameOf = (n: number) => (n < 0 ? "src/0.txt" : `out/${n}.txt`);
  const steps = Array.from({ length: size }, (_, n): Step => {
    const [input, target] = [nameOf(n - 1), nameOf(n)];
    if (n < last) return { target, inputs: [input], command: copy(input, target), chain: 0 };
    const command = `read x < ${input}; read y < src/top.txt; echo "$x $y" > ${target}`;
    return { target, inputs: [input, "src/top.txt"], command, chain: 0 };
  });
  const datafile = `import { sh } from "dmake";
let last = sh("out/0.txt", { from: "src/0.txt" }, ${copies});
for (let n = 1; n < ${last}; n++) last = sh(\`out/\${n}.txt\`, { from: last }, ${copies});
export default [
  sh("out/${last}.txt", { from: [last, "src/top.txt"] }, ({ $, inputs, output }) =>
    $\`read x < \${inputs[0]}; read y < \${inputs[1]}; echo "$x $y" > \${output}\`),
];
`;
  const snakefile = `rule top:
  input: "out/${last - 1}.txt", "src/top.txt"
  output: "out/${last}.txt"
  shell: 'read x < {input[0]}; read y < {input[1]}; echo "$x $y" > {output}'
rule link:
  input: lambda w: f"out/{int(w.n) - 1}.txt" if int(w.n) else "src/0.txt"
  output: r"out/{n,\\d+}.txt"
  shell: 'read x < {input}; echo "$x" > {output}'
ruleorder: top > link
`;
  return {
    name: "deep",
    what: `${counted(size)} targets in one chain`,
    sources: new Map([
      ["src/0.txt", "0"],
      ["src/top.txt", "top"],
    ]),
    steps,
    goals: [nameOf(last)],
    datafile,
    // It walks the graph by recursion: "maximum recursion depth exceeded" at a chain of some 490.
    snakefile: size <= 400 ? snakefile : undefined,
    patterns: [],
    edited: { source: "src/top.txt", recipes: 1 },
  };
}

function fanin(size: number): Workload {
  const names = Array.from({ length: size }, (_, n) => `src/${idOf(n)}.txt`);
  const first = names[0]!;
  const line = (target: string) => `read x < ${first}; echo "$x ${size}" > ${target}`;
  return {
    name: "fanin",
    what: `one target of ${counted(size)} files`,
    sources: new Map(names.map((name, n) => [name, String(n)])),
    steps: [{ target: "out/all.txt", inputs: names, command: line("out/all.txt"), chain: 0 }],
    goals: ["out/all.txt"],
    datafile: `import { glob, sh } from "dmake";
export const all = sh("out/all.txt", { from: glob("src/*.txt") }, ({ $, output }) => $\`${line("${output}")}\`);
export default [all];
`,
    snakefile: `rule all:
  input: [f"src/{n:06d}.txt" for n in range(${size})]
  output: "out/all.txt"
  shell: '${line("{output}")}'
`,
    patterns: [],
    edited: { source: first, recipes: 1 },
  };
}

const snakeRules = (pairs: readonly (readonly [target: string, input: string])[]): string =>
  pairs
    .map(
      ([target, input], n) => `rule ${letters[n]}:
  input: "${input}"
  output: "${target}"
  shell: 'read x < {input}; echo "$x" > {output}'
`,
    )
    .join("");
