// What an import means is decided by more than the text of the modules, and the compiled Datafile is not used when it means another file. Told on real folders.
import assert from "node:assert/strict";
import { rmSync, symlinkSync } from "node:fs";
import { test } from "node:test";
import { commandOf, inProject, type Project } from "../rig/datafile.js";
import { must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));
const echo = (value: string, head: string) =>
  `import { sh } from "dmake";\n${head}\nsh("a", {}, ({ $ }) => $\`\${${value}}\`);\n`;
const said = async (project: Project) => commandOf(must(await project.load()), "a");

/** A Datafile that imports this, whose project then changes, so that something else is meant. */
const meant: Readonly<Record<string, readonly [head: string, before: string, change: (p: Project) => void]>> =
  {
    "a file that stands beside a folder of its name": [
      'import { value } from "./lib";',
      "lib/index.ts",
      (project) => project.write("lib.ts", 'export const value = "other";'),
    ],
    "a module that stands beside a file that is no code": [
      'import config from "./cfg"; const { value } = config;',
      "cfg.json",
      (project) => project.write("cfg.ts", 'export default { value: "other" };'),
    ],
    "a file with the very extension that was written": [
      'import { value } from "./lib.js";',
      "lib.ts",
      (project) => project.write("lib.js", 'export const value = "other";'),
    ],
    "a folder whose link is moved": [
      'import { value } from "./lib/index.js";',
      "v1/index.ts",
      (project) => {
        project.write("v2/index.ts", 'export const value = "other";');
        relink(project, "lib", "v2");
      },
    ],
    "a file whose link is moved": [
      'import { value } from "./lib.js";',
      "v1.ts",
      (project) => {
        project.write("v2.ts", 'export const value = "other";');
        relink(project, "lib.ts", "v2.ts");
      },
    ],
    "`paths` of `tsconfig.json`": [
      'import { value } from "~/lib.js";',
      "v1/lib.ts",
      (project) => {
        project.write("v2/lib.ts", 'export const value = "other";');
        project.write("tsconfig.json", paths("./v2/*"));
      },
    ],
    "`paths` of what `tsconfig.json` extends": [
      'import { value } from "~/lib.js";',
      "v1/lib.ts",
      (project) => {
        project.write("v2/lib.ts", 'export const value = "other";');
        project.write("base.json", paths("./v2/*"));
      },
    ],
    "the first of several `paths`, which was not there": [
      'import { value } from "~/lib.js";',
      "v1/lib.ts",
      (project) => project.write("v0/lib.ts", 'export const value = "other";'),
    ],
    "`imports` of `package.json`": [
      'import { value } from "#lib";',
      "v1.ts",
      (project) => {
        project.write("v2.ts", 'export const value = "other";');
        project.write("package.json", '{ "imports": { "#lib": "./v2.ts" } }');
      },
    ],
    "a module that was not there, and could be missed": [
      'let value = "first"; try { ({ value } = require("./lib.js")); } catch {}',
      "unrelated.ts",
      (project) => project.write("lib.ts", 'export const value = "other";'),
    ],
    "how fields of a class are set": [
      'import { value as first } from "./lib.js"; class A { set value(_: string) {} } class B extends A { value = first; } const value = new B().value ?? "other";',
      "lib.ts",
      (project) =>
        project.write("tsconfig.json", '{ "compilerOptions": { "useDefineForClassFields": false } }'),
    ],
  };
const paths = (...to: readonly string[]) => JSON.stringify({ compilerOptions: { paths: { "~/*": to } } });
function relink(project: Project, name: string, to: string): void {
  rmSync(project.path(name), { force: true });
  symlinkSync(to, project.path(name));
}

for (const [what, [head, file, change]] of Object.entries(meant))
  story(`an import means something else after a change of ${what}`, async (project) => {
    project.write(file, file.endsWith("json") ? '{ "value": "first" }' : 'export const value = "first";');
    if (file.startsWith("v1")) relink(project, file === "v1.ts" ? "lib.ts" : "lib", file.split("/")[0] ?? "");
    if (what.includes("extends")) {
      project.write("base.json", paths("./v1/*"));
      project.write("tsconfig.json", '{ "extends": "./base" }');
    } else if (what.includes("`paths`")) project.write("tsconfig.json", paths("./v0/*", "./v1/*"));
    project.write("package.json", '{ "imports": { "#lib": "./v1.ts" } }');
    must(await project.datafile(echo("value", head)));
    assert.equal(await said(project), "first");
    change(project);
    assert.equal(await said(project), "other");
  });
