// The compiled Datafile is kept, and never used when it is not what the sources say. Told on real folders.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf, recipeParts } from "../../src/core/fingerprint.js";
import { commandOf, inProject, type Project, sourceOf, stepOf } from "../rig/datafile.js";
import { must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));

const compiled = ".dmake/cache/datafile.mjs";
const manifest = ".dmake/cache/datafile.json";
const echo = (value: string, head = "") =>
  `import { sh } from "dmake";\n${head}\nsh("a", {}, ({ $ }) => $\`\${${value}}\`);\n`;
const said = async (project: Project, options = {}) => commandOf(must(await project.load(options)), "a");

/** Makes the compiled file say something else, so that its use can be seen; the manifest agrees with it. */
function mark(project: Project): void {
  const before = JSON.parse(project.read(manifest));
  project.write(compiled, project.read(compiled).replace("first", "from the cache"));
  project.write(manifest, JSON.stringify({ ...before, compiled: digestOf(project.read(compiled)) }));
}

story("a second load uses what the first has compiled", async (project) => {
  must(await project.datafile(echo('"first"')));
  assert.deepEqual(project.list(), [manifest, compiled, "Datafile.ts"]);
  mark(project);
  assert.equal(await said(project), "'from the cache'");
  assert.equal(await said(project, { writable: false }), "'from the cache'");
});

story("an edit of the Datafile is noticed, and the edit taken back as well", async (project) => {
  must(await project.datafile(echo('"first"')));
  project.write("Datafile.ts", echo('"second"'));
  assert.equal(await said(project), "second");
  project.write("Datafile.ts", echo('"first"'));
  assert.equal(await said(project), "first");
});

story("an edit of a module of the project is noticed, however deep it lies", async (project) => {
  project.write("lib/deep/value.ts", 'export const value = "first";');
  project.write("lib/index.ts", 'export * from "./deep/value.js";');
  project.write("lib/data.json", '{ "n": "1" }');
  const head = 'import { value } from "./lib/index.js"; import data from "./lib/data.json";';
  must(await project.datafile(echo("value + data.n", head)));
  project.write("lib/deep/value.ts", 'export const value = "other";');
  assert.equal(await said(project), "other1");
  project.write("lib/data.json", '{ "n": "2" }');
  assert.equal(await said(project), "other2");
});

story("a module that is removed is missed, and not answered from the cache", async (project) => {
  project.write("value.ts", 'export const value = "first";');
  must(await project.datafile(echo("value", 'import { value } from "./value.js";')));
  rmSync(project.path("value.ts"));
  assert.equal((await project.load()).ok, false);
});

story("what is no part of the code may come and go in the project", async (project) => {
  project.write("lib/index.ts", 'export const value = "first";');
  must(await project.datafile(echo("value", 'import { value } from "./lib/index.js";')));
  mark(project);
  for (const name of ["data.json", "data.csv", "data/index.ts", "lib/notes.md", "lib/other.ts", "other.ts"])
    project.write(name, "{}");
  assert.equal(await said(project), "'from the cache'");
});

story("what is lost, torn or forged of the cache is compiled again", async (project) => {
  must(await project.datafile(echo('"first"')));
  const [text, entry] = [project.read(compiled), project.read(manifest)];
  const damages: readonly (() => void)[] = [
    () => rmSync(project.path(compiled)),
    () => rmSync(project.path(manifest)),
    () => rmSync(project.path(".dmake"), { recursive: true }),
    () => project.write(compiled, ""),
    () => project.write(compiled, text.slice(0, 40)),
    () => project.write(compiled, text.replace("first", "forged")),
    () => project.write(manifest, ""),
    () => project.write(manifest, "null"),
    () => project.write(manifest, "[]"),
    () => project.write(manifest, "{}"),
    () => project.write(manifest, entry.replace('"key":"', '"key":"x')),
    () => project.write(manifest, entry.slice(0, -9)),
    () => project.write(manifest, entry.replace('"named":[', '"named":[1,')),
    () => project.write(manifest, entry.replace('"resolution":', '"other":')),
  ];
  for (const damage of damages) {
    damage();
    assert.equal(await said(project), "first");
    assert.equal(project.read(compiled), text);
  }
});

story("a query keeps nothing, and leaves nothing in the folder for temporary files", async (project) => {
  // One of its own: other tests have theirs in the common one at the same time.
  const { TMPDIR } = process.env;
  const folder = mkdtempSync(join(tmpdir(), "dmake-cache-"));
  process.env.TMPDIR = folder;
  try {
    project.write("Datafile.ts", echo('"first"'));
    assert.equal(await said(project, { writable: false }), "first");
    assert.deepEqual(project.list(), ["Datafile.ts"]);
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    rmSync(folder, { recursive: true });
  }
});

story("where nothing can be kept, the Datafile is loaded all the same", async (project) => {
  writeFileSync(project.path(".dmake"), "a file where the folder should be");
  project.write("Datafile.ts", echo('"first"'));
  assert.equal(await said(project), "first");
  assert.deepEqual(project.list(), [".dmake", "Datafile.ts"]);
});

for (const writable of [true, false])
  story(
    `packages are found in the project and above it, ${writable ? "building" : "asking"}`,
    async (project) => {
      project.write(
        "node_modules/far/package.json",
        '{ "name": "far", "type": "module", "main": "index.js" }',
      );
      project.write("node_modules/far/index.js", 'export const far = "far";');
      project.write("packages/taxi/Datafile.ts", echo("far", 'import { far } from "far";'));
      assert.equal(await said(project.inside("packages/taxi"), { writable }), "far");
    },
  );

const counting = (body: string, head = "", options = "{}") => `
  import { param, script } from "dmake";
  ${head}
  export const a = script("a", ${options}, async ({ output, log }) => { ${body} });
`;
const source = async (project: Project, text: string, parameters = {}) =>
  sourceOf(must(await project.datafile(text, { parameters })), "a");

story(
  "a function's source changes with its code and with the code that it reaches, and with nothing else",
  async (project) => {
    project.write("lib/clean.ts", "export const clean = (text: string) => text.trim();");
    const head = 'import { clean } from "./lib/clean.js";';
    const before = await source(project, counting("log(clean(output));", head));
    const same = counting(
      "// A comment.\n  log(  clean( output ) )  ;",
      `/* Another. */ type T = string;\n\n${head}\nexport const unrelated = 1;`,
    );
    assert.equal(await source(project, same), before, "comments, types, white space, what is not reached");
    assert.notEqual(await source(project, counting("log(clean(output) + 1);", head)), before, "its own code");
    project.write("lib/clean.ts", "export const clean = (text: string): string => text.trim() as string;");
    assert.equal(await source(project, counting("log(clean(output));", head)), before, "a helper's types");
    project.write("lib/clean.ts", "export const clean = (text: string) => text.trimEnd();");
    assert.notEqual(await source(project, counting("log(clean(output));", head)), before, "a helper's code");
  },
);

story("a function that cannot be told has all code of the project for its source", async (project) => {
  const untold = (head: string) => `import { script } from "dmake";
    ${head}
    const declare = (run: () => void) => script("a", {}, run);
    declare(() => {});`;
  const before = await source(project, untold("Object.assign(globalThis, { unrelated: 1 });"));
  assert.match(before, /^sha256:/);
  assert.equal(
    await source(project, untold("/* A comment. */ Object.assign(globalThis, { unrelated: 1 as number });")),
    before,
  );
  assert.notEqual(await source(project, untold("Object.assign(globalThis, { unrelated: 2 });")), before);
});

story(
  "what a function reaches is answered from the cache, which is not believed where it is torn",
  async (project) => {
    const before = await source(project, counting("log(word);", 'const word = "first";'));
    assert.match(before, /first/);
    const entry = project.read(manifest);
    project.write(manifest, entry.replaceAll('\\"first\\"', '\\"from the cache\\"'));
    assert.match(sourceOf(must(await project.load()), "a"), /from the cache/);
    const { parts, reaches, looked, world, ...others } = JSON.parse(entry);
    const [place, reach] = Object.entries(reaches)[0] as [string, object];
    const whole = { parts, reaches, looked, world };
    const withReach = (change: object | null) => ({
      ...whole,
      reaches: { [place]: change && { ...reach, ...change } },
    });
    const torn: readonly object[] = [
      { ...whole, parts: undefined },
      { ...whole, reaches: undefined },
      { ...whole, looked: undefined },
      { ...whole, world: [1] },
      { ...whole, reaches: null },
      { ...whole, reaches: [] },
      { ...whole, looked: {} },
      { ...whole, looked: [null] },
      { ...whole, parts: [["function"]] },
      { ...whole, parts: [["function", 1]] },
      withReach(null),
      withReach({ parts: [99] }),
      withReach({ parts: undefined }),
      withReach({ parameters: "some" }),
      withReach({ unseen: [{}] }),
    ];
    for (const damage of torn) {
      project.write(manifest, JSON.stringify({ ...others, ...damage }));
      assert.equal(sourceOf(must(await project.load()), "a"), before, JSON.stringify(damage));
      assert.equal(project.read(manifest), entry);
    }
  },
);

story("a warm start loads neither parser nor compiler", async (project) => {
  must(await project.datafile(counting("log(output);")));
  const hooks = `export const resolve = (name, context, next) => {
    if (/babel|^esbuild$/.test(name)) throw new Error("loads " + name);
    return next(name, context);
  };`;
  const inProject = [project.path("Datafile.ts"), project.path(".dmake/cache")];
  const program = `
    import { register } from "node:module";
    register("data:text/javascript," + encodeURIComponent(${JSON.stringify(hooks)}));
    const { bundle } = await import(${JSON.stringify(new URL("../../src/datafile/bundle.js", import.meta.url).href)});
    const [path, cache] = ${JSON.stringify(inProject)};
    const warm = await bundle(path, { cache, writable: true });
    console.log(warm.value.reach({ file: path, line: 4, column: 20 })?.parts.function);
    await bundle(path, { cache: cache + "2", writable: true }).catch(({ message }) => console.log(message));`;
  const ran = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
    encoding: "utf8",
  });
  assert.equal(ran.stdout, "async ({ output, log }) => {\n  log(output);\n}\nloads esbuild\n", ran.stderr);
});

story(
  "a function's source is the same from the cache, in a query, and after the project has moved",
  async (project) => {
    const text = counting("log(output, import.meta.dirname);");
    const before = await source(project, text);
    assert.equal(sourceOf(must(await project.load()), "a"), before);
    assert.equal(sourceOf(must(await project.load({ writable: false })), "a"), before);
    await inProject(async (moved) => {
      cpSync(project.root, moved.root, { recursive: true });
      assert.equal(sourceOf(must(await moved.load()), "a"), before);
    });
  },
);

story(
  "a function is stale when a parameter that it reaches has another value, and for no other",
  async (project) => {
    const text = `const later = param("limit", "10");\nparam("other", "1");\n${counting("log(later);")}`;
    const parts = async (parameters = {}) =>
      must(recipeParts(stepOf(must(await project.datafile(text, { parameters })), "a"), []));
    const ten = await parts();
    assert.deepEqual(await parts({ limit: "10", other: "2" }), ten);
    const twenty = await parts({ limit: "20" });
    assert.deepEqual(Object.keys(ten), ["kind", "function", "reaches Datafile.ts later", "parameter.limit"]);
    assert.deepEqual(
      Object.keys(ten).filter((part) => ten[part] !== twenty[part]),
      ["parameter.limit"],
    );
    assert.equal(JSON.stringify(await parts({ limit: "s3cr3t" })).includes("s3cr3t"), false);
  },
);

story("a version stands for the code of a function, until it changes", async (project) => {
  const one = await source(project, counting("log(output);", "", '{ version: "1" }'));
  assert.equal(one, "version 1");
  assert.equal(await source(project, counting("log(output + 1);", "", '{ version: "1" }')), one);
  assert.notEqual(await source(project, counting("log(output);", "", '{ version: "2" }')), one);
});

story("the copy of a Datafile, which may hold a secret, is its owner's alone", async (project) => {
  mkdirSync(project.path(".dmake/cache"), { recursive: true, mode: 0o755 });
  must(await project.datafile(echo('"token"')));
  const mode = (name: string) => (statSync(project.path(name)).mode & 0o777).toString(8);
  assert.deepEqual([".dmake/cache", compiled, manifest].map(mode), ["700", "600", "600"]);
});

story(
  "what killed runs have left half written goes, and what another writes right now does not",
  async (project) => {
    must(await project.datafile(echo('"first"')));
    const { pid } = spawnSync("true");
    const [dead, living] = [pid, process.ppid].map((one) => `.dmake/cache/datafile.mjs.${one}.tmp`);
    for (const path of [dead!, living!]) project.write(path, "half");
    must(await project.datafile(echo('"second"')));
    assert.deepEqual(project.list(), [manifest, compiled, living, "Datafile.ts"]);
  },
);
