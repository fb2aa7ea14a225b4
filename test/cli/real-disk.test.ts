// The same properties as in memory, fewer times, with the real binary, a real shell and a real disk with its times.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { createProject, type Project } from "../rig/binary.js";
import { holds } from "../rig/property.js";

const sources = ["a", "b", "c"].map((name) => `src/${name}`);

interface Node {
  readonly form: "file" | "twins" | "directory";
  readonly from: readonly number[];
  readonly glob: boolean;
  readonly version: number;
}

type Change =
  | { readonly kind: "edit" | "older"; readonly source: number; readonly text: string }
  | { readonly kind: "touch"; readonly source: number }
  | { readonly kind: "delete" | "poison"; readonly node: number }
  | { readonly kind: "version"; readonly node: number }
  | { readonly kind: "rewire"; readonly node: number; readonly from: readonly number[] }
  | { readonly kind: "appear"; readonly text: string };

const picks = fc.uniqueArray(fc.nat(30), { minLength: 1, maxLength: 2 });
const nodes = fc.array(
  fc.record<Node>({
    form: fc.constantFrom("file", "twins", "directory"),
    from: picks,
    glob: fc.boolean(),
    version: fc.constant(0),
  }),
  { minLength: 2, maxLength: 5 },
);
const source = fc.nat(2);
const node = fc.nat(4);
const text = fc.constantFrom("x\n", "y\n", "zz\n");
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constantFrom("edit" as const, "older" as const), source, text }),
  fc.record({ kind: fc.constant("touch" as const), source }),
  fc.record({ kind: fc.constantFrom("delete" as const, "poison" as const), node }),
  fc.record({ kind: fc.constant("version" as const), node }),
  fc.record({ kind: fc.constant("rewire" as const), node, from: picks }),
  fc.record({ kind: fc.constant("appear" as const), text }),
);

const outputsOf = ({ form }: Node, i: number): string[] =>
  form === "twins" ? [`out/f${i}`, `out/f${i}b`] : form === "directory" ? [`out/d${i}/`] : [`out/f${i}`];

function inputsOf(all: readonly Node[], i: number): string[] {
  const known = [...sources, ...all.slice(0, i).map((one, at) => outputsOf(one, at).at(-1) ?? "")];
  return [...new Set(all[i]!.from.map((pick) => known[pick % known.length]!))];
}

/** Each recipe writes its edition and all that it was given, so that nothing that it read can be missing in what it made. */
function datafileOf(all: readonly Node[]): string {
  const rules = all.map((one, i) => {
    const from = inputsOf(all, i).map((name) => JSON.stringify(name));
    if (one.glob) from.push(`optional(glob("more/*"))`);
    const target = one.form === "directory" ? "${output}/in" : "${output}";
    const twin = one.form === "twins" ? "; cp ${outputs[0]} ${outputs[1]}" : "";
    const read = 'for one in ${inputs}; do if [ -d "$one" ]; then cat "$one"/*; else cat "$one"; fi; done';
    return `export const r${i} = sh(${JSON.stringify(outputsOf(one, i))}, { from: [${from.join(", ")}] },
  ({ $, inputs, output, outputs }) => $\`(echo ${i}.${one.version}; ${read}) > ${target}${twin}\`);`;
  });
  const names = all.map((_, i) => `r${i}`).join(", ");
  return `import { glob, optional, sh } from "dmake";\n${rules.join("\n")}\nexport default [${names}];\n`;
}

function apply(project: Project, change: Change, all: readonly Node[]): readonly Node[] {
  const edited = (node: number, part: Partial<Node>) =>
    all.map((one, i) => (i === node % all.length ? { ...one, ...part } : one));
  switch (change.kind) {
    case "edit":
      project.write(sources[change.source]!, change.text);
      return all;
    case "older": {
      const path = project.path(sources[change.source]!);
      project.write("aside", change.text);
      utimesSync(project.path("aside"), 1e9, 1e9);
      renameSync(project.path("aside"), path);
      return all;
    }
    case "touch": {
      const now = new Date();
      utimesSync(project.path(sources[change.source]!), now, now);
      return all;
    }
    case "delete":
    case "poison": {
      const at = change.node % all.length;
      const name = (outputsOf(all[at]!, at)[0] ?? "").replace(/\/$/, "/in");
      if (change.kind === "delete") rmSync(project.path(name), { force: true });
      else project.write(name, "by hand\n");
      return all;
    }
    case "version":
      return edited(change.node, { version: (all[change.node % all.length]?.version ?? 0) + 1 });
    case "rewire":
      return edited(change.node, { from: change.from });
    case "appear":
      project.write(`more/${change.text.trim()}`, change.text);
      return all;
  }
}

/** Every file below a folder: name → content. */
function filesIn(folder: string): Record<string, string> {
  if (!existsSync(folder)) return {};
  const found = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();
  return Object.fromEntries(found.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

const timesIn = (folder: string) =>
  Object.keys(filesIn(folder)).map((name) => [name, statSync(join(folder, name), { bigint: true }).ctimeNs]);

const sourcesOf = (project: Project): Record<string, string> => ({
  ...Object.fromEntries(sources.map((name) => [name, project.read(name)])),
  ...Object.fromEntries(
    Object.entries(filesIn(project.path("more"))).map(([name, text]) => [`more/${name}`, text]),
  ),
});

async function built(project: Project, jobs: number): Promise<void> {
  const { code, stdout, stderr } = await project.run("-j", String(jobs));
  assert.equal(code, 0, stdout + stderr);
}

test("after any edits on a real disk a build equals one from scratch, and the next one touches nothing", async () => {
  const series = fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 });
  const property = fc.asyncProperty(nodes, series, fc.constantFrom(1, 4), async (drawn, series, jobs) => {
    const given = Object.fromEntries(sources.map((name) => [name, "a\n"]));
    const project = createProject({ ...given, "Datafile.ts": datafileOf(drawn) });
    let all: readonly Node[] = drawn;
    try {
      await built(project, jobs);
      for (const changes of series) {
        for (const one of changes) all = apply(project, one, all);
        project.write("Datafile.ts", datafileOf(all));
        await built(project, jobs);
      }
      const before = timesIn(project.path("out"));
      assert.match((await project.run()).stdout, /^\d+ up to date/);
      assert.deepEqual(timesIn(project.path("out")), before);
      const scratch = createProject({ ...sourcesOf(project), "Datafile.ts": datafileOf(all) });
      try {
        await built(scratch, 1);
        assert.deepEqual(filesIn(project.path("out")), filesIn(scratch.path("out")));
      } finally {
        rmSync(scratch.root, { recursive: true, force: true });
      }
    } finally {
      rmSync(project.root, { recursive: true, force: true });
    }
  });
  await holds(property, 8);
});
