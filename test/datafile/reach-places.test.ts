// The reach of a function is found by the place that a stack names for its call. Told on Datafiles that are really evaluated.
import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { bundle } from "../../src/datafile/bundle.js";
import { loadDatafile } from "../../src/datafile/load.js";
import { inProject, type Project } from "../rig/datafile.js";
import { must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));

/** For each rule of the Datafile, in order, the text of its function; nothing where it is not known. */
async function functions(root: string, writable = true): Promise<readonly (string | undefined)[]> {
  const [path, directory] = [join(root, "Datafile.ts"), join(root, ".dmake")];
  const { rules } = must(await loadDatafile({ path, directory, parameters: {}, writable, env: {} })).rules;
  const { reach, dispose } = must(await bundle(path, { cache: join(directory, "cache"), writable }));
  dispose();
  return rules.map(({ at }) => reach(at)?.parts.function);
}

const said = (n: number) => `() => {\n  console.log(${n});\n}`;
const run = (n: number) => `() => { console.log(${n}); }`;

story("however the call is written", async (project) => {
  project.write("lib/dmake.ts", 'export { script as rule } from "dmake";\nexport * as all from "dmake";\n');
  project.write(
    "Datafile.ts",
    `// A comment before everything.
import { script, script as declare } from "dmake";
import * as dmake from "dmake";
import dm, { all, rule } from "./lib/index.js";

interface Erased { readonly n: 1 }
export const a = script("1", {}, ${run(1)}); declare("2", {}, ${run(2)});
  dmake.script("3", {}, ${run(3)});
export const b = dmake
  .script(
    "4",
    {},
    ${run(4)},
  );
script<"5", never, never>("5", {}, ${run(5)}); /* 🎉 ü */ script("6", {}, ${run(6)});
(script as typeof declare)("7", {}, ${run(7)});
script!("8", {}, ${run(8)});
dmake?.script("9", {}, ${run(9)});
dmake["script"]("10", {}, ${run(10)});
for (const n of ["11"]) script(n, {}, ${run(11)});
const alias = script;
alias("12", {}, ${run(12)});
const { script: taken } = dmake;
taken("13", {}, ${run(13)});
rule("14", {}, ${run(14)});
const here = import.meta.dirname; script("15", {}, ${run(15)});
script /* so */ ("16", {}, ${run(16)});
export const made = true ? script("17", {}, ${run(17)}) : undefined;
all.script("18", {}, ${run(18)});
const grouped = { script };
grouped.script("19", {}, ${run(19)});
const named = function () { console.log(20); };
script("20", {}, named);
script("21", {}, (${run(21)}) as () => void);
`,
  );
  project.write("lib/index.ts", 'export * from "./dmake.js";\nexport default 1;\n');
  const expected: string[] = Array.from({ length: 21 }, (_, i) => said(i + 1));
  expected[19] = "named";
  assert.deepEqual(await functions(project.root), expected);
  assert.deepEqual(await functions(project.root), expected, "from the cache");
  assert.deepEqual(await functions(project.root, false), expected, "of a query");
});

story("in a module of the project, with line ends of any system", async (project) => {
  project.write("Datafile.ts", 'import "./lib/rules.js";\r\nimport "./lib/more.mjs";\r\n');
  project.write(
    "lib/rules.ts",
    `import { script } from "dmake";\r\n\r\n\r\n  script("1", {}, ${run(1)});\r\n`,
  );
  project.write("lib/more.mjs", `\uFEFFimport { script } from "dmake";\n\nscript("2", {}, ${run(2)});\n`);
  assert.deepEqual(await functions(project.root), [said(1), said(2)]);
});

story("in a project that is reached through a symbolic link, or whose modules are links", async (project) => {
  project.write(
    "real/Datafile.ts",
    `import { script } from "dmake";\nimport "./link.js";\nscript("1", {}, ${run(1)});\n`,
  );
  project.write("elsewhere/rules.ts", `import { script } from "dmake";\nscript("2", {}, ${run(2)});\n`);
  symlinkSync(project.path("real"), project.path("link"));
  symlinkSync(project.path("elsewhere/rules.ts"), project.path("real/link.ts"));
  assert.deepEqual(await functions(project.path("link")), [said(2), said(1)]);
  assert.deepEqual(await functions(project.path("link"), false), [said(2), said(1)], "of a query");
  assert.deepEqual(await functions(project.path("real")), [said(2), said(1)], "without the link");
});

story(
  "a call that is made in another way is not known, and nothing else is taken for it",
  async (project) => {
    project.write(
      "Datafile.ts",
      `import { script } from "dmake";
const call = (...given: [string, {}, () => void]) => script(...given);
call("1", {}, ${run(1)});
script.call(undefined, "2", {}, ${run(2)});
const given: [string, {}, () => void][] = [["3", {}, ${run(3)}]];
for (const one of given) script.apply(undefined, one);
const later = (run: () => void) => script("4", {}, run);
later(${run(4)}); script("5", {}, ${run(5)});
`,
    );
    assert.deepEqual(await functions(project.root), [undefined, undefined, undefined, undefined, said(5)]);
  },
);
