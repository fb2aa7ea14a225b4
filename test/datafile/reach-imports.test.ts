// A function reaches through imports what they stand for in the end, and no more. Told on real projects.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bundle } from "../../src/datafile/bundle.js";
import { changed, inSources, partsOf, reachesIn, recipe, type Sources } from "../rig/reach.js";
import { must } from "../rig/world.js";

/** What is reached, without what the imported names stand for. */
const namesOf = async (sources: Sources) =>
  Object.keys(await partsOf(sources)).filter((name) => name !== "function" && !name.startsWith("imports "));

const lib = {
  "lib/clean.ts": `export const tidy = (text: string) => text.trim();
export function fix(text: string) { return text; }
export default class Cleaner { clean() { return tidy("x"); } }`,
};

const reaching = (imports: string, body: string, files: Sources = lib) =>
  namesOf({ ...files, "Datafile.ts": recipe(body, imports) });

test("by name, renamed, by default, and through a namespace: what is used of the module", async () => {
  const tidy = ["reaches lib/clean.ts tidy"];
  assert.deepEqual(await reaching('import { tidy } from "./lib/clean.js";', "tidy(output);"), tidy);
  assert.deepEqual(await reaching('import { tidy as t } from "./lib/clean.ts";', "t(output);"), tidy);
  assert.deepEqual(await reaching('import * as lib from "./lib/clean";', "lib.tidy(output);"), tidy);
  assert.deepEqual(await reaching('import * as lib from "./lib/clean.js";', 'lib["tidy"](output);'), tidy);
  assert.deepEqual(await reaching('import Clean from "./lib/clean.js";', "new Clean();"), [
    "reaches lib/clean.ts Cleaner",
    "reaches lib/clean.ts tidy",
  ]);
  const all = ["reaches lib/clean.ts Cleaner", "reaches lib/clean.ts fix", "reaches lib/clean.ts tidy"];
  assert.deepEqual(await reaching('import * as lib from "./lib/clean.js";', "log(String(lib));"), all);
  assert.deepEqual(await reaching("", 'await import("./lib/clean.js");'), all);
  assert.deepEqual(
    await reaching('import type { tidy } from "./lib/clean.js";', "log(output as any as tidy);"),
    [],
  );
});

test("through modules that pass a name on", async () => {
  const files = {
    ...lib,
    "lib/index.ts":
      'export { tidy as neat } from "./clean.js";\nexport * from "./more.js";\nexport * as whole from "./more.js";\nexport const own = 1;',
    "lib/more.ts":
      'import { fix } from "./clean.js";\nexport { fix };\nexport { default as Cleaner } from "./clean.js";\nexport const more = 2;',
  };
  const through = (body: string) => reaching('import * as lib from "./lib/index.js";', body, files);
  assert.deepEqual(await through("lib.neat(output);"), ["reaches lib/clean.ts tidy"]);
  assert.deepEqual(await through("lib.fix(output);"), ["reaches lib/clean.ts fix"]);
  assert.deepEqual(await through("lib.Cleaner;"), [
    "reaches lib/clean.ts Cleaner",
    "reaches lib/clean.ts tidy",
  ]);
  assert.deepEqual(await through("lib.more;"), ["reaches lib/more.ts more"]);
  assert.deepEqual(await through("lib.whole.more;"), [
    "reaches lib/clean.ts Cleaner",
    "reaches lib/clean.ts fix",
    "reaches lib/clean.ts tidy",
    "reaches lib/more.ts more",
  ]);
  assert.equal((await through("log(String(lib));")).length, 5);
});

test("modules that pass names on in a circle come to an end", async () => {
  const files = {
    "a.ts": 'export * from "./b.js";\nexport const one = 1;',
    "b.ts": 'export * from "./a.js";\nexport { one as two } from "./a.js";',
  };
  assert.deepEqual(await reaching('import { two } from "./b.js";', "log(two);", files), ["reaches a.ts one"]);
  const stars = {
    "a.ts": 'export * from "./b.js";\nexport * from "./c.js";',
    "b.ts": 'export * from "./a.js";',
    "c.ts": "export const one = 1;",
  };
  assert.deepEqual(await reaching('import { one } from "./a.js";', "log(one);", stars), ["reaches c.ts one"]);
});

test("a module that is reached brings what it imports for its effect, and one that is only passed too", async () => {
  const files = {
    "lib/index.ts": 'import "./setup.js";\nexport { tidy } from "./tidy.js";',
    "lib/tidy.ts": 'import "./tuning.js";\nexport const tidy = (text: string) => text;',
    "lib/setup.ts": 'import { zone } from "./zone.js";\nsetZone(zone);\nfunction setZone(_: string) {}',
    "lib/zone.ts": 'export const zone = "UTC";\nexport const other = 1;',
    "lib/tuning.ts": "Object.assign(Array.prototype, {});",
    "lib/unreached.ts": "export const unreached = 1;",
  };
  const before = {
    ...files,
    "Datafile.ts": recipe(
      "log(tidy(output));",
      'import { tidy } from "./lib/index.js";\nimport { unreached } from "./lib/unreached.js";\nunreached;',
    ),
  };
  assert.deepEqual(await namesOf(before), [
    "reaches lib/setup.ts setZone",
    "reaches lib/setup.ts setZone(zone)",
    "reaches lib/tidy.ts tidy",
    "reaches lib/tuning.ts Object.assign(Array.prototype, {})",
    "reaches lib/zone.ts zone",
  ]);
  assert.deepEqual(await changed(before, { "lib/zone.ts": 'export const zone = "CET";' }), [
    "reaches lib/zone.ts zone",
  ]);
});

test("CommonJS modules and files that are no code are reached whole", async () => {
  const files = {
    "old.cjs": 'const helper = require("./helper.cjs");\nmodule.exports = { tidy: (text) => helper(text) };',
    "helper.cjs": "module.exports = (text) => text.trim();",
    "note.txt": "hello",
  };
  const before = {
    ...files,
    "Datafile.ts": recipe(
      "log(old.tidy(output) + note);",
      'import old from "./old.cjs";\nimport note from "./note.txt";',
    ),
  };
  assert.deepEqual(await changed(before, { "helper.cjs": "module.exports = (text) => text;" }), [
    "reaches helper.cjs module.exports = (text) => text",
    "reaches helper.cjs module.exports = (text) => text.trim()",
  ]);
  assert.deepEqual(await changed(before, { "note.txt": "bye" }), ["file note.txt"]);
  const named = {
    ...before,
    "Datafile.ts": recipe("log(tidy(output));", 'import { tidy } from "./old.cjs";'),
  };
  assert.deepEqual(await changed(named, { "helper.cjs": "module.exports = 1;" }), [
    "reaches helper.cjs module.exports = (text) => text.trim()",
    "reaches helper.cjs module.exports = 1",
  ]);
});

test("a module that only the compiler can read is reached as a file, with all that it imports", async () => {
  const files = {
    "view.tsx":
      'import { title } from "./title.js";\nconst h = (..._: unknown[]) => title;\nexport const view = () => h("b");',
    "title.ts": 'export const title = "x";',
  };
  const before = { ...files, "Datafile.ts": recipe("log(view());", 'import { view } from "./view.tsx";') };
  assert.deepEqual(await namesOf(before), ["file view.tsx", "reaches title.ts title"]);
});

test("paths of the tsconfig lead where the compiler goes", async () => {
  const tsconfig = JSON.stringify({ compilerOptions: { paths: { "@lib/*": ["./lib/*"] } } });
  assert.deepEqual(
    await reaching('import { tidy } from "@lib/clean";', "tidy(output);", {
      ...lib,
      "tsconfig.json": tsconfig,
    }),
    ["reaches lib/clean.ts tidy"],
  );
});

const manifest = (version: string) => JSON.stringify({ name: "x", version });

test("packages count by name and version, Node's own modules by name", async () => {
  const files = {
    "node_modules/lodash/package.json": manifest("4.17.21"),
    "node_modules/@acme/csv/package.json": manifest("1.0.0"),
    "node_modules/unused/package.json": manifest("1.0.0"),
    "node_modules/side/package.json": manifest("2.0.0"),
  };
  const head = `import { map } from "lodash/fp";
import csv from "@acme/csv/sync";
import "side/effect";
import unused from "unused";
import { readFile } from "node:fs/promises";
import { join } from "path";
unused;`;
  const before = {
    ...files,
    "Datafile.ts": recipe(
      "log(map(csv), missing, join(output), readFile);",
      `${head}\nimport missing from "missing";`,
    ),
  };
  const { function: _, ...parts } = await partsOf(before);
  assert.deepEqual(parts, {
    "imports Datafile.ts csv": "@acme/csv/sync default",
    "imports Datafile.ts join": "node:path join",
    "imports Datafile.ts map": "lodash/fp map",
    "imports Datafile.ts missing": "missing default",
    "imports Datafile.ts readFile": "node:fs/promises readFile",
    "package @acme/csv": "1.0.0",
    "package lodash": "4.17.21",
    "package missing": "unknown",
    "package side": "2.0.0",
  });
  assert.deepEqual(await changed(before, { "node_modules/lodash/package.json": manifest("5.0.0") }), [
    "package lodash",
  ]);
});

test("a statement that sets up a package belongs to whoever uses that there", async () => {
  const head = `import dayjs from "dayjs";
import { utc } from "dayjs/plugin/utc.js";
import * as tools from "./tools.js";
dayjs.extend(utc);
tools.register("a");
tools.settings.on = true;
const today = dayjs("2023-01-01");
today;`;
  const tools = `export const settings = { on: false };
const names: string[] = [];
export const register = (name: string) => names.push(name);
export const registered = () => names;`;
  const of = (body: string) => ({ "tools.ts": tools, "Datafile.ts": recipe(body, head) });
  assert.deepEqual(await namesOf(of("log(dayjs(output).format());")), [
    "package dayjs",
    "reaches Datafile.ts dayjs.extend(utc)",
  ]);
  assert.equal(
    (await partsOf(of("log(tools.settings);")))["reaches tools.ts settings"],
    "const settings = { on: false };\ntools.settings.on = true;",
  );
  assert.equal(
    (await partsOf(of("log(tools.registered());")))["reaches tools.ts names"],
    'const names = [];\ntools.register("a");',
  );
  assert.deepEqual(await namesOf(of("log(output);")), []);
});

test("another version of a package is noticed by a warm start, and so is one that is installed later", async () => {
  const text = recipe("log(map, late);", 'import { map } from "lodash";\nimport late from "late";');
  await inSources(
    { "Datafile.ts": text, "node_modules/lodash/package.json": manifest("1.0.0") },
    async (folder) => {
      const versions = async () => {
        const options = { cache: folder.path(".dmake/cache"), writable: true };
        must(await bundle(folder.path("Datafile.ts"), options));
        const [reach] = await reachesIn(folder);
        return [reach?.parts["package lodash"], reach?.parts["package late"]];
      };
      assert.deepEqual(await versions(), ["1.0.0", "unknown"]);
      folder.write("node_modules/lodash/package.json", manifest("2.0.0"));
      assert.deepEqual(await versions(), ["2.0.0", "unknown"]);
      folder.write("node_modules/late/package.json", manifest("3.0.0"));
      assert.deepEqual(await versions(), ["2.0.0", "3.0.0"]);
    },
  );
});
