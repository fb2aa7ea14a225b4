// The checks that table rules need: the target's form and its partition column. Knows nothing of Postgres.
import type { Failure, Place } from "../core/failure.js";
import { type Pattern, partitionWildcards } from "../core/pattern.js";
import type { ColumnTypes, CsvOptions } from "../core/rule.js";
import { type CommonOptions, declare, directoryProblem } from "./declare.js";
import type { RuleHandle } from "./wild.js";

interface LoadOptions extends CommonOptions {
  readonly columns?: ColumnTypes;
  readonly csv?: CsvOptions;
  readonly partitionColumn?: string;
}

/** Declares a table rule. A partition of several wildcards, or of none, needs a column named by hand. */
export function tableRule<W extends string>(target: string, options: LoadOptions): RuleHandle<W> {
  let partitionColumn: string | undefined;
  const { columns = {}, csv = {} } = options;
  return declare({
    kind: "table",
    targets: [target],
    options,
    check: (outputs, at) => {
      const [output] = outputs;
      if (!output) return undefined;
      partitionColumn = options.partitionColumn ?? onlyWildcard(output);
      return directoryProblem(outputs, at) ?? problemOf(output, partitionColumn, at);
    },
    recipe: () => ({ kind: "load", columns, csv, partitionColumn }),
  });
}

function onlyWildcard(output: Pattern): string | undefined {
  const wildcards = partitionWildcards(output);
  return wildcards.length === 1 ? wildcards[0] : undefined;
}

function problemOf(output: Pattern, column: string | undefined, at: Place): Failure | undefined {
  if (!output.text.startsWith("table:"))
    return {
      reason: "bad-rule",
      problem: `\`${output.text}\` is no table`,
      at,
      help: `table("table:NAME/{month}", …)`,
    };
  const partitioned = output.text.includes("/");
  if (partitioned && column === undefined) {
    const problem = `\`${output.text}\`: what stands after the \`/\` is not one wildcard, so the partition's column has no name`;
    return { reason: "bad-rule", problem, at, help: 'partitionColumn: "part"' };
  }
  if (!partitioned && column !== undefined) {
    const problem = `\`${output.text}\` has a \`partitionColumn\` but no partition`;
    return { reason: "bad-rule", problem, at, help: `table("${output.text}/{month}", …)` };
  }
  return undefined;
}
