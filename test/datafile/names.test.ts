// Values of wildcards come from lists that others wrote and from names that were asked for: none makes a target elsewhere. Told on rules and real folders.
import assert from "node:assert/strict";
import { posix } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { Result } from "../../src/core/failure.js";
import { type Graph, graphOf } from "../../src/core/graph.js";
import { fill, parsePattern } from "../../src/core/pattern.js";
import { ruleSet, targetsOf } from "../../src/core/rule-set.js";
import { isRelationName, isTemporaryName, parseTarget } from "../../src/core/target.js";
import { collect, type Session } from "../../src/datafile/session.js";
import { sh, table, valuesIn } from "../../src/index.js";
import { isTemporary, temporaryPath } from "../../src/stores/file-temporary.js";
import { inProject, type Project, planned, stepOf } from "../rig/datafile.js";
import { holds } from "../rig/property.js";
import { here } from "../rig/recipes.js";
import { failureOf, must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));

/** Texts that somebody who means harm would try, and that harm where nobody means any. */
const pieces =
  ". .. / // \\ .git .GIT .dmake table: s. x.dmake-0123456789abcdef.tmp .x.dmake-0123456789abcdef.old a b csv - -rf ~ ' \" $(id) `id` ; & | * ? [ { } # % %2e%2e %2f \0 \n \r \t \u001b[2J \u202e \ud83d ü 日本";
const nasty = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...pieces.split(" ")) },
  {
    weight: 5,
    arbitrary: fc
      .array(fc.constantFrom(...pieces.split(" "), " "), { maxLength: 4 })
      .map((all) => all.join("")),
  },
  { weight: 1, arbitrary: fc.string({ maxLength: 6 }) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 6 }) },
);

const patterns = [
  "{a}",
  "{a}/{b}",
  "{a}{b}",
  "data/{a}.csv",
  ".{a}",
  ".{a}/x",
  ".{a}.tmp",
  ".{a}.dmake-0123456789abcdef.{b}",
  "{a}:x",
  "ta{a}/{b}",
  "x/{a}/../{b}",
  "table:{a}",
  "table:{a}/{b}",
  "table:s.{a}/{b}",
  "table:{a}_t/{b}",
] as const;

interface Given {
  readonly target: string;
  /** Whether the values come from a list; otherwise from the name that is asked for. */
  readonly listed: boolean;
  readonly a: string;
  readonly b: string;
}

const cases: fc.Arbitrary<Given> = fc.record({
  target: fc.constantFrom(...patterns),
  listed: fc.boolean(),
  a: nasty,
  b: nasty,
});

/** What would be made of it, with every name that the rule makes wanted. */
async function planOf({ target, listed, a, b }: Given): Promise<Result<Graph>> {
  const manifests = new Map([
    ["a.list", "a"],
    ["b.list", "b"],
  ]);
  const given = { given: {}, root: "/", code: "sha256:code", rules: [], parameters: [], manifests };
  const session: Session = given;
  const { wildcards } = must(parsePattern(target, here));
  const lists = { a: () => valuesIn("a.list", () => [a]), b: () => valuesIn("b.list", () => [b]) };
  const evaluated = await collect(session, async () => {
    const where = listed
      ? Object.fromEntries(wildcards.map((name) => [name, lists[name as "a" | "b"]()]))
      : {};
    if (isRelationName(target))
      table(target as `table:${string}`, { from: "x", where, partitionColumn: "p" } as never);
    else {
      // A second output and an input, where the values stand in other places.
      const open = wildcards.map((name) => `{${name}}`).join("/");
      sh(
        [target, `${open}/second`],
        { where, from: [`in/${open}`, `${open}.in`] } as never,
        ({ $ }) => $`true`,
      );
    }
  });
  if (!evaluated.ok) return evaluated;
  const rules = ruleSet(session.rules);
  if (!rules.ok) return rules;
  const asked = parseTarget(fill(must(parsePattern(target, here)), { a, b }));
  const names = listed
    ? session.rules.flatMap((rule) => [...targetsOf(rule)])
    : asked.ok
      ? [asked.value.name]
      : [];
  return graphOf(rules.value, names, {
    globs: { files: () => [], among: () => [] },
    localSource: () => undefined,
  });
}

test("whatever the values are, nothing is planned outside the root, among dmake's own files, or as another kind", async () => {
  let [planned, refused] = [0, 0];
  const property = fc.asyncProperty(cases, async (given) => {
    const graph = await planOf(given);
    if (!graph.ok) {
      refused += 1;
      assert.match(graph.error.reason, /^(bad-rule|two-producers|bad-pattern|cycle|overlap|ambiguous)$/);
      return;
    }
    for (const { outputs, inputs } of graph.value.steps) {
      planned += 1;
      const isTable = given.target.startsWith("table:");
      for (const name of [...outputs, ...inputs]) {
        assert(must(parseTarget(name)).name === name, `another name of it: ${name}`);
        if (isRelationName(name)) continue;
        const path = posix.resolve("/project", name);
        assert(path === `/project/${name}` && !/\p{Cc}/u.test(path), path);
      }
      for (const name of outputs) {
        assert.equal(isRelationName(name), isTable, name);
        const target = must(parseTarget(name));
        if (target.kind === "table") {
          assert.equal(target.schema, given.target.startsWith("table:s.") ? "s" : undefined);
          continue;
        }
        for (const part of name.split("/")) {
          assert.doesNotMatch(part, /^\.(git|dmake)$/i);
          assert(!isTemporary(part), part);
        }
      }
      for (const name of inputs) assert(!isRelationName(name), name);
    }
  });
  await holds(property, 4000);
  assert(planned > 400 && refused > 400, `${planned} were planned and ${refused} refused`);
});

test("what is taken for a temporary file is what the store makes", () => {
  for (const use of ["tmp", "dep", "old"] as const)
    for (const output of ["a.csv", "data/.x", `${"ü".repeat(120)}.csv`]) {
      const name = posix.basename(temporaryPath(output, "0123456789abcdef", use));
      assert(isTemporaryName(name) && isTemporary(name), name);
    }
  for (const name of ["a.dmake-0123456789abcdef.tmp", ".a.dmake-0123.tmp", ".a.tmp", "dmake"])
    assert(!isTemporaryName(name), name);
});

const head = `
  import { sh, table, valuesIn } from "dmake";
  const any = (value: unknown): any => value;
`;
const refused = async (project: Project, text: string, list: readonly string[]) => {
  const loaded = await project.datafile(
    `${head}const list = valuesIn("list.json", (text) => JSON.parse(text));\n${text}`,
    {
      manifests: { "list.json": JSON.stringify(list) },
    },
  );
  if (!loaded.ok) return failureOf(loaded, "bad-rule");
  return failureOf(planned(loaded.value, ...must(loaded.value.defaults())), "bad-rule");
};

// What a list says, and what is said of it where the list is read.
const values: readonly (readonly [string, RegExp])[] = [
  ["..", /^`\.\.` in what `valuesIn` finds in `list.json` is a way out of its folder$/],
  [".", /is a way out of its folder/],
  ["", /is empty/],
  ["../../etc/passwd", /contains `\/`/],
  ["/etc/passwd", /contains `\/`/],
  ["a\0b", /^`a\\u0000b` in .* contains a NUL character/],
  ["2021-01\r", /^`2021-01\\u000d` in .* contains a line break/],
  ["a\nrm -rf", /contains a line break/],
  ["\u001b]0;title\u0007", /^`\\u001b\]0;title\\u0007` in .* contains a control character/],
];
for (const [value, problem] of values)
  story(`the value ${JSON.stringify(value)} of a list is refused where the list is read`, async (project) => {
    const text = 'export default [sh("data/{a}.csv", { where: { a: list } }, ({ $ }) => $`true`)];';
    const failure = await refused(project, text, ["good", value]);
    assert.match(failure.problem, problem);
    assert.doesNotMatch(failure.problem, /\p{Cc}/u, "and cannot steer the terminal that shows it");
    assert.equal(failure.at.line, 4);
    assert.match(failure.help ?? "", /^leave out what is no value: valuesIn\("list.json", /);
  });

// Values that are harmless in other places: refused with the name that they would make.
const places: readonly (readonly [string, string, RegExp])[] = [
  [
    'sh("{a}/config", O, W)',
    ".git",
    /`\{a\}\/config` would make `.git\/config`, in `.git`, which is for git's own/,
  ],
  ['sh("data/{a}/config", O, W)', ".GIT", /which is for git's own files/],
  ['sh(".{a}/x", O, W)', "git", /`\.git\/x`/],
  ['sh("{a}/state", O, W)', ".dmake", /which is for dmake's own files/],
  ['sh("sub/{a}/state", O, W)', ".dmake", /which is for dmake's own files/],
  ['sh("{a}/", O, W)', ".git", /`\.git`/],
  ['sh("data/{a}", O, W)', ".x.dmake-0123456789abcdef.tmp", /which is how dmake calls its temporary files/],
  ['sh(["a{a}", "b/{a}/x"], O, W)', ".git", /`b\/\{a\}\/x` would make `b\/.git\/x`/],
  ['sh("{a}", O, W)', "table:trips", /^`\{a\}` is a file, and `table:trips` would be a table$/],
  ['sh("{a}:x", O, W)', "table", /`table:x` would be a table/],
  ['sh("{a}:x", O, W)', "view", /`view:x` would be a view/],
  ['sh("v{a}", O, W)', "iew:x", /`view:x` would be a view/],
  [
    'sh("out/{a}", { ...O, from: "{a}" }, W)',
    "table:trips",
    /^`\{a\}` is a file, and `table:trips` would be a table$/,
  ],
  [
    'table("table:{a}_t/{b}", { from: "x", where: { a: list, b: ["1.5"] } })',
    "pg_catalog.x",
    /^`pg_catalog.x`, as `\{a\}` of `table:\{a\}_t\/\{b\}`, has a `\.` and would name another schema$/,
  ],
];
for (const [rule, value, problem] of places)
  story(`the value \`${value}\` is refused in \`${rule}\``, async (project) => {
    const text = `const O = { where: { a: list } }; const W: any = ({ $ }: any) => $\`x\`;\nexport default [${rule}];`;
    const failure = await refused(project, text, [value]);
    assert.match(failure.problem, problem);
    assert.equal(failure.at.line, 6);
    assert.match(failure.help ?? "", /take the value out of its list/);
  });

story("what a Datafile says literally is meant, and values may have dots and look odd", async (project) => {
  const datafile = must(
    await project.datafile(`${head}
    sh(".git/hooks/{hook}", { where: { hook: ["pre-commit"] } }, ({ $ }) => $\`x\`);
    sh("data/{a}", { where: { a: [".gitignore", "a.git", "x.dmake", "...", "-rf", "~", "a b", "table"] } }, ({ $ }) => $\`x\`);
    table("table:t/{part}", { from: "x", where: { part: ["1.5", "pg_catalog.x"] } });
    sh("{schema}.{name}.txt", {}, ({ $ }) => $\`x\`);
  `),
  );
  for (const name of datafile.rules.declared()) assert.equal(stepOf(datafile, name).outputs.length, 1, name);
  stepOf(datafile, "a.b.c.txt");
});

story(
  "a name that is asked for says where its values would lead, before anything is made",
  async (project) => {
    const datafile = must(
      await project.datafile(`${head}
    sh(["data/{a}.csv", "{a}/other.csv"], {}, ({ $ }) => $\`x\`);
    sh("out/{a}.txt", { from: "{a}/in.txt" }, ({ $ }) => $\`x\`);
    sh("use", { from: "data/...csv" }, ({ $ }) => $\`x\`);
  `),
    );
    for (const [name, problem] of [
      ["data/...csv", /^`\.\.`, as `\{a\}` of `data\/\{a\}.csv`, is a way out of its folder$/],
      ["data/..csv", /^`\.`, as `\{a\}`/],
      ["out/...txt", /is a way out of its folder/],
      ["use", /is a way out of its folder/],
      ["data/.git.csv", /`\.git\/other.csv`/],
      ["out/a\nb.txt", /^`a\\u000ab`, .* contains a line break/],
    ] as const) {
      const failure = failureOf(planned(datafile, name), "bad-rule");
      assert.match(failure.problem, problem, name);
      assert.match(failure.help ?? "", /ask for another name/);
    }
    for (const name of ["../data/a.csv", "/data/a.csv", "data/../../a.csv", "", ".", ".."])
      failureOf(parseTarget(name), "outside-root");
    assert.deepEqual(stepOf(datafile, "data/....csv").outputs, ["data/....csv", ".../other.csv"]);
  },
);
