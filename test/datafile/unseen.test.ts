// What a person is told of values that no code shows, and what they say to answer that. Told on real folders.
import assert from "node:assert/strict";
import { test } from "node:test";
import { warningText } from "../../src/cli/warn.js";
import { inProject, type Project } from "../rig/datafile.js";
import { must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));
const load = async (project: Project, text: string) =>
  must(await project.datafile(`\n\nimport { script } from "dmake";\n${text}`));

/** The names that are warned of, each with the help. */
const helps = async (project: Project, text: string) =>
  (await load(project, text)).warnings.map((one) => {
    const [, name] = /uses `(.*)`, whose/.exec(warningText(one)) ?? [];
    const [, help = ""] = /\nhelp: (.*)$/.exec(warningText(one)) ?? [];
    return [name, help.replace(/(^|, or )say with `uses` or `version` what the recipe depends on/, "$1say")];
  });

story("a variable of the environment that the rule lists is no cause for alarm", async (project) => {
  const rule = (head: string, used: string, options = "{}") =>
    helps(project, `${head}\nscript("a", ${options}, () => { console.log(${used}); });`);
  const token = [["token", 'list it in `env: ["TOKEN"]`, or say']];
  for (const head of [
    "const token = process.env.TOKEN;",
    'const token = process.env["TOKEN"] ?? "none";',
    'import { env } from "node:process"; const token = env.TOKEN ?? "none";',
    'import node from "node:process"; const token = node.env.TOKEN;',
    "const { TOKEN: token } = process.env;",
    "const get = () => process.env.TOKEN; const token = get();",
  ]) {
    assert.deepEqual(await rule(head, "token"), token, head);
    assert.deepEqual(await rule(head, "token", '{ env: ["OTHER", "TOKEN"] }'), [], head);
  }
  const two = "const token = `${process.env.USER} ${process.env.TOKEN}`;";
  assert.deepEqual(await rule(two, "token", '{ env: ["TOKEN"] }'), [
    ["token", 'list it in `env: ["TOKEN", "USER"]`, or say'],
  ]);
  for (const head of [
    "const token = [process.env.TOKEN, Date.now()];",
    "const token = { ...process.env, a: process.env.TOKEN };",
    "const key = 'TOKEN'; const token = process.env[key] ?? process.env.TOKEN;",
    "const { TOKEN: token, ...others } = process.env; others;",
  ])
    assert.deepEqual(
      await rule(head, "token", '{ env: ["TOKEN"] }'),
      [["token", "list it in `values: { token }`, or say"]],
      head,
    );
  const inside = (options: string) =>
    helps(
      project,
      `const make = () => { const token = process.env.TOKEN; script("a", ${options}, () => { console.log(token); }); }; make();`,
    );
  assert.deepEqual(await inside("{}"), token);
  assert.deepEqual(await inside('{ env: ["TOKEN"] }'), []);
});

story("the help names only what can be written in the rule", async (project) => {
  project.write(
    "lib/now.ts",
    "const started = Date.now();\nexport const age = () => started;\nexport const at = started;",
  );
  const rule = (head: string, used: string) =>
    helps(project, `${head}\nscript("a", {}, async ({ output }) => { console.log(${used}); });`);
  assert.deepEqual(await rule('import { age } from "./lib/now.js";', "age(), output"), [["started", "say"]]);
  assert.deepEqual(await rule("", "eval(output)"), [["eval", "say"]]);
  assert.deepEqual(await rule("const at = Date.now();", "at, output"), [
    ["at", "list it in `values: { at }`, or say"],
  ]);
});

story("a function whose code nobody can tell may use whatever came from the world", async (project) => {
  project.write("lib/now.ts", "export const [started] = [Date.now()];");
  const warned = async (text: string, options = "{}") => {
    const lines = `import { started } from "./lib/now.js"; const task = (t: string, f: any) => script(t, ${options}, async () => f());`;
    const { warnings } = await load(project, `${lines}\n${text}`);
    return warnings.map((one) => one.warning === "capture-unseen" && `${one.name} ${one.at.line}`);
  };
  const text = 'const mode = process.env.X; task("a", () => mode); task("b", () => started);';
  assert.deepEqual(await warned(text), ["mode 4", "started 4"]);
  assert.deepEqual(await warned(text, "{ values: { mode: 1, started } }"), []);
  assert.deepEqual(await warned(text, '{ version: "1" }'), []);
  assert.deepEqual(
    await warned('const make = () => { const mode = process.env.X; task("a", () => mode); }; make();'),
    ["make(); 4", "mode 4"],
  );
  assert.deepEqual(
    await warned('const make = (mode?: string) => task("a", () => mode);\nmake(process.env.X);'),
    ["make(process.env.X); 4"],
  );
  project.write(
    "lib/now.ts",
    "export const started = 1; export const f = () => { const a = Date.now(); return [1].map(() => a); };",
  );
  assert.deepEqual(await warned('task("a", () => Date.now()); console.log(process.env.X ?? "");'), []);
});
