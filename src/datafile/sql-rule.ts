// Rules whose recipe is SQL, from a template or a file. Knows nothing of Postgres.
import type { Failure, Place } from "../core/failure.js";
import { fill, type Pattern, parseNamePattern } from "../core/pattern.js";
import type { Binding, SqlNames, SqlRecipe, SqlValue, Statement } from "../core/rule.js";
import { isRelationName, isViewName } from "../core/target.js";
import { type CommonOptions, declare, directoryProblem, guard } from "./declare.js";
import { listed } from "./input.js";
import { callerPlace, DeclarationError, refuse, take } from "./session.js";
import type { SqlGiven } from "./sql-options.js";
import { type Sql, sqlDollar, sqlTable, sqlValueProblem, statementOf } from "./sql-template.js";
import { partitionColumnOf, partitionProblem } from "./table-rule.js";
import { declarationOf, type ShapeOptions, strategyProblem } from "./table-shape.js";
import type { Input, RuleHandle, Values } from "./wild.js";

interface Options extends CommonOptions, ShapeOptions {
  readonly partitionColumn?: string;
  readonly file?: unknown;
  readonly values?: unknown;
  readonly version?: unknown;
}

type Work<W extends string> = (given: SqlGiven<W>) => Sql;

/** What can be said of a view besides its query. */
const viewOptions = ["comment", "comments", "grants"];
const onlyOfTables = ["partitionColumn", "strategy", "contract", "key", "indexes"] as const;

/** Declares a table, a partition or a view that SQL makes. */
export function sqlRule<W extends string>(
  target: string,
  options: Options,
  work: Work<W> | undefined,
): RuleHandle<W> {
  const at = callerPlace();
  checkSource(options, work, at);
  const version = versionOf(options.version, at);
  const table = declarationOf(options, at);
  const file = options.file === undefined ? undefined : fileOf(options.file, at);
  const values = valuesOf(options.values, at);
  let partitionColumn: string | undefined;
  const source = (binding: Binding): SqlRecipe["source"] =>
    file
      ? { from: "file", path: fill(file, binding), values: { ...binding, ...values } }
      : { from: "text", render: (names) => guard(() => rendered(work as Work<W>, names, binding, at), at) };
  return declare({
    kind: "sql",
    at,
    targets: [target],
    options: file ? { ...options, uses: [...listed(options.uses), file.text as Input] } : options,
    check: (outputs, place) => {
      const [output] = outputs;
      if (!output) return undefined;
      for (const name of Object.keys(values)) checkName(name, output, place);
      partitionColumn = partitionColumnOf(output, options.partitionColumn);
      return isViewName(output.text)
        ? viewProblem(output, options, place)
        : tableProblem(output, { partitionColumn, strategy: table?.strategy, at: place });
    },
    recipe: (binding) => ({
      kind: "sql",
      source: source(binding),
      partitionColumn,
      ...(table && { table }),
      ...(version !== undefined && { version }),
    }),
  });
}

const example = 'sql("table:NAME", { from: "table:trips" }, ({ $, input }) => $`select … from ${input}`)';

function checkSource({ file, values, version }: Options, work: unknown, at: Place): void {
  const bad = (problem: string, help: string): never => refuse({ reason: "bad-rule", problem, at, help });
  if (file === undefined && typeof work !== "function")
    bad("`sql` needs a `file`, or a function that answers what `$` makes", example);
  if (file !== undefined && work !== undefined)
    bad("`sql` has a `file` and a function: it runs one of them", "leave out one of them");
  if (file !== undefined && version !== undefined)
    bad(
      "`version` stands for the text of a function: a `file` counts by what is in it",
      "leave out `version`",
    );
  if (file === undefined && values !== undefined)
    bad("`values` are for the text of a `file`: a function has its own at hand", "leave out `values`");
}

function versionOf(version: unknown, at: Place): string | undefined {
  if (version === undefined || typeof version === "string") return version;
  return refuse({ reason: "bad-rule", problem: "`version` is a text", at, help: 'version: "2"' });
}

function fileOf(file: unknown, at: Place): Pattern {
  const help = 'file: "sql/monthly.sql"';
  if (typeof file !== "string")
    return refuse({ reason: "bad-rule", problem: "`file` is the name of a file", at, help });
  const pattern = take(parseNamePattern(file, at));
  if (pattern.directory || isRelationName(pattern.text))
    refuse({ reason: "bad-rule", problem: `\`${file}\` is no file`, at, help });
  return pattern;
}

function valuesOf(values: unknown, at: Place): Readonly<Record<string, SqlValue>> {
  if (values === undefined) return {};
  const bad = (problem: string): never =>
    refuse({ reason: "bad-rule", problem, at, help: "values: { limit: 5 }" });
  if (typeof values !== "object" || values === null || Array.isArray(values))
    return bad("`values` is an object: each of its values has a name");
  for (const [name, value] of Object.entries(values)) {
    if (!/^[A-Za-z_]\w*$/.test(name))
      bad(`\`${name}\` of \`values\` is no name for a text: letters, digits and \`_\``);
    const problem = sqlValueProblem(value);
    if (problem !== undefined) bad(`\`values.${name}\`: ${problem}`);
  }
  return { ...values } as Readonly<Record<string, SqlValue>>;
}

/** One name, one value. */
function checkName(name: string, { wildcards, text }: Pattern, at: Place): void {
  const taken = wildcards.includes(name)
    ? `a wildcard of \`${text}\``
    : name === "input" || name === "output"
      ? "what a text calls the input and the output by"
      : undefined;
  const problem = `\`${name}\` of \`values\` is ${taken} as well`;
  if (taken !== undefined) refuse({ reason: "bad-rule", problem, at, help: "call it something else" });
}

function viewProblem(output: Pattern, options: Options, at: Place): Failure | undefined {
  const wrong = onlyOfTables.find((name) => options[name] !== undefined);
  if (wrong === undefined) return directoryProblem([output], at);
  const problem = `\`${wrong}\` is said of tables, and \`${output.text}\` is a view`;
  const help = `a view has ${viewOptions.map((name) => `\`${name}\``).join(", ")}`;
  return { reason: "bad-rule", problem, at, help };
}

interface Partitioned {
  readonly partitionColumn: string | undefined;
  readonly strategy: Parameters<typeof strategyProblem>[0];
  readonly at: Place;
}

function tableProblem(output: Pattern, { partitionColumn, strategy, at }: Partitioned): Failure | undefined {
  if (!output.text.startsWith("table:")) {
    const problem = `\`${output.text}\` is neither a table nor a view`;
    return { reason: "bad-rule", problem, at, help: example };
  }
  const unfit = strategyProblem(strategy, output);
  return (
    directoryProblem([output], at) ??
    partitionProblem(output, partitionColumn, at) ??
    (unfit && { reason: "bad-rule", at, ...unfit })
  );
}

/** A text that was put together by hand has its values in it, so only what `$` made is run. */
function rendered<W extends string>(
  work: Work<W>,
  { inputs, outputs }: SqlNames,
  binding: Binding,
  at: Place,
): Statement {
  const tables = inputs.map(sqlTable);
  const given = {
    $: sqlDollar,
    inputs: tables,
    output: sqlTable(outputs[0] ?? ""),
    params: binding as Values<W>,
  };
  const made = statementOf(work(withInput(given, tables[0])));
  if (made) return made;
  const problem = "its function answers no SQL, which is what `$` makes of a template";
  throw new DeclarationError({ reason: "bad-rule", problem, at, help: example });
}

/** Where there is no input, asking for it is a mistake, and not `undefined` in a text. */
function withInput<T extends object>(given: T, input: SqlGiven<string>["input"] | undefined) {
  return Object.defineProperty({ ...given }, "input", {
    enumerable: true,
    get: () => {
      if (input === undefined) throw new Error("`input` stands in SQL whose rule has no `from`");
      return input;
    },
  }) as T & { readonly input: SqlGiven<string>["input"] };
}
