// The `sql` of a Datafile: what it takes, what its template makes of values, and what makes its targets stale. Told on real folders.
import assert from "node:assert/strict";
import { test } from "node:test";
import { recipeParts } from "../../src/core/fingerprint.js";
import type { Statement } from "../../src/core/rule.js";
import type { Datafile } from "../../src/datafile/load.js";
import { inProject, type Project, stepOf } from "../rig/datafile.js";
import { failureOf, must } from "../rig/world.js";

const story = (name: string, work: (project: Project) => Promise<void>) => test(name, () => inProject(work));

const head = `
  import { months, optional, pool, sql, table } from "dmake";
  const any = (value: unknown): any => value;
`;
const load = async (project: Project, text: string) => must(await project.datafile(head + text));
const refused = async (project: Project, text: string) =>
  failureOf(await project.datafile(head + text), "bad-rule").problem;

function rendered(datafile: Datafile, name: string): Statement {
  const { recipe, inputs, outputs } = stepOf(datafile, name);
  assert(recipe.kind === "sql" && recipe.source.from === "text");
  return must(recipe.source.render({ inputs, outputs }));
}

/** The statement with `§` for each value. */
const textOf = ({ texts }: Statement): string => texts.join("§");
const partsOf = (datafile: Datafile, name: string) => must(recipeParts(stepOf(datafile, name), []));

const template = (text: string) =>
  `sql("table:x", { from: "table:a" }, ({ $, input, inputs, output }) => ${text});`;
async function threw(project: Project, text: string): Promise<string> {
  const datafile = await load(project, template(text));
  const { recipe, inputs, outputs } = stepOf(datafile, "table:x");
  assert(recipe.kind === "sql" && recipe.source.from === "text");
  const made = recipe.source.render({ inputs, outputs });
  assert(!made.ok, "it went well");
  return "message" in made.error ? made.error.message : "problem" in made.error ? made.error.problem : "";
}

story(
  "a template has names of inputs and output, values of wildcards, and everything else as values",
  async (project) => {
    const datafile = await load(
      project,
      `
    const loaded = table("table:trips/{month}", { from: "{month}.csv", where: { month: months("2023-01", "2023-02") } });
    export const daily = sql("table:daily/{month}", { from: [loaded, "zones.csv"] },
      ({ $, input, inputs, output, params }) =>
        $\`select \${params.month} as month, \${1.5}, \${true}, \${null}, \${inputs[1]!} from \${input} where \${output} is null\`);
  `,
    );
    const statement = rendered(datafile, "table:daily/2023-02");
    assert.equal(textOf(statement), "select § as month, §, §, §, § from § where § is null");
    assert.deepEqual(statement.values, [
      "2023-02",
      1.5,
      true,
      null,
      "zones.csv",
      { target: "table:trips/2023-02" },
      { target: "table:daily/2023-02" },
    ]);
    const { recipe, rule, inputs } = stepOf(datafile, "table:daily/2023-02");
    assert(recipe.kind === "sql");
    assert.equal(recipe.partitionColumn, "month");
    assert.deepEqual(inputs, ["table:trips/2023-02", "zones.csv"]);
    assert.deepEqual(rule.pools, { db: 1 });
  },
);

story("pieces, lists and names are put together, each quoted in its way", async (project) => {
  const datafile = await load(
    project,
    template(
      `$\`\${$.join(["a", "b"].map((one) => $\`\${$.name("t", one + '"')} = \${one}\`), $\` and \`)} or z in (\${[1, 2]}) from \${$.table("s.zones")}, \${$.table("view:v")}\``,
    ),
  );
  const statement = rendered(datafile, "table:x");
  assert.equal(textOf(statement), '"t"."a""" = § and "t"."b""" = § or z in (§, §) from §, §');
  assert.deepEqual(statement.values, ["a", "b", 1, 2, { target: "table:s.zones" }, { target: "view:v" }]);
});

story("SQL that was put together by hand is refused", async (project) => {
  assert.match(
    await threw(project, 'any(`select * from ${any("a")}`)'),
    /answers no SQL, which is what `\$` makes/,
  );
  assert.match(await threw(project, 'any({ texts: ["select 1"], values: [] })'), /answers no SQL/);
  assert.match(await threw(project, 'any(JSON.parse(\'{"kind":"sql"}\'))'), /answers no SQL/);
  assert.match(
    await threw(project, "any(`select * from ${input}`)"),
    /stands in a text, and not in a `\$` template/,
  );
  assert.match(await threw(project, "any(`${$`select 1`}`)"), /stands in a text, and not in a `\$` template/);
  assert.match(await threw(project, "$`select ${any({ target: 'table:a' })}`"), /an object stands in SQL/);
});

story("values that would become others on their way are refused", async (project) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["NaN", /no exact number/],
    ["Infinity", /no exact number/],
    ["2 ** 53", /no exact number/],
    ['"a\\0b"', /NUL/],
    ['"\\ud800"', /half a character/],
    ["any(undefined)", /`undefined` stands in SQL/],
    ["any(new Date(0))", /an object stands in SQL/],
    ["any(() => 1)", /stands in SQL/],
    ["any([])", /an empty list/],
    ["any(inputs)", /put tables and pieces together with/],
  ];
  for (const [value, problem] of cases)
    assert.match(await threw(project, `$\`select \${${value}}\``), problem, value);
});

story(
  "a backslash that JavaScript takes away is refused, and one that stays is Postgres'",
  async (project) => {
    assert.match(
      await threw(project, "$`select '\\d+'`"),
      /reads `\\d` in a template as something else: write `\\\\d`/,
    );
    assert.match(await threw(project, "$`select '\\b'`"), /write `\\\\b`/);
    const datafile = await load(project, template("$`select '\\\\d+', '\\n', '\\`'`"));
    assert.equal(textOf(rendered(datafile, "table:x")), "select '\\d+', '\n', '`'");
  },
);

story("an `input` where there is none is a mistake and no text", async (project) => {
  const datafile = await load(
    project,
    'export const x = sql("table:x", {}, ({ $, input }) => $`select * from ${input}`);',
  );
  const { recipe } = stepOf(datafile, "table:x");
  assert(recipe.kind === "sql" && recipe.source.from === "text");
  const made = recipe.source.render({ inputs: [], outputs: ["table:x"] });
  assert.match(failureOf(made, "datafile-threw").message, /has no `from`/);
});

story(
  "the text, its values, its names and what kind of thing it makes are in the fingerprint",
  async (project) => {
    const partsWith = async (text: string, target = "table:x") =>
      partsOf(
        await load(project, `sql("${target}", { from: "table:a" }, ({ $, input }) => ${text});`),
        target,
      );
    const first = await partsWith("$`select ${1} from ${input}`");
    assert.deepEqual(first, { kind: "sql", sql: 'select ${1} from ${{"target":"table:a"}}' });
    assert.notDeepEqual(await partsWith('$`select ${"1"} from ${input}`'), first);
    assert.notDeepEqual(
      await partsWith('$`select ${$.name("x")} from ${input}`'),
      await partsWith('$`select ${"x"} from ${input}`'),
    );
    assert.notDeepEqual(await partsWith("$`select ${2} from ${input}`"), first);
    assert.notDeepEqual(await partsWith('$`select ${1} from ${$.table("b")}`'), first);
    assert.notDeepEqual(await partsWith("$`select ${1} from ${input}`", "view:x"), first);
    const datafile = await load(project, 'sql("table:x", { version: "2" }, ({ $ }) => $`select 1`);');
    assert.deepEqual(partsOf(datafile, "table:x"), { kind: "sql", version: "2" });
  },
);

story("a file is looked at as an input, with its values and those of wildcards", async (project) => {
  const datafile = await load(
    project,
    `export const x = sql("table:x/{month}", { from: "table:a/{month}", uses: "lib.sql", file: "sql/{month}.sql",
       values: { limit: 5, name: "it's" }, where: { month: ["2023-01"] } });`,
  );
  const { recipe, uses, inputs } = stepOf(datafile, "table:x/2023-01");
  assert(recipe.kind === "sql");
  assert.deepEqual(recipe.source, {
    from: "file",
    path: "sql/2023-01.sql",
    values: { month: "2023-01", limit: 5, name: "it's" },
  });
  assert.deepEqual([inputs, uses], [["table:a/2023-01"], ["lib.sql", "sql/2023-01.sql"]]);
  assert.deepEqual(partsOf(datafile, "table:x/2023-01"), {
    kind: "sql",
    partitionColumn: "month",
    "values.limit": "5",
    "values.month": '"2023-01"',
    "values.name": '"it\'s"',
    uses: "lib.sql\nsql/2023-01.sql",
  });
});

story("a table of SQL is declared as a loaded one is", async (project) => {
  const datafile = await load(
    project,
    `export const x = sql("table:x/{month}", { key: "id", strategy: "merge", indexes: ["a"], comment: "Ours.", pool: { db: 2 },
       grants: { reader: "select" as "SELECT" }, timeout: "10 min", retries: 2, where: { month: ["2023-01"] } }, ({ $ }) => $\`select 1\`);`,
  );
  const { recipe, rule } = stepOf(datafile, "table:x/2023-01");
  assert(recipe.kind === "sql");
  assert.deepEqual(recipe.table, {
    strategy: "merge",
    contract: "evolve",
    maxRejects: 0,
    key: ["id"],
    indexes: [{ columns: ["a"] }],
    comment: "Ours.",
    grants: { reader: ["SELECT"] },
  });
  assert.deepEqual(rule.pools, { db: 2 });
  assert.deepEqual([rule.timeoutMs, rule.retries], [600_000, { times: 2, pauseMs: 1000 }]);
});

story("what makes no sense is refused where it stands", async (project) => {
  const work = "({ $ }) => $`select 1`";
  const cases: readonly (readonly [string, RegExp])[] = [
    ['any(sql)("table:x", {})', /needs a `file`, or a function/],
    ['any(sql)("table:x")', /needs options/],
    [`any(sql)("table:x", { file: "x.sql" }, ${work})`, /has a `file` and a function/],
    [`any(sql)("table:x", { values: { a: 1 } }, ${work})`, /`values` are for the text of a `file`/],
    [`any(sql)("x.csv", {}, ${work})`, /neither a table nor a view/],
    [`any(sql)("view:x", { strategy: "replace" }, ${work})`, /`strategy` is said of tables/],
    [`any(sql)("view:x", { key: "id" }, ${work})`, /`key` is said of tables/],
    [`any(sql)("table:x", { maxRejects: 1 }, ${work})`, /has no option `maxRejects`/],
    [`any(sql)("table:x", { columns: {} }, ${work})`, /has no option `columns`/],
    [`any(sql)("table:x/{a}-{b}", {}, ${work})`, /not one wildcard/],
    [`any(sql)("table:x", { strategy: "swap" }, ${work})`, /`swap` is how a partition is replaced/],
    [`any(sql)("table:x", { version: 2 }, ${work})`, /`version` is a text/],
    [`any(sql)("table:x", { pool: "console" }, ${work})`, /no use for the terminal/],
    ['any(sql)("table:x", { file: "table:y" })', /is no file/],
    ['any(sql)("table:x", { file: 5 })', /`file` is the name of a file/],
    ['any(sql)("table:x", { file: "x.sql", values: [1] })', /`values` is an object/],
    ['any(sql)("table:x", { file: "x.sql", values: { "a b": 1 } })', /no name for a text/],
    ['any(sql)("table:x", { file: "x.sql", values: { a: {} } })', /`values.a`: an object stands/],
    ['any(sql)("table:x", { file: "x.sql", values: { input: 1 } })', /`input` of `values`/],
    [
      'any(sql)("table:x/{month}", { file: "x.sql", values: { month: 1 } })',
      /`month` of `values` is a wildcard/,
    ],
  ];
  for (const [text, problem] of cases) assert.match(await refused(project, text), problem, text);
});

story("the wildcards of inputs and of the file have to be the target's", async (project) => {
  for (const options of ['{ from: "table:a/{month}" }', '{ uses: "{month}.sql" }'])
    failureOf(
      await project.datafile(`${head} sql("table:x", any(${options}), ({ $ }) => $\`select 1\`);`),
      "unbound-wildcard",
    );
  failureOf(
    await project.datafile(`${head} any(sql)("table:x", { file: "{month}.sql" });`),
    "unbound-wildcard",
  );
});
