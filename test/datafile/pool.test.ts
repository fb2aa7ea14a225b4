// Pools, and what rules take of them. Told on real folders.
import assert from "node:assert/strict";
import { kinds, kindsText, load, parts, refused, rule, story, target } from "../rig/rule-kinds.js";

story(
  "a pool is a handle, and a Datafile has its own besides those that are always there",
  async (project) => {
    const none = await load(project, "");
    assert.deepEqual(Object.fromEntries(none.pools), { db: 8, console: 1 });
    const datafile = await load(
      project,
      `
    export const downloads = pool("downloads", 2);
    pool("db", 3);
    export const report = sh(downloads.name + downloads.size, {}, ({ $ }) => $\`x\`);
  `,
    );
    assert.deepEqual(Object.fromEntries(datafile.pools), { db: 3, console: 1, downloads: 2 });
    assert.deepEqual([...datafile.goals.keys()], ["report"], "a pool is nothing to build");
    assert.equal(datafile.goals.get("report")?.outputs[0]?.text, "downloads2");
  },
);

for (const [kind, call] of kindsText)
  story(`\`${kind}\` takes places by handle, by name, by a list of both, or so many`, async (project) => {
    const db = kind === "table" ? { db: 1 } : {};
    const given: readonly (readonly [string, Readonly<Record<string, number>>])[] = [
      ["{ pool: net }", { net: 1, ...db }],
      ['{ pool: "net" }', { net: 1, ...db }],
      ['{ pool: [net, "cores"] }', { net: 1, cores: 1, ...db }],
      ["{ pool: { net: 2, cpu: 64 } }", { net: 2, cpu: 64, ...db }],
      ["{ pool: { [net.name]: net.size } }", { net: 2, ...db }],
      ['{ pool: "db" }', { db: 1 }],
      ["{ pool: { db: 5 } }", { db: 5 }],
    ];
    for (const [options, pools] of given) {
      const text = `const net = pool("net", 2); pool("cores", 4); ${call(options)}`;
      assert.deepEqual(rule(await load(project, text), target(kind)).pools, pools, options);
    }
    for (const options of ["{}", "{ pool: undefined }", "{ pool: [] }", "{ pool: {} }"])
      assert.deepEqual(
        rule(await load(project, call(options)), target(kind)).pools,
        kind === "table" ? { db: 1 } : undefined,
      );
  });

story("the terminal is for commands and functions only", async (project) => {
  for (const [kind, call] of kindsText) {
    const text = call('{ pool: ["console"] }');
    if (kind === "sh" || kind === "script")
      assert.deepEqual(rule(await load(project, text), "a").pools, { console: 1 });
    else {
      const { problem, at } = await refused(project, text);
      assert.match(problem, new RegExp(`^\`${kind}\` has no use for the terminal`));
      assert.equal(at.line, 4);
    }
  }
});

// What cannot be taken, and what is said of it.
const wrong: readonly (readonly [string, RegExp, RegExp])[] = [
  ['"downlods"', /^there is no pool `downlods`$/, /^did you mean `downloads`\?$/],
  ['"consol"', /no pool `consol`/, /`console`/],
  ['"cpus"', /no pool `cpus`/, /`cpu`/],
  ['"machines"', /no pool `machines`/, /^declare it: pool\("machines", 2\)$/],
  ['"constructor"', /no pool `constructor`/, /declare it/],
  ["{ downloads: 3 }", /takes 3 places of the pool `downloads`, which has 2/, /^pool\("downloads", 3\)$/],
  ["{ db: 9 }", /9 places of the pool `db`, which has 8/, /^pool\("db", 9\)$/],
  ["{ console: 2 }", /2 places of the pool `console`, which has 1/, /^pool: "console"$/],
  ["{ downloads: 0 }", /whole number from 1, and not `0`/, /\{ downloads: 1 \}/],
  ["{ downloads: 1.5 }", /not `1.5`/, /./],
  ["{ downloads: -1 }", /not `-1`/, /./],
  ["{ cpu: Infinity }", /not `Infinity`/, /./],
  ['{ downloads: any("2") }', /whole number from 1/, /./],
  ["{ downloads: any(undefined) }", /not `undefined`/, /./],
  ["[downloads, downloads]", /names `downloads` twice/, /\{ downloads: 2 \}/],
  ['[downloads, "downloads"]', /names `downloads` twice/, /./],
  ["any(4)", /takes pools, names of pools/, /./],
  ["any(null)", /takes pools/, /./],
  ["any([{ downloads: 1 }])", /takes pools/, /./],
  ["any([[downloads]])", /takes pools/, /./],
  ['any({ kind: "pool", name: "downloads", size: 2 })', /not `pool`/, /./],
];
for (const [pools, problem, help] of wrong)
  story(`\`pool: ${pools}\` is refused where the rule stands`, async (project) => {
    const text = `const downloads = pool("downloads", 2);\n${kinds.sh?.(`{ pool: ${pools} }`)}`;
    const failure = await refused(project, text);
    assert.match(failure.problem, problem);
    assert.match(failure.help ?? "", help);
    assert.equal(failure.at.line, 5);
  });

story("a pool may be declared after the rules that take it, and in another module", async (project) => {
  project.write(
    "pools.ts",
    'import { pool } from "dmake";\nexport const net = pool("net", 2);\nexport const again = pool("net", 2);\n',
  );
  const datafile = await load(
    project,
    `
    sh("late", { pool: { gpu: 1 } }, ({ $ }) => $\`x\`);
    pool("gpu", 1);
    import { net } from "./pools.ts";
    sh("a", { pool: net }, ({ $ }) => $\`x\`);
    pool("net", 2);
  `,
  );
  assert.deepEqual(rule(datafile, "late").pools, { gpu: 1 });
  assert.deepEqual(rule(datafile, "a").pools, { net: 1 });
  assert.equal(datafile.pools.get("net"), 2);
  const failure = await refused(project, 'import "./pools.ts";\n\npool("net", 3);');
  assert.equal(failure.problem, "the pool `net` has 3 places here, and 2 at `pools.ts:2`");
  assert.deepEqual([failure.at.file, failure.at.line], [project.path("Datafile.ts"), 6]);
});

const declarations: readonly (readonly [string, RegExp])[] = [
  ['pool("cpu", 4)', /the pool `cpu` has as many places as the command line says with `-j`/],
  ['pool("console", 2)', /as there is one terminal/],
  ['pool("a", 0)', /`a` has so many places: a whole number from 1, and not `0`/],
  ['pool("a", 1.5)', /not `1.5`/],
  ['pool("a", NaN)', /not `NaN`/],
  ['pool("a", any("2"))', /whole number/],
  ['any(pool)("a")', /not `undefined`/],
  ['pool("", 1)', /`` is no name of a pool/],
  ['pool("__proto__", 1)', /no name of a pool/],
  ['pool("a b", 1)', /no name of a pool/],
  ["any(pool)()", /`undefined` is no name/],
];
for (const [call, problem] of declarations)
  story(`\`${call}\` is refused`, async (project) => {
    const failure = await refused(project, `${call};`);
    assert.match(failure.problem, problem);
    assert.equal(failure.at.line, 4);
  });

story("a pool belongs to one evaluation: another one may size it otherwise", async (project) => {
  for (const size of [2, 3]) {
    const datafile = await load(project, `pool("net", ${size}); ${kinds.sh?.(`{ pool: { net: ${size} } }`)}`);
    assert.equal(datafile.pools.get("net"), size);
  }
  await refused(project, kinds.sh?.('{ pool: "net" }') ?? "");
});

story(
  "declaring, sizing or naming a pool changes no recipe, and one that is captured is no cause for alarm",
  async (project) => {
    const text = (pools: string, options: string, used: string) => `
    ${pools}
    const words = ["a"];
    script("a", { ${options} }, ({ log }) => { log(words.join()); });
    sh("b", { ${options} }, ({ $, output }) => $\`echo ${used} > \${output}\`);
  `;
    const before = await load(project, text("", "", "x"));
    for (const pools of [
      'pool("net", 2);',
      'const net = pool("net", 5);',
      'for (const name of ["net", "gpu"]) pool(name, 2);',
    ]) {
      const after = await load(project, text(pools, 'pool: "net"', "x"));
      assert.deepEqual(after.warnings, [], pools);
      for (const name of ["a", "b"]) assert.deepEqual(parts(after, name), parts(before, name), pools);
    }
    const captured = await load(
      project,
      `const net = pool("net", 3);
    const size = pool("gpu", 2).size;
    script("a", { pool: net }, ({ log }) => { log(\`\${net.name} \${size}\`); });
    sh("b", { pool: net }, ({ $, output }) => $\`fetch -j \${net.size} > \${output}\`);`,
    );
    assert.deepEqual(captured.warnings, []);
    assert.equal(parts(captured, "b").command, "fetch -j 3 > b");
  },
);
