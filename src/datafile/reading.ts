// Checks what a Datafile says of how a data file is read. Knows nothing of any file.
import { badCsvOption } from "../core/csv-options.js";
import type { Place } from "../core/failure.js";
import type { ColumnTypes, CsvOptions, Renames } from "../core/rule.js";
import { refuse } from "./session.js";
import { textsByName } from "./table-shape.js";

export interface ReadingOptions {
  readonly columns?: ColumnTypes;
  readonly rename?: unknown;
  readonly csv?: CsvOptions;
}

interface Reading {
  readonly columns: ColumnTypes;
  readonly rename?: Renames;
  readonly csv: CsvOptions;
}

/** How the input of a rule is read; refuses what cannot be meant, whatever the file. */
export function readingOf({ columns = {}, rename, csv = {} }: ReadingOptions, at: Place): Reading {
  const bad = badCsvOption(csv);
  if (bad) {
    const problem = `\`csv.${bad.option}\` ${bad.problem}`;
    refuse({ reason: "bad-rule", problem, at, help: 'csv: { delimiter: ";", nulls: ["NA"] }' });
  }
  return { columns, ...(rename !== undefined && { rename: textsByName(rename, "`rename`", at) }), csv };
}
