// What commands and functions depend on besides their inputs, and what they are given. Told on real folders.
import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, recipeParts } from "../../src/core/fingerprint.js";
import type { ScriptContext } from "../../src/core/rule.js";
import type { Datafile } from "../../src/datafile/load.js";
import { commandOf, inProject, type Project, partsOf, stepOf } from "../rig/datafile.js";
import { failureOf, must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));

const head = `
  import { parquet, param, script, sh } from "dmake";
  const any = (value: unknown): any => value;
`;
const load = async (project: Project, text: string, options = {}) =>
  must(await project.datafile(head + text, options));
const refused = async (project: Project, text: string, options = {}) =>
  failureOf(await project.datafile(head + text, options), "bad-rule");

story("variables of the environment count by digest, and only those that are listed", async (project) => {
  const text = `
    sh("a", { env: ["MODE", "TOKEN", "constructor"] }, ({ $ }) => $\`x\`);
    script("b", { env: ["TOKEN"] }, () => {});
    sh("c", {}, ({ $ }) => $\`x\`);
  `;
  const env = { TOKEN: "s3cr3t", MODE: "", OTHER: "1" };
  const datafile = await load(project, text, { env });
  assert.deepEqual(partsOf(datafile, "a"), {
    "env.MODE": digestOf(""),
    "env.TOKEN": digestOf("s3cr3t"),
    "env.constructor": "(not set)",
  });
  assert.equal(partsOf(datafile, "b")["env.TOKEN"], digestOf("s3cr3t"));
  assert.deepEqual(partsOf(datafile, "c"), {});
  assert.equal(JSON.stringify([partsOf(datafile, "a"), partsOf(datafile, "b")]).includes("s3cr3t"), false);
  for (const list of ['"MODE"', "[1]", '["A=B"]', '[""]', "{}"])
    assert.match(
      (await refused(project, `sh("a", any({ env: ${list} }), ({ $ }) => $\`x\`);`)).problem,
      /`env` is a list/,
    );
});

story("a variable of dmake's own process that nobody passed on is not set", async (project) => {
  const datafile = await load(project, 'sh("a", { env: ["PATH"] }, ({ $ }) => $`x`);');
  assert.deepEqual(partsOf(datafile, "a"), { "env.PATH": "(not set)" });
});

story("a version stands for the text of a command or function, and for nothing else", async (project) => {
  const of = async (command: string, value: string) =>
    load(
      project,
      `
      sh("a", { version: "1", env: ["MODE"], values: { v: ${value} }, uses: "a.sql" }, ({ $ }) => $\`${command}\`);
      script("b", { version: "1", env: ["MODE"], values: { v: ${value} }, uses: "a.sql" }, ({ log }) => log("${command}"));
    `,
    );
  const partsIn = (datafile: Datafile, name: string) => must(recipeParts(stepOf(datafile, name), []));
  const before = await of("x", "1");
  assert.deepEqual(Object.keys(partsIn(before, "a")), ["kind", "version", "env.MODE", "values.v", "uses"]);
  assert.deepEqual(Object.keys(partsIn(before, "b")), ["kind", "version", "env.MODE", "values.v", "uses"]);
  const edited = await of("y", "1");
  for (const name of ["a", "b"]) assert.deepEqual(partsIn(edited, name), partsIn(before, name));
  assert.equal(commandOf(edited, "a"), "y");
  const changed = await of("x", "2");
  for (const name of ["a", "b"]) assert.notDeepEqual(partsIn(changed, name), partsIn(before, name));
  assert.match(
    (await refused(project, 'sh("a", any({ version: 2 }), ({ $ }) => $`x`);')).problem,
    /`version` is a text/,
  );
});

story("what counts as the same file is the rule's to say", async (project) => {
  const datafile = await load(
    project,
    `
    parquet("a", { from: "x.csv", sameness: "bytes" });
    sh("b", { sameness: "values" }, ({ $ }) => $\`x\`);
    script("c", {}, () => {});
  `,
  );
  const said = ["a", "b", "c"].map((name) => stepOf(datafile, name).rule.sameness);
  assert.deepEqual(said, ["bytes", "values", undefined]);
  await refused(project, 'script("c", any({ sameness: "rows" }), () => {});');
});

story("a command that says what it read is given the path to say it at", async (project) => {
  const datafile = await load(
    project,
    `
    sh("a", { depfile: true }, ({ $, output, depfile }) => $\`cc -MF \${depfile} -o \${output}\`);
    sh("b", any({}), any(({ $, depfile }: any) => $\`cc -MF \${depfile}\`));
    sh("c", { depfile: false }, any(({ $, depfile }: any) => $\`\${typeof depfile}\`));
  `,
  );
  const recipe = (name: string) => {
    const step = stepOf(datafile, name);
    assert(step.recipe.kind === "sh");
    return step.recipe;
  };
  const paths = { inputs: [], outputs: ["-a.tmp"], depfile: "-my deps" };
  assert.equal(must(recipe("a").render(paths)).text, "cc -MF './-my deps' -o ./-a.tmp");
  assert.deepEqual([recipe("a").depfile, recipe("b").depfile, recipe("c").depfile], [true, false, false]);
  assert.match(
    failureOf(recipe("b").render(paths), "datafile-threw").message,
    /`undefined` stands in a command/,
  );
  assert.equal(must(recipe("c").render(paths)).text, "undefined");
  assert.match(
    (await refused(project, 'sh("a", any({ depfile: "x.d" }), ({ $ }) => $`x`);')).problem,
    /`depfile` is `true`/,
  );
});

/** Runs the function that makes `a`, and answers what it asked for and what it logged. */
async function run(project: Project, body: string, need: ScriptContext["need"] = async () => {}) {
  const { recipe, outputs } = stepOf(
    await load(project, `script("a", {}, async ({ need, log }) => { ${body} });`),
    "a",
  );
  assert(recipe.kind === "script");
  const [needed, logged]: [string[], string[]] = [[], []];
  const { signal } = new AbortController();
  await recipe.run({
    inputs: [],
    outputs,
    signal,
    log: (text) => logged.push(text),
    need: (names) => {
      needed.push(...names);
      return need(names);
    },
  });
  return { needed, logged };
}

story("a function that needs more is given its paths, once they are there", async (project) => {
  let brought = false;
  const { needed, logged } = await run(
    project,
    'log((await need("./config//x.json", "table:zones/1", "-a.csv", "parts/")).join(" "));',
    async () => {
      await new Promise(setImmediate);
      brought = true;
    },
  );
  assert.deepEqual(needed, ["config/x.json", "table:zones/1", "-a.csv", "parts"]);
  assert.deepEqual([brought, logged], [true, ["config/x.json ./-a.csv parts"]]);
  const all = await run(
    project,
    'const [[a], [b]] = await Promise.all([need("a.csv"), need("b.csv")]); log(a + b);',
  );
  assert.deepEqual(all.logged, ["a.csvb.csv"]);
});

story("what could not be brought is thrown to the function that waits for it", async (project) => {
  const failing = async () => {
    throw new Error("cannot");
  };
  await assert.rejects(run(project, 'await need("a.csv");', failing), /cannot/);
  const { logged } = await run(
    project,
    'await need("a.csv").catch((error) => log(String(error))); await need("b").finally(() => log("end")).catch(() => {});',
    failing,
  );
  assert.deepEqual(logged, ["Error: cannot", "end"]);
});

story("whoever runs a function can tell that it did not wait", async (project) => {
  let heard = 0;
  class Heard extends Promise<void> {
    // biome-ignore lint/suspicious/noThenProperty: a promise has one.
    override then: Promise<void>["then"] = (onDone, onFailed) => {
      heard += 1;
      return super.then(onDone, onFailed);
    };
  }
  const need = () => new Heard((resolve) => resolve());
  await run(project, 'need("a.csv"); await new Promise(setImmediate);', need);
  assert.equal(heard, 0);
  await run(project, 'await need("a.csv");', need);
  assert.ok(heard > 0);
});

story(
  "only what is in the project can be needed, and the line that asks for more is told",
  async (project) => {
    for (const name of ["../a.csv", "/etc/passwd", "a/../../b", "", "table:", "./table:x"])
      await assert.rejects(run(project, `\nawait need(${JSON.stringify(name)});`), (error: Error) => {
        assert.match(error.message, /not in the project|`table:|`\.\/table:x`/);
        assert.match(error.stack ?? "", /Datafile\.ts:5:\d+/);
        return true;
      });
    await assert.rejects(run(project, "await need(any(42));"), /takes names, and not `42`/);
  },
);

story("a function depends on its own code, the parameters it reaches, and what it says", async (project) => {
  const text = `
    const limit = param("limit", "10");
    param("other", "x");
    const helper = (text: string) => text + limit;
    script("a", { values: { v: 1 } }, ({ log }) => log(helper("x")));
    script("b", {}, ({ log }) => log("b"));
  `;
  const datafile = await load(project, text);
  const { function: code, ...others } = partsOf(datafile, "a");
  assert.match(code ?? "", /log\(helper\("x"\)\)/);
  assert.deepEqual(Object.keys(others).sort(), [
    "parameter.limit",
    "reaches Datafile.ts helper",
    "reaches Datafile.ts limit",
    "values.v",
  ]);
  assert.equal(others["parameter.limit"], digestOf("10"));
  assert.deepEqual(Object.keys(partsOf(datafile, "b")), ["function"]);
  assert.deepEqual(partsOf(await load(project, text, { parameters: { other: "y" } }), "a"), {
    function: code,
    ...others,
  });
  assert.deepEqual(datafile.warnings, []);
});

story(
  "a function whose code nobody can tell depends on all of it, and on every parameter",
  async (project) => {
    project.write(
      "lib/make.ts",
      'import { script } from "dmake";\nexport const make = (name: string, ...rest: any[]) => (script as any)(name, {}, ...rest);',
    );
    const text = `import { make } from "./lib/make.js"; make("a", () => {}); param("late", "1");`;
    const parts = partsOf(await load(project, text), "a");
    assert.deepEqual(Object.keys(parts), ["source", "parameter.late"]);
    assert.match(parts.source ?? "", /^sha256:/);
    const version = async (version: string) => {
      project.write("node_modules/zed/package.json", JSON.stringify({ name: "zed", version, main: "x.js" }));
      project.write("node_modules/zed/x.js", "exports.z = 1;");
      return partsOf(await load(project, `import { z } from "zed"; ${text} z;`), "a")["package zed"];
    };
    assert.deepEqual([await version("1.0.0"), await version("1.0.1")], ["1.0.0", "1.0.1"]);
  },
);

story("what a pattern reads out of a name is a part of what a function is given", async (project) => {
  const parts = async (target: string) => {
    const datafile = await load(project, `script("${target}", {}, ({ params, log }) => log(params.a));`);
    return must(recipeParts(stepOf(datafile, "x-y.csv"), []));
  };
  const { function: code, ...before } = await parts("{a}-{b}.csv");
  assert.deepEqual(before, { kind: "script", "wildcard.a": "x", "wildcard.b": "y" });
  const after = { function: code, kind: "script", "wildcard.a": "y", "wildcard.b": "x" };
  assert.deepEqual(await parts("{b}-{a}.csv"), after);
});

story(
  "what is made while the Datafile is read and used by a function is warned of, unless it is said",
  async (project) => {
    const using = (options: string) => `
    const limit = Math.min(1, Date.now());
    for (const name of ["x", "y"])
      script(name, ${options}, ({ log }) => log(String(limit)));
  `;
    const warnings = async (options: string) => (await load(project, using(options))).warnings;
    const found = await warnings("{}");
    assert.equal(found.length, 1, "once, although two rules do it");
    const [warning] = found;
    assert(warning?.warning === "capture-unseen");
    assert.deepEqual(
      [warning.name, warning.at.file, warning.at.line],
      ["limit", project.path("Datafile.ts"), 7],
    );
    assert.deepEqual(await warnings("{ values: { limit } }"), []);
    assert.equal((await warnings("{ values: { other: limit } }")).length, 1);
    assert.deepEqual(await warnings('{ version: "1" }'), []);
    const parts = partsOf(await load(project, using("{ values: { limit } }")), "x");
    assert.equal(parts["values.limit"], digestOf("1"));
  },
);
