// The checks that table rules need: the target's form and its partition column. Knows nothing of Postgres.
import type { Failure, Place } from "../core/failure.js";
import { type Pattern, partitionWildcards } from "../core/pattern.js";
import type { LoadRecipe } from "../core/rule.js";
import { type CommonOptions, declare, directoryProblem } from "./declare.js";
import { type ReadingOptions, readingOf } from "./reading.js";
import { callerPlace } from "./session.js";
import { declarationOf, type ShapeOptions, strategyProblem } from "./table-shape.js";
import type { RuleHandle } from "./wild.js";

interface LoadOptions extends CommonOptions, ShapeOptions, ReadingOptions {
  readonly partitionColumn?: string;
}

/** Declares a table rule. A partition of several wildcards, or of none, needs a column named by hand. */
export function tableRule<W extends string>(target: string, options: LoadOptions): RuleHandle<W> {
  const at = callerPlace();
  const reading = readingOf(options, at);
  const table = declarationOf(options, at);
  let recipe: LoadRecipe | undefined;
  return declare({
    kind: "table",
    at,
    targets: [target],
    options,
    check: (outputs, place) => {
      const [output] = outputs;
      if (!output) return undefined;
      const partitionColumn = partitionColumnOf(output, options.partitionColumn);
      recipe = { kind: "load", ...reading, partitionColumn, ...(table && { table }) };
      const unfit = strategyProblem(table?.strategy, output);
      return (
        directoryProblem(outputs, place) ??
        partitionProblem(output, partitionColumn, place) ??
        (unfit && { reason: "bad-rule", at: place, ...unfit })
      );
    },
    recipe: () => recipe as LoadRecipe,
  });
}

/** Named by hand, or after the one wildcard behind the `/`. */
export function partitionColumnOf(output: Pattern, named: string | undefined): string | undefined {
  const wildcards = partitionWildcards(output);
  return named ?? (wildcards.length === 1 ? wildcards[0] : undefined);
}

export function partitionProblem(
  output: Pattern,
  column: string | undefined,
  at: Place,
): Failure | undefined {
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
